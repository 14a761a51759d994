/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: how many pages the guest has written to. */
#include "monitor/qmp.h"

#include "system/memory.h"

static json_object *switch_log(json_object *arguments, GError **error)
{
    if (qmp_bool(arguments, "enable", FALSE)) {
        memory_log_start(error);
    } else {
        memory_log_stop();
    }
    return NULL;
}

static guint64 count_bits(const uint64_t *bits, uint64_t pages)
{
    guint64 count = 0;

    for (uint64_t word = 0; word < (pages + 63) / 64; word++) {
        count += (guint64)__builtin_popcountll(bits[word]);
    }
    return count;
}

static json_object *query_log(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    GArray *sections = memory_sections_copy(NULL);
    json_object *list = json_object_new_array();

    for (guint i = 0; i < sections->len && list; i++) {
        const MemorySection *section = &g_array_index(sections, MemorySection, i);
        g_autofree uint64_t *bits = memory_log_take(section, error);
        if (!bits) {
            json_object_put(g_steal_pointer(&list));
            break;
        }
        json_object *entry = json_object_new_object();
        json_add_uint(entry, "address", section->guest_address);
        json_add_uint(entry, "size", section->size);
        json_add_uint(entry, "pages",
                      count_bits(bits, (section->size + MEMORY_LOG_PAGE - 1) / MEMORY_LOG_PAGE));
        json_object_array_add(list, entry);
    }
    memory_sections_free(sections);
    return list;
}

static const QmpCommand commands[] = {
    {.name = "x-dirty-log",
     .arguments = "enable:bool",
     .doc = "From now on KVM notes which pages of RAM the guest writes to, or does not any more.",
     .run = switch_log},
    {.name = "x-query-dirty-log",
     .returns = "[DirtyLogSection]",
     .doc =
         "How many pages of 4 KiB of each section of RAM the guest has written to since the last "
         "time. The next time begins at none.",
     .run = query_log},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "DirtyLogSection",
     .kind = QMP_OBJECT,
     .members = "address:uint64, size:uint64, pages:uint64",
     .doc = "A section of RAM and the pages in it that were written to."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
