/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device: numbered items of bytes that firmware reads through two
 * ports, or has copied to its RAM.  VM lock held.
 */
#ifndef HW_I386_FW_CFG_H
#define HW_I386_FW_CFG_H

#include <glib.h>
#include <json-c/json.h>
#include <stdint.h>

#define FW_CFG_PORT 0x510     /* 16-bit selector; the data byte is the port after it */
#define FW_CFG_DMA_PORT 0x514 /* 64-bit address of a descriptor, in two halves */
#define FW_CFG_PORTS 12

enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_CPU_COUNT = 0x05,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_FILE_DIRECTORY = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
};

#define FW_CFG_FILE_NAME_SIZE 56 /* with the NUL that ends it */

typedef struct FwCfg FwCfg;

/* The device with signature, interfaces and an empty directory, at its ports. */
FwCfg *fw_cfg_new(void);
void fw_cfg_free(FwCfg *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwCfg, fw_cfg_free)

/* Sets item @key to a copy of @bytes, or to a little-endian number. */
void fw_cfg_set(FwCfg *config, uint16_t key, const void *bytes, gsize size);
void fw_cfg_set_u16(FwCfg *config, uint16_t key, uint16_t value);
void fw_cfg_set_u64(FwCfg *config, uint16_t key, uint64_t value);

/*
 * Adds a file and enters it in the directory; FALSE with @error if its name is too long or taken,
 * it is 4 GiB or longer, or all keys are in use.
 */
gboolean fw_cfg_add_file(FwCfg *config, const char *name, const void *bytes, gsize size,
                         GError **error);

/* Adds a file for each element of @options, which is an array of what -fw_cfg says, or NULL. */
gboolean fw_cfg_add_options(FwCfg *config, json_object *options, GError **error);

#endif
