/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Post-copy messages of a device, with a front-end that serves the faults, and each way in which
 * its acks can be wrong. */
#include "device-fixture.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE 4096ull

/* false: this kernel does not let us; the test is skipped. */
static gboolean begin(DeviceFixture *fixture)
{
    guint64 offer;

    device_fixture_set_up(fixture, 0, 16);
    offer = device_fixture_get(fixture, VHOST_USER_GET_PROTOCOL_FEATURES);
    device_fixture_negotiate(fixture, FIXTURE_FEATURES & ~VHOST_USER_RING_F_PACKED, ~0ull);
    if (!(offer & 1u << VHOST_USER_PROTOCOL_F_PAGEFAULT)) {
        device_fixture_tear_down(fixture);
        g_test_skip("this process gets no userfaultfd");
        return FALSE;
    }
    return TRUE;
}

static int advise(DeviceFixture *fixture)
{
    VhostUserFrontEndMessage reply;

    device_fixture_reply(fixture, VHOST_USER_POSTCOPY_ADVISE, NULL, 0, NULL, 0, &reply);
    g_assert_cmpuint(reply.fd_count, ==, 1);
    return reply.fds[0];
}

static int listen_for_faults(DeviceFixture *fixture)
{
    int fd = advise(fixture);

    g_assert_cmpuint(device_fixture_ack_u64(fixture, VHOST_USER_POSTCOPY_LISTEN, 0), ==, 0);
    return fd;
}

/* The front-end's last word on an answer with addresses. */
static void send_ack(DeviceFixture *fixture, uint32_t request, guint64 value)
{
    g_assert_cmpint(
        vhost_user_front_end_send(fixture->front, request, 0, &value, sizeof(value), NULL, 0), ==,
        0);
    device_fixture_process(fixture);
}

/* ADD_MEM_REG of an area: where it lies at the back-end. */
static guint64 add(DeviceFixture *fixture, guint index, guint flags)
{
    VhostUserMemRegMsg message = device_fixture_region(fixture, index);
    VhostUserFrontEndMessage reply;

    vhost_user_front_end_send(fixture->front, VHOST_USER_ADD_MEM_REG, flags, &message,
                              sizeof(message), &fixture->memory->areas[index].fd, 1);
    device_fixture_process(fixture);
    g_assert_cmpint(vhost_user_front_end_receive_answer(fixture->front, VHOST_USER_ADD_MEM_REG,
                                                        VHOST_USER_ANSWER_REPLY, &reply),
                    ==, 0);
    g_assert_false(device_fixture_answered(fixture));
    g_assert_cmphex(reply.content.payload.region.region.guest_address, ==,
                    message.region.guest_address);
    g_assert_cmphex(reply.content.payload.region.region.user_address, !=, 0);
    return reply.content.payload.region.region.user_address;
}

typedef struct Source {
    int userfaultfd;
    int stop; /* eventfd */
    guint64 base;
    guint faults;
    guint8 page[PAGE];
} Source;

/* Fills every page that is missing in the area at @base with the same bytes. */
static gpointer serve_faults(gpointer opaque)
{
    Source *source = opaque;
    struct pollfd due[] = {{.fd = source->userfaultfd, .events = POLLIN},
                           {.fd = source->stop, .events = POLLIN}};
    struct uffd_msg message;

    while (poll(due, 2, -1) > 0 && !due[1].revents) {
        struct uffdio_copy copy = {.src = (uintptr_t)source->page, .len = PAGE};

        if (read(source->userfaultfd, &message, sizeof(message)) != sizeof(message)) {
            continue;
        }
        g_assert_cmpuint(message.event, ==, UFFD_EVENT_PAGEFAULT);
        copy.dst = message.arg.pagefault.address & ~(PAGE - 1);
        g_assert_cmphex(copy.dst, >=, source->base);
        g_assert_cmphex(copy.dst, <, source->base + FIXTURE_AREA);
        source->faults++;
        g_assert_cmpint(ioctl(source->userfaultfd, UFFDIO_COPY, &copy), ==, 0);
    }
    return NULL;
}

/* The request's readable page has never been there: the front-end gives it when it is asked. */
static void drive_over_missing_page(DeviceFixture *fixture, Source *source)
{
    const VhostUserMemoryArea *area = &fixture->memory->areas[1];
    const VhostUserDriverBuffer buffers[] = {{area->guest_address + 5 * PAGE + 1, 3},
                                             {FIXTURE_AREA - 8, 1}};
    const guint8 *written = (const guint8 *)fixture->memory->areas[0].host + FIXTURE_AREA - 8;
    VhostUserDriverUsed used;
    GThread *thread = g_thread_new("front-end", serve_faults, source);
    guint64 one = 1;

    g_assert_cmpint(vhost_user_driver_queue_add(fixture->rings[0], buffers, 1, 1, 0, NULL), ==, 0);
    vhost_user_driver_queue_kick(fixture->rings[0]);
    g_assert_cmpuint(device_fixture_serve(fixture, 0), ==, 1);
    g_assert_cmpint(write(source->stop, &one, 8), ==, 8);
    g_thread_join(thread);
    g_assert_cmpint(vhost_user_driver_queue_collect(fixture->rings[0], &used, 1), ==, 1);
    g_assert_cmpuint(*written, ==, 3 * source->page[0]);
    g_assert_cmpuint(source->faults, ==, 1);
}

static void test_faults(void)
{
    DeviceFixture fixture;
    Source source = {0};

    if (!begin(&fixture)) {
        return;
    }
    device_fixture_add_area(&fixture, 0); /* before: not missing */
    source.userfaultfd = listen_for_faults(&fixture);
    source.stop = eventfd(0, EFD_CLOEXEC);
    source.base = add(&fixture, 1, 0);
    memset(source.page, 11, sizeof(source.page));
    send_ack(&fixture, VHOST_USER_ADD_MEM_REG, 0);
    device_fixture_start_ring(&fixture, 0);
    drive_over_missing_page(&fixture, &source);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_POSTCOPY_END), ==, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    /* And once more from the beginning. */
    close(source.userfaultfd);
    source.userfaultfd = listen_for_faults(&fixture);
    g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_POSTCOPY_END), ==, 0);
    close(source.userfaultfd);
    close(source.stop);
    device_fixture_tear_down(&fixture);
}

/* Front-ends acknowledge each region, or all at once behind the last change, or nothing. */
static void test_region_acks(void)
{
    for (guint way = 0; way < 4; way++) {
        DeviceFixture fixture;
        VhostUserMemRegMsg region;
        int fd;

        if (!begin(&fixture)) {
            return;
        }
        fd = listen_for_faults(&fixture);
        /* The message itself is the answer, need_reply or not. */
        add(&fixture, 0, way & 1 ? VHOST_USER_FLAG_NEED_REPLY : 0);
        if (way == 0) {
            send_ack(&fixture, VHOST_USER_ADD_MEM_REG, 0);
        }
        add(&fixture, 1, 0);
        region = device_fixture_region(&fixture, 1);
        g_assert_cmpuint(
            device_fixture_ack(&fixture, VHOST_USER_REM_MEM_REG, &region, sizeof(region), NULL, 0),
            ==, 0);
        if (way < 3) {
            send_ack(&fixture, way == 2 ? VHOST_USER_REM_MEM_REG : VHOST_USER_ADD_MEM_REG, 0);
            g_assert_false(device_fixture_answered(&fixture));
        }
        g_assert_cmpuint(device_fixture_get(&fixture, VHOST_USER_POSTCOPY_END), ==, 0);
        /* No ack is due any more, so eight bytes are a malformed request. */
        send_ack(&fixture, VHOST_USER_ADD_MEM_REG, 0);
        g_assert_nonnull(vhost_user_device_error(fixture.device));
        close(fd);
        device_fixture_tear_down(&fixture);
    }
}

static void send_table(DeviceFixture *fixture, guint count)
{
    VhostUserMemory table = {.num_regions = count};
    VhostUserFrontEndMessage reply;
    int fds[2];

    for (guint i = 0; i < count; i++) {
        table.regions[i] = device_fixture_region(fixture, i).region;
        fds[i] = fixture->memory->areas[i].fd;
    }
    device_fixture_reply(fixture, VHOST_USER_SET_MEM_TABLE, &table,
                         VHOST_USER_MEMORY_HEAD + count * sizeof(table.regions[0]), fds, count,
                         &reply);
    g_assert_cmpuint(reply.content.payload.memory.num_regions, ==, count);
    for (guint i = 0; i < count; i++) {
        g_assert_cmphex(reply.content.payload.memory.regions[i].guest_address, ==,
                        table.regions[i].guest_address);
        g_assert_cmphex(reply.content.payload.memory.regions[i].user_address, !=, 0);
    }
}

static void test_table(void)
{
    DeviceFixture fixture;
    int fd;

    if (!begin(&fixture)) {
        return;
    }
    fd = listen_for_faults(&fixture);
    for (guint count = 0; count <= 2; count++) {
        send_table(&fixture, count);
        send_ack(&fixture, VHOST_USER_SET_MEM_TABLE, 0);
        g_assert_null(vhost_user_device_error(fixture.device));
    }
    device_fixture_start_ring(&fixture, 0);
    device_fixture_drive(&fixture, 0, TRUE);
    close(fd);
    device_fixture_tear_down(&fixture); /* in the middle of it */
}

/* What comes in place of the ack, or in it, ends the connection. */
static void test_wrong_acks(void)
{
    static const struct {
        gboolean table;
        uint32_t request, flags;
        guint64 value;
        uint32_t size;
        guint fds;
    } rows[] = {
        {TRUE, VHOST_USER_SET_MEM_TABLE, 0, 1, 8, 0}, /* the front-end cannot */
        {FALSE, VHOST_USER_ADD_MEM_REG, 0, 1, 8, 0},
        {TRUE, VHOST_USER_SET_MEM_TABLE, 0, 0, 4, 0},
        {TRUE, VHOST_USER_SET_MEM_TABLE, 0, 0, 8, 1},
        {FALSE, VHOST_USER_ADD_MEM_REG, 0, 0, 8, 1},
        {TRUE, VHOST_USER_SET_MEM_TABLE, 2, 0, 8, 0}, /* version 3 */
        {FALSE, VHOST_USER_ADD_MEM_REG, 2, 0, 8, 0},
        {TRUE, VHOST_USER_GET_FEATURES, 0, 0, 0, 0}, /* another message first */
        {TRUE, VHOST_USER_ADD_MEM_REG, 0, 0, 8, 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        DeviceFixture fixture;
        int fd;

        if (!begin(&fixture)) {
            return;
        }
        fd = listen_for_faults(&fixture);
        if (rows[i].table) {
            send_table(&fixture, 1);
        } else {
            add(&fixture, 0, 0);
        }
        vhost_user_front_end_send(fixture.front, rows[i].request, rows[i].flags, &rows[i].value,
                                  rows[i].size, &fd, rows[i].fds);
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
        g_assert_nonnull(vhost_user_device_error(fixture.device));
        close(fd);
        device_fixture_tear_down(&fixture);
    }
}

static void test_order(void)
{
    DeviceFixture fixture;
    VhostUserFrontEndMessage reply;
    int fd;

    if (!begin(&fixture)) {
        return;
    }
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_POSTCOPY_LISTEN, 0), !=, 0);
    fd = listen_for_faults(&fixture);
    g_assert_cmpuint(device_fixture_ack_u64(&fixture, VHOST_USER_POSTCOPY_LISTEN, 0), !=, 0);
    vhost_user_front_end_send(fixture.front, VHOST_USER_POSTCOPY_ADVISE, 0, NULL, 0, NULL, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_cmpint(vhost_user_front_end_receive(fixture.front, &reply), ==, -ECONNRESET);
    close(fd);
    device_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/device-postcopy/faults", test_faults);
    g_test_add_func("/libvhost-user/device-postcopy/region-acks", test_region_acks);
    g_test_add_func("/libvhost-user/device-postcopy/table", test_table);
    g_test_add_func("/libvhost-user/device-postcopy/wrong-acks", test_wrong_acks);
    g_test_add_func("/libvhost-user/device-postcopy/order", test_order);
    return g_test_run();
}
