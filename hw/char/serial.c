/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa-serial: a 16550A UART (register names and behaviour: PC16550D data sheet) whose wire is a
 * chardev.  Its speed is that of the chardev: the transmitter is empty when the other side has
 * taken the bytes, and no byte is read from there before the receiver has room.
 */
#include "chardev/chardev.h"
#include "hw/core/device.h"
#include "system/irq.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "util/error.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <unistd.h>

#define UART_PORTS 8
#define FIFO_SIZE 16u
#define PORTS_MAXIMUM 4
#define IIR_FIFOS_ENABLED 0xc0

typedef struct Fifo {
    uint8_t bytes[FIFO_SIZE];
    guint count;
} Fifo;

typedef struct IsaSerial {
    Device parent;
    Chardev *chardev;
    Chardev *wire;  /* chardev_port(); NULL while unrealized */
    uint32_t index; /* COM1 is 0 */
    uint32_t port;  /* 0: by index */
    uint32_t line;  /* 0: by index */

    ChardevFrontend frontend;
    int input, output; /* the chardev's, -1 without a connection */
    guint input_watch, output_watch;

    IoRegion *region;
    IrqSource *irq;
    Fifo receive, transmit;
    uint8_t interrupt_enable, fifo_control, line_control, modem_control, scratch;
    uint16_t divisor;
    uint8_t line_errors;       /* UART_LSR_OE, UART_LSR_BI until they are read */
    gboolean empty_unreported; /* the transmitter became empty, IIR has not told */
    uint8_t modem_before;      /* inputs when MSR was read last */
} IsaSerial;

typedef struct IsaSerialClass {
    DeviceClass parent;
} IsaSerialClass;

VM_DECLARE_TYPE(IsaSerial, isa_serial, ISA_SERIAL)

/* --- interrupts --- */

static guint receive_trigger(const IsaSerial *serial)
{
    static const guint levels[] = {1, 4, 8, 14};

    return serial->fifo_control & UART_FCR_ENABLE_FIFO ? levels[serial->fifo_control >> 6] : 1;
}

/* The modem's lines as MSR has them: everything is ready; in loopback they are our own outputs. */
static uint8_t modem_inputs(const IsaSerial *serial)
{
    uint8_t control = serial->modem_control;

    if (!(control & UART_MCR_LOOP)) {
        return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
    }
    return (control & UART_MCR_RTS ? UART_MSR_CTS : 0) |
           (control & UART_MCR_DTR ? UART_MSR_DSR : 0) |
           (control & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
           (control & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

/* Which inputs differ from what was read, in MSR's low bits; RI only tells its falling edge. */
static uint8_t modem_deltas(const IsaSerial *serial)
{
    uint8_t changed = modem_inputs(serial) ^ serial->modem_before;

    if (modem_inputs(serial) & UART_MSR_RI) {
        changed &= ~UART_MSR_RI;
    }
    return changed >> 4;
}

/* IIR without the FIFO bits: the pending interrupt of the highest priority. */
static uint8_t interrupt_id(const IsaSerial *serial)
{
    uint8_t enable = serial->interrupt_enable;

    if ((enable & UART_IER_RLSI) && serial->line_errors) {
        return UART_IIR_RLSI;
    }
    if ((enable & UART_IER_RDI) && serial->receive.count >= receive_trigger(serial)) {
        return UART_IIR_RDI;
    }
    /* Fewer than asked for: the sender pauses as far as we know, so the time-out comes at once. */
    if ((enable & UART_IER_RDI) && serial->receive.count > 0) {
        return UART_IIR_RX_TIMEOUT;
    }
    if ((enable & UART_IER_THRI) && serial->empty_unreported) {
        return UART_IIR_THRI;
    }
    if ((enable & UART_IER_MSI) && modem_deltas(serial)) {
        return UART_IIR_MSI;
    }
    return UART_IIR_NO_INT;
}

/* On a PC the output OUT2 connects the interrupt to its line; in loopback it does not. */
static void update_irq(IsaSerial *serial)
{
    irq_source_set(serial->irq,
                   interrupt_id(serial) != UART_IIR_NO_INT &&
                       (serial->modem_control & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2);
}

/* --- the wire --- */

static guint receive_room(const IsaSerial *serial)
{
    guint size = serial->fifo_control & UART_FCR_ENABLE_FIFO ? FIFO_SIZE : 1;

    return serial->receive.count < size ? size - serial->receive.count : 0;
}

static void drop_watches(IsaSerial *serial)
{
    g_clear_handle_id(&serial->input_watch, g_source_remove);
    g_clear_handle_id(&serial->output_watch, g_source_remove);
}

static void connection_ended(IsaSerial *serial)
{
    drop_watches(serial);
    serial->input = -1;
    serial->output = -1;
    if (serial->transmit.count > 0) { /* lost, so that the driver does not wait for ever */
        serial->transmit.count = 0;
        serial->empty_unreported = TRUE;
    }
    update_irq(serial);
    chardev_disconnected(serial->wire);
}

static gboolean input_ready(int fd, GIOCondition condition G_GNUC_UNUSED, gpointer opaque)
{
    IsaSerial *serial = opaque;
    guint room = receive_room(serial);
    ssize_t got;

    if (room == 0) { /* goes on when the driver has read */
        serial->input_watch = 0;
        return G_SOURCE_REMOVE;
    }
    got = read(fd, serial->receive.bytes + serial->receive.count, room);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    if (got <= 0) {
        serial->input_watch = 0;
        if (serial->input == serial->output) {
            connection_ended(serial);
        } else {
            serial->input = -1; /* a file or standard input that has ended leaves its output */
        }
        return G_SOURCE_REMOVE;
    }
    serial->receive.count += (guint)got;
    update_irq(serial);
    return G_SOURCE_CONTINUE;
}

static void watch_input(IsaSerial *serial)
{
    if (serial->input >= 0 && !serial->input_watch && receive_room(serial) > 0) {
        serial->input_watch = main_loop_watch(serial->input, G_IO_IN, input_ready, serial);
    }
}

static gboolean output_ready(int fd, GIOCondition condition, gpointer opaque);

/* Sends what the transmitter holds; without anybody at the other end it is lost, as on a wire. */
static void send(IsaSerial *serial)
{
    Fifo *fifo = &serial->transmit;
    ssize_t sent = (ssize_t)fifo->count;

    if (serial->output >= 0 && fifo->count > 0) {
        sent = write(serial->output, fifo->bytes, fifo->count);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            sent = 0;
        }
    }
    if (sent < 0) { /* the reader of the connection sees its end, too, and tidies up */
        sent = (ssize_t)fifo->count;
    }
    fifo->count -= (guint)sent;
    memmove(fifo->bytes, fifo->bytes + sent, fifo->count);
    if (fifo->count == 0) {
        serial->empty_unreported = TRUE;
    } else if (!serial->output_watch) {
        serial->output_watch = main_loop_watch(serial->output, G_IO_OUT, output_ready, serial);
    }
}

static gboolean output_ready(int fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED,
                             gpointer opaque)
{
    IsaSerial *serial = opaque;

    send(serial);
    update_irq(serial);
    if (serial->transmit.count > 0) {
        return G_SOURCE_CONTINUE;
    }
    serial->output_watch = 0;
    return G_SOURCE_REMOVE;
}

static void opened(gpointer opaque, int input, int output)
{
    IsaSerial *serial = opaque;

    serial->input = input;
    serial->output = output;
    watch_input(serial);
}

/* The new wire has the old one's place, or is left alone. */
static gboolean move(gpointer opaque, Chardev *chardev, GError **error)
{
    IsaSerial *serial = opaque;
    g_autoptr(GObject) wire = G_OBJECT(chardev_port(chardev));

    if (CHARDEV_GET_CLASS(chardev)->port) {
        vm_error_set(error, "chardev '%s' is a multiplexer, which needs its users from the start",
                     chardev->parent.id);
        return FALSE;
    }
    drop_watches(serial);
    chardev_detach(serial->wire);
    serial->input = serial->output = -1;
    if (!chardev_attach(CHARDEV(wire), &serial->frontend, error)) {
        chardev_attach(serial->wire, &serial->frontend, NULL);
        return FALSE;
    }
    g_set_object(&serial->wire, CHARDEV(wire));
    g_set_object(&serial->chardev, chardev);
    send(serial);
    return TRUE;
}

/* A break is a zero byte with its own bit in LSR, which stands for the byte at the FIFO's top. */
static void line_break(gpointer opaque)
{
    IsaSerial *serial = opaque;

    if (receive_room(serial) > 0) {
        serial->receive.bytes[serial->receive.count++] = 0;
    }
    serial->line_errors |= UART_LSR_BI;
    update_irq(serial);
}

/* --- registers --- */

static void write_data(IsaSerial *serial, uint8_t value)
{
    if (serial->modem_control & UART_MCR_LOOP) {
        if (receive_room(serial) > 0) {
            serial->receive.bytes[serial->receive.count++] = value;
        } else {
            serial->line_errors |= UART_LSR_OE;
        }
        serial->empty_unreported = TRUE;
        return;
    }
    serial->empty_unreported = FALSE;
    if (serial->transmit.count < FIFO_SIZE) { /* a driver that does not look at LSR loses bytes */
        serial->transmit.bytes[serial->transmit.count++] = value;
    }
    if (!serial->output_watch) {
        send(serial);
    }
}

static uint8_t read_data(IsaSerial *serial)
{
    uint8_t value = 0;

    if (serial->receive.count > 0) {
        value = serial->receive.bytes[0];
        serial->receive.count--;
        memmove(serial->receive.bytes, serial->receive.bytes + 1, serial->receive.count);
        watch_input(serial);
    }
    return value;
}

static uint8_t read_line_status(IsaSerial *serial)
{
    uint8_t value = serial->line_errors;

    serial->line_errors = 0;
    if (serial->receive.count > 0) {
        value |= UART_LSR_DR;
    }
    if (serial->transmit.count == 0) {
        value |= UART_LSR_THRE | UART_LSR_TEMT;
    }
    return value;
}

static uint8_t read_interrupt_id(IsaSerial *serial)
{
    uint8_t id = interrupt_id(serial);

    if (id == UART_IIR_THRI) {
        serial->empty_unreported = FALSE;
    }
    return id | (serial->fifo_control & UART_FCR_ENABLE_FIFO ? IIR_FIFOS_ENABLED : 0);
}

static uint8_t read_modem_status(IsaSerial *serial)
{
    uint8_t value = modem_inputs(serial) | modem_deltas(serial);

    serial->modem_before = modem_inputs(serial);
    return value;
}

static void write_fifo_control(IsaSerial *serial, uint8_t value)
{
    if ((value ^ serial->fifo_control) & UART_FCR_ENABLE_FIFO) {
        value |= UART_FCR_CLEAR_RCVR; /* changing the mode empties both */
    }
    if (value & UART_FCR_CLEAR_RCVR) {
        serial->receive.count = 0;
    }
    /* What is to be sent is on its way already as far as a driver can tell: it is not cleared. */
    serial->fifo_control = value & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK);
    watch_input(serial);
}

static uint64_t serial_read(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    IsaSerial *serial = opaque;
    gboolean divisor = (serial->line_control & UART_LCR_DLAB) != 0;
    uint8_t value = 0;

    switch (offset) {
    case UART_RX:
        value = divisor ? serial->divisor & 0xff : read_data(serial);
        break;
    case UART_IER:
        value = divisor ? serial->divisor >> 8 : serial->interrupt_enable;
        break;
    case UART_IIR:
        value = read_interrupt_id(serial);
        break;
    case UART_LCR:
        value = serial->line_control;
        break;
    case UART_MCR:
        value = serial->modem_control;
        break;
    case UART_LSR:
        value = read_line_status(serial);
        break;
    case UART_MSR:
        value = read_modem_status(serial);
        break;
    case UART_SCR:
        value = serial->scratch;
        break;
    default:
        break;
    }
    update_irq(serial);
    return value;
}

static void write_interrupt_enable(IsaSerial *serial, uint8_t value)
{
    uint8_t risen = value & ~serial->interrupt_enable;

    serial->interrupt_enable =
        value & (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI);
    if ((risen & UART_IER_THRI) && serial->transmit.count == 0) {
        serial->empty_unreported = TRUE;
    }
}

static void serial_write(gpointer opaque, uint64_t offset, uint64_t value,
                         unsigned size G_GNUC_UNUSED)
{
    IsaSerial *serial = opaque;
    gboolean divisor = (serial->line_control & UART_LCR_DLAB) != 0;
    uint8_t byte = (uint8_t)value;

    switch (offset) {
    case UART_TX:
        if (divisor) {
            serial->divisor = (serial->divisor & 0xff00) | byte;
        } else {
            write_data(serial, byte);
        }
        break;
    case UART_IER:
        if (divisor) {
            serial->divisor = (uint16_t)((serial->divisor & 0xff) | byte << 8);
        } else {
            write_interrupt_enable(serial, byte);
        }
        break;
    case UART_FCR:
        write_fifo_control(serial, byte);
        break;
    case UART_LCR:
        serial->line_control = byte;
        break;
    case UART_MCR:
        serial->modem_control =
            byte & (UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP);
        break;
    case UART_SCR:
        serial->scratch = byte;
        break;
    default: /* LSR and MSR are read-only */
        break;
    }
    update_irq(serial);
}

static const IoOps serial_ops = {
    .read = serial_read, .write = serial_write, .min_access = 1, .max_access = 1};

/* --- life --- */

static void serial_reset(Device *device)
{
    IsaSerial *serial = ISA_SERIAL(device);

    serial->receive.count = 0;
    serial->interrupt_enable = 0;
    serial->fifo_control = 0;
    serial->line_control = 0;
    serial->modem_control = 0;
    serial->line_errors = 0;
    serial->empty_unreported = FALSE;
    serial->divisor = 0;
    serial->modem_before = modem_inputs(serial);
    watch_input(serial);
    update_irq(serial);
}

static const char *name(const IsaSerial *serial)
{
    return serial->parent.parent.id ? serial->parent.parent.id : "isa-serial";
}

/* COM1 to COM4 of a PC. */
static gboolean choose_place(IsaSerial *serial, GError **error)
{
    static const struct {
        uint16_t port;
        uint8_t line;
    } places[PORTS_MAXIMUM] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

    serial->port = serial->port ? serial->port : places[serial->index].port;
    serial->line = serial->line ? serial->line : places[serial->index].line;
    if (!serial->chardev) {
        vm_error_set(error, "device '%s': chardev= is missing, expected the id of a -chardev",
                     name(serial));
        return FALSE;
    }
    return device_check_ports(DEVICE(serial), "iobase", serial->port, UART_PORTS,
                              "index= or iobase=", error);
}

static DeviceProgress serial_realize(Device *device, GError **error)
{
    IsaSerial *serial = ISA_SERIAL(device);

    if (!choose_place(serial, error)) {
        return DEVICE_FAILED;
    }
    serial->input = -1;
    serial->output = -1;
    serial->irq = irq_source_new(serial->line);
    serial->region = io_region_new(G_OBJECT(device), name(serial), &serial_ops, serial, UART_PORTS);
    serial->frontend = (ChardevFrontend){.opened = opened,
                                         .opaque = serial,
                                         .user = "isa-serial",
                                         .line_break = line_break,
                                         .move = move};
    serial->wire = chardev_port(serial->chardev);
    if (!chardev_attach(serial->wire, &serial->frontend, error)) {
        g_clear_object(&serial->wire);
        g_clear_pointer(&serial->region, io_region_free);
        g_clear_pointer(&serial->irq, irq_source_free);
        return DEVICE_FAILED;
    }
    io_region_map(serial->region, ADDRESS_SPACE_IO, serial->port);
    serial_reset(device);
    return DEVICE_DONE;
}

static DeviceProgress serial_unrealize(Device *device)
{
    IsaSerial *serial = ISA_SERIAL(device);

    drop_watches(serial);
    chardev_detach(serial->wire);
    g_clear_object(&serial->wire);
    g_clear_pointer(&serial->region, io_region_free);
    g_clear_pointer(&serial->irq, irq_source_free);
    return DEVICE_DONE;
}

static const VmField serial_fields[] = {
    {.name = "chardev",
     .doc = "where its bytes go to and come from",
     .kind = VM_FIELD_LINK,
     .offset = offsetof(IsaSerial, chardev),
     .link_type = chardev_get_type},
    {.name = "index",
     .doc = "which of COM1 to COM4 it is, from 0",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(IsaSerial, index),
     .maximum = PORTS_MAXIMUM - 1},
    {.name = "iobase",
     .doc = "first port; 0: by index",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(IsaSerial, port),
     .maximum = 0xfff8},
    {.name = "irq",
     .doc = "interrupt line; 0: by index",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(IsaSerial, line),
     .maximum = 15},
    {.name = NULL},
};

static void isa_serial_init(IsaSerial *serial G_GNUC_UNUSED)
{
}

static void isa_serial_class_init(IsaSerialClass *class)
{
    VM_OBJECT_CLASS(class)->description = "16550A serial port";
    DEVICE_CLASS(class)->category = "input";
    DEVICE_CLASS(class)->bus = "ISA";
    DEVICE_CLASS(class)->user_creatable = TRUE;
    DEVICE_CLASS(class)->realize = serial_realize;
    DEVICE_CLASS(class)->unrealize = serial_unrealize;
    DEVICE_CLASS(class)->reset = serial_reset;
    vm_object_class_install_fields(class, serial_fields);
}

VM_DEFINE_TYPE("isa-serial", IsaSerial, IsaSerialClass, isa_serial, TYPE_DEVICE, 0);
