/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel images made by hand: a bzImage of boot protocol 2.12 (Linux,
 * Documentation/arch/x86/boot.rst) and an ELF image with a PVH note.
 */
#ifndef QTEST_LINUX_IMAGES_H
#define QTEST_LINUX_IMAGES_H

#include <asm/bootparam.h>
#include <elf.h>
#include <glib.h>
#include <stddef.h>
#include <string.h>

#define IMAGE_SETUP_SIZE (3 * 512u) /* of the bzImage: one sector and two of setup */
#define IMAGE_KERNEL_SIZE 5000u
#define IMAGE_KERNEL_ADDRESS 0x200000u /* where both want to be */
#define IMAGE_INIT_SIZE 0x8000u        /* what both need from there on */
#define IMAGE_ENTRY 0x200123u          /* of the ELF image */
#define IMAGE_HEADER 0x1f1u            /* of the bzImage */

/* Byte @index of the kernel proper. */
static inline guint8 image_byte(guint index)
{
    return (guint8)(index * 7 + index / 256);
}

static inline void image_add_kernel(GByteArray *image)
{
    for (guint i = 0; i < IMAGE_KERNEL_SIZE; i++) {
        guint8 byte = image_byte(i);
        g_byte_array_append(image, &byte, 1);
    }
}

static inline struct setup_header *image_header(GByteArray *image)
{
    return (struct setup_header *)(void *)(image->data + IMAGE_HEADER);
}

static inline GByteArray *image_bzimage(void)
{
    GByteArray *image = g_byte_array_new();
    struct setup_header header = {
        .setup_sects = IMAGE_SETUP_SIZE / 512 - 1,
        .syssize = (IMAGE_KERNEL_SIZE + 15) / 16,
        .boot_flag = 0xaa55,
        /* A short jump behind the header: its length says where the header ends. */
        .jump = (guint16)(0xeb | (IMAGE_HEADER + sizeof(header) - 0x202) << 8),
        .header = 0x53726448,
        .version = 0x020c,
        .loadflags = LOADED_HIGH,
        .xloadflags = XLF_KERNEL_64,
        .initrd_addr_max = 0x7fffffff,
        .cmdline_size = 255,
        .pref_address = IMAGE_KERNEL_ADDRESS,
        .init_size = IMAGE_INIT_SIZE,
        .kernel_alignment = 0x200000,
    };

    g_byte_array_set_size(image, IMAGE_SETUP_SIZE);
    memset(image->data, 0x90, image->len);
    memcpy(image->data + IMAGE_HEADER, &header, sizeof(header));
    image_add_kernel(image);
    return image;
}

typedef struct ElfImage {
    Elf64_Ehdr head;
    Elf64_Phdr note_segment, load_segment;
    Elf64_Nhdr other; /* one that is not ours, with a name that has to be padded */
    char other_name[8], other_description[4];
    Elf64_Nhdr note;
    char name[4];
    guint32 entry;
} ElfImage;

static inline ElfImage *image_elf_head(GByteArray *image)
{
    return (ElfImage *)(void *)image->data;
}

static inline GByteArray *image_elf(void)
{
    GByteArray *image = g_byte_array_new();
    ElfImage elf = {
        .head = {.e_type = ET_EXEC,
                 .e_machine = EM_X86_64,
                 .e_version = EV_CURRENT,
                 .e_phoff = offsetof(ElfImage, note_segment),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_ehsize = sizeof(Elf64_Ehdr),
                 .e_phnum = 2},
        .note_segment = {.p_type = PT_NOTE,
                         .p_offset = offsetof(ElfImage, other),
                         .p_filesz = sizeof(ElfImage) - offsetof(ElfImage, other)},
        .load_segment = {.p_type = PT_LOAD,
                         .p_offset = sizeof(ElfImage),
                         .p_vaddr = UINT64_C(0xffffffff80000000),
                         .p_paddr = IMAGE_KERNEL_ADDRESS,
                         .p_filesz = IMAGE_KERNEL_SIZE,
                         .p_memsz = IMAGE_INIT_SIZE},
        .other = {.n_namesz = 6, .n_descsz = 3, .n_type = 18},
        .other_name = "Linux",
        .note = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},
        .name = "Xen",
        .entry = IMAGE_ENTRY,
    };

    memcpy(elf.head.e_ident, ELFMAG, SELFMAG);
    elf.head.e_ident[EI_CLASS] = ELFCLASS64;
    elf.head.e_ident[EI_DATA] = ELFDATA2LSB;
    elf.head.e_ident[EI_VERSION] = EV_CURRENT;
    g_byte_array_append(image, (const guint8 *)&elf, sizeof(elf));
    image_add_kernel(image);
    return image;
}

#endif
