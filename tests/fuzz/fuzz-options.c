/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as an option, a number, a size, an address, a property.  An error comes exactly if
 * there is no result; what is accepted, written again, gives the same result.
 */
#include "fuzz.h"
#include "hw/pci/pci.h"
#include "system/command-line.h"
#include "system/identity.h"
#include "util/json.h"
#include "util/options.h"
#include "util/size.h"

#include <string.h>

static void check_error(gboolean good, const GError *error)
{
    fuzz_require(good == !error);
    fuzz_require(!error || *error->message);
}

/* --- options --- */

static void spell_item(GString *text, const char *key, json_object *value)
{
    g_auto(GStrv) parts = g_strsplit(json_object_get_string(value), ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", parts);

    g_string_append_printf(text, "%s%s=%s", text->len ? "," : "", key, escaped);
}

/* The key=value form of what came from that form. */
static char *spell(json_object *options)
{
    GString *text = g_string_new(NULL);

    json_object_object_foreach(options, key, value)
    {
        if (!json_object_is_type(value, json_type_array)) {
            spell_item(text, key, value);
            continue;
        }
        for (gsize i = 0; i < json_object_array_length(value); i++) {
            spell_item(text, key, json_object_array_get_idx(value, i));
        }
    }
    return g_string_free(text, FALSE);
}

static void check_options(const char *text, const char *implied_key)
{
    static const char *const lists[] = {"host-nodes", "a", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) options = options_parse(text, implied_key, lists, &error);
    gboolean flag;
    uint64_t number;

    check_error(options != NULL, error);
    if (!options) {
        return;
    }
    fuzz_require(json_object_is_type(options, json_type_object));
    if (*text != '{') {
        g_autofree char *spelled = spell(options);
        g_autoptr(json_object) again = options_parse(spelled, NULL, lists, NULL);
        /* "no{" is key "{", which looks like JSON when it is the first. */
        fuzz_require(*spelled == '{' || json_object_equal(options, again));
    }
    options_take_bool(options, "-x", "b", &flag, NULL);
    options_take_number(options, "-x", "n", 2, 5, &number, NULL);
    options_take_size(options, "-x", "s", 'M', &number, NULL);
    options_check_empty(options, "-x", "b, n, s", NULL);
}

/* --- numbers --- */

static void check_number(const char *text, uint64_t minimum, uint64_t maximum)
{
    g_autoptr(GError) error = NULL;
    uint64_t value = 0;
    gboolean good = number_parse(text, minimum, maximum, &value, &error);

    check_error(good, error);
    fuzz_require(!good || (value >= minimum && value <= maximum));
}

static void check_size(const char *text, char suffix)
{
    g_autoptr(GError) error = NULL;
    uint64_t bytes = 0;
    uint64_t again;
    gboolean good = size_parse(text, suffix, &bytes, &error);

    check_error(good, error);
    if (good) {
        g_autofree char *plain = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
        g_autofree char *shown = size_format(bytes);

        fuzz_require(*shown && size_parse(plain, 'B', &again, NULL) && again == bytes);
    }
}

static void check_bool(const char *text)
{
    g_autoptr(GError) error = NULL;
    gboolean value = 2;
    gboolean good = bool_parse(text, &value, &error);

    check_error(good, error);
    fuzz_require(!good || value == TRUE || value == FALSE);
}

/* --- addresses and names --- */

static void check_pci_address(const char *text)
{
    g_autoptr(GError) error = NULL;
    uint8_t devfn = 0;
    uint8_t again;
    gboolean good = pci_address_parse(text, &devfn, &error);

    check_error(good, error);
    if (good) {
        g_autofree char *spelled = g_strdup_printf("%02x.%x", devfn >> 3, devfn & 7);

        fuzz_require(pci_address_parse(spelled, &again, NULL) && again == devfn);
    }
}

static void check_uuid(const char *text)
{
    g_autoptr(GError) error = NULL;
    gboolean good = identity_set_uuid(text, &error);

    check_error(good, error);
    fuzz_require(!good || g_ascii_strcasecmp(identity_uuid(), text) == 0);
}

static void check_command_line(char *text)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = g_strsplit(text, "\n", -1);
    g_autoptr(GArray) items = command_line_parse((int)g_strv_length(words), words, &error);

    check_error(items != NULL, error);
}

/* --- properties --- */

/* What get gives, set takes, and it does not change. */
static void check_read_back(VmObject *object, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) value = vm_object_get_json(object, name, &error);
    fuzz_require(value && !error);
    gboolean good = vm_object_set_json(object, name, value, &error);
    fuzz_require(good && !error);
    g_autoptr(json_object) again = vm_object_get_json(object, name, NULL);
    fuzz_require(json_object_equal(value, again));
}

static void check_property(FuzzInput *input)
{
    static const char *const types[] = {"memory-backend-file", "memory-backend-memfd", "pc-dimm",
                                        "vhost-user-blk-pci", "pc-machine"};
    const char *name = types[fuzz_byte(input) % G_N_ELEMENTS(types)];
    const GPtrArray *fields = vm_type_fields(vm_type_find(name));
    const VmField *field = g_ptr_array_index(fields, fuzz_byte(input) % fields->len);
    g_autoptr(VmObject) object = vm_object_new(vm_type_find(name), "o", NULL);
    g_autofree char *text = fuzz_text(input);
    g_autoptr(GError) error = NULL;
    gboolean good;

    if (*text == '[' || *text == '{') {
        g_autoptr(json_object) value = json_parse(text, NULL);
        if (!value) {
            return;
        }
        good = vm_object_set_json(object, field->name, value, &error);
    } else {
        good = vm_object_set_string(object, field->name, text, &error);
    }
    check_error(good, error);
    if (good) {
        check_read_back(object, field->name);
    }
    vm_object_check_required(object, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    uint8_t kind = fuzz_byte(&input) % 9;

    if (kind == 8) {
        check_property(&input);
        return 0;
    }
    g_autofree char *text = fuzz_text(&input);
    switch (kind) {
    case 0:
        check_options(text, NULL);
        break;
    case 1:
        check_options(text, "driver");
        break;
    case 2:
        check_number(text, 0, UINT64_MAX);
        check_number(text, 3, 300);
        break;
    case 3:
        check_size(text, 'B');
        check_size(text, 'M');
        check_size(text, 'E');
        break;
    case 4:
        check_bool(text);
        id_is_valid(text);
        break;
    case 5:
        check_pci_address(text);
        break;
    case 6:
        check_uuid(text);
        break;
    default:
        check_command_line(text);
    }
    return 0;
}
