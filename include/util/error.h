/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error domain of everything that a user can see.  The code only chooses the
 * error class that QMP reports; the message is complete in itself: it begins
 * with what the user named, and says which value was wrong and what is right.
 */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <glib.h>

#define VM_ERROR (vm_error_quark())

typedef enum {
    VM_ERROR_GENERIC,           /* QMP class GenericError */
    VM_ERROR_COMMAND_NOT_FOUND, /* QMP class CommandNotFound */
    VM_ERROR_DEVICE_NOT_FOUND,  /* QMP class DeviceNotFound */
    VM_ERROR_DEVICE_NOT_ACTIVE, /* QMP class DeviceNotActive */
} VmErrorCode;

GQuark vm_error_quark(void);

/* Shorthand for g_set_error(error, VM_ERROR, VM_ERROR_GENERIC, ...). Any thread. */
void vm_error_set(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* As vm_error_set(), with ": " and the text of errno value @code appended. */
void vm_error_set_errno(GError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/*
 * Returns the QMP class name for @error: "DeviceNotFound" and so on for the
 * VM_ERROR domain, "GenericError" for every other domain.  Static storage.
 */
const char *vm_error_class(const GError *error);

#endif
