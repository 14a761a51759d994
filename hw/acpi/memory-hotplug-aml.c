/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's interpreter does with the memory hot-plug controller (memory-hotplug.c): a
 * device for each slot, thousands of them, so each is as short as it can be and asks one of the
 * controller's methods.
 */
#include "memory-hotplug-registers.h"
#include "tables.h"

#define NOTIFY_DEVICE_CHECK 1u
#define NOTIFY_EJECT_REQUEST 3u
#define STATE_PRESENT 0x0fu /* _STA: there, enabled, shown, working (6.3.7) */
#define NO_SLOT 0xffffffffu

/* Offsets in a QWord address space descriptor (6.4.3.5.1). */
enum { SPACE_FIRST = 14, SPACE_LAST = 22, SPACE_LENGTH = 38 };

/* "M" and the slot in base 36: names have four characters.  The controller's own names begin with
 * "H", so that no slot is called like one of them. */
static void slot_name(char name[5], uint32_t slot)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    name[0] = 'M';
    for (guint i = 3; i > 0; i--, slot /= 36) {
        name[i] = digits[slot % 36];
    }
    name[4] = '\0';
}

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
    aml_end(aml);
    /* Read: its flags; written: what is taken back, and the eject. */
    aml_field(aml, "HREG", AML_BYTE_ACCESS);
    aml_field_unit(aml, NULL, 8 * READ_FLAGS);
    aml_field_unit(aml, "HENA", 1);
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

static void write_state_method(Aml *aml)
{
    aml_method(aml, "HSTA", 1, FALSE);
    write_lock_and_select(aml);
    aml_operator(aml, AML_STORE);
    aml_integer(aml, 0);
    aml_local(aml, 0);
    aml_if(aml);
    aml_reference(aml, "HENA");
    aml_operator(aml, AML_STORE);
    aml_integer(aml, STATE_PRESENT);
    aml_local(aml, 0);
    aml_end(aml);
    write_unlock(aml);
    aml_operator(aml, AML_RETURN);
    aml_local(aml, 0);
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

/* --- events --- */

/* Within HTFY(slot, event): a tree of comparisons, since the language cannot compute a name. */
static void write_choice(Aml *aml, uint32_t first, uint32_t last)
{
    char name[5];

    if (first == last) {
        slot_name(name, first);
        aml_operator(aml, AML_NOTIFY);
        aml_reference(aml, name);
        aml_argument(aml, 1);
        return;
    }
    uint32_t middle = first + (last - first + 1) / 2;
    aml_if(aml);
    aml_operator(aml, AML_LESS);
    aml_argument(aml, 0);
    aml_integer(aml, middle);
    write_choice(aml, first, middle - 1);
    aml_end(aml);
    aml_else(aml);
    write_choice(aml, middle, last);
    aml_end(aml);
}

static void write_event_of(Aml *aml, const char *flag, unsigned event)
{
    aml_if(aml);
    aml_reference(aml, flag);
    aml_reference(aml, "HTFY");
    aml_local(aml, 0);
    aml_integer(aml, event);
    write_set_flag(aml, flag); /* takes it back */
    aml_end(aml);
}

/* HSCN: serves slots in which something waits until there is none. */
static void write_scan_method(Aml *aml)
{
    aml_method(aml, "HSCN", 0, FALSE);
    aml_operator(aml, AML_ACQUIRE);
    aml_reference(aml, "HLCK");
    aml_word(aml, 0xffff);
    aml_while(aml);
    aml_integer(aml, 1);
    aml_operator(aml, AML_STORE);
    aml_reference(aml, "HNXT");
    aml_local(aml, 0);
    aml_if(aml);
    aml_operator(aml, AML_EQUAL);
    aml_local(aml, 0);
    aml_integer(aml, NO_SLOT);
    aml_operator(aml, AML_BREAK);
    aml_end(aml);
    aml_operator(aml, AML_STORE);
    aml_local(aml, 0);
    aml_reference(aml, "HSEL");
    write_event_of(aml, "HINS", NOTIFY_DEVICE_CHECK);
    write_event_of(aml, "HRMV", NOTIFY_EJECT_REQUEST);
    aml_end(aml);
    write_unlock(aml);
    aml_end(aml);
}

/* --- slots --- */

static void write_call(Aml *aml, const char *method, uint32_t slot)
{
    aml_reference(aml, method);
    aml_integer(aml, slot);
}

static void write_answer(Aml *aml, const char *name, const char *method, uint32_t slot)
{
    aml_method(aml, name, 0, FALSE);
    aml_operator(aml, AML_RETURN);
    write_call(aml, method, slot);
    aml_end(aml);
}

static void write_slot(Aml *aml, uint32_t slot)
{
    char name[5];

    slot_name(name, slot);
    aml_device(aml, name);
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0C80");
    aml_name(aml, "_UID");
    aml_integer(aml, slot);
    write_answer(aml, "_STA", "HSTA", slot);
    write_answer(aml, "_CRS", "HCRS", slot);
    write_answer(aml, "_PXM", "HPXM", slot);
    aml_method(aml, "_OST", 3, FALSE);
    write_call(aml, "HRPT", slot);
    aml_argument(aml, 0);
    aml_argument(aml, 1);
    aml_end(aml);
    aml_method(aml, "_EJ0", 1, FALSE);
    write_call(aml, "HEJ0", slot);
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
    aml_method(aml, "HTFY", 2, FALSE);
    write_choice(aml, 0, slots - 1);
    aml_end(aml);
    write_scan_method(aml);
    for (uint32_t slot = 0; slot < slots; slot++) {
        write_slot(aml, slot);
    }
    aml_end(aml);
}

void acpi_memory_hotplug_write_event(Aml *aml)
{
    G_STATIC_ASSERT(ACPI_GPE_MEMORY == 3);
    aml_method(aml, "_E03", 0, FALSE);
    aml_reference(aml, "\\_SB.MHPC.HSCN");
    aml_end(aml);
}
