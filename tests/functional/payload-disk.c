/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI and the disk behind virtio (virtio 1.2, 4.1), driven register by register. */
#include "payload.h"

#include "payload-cpu.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define QUEUE 0x300000u /* descriptors, available, used: a page each; then a request */
#define QUEUE_SIZE 128u
#define BURST 100u
#define BAR_LEGACY 0xc000u
#define BAR_VECTORS 0xe0000000u
#define BAR_PAGED 0xe1000000u         /* of the second disk, its doorbells a page apart */
#define BAR_PAGED_VECTORS 0xe0010000u /* nobody uses them */

static uint32_t function; /* of PCI: what goes into the address port */
static uint32_t modern;   /* the BAR of the disk that works */

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

/* From this device on. */
static int find_disk_from(uint32_t device)
{
    for (; device < 32; device++) {
        function = device << 11;
        uint32_t id = config_read(0);
        if (id == 0x10011af4 || id == 0x10421af4) {
            return 1;
        }
    }
    return 0;
}

int find_disk(void)
{
    return find_disk_from(1);
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
    AT(uint8_t, modern + 20) = 0;
    AT(uint8_t, modern + 20) = 1;
    AT(uint8_t, modern + 20) = 3;
    AT(uint32_t, modern + 8) = 1; /* VIRTIO_F_VERSION_1 is bit 32 */
    AT(uint32_t, modern + 12) = 1;
    AT(uint8_t, modern + 20) = 0xb;
    AT(uint16_t, modern + 22) = 0;
    AT(uint16_t, modern + 24) = QUEUE_SIZE;
    AT(uint16_t, modern + 26) = 0; /* its vector */
    AT(uint64_t, modern + 32) = QUEUE;
    AT(uint64_t, modern + 40) = QUEUE + 0x1000;
    AT(uint64_t, modern + 48) = QUEUE + 0x2000;
    for (uint32_t at = 0; at < 0x6000; at += 8) {
        AT(uint64_t, QUEUE + at) = 0;
    }
    available = 0;
    set_descriptor(0, QUEUE + 0x3000, 16, 1);
    set_descriptor(1, QUEUE + 0x4000, 512, 3);
    set_descriptor(2, QUEUE + 0x5000, 1, 2);
    AT(uint16_t, modern + 28) = 1;
    AT(uint8_t, modern + 20) = 0xf;
    check_value("the disk starts", AT(uint8_t, modern + 20), 0xf);
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
    AT(uint16_t, modern + 0x3000) = 0;
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

void check_pci(void)
{
    config_write(0x10, BAR_LEGACY);
    config_write(0x14, BAR_VECTORS);
    config_write(0x20, BAR_MODERN);
    config_write(0x24, 0);
    modern = BAR_MODERN;
    check_ports();
    check_memory();
    uint32_t capability = vectors_capability();
    check_disk(capability);
    check_line(capability);
}

/* What the driver stores at a doorbell goes to a page of the backend's while there is one, and to
 * the backend itself otherwise; neither leads to the process, so nothing is printed between the
 * steps. */
void check_doorbell(void)
{
    AT(uint8_t, modern + 20) = 0; /* the queue's memory is the second disk's now */
    if (!find_disk_from((function >> 11) + 1)) {
        check("a second disk", 0);
        return;
    }
    modern = BAR_PAGED;
    config_write(0x14, BAR_PAGED_VECTORS);
    config_write(0x20, BAR_PAGED);
    config_write(0x24, 0);
    config_write(4, 0x406); /* memory, bus master, no interrupts */
    start_disk();
    wait_step(6);
    for (uint16_t i = 0; i <= BURST; i++) {
        AT(uint16_t, modern + 0x3000) = i;
    }
    uint16_t read = AT(uint16_t, modern + 0x3000);
    wait_step(7);
    request();
    int by_event = answered();
    wait_step(8);
    AT(uint16_t, modern + 0x3000) = 0x1234;
    wait_step(9);
    check_value("what was stored in the page for a doorbell", read, BURST);
    check("without the page the doorbell is one", by_event);
    start_disk();
    request();
    check("and after a reset", answered());
    wait_step(10);
}
