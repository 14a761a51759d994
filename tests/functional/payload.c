/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of a few hundred instructions that tries what the accelerator has to do.  It prints a
 * line for each check on the first serial port ("ok NAME", "not ok NAME: ...").  Where the world
 * outside has to act, it announces a step in the mailbox in RAM and waits for the number there,
 * which makes no exit; see payload-test.py.  No library, nothing but registers.
 */
#include <stdint.h>

#define SERIAL 0x3f8
#define DEBUG_EXIT 0xf4
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define LOCAL_APIC 0xfee00000u
#define IO_APIC 0xfec00000u
#define BAR_LEGACY 0xc000u
#define BAR_VECTORS 0xe0000000u
#define BAR_MODERN 0xe0004000u
#define QUEUE 0x300000u /* descriptors, available, used: a page each; then a request */
#define QUEUE_SIZE 128u
#define BURST 100u
#define VECTOR_MESSAGE 0x41
#define VECTOR_LINE 0x42
#define VECTOR_TIMER 0x43
#define VECTOR_EDGE 0x44
#define VECTOR_OLDER 0x50 /* and seven more: the older controllers' */
#define PERIODS 20

/* What both sides read and write, at 2 MiB. */
typedef struct Mailbox {
    uint32_t announced; /* by the payload: the step that it has come to */
    uint32_t go;        /* by the test: the step that it may leave */
    uint32_t boots;     /* starts since the machine was made: RAM survives a reset */
    uint32_t before;    /* registers_across() waits */
    uint32_t resume;
    uint32_t reserved;
    uint64_t address; /* of memory that was plugged */
} Mailbox;
#define MAILBOX ((volatile Mailbox *)0x200000)

void payload(void);
void registers_across(volatile uint32_t *announce, volatile uint32_t *go,
                      void (*after)(long changed));
extern const uint8_t second_cpu[], second_cpu_end[];

/* --- the processor --- */

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint16_t in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Accesses of exactly this size to device memory. */
#define AT(type, address) (*(volatile type *)(uintptr_t)(address))

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]),
                       "=d"(registers[3])
                     : "a"(leaf), "c"(subleaf));
}

static uint64_t read_msr(uint32_t index)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* --- what is printed --- */

static void print(const char *text)
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

static void check_value(const char *name, uint64_t value, uint64_t expected)
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

static void check(const char *name, int good)
{
    check_value(name, good != 0, 1);
}

/* Lets the test do what belongs to @step. */
static void wait_step(uint32_t step)
{
    MAILBOX->announced = step;
    while (MAILBOX->go < step) {
        __asm__ volatile("pause");
    }
}

/* --- interrupts --- */

typedef struct Gate {
    uint16_t low, selector, type, middle;
    uint32_t high, zero;
} Gate;

typedef struct Frame Frame;

static Gate gates[256];
static volatile uint32_t messages, lines, ticks, edges, older;
static volatile uint32_t lines_ignored; /* so many times the line's cause is left as it is */

static void end_of_interrupt(void)
{
    AT(uint32_t, LOCAL_APIC + 0xb0) = 0;
}

__attribute__((interrupt)) static void on_message(Frame *frame)
{
    (void)frame;
    messages++;
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_line(Frame *frame)
{
    (void)frame;
    lines++;
    if (lines_ignored) {
        lines_ignored--;
    } else {
        (void)AT(uint8_t, BAR_MODERN + 0x1000); /* reading the ISR takes the line down */
    }
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_tick(Frame *frame)
{
    (void)frame;
    ticks++;
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_edge(Frame *frame)
{
    (void)frame;
    edges++;
    end_of_interrupt();
}

__attribute__((interrupt)) static void on_older(Frame *frame)
{
    (void)frame;
    older++;
    out8(0x20, 0x20); /* its end is the older controller's */
}

static void set_gate(uint8_t vector, void (*handler)(Frame *))
{
    uint64_t address = (uint64_t)(uintptr_t)handler;

    gates[vector] = (Gate){
        .low = (uint16_t)address,
        .selector = 8,
        .type = 0x8e00,
        .middle = (uint16_t)(address >> 16),
        .high = (uint32_t)(address >> 32),
    };
}

static void load_gates(uint16_t size)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {(uint16_t)(size - 1), (uint64_t)(uintptr_t)gates};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void set_up_interrupts(void)
{
    set_gate(VECTOR_MESSAGE, on_message);
    set_gate(VECTOR_LINE, on_line);
    set_gate(VECTOR_TIMER, on_tick);
    set_gate(VECTOR_EDGE, on_edge);
    set_gate(VECTOR_OLDER, on_older);
    load_gates(sizeof(gates));
    out8(0x21, 0xff); /* the older controllers are silent */
    out8(0xa1, 0xff);
    AT(uint32_t, LOCAL_APIC + 0xf0) = 0x1ff;
    for (uint32_t pin = 16; pin < 24; pin++) { /* level, to this CPU */
        AT(uint32_t, IO_APIC) = 0x10 + 2 * pin;
        AT(uint32_t, IO_APIC + 0x10) = 1u << 15 | VECTOR_LINE;
        AT(uint32_t, IO_APIC) = 0x11 + 2 * pin;
        AT(uint32_t, IO_APIC + 0x10) = 0;
    }
}

/* Sleeps until @counter has come to @wanted; the timer wakes it up, so it ends in any case. */
static int sleep_until(const volatile uint32_t *counter, uint32_t wanted)
{
    for (uint32_t turn = 0; turn < 1000; turn++) {
        __asm__ volatile("cli");
        if (*counter >= wanted) {
            __asm__ volatile("sti");
            return 1;
        }
        AT(uint32_t, LOCAL_APIC + 0x320) = VECTOR_TIMER;
        AT(uint32_t, LOCAL_APIC + 0x3e0) = 0xb;
        AT(uint32_t, LOCAL_APIC + 0x380) = 1000000; /* a millisecond at KVM's 1 GHz */
        __asm__ volatile("sti; hlt");
    }
    return 0;
}

/* --- PCI and virtio (virtio 1.2, 4.1) --- */

static uint32_t function; /* of PCI: what goes into the address port */

static void select(uint32_t offset)
{
    out32(PCI_ADDRESS, 0x80000000u | function | (offset & 0xfc));
}

static uint32_t config_read(uint32_t offset)
{
    select(offset);
    return in32(PCI_DATA);
}

static void config_write(uint32_t offset, uint32_t value)
{
    select(offset);
    out32(PCI_DATA, value);
}

static int find_disk(void)
{
    for (uint32_t device = 1; device < 32; device++) {
        function = device << 11;
        uint32_t id = config_read(0);
        if (id == 0x10011af4 || id == 0x10421af4) {
            return 1;
        }
    }
    return 0;
}

static uint32_t vectors_capability(void)
{
    uint32_t at = config_read(0x34) & 0xfc;

    while (at && (config_read(at) & 0xff) != 0x11) {
        at = config_read(at) >> 8 & 0xfc;
    }
    return at;
}

static void check_ports(void)
{
    select(0);
    uint32_t whole = in32(PCI_DATA);
    check_value("port of 2 bytes", in16(PCI_DATA + 2), whole >> 16);
    check_value("port of 1 byte", in8(PCI_DATA + 1), whole >> 8 & 0xff);
    uint32_t words[2] = {0, 0};
    uint32_t *to = words;
    uint64_t count = 2;
    __asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(PCI_DATA) : "memory");
    check("ports in a string", words[0] == whole && words[1] == whole);
    select(4);
    out16(PCI_DATA, 7); /* ports, memory, bus master */
    check_value("a port is written", config_read(4) & 0xffff, 7);
    check_value("no device at a port", in32(0xe000), 0xffffffff);
}

static void check_memory(void)
{
    AT(uint64_t, BAR_MODERN + 32) = 0x123456789abcdef0;
    check_value("memory of 8 bytes", AT(uint64_t, BAR_MODERN + 32), 0x123456789abcdef0);
    check_value("memory of 4 bytes", AT(uint32_t, BAR_MODERN + 36), 0x12345678);
    check_value("memory of 2 bytes", AT(uint16_t, BAR_MODERN + 22), 0);
    check_value("memory of 1 byte", AT(uint8_t, BAR_MODERN + 20), 0);
    check_value("no device in memory", AT(uint32_t, 0xd0000000u), 0);
}

static uint16_t available; /* requests so far */

static void set_descriptor(uint32_t index, uint64_t address, uint32_t length, uint32_t flags)
{
    AT(uint64_t, QUEUE + 16 * index) = address;
    AT(uint32_t, QUEUE + 16 * index + 8) = length;
    AT(uint16_t, QUEUE + 16 * index + 12) = (uint16_t)flags;
    AT(uint16_t, QUEUE + 16 * index + 14) = (uint16_t)(index + 1);
}

/* A read of the first sector into the page behind the queue. */
static void start_disk(void)
{
    AT(uint8_t, BAR_MODERN + 20) = 0;
    AT(uint8_t, BAR_MODERN + 20) = 1;
    AT(uint8_t, BAR_MODERN + 20) = 3;
    AT(uint32_t, BAR_MODERN + 8) = 1; /* VIRTIO_F_VERSION_1 is bit 32 */
    AT(uint32_t, BAR_MODERN + 12) = 1;
    AT(uint8_t, BAR_MODERN + 20) = 0xb;
    AT(uint16_t, BAR_MODERN + 22) = 0;
    AT(uint16_t, BAR_MODERN + 24) = QUEUE_SIZE;
    AT(uint16_t, BAR_MODERN + 26) = 0; /* its vector */
    AT(uint64_t, BAR_MODERN + 32) = QUEUE;
    AT(uint64_t, BAR_MODERN + 40) = QUEUE + 0x1000;
    AT(uint64_t, BAR_MODERN + 48) = QUEUE + 0x2000;
    for (uint32_t at = 0; at < 0x6000; at += 8) {
        AT(uint64_t, QUEUE + at) = 0;
    }
    available = 0;
    set_descriptor(0, QUEUE + 0x3000, 16, 1);
    set_descriptor(1, QUEUE + 0x4000, 512, 3);
    set_descriptor(2, QUEUE + 0x5000, 1, 2);
    AT(uint16_t, BAR_MODERN + 28) = 1;
    AT(uint8_t, BAR_MODERN + 20) = 0xf;
    check_value("the disk starts", AT(uint8_t, BAR_MODERN + 20), 0xf);
}

/* Makes a request available; the caller rings one of the doorbells. */
static void make_request(void)
{
    AT(uint8_t, QUEUE + 0x5000) = 0xff;
    AT(uint16_t, QUEUE + 0x1004 + 2 * (available % QUEUE_SIZE)) = 0;
    __asm__ volatile("mfence" ::: "memory");
    available++;
    AT(uint16_t, QUEUE + 0x1002) = available;
    __asm__ volatile("mfence" ::: "memory");
}

static void request(void)
{
    make_request();
    AT(uint16_t, BAR_MODERN + 0x3000) = 0;
}

/* By the one doorbell of the legacy interface, a port (4.1.4.10). */
static void request_by_port(void)
{
    make_request();
    out16(BAR_LEGACY + 16, 0);
}

/* Waits for the answer without sleeping; an interrupt may come on top. */
static int answered(void)
{
    uint64_t begin = time_stamp();

    while (AT(uint16_t, QUEUE + 0x2002) != available) {
        __asm__ volatile("pause");
        if (time_stamp() - begin > UINT64_C(20000000000)) {
            return 0;
        }
    }
    return AT(uint8_t, QUEUE + 0x5000) == 0;
}

static void check_disk(uint32_t capability)
{
    config_write(capability, config_read(capability) | 0x80000000u);
    AT(uint32_t, BAR_VECTORS) = LOCAL_APIC;
    AT(uint32_t, BAR_VECTORS + 4) = 0;
    AT(uint32_t, BAR_VECTORS + 8) = VECTOR_MESSAGE;
    AT(uint32_t, BAR_VECTORS + 12) = 0;
    start_disk();
    __asm__ volatile("sti");
    request();
    check("a request is answered", answered());
    check_value("with what the disk holds", AT(uint64_t, QUEUE + 0x4000), 0x6b736964206f6c48);
    check("and an interrupt", sleep_until(&messages, 1));

    /* From here on no request may lead to the process: the test counts on both sides. */
    wait_step(1);
    uint32_t before = messages, good = 0;
    for (uint32_t i = 0; i < BURST; i++) {
        if (i % 2) {
            request_by_port();
        } else {
            request();
        }
        good += answered() ? 1 : 0;
        while (messages == before) {
            __asm__ volatile("pause");
        }
        before = messages;
    }
    wait_step(2);
    check_value("a burst of requests by both doorbells", good, BURST);

    AT(uint32_t, BAR_VECTORS + 12) = 1; /* masked: the interrupt waits */
    before = messages;
    request();
    check("a request with its vector masked", answered());
    for (uint32_t turn = 0; turn < 100 && !(AT(uint32_t, BAR_VECTORS + 0x800) & 1); turn++) {
        sleep_until(&messages, before + 1000 * turn); /* lets the other side run */
    }
    check_value("is pending", AT(uint32_t, BAR_VECTORS + 0x800) & 1, 1);
    check_value("and not delivered", messages, before);
    AT(uint32_t, BAR_VECTORS + 12) = 0;
    check("until it is unmasked", sleep_until(&messages, before + 1));
    check_value("once", messages, before + 1);
    request();
    check("the next comes again", answered() && sleep_until(&messages, before + 2));
}

static void check_line(uint32_t capability)
{
    config_write(capability, config_read(capability) & ~0x80000000u);
    start_disk();
    AT(uint16_t, BAR_MODERN + 26) = 0xffff;
    lines_ignored = 1;
    request();
    check("a request with the line", answered());
    check("the line comes again until its cause is gone", sleep_until(&lines, 2));
    check_value("and then no more", lines, 2);
    request();
    check("it comes again", answered() && sleep_until(&lines, 3));
}

/* --- the interval timer, by the way of both controllers --- */

static void set_period(uint16_t count)
{
    out8(0x43, 0x34);
    out8(0x40, (uint8_t)count);
    out8(0x40, (uint8_t)(count >> 8));
}

static void write_pin(uint32_t pin, uint32_t entry)
{
    AT(uint32_t, IO_APIC) = 0x10 + 2 * pin;
    AT(uint32_t, IO_APIC + 0x10) = entry;
}

static void check_interval_timer(void)
{
    set_period(1193); /* a millisecond */
    write_pin(2, VECTOR_EDGE);
    check("the interval timer by the I/O controller", sleep_until(&edges, PERIODS));
    write_pin(2, 1u << 16 | VECTOR_EDGE);
    uint32_t before = edges;
    check_value("none by the older ones", older, 0);

    static const uint16_t ports[] = {0x20, 0x21, 0x21, 0x21};
    static const uint8_t words[] = {0x11, VECTOR_OLDER, 4, 1};
    for (uint32_t i = 0; i < sizeof(words); i++) {
        out8(ports[i], words[i]);
    }
    AT(uint32_t, LOCAL_APIC + 0x350) = 0x700; /* LINT0 is theirs */
    out8(0x21, 0xfe);
    check("and by the older ones", sleep_until(&older, PERIODS));
    check_value("none by the I/O controller", edges, before);
    out8(0x21, 0xff);
    before = older;
    for (uint32_t turn = 0; turn < 5; turn++) {
        uint32_t after = ticks + 1;
        sleep_until(&ticks, after);
    }
    check_value("none with a mask", older, before);
    AT(uint32_t, LOCAL_APIC + 0x350) = 0x10700;
    out8(0x43, 0x30); /* it stops: a count that never comes */

    out8(0x61, 1);
    out8(0x43, 0xb0);
    out8(0x42, 0xff); /* 55 milliseconds */
    out8(0x42, 0xff);
    uint32_t turns = 0;
    while (!(in8(0x61) & 0x20) && turns < 1000000) {
        turns++;
    }
    check("its third counter takes its time", turns > 0);
    check_value("and comes to its end", in8(0x61) & 0x20, 0x20);
    out8(0x61, 0);
}

/* --- the processor's own --- */

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
        wait_step(7);
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
    config_write(0x10, BAR_LEGACY);
    config_write(0x14, BAR_VECTORS);
    config_write(0x20, BAR_MODERN);
    config_write(0x24, 0);
    check_ports();
    check_memory();
    uint32_t capability = vectors_capability();
    check_disk(capability);
    check_line(capability);
    check_interval_timer();
    check_plugged();
    write_pages();
    check_state();
    wait_step(6);
    load_gates(1); /* no handler at all, for this and for what follows from it */
    __asm__ volatile("ud2");
}
