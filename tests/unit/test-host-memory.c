/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory backends with real files: what they have, what they refuse, what they leave behind. */
#include "backends/host-memory.h"

#include "system/main-loop.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/options.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

/* NULL for success; caller frees. */
static char *create(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expanded = g_strdup(text);
    char *mark = strstr(expanded, "DIR");
    g_autofree char *full =
        mark ? g_strdup_printf("%.*s%s%s", (int)(mark - expanded), expanded, folder, mark + 3)
             : g_strdup(expanded);
    json_object *options = options_parse(full, "qom-type", NULL, &error);
    gboolean made;

    g_assert_no_error(error);
    made = vm_object_create(options, &error);
    json_object_put(options);
    return made ? NULL : g_strdup(error->message);
}

static HostMemory *created(const char *text)
{
    g_autofree char *message = create(text);

    g_assert_cmpstr(message, ==, NULL);
    return HOST_MEMORY(vm_object_find("objects", "m"));
}

static void delete (void)
{
    g_autoptr(GError) error = NULL;

    vm_object_delete("m", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

static char *path_in_folder(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static uint64_t file_size(const char *path)
{
    struct stat status;

    g_assert_cmpint(stat(path, &status), ==, 0);
    return (uint64_t)status.st_size;
}

static void test_bad_options(void)
{
    static const char *const rows[][2] = {
        {"memory-backend-memfd,id=m", "size"},
        {"memory-backend-memfd,id=m,size=0", "size"},
        {"memory-backend-memfd,id=m,size=4097", "size=4097"},
        {"memory-backend-memfd,id=m,size=-4096", "-4096"},
        {"memory-backend-memfd,id=m,size=8E", "9223372036854775808"},
        {"memory-backend-memfd,id=m,size=1M,share=maybe", "maybe"},
        {"memory-backend-memfd,id=m,size=1M,hugetlbsize=2M", "hugetlb=on"},
        {"memory-backend-memfd,id=m,size=1M,hugetlb=on,hugetlbsize=3M", "hugetlbsize=3145728"},
        {"memory-backend-memfd,id=m,size=1M,hugetlb=on,hugetlbsize=1", "hugetlbsize=1"},
        {"memory-backend-memfd,id=m,size=1M,hugetlb=on", "'m'"},
        {"memory-backend-memfd,id=m,size=1M,share=off,reserve=off", "reserve=off"},
        {"memory-backend-memfd,id=m,size=1M,policy=bind", "host-nodes"},
        {"memory-backend-memfd,id=m,size=1M,policy=nearest", "nearest"},
        {"memory-backend-memfd,id=m,size=1M,host-nodes=0", "policy"},
        {"memory-backend-memfd,id=m,size=1M,host-nodes=999,policy=bind", "999"},
        {"memory-backend-memfd,id=m,size=1M,prealloc-threads=0", "prealloc-threads"},
        {"memory-backend-memfd,id=m,size=1M,pmem=on", "pmem"},
        {"memory-backend-ram,id=m,size=1M,share=on", "memory-backend-memfd"},
        {"memory-backend-ram,id=m,size=1M,reserve=off", "reserve=off"},
        {"memory-backend-ram,id=m,size=1000", "size=1000"},
        {"memory-backend-shm,id=m,size=1M,share=off", "share=off"},
        {"memory-backend-shm,id=m,size=1", "size=1"},
        {"memory-backend-shm,id=m,size=8E", "9223372036854775808"},
        {"memory-backend-file,id=m,size=1M", "mem-path"},
        {"memory-backend-file,id=m,size=1M,mem-path=DIR/a/b", "/a/b"},
        {"memory-backend-file,id=m,size=1M,mem-path=DIR/small", "4096 bytes"},
        {"memory-backend-file,id=m,size=4096,offset=4096,mem-path=DIR/small", "8192"},
        {"memory-backend-file,id=m,size=4096,offset=1,mem-path=DIR/small", "offset=1"},
        {"memory-backend-file,id=m,size=8E,mem-path=DIR/small", "beyond"},
        {"memory-backend-file,id=m,size=4096,align=3,mem-path=DIR/small", "align=3"},
        {"memory-backend-file,id=m,size=4096,pmem=on,mem-path=DIR/small", "pmem=on"},
        {"memory-backend-file,id=m,size=4096,readonly=on,mem-path=DIR/small", "readonly=on"},
        {"memory-backend-file,id=m,size=4096,reserve=off,mem-path=DIR/small", "share=on"},
        {"memory-backend-file,id=m,size=5000,mem-path=DIR/new", "size=5000"},
        {"memory-backend-file,id=m,size=4096,mem-path=/dev/null", "/dev/null"},
        {"memory-backend-file,id=m,size=4096,mem-path=DIR/fifo", "fifo"},
        {"memory-backend-file,id=m,size=4096,mem-path=/dev/fdset/77", "77"},
        {"memory-backend,id=m,size=4096", "memory-backend"},
    };
    g_autofree char *small = path_in_folder("small");
    g_autofree char *fifo = path_in_folder("fifo");
    g_autofree char *new = path_in_folder("new");

    g_autofree char *bytes = g_strnfill(4096, 's');

    g_assert_true(g_file_set_contents(small, bytes, 4096, NULL));
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *message = create(rows[i][0]);
        if (!message || !strstr(message, rows[i][1])) {
            g_error("'%s': the message '%s' does not say '%s'", rows[i][0], message, rows[i][1]);
        }
        g_test_message("%s", message);
        g_assert_null(vm_object_find("objects", "m"));
        g_assert_cmpuint(ram_block_count(), ==, 0);
    }
    g_assert_cmpuint(file_size(small), ==, 4096);
    g_assert_cmpint(access(new, F_OK), ==, -1);
    g_unlink(small);
    g_unlink(fifo);
}

static void test_memfd(void)
{
    HostMemory *memory = created("memory-backend-memfd,id=m,size=1M");
    const RamBlock *block = memory->block;
    uint8_t byte = 0x5a;

    g_assert_true(memory->share);
    g_assert_true(block->shared);
    g_assert_cmpuint(block->size, ==, 1 << 20);
    g_assert_cmpint(fcntl(block->fd, F_GET_SEALS), ==, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    g_assert_cmpint(ftruncate(block->fd, 0), ==, -1);
    g_assert_cmpint(fcntl(block->fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_cmpint(pwrite(block->fd, &byte, 1, 4095), ==, 1);
    g_assert_cmphex(((uint8_t *)block->host_address)[4095], ==, 0x5a);
    delete ();

    memory = created("memory-backend-memfd,id=m,size=1M,seal=off,share=off");
    g_assert_cmpint(fcntl(memory->block->fd, F_GET_SEALS) & F_SEAL_SHRINK, ==, 0);
    g_assert_false(memory->block->shared);
    delete ();
}

static guint resident_pages(const RamBlock *block)
{
    g_autofree unsigned char *pages = g_malloc0(block->size / 4096);
    guint count = 0;

    g_assert_cmpint(mincore(block->host_address, block->size, pages), ==, 0);
    for (guint i = 0; i < block->size / 4096; i++) {
        count += pages[i] & 1;
    }
    return count;
}

static void test_prealloc(void)
{
    static const char *const rows[] = {
        "memory-backend-memfd,id=m,size=1M,prealloc=on",
        "memory-backend-memfd,id=m,size=1036K,prealloc=on,prealloc-threads=4",
        "memory-backend-memfd,id=m,size=4K,prealloc=on,prealloc-threads=9",
        "memory-backend-ram,id=m,size=1M,prealloc=on,prealloc-threads=2",
        "memory-backend-shm,id=m,size=1M,prealloc=on",
        "memory-backend-file,id=m,size=1M,share=on,prealloc=on,mem-path=DIR",
        "memory-backend-file,id=m,size=1M,prealloc=on,mem-path=DIR",
    };

    g_assert_cmpuint(resident_pages(created("memory-backend-memfd,id=m,size=1M")->block), ==, 0);
    delete ();
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const RamBlock *block = created(rows[i])->block;
        g_assert_cmpuint(resident_pages(block), ==, block->size / 4096);
        delete ();
    }
}

/* More than the machine can give: an error, and no signal. */
static void test_prealloc_too_much(void)
{
    g_autofree char *message = create("memory-backend-memfd,id=m,size=2E,prealloc=on");

    g_assert_nonnull(message);
    g_assert_nonnull(strstr(message, "'m'"));
}

static void test_file(void)
{
    g_autofree char *path = path_in_folder("ram");
    HostMemory *memory = created("memory-backend-file,id=m,size=1M,share=on,mem-path=DIR/ram");

    g_assert_cmpuint(file_size(path), ==, 1 << 20);
    memcpy((char *)memory->block->host_address + 8192, "kept", 4);
    delete ();

    /* An existing file keeps its data and its size. */
    memory = created("memory-backend-file,id=m,size=8K,offset=8K,share=on,mem-path=DIR/ram");
    g_assert_cmpuint(file_size(path), ==, 1 << 20);
    g_assert_cmpmem(memory->block->host_address, 4, "kept", 4);
    delete ();

    memory = created("memory-backend-file,id=m,size=8K,mem-path=DIR/ram");
    g_assert_false(memory->block->shared);
    delete ();

    memory = created("memory-backend-file,id=m,size=16K,share=on,discard-data=on,mem-path=DIR/ram");
    g_assert_cmpmem((char *)memory->block->host_address + 8192, 4, "kept", 4);
    delete ();
    memory = created("memory-backend-file,id=m,size=16K,share=on,mem-path=DIR/ram");
    g_assert_cmpmem((char *)memory->block->host_address + 8192, 4, "\0\0\0\0", 4);
    delete ();
    g_unlink(path);
}

static void test_file_without_name(void)
{
    g_autoptr(GDir) listing = g_dir_open(folder, 0, NULL);
    HostMemory *memory = created("memory-backend-file,id=m,size=1M,share=on,align=2M,mem-path=DIR");

    g_assert_cmpuint((uintptr_t)memory->block->host_address % (2 << 20), ==, 0);
    g_assert_null(g_dir_read_name(listing));
    delete ();
}

static void test_descriptor(void)
{
    gint64 set = 3;
    int fd = memfd_create("test", MFD_CLOEXEC);

    g_assert_true(fd_set_add(&set, fd, NULL, NULL));
    created("memory-backend-file,id=m,size=8K,share=on,mem-path=/dev/fdset/3");
    delete ();
    fd_names_clear();
}

static void test_options(void)
{
    static const char *const rows[] = {
        "memory-backend-memfd,id=m,size=1M,dump=off,merge=off,reserve=off",
        "memory-backend-memfd,id=m,size=1M,host-nodes=0,policy=bind",
        "memory-backend-memfd,id=m,size=1M,host-nodes=0,policy=interleave",
        "memory-backend-ram,id=m,size=1M,host-nodes=0,policy=preferred,dump=off",
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *message = create(rows[i]);
        /* A kernel without NUMA, or a container that forbids mbind(2), says so. */
        if (message && strstr(message, "host-nodes and policy")) {
            g_test_skip(message);
            continue;
        }
        g_assert_cmpstr(message, ==, NULL);
        delete ();
    }
}

static void test_claim(void)
{
    g_autoptr(GError) error = NULL;
    HostMemory *memory = created("memory-backend-memfd,id=m,size=1M");

    g_assert_true(host_memory_claim(memory, "d0", NULL));
    g_assert_false(host_memory_claim(memory, "d1", &error));
    g_assert_cmpstr(error->message, ==, "memory backend 'm' is already in use by 'd0'");
    g_assert_false(vm_object_delete("m", NULL));
    host_memory_unclaim(memory);
    g_assert_true(host_memory_claim(memory, "d1", NULL));
    host_memory_unclaim(memory);
    delete ();
}

static void test_default(void)
{
    HostMemory *memory = host_memory_new_default("pc.ram", 1 << 20, TRUE, FALSE, NULL);

    g_assert_true(memory->block->shared);
    g_assert_cmpint(fcntl(memory->block->fd, F_GET_SEALS), ==,
                    F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    g_assert_false(memory->dump);
    g_object_unref(memory);
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("hotslot-XXXXXX", NULL);
    main_loop_init();
    g_test_add_func("/host-memory/bad-options", test_bad_options);
    g_test_add_func("/host-memory/memfd", test_memfd);
    g_test_add_func("/host-memory/prealloc", test_prealloc);
    g_test_add_func("/host-memory/prealloc-too-much", test_prealloc_too_much);
    g_test_add_func("/host-memory/file", test_file);
    g_test_add_func("/host-memory/file-without-name", test_file_without_name);
    g_test_add_func("/host-memory/descriptor", test_descriptor);
    g_test_add_func("/host-memory/options", test_options);
    g_test_add_func("/host-memory/claim", test_claim);
    g_test_add_func("/host-memory/default", test_default);
    int result = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return result;
}
