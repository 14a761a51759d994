/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that start, stop, reset and end the machine, and those that say what it is. */
#include "monitor/qmp.h"

#include "accel/accel.h"
#include "system/identity.h"
#include "system/run-state.h"

#include <string.h>

static json_object *query_status(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *status = json_object_new_object();

    json_add_string(status, "status", run_state_name(run_state_get()));
    json_add_bool(status, "running", run_state_is_running());
    return status;
}

static void stopped(gpointer opaque)
{
    qmp_request_answer(opaque, NULL, NULL);
}

static void stop(QmpRequest *request, json_object *arguments G_GNUC_UNUSED)
{
    run_state_stop(stopped, request);
}

static json_object *cont(json_object *arguments G_GNUC_UNUSED, GError **error)
{
    run_state_start(error);
    return NULL;
}

static json_object *system_reset(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    return NULL;
}

static json_object *system_powerdown(json_object *arguments G_GNUC_UNUSED,
                                     GError **error G_GNUC_UNUSED)
{
    run_state_request_powerdown();
    return NULL;
}

/* The request is carried out by the main loop: the answer leaves first. */
static json_object *quit(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    return NULL;
}

static json_object *query_name(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *answer = json_object_new_object();

    if (identity_name()) {
        json_add_string(answer, "name", identity_name());
    }
    return answer;
}

static json_object *query_uuid(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *answer = json_object_new_object();

    json_add_string(answer, "UUID", identity_uuid());
    return answer;
}

static json_object *query_target(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    json_object *answer = json_object_new_object();

    json_add_string(answer, "arch", "x86_64");
    return answer;
}

static json_object *query_kvm(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    Accel *accel = accel_current();
    json_object *answer = json_object_new_object();

    json_add_bool(answer, "enabled", accel && strcmp(ACCEL_GET_CLASS(accel)->name, "kvm") == 0);
    json_add_bool(answer, "present", vm_type_find("kvm-accel") != 0);
    return answer;
}

static const QmpCommand commands[] = {
    {.name = "query-status",
     .returns = "StatusInfo",
     .doc = "The run state of the virtual machine.",
     .flags = QMP_COMMAND_OOB,
     .run = query_status},
    {.name = "stop",
     .doc = "Pauses the virtual machine; answered when every device has come to rest.",
     .start = stop},
    {.name = "cont",
     .doc = "Lets the virtual machine run, for the first time or again. Fails after a shutdown "
            "and an internal error: reset the machine first.",
     .run = cont},
    {.name = "system_reset",
     .doc = "Resets the machine as its reset button would. The event RESET tells when it is "
            "done.",
     .run = system_reset},
    {.name = "system_powerdown",
     .doc = "Presses the power button; whether the guest heeds it is its own decision.",
     .run = system_powerdown},
    {.name = "quit",
     .doc = "Ends the program in an orderly way; the answer comes before.",
     .flags = QMP_COMMAND_OOB,
     .run = quit},
    {.name = "query-name",
     .returns = "NameInfo",
     .doc = "The name of the virtual machine (-name).",
     .flags = QMP_COMMAND_OOB,
     .run = query_name},
    {.name = "query-uuid",
     .returns = "UuidInfo",
     .doc = "The UUID of the virtual machine (-uuid).",
     .flags = QMP_COMMAND_OOB,
     .run = query_uuid},
    {.name = "query-target",
     .returns = "TargetInfo",
     .doc = "The architecture of the guest.",
     .flags = QMP_COMMAND_OOB,
     .run = query_target},
    {.name = "query-kvm",
     .returns = "KvmInfo",
     .doc = "Whether this program can use KVM, and whether it does.",
     .flags = QMP_COMMAND_OOB,
     .run = query_kvm},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "RunState",
     .kind = QMP_ENUM,
     .members = "prelaunch, running, paused, shutdown, internal-error, guest-panicked",
     .doc = "prelaunch: never ran (-S); paused: by stop; shutdown: the guest switched itself "
            "off; internal-error: a CPU cannot go on; guest-panicked: the guest said so. After "
            "shutdown and internal-error the machine must be reset before it runs again."},
    {.name = "StatusInfo",
     .kind = QMP_OBJECT,
     .members = "running:bool, status:RunState",
     .doc = "The run state; running says whether the guest makes progress."},
    {.name = "NameInfo",
     .kind = QMP_OBJECT,
     .members = "*name:str",
     .doc = "The name, where there is one."},
    {.name = "UuidInfo",
     .kind = QMP_OBJECT,
     .members = "UUID:str",
     .doc = "The UUID, all zeros where none was given."},
    {.name = "SysEmuTarget", .kind = QMP_ENUM, .members = "x86_64", .doc = "An architecture."},
    {.name = "TargetInfo",
     .kind = QMP_OBJECT,
     .members = "arch:SysEmuTarget",
     .doc = "The architecture of the guest."},
    {.name = "KvmInfo",
     .kind = QMP_OBJECT,
     .members = "enabled:bool, present:bool",
     .doc = "enabled: KVM runs the guest; present: this program was built with KVM."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
