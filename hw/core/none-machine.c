/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "-machine none": no board, for clients that ask what the program can do. */
#include "hw/core/machine.h"

typedef Machine NoneMachine;
typedef MachineClass NoneMachineClass;

GType none_machine_get_type(void);

static void none_machine_class_init(NoneMachineClass *class)
{
    VM_OBJECT_CLASS(class)->description = "empty machine";
    class->name = "none";
}

static void none_machine_init(NoneMachine *machine G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("none-machine", NoneMachine, NoneMachineClass, none_machine, TYPE_MACHINE, 0);
