/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: query-memdev. */
#include "backends/host-memory.h"
#include "monitor/qmp.h"

static void copy_property(json_object *entry, VmObject *object, const char *name)
{
    json_object_object_add(entry, name, vm_object_get_json(object, name, NULL));
}

static void describe(VmObject *object, gpointer opaque)
{
    static const char *const names[] = {"size",  "merge",   "dump",       "prealloc",
                                        "share", "reserve", "host-nodes", "policy"};
    json_object *entry;

    if (!g_type_is_a(G_OBJECT_TYPE(object), TYPE_HOST_MEMORY)) {
        return;
    }
    entry = json_object_new_object();
    json_add_string(entry, "id", object->id);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        copy_property(entry, object, names[i]);
    }
    json_object_array_add(opaque, entry);
}

static json_object *query_memdev(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    vm_object_foreach_child(vm_object_container("objects"), describe, list);
    return list;
}

static const QmpCommand commands[] = {
    {.name = "query-memdev",
     .returns = "[Memdev]",
     .doc = "The memory backends that exist.",
     .run = query_memdev},
    {.name = NULL},
};

static const QmpType types[] = {
    {"HostMemPolicy", QMP_ENUM, "default, preferred, bind, interleave",
     "How the pages of a memory backend are spread over host nodes.", NULL},
    {"Memdev", QMP_OBJECT,
     "*id:str, size:size, merge:bool, dump:bool, prealloc:bool, share:bool, *reserve:bool, "
     "host-nodes:[uint16], policy:HostMemPolicy",
     "A memory backend.", NULL},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
