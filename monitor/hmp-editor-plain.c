/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines where libedit cannot run: characters are echoed, Backspace, Ctrl-U and Ctrl-C take them
 * back, and that is all, as a terminal's driver does it (termios(3), ICANON).
 */
#include "hmp-internal.h"

#include <string.h>

#define CONTROL(letter) ((letter)&0x1f)
#define DELETE 0x7f

struct HmpPlainLine {
    GString *text; /* UTF-8 */
    void (*write)(const char *bytes, gsize length, gpointer opaque);
    gpointer opaque;
};

HmpPlainLine *hmp_plain_line_new(void (*write)(const char *bytes, gsize length, gpointer opaque),
                                 gpointer opaque)
{
    HmpPlainLine *line = g_new(HmpPlainLine, 1);

    *line = (HmpPlainLine){.text = g_string_new(NULL), .write = write, .opaque = opaque};
    return line;
}

void hmp_plain_line_free(HmpPlainLine *line)
{
    g_string_free(line->text, TRUE);
    g_free(line);
}

static void echo(HmpPlainLine *line, const char *text)
{
    line->write(text, strlen(text), line->opaque);
}

static void take_back(HmpPlainLine *line)
{
    const char *end = line->text->str + line->text->len;

    if (line->text->len > 0) {
        g_string_truncate(line->text, (gsize)(g_utf8_prev_char(end) - line->text->str));
        echo(line, "\b \b");
    }
}

void hmp_plain_line_prompt(HmpPlainLine *line, const char *prompt)
{
    g_string_truncate(line->text, 0);
    echo(line, prompt);
}

glong hmp_plain_line_length(const HmpPlainLine *line)
{
    return g_utf8_strlen(line->text->str, (gssize)line->text->len);
}

static void append(HmpPlainLine *line, gunichar key)
{
    char character[7] = "";

    g_unichar_to_utf8(key, character);
    g_string_append(line->text, character);
    echo(line, character);
}

char *hmp_plain_line_press(HmpPlainLine *line, gunichar key)
{
    switch (key) {
    case '\r':
    case '\n':
        echo(line, "\n");
        return g_strdup(line->text->str);
    case CONTROL('H'):
    case DELETE:
        take_back(line);
        break;
    case CONTROL('C'):
    case CONTROL('U'):
        while (line->text->len > 0) {
            take_back(line);
        }
        break;
    default:
        if (!g_unichar_iscntrl(key)) {
            append(line, key);
        }
        break;
    }
    return NULL;
}
