/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the object model share among themselves. */
#ifndef UTIL_OBJECT_PRIVATE_H
#define UTIL_OBJECT_PRIVATE_H

#include "util/object.h"

/* The fields of a type by name and in order; made at first use, never freed. */
typedef struct ObjectFields {
    GPtrArray *order;    /* const VmField */
    GHashTable *by_name; /* name -> const VmField */
} ObjectFields;

const ObjectFields *object_fields(GType type);

/* A member's value, whatever its kind. */
typedef union FieldValue {
    uint64_t uint64; /* first, and none is wider: {0} clears only the first (C11 6.7.9, 21) */
    gboolean boolean;
    uint8_t uint8;
    uint16_t uint16;
    uint32_t uint32;
    int32_t int32;
    int enumeration;
    char *string;
    VmObject *link;
    GArray *list;
} FieldValue;

G_STATIC_ASSERT(sizeof(FieldValue) == sizeof(uint64_t));

/* TRUE if the value lives in the instance struct. */
gboolean field_has_member(const VmField *field);
gsize field_size(const VmField *field);
/* Copies the member out or in; ownership of what it points to goes along. */
FieldValue field_load(const VmField *field, VmObject *object);
void field_store(const VmField *field, VmObject *object, FieldValue value);
/* Releases what @value owns. */
void field_value_clear(const VmField *field, FieldValue value);
/* The whole range of @field if it gives none. */
void field_range(const VmField *field, guint64 *minimum, guint64 *maximum);

/*
 * Checks @value and brings it into the JSON type of the field, whatever way it
 * was written.  New reference, or NULL with @error (about the value only).
 */
json_object *field_convert(const VmField *field, json_object *value, GError **error);
/* A converted value as the member holds it, owned by the caller. */
gboolean field_from_json(const VmField *field, json_object *value, FieldValue *result,
                         GError **error);
json_object *field_to_json(const VmField *field, FieldValue value);

/* Lets GObject reach the fields. */
void object_class_init_properties(GObjectClass *class);
/* VmObject's part of the life of an object (object.c calls these). */
void object_init_defaults(VmObject *object, GType type);
void object_release_members(VmObject *object);
/* Drops all children and forgets the table of them. */
void object_release_children(VmObject *object);

#endif
