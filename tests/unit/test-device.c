/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a device, with a type that finishes when the test says so. */
#include "hw/core/device.h"
#include "system/main-loop.h"
#include "util/error.h"
#include "util/options.h"

typedef struct Dummy {
    Device parent;
    int mode;
    uint32_t number;
    char *text;
} Dummy;

typedef DeviceClass DummyClass;

enum { MODE_DONE, MODE_FAIL, MODE_PENDING, MODE_PENDING_FAIL };
static const char *const modes[] = {"done", "fail", "pending", "pending-fail", NULL};

static guint resets, requests;
static gboolean refuse_request;
static GPtrArray *unrealized;

VM_DECLARE_TYPE(Dummy, dummy, DUMMY)

static const VmField dummy_fields[] = {
    {.name = "mode",
     .doc = "how realize ends",
     .kind = VM_FIELD_ENUM,
     .offset = G_STRUCT_OFFSET(Dummy, mode),
     .names = modes},
    {.name = "number",
     .doc = "a number",
     .kind = VM_FIELD_UINT32,
     .offset = G_STRUCT_OFFSET(Dummy, number),
     .default_value = 7,
     .minimum = 1,
     .maximum = 9},
    {.name = "text",
     .doc = "a text",
     .kind = VM_FIELD_STRING,
     .offset = G_STRUCT_OFFSET(Dummy, text),
     .flags = VM_FIELD_REQUIRED},
    {.name = NULL},
};

static void finish_realize(gpointer opaque)
{
    GError *error = NULL;

    if (DUMMY(opaque)->mode == MODE_PENDING_FAIL) {
        vm_error_set(&error, "device failed late");
    }
    device_realize_done(opaque, error);
}

static DeviceProgress realize(Device *device, GError **error)
{
    switch (DUMMY(device)->mode) {
    case MODE_DONE:
        return DEVICE_DONE;
    case MODE_FAIL:
        vm_error_set(error, "device failed at once");
        return DEVICE_FAILED;
    default:
        main_loop_post(finish_realize, device);
        return DEVICE_PENDING;
    }
}

static void finish_unrealize(gpointer opaque)
{
    device_unrealize_done(opaque);
}

static DeviceProgress unrealize(Device *device)
{
    g_ptr_array_add(unrealized, g_strdup(VM_OBJECT(device)->id));
    if (DUMMY(device)->mode == MODE_DONE) {
        return DEVICE_DONE;
    }
    main_loop_post(finish_unrealize, device);
    return DEVICE_PENDING;
}

static gboolean unplug_request(Device *device G_GNUC_UNUSED, GError **error)
{
    requests++;
    if (refuse_request) {
        vm_error_set(error, "the guest cannot be asked");
    }
    return !refuse_request;
}

static void reset(Device *device G_GNUC_UNUSED)
{
    resets++;
}

static void dummy_class_init(DummyClass *class)
{
    class->user_creatable = TRUE;
    class->hotpluggable = TRUE;
    class->realize = realize;
    class->unrealize = unrealize;
    class->unplug_request = unplug_request;
    class->reset = reset;
    vm_object_class_install_fields(class, dummy_fields);
}

static void dummy_init(Dummy *dummy G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("test-device", Dummy, DummyClass, dummy, TYPE_DEVICE, 0);

/* On a bus, not hot-pluggable, unplugged without asking. */
typedef Dummy Card;
typedef DummyClass CardClass;
VM_DECLARE_TYPE(Card, card, CARD)

static void card_class_init(CardClass *class)
{
    class->bus = "PCI";
    class->hotpluggable = FALSE;
    class->unplug_request = NULL;
}

static void card_init(Card *card G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("test-card", Card, CardClass, card, dummy_get_type(), 0);

typedef struct Outcome {
    guint calls;
    char *message; /* NULL: success */
} Outcome;

static void note(Device *device G_GNUC_UNUSED, const GError *error, gpointer opaque)
{
    Outcome *outcome = opaque;

    outcome->calls++;
    outcome->message = error ? g_strdup(error->message) : NULL;
}

/* What device_add() says in the end: NULL for success. Caller frees. */
static char *add(const char *text)
{
    g_autoptr(GError) error = NULL;
    Outcome outcome = {0, NULL};
    json_object *options = options_parse(text, "driver", NULL, &error);

    g_assert_no_error(error);
    if (!device_add(options, note, &outcome, &error)) {
        g_assert_cmpuint(outcome.calls, ==, 0);
        json_object_put(options);
        return g_strdup(error->message);
    }
    json_object_put(options);
    while (outcome.calls == 0) {
        main_loop_turn();
    }
    g_assert_cmpuint(outcome.calls, ==, 1);
    return outcome.message;
}

static void assert_added(const char *text)
{
    g_autofree char *message = add(text);

    g_assert_cmpstr(message, ==, NULL);
}

static Device *find(const char *id)
{
    return device_find(id, NULL);
}

static void assert_refused(const char *text, const char *culprit)
{
    g_autofree char *message = add(text);

    g_assert_nonnull(message);
    if (!strstr(message, culprit)) {
        g_error("'%s': the message '%s' does not say '%s'", text, message, culprit);
    }
}

static void clean_up(void)
{
    device_cleanup_all();
    g_ptr_array_set_size(unrealized, 0);
    resets = requests = 0;
    refuse_request = FALSE;
}

static void test_bad_options(void)
{
    static const char *const rows[][2] = {
        {"nothing", "device type 'nothing' does not exist"},
        {"memory-backend-ram", "device type 'memory-backend-ram' does not exist"},
        {"device", "'device' is abstract"},
        {"id=d0", "'driver' is missing"},
        {"test-device,id=d0", "device 'd0': property 'text'"},
        {"test-device,id=0d,text=x", "0d"},
        {"test-device,id=d0,text=x,speed=1", "speed"},
        {"test-device,id=d0,text=x,number=0", "device 'd0': property 'number'"},
        {"test-device,id=d0,text=x,number=10", "device 'd0': property 'number'"},
        {"test-device,id=d0,text=x,mode=never", "never"},
        {"test-device,id=d0,text=x,realized=on", "realized"},
        {"test-device,id=d0,text=x,bus=pci.0", "sits on no bus"},
        {"test-card,id=d0,text=x,bus=isa.0", "goes on 'pci.0'"},
        {"test-device,id=d0,text=x,mode=fail", "failed at once"},
        {"test-device,id=d0,text=x,mode=pending-fail", "failed late"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_refused(rows[i][0], rows[i][1]);
        g_assert_null(vm_object_find("machine/peripheral", "d0"));
    }
    assert_added("test-device,id=d0,text=x");
    assert_refused("test-device,id=d0,text=x", "Duplicate ID 'd0'");
    assert_added("test-card,id=d1,text=x,bus=pci.0");
    clean_up();
}

static void test_class_of_error(void)
{
    g_autoptr(GError) type_error = NULL;
    g_autoptr(GError) id_error = NULL;

    g_assert_true(device_type_find("nothing", &type_error) == 0);
    g_assert_cmpstr(vm_error_class(type_error), ==, "DeviceNotFound");
    g_assert_null(device_find("nobody", &id_error));
    g_assert_cmpstr(vm_error_class(id_error), ==, "DeviceNotFound");
    g_assert_cmpstr(id_error->message, ==, "Device 'nobody' not found");
}

static void test_delete(void)
{
    g_autoptr(GError) error = NULL;

    assert_added("test-device,id=d0,text=x,mode=pending");
    g_assert_true(find("d0")->realized);
    refuse_request = TRUE;
    g_assert_false(device_delete("d0", &error));
    g_assert_cmpstr(error->message, ==, "the guest cannot be asked");
    g_assert_false(find("d0")->unplug_requested);
    g_clear_error(&error);

    refuse_request = FALSE;
    g_assert_true(device_delete("/machine/peripheral/d0", NULL));
    g_assert_true(find("d0")->unplug_requested);
    g_assert_false(device_delete("d0", &error));
    g_assert_nonnull(strstr(error->message, "already"));
    g_clear_error(&error);

    device_unplug_refused(find("d0"));
    g_assert_false(find("d0")->unplug_requested);
    g_assert_true(device_delete("d0", NULL));
    device_unplug(find("d0"));
    g_assert_true(find("d0")->busy);
    device_unplug(find("d0")); /* an eject that comes twice */
    g_assert_false(device_delete("d0", &error));
    g_assert_nonnull(strstr(error->message, "still being removed"));
    while (find("d0")) {
        main_loop_turn();
    }
    g_assert_cmpuint(unrealized->len, ==, 1);
    assert_added("test-device,id=d0,text=x");
    clean_up();
}

static void test_delete_while_added(void)
{
    g_autoptr(GError) error = NULL;
    Outcome outcome = {0, NULL};
    json_object *options =
        options_parse("test-device,id=d0,text=x,mode=pending", "driver", NULL, NULL);

    g_assert_true(device_add(options, note, &outcome, NULL));
    json_object_put(options);
    g_assert_false(device_delete("d0", &error));
    g_assert_nonnull(strstr(error->message, "still being added"));
    device_unplug(find("d0"));
    device_reset_all();
    g_assert_cmpuint(resets, ==, 0);
    /* The program ends now: it waits for the device, and the caller is told. */
    clean_up();
    g_assert_cmpuint(outcome.calls, ==, 1);
    g_assert_null(outcome.message);
    g_assert_null(find("d0"));
}

static void test_reset(void)
{
    assert_added("test-device,id=d0,text=x");
    assert_added("test-device,id=d1,text=x,mode=pending");
    assert_added("test-device,text=x");
    g_assert_nonnull(vm_object_container("machine/peripheral-anon")->child_order.head);
    g_assert_true(device_delete("d0", NULL));
    device_reset_all();
    g_assert_null(find("d0"));
    g_assert_cmpuint(resets, ==, 2);
    clean_up();
    g_assert_null(vm_object_container("machine/peripheral-anon")->child_order.head);
}

static void test_hotplug(void)
{
    assert_added("test-card,id=c0,text=x");
    g_assert_false(find("c0")->hotplugged);
    device_set_machine_complete();
    assert_refused("test-card,id=c1,text=x", "no hot-plug");
    assert_added("test-device,id=d0,text=x");
    g_assert_true(find("d0")->hotplugged);
    g_autoptr(GError) error = NULL;
    g_assert_false(device_delete("c0", &error));
    g_assert_nonnull(strstr(error->message, "cannot be unplugged"));
    clean_up();
}

static void test_order_at_exit(void)
{
    assert_added("test-device,id=d0,text=x,mode=pending");
    assert_added("test-card,id=c0,text=x,mode=pending");
    assert_added("test-device,id=d1,text=x");
    device_cleanup_all();
    g_assert_cmpuint(unrealized->len, ==, 3);
    g_assert_cmpstr(unrealized->pdata[0], ==, "c0");
    g_assert_cmpstr(unrealized->pdata[1], ==, "d1");
    g_assert_cmpstr(unrealized->pdata[2], ==, "d0");
    clean_up();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    unrealized = g_ptr_array_new_with_free_func(g_free);
    main_loop_init();
    g_test_add_func("/device/bad-options", test_bad_options);
    g_test_add_func("/device/class-of-error", test_class_of_error);
    g_test_add_func("/device/delete", test_delete);
    g_test_add_func("/device/delete-while-added", test_delete_while_added);
    g_test_add_func("/device/reset", test_reset);
    g_test_add_func("/device/hotplug", test_hotplug);
    g_test_add_func("/device/order-at-exit", test_order_at_exit);
    int result = g_test_run();
    g_ptr_array_unref(unrealized);
    return result;
}
