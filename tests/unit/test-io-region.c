/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O regions: splitting, widening, priorities, event fds, regions that go while they are used. */
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/vm-lock.h"

#include <inttypes.h>
#include <sys/eventfd.h>
#include <unistd.h>

static GString *trail;

static uint64_t read_note(gpointer opaque, uint64_t offset, unsigned size)
{
    g_string_append_printf(trail, "%sr%u@%x ", (const char *)opaque, size, (unsigned)offset);
    return 0x8877665544332211 >> (8 * (offset % 8));
}

static void write_note(gpointer opaque, uint64_t offset, uint64_t value, unsigned size)
{
    g_string_append_printf(trail, "%sw%u@%x=%" G_GINT64_MODIFIER "x ", (const char *)opaque, size,
                           (unsigned)offset, value);
}

static const IoOps plain = {read_note, write_note, 0, 0};
static const IoOps words = {read_note, write_note, 4, 4};

static void take_trail(const char *expected)
{
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

static uint64_t read_value(AddressSpace space, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    memory_read(space, address, &value, size);
    return value;
}

static void write_value(AddressSpace space, uint64_t address, uint64_t value, unsigned size)
{
    memory_write(space, address, &value, size);
}

static void test_split(void)
{
    g_autoptr(IoRegion) region = io_region_new(NULL, "r", &plain, "", 0x20);
    g_autoptr(IoRegion) wide = io_region_new(NULL, "w", &words, "", 0x1e);

    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x1000);
    io_region_map(wide, ADDRESS_SPACE_MEMORY, 0x2000);
    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0x1000, 8), ==, 0x8877665544332211);
    take_trail("r8@0 ");
    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0x1001, 8), ==, 0x1188776655443322);
    take_trail("r1@1 r2@2 r4@4 r1@8 ");
    write_value(ADDRESS_SPACE_MEMORY, 0x1ffe, 0x44332211, 4);
    take_trail("");
    write_value(ADDRESS_SPACE_MEMORY, 0x101e, 0x44332211, 4); /* half of it outside */
    take_trail("w2@1e=2211 ");

    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0x2006, 1), ==, 0x77);
    take_trail("r4@4 ");
    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0x2000, 8), ==, 0x8877665544332211);
    take_trail("r4@0 r4@4 ");
    write_value(ADDRESS_SPACE_MEMORY, 0x2004, 1, 2);
    take_trail("");
    write_value(ADDRESS_SPACE_MEMORY, 0x2004, 1, 8);
    take_trail("w4@4=1 w4@8=0 ");
    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0x201d, 1), ==, 0); /* does not fit in */
    take_trail("");
}

static void test_ports(void)
{
    g_autoptr(IoRegion) region = io_region_new(NULL, "r", &plain, "", 8);

    io_region_map(region, ADDRESS_SPACE_IO, 0xcf8);
    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0xcf8, 4), ==, 0);
    g_assert_cmphex(read_value(ADDRESS_SPACE_IO, 0xcf8, 4), ==, 0x44332211);
    take_trail("r4@0 ");
    write_value(ADDRESS_SPACE_IO, 0xcf8, 1, 8);
    take_trail("w4@0=1 w4@4=0 ");
    g_assert_cmphex(read_value(ADDRESS_SPACE_IO, 0xcfe, 4), ==, 0xffff8877);
    take_trail("r2@6 ");
}

static void note_view(const IoRegionView *region, gpointer text)
{
    g_string_append_printf(text, "%s %" PRIx64 "-%" PRIx64 " %" PRIx64 " ", region->name,
                           region->first, region->last, region->answered);
}

/* In order of mapping, each with what those before it leave. */
static void test_foreach(void)
{
    g_autoptr(IoRegion) first = io_region_new(NULL, "a", &plain, "a", 0x10);
    g_autoptr(IoRegion) second = io_region_new(NULL, "b", &plain, "b", 0x30);
    g_autoptr(IoRegion) third = io_region_new(NULL, "c", &plain, "c", 0x8);
    g_autoptr(GString) text = g_string_new(NULL);

    io_region_map(first, ADDRESS_SPACE_MEMORY, UINT64_MAX - 0x1f);
    io_region_map(second, ADDRESS_SPACE_MEMORY, UINT64_MAX - 0x2f);
    io_region_map(third, ADDRESS_SPACE_MEMORY, UINT64_MAX - 0x1f);
    memory_foreach_region(ADDRESS_SPACE_IO, note_view, text);
    g_assert_cmpstr(text->str, ==, "");
    memory_foreach_region(ADDRESS_SPACE_MEMORY, note_view, text);
    g_assert_cmpstr(text->str, ==,
                    "a ffffffffffffffe0-ffffffffffffffef 10 "
                    "b ffffffffffffffd0-ffffffffffffffff 20 "
                    "c ffffffffffffffe0-ffffffffffffffe7 0 ");
}

static void test_priorities(void)
{
    g_autoptr(IoRegion) first = io_region_new(NULL, "a", &plain, "a", 0x10);
    g_autoptr(IoRegion) second = io_region_new(NULL, "b", &plain, "b", 0x30);
    g_autoptr(IoRegion) all = io_region_new(NULL, "c", &plain, "c", UINT64_MAX);
    g_autoptr(RamBlock) block = ram_block_new("m", -1, 0, 0x1000, 0, 0, TRUE, FALSE, NULL);
    MemorySection section = {0x1008, 0x8, block, 0};

    io_region_map(first, ADDRESS_SPACE_MEMORY, 0x1010);
    io_region_map(second, ADDRESS_SPACE_MEMORY, 0x1000);
    io_region_map(all, ADDRESS_SPACE_MEMORY, 0);
    read_value(ADDRESS_SPACE_MEMORY, 0x1008, 1);
    read_value(ADDRESS_SPACE_MEMORY, 0x1018, 1);
    read_value(ADDRESS_SPACE_MEMORY, 0x1028, 1);
    read_value(ADDRESS_SPACE_MEMORY, 0x0ffc, 8);
    read_value(ADDRESS_SPACE_MEMORY, UINT64_MAX - 1, 1);
    take_trail("br1@8 ar1@8 br1@28 cr4@ffc br4@0 cr1@fffffffe ");
    g_assert_true(memory_add_boot(&section, NULL)); /* RAM hides them */
    read_value(ADDRESS_SPACE_MEMORY, 0x1004, 8);
    read_value(ADDRESS_SPACE_MEMORY, 0x100c, 8);
    take_trail("br4@4 ar4@0 ");
    io_region_map(first, ADDRESS_SPACE_MEMORY, 0x1010); /* stays what it is */
    io_region_unmap(second);
    g_assert_false(io_region_is_mapped(second));
    read_value(ADDRESS_SPACE_MEMORY, 0x1018, 1);
    read_value(ADDRESS_SPACE_MEMORY, 0x1028, 1);
    take_trail("ar1@8 cr1@1028 ");
    io_region_map(second, ADDRESS_SPACE_MEMORY, UINT64_MAX - 0x10); /* would wrap */
    g_assert_false(io_region_is_mapped(second));
    memory_clear();
}

static void test_event_fds(void)
{
    g_autoptr(IoRegion) region = io_region_new(NULL, "r", &plain, "", 0x1000);
    int fds[3];
    uint64_t count;

    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x3000);
    for (int i = 2; i >= 0; i--) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        io_region_add_event_fd(region, 4 + 4 * (unsigned)i, 4, fds[i]);
    }
    write_value(ADDRESS_SPACE_MEMORY, 0x3008, 7, 2);
    write_value(ADDRESS_SPACE_MEMORY, 0x300b, 7, 1);
    g_assert_cmpint(read(fds[1], &count, 8), ==, 8);
    g_assert_cmpuint(count, ==, 2);
    g_assert_cmpint(read(fds[0], &count, 8), ==, -1);
    write_value(ADDRESS_SPACE_MEMORY, 0x3000, 1, 4);
    write_value(ADDRESS_SPACE_MEMORY, 0x3010, 1, 4);
    take_trail("w4@0=1 w4@10=1 ");
    io_region_remove_event_fd(region, fds[1]);
    write_value(ADDRESS_SPACE_MEMORY, 0x3008, 7, 2);
    take_trail("w2@8=7 ");
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
}

/* One doorbell for all: the value says whom it is for. */
static void test_store_fds(void)
{
    g_autoptr(IoRegion) region = io_region_new(NULL, "r", &plain, "", 0x100);
    int fds[3];
    uint64_t count;

    io_region_map(region, ADDRESS_SPACE_IO, 0x500);
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        io_region_add_store_fd(region, 16, (IoStore){2, 0x100 + i}, fds[i]);
    }
    fds[2] = eventfd(0, EFD_NONBLOCK);
    io_region_add_event_fd(region, 12, 4, fds[2]); /* a neighbour */
    write_value(ADDRESS_SPACE_IO, 0x510, 0x100, 2);
    g_assert_cmpint(read(fds[0], &count, 8), ==, 8);
    g_assert_cmpint(read(fds[1], &count, 8), ==, -1);
    write_value(ADDRESS_SPACE_IO, 0x510, 0x101, 2);
    g_assert_cmpint(read(fds[0], &count, 8), ==, -1);
    g_assert_cmpint(read(fds[1], &count, 8), ==, 8);
    take_trail("");
    write_value(ADDRESS_SPACE_IO, 0x510, 0x102, 2); /* another value, size, place */
    write_value(ADDRESS_SPACE_IO, 0x510, 0x100, 4);
    write_value(ADDRESS_SPACE_IO, 0x511, 1, 1);
    write_value(ADDRESS_SPACE_IO, 0x512, 0x100, 2);
    take_trail("w2@10=102 w4@10=100 w1@11=1 w2@12=100 ");
    io_region_remove_event_fd(region, fds[0]);
    write_value(ADDRESS_SPACE_IO, 0x510, 0x100, 2);
    take_trail("w2@10=100 ");
    write_value(ADDRESS_SPACE_IO, 0x50f, 1, 1);
    g_assert_cmpint(read(fds[2], &count, 8), ==, 8);
    take_trail("");
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
}

/* --- an accelerator that notes what it is asked, and takes one event fd less than it could --- */

static int refused_fd = -1;

static void note(const char *what, AddressSpace space, uint64_t address, const IoStore *store)
{
    g_string_append_printf(trail, "%s%c%" G_GINT64_MODIFIER "x", what,
                           space == ADDRESS_SPACE_IO ? 'p' : 'm', address);
    if (store) {
        g_string_append_printf(trail, ":%u=%" G_GINT64_MODIFIER "x", store->size, store->value);
    }
    g_string_append_c(trail, ' ');
}

static gboolean fake_add(AddressSpace space, uint64_t address, const IoStore *store, int fd)
{
    note(fd == refused_fd ? "!" : "+", space, address, store);
    return fd != refused_fd;
}

static void fake_remove(AddressSpace space, uint64_t address, const IoStore *store, int fd)
{
    g_assert_cmpint(fd, !=, refused_fd); /* what was not taken is not given back */
    note("-", space, address, store);
}

static gboolean pages_refused;

static gboolean fake_add_page(AddressSpace space, uint64_t address, uint64_t size G_GNUC_UNUSED,
                              void *host G_GNUC_UNUSED)
{
    note(pages_refused ? "!" : "P", space, address, NULL);
    return !pages_refused;
}

static void fake_remove_page(AddressSpace space, uint64_t address)
{
    note("Q", space, address, NULL);
}

static const IoAccelerator fake = {fake_add, fake_remove, fake_add_page, fake_remove_page};

static void test_accelerator(void)
{
    IoRegion *region = io_region_new(NULL, "r", &plain, "", 0x100);
    int fds[2] = {eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK)};
    uint64_t count;

    io_set_accelerator(&fake);
    refused_fd = fds[1];
    io_region_add_event_fd(region, 4, 4, fds[0]); /* it is not mapped: nowhere to be */
    take_trail("");
    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x3000);
    take_trail("+m3004 ");
    io_region_add_event_fd(region, 8, 4, fds[1]);
    take_trail("!m3008 ");
    write_value(ADDRESS_SPACE_MEMORY, 0x3008, 1, 2); /* by software then */
    g_assert_cmpint(read(fds[1], &count, 8), ==, 8);
    write_value(ADDRESS_SPACE_MEMORY, 0x3004, 1, 2); /* as by a store that came to us after all */
    g_assert_cmpint(read(fds[0], &count, 8), ==, 8);
    take_trail("");
    io_region_map(region, ADDRESS_SPACE_IO, 0x500); /* moves */
    take_trail("-m3004 +p504 !p508 ");
    io_region_unmap(region);
    take_trail("-p504 ");
    io_region_map(region, ADDRESS_SPACE_IO, 0x600);
    take_trail("+p604 !p608 ");
    io_region_remove_event_fd(region, fds[0]);
    io_region_remove_event_fd(region, fds[1]);
    take_trail("-p604 ");
    io_region_add_event_fd(region, 0, 4, fds[0]);
    io_region_free(region);
    take_trail("+p600 -p600 ");

    region = io_region_new(NULL, "r", &plain, "", 0x100);
    io_region_add_store_fd(region, 4, (IoStore){2, 0x107}, fds[0]);
    io_region_map(region, ADDRESS_SPACE_IO, 0x500);
    take_trail("+p504:2=107 ");
    io_region_remove_event_fd(region, fds[0]);
    take_trail("-p504:2=107 ");
    io_region_free(region);
    io_set_accelerator(NULL);
    close(fds[0]);
    close(fds[1]);
}

/* A page takes loads and stores ahead of event fds and the handler, and goes where its region
 * goes; where another region answers the accelerator does not get it. */
static void test_page(void)
{
    IoRegion *region = io_region_new(NULL, "r", &plain, "", 0x3000);
    IoRegion *other = io_region_new(NULL, "o", &plain, "", 0x10);
    int fd = eventfd(0, EFD_NONBLOCK);
    static _Alignas(4096) uint8_t page[4096];
    uint64_t count, value = 0;

    io_set_accelerator(&fake);
    refused_fd = -1;
    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x10000);
    io_region_add_event_fd(region, 0x1000, 0x1000, fd);
    take_trail("+m11000 ");
    io_region_add_page(region, 0x1000, 0x1000, page);
    take_trail("Pm11000 ");
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t number = UINT64_C(0x1122334455667788) >> (64 - 8 * size), got = 0;

        write_value(ADDRESS_SPACE_MEMORY, 0x11000 + 8 * size, number, size);
        memcpy(&value, page + 8 * size, 8);
        g_assert_cmphex(value, ==, number);
        memory_read(ADDRESS_SPACE_MEMORY, 0x11000 + 8 * size, &got, size);
        g_assert_cmphex(got, ==, number);
    }
    write_value(ADDRESS_SPACE_MEMORY, 0x11fff, 0x99, 1);
    g_assert_cmphex(page[0xfff], ==, 0x99);
    g_assert_cmpint(read(fd, &count, 8), <, 0); /* nobody signalled it */
    take_trail("");
    write_value(ADDRESS_SPACE_MEMORY, 0x12000, 0x77, 1); /* behind the page: the handler */
    take_trail("w1@2000=77 ");

    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x20000);
    take_trail("-m11000 Qm11000 +m21000 Pm21000 ");
    io_region_unmap(region);
    take_trail("-m21000 Qm21000 ");
    pages_refused = TRUE;
    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x20000);
    take_trail("+m21000 !m21000 ");
    write_value(ADDRESS_SPACE_MEMORY, 0x21000, 0x55, 1); /* by software then */
    g_assert_cmphex(page[0], ==, 0x55);
    pages_refused = FALSE;
    io_region_unmap(region);
    io_region_map(other, ADDRESS_SPACE_MEMORY, 0x30800);
    io_region_map(region, ADDRESS_SPACE_MEMORY, 0x30000 - 0x1000);
    take_trail("-m21000 +m30000 ");
    io_region_remove_page(region, 0x1000);
    io_region_remove_page(region, 0x1000);
    write_value(ADDRESS_SPACE_MEMORY, 0x30000, 1, 1);
    g_assert_cmpint(read(fd, &count, 8), ==, 8);
    g_assert_cmphex(page[0], ==, 0x55);
    take_trail("");
    io_region_free(region);
    io_region_free(other);
    take_trail("-m30000 ");
    io_set_accelerator(NULL);
    close(fd);
}

static void test_name_within(void)
{
    g_autoptr(IoRegion) low = io_region_new(NULL, "low", &plain, "", 8);
    g_autoptr(IoRegion) high = io_region_new(NULL, "high", &plain, "", 8);

    g_assert_null(io_region_name_within(ADDRESS_SPACE_IO, 0, 0x10000));
    io_region_map(low, ADDRESS_SPACE_IO, 0x100);
    io_region_map(high, ADDRESS_SPACE_IO, 0x110);
    g_assert_cmpstr(io_region_name_within(ADDRESS_SPACE_IO, 0x107, 1), ==, "low");
    g_assert_cmpstr(io_region_name_within(ADDRESS_SPACE_IO, 0xf9, 8), ==, "low");
    g_assert_cmpstr(io_region_name_within(ADDRESS_SPACE_IO, 0x108, 9), ==, "high");
    g_assert_null(io_region_name_within(ADDRESS_SPACE_IO, 0xf8, 8));
    g_assert_null(io_region_name_within(ADDRESS_SPACE_IO, 0x108, 8));
    g_assert_null(io_region_name_within(ADDRESS_SPACE_IO, 0x118, 8));
    g_assert_null(io_region_name_within(ADDRESS_SPACE_MEMORY, 0x100, 8));
}

/* --- a region that is freed, with its owner, while its handler is without the lock --- */

static IoRegion *fragile;
static GObject *owner;
static gint owner_gone;

static void note_gone(gpointer data G_GNUC_UNUSED, GObject *object G_GNUC_UNUSED)
{
    g_atomic_int_set(&owner_gone, 1);
}

static gpointer free_it(gpointer opaque G_GNUC_UNUSED)
{
    vm_lock();
    g_clear_pointer(&fragile, io_region_free);
    g_clear_object(&owner);
    vm_unlock();
    return NULL;
}

static void write_slowly(gpointer opaque G_GNUC_UNUSED, uint64_t offset G_GNUC_UNUSED,
                         uint64_t value G_GNUC_UNUSED, unsigned size G_GNUC_UNUSED)
{
    GThread *thread = g_thread_new("free", free_it, NULL);

    vm_unlock();
    g_thread_join(thread);
    vm_lock();
    g_assert_null(fragile);
    g_assert_cmpint(g_atomic_int_get(&owner_gone), ==, 0);
    g_string_append(trail, "slow ");
}

static void test_freed_in_use(void)
{
    static const IoOps slow = {NULL, write_slowly, 4, 4};

    owner = g_object_new(G_TYPE_OBJECT, NULL);
    g_object_weak_ref(owner, note_gone, NULL);
    fragile = io_region_new(owner, "fragile", &slow, NULL, 8);
    io_region_map(fragile, ADDRESS_SPACE_MEMORY, 0x5000);
    g_assert_cmphex(read_value(ADDRESS_SPACE_MEMORY, 0x5000, 4), ==, 0); /* no read handler */
    write_value(ADDRESS_SPACE_MEMORY, 0x5000, 0, 8); /* the second half finds nobody */
    take_trail("slow ");
    g_assert_cmpint(g_atomic_int_get(&owner_gone), ==, 1);
}

/* Random maps against asking each region in order of mapping. */
static void test_random(void)
{
    IoRegion *regions[24];
    uint64_t base[24] = {0};
    uint64_t size[24];
    guint order[24] = {0}; /* when it was mapped; 0: unmapped */
    char names[24][3];

    for (guint i = 0; i < 24; i++) {
        g_snprintf(names[i], sizeof(names[i]), "%c", 'a' + i);
        size[i] = (uint64_t)g_test_rand_int_range(1, 60);
        regions[i] = io_region_new(NULL, "x", &plain, names[i], size[i]);
    }
    for (guint step = 1; step < 3000; step++) {
        guint which = (guint)g_test_rand_int_range(0, 24);
        uint64_t at = 0x100000 + (uint64_t)g_test_rand_int_range(0, 200);

        if (g_test_rand_bit()) {
            io_region_unmap(regions[which]);
            order[which] = 0;
        } else if (!order[which] || base[which] != at) {
            io_region_map(regions[which], ADDRESS_SPACE_MEMORY, at);
            order[which] = step;
            base[which] = at;
        }
        at = 0x100000 + (uint64_t)g_test_rand_int_range(0, 260);
        gint best = -1;
        for (gint i = 0; i < 24; i++) {
            if (order[i] && at >= base[i] && at - base[i] < size[i] &&
                (best < 0 || order[i] < order[best])) {
                best = i;
            }
        }
        read_value(ADDRESS_SPACE_MEMORY, at, 1);
        g_assert_cmpint(trail->len ? trail->str[0] : 0, ==, best < 0 ? 0 : 'a' + best);
        g_string_truncate(trail, 0);
    }
    for (guint i = 0; i < 24; i++) {
        io_region_free(regions[i]);
    }
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    trail = g_string_new(NULL);
    g_test_add_func("/io-region/split", test_split);
    g_test_add_func("/io-region/ports", test_ports);
    g_test_add_func("/io-region/priorities", test_priorities);
    g_test_add_func("/io-region/foreach", test_foreach);
    g_test_add_func("/io-region/event-fds", test_event_fds);
    g_test_add_func("/io-region/store-fds", test_store_fds);
    g_test_add_func("/io-region/accelerator", test_accelerator);
    g_test_add_func("/io-region/page", test_page);
    g_test_add_func("/io-region/name-within", test_name_within);
    g_test_add_func("/io-region/freed-in-use", test_freed_in_use);
    g_test_add_func("/io-region/random", test_random);
    result = g_test_run();
    g_string_free(trail, TRUE);
    return result;
}
