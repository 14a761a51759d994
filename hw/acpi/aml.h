/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes ACPI Machine Language (ACPI 6.4, 20) term by term, in the order in which the language has
 * them: an operator, then its operands.  A term that contains others is begun and ended.
 *
 *     aml_device(aml, "PCI0");
 *     aml_name(aml, "_HID");
 *     aml_eisa_id(aml, "PNP0A03");
 *     aml_end(aml);
 *
 * Any thread; an Aml is used by one at a time.
 */
#ifndef HW_ACPI_AML_H
#define HW_ACPI_AML_H

#include <glib.h>
#include <stdint.h>

typedef struct Aml Aml;

Aml *aml_new(void);
void aml_free(Aml *aml);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aml, aml_free)

/* What was written; everything that was begun has been ended.  Borrowed. */
const GByteArray *aml_bytes(const Aml *aml);

/* --- operators, followed by their operands (20.2.5) --- */
typedef enum AmlOperator {
    AML_STORE = 0x70,              /* value, target */
    AML_ADD = 0x72,                /* value, value, target */
    AML_SUBTRACT = 0x74,           /* value, value, target */
    AML_INCREMENT = 0x75,          /* target */
    AML_SHIFT_LEFT = 0x79,         /* value, count, target */
    AML_SHIFT_RIGHT = 0x7a,        /* value, count, target */
    AML_AND = 0x7b,                /* value, value, target */
    AML_OR = 0x7d,                 /* value, value, target */
    AML_DEREFERENCE = 0x83,        /* reference */
    AML_NOTIFY = 0x86,             /* object, value */
    AML_INDEX = 0x88,              /* buffer, byte index, target */
    AML_CREATE_DWORD_FIELD = 0x8a, /* buffer, byte index, name */
    AML_CREATE_BYTE_FIELD = 0x8c,  /* buffer, byte index, name */
    AML_CREATE_QWORD_FIELD = 0x8f, /* buffer, byte index, name */
    AML_OBJECT_TYPE = 0x8e,        /* name or variable */
    AML_LOGICAL_AND = 0x90,        /* value, value */
    AML_LOGICAL_NOT = 0x92,        /* value */
    AML_EQUAL = 0x93,              /* value, value */
    AML_LESS = 0x95,               /* value, value */
    AML_RETURN = 0xa4,             /* value */
    AML_BREAK = 0xa5,
    AML_LOAD = 0x5b20,    /* name of a buffer, target */
    AML_SLEEP = 0x5b22,   /* milliseconds */
    AML_ACQUIRE = 0x5b23, /* mutex; aml_word() of the time-out, 0xffff for ever */
    AML_RELEASE = 0x5b27, /* mutex */
} AmlOperator;
void aml_operator(Aml *aml, AmlOperator operator);

/* --- operands --- */

/* A name: "FOO", "FOO_BAR1" is wrong, "\\_SB.PCI0", "^^FOO" are right; segments are filled up with
 * underscores.  Calls of methods, too, followed by their arguments. */
void aml_reference(Aml *aml, const char *path);
/* The shortest form that holds @value. */
void aml_integer(Aml *aml, uint64_t value);
void aml_word(Aml *aml, uint16_t value);      /* two raw bytes, for Acquire */
void aml_string(Aml *aml, const char *text);  /* ASCII */
void aml_eisa_id(Aml *aml, const char *id);   /* "PNP0A03" as the number that _HID takes */
void aml_local(Aml *aml, unsigned number);    /* Local0 to Local7 */
void aml_argument(Aml *aml, unsigned number); /* Arg0 to Arg6 */
void aml_no_target(Aml *aml);                 /* where an operator wants a target and none is */
void aml_buffer(Aml *aml, const void *bytes, gsize size);

/* --- terms --- */

void aml_name(Aml *aml, const char *name); /* Name(name, ...): the value follows */
void aml_mutex(Aml *aml, const char *name);

void aml_scope(Aml *aml, const char *path);
void aml_device(Aml *aml, const char *name);
/* @arguments 0 to 7.  Serialized: one thread in it at a time. */
void aml_method(Aml *aml, const char *name, unsigned arguments, gboolean serialized);
void aml_package(Aml *aml, uint8_t elements); /* the elements follow */
void aml_if(Aml *aml);                        /* the condition follows, then what is done */
void aml_else(Aml *aml);                      /* right behind the end of an if */
void aml_while(Aml *aml);                     /* as aml_if() */
void aml_end(Aml *aml);                       /* of the last one that was begun */

typedef enum AmlSpace { AML_SYSTEM_MEMORY = 0, AML_SYSTEM_IO = 1 } AmlSpace;
/* OperationRegion(name, space, address, size). */
void aml_region(Aml *aml, const char *name, AmlSpace space, uint64_t address, uint64_t size);

/* Field(region, access, NoLock, WriteAsZeros): fields follow, then aml_end(). */
typedef enum AmlAccess { AML_BYTE_ACCESS = 1, AML_DWORD_ACCESS = 3 } AmlAccess;
void aml_field(Aml *aml, const char *region, AmlAccess access);
void aml_field_unit(Aml *aml, const char *name, unsigned bits); /* name NULL: skipped bits */

/* --- resource templates (6.4): descriptors in a buffer of their own --- */
typedef GByteArray AmlResources;
AmlResources *aml_resources_new(void);
void aml_resource_io(AmlResources *resources, uint16_t first,
                     uint8_t length);                          /* fixed, 16-bit decode */
void aml_resource_irq(AmlResources *resources, unsigned line); /* edge, high, not shared */
/* An interrupt of the I/O APIC: level, high, shared. */
void aml_resource_interrupt(AmlResources *resources, uint32_t line);
void aml_resource_buses(AmlResources *resources, uint16_t first, uint16_t last);
void aml_resource_ports(AmlResources *resources, uint16_t first, uint16_t last);
void aml_resource_memory32(AmlResources *resources, uint32_t first, uint32_t last);
void aml_resource_memory64(AmlResources *resources, uint64_t first, uint64_t last);
/* Writes the template as a Buffer with its end tag, and frees it. */
void aml_resources(Aml *aml, AmlResources *resources);

#endif
