/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a back-end program grants a front end: memory slots, queues, descriptors in a queue; as its
 * options say, without them as its help says.  One more of each is refused and nothing is lost.
 */
#include "libvhost-user/front-end.h"
#include "libvhost-user/guest-memory.h"
#include "tools/names.h"
#include "tools/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MILLISECONDS 10000
#define AREA 65536u

typedef struct Limits {
    uint64_t slots;
    uint32_t queues; /* rings */
    uint64_t queues_told;
    uint32_t queue_size;
} Limits;

static gboolean is_network(void)
{
    g_autofree char *name = g_path_get_basename(tool_program_path());

    return strcmp(name, "vhost-user-net") == 0;
}

static ToolProgram *start(ToolNames *names, const char *options)
{
    if (is_network()) {
        return tool_program_start(NULL, "--loopback --socket-path %s %s", names->socket, options);
    }
    names->image = g_strconcat(names->socket, ".image", NULL);
    g_assert_true(g_file_set_contents(names->image, "", 0, NULL));
    g_assert_cmpint(truncate(names->image, 1 << 20), ==, 0);
    return tool_program_start(NULL, "--blk-file %s --socket-path %s %s", names->image,
                              names->socket, options);
}

static void check_size(VhostUserFrontEnd *front, uint32_t ring, uint32_t size, int result)
{
    g_assert_cmpint(
        vhost_user_front_end_set_ring_state(front, VHOST_USER_SET_VRING_NUM, ring, size), ==,
        result);
}

/* As many as are granted, and one more, which is taken when another one has gone. */
static void check_slots(VhostUserFrontEnd *front, uint64_t slots)
{
    VhostUserGuestMemory *memory = vhost_user_guest_memory_new(0, AREA, (uint32_t)slots + 1, AREA);

    g_assert_nonnull(memory);
    g_assert_cmpint(vhost_user_front_end_add_memory(front, memory->areas, slots), ==, 0);
    g_assert_cmpint(vhost_user_front_end_add_region(front, &memory->areas[slots], NULL), ==,
                    -EREMOTEIO);
    g_assert_cmpint(vhost_user_front_end_remove_region(front, &memory->areas[0]), ==, 0);
    g_assert_cmpint(vhost_user_front_end_add_region(front, &memory->areas[slots], NULL), ==, 0);
    vhost_user_guest_memory_free(memory);
}

static void check(const char *options, const Limits *limits)
{
    g_autoptr(ToolNames) names = tool_names_new();
    ToolProgram *program = start(names, options);
    VhostUserFrontEnd *front = vhost_user_front_end_connect(names->socket, MILLISECONDS);

    g_assert_nonnull(front);
    g_assert_cmpint(vhost_user_front_end_negotiate(front, ~0ull, ~0ull), >=, 0);
    g_assert_cmpuint(vhost_user_front_end_memory_slots(front), ==, limits->slots);
    g_assert_cmpuint(vhost_user_front_end_queues(front), ==, limits->queues_told);
    for (uint32_t i = 0; i < limits->queues; i++) {
        check_size(front, i, limits->queue_size, 0);
    }
    check_size(front, 0, 2 * limits->queue_size, -EREMOTEIO);
    check_slots(front, limits->slots);
    /* A front end that knows no bounds is left. */
    check_size(front, limits->queues, limits->queue_size, -ECONNRESET);
    vhost_user_front_end_free(front);
    tool_program_end(program);
}

static void test_options(void)
{
    const Limits net = {3, 6, 3, 64}, disk = {3, 3, 3, 64};

    check(is_network() ? "--mem-slots 3 --queues 3 --queue-size 64"
                       : "--mem-slots 3 --num-queues 3 --queue-size 64",
          is_network() ? &net : &disk);
}

static void test_defaults(void)
{
    const Limits net = {4096, 2, 1, 1024}, disk = {4096, 1, 1, 1024};

    check("", is_network() ? &net : &disk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/limits/options", test_options);
    g_test_add_func("/limits/defaults", test_defaults);
    return g_test_run();
}
