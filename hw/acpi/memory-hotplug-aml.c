/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's interpreter does with the memory hot-plug controller (memory-hotplug.c): methods
 * that the devices of slots ask (memory-slots-aml.c), and what is done at an event.
 */
#include "memory-hotplug-registers.h"
#include "tables.h"

#define NOTIFY_BUS_CHECK 0u
#define NOTIFY_DEVICE_CHECK 1u
#define NOTIFY_EJECT_REQUEST 3u
#define STATE_PRESENT 0x0fu /* _STA: there, enabled, shown, working (6.3.7) */
#define NO_SLOT 0xffffffffu
#define GROUP_SHIFT 6u
#define WAIT_MILLISECONDS 20u
#define WAIT_ROUNDS 250u
G_STATIC_ASSERT(ACPI_MEMORY_GROUP == 1u << GROUP_SHIFT);

/* Offsets in a QWord address space descriptor (6.4.3.5.1). */
enum { SPACE_FIRST = 14, SPACE_LAST = 22, SPACE_LENGTH = 38 };

/* --- the registers --- */

static void write_registers(Aml *aml)
{
    aml_region(aml, "HREG", AML_SYSTEM_IO, ACPI_MEMORY_BASE, MEMORY_BLOCK_SIZE);
    /* Read: the selected slot's place. */
    aml_field(aml, "HREG", AML_DWORD_ACCESS);
    aml_field_unit(aml, "HADL", 32);
    aml_field_unit(aml, "HADH", 32);
    aml_field_unit(aml, "HSZL", 32);
    aml_field_unit(aml, "HSZH", 32);
    aml_field_unit(aml, "HNOD", 32);
    aml_field_unit(aml, NULL, 32);
    aml_field_unit(aml, "HNXT", 32);
    aml_field_unit(aml, "HPRS", 32);
    aml_end(aml);
    /* Read: its flags; written: what is taken back, and the eject. */
    aml_field(aml, "HREG", AML_BYTE_ACCESS);
    aml_field_unit(aml, NULL, 8 * READ_FLAGS);
    aml_field_unit(aml, "HFLG", 8);
    aml_end(aml);
    aml_field(aml, "HREG", AML_BYTE_ACCESS);
    aml_field_unit(aml, NULL, 8 * READ_FLAGS);
    aml_field_unit(aml, NULL, 1);
    aml_field_unit(aml, "HINS", 1);
    aml_field_unit(aml, "HRMV", 1);
    aml_field_unit(aml, "HEJT", 1);
    aml_end(aml);
    /* Written. */
    aml_field(aml, "HREG", AML_DWORD_ACCESS);
    aml_field_unit(aml, "HSEL", 32);
    aml_field_unit(aml, "HOEV", 32);
    aml_field_unit(aml, "HOST", 32);
    aml_end(aml);
    aml_mutex(aml, "HLCK");
    /* The last slot of the group that HWTG() waits for, and how often its _STA was asked for. */
    aml_name(aml, "HWAT");
    aml_integer(aml, NO_SLOT);
    aml_name(aml, "HSEN");
    aml_integer(aml, 0);
}

static void write_store_argument(Aml *aml, unsigned argument, const char *target)
{
    aml_operator(aml, AML_STORE);
    aml_argument(aml, argument);
    aml_reference(aml, target);
}

/* From here to unlock() the selected slot stays selected: Arg0. */
static void write_lock_and_select(Aml *aml)
{
    aml_operator(aml, AML_ACQUIRE);
    aml_reference(aml, "HLCK");
    aml_word(aml, 0xffff);
    write_store_argument(aml, 0, "HSEL");
}

static void write_unlock(Aml *aml)
{
    aml_operator(aml, AML_RELEASE);
    aml_reference(aml, "HLCK");
}

/* --- methods of the controller, of which Arg0 is a slot --- */

/* Memory of which the guest has not been told yet is not there: an operating system that looks
 * through all devices just now would find it by itself, and then wonder about the event. */
static void write_state_method(Aml *aml)
{
    aml_method(aml, "HSTA", 1, FALSE);
    aml_if(aml);
    aml_operator(aml, AML_EQUAL);
    aml_argument(aml, 0);
    aml_reference(aml, "HWAT");
    aml_operator(aml, AML_INCREMENT);
    aml_reference(aml, "HSEN");
    aml_end(aml);
    write_lock_and_select(aml);
    aml_operator(aml, AML_STORE);
    aml_reference(aml, "HFLG");
    aml_local(aml, 0);
    write_unlock(aml);
    aml_if(aml);
    aml_operator(aml, AML_EQUAL);
    aml_operator(aml, AML_AND);
    aml_local(aml, 0);
    aml_integer(aml, FLAG_ENABLED | FLAG_INSERTING);
    aml_no_target(aml);
    aml_integer(aml, FLAG_ENABLED);
    aml_operator(aml, AML_RETURN);
    aml_integer(aml, STATE_PRESENT);
    aml_end(aml);
    aml_operator(aml, AML_RETURN);
    aml_integer(aml, 0);
    aml_end(aml);
}

static void write_node_method(Aml *aml)
{
    aml_method(aml, "HPXM", 1, FALSE);
    write_lock_and_select(aml);
    aml_operator(aml, AML_STORE);
    aml_reference(aml, "HNOD");
    aml_local(aml, 0);
    write_unlock(aml);
    aml_operator(aml, AML_RETURN);
    aml_local(aml, 0);
    aml_end(aml);
}

/* Local@local = high << 32 | low */
static void write_join(Aml *aml, const char *low, const char *high, unsigned local)
{
    aml_operator(aml, AML_STORE);
    aml_operator(aml, AML_OR);
    aml_operator(aml, AML_SHIFT_LEFT);
    aml_reference(aml, high);
    aml_integer(aml, 32);
    aml_no_target(aml);
    aml_reference(aml, low);
    aml_no_target(aml);
    aml_local(aml, local);
}

static void write_window(Aml *aml, unsigned offset, const char *name)
{
    aml_operator(aml, AML_CREATE_QWORD_FIELD);
    aml_reference(aml, "HRES");
    aml_integer(aml, offset);
    aml_reference(aml, name);
}

static void write_resources_method(Aml *aml)
{
    AmlResources *resources = aml_resources_new();

    aml_resource_memory64(resources, 0, 0);
    aml_method(aml, "HCRS", 1, TRUE);
    aml_name(aml, "HRES");
    aml_resources(aml, resources);
    write_window(aml, SPACE_FIRST, "HMIN");
    write_window(aml, SPACE_LAST, "HMAX");
    write_window(aml, SPACE_LENGTH, "HLEN");
    write_lock_and_select(aml);
    write_join(aml, "HADL", "HADH", 0);
    write_join(aml, "HSZL", "HSZH", 1);
    write_unlock(aml);
    aml_operator(aml, AML_STORE);
    aml_local(aml, 0);
    aml_reference(aml, "HMIN");
    aml_operator(aml, AML_STORE);
    aml_local(aml, 1);
    aml_reference(aml, "HLEN");
    aml_operator(aml, AML_SUBTRACT);
    aml_operator(aml, AML_ADD);
    aml_local(aml, 0);
    aml_local(aml, 1);
    aml_no_target(aml);
    aml_integer(aml, 1);
    aml_reference(aml, "HMAX");
    aml_operator(aml, AML_RETURN);
    aml_reference(aml, "HRES");
    aml_end(aml);
}

/* HRPT(slot, event, status): _OST. */
static void write_report_method(Aml *aml)
{
    aml_method(aml, "HRPT", 3, FALSE);
    write_lock_and_select(aml);
    write_store_argument(aml, 1, "HOEV");
    write_store_argument(aml, 2, "HOST");
    write_unlock(aml);
    aml_end(aml);
}

static void write_set_flag(Aml *aml, const char *flag)
{
    aml_operator(aml, AML_STORE);
    aml_integer(aml, 1);
    aml_reference(aml, flag);
}

static void write_eject_method(Aml *aml)
{
    aml_method(aml, "HEJ0", 1, FALSE);
    write_lock_and_select(aml);
    write_set_flag(aml, "HEJT");
    write_unlock(aml);
    aml_end(aml);
}

/* --- groups of slots --- */

/* Local2 = the group of the slot in Local0 */
static void write_group_of(Aml *aml)
{
    aml_operator(aml, AML_SHIFT_RIGHT);
    aml_local(aml, 0);
    aml_integer(aml, GROUP_SHIFT);
    aml_local(aml, 2);
}

static void write_break(Aml *aml)
{
    aml_operator(aml, AML_BREAK);
    aml_end(aml);
}

/* What Local0 is when there is no slot left: no number of one. */
static void write_break_if_none(Aml *aml, uint32_t slots)
{
    aml_if(aml);
    aml_operator(aml, AML_LESS);
    aml_integer(aml, slots - 1);
    aml_local(aml, 0);
    write_break(aml);
}

/*
 * _INI, before the guest looks for devices: loads the groups that hold memory.  Local1 is the first
 * slot that has not been looked at.
 */
static void write_start_method(Aml *aml, uint32_t slots)
{
    aml_method(aml, "_INI", 0, FALSE);
    aml_operator(aml, AML_STORE);
    aml_integer(aml, 0);
    aml_local(aml, 1);
    aml_while(aml);
    aml_operator(aml, AML_LESS);
    aml_local(aml, 1);
    aml_integer(aml, slots);
    aml_operator(aml, AML_STORE);
    aml_local(aml, 1);
    aml_reference(aml, "HSEL");
    aml_operator(aml, AML_STORE);
    aml_reference(aml, "HPRS");
    aml_local(aml, 0);
    write_break_if_none(aml, slots);
    aml_if(aml); /* nonsense must not keep us here */
    aml_operator(aml, AML_LESS);
    aml_local(aml, 0);
    aml_local(aml, 1);
    write_break(aml);
    write_group_of(aml);
    aml_reference(aml, "HLOD");
    aml_local(aml, 2);
    aml_operator(aml, AML_SHIFT_LEFT);
    aml_operator(aml, AML_ADD);
    aml_local(aml, 2);
    aml_integer(aml, 1);
    aml_no_target(aml);
    aml_integer(aml, GROUP_SHIFT);
    aml_local(aml, 1);
    aml_end(aml);
    aml_end(aml);
}

/*
 * HWTG(): the guest notices a loaded table by itself, but later, and knows no device of it before.
 * It makes objects of all of them first, in their order, and looks at each again after that: the
 * second _STA of the last one says that it is through.  If it does not come the guest is asked to
 * look (5.6.6: bus check).
 */
static void write_wait_method(Aml *aml)
{
    aml_method(aml, "HWTG", 0, TRUE);
    aml_operator(aml, AML_STORE);
    aml_integer(aml, 0);
    aml_local(aml, 0);
    aml_while(aml);
    aml_operator(aml, AML_LESS);
    aml_reference(aml, "HSEN");
    aml_integer(aml, 2);
    aml_if(aml);
    aml_operator(aml, AML_EQUAL);
    aml_local(aml, 0);
    aml_integer(aml, WAIT_ROUNDS);
    aml_operator(aml, AML_NOTIFY);
    aml_reference(aml, "\\_SB.MHPC");
    aml_integer(aml, NOTIFY_BUS_CHECK);
    write_break(aml);
    aml_operator(aml, AML_SLEEP);
    aml_integer(aml, WAIT_MILLISECONDS);
    aml_operator(aml, AML_INCREMENT);
    aml_local(aml, 0);
    aml_end(aml);
    aml_operator(aml, AML_STORE);
    aml_integer(aml, NO_SLOT);
    aml_reference(aml, "HWAT");
    aml_end(aml);
}

/* Within HSCN, Local0 being a slot: its group is there from here on. */
static void write_need_group(Aml *aml)
{
    write_group_of(aml);
    aml_if(aml);
    aml_operator(aml, AML_LOGICAL_NOT);
    aml_operator(aml, AML_DEREFERENCE);
    aml_operator(aml, AML_INDEX);
    aml_reference(aml, "HGRP");
    aml_local(aml, 2);
    aml_no_target(aml);
    aml_operator(aml, AML_STORE);
    aml_integer(aml, 0);
    aml_reference(aml, "HSEN");
    aml_operator(aml, AML_OR);
    aml_local(aml, 0);
    aml_integer(aml, ACPI_MEMORY_GROUP - 1);
    aml_reference(aml, "HWAT");
    aml_reference(aml, "HLOD");
    aml_local(aml, 2);
    aml_reference(aml, "HWTG");
    aml_end(aml);
}

/* --- events --- */

/* The flag is taken back first: _STA follows it. */
static void write_event_of(Aml *aml, const char *flag, unsigned event)
{
    aml_if(aml);
    aml_reference(aml, flag);
    write_set_flag(aml, flag);
    aml_reference(aml, "HTFY");
    aml_local(aml, 0);
    aml_integer(aml, event);
    aml_end(aml);
}

/* HSCN: serves slots in which something waits until there is none. */
static void write_scan_method(Aml *aml, uint32_t slots)
{
    aml_method(aml, "HSCN", 0, TRUE);
    aml_while(aml);
    aml_integer(aml, 1);
    aml_operator(aml, AML_STORE);
    aml_reference(aml, "HNXT");
    aml_local(aml, 0);
    write_break_if_none(aml, slots);
    write_need_group(aml);
    aml_operator(aml, AML_ACQUIRE);
    aml_reference(aml, "HLCK");
    aml_word(aml, 0xffff);
    aml_operator(aml, AML_STORE);
    aml_local(aml, 0);
    aml_reference(aml, "HSEL");
    write_event_of(aml, "HINS", NOTIFY_DEVICE_CHECK);
    write_event_of(aml, "HRMV", NOTIFY_EJECT_REQUEST);
    write_unlock(aml);
    aml_end(aml);
    aml_end(aml);
}

void acpi_memory_hotplug_write_aml(Aml *aml, uint32_t slots)
{
    AmlResources *resources = aml_resources_new();

    aml_device(aml, "MHPC");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0A06");
    aml_name(aml, "_UID");
    aml_string(aml, "memory hot-plug");
    aml_resource_io(resources, ACPI_MEMORY_BASE, MEMORY_BLOCK_SIZE);
    aml_name(aml, "_CRS");
    aml_resources(aml, resources);
    write_registers(aml);
    write_state_method(aml);
    write_node_method(aml);
    write_resources_method(aml);
    write_report_method(aml);
    write_eject_method(aml);
    acpi_memory_slots_write_loader(aml, slots);
    acpi_memory_slots_write_notify(aml, slots);
    write_wait_method(aml);
    write_start_method(aml, slots);
    write_scan_method(aml, slots);
    aml_end(aml);
}

void acpi_memory_hotplug_write_event(Aml *aml)
{
    G_STATIC_ASSERT(ACPI_GPE_MEMORY == 3);
    aml_method(aml, "_E03", 0, FALSE);
    aml_reference(aml, "\\_SB.MHPC.HSCN");
    aml_end(aml);
}
