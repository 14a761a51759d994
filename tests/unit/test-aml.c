/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AML terms against bytes worked out by hand from ACPI 6.4, 20.2, and resources from 6.4. */
#include "../../hw/acpi/aml.h"

#include <string.h>

/* Checks what was written against @hexadecimal, two digits a byte, blanks between. */
static void check_bytes(const GByteArray *bytes, const char *hexadecimal)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < bytes->len; i++) {
        g_string_append_printf(text, "%s%02x", i ? " " : "", bytes->data[i]);
    }
    g_assert_cmpstr(text->str, ==, hexadecimal);
}

static void check(Aml *aml, const char *hexadecimal)
{
    check_bytes(aml_bytes(aml), hexadecimal);
    aml_free(aml);
}

/* --- 20.2.4: what a length takes, at its borders --- */

static void test_lengths(void)
{
    /* A scope's contents: its name of 4 bytes, then @filler more. */
    static const struct {
        guint filler;
        const char *head;
    } cases[] = {
        {0, "10 05 5f 53 42 5f"},
        {58, "10 3f 5f 53 42 5f"},         /* 63: the most in one byte */
        {59, "10 41 04 5f 53 42 5f"},      /* one more content: 65 with two */
        {4089, "10 4f ff 5f 53 42 5f"},    /* 4095: the most in two */
        {4090, "10 81 00 01 5f 53 42 5f"}, /* 4097 with three */
        {1048568, "10 8f ff ff 5f 53 42 5f"},
        {1048569, "10 c1 00 00 01 5f 53 42 5f"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Aml *aml = aml_new();
        aml_scope(aml, "_SB");
        for (guint byte = 0; byte < cases[i].filler; byte++) {
            aml_integer(aml, 0);
        }
        aml_end(aml);
        guint head = (guint)(strlen(cases[i].head) + 1) / 3;
        g_autoptr(GByteArray) begin = g_byte_array_new();
        g_byte_array_append(begin, aml_bytes(aml)->data, head);
        check_bytes(begin, cases[i].head);
        g_assert_cmpuint(aml_bytes(aml)->len, ==, head + cases[i].filler);
        aml_free(aml);
    }
}

/* An inner term that grows past a border makes the outer one longer, too. */
static void test_nested(void)
{
    Aml *aml = aml_new();

    aml_device(aml, "D");
    aml_method(aml, "_STA", 0, FALSE);
    aml_operator(aml, AML_RETURN);
    aml_integer(aml, 15);
    aml_end(aml);
    aml_method(aml, "M", 7, TRUE);
    aml_end(aml);
    aml_end(aml);
    check(aml, "5b 82 16 44 5f 5f 5f 14 09 5f 53 54 41 00 a4 0a 0f 14 06 4d 5f 5f 5f 0f");
}

static void test_integers(void)
{
    Aml *aml = aml_new();

    aml_integer(aml, 0);
    aml_integer(aml, 1);
    aml_integer(aml, 2);
    aml_integer(aml, 0xff);
    aml_integer(aml, 0x100);
    aml_integer(aml, 0xffff);
    aml_integer(aml, 0x10000);
    aml_integer(aml, 0xffffffff);
    aml_integer(aml, UINT64_C(0x100000000));
    aml_integer(aml, UINT64_MAX);
    check(aml, "00 01 0a 02 0a ff 0b 00 01 0b ff ff 0c 00 00 01 00 0c ff ff ff ff "
               "0e 00 00 00 00 01 00 00 00 0e ff ff ff ff ff ff ff ff");
}

/* --- 20.2.2 --- */

static void test_names(void)
{
    Aml *aml = aml_new();

    aml_reference(aml, "A");
    aml_reference(aml, "\\");
    aml_reference(aml, "\\_SB");
    aml_reference(aml, "^^FOO");
    aml_reference(aml, "\\_SB.PCI0");
    aml_reference(aml, "^A.B.C");
    check(aml, "41 5f 5f 5f 5c 00 5c 5f 53 42 5f 5e 5e 46 4f 4f 5f "
               "5c 2e 5f 53 42 5f 50 43 49 30 5e 2f 03 41 5f 5f 5f 42 5f 5f 5f 43 5f 5f 5f");
}

/* PNP0A03 is 0x41d00a03 with its bytes in order: P 16, N 14, P 16 are 10000 01110 10000. */
static void test_data(void)
{
    const uint8_t bytes[] = {1, 2, 3};
    Aml *aml = aml_new();

    aml_eisa_id(aml, "PNP0A03");
    aml_eisa_id(aml, "ACP0000");
    aml_string(aml, "hi");
    aml_string(aml, "");
    aml_buffer(aml, bytes, sizeof(bytes));
    aml_package(aml, 2);
    aml_integer(aml, 5);
    aml_reference(aml, "LNKA");
    aml_end(aml);
    check(aml, "0c 41 d0 0a 03 0c 04 70 00 00 0d 68 69 00 0d 00 11 06 0a 03 01 02 03 "
               "12 08 02 0a 05 4c 4e 4b 41");
}

static void test_operators(void)
{
    Aml *aml = aml_new();

    aml_operator(aml, AML_ACQUIRE);
    aml_reference(aml, "LCK");
    aml_word(aml, 0xffff);
    aml_if(aml);
    aml_operator(aml, AML_LESS);
    aml_argument(aml, 6);
    aml_local(aml, 7);
    aml_operator(aml, AML_BREAK);
    aml_end(aml);
    aml_else(aml);
    aml_operator(aml, AML_ADD);
    aml_local(aml, 0);
    aml_integer(aml, 1);
    aml_no_target(aml);
    aml_end(aml);
    aml_while(aml);
    aml_integer(aml, 1);
    aml_end(aml);
    aml_operator(aml, AML_RELEASE);
    aml_reference(aml, "LCK");
    aml_mutex(aml, "LCK");
    aml_name(aml, "X");
    aml_integer(aml, 1);
    check(aml, "5b 23 4c 43 4b 5f ff ff a0 05 95 6e 67 a5 a1 05 72 60 01 00 a2 02 01 "
               "5b 27 4c 43 4b 5f 5b 01 4c 43 4b 5f 00 08 58 5f 5f 5f 01");
}

/* 20.2.5.2: the widths of fields are coded as lengths are, but do not count themselves. */
static void test_fields(void)
{
    Aml *aml = aml_new();

    aml_region(aml, "REG", AML_SYSTEM_IO, 0xa00, 0x1c);
    aml_field(aml, "REG", AML_DWORD_ACCESS);
    aml_field_unit(aml, "A", 63);
    aml_field_unit(aml, NULL, 64);
    aml_field_unit(aml, "B", 4095);
    aml_field_unit(aml, NULL, 4096);
    aml_field_unit(aml, NULL, 1048576);
    aml_end(aml);
    aml_field(aml, "REG", AML_BYTE_ACCESS);
    aml_end(aml);
    check(aml, "5b 80 52 45 47 5f 01 0b 00 0a 0a 1c "
               "5b 81 1d 52 45 47 5f 43 41 5f 5f 5f 3f 00 40 04 42 5f 5f 5f 4f ff 00 80 00 01 "
               "00 c0 00 00 01 "
               "5b 81 06 52 45 47 5f 41");
}

/* --- 6.4 --- */

static void check_resource(AmlResources *resources, const char *hexadecimal)
{
    check_bytes(resources, hexadecimal);
    g_byte_array_set_size(resources, 0);
}

static void test_resources(void)
{
    AmlResources *resources = aml_resources_new();
    Aml *aml = aml_new();

    aml_resource_io(resources, 0x3f8, 8); /* 6.4.2.5 */
    check_resource(resources, "47 01 f8 03 f8 03 01 08");
    aml_resource_irq(resources, 4); /* 6.4.2.1, the form of two bytes */
    check_resource(resources, "22 10 00");
    aml_resource_irq(resources, 15);
    check_resource(resources, "22 00 80");
    aml_resource_interrupt(resources, 16); /* 6.4.3.6: consumer, level, high, shared */
    check_resource(resources, "89 06 00 09 01 10 00 00 00");
    aml_resource_buses(resources, 0, 0xff); /* 6.4.3.5.3 */
    check_resource(resources, "88 0d 00 02 0c 00 00 00 00 00 ff 00 00 00 00 01");
    aml_resource_ports(resources, 0xd00, 0xffff);
    check_resource(resources, "88 0d 00 01 0c 03 00 00 00 0d ff ff 00 00 00 f3");
    aml_resource_memory32(resources, 0xe0000000, 0xfebfffff); /* 6.4.3.5.2 */
    check_resource(resources, "87 17 00 00 0c 01 00 00 00 00 00 00 00 e0 ff ff bf fe 00 00 00 00 "
                              "00 00 c0 1e");
    aml_resource_memory64(resources, UINT64_C(0x100000000), UINT64_C(0x1ffffffff)); /* 6.4.3.5.1 */
    check_resource(resources, "8a 2b 00 00 0c 03 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 "
                              "ff ff ff ff 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 "
                              "00 00");
    aml_resource_irq(resources, 4);
    aml_resources(aml, resources); /* frees them; 6.4.2.9: the end tag */
    check(aml, "11 08 0a 05 22 10 00 79 00");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/aml/lengths", test_lengths);
    g_test_add_func("/aml/nested", test_nested);
    g_test_add_func("/aml/integers", test_integers);
    g_test_add_func("/aml/names", test_names);
    g_test_add_func("/aml/data", test_data);
    g_test_add_func("/aml/operators", test_operators);
    g_test_add_func("/aml/fields", test_fields);
    g_test_add_func("/aml/resources", test_resources);
    return g_test_run();
}
