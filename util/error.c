/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Error domain of everything that a user can see. */
#include "util/error.h"

G_DEFINE_QUARK(vm - error - quark, vm_error)

static void set_message(GError **error, char *message)
{
    g_set_error_literal(error, VM_ERROR, VM_ERROR_GENERIC, message);
    g_free(message);
}

void vm_error_set(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_message(error, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void vm_error_set_errno(GError **error, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    set_message(error, g_strconcat(message, ": ", g_strerror(code), NULL));
}

const char *vm_error_class(const GError *error)
{
    static const char *const names[] = {
        [VM_ERROR_GENERIC] = "GenericError",
        [VM_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
        [VM_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
        [VM_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
    };

    if (error->domain != VM_ERROR || (guint)error->code >= G_N_ELEMENTS(names)) {
        return names[VM_ERROR_GENERIC];
    }
    return names[error->code];
}
