/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the payload prints on the first serial port, and its steps in the mailbox. */
#include "payload.h"

#include "payload-cpu.h"

#define SERIAL 0x3f8

void print(const char *text)
{
    for (; *text; text++) {
        out8(SERIAL, (uint8_t)*text);
    }
}

static void print_number(uint64_t value)
{
    char digits[17];
    char *at = digits + sizeof(digits) - 1;

    *at = 0;
    do {
        *--at = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    print("0x");
    print(at);
}

void check_value(const char *name, uint64_t value, uint64_t expected)
{
    print(value == expected ? "ok " : "not ok ");
    print(name);
    if (value != expected) {
        print(": ");
        print_number(value);
        print(", expected ");
        print_number(expected);
    }
    print("\n");
}

void check(const char *name, int good)
{
    check_value(name, good != 0, 1);
}

void wait_step(uint32_t step)
{
    MAILBOX->announced = step;
    while (MAILBOX->go < step) {
        __asm__ volatile("pause");
    }
}
