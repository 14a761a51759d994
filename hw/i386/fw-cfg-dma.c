/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DMA interface of fw_cfg: the guest writes the address of a descriptor in its RAM to a
 * register, upon which the descriptor is carried out and its control word cleared.  All is
 * big-endian, as the specification of fw_cfg has it.
 */
#include "fw-cfg-internal.h"

#include "system/vm-lock.h"

#include <stddef.h>
#include <string.h>

#define DMA_SIGNATURE UINT64_C(0x51454d5520434647) /* "QEMU CFG" */
#define TURN (1024 * 1024) /* bytes until others get the VM lock: a length may be 4 GiB */

enum {
    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3, /* the item in the upper half */
    DMA_WRITE = 1 << 4,
};

typedef struct DmaDescriptor {
    uint32_t control;
    uint32_t length;
    uint64_t address;
} DmaDescriptor;

G_STATIC_ASSERT(sizeof(DmaDescriptor) == 16);

/* Copies what comes next of the item, and zeroes behind its end, up to @length bytes. */
static gsize copy_some(FwCfg *config, uint64_t address, gsize length)
{
    static const uint8_t zeroes[4096];
    const GByteArray *item = config->selected;
    gsize there = item && config->offset < item->len ? item->len - config->offset : 0;
    gsize size = MIN(length, there ? there : sizeof(zeroes));

    if (!memory_copy_out(address, there ? item->data + config->offset : zeroes, size)) {
        return 0;
    }
    config->offset += there ? size : 0;
    return size;
}

/* FALSE if not all of the destination is RAM. */
static gboolean read_item(FwCfg *config, uint64_t address, uint32_t length)
{
    gsize turn = 0;

    if (length > 0 && address + (length - 1) < address) {
        return FALSE;
    }
    while (length > 0) {
        gsize size = copy_some(config, address, MIN(length, TURN));

        if (size == 0) {
            return FALSE;
        }
        address += size;
        length -= (uint32_t)size;
        turn += size;
        if (turn >= TURN && length > 0) {
            turn = 0;
            vm_unlock();
            vm_lock();
        }
    }
    return TRUE;
}

static void skip(FwCfg *config, uint32_t length)
{
    gsize end = config->selected ? config->selected->len : 0;

    config->offset += MIN(length, end - MIN(end, config->offset));
}

/* What the control word becomes. */
static uint32_t carry_out(FwCfg *config, const DmaDescriptor *descriptor)
{
    uint32_t control = GUINT32_FROM_BE(descriptor->control);
    uint32_t length = GUINT32_FROM_BE(descriptor->length);
    gboolean good = TRUE;

    if (control & DMA_SELECT) {
        fw_cfg_select(config, (uint16_t)(control >> 16));
    }
    if (control & DMA_READ) {
        good = read_item(config, GUINT64_FROM_BE(descriptor->address), length);
    } else if (control & DMA_WRITE) {
        good = FALSE; /* there is no item that a guest may change */
    } else if (control & DMA_SKIP) {
        skip(config, length);
    }
    return good ? 0 : DMA_ERROR;
}

/* A descriptor outside of RAM has no place for an error either. */
static void run(FwCfg *config, uint64_t address)
{
    DmaDescriptor descriptor;

    if (memory_copy_in(&descriptor, address, sizeof(descriptor))) {
        uint32_t control = GUINT32_TO_BE(carry_out(config, &descriptor));
        memory_copy_out(address, &control, sizeof(control));
    }
}

static uint64_t read_dma(gpointer opaque G_GNUC_UNUSED, uint64_t offset,
                         unsigned size G_GNUC_UNUSED)
{
    uint32_t half = (uint32_t)(DMA_SIGNATURE >> (offset == 0 ? 32 : 0));

    return GUINT32_SWAP_LE_BE(half);
}

/* The upper half waits for the lower one, which starts the operation. */
static void write_dma(gpointer opaque, uint64_t offset, uint64_t value, unsigned size G_GNUC_UNUSED)
{
    FwCfg *config = opaque;
    uint32_t half = GUINT32_SWAP_LE_BE((uint32_t)value);

    if (offset == 0) {
        config->dma_upper_half = half;
        return;
    }
    uint64_t address = (uint64_t)config->dma_upper_half << 32 | half;
    config->dma_upper_half = 0;
    run(config, address);
}

const IoOps fw_cfg_dma_ops = {
    .read = read_dma,
    .write = write_dma,
    .min_access = 4,
    .max_access = 4,
};
