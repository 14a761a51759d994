/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/error.h"
#include "util/json.h"
#include "util/object.h"

#include <stddef.h>
#include <string.h>

/* A type with every kind of field, and a subtype that adds one and is creatable. */
typedef struct Animal {
    VmObject parent;
    gboolean tame;
    uint8_t legs;
    uint16_t teeth;
    uint32_t hairs;
    uint64_t cells;
    int32_t mood;
    uint64_t weight;
    char *name;
    int colour;
    uint16_t tail_length;
    VmObject *mate;
    GArray *litters;
} Animal;

typedef VmObjectClass AnimalClass;
VM_DECLARE_TYPE(Animal, animal, ANIMAL)
VM_DEFINE_TYPE("animal", Animal, AnimalClass, animal, VM_TYPE_OBJECT, G_TYPE_FLAG_ABSTRACT);

static const char *const colours[] = {"grey", "brown", "white", NULL};

static json_object *animal_get_age(VmObject *object G_GNUC_UNUSED)
{
    return json_object_new_int(7);
}

static gboolean animal_legs_changed(VmObject *object, GError **error)
{
    if (ANIMAL(object)->legs % 2) {
        vm_error_set(error, "%u is odd", ANIMAL(object)->legs);
        return FALSE;
    }
    return TRUE;
}

static gboolean animal_set_secret(VmObject *object, json_object *value,
                                  GError **error G_GNUC_UNUSED)
{
    ANIMAL(object)->cells = json_object_get_uint64(value) + 1;
    return TRUE;
}

#define FIELD(member) .name = #member, .doc = "the " #member, .offset = offsetof(Animal, member)

static const VmField animal_fields[] = {
    {FIELD(tame), .kind = VM_FIELD_BOOL, .default_value = TRUE},
    {FIELD(legs), .kind = VM_FIELD_UINT8, .default_value = 4, .changed = animal_legs_changed},
    {FIELD(teeth), .kind = VM_FIELD_UINT16, .minimum = 2, .maximum = 40, .default_value = 30},
    {FIELD(tail_length), .kind = VM_FIELD_UINT16, .default_value = 12},
    {FIELD(hairs), .kind = VM_FIELD_UINT32, .default_value = UINT32_MAX},
    {FIELD(cells), .kind = VM_FIELD_UINT64},
    {FIELD(mood), .kind = VM_FIELD_INT32, .default_value = (guint64)-1},
    {FIELD(weight), .kind = VM_FIELD_SIZE, .flags = VM_FIELD_REQUIRED},
    {FIELD(name), .kind = VM_FIELD_STRING, .flags = VM_FIELD_LIVE},
    {FIELD(colour), .kind = VM_FIELD_ENUM, .names = colours, .default_value = 1},
    {FIELD(mate), .kind = VM_FIELD_LINK, .link_type = animal_get_type},
    {FIELD(litters), .kind = VM_FIELD_UINT16_LIST},
    {.name = "age", .doc = "years", .kind = VM_FIELD_UINT32, .get = animal_get_age},
    {.name = "secret", .doc = "x", .kind = VM_FIELD_UINT64, .set = animal_set_secret},
    {.name = NULL},
};

static void animal_class_init(AnimalClass *class)
{
    vm_object_class_install_fields(class, animal_fields);
}

static void animal_init(Animal *animal)
{
    g_assert_cmpuint(animal->legs, ==, 4);
}

typedef struct Cat {
    Animal parent;
    uint32_t lives;
} Cat;

VM_DECLARE_TYPE(Cat, cat, CAT)
VM_DEFINE_TYPE("test-cat", Cat, AnimalClass, cat, animal_get_type(), 0);

static const VmField cat_fields[] = {
    {.name = "lives",
     .doc = "how many",
     .kind = VM_FIELD_UINT32,
     .offset = offsetof(Cat, lives),
     .default_value = 9},
    {.name = NULL},
};

static guint cats_alive;

static gboolean cat_complete(VmObject *object, GError **error)
{
    if (CAT(object)->lives == 0) {
        vm_error_set(error, "object '%s': a cat needs a life", object->id);
        return FALSE;
    }
    return TRUE;
}

static void cat_finalize(GObject *object)
{
    cats_alive--;
    G_OBJECT_CLASS(g_type_class_peek(animal_get_type()))->finalize(object);
}

static void cat_class_init(AnimalClass *class)
{
    class->complete = cat_complete;
    G_OBJECT_CLASS(class)->finalize = cat_finalize;
    vm_object_class_install_fields(class, cat_fields);
}

static void cat_init(Cat *cat G_GNUC_UNUSED)
{
    cats_alive++;
}

static VmObject *new_cat(const char *id)
{
    return vm_object_new(cat_get_type(), id, NULL);
}

/* Creates from JSON text; returns the error's message or NULL. */
static char *create(const char *text)
{
    g_autoptr(json_object) options = json_parse(text, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(options);
    return vm_object_create(options, &error) ? NULL : g_strdup(error->message);
}

static void check_text(VmObject *object, const char *name, const char *expected)
{
    g_autoptr(json_object) value = vm_object_get_json(object, name, NULL);

    g_assert_cmpstr(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE),
                    ==, expected);
}

static void test_defaults(void)
{
    g_autoptr(VmObject) cat = new_cat("tom");
    static const char *const rows[][2] = {
        {"tame", "true"}, {"legs", "4"},         {"teeth", "30"},         {"hairs", "4294967295"},
        {"cells", "0"},   {"mood", "-1"},        {"weight", "0"},         {"name", "\"\""},
        {"mate", "\"\""}, {"litters", "[]"},     {"colour", "\"brown\""}, {"age", "7"},
        {"lives", "9"},   {"tail_length", "12"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_text(cat, rows[i][0], rows[i][1]);
    }
    g_assert_cmpuint(vm_type_fields(cat_get_type())->len, ==, 15);
    const VmField *last = vm_type_fields(cat_get_type())->pdata[14];
    g_assert_cmpstr(last->name, ==, "lives");
}

static void test_set(void)
{
    static const char *const rows[][3] = {
        {"tame", "\"off\"", "false"},
        {"tame", "true", "true"},
        {"mate", "\"\"", "\"\""},
        {"legs", "\"0x8\"", "8"},
        {"teeth", "2", "2"},
        {"tail_length", "3", "3"}, /* not a name as GObject writes them */
        {"hairs", "\"4294967295\"", "4294967295"},
        {"cells", "18446744073709551615", "18446744073709551615"},
        {"mood", "\"-2147483648\"", "-2147483648"},
        {"mood", "-5", "-5"},
        {"weight", "\"1.5G\"", "1610612736"},
        {"weight", "4096", "4096"},
        {"name", "\"Tom\"", "\"Tom\""},
        {"colour", "\"white\"", "\"white\""},
        {"litters", "\"0-3,5\"", "[0,1,2,3,5]"},
        {"litters", "7", "[7]"},
        {"litters", "[1,\"5-6\",1]", "[1,5,6]"},
        {"secret", "41", "null"},
    };
    g_autoptr(VmObject) cat = new_cat("tom");

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(json_object) value = json_parse(rows[i][1], NULL);
        GError *error = NULL;
        vm_object_set_json(cat, rows[i][0], value, &error);
        g_assert_no_error(error);
        check_text(cat, rows[i][0], rows[i][2]);
    }
    g_assert_cmpuint(ANIMAL(cat)->cells, ==, 42);
}

static void test_bad_values(void)
{
    static const char *const rows[][2] = {
        {"tame", "1"},           {"tame", "\"maybe\""}, {"legs", "256"},
        {"legs", "-1"},          {"legs", "\"-1\""},    {"legs", "2.5"},
        {"legs", "3"},           {"teeth", "1"},        {"teeth", "41"},
        {"hairs", "4294967296"}, {"cells", "-1"},       {"mood", "2147483648"},
        {"mood", "\"--1\""},     {"mood", "\"-\""},     {"weight", "\"1X\""},
        {"weight", "-4096"},     {"weight", "[1]"},     {"name", "1"},
        {"name", "{}"},          {"colour", "\"red\""}, {"colour", "1"},
        {"mate", "\"nobody\""},  {"mate", "5"},         {"litters", "\"3-1\""},
        {"litters", "65536"},    {"litters", "[[1]]"},  {"litters", "\"1,\""},
        {"litters", "true"},     {"age", "3"},
    };
    g_autoptr(VmObject) cat = new_cat("tom");

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(json_object) value = json_parse(rows[i][1], NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *prefix = g_strdup_printf("object 'tom': property '%s': ", rows[i][0]);
        g_assert_false(vm_object_set_json(cat, rows[i][0], value, &error));
        g_assert_true(g_str_has_prefix(error->message, prefix));
    }
    check_text(cat, "legs", "4");

    g_autoptr(GError) error = NULL;
    g_assert_false(vm_object_set_string(cat, "wings", "2", &error));
    g_assert_cmpstr(error->message, ==,
                    "object 'tom': property 'test-cat.wings' not found; known are tame, legs, "
                    "teeth, tail_length, "
                    "hairs, cells, mood, weight, name, colour, mate, litters, age, secret, lives");
    g_clear_error(&error);
    g_assert_false(vm_object_set_json(cat, "name", NULL, &error));
    g_assert_cmpstr(error->message, ==,
                    "object 'tom': property 'name': invalid value null, expected a string");
}

static void test_gobject(void)
{
    g_autoptr(VmObject) cat = new_cat(NULL);
    g_autofree char *name = NULL, *colour = NULL;
    guint legs;
    guint64 weight;

    g_object_set(cat, "name", "Kitty", "legs", 6, "weight", (guint64)123, NULL);
    g_object_get(cat, "name", &name, "legs", &legs, "weight", &weight, "colour", &colour, NULL);
    g_assert_cmpstr(name, ==, "Kitty");
    g_assert_cmpstr(colour, ==, "brown");
    g_assert_cmpuint(legs, ==, 6);
    g_assert_cmpuint(weight, ==, 123);
    GParamSpec *property = g_object_class_find_property(G_OBJECT_GET_CLASS(cat), "mate");
    g_assert_cmpstr(vm_field_type_name(vm_field_of(property)), ==, "link<animal>");
}

static void test_create(void)
{
    static const char *const rows[][2] = {
        {"{\"id\":\"x\"}", "Parameter 'qom-type' is missing"},
        {"{\"qom-type\":\"test-cat\"}", "Parameter 'id' is missing"},
        {"{\"qom-type\":\"foo\",\"id\":\"x\"}",
         "invalid object type: foo; '-object help' lists those that there are"},
        {"{\"qom-type\":\"animal\",\"id\":\"x\"}",
         "invalid object type: animal; '-object help' lists those that there are"},
        {"{\"qom-type\":\"container\",\"id\":\"x\"}",
         "invalid object type: container; '-object help' lists those that there are"},
        {"{\"qom-type\":\"test-cat\",\"id\":\"1x\"}",
         "Parameter 'id' expects an identifier: '1x' is not a letter followed by letters, digits, "
         "'-', '.' and '_'"},
        {"{\"qom-type\":\"test-cat\",\"id\":\"x\"}",
         "object 'x': property 'weight' is missing or empty; expected weight=<size>: the weight"},
        {"{\"qom-type\":\"test-cat\",\"id\":\"x\",\"weight\":1,\"lives\":0}",
         "object 'x': a cat needs a life"},
        {"{\"qom-type\":\"test-cat\",\"id\":\"tom\",\"weight\":\"4K\"}", NULL},
        {"{\"qom-type\":\"test-cat\",\"id\":\"tom\",\"weight\":1}",
         "object with id 'tom' already exists"},
        {"{\"qom-type\":\"test-cat\",\"id\":\"kit\",\"weight\":1,\"mate\":\"tom\"}", NULL},
        {"{\"qom-type\":\"test-cat\",\"id\":\"y\",\"weight\":1,\"mate\":\"tim\"}",
         "object 'y': property 'mate': no object with id 'tim' of type animal"},
        {"{\"qom-type\":\"test-cat\",\"id\":\"y\",\"weight\":1,\"mate\":\"/objects\"}",
         "object 'y': property 'mate': '/objects' is of type container, expected an object of "
         "type animal"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *message = create(rows[i][0]);
        g_assert_cmpstr(message, ==, rows[i][1]);
    }
    g_assert_cmpuint(cats_alive, ==, 2);

    VmObject *tom = vm_object_find("objects", "tom");
    g_autoptr(GError) error = NULL;
    check_text(vm_object_find("objects", "kit"), "mate", "\"/objects/tom\"");
    g_assert_true(vm_object_set_string(tom, "name", "T", NULL));
    g_assert_false(vm_object_set_string(tom, "weight", "5", &error));
    g_clear_error(&error);
    vm_object_use(tom);
    g_assert_false(vm_object_delete("tom", &error));
    g_assert_cmpstr(error->message, ==, "object 'tom' is in use, can not be deleted");
    g_clear_error(&error);
    vm_object_release(tom);
    g_assert_true(vm_object_delete("kit", NULL));
    g_assert_true(vm_object_delete("tom", NULL));
    g_assert_false(vm_object_delete("tom", &error));
    g_assert_cmpstr(error->message, ==, "object 'tom' not found");
    g_assert_cmpuint(cats_alive, ==, 0);
}

static void test_paths(void)
{
    VmObject *peripheral = vm_object_container("machine/peripheral");
    g_autoptr(VmObject) first = new_cat("d0"), second = new_cat("d1"), third = new_cat("d0");
    g_autoptr(GError) error = NULL;

    g_assert_true(vm_object_add_child(peripheral, "d0", first, NULL));
    g_assert_true(vm_object_add_child(first, "d1", second, NULL));
    g_assert_false(vm_object_add_child(peripheral, "d1", second, &error));
    g_clear_error(&error);
    g_assert_false(vm_object_add_child(peripheral, "a/b", third, &error));
    g_clear_error(&error);
    g_autofree char *path = vm_object_path(second);
    g_assert_cmpstr(path, ==, "/machine/peripheral/d0/d1");
    g_assert_true(vm_object_resolve(path, NULL) == second);
    g_assert_true(vm_object_resolve("d0/d1", NULL) == second);
    g_assert_true(vm_object_resolve("/", NULL) == vm_object_root());
    g_assert_true(vm_object_find("machine/peripheral", "d0") == first);
    g_assert_null(vm_object_find("machine/nothing", "d0"));
    g_assert_null(vm_object_resolve("/machine/nothing", &error));
    g_assert_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND);
    g_clear_error(&error);
    g_assert_null(vm_object_resolve("", &error));
    g_clear_error(&error);

    g_assert_true(vm_object_add_child(vm_object_container("objects"), "d0", third, NULL));
    g_assert_null(vm_object_resolve("d0", &error));
    g_assert_nonnull(strstr(error->message, "ambiguous"));
    vm_object_unparent(third);
    g_assert_null(vm_object_path(third));
    g_assert_true(vm_object_resolve("d0", NULL) == first);
    vm_object_unparent(first);
    g_assert_null(vm_object_resolve("d1", NULL));
    vm_object_unparent(first);
}

static void count_child(VmObject *child, gpointer opaque)
{
    guint *count = opaque;
    g_autofree char *name = g_strdup_printf("d%u", *count);

    g_assert_cmpstr(child->tree_name, ==, name);
    ++*count;
    vm_object_unparent(child);
}

static void test_many(void)
{
    VmObject *crowd = vm_object_container("crowd");
    guint count = 0;
    gint64 start = g_get_monotonic_time();

    for (guint i = 0; i < 32000; i++) {
        g_autofree char *id = g_strdup_printf("d%u", i);
        g_autoptr(VmObject) cat = new_cat(id);
        g_assert_true(vm_object_add_child(crowd, id, cat, NULL));
    }
    g_assert_nonnull(vm_object_resolve("d31999", NULL));
    vm_object_foreach_child(crowd, count_child, &count);
    g_assert_cmpuint(count, ==, 32000);
    g_assert_cmpuint(cats_alive, ==, 0);
    g_test_message("32,000 objects in %" G_GINT64_FORMAT " us", g_get_monotonic_time() - start);
}

static void test_globals(void)
{
    g_autoptr(GError) error = NULL;

    vm_globals_add("animal", "teeth", "12");
    vm_globals_add("test-cat", "lives", "7");
    vm_globals_add("nothing", "lives", "7");
    g_autoptr(VmObject) cat = new_cat(NULL);
    check_text(cat, "teeth", "12");
    check_text(cat, "lives", "7");
    vm_globals_add("test-cat", "lives", "many");
    g_assert_null(vm_object_new(cat_get_type(), "x", &error));
    g_assert_true(g_str_has_prefix(error->message, "-global test-cat.lives=many: "));
}

static void note_type(GType type, gpointer opaque)
{
    g_ptr_array_add(opaque, (gpointer)g_type_name(type));
}

static void test_types(void)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    guint animal, cat;

    vm_types_foreach(note_type, names);
    g_assert_cmpstr(names->pdata[0], ==, "object");
    g_assert_true(g_ptr_array_find_with_equal_func(names, "animal", g_str_equal, &animal));
    g_assert_true(g_ptr_array_find_with_equal_func(names, "test-cat", g_str_equal, &cat));
    g_assert_cmpuint(animal, <, cat);
    g_assert_cmpuint(vm_type_find("GObject"), ==, 0);
    g_assert_cmpuint(vm_type_find("nothing"), ==, 0);
    g_assert_cmpuint(vm_type_find("animal"), ==, animal_get_type());
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/object/types", test_types);
    g_test_add_func("/object/defaults", test_defaults);
    g_test_add_func("/object/set", test_set);
    g_test_add_func("/object/bad-values", test_bad_values);
    g_test_add_func("/object/gobject", test_gobject);
    g_test_add_func("/object/create", test_create);
    g_test_add_func("/object/paths", test_paths);
    g_test_add_func("/object/many", test_many);
    g_test_add_func("/object/globals", test_globals);
    return g_test_run();
}
