/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS tables (DMTF DSP0134, 3.7.0): what the guest reads about the machine, its maker and its
 * memory.  Main thread.
 */
#ifndef HW_SMBIOS_SMBIOS_H
#define HW_SMBIOS_SMBIOS_H

#include <glib.h>
#include <json-c/json.h>
#include <stdint.h>

/* Where a guest without firmware looks for the entry point (5.2.2), each 16 bytes, and how much
 * room there is for it and the structures. */
#define SMBIOS_AREA UINT64_C(0xf0000)
#define SMBIOS_AREA_SIZE 0x10000u

typedef struct SmbiosBoard {
    const char *machine;           /* name of its type */
    const char *name;              /* of the guest, NULL: none */
    const char *uuid;              /* of the guest */
    guint sockets, cores, threads; /* cores a socket, threads a core */
    uint64_t low_ram;              /* bytes from address 0 on */
    uint64_t high_base, high_ram;  /* where RAM above 4 GiB begins, and its bytes */
    uint64_t maximum_ram;          /* bytes that the machine may grow to */
    uint32_t memory_slots;         /* for devices that come later */
    json_object *options;          /* array of what each -smbios says, NULL: none */
} SmbiosBoard;

/*
 * Entry point and structures as they are to lie at SMBIOS_AREA.  NULL with @error for options that
 * are unknown or wrong, or need more room than there is.  The caller frees.
 */
GByteArray *smbios_tables_new(const SmbiosBoard *board, GError **error);

#endif
