/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line editor: libedit, one EditLine a session, fed key by key so that it never waits.  It is
 * loaded when the first human monitor comes, because most machines have none.
 *
 * libedit edits on terminals only.  What it asks a terminal (modes, width) it is told by a
 * pseudo-terminal that all editors share; bytes never pass through that one.  What it reads of
 * terminfo(5) is the same short entry for all editors, and stays.  Where there is no library or no
 * pseudo-terminal, lines are taken as they come (hmp-editor-plain.c).
 */
#include "hmp-internal.h"

#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#define PROMPT "(qemu) "
#define LINE_LIMIT 4095 /* characters, as a terminal's driver has it */
#define HISTORY_SIZE 200
#define ROWS 24
#define INSERT_KEY 0x1d /* Ctrl-], which the user has no use for */

static struct {
    __typeof__(el_init_fd) *init;
    __typeof__(el_end) *end;
    __typeof__(el_wset) *set;
    __typeof__(el_wget) *get;
    __typeof__(el_wgets) *gets;
    __typeof__(el_wline) *line;
    __typeof__(el_winsertstr) *insert;
    __typeof__(history_winit) *history_init;
    __typeof__(history_wend) *history_end;
    __typeof__(history_w) *history;
} libedit;

struct HmpEditor {
    HmpPlainLine *plain; /* NULL: libedit edits; else nothing of it below is there */
    EditLine *edit;
    HistoryW *history;
    FILE *input, *output;
    void (*write)(const char *bytes, gsize length, gpointer opaque);
    gpointer opaque;
    wchar_t key;  /* the next one; 0: none */
    wchar_t text; /* what the key INSERT_KEY inserts */
    guint columns;
};

/* Characters are UTF-8 whatever the program's locale is; without C.UTF-8 they are shown escaped. */
static locale_t unicode;
static int terminal_master = -1, terminal_slave = -1;
static guint editors;
static gboolean dumb; /* the user's terminal knows no control sequences */

/* --- the library --- */

static struct {
    gboolean tried;
    GError *error; /* NULL: it is loaded */
} library;

/*
 * An editor asks terminfo(5) for $TERM.  libtinfo keeps an entry while the same one is asked for,
 * but never frees all of one that was replaced, nor the strings that it has made for some: who
 * connects again and again would take more and more memory.  "dumb" has no such strings.
 */
static void settle_terminal(void)
{
    const char *terminal = g_getenv("TERM");

    dumb = terminal && !strcmp(terminal, "dumb");
    g_setenv("TERM", "dumb", TRUE);
}

static gboolean load_library(GError **error)
{
    static const struct {
        const char *name;
        gpointer *function;
    } symbols[] = {
        {"el_init_fd", (gpointer *)&libedit.init},
        {"el_end", (gpointer *)&libedit.end},
        {"el_wset", (gpointer *)&libedit.set},
        {"el_wget", (gpointer *)&libedit.get},
        {"el_wgets", (gpointer *)&libedit.gets},
        {"el_wline", (gpointer *)&libedit.line},
        {"el_winsertstr", (gpointer *)&libedit.insert},
        {"history_winit", (gpointer *)&libedit.history_init},
        {"history_wend", (gpointer *)&libedit.history_end},
        {"history_w", (gpointer *)&libedit.history},
    };
    gpointer handle = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);

    for (guint i = 0; handle && i < G_N_ELEMENTS(symbols); i++) {
        *symbols[i].function = dlsym(handle, symbols[i].name);
        if (!*symbols[i].function) {
            handle = NULL;
        }
    }
    if (!handle) {
        vm_error_set(error, "libedit is missing: %s", dlerror());
    }
    return handle != NULL;
}

void hmp_editor_load(void)
{
    if (!library.tried) {
        library.tried = TRUE;
        if (load_library(&library.error)) {
            unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
            settle_terminal();
        }
    }
}

/* --- the terminal that libedit asks --- */

static gboolean terminal_open(GError **error)
{
    char name[64];

    terminal_master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal_master < 0 || grantpt(terminal_master) < 0 || unlockpt(terminal_master) < 0 ||
        ptsname_r(terminal_master, name, sizeof(name)) != 0) {
        vm_error_set_errno(error, errno, "no pseudo-terminal can be made");
        fd_clear(&terminal_master);
        return FALSE;
    }
    terminal_slave = fd_open(name, O_RDWR | O_NOCTTY, 0, error);
    if (terminal_slave < 0) {
        fd_clear(&terminal_master);
        return FALSE;
    }
    return TRUE;
}

static void terminal_close(void)
{
    fd_clear(&terminal_slave);
    fd_clear(&terminal_master);
}

/* --- libedit's hooks --- */

static HmpEditor *editor_of(EditLine *edit)
{
    void *editor = NULL;

    libedit.get(edit, EL_CLIENTDATA, &editor);
    return editor;
}

static wchar_t *prompt(EditLine *edit G_GNUC_UNUSED)
{
    static wchar_t text[] = L"" PROMPT;

    return text;
}

/* Gives one key and then an end, upon which el_wgets() returns. */
static int next_key(EditLine *edit, wchar_t *key)
{
    HmpEditor *editor = editor_of(edit);

    *key = editor->key;
    editor->key = 0;
    return *key ? 1 : 0;
}

static ssize_t output_write(void *cookie, const char *bytes, size_t length)
{
    HmpEditor *editor = cookie;

    editor->write(bytes, length, editor->opaque);
    return (ssize_t)length;
}

static FILE *open_output(HmpEditor *editor)
{
    cookie_io_functions_t functions = {.write = output_write};
    FILE *file = fopencookie(editor, "w", functions);

    setvbuf(file, NULL, _IOFBF, BUFSIZ); /* libedit flushes it */
    return file;
}

/* --- completion --- */

static void insert(HmpEditor *editor, const char *text)
{
    g_autofree wchar_t *wide = (wchar_t *)g_utf8_to_ucs4(text, -1, NULL, NULL, NULL);

    if (wide && *wide) {
        libedit.insert(editor->edit, wide);
    }
}

/* How many bytes at their beginning all @words have in common. */
static gsize common_length(const GPtrArray *words)
{
    const char *first = words->pdata[0];
    gsize length = strlen(first);

    for (guint i = 1; i < words->len; i++) {
        const char *word = words->pdata[i];
        gsize same = 0;

        while (same < length && word[same] == first[same]) {
            same++;
        }
        length = same;
    }
    return length;
}

/* In columns below the line, read downwards by lines. */
static void list_words(HmpEditor *editor, const GPtrArray *words)
{
    g_autoptr(GString) text = g_string_new("\n");
    guint width = 0, column = 0, fitting;

    for (guint i = 0; i < words->len; i++) {
        width = MAX(width, (guint)strlen(words->pdata[i]) + 2);
    }
    fitting = MAX(1, MIN(editor->columns, 80) / width);
    for (guint i = 0; i < words->len; i++) {
        gboolean last = ++column == fitting || i + 1 == words->len;

        g_string_append_printf(text, "%-*s%s", last ? 0 : (int)width, (const char *)words->pdata[i],
                               last ? "\n" : "");
        column = last ? 0 : column;
    }
    editor->write(text->str, text->len, editor->opaque);
}

static unsigned char complete(EditLine *edit, wint_t key G_GNUC_UNUSED)
{
    HmpEditor *editor = editor_of(edit);
    const LineInfoW *line = libedit.line(edit);
    g_autofree char *typed = g_ucs4_to_utf8((const gunichar *)line->buffer,
                                            line->cursor - line->buffer, NULL, NULL, NULL);
    gboolean open;
    gsize length;

    if (!typed) {
        return CC_ERROR;
    }
    g_autoptr(GPtrArray) words = hmp_complete(typed, &length, &open);
    if (words->len == 0) {
        return CC_ERROR;
    }
    gsize common = common_length(words);
    if (words->len > 1 && common == length) {
        list_words(editor, words);
        return CC_REDISPLAY;
    }
    g_autofree char *more = g_strndup((const char *)words->pdata[0] + length, common - length);
    insert(editor, more);
    if (words->len == 1 && !open && !g_str_has_suffix(words->pdata[0], "/")) {
        insert(editor, " ");
    }
    return CC_REFRESH;
}

/* --- keys --- */

/* Characters beyond ASCII come so: libedit takes some of them for keys pressed with Meta. */
static unsigned char insert_text(EditLine *edit, wint_t key G_GNUC_UNUSED)
{
    HmpEditor *editor = editor_of(edit);
    wchar_t text[] = {editor->text, 0};

    editor->text = 0;
    return *text && libedit.insert(edit, text) == 0 ? CC_REFRESH : CC_ERROR;
}

/* Keys that would make libedit wait for another one, run a shell's job control, or end the line. */
static void bind_keys(EditLine *edit)
{
    static const struct {
        const wchar_t *key, *function;
    } keys[] = {
        {L"^]", L"hmp-insert"},
        {L"^I", L"hmp-complete"},
        {L"^D", L"ed-delete-next-char"},
        {L"^R", L"ed-search-prev-history"},
        {L"^S", L"ed-search-next-history"},
        {L"^L", L"ed-clear-screen"},
        {L"^W", L"ed-delete-prev-word"},
        {L"^U", L"vi-kill-line-prev"},
        {L"^H", L"ed-delete-prev-char"},
        {L"^?", L"ed-delete-prev-char"},
        {L"^C", L"em-kill-line"},
        {L"^X", L"ed-unassigned"},
        {L"^V", L"ed-unassigned"},
        {L"^Q", L"ed-unassigned"},
        {L"^Z", L"ed-unassigned"},
        {L"^O", L"ed-unassigned"},
        {L"^\\", L"ed-unassigned"},
        {L"\\033x", L"ed-unassigned"},
        {L"\\033X", L"ed-unassigned"},
    };

    libedit.set(edit, EL_ADDFN, L"hmp-complete", L"complete the word", complete);
    libedit.set(edit, EL_ADDFN, L"hmp-insert", L"insert a character", insert_text);
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        libedit.set(edit, EL_BIND, keys[i].key, keys[i].function, NULL);
    }
}

/* --- an editor --- */

/* Control sequences of ECMA-48 (8.3), under the names of termcap(5). */
static void teach_sequences(EditLine *edit)
{
    static const struct {
        const wchar_t *name, *value;
    } capabilities[] = {
        {L"ce", L"\033[K"},       /* EL: erase to the end of the line */
        {L"cd", L"\033[J"},       /* ED: erase to the end of the page */
        {L"cl", L"\033[H\033[J"}, /* both: an empty page */
        {L"ho", L"\033[H"},       /* CUP: the first character */
        {L"up", L"\033[A"},       /* CUU: one up */
        {L"nd", L"\033[C"},       /* CUF: one to the right */
        {L"xn", L"yes"},          /* wraps with the next character */
    };

    for (guint i = 0; i < G_N_ELEMENTS(capabilities); i++) {
        libedit.set(edit, EL_SETTC, capabilities[i].name, capabilities[i].value, NULL);
    }
}

static void set_up(HmpEditor *editor, gboolean sequences)
{
    HistEventW event;

    libedit.set(editor->edit, EL_CLIENTDATA, editor);
    if (sequences) {
        teach_sequences(editor->edit);
    }
    libedit.set(editor->edit, EL_EDITOR, L"emacs");
    libedit.set(editor->edit, EL_SIGNAL, 0);
    libedit.set(editor->edit, EL_PROMPT, prompt);
    libedit.set(editor->edit, EL_GETCFN, next_key);
    libedit.set(editor->edit, EL_HIST, libedit.history, editor->history);
    libedit.history(editor->history, &event, H_SETSIZE, HISTORY_SIZE);
    libedit.history(editor->history, &event, H_SETUNIQUE, 1);
    bind_keys(editor->edit);
}

static void open_libedit(HmpEditor *editor, gboolean sequences)
{
    editors++;
    editor->input = fopen("/dev/null", "re");
    editor->output = open_output(editor);
    editor->history = libedit.history_init();
    editor->edit = libedit.init("hotslot", editor->input, editor->output, editor->output,
                                terminal_slave, terminal_slave, terminal_slave);
    set_up(editor, sequences);
}

/* FALSE, and said once although each client of each monitor has an editor: there is no libedit. */
static gboolean libedit_is_usable(void)
{
    static gboolean said;
    g_autoptr(GError) error = NULL;

    if (!library.error && (editors > 0 || terminal_open(&error))) {
        return TRUE;
    }
    if (!said) {
        said = TRUE;
        report_warning("human monitors take lines without editing or completion: %s",
                       library.error ? library.error->message : error->message);
    }
    return FALSE;
}

HmpEditor *hmp_editor_new(gboolean users_terminal, guint columns,
                          void (*write)(const char *bytes, gsize length, gpointer opaque),
                          gpointer opaque)
{
    HmpEditor *editor = g_new0(HmpEditor, 1);

    editor->write = write;
    editor->opaque = opaque;
    editor->columns = columns;
    if (libedit_is_usable()) {
        open_libedit(editor, !(users_terminal && dumb));
    } else {
        editor->plain = hmp_plain_line_new(write, opaque);
    }
    return editor;
}

static void discard(const char *bytes G_GNUC_UNUSED, gsize length G_GNUC_UNUSED,
                    gpointer opaque G_GNUC_UNUSED)
{
}

static void close_libedit(HmpEditor *editor)
{
    editor->write = discard; /* what libedit says at its end is nothing to the user */
    libedit.end(editor->edit);
    libedit.history_end(editor->history);
    fclose(editor->output);
    fclose(editor->input);
    if (--editors == 0) {
        terminal_close();
    }
}

void hmp_editor_free(HmpEditor *editor)
{
    if (editor->plain) {
        hmp_plain_line_free(editor->plain);
    } else {
        close_libedit(editor);
    }
    g_free(editor);
}

/* libedit shows the prompt when it begins to give keys one by one, and asks for the width then. */
void hmp_editor_prompt(HmpEditor *editor)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = (unsigned short)editor->columns};

    if (editor->plain) {
        hmp_plain_line_prompt(editor->plain, PROMPT);
        return;
    }
    locale_t before = uselocale(unicode);
    ioctl(terminal_slave, TIOCSWINSZ, &size);
    libedit.set(editor->edit, EL_UNBUFFERED, 0);
    libedit.set(editor->edit, EL_UNBUFFERED, 1);
    uselocale(before);
}

/* --- typing --- */

/*
 * A control sequence (ECMA-48, 5.4: ESC [ parameters final) or ESC O letter is one key.  Those of
 * the cursor keys become the control characters that do the same, others are nothing.
 */
static gsize sequence_length(const char *bytes, gsize length)
{
    gsize at = 2;

    if (length < 3) {
        return 0;
    }
    if (bytes[1] == '[') {
        while (at < length && bytes[at] >= 0x20 && bytes[at] < 0x40) {
            at++;
        }
    }
    return at < length ? at + 1 : at >= LINE_LIMIT ? at : 0;
}

static wchar_t sequence_key(const char *bytes, gsize length)
{
    static const struct {
        const char *text; /* behind ESC [ or ESC O */
        char key;         /* the letter pressed with Ctrl */
    } keys[] = {
        {"A", 'P'},  {"B", 'N'},  {"C", 'F'},  {"D", 'B'},  {"H", 'A'},  {"F", 'E'},
        {"1~", 'A'}, {"7~", 'A'}, {"4~", 'E'}, {"8~", 'E'}, {"3~", 'D'},
    };

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strlen(keys[i].text) == length - 2 && !memcmp(bytes + 2, keys[i].text, length - 2)) {
            return keys[i].key & 0x1f;
        }
    }
    return 0;
}

/* Takes a key from @bytes: its length, 0 if more bytes are needed; *@key 0 is one to ignore. */
static gsize take_key(const char *bytes, gsize length, wchar_t *key)
{
    *key = 0;
    if (*bytes == '\033' && (length < 2 || bytes[1] == '[' || bytes[1] == 'O')) {
        gsize used = sequence_length(bytes, length);

        *key = used ? sequence_key(bytes, used) : 0;
        return used;
    }
    gunichar character = g_utf8_get_char_validated(bytes, (gssize)length);
    if (character == (gunichar)-2 && !memchr(bytes, 0, length)) {
        return 0;
    }
    if (character == (gunichar)-1 || character == (gunichar)-2) {
        return 1; /* also a NUL (Ctrl-Space), at which GLib waits for more */
    }
    *key = (wchar_t)character;
    return (gsize)g_unichar_to_utf8(character, NULL);
}

static glong line_length(const HmpEditor *editor)
{
    if (editor->plain) {
        return hmp_plain_line_length(editor->plain);
    }
    const LineInfoW *line = libedit.line(editor->edit);
    return line->lastchar - line->buffer;
}

/* FALSE for a key that is nothing, or one too many for the line. */
static gboolean is_wanted(HmpEditor *editor, wchar_t key)
{
    gboolean full = line_length(editor) >= LINE_LIMIT;

    return key && !(full && key >= 0x20 && key != 0x7f);
}

/* The line, which ends in "\n"; it is remembered. */
static char *take_line(HmpEditor *editor, const wchar_t *text, int length)
{
    g_autofree wchar_t *copy = g_new0(wchar_t, length + 1);
    HistEventW event;

    wmemcpy(copy, text, length);
    if (length > 1) {
        libedit.history(editor->history, &event, H_ENTER, copy);
    }
    return g_ucs4_to_utf8((const gunichar *)text, length - 1, NULL, NULL, NULL);
}

static char *press(HmpEditor *editor, wchar_t key)
{
    int length = 0;

    if (editor->plain) {
        return hmp_plain_line_press(editor->plain, (gunichar)key);
    }
    editor->text = key >= 0x80 ? key : 0;
    editor->key = key >= 0x80 ? INSERT_KEY : key;
    locale_t before = uselocale(unicode);
    const wchar_t *text = libedit.gets(editor->edit, &length);
    uselocale(before);
    return text && length > 0 && text[length - 1] == L'\n' ? take_line(editor, text, length) : NULL;
}

gsize hmp_editor_feed(HmpEditor *editor, const char *bytes, gsize length, char **line)
{
    gsize used = 0;

    *line = NULL;
    while (used < length && !*line) {
        wchar_t key;
        gsize size = take_key(bytes + used, length - used, &key);

        if (size == 0) {
            break;
        }
        used += size;
        if (is_wanted(editor, key)) {
            *line = press(editor, key);
        }
    }
    return used;
}
