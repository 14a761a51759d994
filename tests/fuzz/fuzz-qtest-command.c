/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the client of a qtest connection over a machine with DIMMs.  Each line gets exactly
 * one OK or FAIL; reset, power-off and ejections that the accesses cause leave a machine that runs.
 */
#include "../../accel/qtest-session.h"
#include "fuzz-machine.h"
#include "system/vm-lock.h"
#include "util/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE_LARGE (64 * 1024) /* up to QTEST_SIZE_MAX it only takes time */

static void ended(gpointer opaque G_GNUC_UNUSED)
{
}

/* TRUE if a line of @text names a piece of memory that is right and large. */
static gboolean takes_long(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\r\n", -1);

    for (guint i = 0; words[i]; i++) {
        guint64 value = g_ascii_strtoull(words[i], NULL, 0);

        if (i > 1 && value > SIZE_LARGE && value <= QTEST_SIZE_MAX &&
            (strstr(words[i - 2], "read") || strstr(words[i - 2], "memset"))) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Reads lines until @count answers have come. */
static void take_answers(int client, guint count)
{
    g_autoptr(GString) line = g_string_new(NULL);
    char bytes[4096];
    ssize_t length;

    while (count > 0) {
        do {
            length = read(client, bytes, sizeof(bytes)); /* the fuzzer's timer interrupts it */
        } while (length < 0 && errno == EINTR);
        fuzz_require(length > 0);
        for (ssize_t i = 0; i < length; i++) {
            if (bytes[i] != '\n') {
                g_string_append_c(line, bytes[i]);
                continue;
            }
            gboolean answer =
                g_str_has_prefix(line->str, "OK") || g_str_has_prefix(line->str, "FAIL ");

            fuzz_require(answer || g_str_has_prefix(line->str, "IRQ "));
            fuzz_require(!answer || count > 0);
            count -= (guint)answer;
            g_string_truncate(line, 0);
        }
    }
    fuzz_require(line->len == 0);
}

/* One line at a time, so that neither side waits for room in the socket. */
static void talk(int client, const char *text, size_t size)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) + 1 : size;

        fuzz_require(write(client, text, length) == (ssize_t)length);
        take_answers(client, end != NULL);
        text += length;
        size -= length;
    }
    fuzz_require(write(client, "\n", 1) == 1);
    take_answers(client, 1);
    fuzz_require(write(client, "endianness\n", 11) == 11);
    take_answers(client, 1);
}

/* A DIMM that is plugged, and one more that waits for the guest to let it go. */
static void plug(const char *id)
{
    g_autofree char *memory =
        g_strdup_printf("{\"qom-type\":\"memory-backend-memfd\",\"id\":\"m%s\","
                        "\"size\":2097152}",
                        id);
    g_autofree char *dimm =
        g_strdup_printf("{\"driver\":\"pc-dimm\",\"id\":\"%s\",\"memdev\":\"m%s\"}", id, id);
    g_autoptr(json_object) object = json_parse(memory, NULL);
    g_autoptr(json_object) device = json_parse(dimm, NULL);

    fuzz_require(vm_object_create(object, NULL));
    fuzz_require(device_add(device, NULL, NULL, NULL));
    fuzz_settle();
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    fuzz_machine_make();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    QtestSession *session;
    int ends[2];

    if (takes_long(text)) {
        return 0;
    }
    plug("a");
    plug("b");
    device_delete("b", NULL);
    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    fuzz_require(fd_set_nonblocking(ends[0], TRUE, NULL));
    session = qtest_session_new(ends[0], ends[0], NULL, ended, NULL);
    vm_unlock();
    talk(ends[1], (const char *)data, size);
    vm_lock();
    qtest_session_free(session);
    close(ends[0]);
    close(ends[1]);
    fuzz_machine_restore();
    fuzz_require(vm_object_delete("ma", NULL) && vm_object_delete("mb", NULL));
    return 0;
}
