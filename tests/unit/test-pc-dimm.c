/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DIMMs on a machine without a board: what is refused, what a refusal leaves behind. */
#include "hw/mem/pc-dimm.h"

#include "system/main-loop.h"
#include "system/memory.h"
#include "util/error.h"
#include "util/json.h"
#include "util/options.h"

#define MIB (UINT64_C(1) << 20)
#define BASE (UINT64_C(4) << 30)

/* Stands for a vhost-user session. */
static struct {
    gboolean refuse_check, refuse_prepare;
    guint adds, removes, aborts;
} peer;

static guint guest_plugged, guest_unplugged, guest_asked;

static gboolean check_add(MemoryListener *listener G_GNUC_UNUSED,
                          const MemorySection *section G_GNUC_UNUSED, guint sections G_GNUC_UNUSED,
                          GError **error)
{
    if (peer.refuse_check) {
        vm_error_set(error, "device 'b0' allows 8 memory slots, 8 in use");
    }
    return !peer.refuse_check;
}

static void prepare(MemoryListener *listener, const MemoryTransaction *transaction)
{
    GError *error = NULL;

    if (transaction->change == MEMORY_REMOVE) {
        peer.removes++;
    } else {
        peer.adds++;
        if (peer.refuse_prepare) {
            vm_error_set(&error, "device 'b0': ADD_MEM_REG was refused");
        }
    }
    memory_listener_done(listener, error);
}

static void abort_change(MemoryListener *listener,
                         const MemoryTransaction *transaction G_GNUC_UNUSED)
{
    peer.aborts++;
    memory_listener_done(listener, NULL);
}

static MemoryListener listener = {
    .name = "peer", .check_add = check_add, .prepare = prepare, .abort = abort_change};

static void plugged(MemoryDevice *memory G_GNUC_UNUSED, gpointer opaque G_GNUC_UNUSED)
{
    guest_plugged++;
}

static gboolean unplug_request(MemoryDevice *memory, gpointer opaque G_GNUC_UNUSED,
                               GError **error G_GNUC_UNUSED)
{
    guest_asked++;
    device_unplug(memory->device); /* a guest that answers at once */
    return TRUE;
}

static void unplugged(MemoryDevice *memory G_GNUC_UNUSED, gpointer opaque G_GNUC_UNUSED)
{
    guest_unplugged++;
}

static void G_GNUC_PRINTF(1, 2) create(const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autoptr(json_object) options = options_parse(text, "qom-type", NULL, NULL);
    vm_object_create(options, &error);
    g_assert_no_error(error);
}

typedef struct Outcome {
    gboolean ended;
    char *message;
} Outcome;

static void note(Device *device G_GNUC_UNUSED, const GError *error, gpointer opaque)
{
    Outcome *outcome = opaque;

    outcome->ended = TRUE;
    outcome->message = error ? g_strdup(error->message) : NULL;
}

/* NULL for success; caller frees. */
static char *plug(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) options = options_parse(text, "driver", NULL, NULL);
    Outcome outcome = {FALSE, NULL};

    if (!device_add(options, note, &outcome, &error)) {
        return g_strdup(error->message);
    }
    while (!outcome.ended) {
        main_loop_turn();
    }
    return outcome.message;
}

static void assert_plugged(const char *text)
{
    g_autofree char *message = plug(text);

    g_assert_cmpstr(message, ==, NULL);
}

static void assert_refused(const char *text, const char *culprit)
{
    guint sections = memory_section_count();
    guint devices = memory_device_count();
    g_autofree char *message = plug(text);

    if (!message || !strstr(message, culprit)) {
        g_error("'%s': the message '%s' does not say '%s'", text, message, culprit);
    }
    g_test_message("%s", message);
    g_assert_cmpuint(memory_section_count(), ==, sections);
    g_assert_cmpuint(memory_device_count(), ==, devices);
}

static void unplug(const char *id)
{
    g_autoptr(GError) error = NULL;

    device_delete(id, &error);
    g_assert_no_error(error);
    while (vm_object_find("machine/peripheral", id)) {
        main_loop_turn();
    }
}

static void delete_object(const char *id)
{
    g_autoptr(GError) error = NULL;

    vm_object_delete(id, &error);
    g_assert_no_error(error);
}

static void begin(uint64_t maximum, uint32_t slots)
{
    static const MemoryDeviceOps ops = {plugged, unplug_request, unplugged, NULL};

    memory_device_area_set(BASE, maximum + 2 * MIB * slots, maximum, slots);
    memory_device_set_ops(&ops);
    memset(&peer, 0, sizeof(peer));
    guest_plugged = guest_unplugged = guest_asked = 0;
    memory_listener_add(&listener);
    device_set_machine_complete();
}

static void drop(VmObject *object, gpointer opaque G_GNUC_UNUSED)
{
    vm_object_unparent(object);
}

static void end(void)
{
    memory_listener_remove(&listener);
    device_cleanup_all();
    g_assert_cmpuint(memory_device_count(), ==, 0);
    g_assert_cmpuint(memory_section_count(), ==, 0);
    memory_device_area_clear();
    vm_object_foreach_child(vm_object_container("objects"), drop, NULL);
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

static void test_plug(void)
{
    begin(64 * MIB, 4);
    create("memory-backend-memfd,id=m0,size=16M");
    create("memory-backend-memfd,id=m1,size=16M");
    assert_plugged("pc-dimm,id=d0,memdev=m0");
    assert_plugged("pc-dimm,id=d1,memdev=m1,slot=3,addr=0x102000000");
    g_assert_cmpuint(peer.adds, ==, 2);
    g_assert_cmpuint(guest_plugged, ==, 2);
    g_assert_cmphex(memory_device_by_slot(0)->address, ==, BASE);
    g_assert_cmphex(memory_device_by_slot(3)->address, ==, 0x102000000);
    g_assert_null(memory_device_by_slot(1));
    g_assert_null(memory_device_by_slot(4));
    g_assert_cmpuint(memory_device_total(), ==, 32 * MIB);
    unplug("d0");
    g_assert_cmpuint(peer.removes, ==, 1);
    g_assert_cmpuint(guest_asked, ==, 1);
    g_assert_cmpuint(guest_unplugged, ==, 1);
    delete_object("m0");
    end();
}

static void test_bad_options(void)
{
    static const char *const rows[][2] = {
        {"pc-dimm,id=d", "memdev"},
        {"pc-dimm,id=d,memdev=none", "none"},
        {"pc-dimm,id=d,memdev=d0", "d0"},
        {"pc-dimm,id=d,memdev=m0", "memory backend 'm0' is already in use by 'd0'"},
        {"pc-dimm,id=d,memdev=m1,slot=0", "slot 0 is in use by device 'd0'"},
        {"pc-dimm,id=d,memdev=m1,slot=4", "slots are 0 to 3"},
        {"pc-dimm,id=d,memdev=m1,slot=-2", "slot -2"},
        {"pc-dimm,id=d,memdev=m1,node=1", "node=1"},
        {"pc-dimm,id=d,memdev=m1,size=1M", "size"},
        {"pc-dimm,id=d,memdev=m1,label-size=1M", "label-size"},
        {"pc-dimm,id=d,memdev=m1,addr=0x100000000", "overlaps device 'd0'"},
        {"pc-dimm,id=d,memdev=m1,addr=0x101000000", "overlaps device 'd1'"},
        {"pc-dimm,id=d,memdev=m1,addr=0x100001000", "multiple of 0x200000"},
        {"pc-dimm,id=d,memdev=m1,addr=0x200000", "hot-plug area"},
        {"pc-dimm,id=d,memdev=m1,addr=0x104000000", "hot-plug area"},
        {"pc-dimm,id=d,memdev=m1,addr=0xffffffffffe00000", "hot-plug area"},
        {"pc-dimm,id=d,memdev=large", "maxmem"},
        {"pc-dimm,id=d0,memdev=m1", "Duplicate ID 'd0'"},
    };

    begin(56 * MIB, 4);
    create("memory-backend-memfd,id=m0,size=16M");
    create("memory-backend-memfd,id=m1,size=16M");
    create("memory-backend-memfd,id=m2,size=16M");
    create("memory-backend-memfd,id=large,size=32M");
    assert_plugged("pc-dimm,id=d0,memdev=m0");
    assert_plugged("pc-dimm,id=d1,memdev=m2,addr=0x101800000");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_refused(rows[i][0], rows[i][1]);
    }
    g_assert_cmpuint(peer.adds, ==, 2);
    g_assert_cmpuint(guest_plugged, ==, 2);
    assert_plugged("pc-dimm,id=d2,memdev=m1");
    end();
}

static void test_full(void)
{
    begin(64 * MIB, 2);
    create("memory-backend-memfd,id=m0,size=2M");
    create("memory-backend-memfd,id=m1,size=2M");
    create("memory-backend-memfd,id=m2,size=2M");
    assert_plugged("pc-dimm,id=d0,memdev=m0");
    assert_plugged("pc-dimm,id=d1,memdev=m1");
    assert_refused("pc-dimm,id=d2,memdev=m2", "all 2 memory slots");
    unplug("d0");
    assert_plugged("pc-dimm,id=d2,memdev=m2");
    end();

    begin(0, 0);
    create("memory-backend-memfd,id=m0,size=2M");
    assert_refused("pc-dimm,id=d0,memdev=m0", "-m SIZE,slots=N,maxmem=MAXIMUM");
    end();
}

static void test_refused_by_peer(void)
{
    begin(64 * MIB, 4);
    create("memory-backend-memfd,id=m0,size=2M");
    peer.refuse_check = TRUE;
    assert_refused("pc-dimm,id=d0,memdev=m0", "'b0' allows 8 memory slots");
    g_assert_cmpuint(peer.adds, ==, 0);
    peer.refuse_check = FALSE;
    peer.refuse_prepare = TRUE;
    assert_refused("pc-dimm,id=d0,memdev=m0", "device 'd0': device 'b0': ADD_MEM_REG was refused");
    g_assert_cmpuint(guest_plugged, ==, 0);
    delete_object("m0");
    create("memory-backend-memfd,id=m0,size=2M");
    peer.refuse_prepare = FALSE;
    assert_plugged("pc-dimm,id=d0,memdev=m0");
    end();
}

/* More than any table of a fixed size would hold; every second one goes again. */
static void test_many(void)
{
    enum { COUNT = 2000 };

    begin(COUNT * 2 * MIB, COUNT);
    for (guint i = 0; i < COUNT; i++) {
        g_autofree char *text = g_strdup_printf("pc-dimm,id=d%u,memdev=m%u", i, i);
        create("memory-backend-memfd,id=m%u,size=4K", i);
        assert_plugged(text);
    }
    g_assert_cmpuint(memory_section_count(), ==, COUNT);
    for (guint i = 0; i < COUNT; i += 2) {
        g_autofree char *id = g_strdup_printf("d%u", i);
        unplug(id);
    }
    g_assert_cmpuint(memory_device_count(), ==, COUNT / 2);
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/pc-dimm/plug", test_plug);
    g_test_add_func("/pc-dimm/bad-options", test_bad_options);
    g_test_add_func("/pc-dimm/full", test_full);
    g_test_add_func("/pc-dimm/refused-by-peer", test_refused_by_peer);
    g_test_add_func("/pc-dimm/many", test_many);
    return g_test_run();
}
