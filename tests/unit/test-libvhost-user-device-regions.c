/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As many regions as can be granted, each by its message; and what a message costs, counted in
 * system calls, with one region and with thousands. */
#include "device-fixture.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ull

/* System calls of this thread while @counting. The library's calls end up here, as the linker finds
 * these before libc's. */
static __thread gboolean counting;
static __thread struct Calls {
    guint recvmsg, sendmsg, read, write, epoll_ctl, close;
} calls;

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    calls.recvmsg += counting;
    return syscall(SYS_recvmsg, fd, message, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    calls.sendmsg += counting;
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t read(int fd, void *bytes, size_t size)
{
    calls.read += counting;
    return syscall(SYS_read, fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    calls.write += counting;
    return syscall(SYS_write, fd, bytes, size);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    calls.epoll_ctl += counting;
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int close(int fd)
{
    calls.close += counting;
    return (int)syscall(SYS_close, fd);
}

typedef struct Lent {
    DeviceFixture fixture;
    VhostUserGuestMemory *memory;
} Lent;

static void lend(Lent *lent, guint32 slots)
{
    device_fixture_set_up(&lent->fixture, 0, slots);
    device_fixture_negotiate(&lent->fixture, FIXTURE_FEATURES, ~0ull);
    /* One more than there are slots. */
    lent->memory = vhost_user_guest_memory_new(1ull << 32, PAGE, slots + 1, PAGE);
    g_assert_nonnull(lent->memory);
}

static void give_back(Lent *lent)
{
    vhost_user_guest_memory_free(lent->memory);
    device_fixture_tear_down(&lent->fixture);
}

static VhostUserMemRegMsg message_of(const Lent *lent, guint index)
{
    const VhostUserMemoryArea *area = &lent->memory->areas[index];

    return (VhostUserMemRegMsg){.region = {.guest_address = area->guest_address,
                                           .size = area->size,
                                           .user_address = (uintptr_t)area->host,
                                           .mmap_offset = area->offset}};
}

/* Sends a request about one region; a descriptor goes with ADD_MEM_REG. */
static guint64 change(Lent *lent, uint32_t request, guint index)
{
    VhostUserMemRegMsg message = message_of(lent, index);

    return device_fixture_ack(&lent->fixture, request, &message, sizeof(message),
                              &lent->memory->areas[index].fd,
                              request == VHOST_USER_ADD_MEM_REG ? 1 : 0);
}

static guint64 regions(Lent *lent)
{
    VhostUserDeviceStatistics statistics;

    vhost_user_device_statistics(lent->fixture.device, &statistics);
    return statistics.regions;
}

static void test_slots(gconstpointer data)
{
    guint32 slots = GPOINTER_TO_UINT(data);
    VhostUserDeviceStatistics statistics;
    Lent lent;

    lend(&lent, slots);
    g_assert_cmpuint(device_fixture_get(&lent.fixture, VHOST_USER_GET_MAX_MEM_SLOTS), ==, slots);
    /* Every other one first, so that each of the rest goes between two. */
    for (guint half = 0; half < 2; half++) {
        for (guint i = half; i < slots; i += 2) {
            g_assert_cmpuint(change(&lent, VHOST_USER_ADD_MEM_REG, i), ==, 0);
        }
    }
    g_assert_cmpuint(regions(&lent), ==, slots);
    g_assert_cmpuint(change(&lent, VHOST_USER_ADD_MEM_REG, slots), !=, 0);
    g_assert_cmpuint(change(&lent, VHOST_USER_REM_MEM_REG, slots / 2), ==, 0);
    g_assert_cmpuint(change(&lent, VHOST_USER_REM_MEM_REG, slots / 2), !=, 0);
    g_assert_cmpuint(change(&lent, VHOST_USER_ADD_MEM_REG, slots), ==, 0);
    for (guint i = 0; i < slots; i++) {
        g_assert_cmpuint(change(&lent, VHOST_USER_REM_MEM_REG, i == slots / 2 ? slots : i), ==, 0);
    }
    device_fixture_process(&lent.fixture);
    vhost_user_device_statistics(lent.fixture.device, &statistics);
    g_assert_cmpuint(statistics.regions, ==, 0);
    g_assert_cmpuint(statistics.regions_retired, ==, 0);
    g_assert_cmpuint(statistics.regions_peak, ==, slots);
    g_assert_cmpuint(statistics.regions_added, ==, slots + 1);
    g_assert_cmpuint(statistics.regions_removed, ==, slots + 1);
    g_assert_cmpuint(statistics.bytes, ==, 0);
    g_assert_cmpuint(statistics.refused, ==, 2);
    give_back(&lent);
}

/* The system calls of the device for one message. */
static struct Calls cost(Lent *lent, uint32_t request, const void *payload, uint32_t size, int fd)
{
    VhostUserFrontEndMessage answer;

    g_assert_cmpint(vhost_user_front_end_send(lent->fixture.front, request,
                                              VHOST_USER_FLAG_NEED_REPLY, payload, size, &fd,
                                              fd == -1 ? 0 : 1),
                    ==, 0);
    calls = (struct Calls){0};
    counting = TRUE;
    g_assert_cmpint(vhost_user_device_process(lent->fixture.device), ==, VHOST_USER_GOES_ON);
    counting = FALSE;
    g_assert_cmpint(vhost_user_front_end_receive(lent->fixture.front, &answer), ==, 0);
    vhost_user_front_end_message_clear(&answer);
    return calls;
}

static struct Calls cost_of_add(Lent *lent, guint index)
{
    VhostUserMemRegMsg message = message_of(lent, index);

    return cost(lent, VHOST_USER_ADD_MEM_REG, &message, sizeof(message),
                lent->memory->areas[index].fd);
}

/* Header, payload, nothing more: three reads. One answer. Nothing else, with any number of regions.
 */
static void test_cost(void)
{
    const struct Calls add = {.recvmsg = 3, .sendmsg = 1, .close = 1};
    const struct Calls get = {.recvmsg = 2, .sendmsg = 1};
    const guint slots = VHOST_USER_DEVICE_MEMORY_SLOTS_DEFAULT;
    Lent lent;

    lend(&lent, slots);
    for (guint i = 0; i < slots; i++) {
        struct Calls counted = cost_of_add(&lent, i);

        g_assert_cmpmem(&counted, sizeof(counted), &add, sizeof(add));
        if (i == 0 || i == slots - 1) {
            counted = cost(&lent, VHOST_USER_GET_FEATURES, NULL, 0, -1);
            g_assert_cmpmem(&counted, sizeof(counted), &get, sizeof(get));
        }
    }
    g_assert_cmpuint(regions(&lent), ==, slots);
    give_back(&lent);
}

/* Pipelined, without a pause: one call of process() does a batch of them, with one answer each. */
static void test_pipelined(void)
{
    Lent lent;
    VhostUserFrontEndMessage answer;
    const guint count = 500, window = 50;

    lend(&lent, count);
    for (guint i = 0; i < count; i++) {
        VhostUserMemRegMsg message = message_of(&lent, i);

        g_assert_cmpint(vhost_user_front_end_send(lent.fixture.front, VHOST_USER_ADD_MEM_REG,
                                                  VHOST_USER_FLAG_NEED_REPLY, &message,
                                                  sizeof(message), &lent.memory->areas[i].fd, 1),
                        ==, 0);
        if (i % window == window - 1) {
            g_assert_cmpint(vhost_user_device_process(lent.fixture.device), ==, VHOST_USER_GOES_ON);
            for (guint acks = 0; acks < window; acks++) {
                g_assert_true(device_fixture_answered(&lent.fixture));
                g_assert_cmpint(vhost_user_front_end_receive(lent.fixture.front, &answer), ==, 0);
                g_assert_cmpuint(answer.content.payload.u64, ==, 0);
            }
        }
    }
    g_assert_cmpuint(regions(&lent), ==, count);
    give_back(&lent);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/libvhost-user/device-regions/1", GUINT_TO_POINTER(1), test_slots);
    g_test_add_data_func("/libvhost-user/device-regions/509", GUINT_TO_POINTER(509), test_slots);
    g_test_add_data_func("/libvhost-user/device-regions/4096", GUINT_TO_POINTER(4096), test_slots);
    g_test_add_data_func("/libvhost-user/device-regions/32768", GUINT_TO_POINTER(32768),
                         test_slots);
    g_test_add_func("/libvhost-user/device-regions/cost", test_cost);
    g_test_add_func("/libvhost-user/device-regions/pipelined", test_pipelined);
    return g_test_run();
}
