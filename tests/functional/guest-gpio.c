/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in a guest: two lines of a GPIO chip that are joined outside of it.  Sets the first, reads
 * the second, and waits for the interrupt of each change.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OUT, IN };

static void fail(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void print_name(int chip, unsigned line)
{
    struct gpio_v2_line_info information = {.offset = line};

    if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &information) < 0) {
        fail("name");
    }
    printf("%s ", information.name);
}

static int request(int chip, unsigned line, unsigned long long flags)
{
    struct gpio_v2_line_request request = {
        .offsets = {line}, .consumer = "test", .num_lines = 1, .config.flags = flags};

    if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0) {
        fail("request");
    }
    return request.fd;
}

static void change(int out, int in, unsigned value)
{
    struct gpio_v2_line_values values = {.bits = value, .mask = 1};
    struct gpio_v2_line_event event;
    struct pollfd wait = {.fd = in, .events = POLLIN};

    if (ioctl(out, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0) {
        fail("set");
    }
    if (poll(&wait, 1, 10000) != 1 || read(in, &event, sizeof(event)) != sizeof(event)) {
        errno = ETIMEDOUT;
        fail("interrupt");
    }
    values.bits = !value;
    if (ioctl(in, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0 || (values.bits & 1) != value) {
        fail("get");
    }
    printf("%s%llu ", event.id == GPIO_V2_LINE_EVENT_RISING_EDGE ? "rising" : "falling",
           (unsigned long long)values.bits & 1);
}

int main(int argc, char **argv)
{
    int chip = argc == 2 ? open(argv[1], O_RDWR) : -1;
    int out, in;

    if (chip < 0) {
        fail("usage: guest-gpio CHIP");
    }
    print_name(chip, OUT);
    print_name(chip, IN);
    out = request(chip, OUT, GPIO_V2_LINE_FLAG_OUTPUT);
    in = request(chip, IN,
                 GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING |
                     GPIO_V2_LINE_FLAG_EDGE_FALLING);
    for (unsigned i = 0; i < 4; i++) {
        change(out, in, !(i & 1));
    }
    printf("\n");
    return EXIT_SUCCESS;
}
