/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two interfaces of fw_cfg share: ports and DMA.  VM lock held. */
#ifndef HW_I386_FW_CFG_INTERNAL_H
#define HW_I386_FW_CFG_INTERNAL_H

#include "hw/i386/fw-cfg.h"

#include "system/memory.h"

struct FwCfg {
    IoRegion *region, *dma_region;
    GHashTable *items; /* key -> GByteArray; none is ever removed */
    GPtrArray *names;  /* of files: file i is item FW_CFG_FILE_FIRST + i */
    const GByteArray *selected;
    gsize offset;            /* of the next byte */
    uint32_t dma_upper_half; /* of the address that comes */
};

/* The next byte is the first one of item @key; bits 14 and 15 have no meaning. */
void fw_cfg_select(FwCfg *config, uint16_t key);

extern const IoOps fw_cfg_dma_ops;

#endif
