/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of a few hundred instructions that tries what the accelerator has to do.  It prints a
 * line for each check on the first serial port ("ok NAME", "not ok NAME: ...").  Where the world
 * outside has to act, it announces a step in the mailbox in RAM and waits for the number there,
 * which makes no exit; see payload-test.py.  No library, nothing but registers.
 */
#include "payload.h"

#include "payload-cpu.h"

#define DEBUG_EXIT 0xf4

static void check_features(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    check_value("+pni is there", r[2] & 1, 1);
    check_value("-sse4.2 is gone", r[2] >> 20 & 1, 0);
    check_value("hypervisor", r[2] >> 31, 1);
    check_value("CPUs in leaf 1", r[1] >> 16 & 0xff, 4);
    cpuid(0x80000001, 0, r);
    check_value("svm=off", r[2] >> 2 & 1, 0);
    cpuid(0x40000000, 0, r);
    check_value("KVM's name", r[1], 0x4b4d564b);
    cpuid(0xb, 0, r);
    check_value("threads of a core", (uint64_t)r[0] << 16 | r[1], 1 << 16 | 2);
    cpuid(0xb, 1, r);
    check_value("CPUs of a socket", (uint64_t)r[0] << 16 | r[1], 2 << 16 | 4);
    cpuid(0xb, 2, r);
    check_value("the last level", r[1], 0);
    cpuid(0x80000008, 0, r);
    check_value("bits of an address", r[0] & 0xff, 39);
}

static void check_second_cpus(void)
{
    volatile uint32_t *count = (volatile uint32_t *)0x7000;

    *count = 0;
    for (uint32_t i = 0; i < (uint32_t)(second_cpu_end - second_cpu); i++) {
        AT(uint8_t, 0x8000 + i) = second_cpu[i];
    }
    AT(uint32_t, LOCAL_APIC + 0x300) = 0xc4500; /* INIT and start-up to all others */
    AT(uint32_t, LOCAL_APIC + 0x300) = 0xc4608;
    check("the other CPUs start", sleep_until(count, 3));
    check_value("each once", *count, 3);
}

/* RAM of the test's choice: it can be written, and what is written stays. */
static void check_plugged(void)
{
    wait_step(3);
    uint64_t address = MAILBOX->address;
    AT(uint64_t, address) = 0x0123456789abcdef;
    AT(uint64_t, address + 0x1ff8) = ~address;
    check_value("plugged memory", AT(uint64_t, address), 0x0123456789abcdef);
    check_value("its second page", AT(uint64_t, address + 0x1ff8), ~address);
}

/* Without a disk: addresses of the test's choice, one after the other, until it gives 0. */
static void try_addresses(void)
{
    for (uint32_t step = 10;; step++) {
        wait_step(step);
        uint64_t address = MAILBOX->address;
        if (!address) {
            break;
        }
        AT(uint64_t, address) = ~address;
        check_value("memory of a slot", AT(uint64_t, address), ~address);
    }
    print("end\n");
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

/* Ten pages of it, while they are noted. */
static void write_pages(void)
{
    wait_step(4);
    for (uint32_t page = 0; page < 10; page++) {
        AT(uint8_t, MAILBOX->address + 0x100000 + 4096 * page) = 1;
    }
    wait_step(5);
}

#define MSR_STAR 0xc0000081u

static volatile uint32_t rounds; /* of after_wait() */
static uint64_t state_begin;

/* Sees that everything is as it was, and changes it. RAM is not part of the state: it counts. */
static void after_wait(long changed)
{
    rounds++;
    check_value("registers across a stop", (uint64_t)changed, 0);
    check("time goes on", time_stamp() > state_begin);
    check_value("a register of the model", read_msr(MSR_STAR), 0x0008001000000000);
    check_value("the local controller", AT(uint32_t, LOCAL_APIC + 0x80), 0x10);
    AT(uint32_t, IO_APIC) = 0x10 + 2 * 5;
    check_value("the I/O controller", AT(uint32_t, IO_APIC + 0x10), 1u << 16 | 0x55);
    write_msr(MSR_STAR, 0);
    AT(uint32_t, LOCAL_APIC + 0x80) = 0;
    AT(uint32_t, IO_APIC + 0x10) = 1u << 16;
    if (rounds == 1) {
        wait_step(99); /* it never comes: the state that is put back is from before */
    }
}

/* The state is kept while the registers are full, everything is changed, the state is put back. */
static void check_state(void)
{
    write_msr(MSR_STAR, 0x0008001000000000);
    AT(uint32_t, LOCAL_APIC + 0x80) = 0x10;
    AT(uint32_t, IO_APIC) = 0x10 + 2 * 5;
    AT(uint32_t, IO_APIC + 0x10) = 1u << 16 | 0x55;
    state_begin = time_stamp();
    registers_across(&MAILBOX->before, &MAILBOX->resume, after_wait);
    check_value("the state was put back", rounds, 2);
}

void payload(void)
{
    MAILBOX->boots++;
    if (MAILBOX->boots == 3) {
        out8(DEBUG_EXIT, 42); /* the status of the program is then 85 */
    }
    if (MAILBOX->boots == 2) {
        print("ok a triple fault resets\n");
        uint32_t r[4];
        cpuid(1, 0, r);
        check_value("CPUID after a reset", r[2] >> 20 & 1, 0);
        AT(uint32_t, IO_APIC) = 0x10 + 2 * 16;
        check_value("the I/O controller after it", AT(uint32_t, IO_APIC + 0x10), 1u << 16);
        check_value("the local controller after it", AT(uint32_t, LOCAL_APIC + 0x80), 0);
        print("end\n");
        wait_step(11);
        AT(uint8_t, 0xfeb00000u) = 1;               /* outside of RAM: a device that is not there */
        ((void (*)(void))(uintptr_t)0xfeb00000u)(); /* nor is code */
    }
    set_up_interrupts();
    __asm__ volatile("sti");
    check("the timer wakes up a CPU that sleeps", sleep_until(&ticks, 3));
    if (!find_disk()) {
        try_addresses();
    }
    check_features();
    check_second_cpus();
    check_pci();
    check_interval_timer();
    check_plugged();
    write_pages();
    check_state();
    check_doorbell();
    load_gates(1); /* no handler at all, for this and for what follows from it */
    __asm__ volatile("ud2");
}
