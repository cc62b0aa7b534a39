#include "base/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"

enum { FILE_MAX = 1 << 20, NAME_BYTES = 64 };

enum source { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

static const char *const SOURCES[] = {
    [FROM_DEFAULT] = "default",
    [FROM_FILE] = "file",
    [FROM_ENVIRONMENT] = "environment",
    [FROM_COMMAND_LINE] = "command line",
};

static const char *const KINDS[] = {
    [PB_SETTING_TEXT] = "TEXT",          [PB_SETTING_INTEGER] = "NUMBER",
    [PB_SETTING_BOOLEAN] = "true|false", [PB_SETTING_DURATION_MS] = "DURATION",
    [PB_SETTING_BYTES] = "BYTES",
};

struct value {
    char *text; /* NULL: the row's default */
    enum source source;
};

struct pb_config {
    const struct pb_setting *rows;
    size_t count;
    struct value *values; /* one per row */
};

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit DURATIONS[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};
static const struct unit SIZES[] = {
    {"", 1}, {"k", 1LL << 10}, {"m", 1LL << 20}, {"g", 1LL << 30}, {"t", 1LL << 40},
};

/* Digits and a unit of the list. A bare 0 needs no unit. */
static bool parse_with_unit(const char *text, const struct unit *units, size_t count,
                            int64_t *ret_value)
{
    size_t digits = strspn(text, "0123456789");
    char number[24];
    int64_t value;

    if (digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (!pb_parse_i64(number, 0, INT64_MAX, &value))
        return false;
    if (value == 0 && text[digits] == '\0') {
        *ret_value = 0;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (pb_text_equal_nocase(text + digits, units[i].name))
            return !__builtin_mul_overflow(value, units[i].factor, ret_value);
    return false;
}

static bool parse_bool(const char *text, int64_t *ret_value)
{
    static const char *const WORDS[][2] = {{"false", "true"},
                                           {"no", "yes"},
                                           {"off", "on"},
                                           {"0", "1"}};

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        for (int value = 0; value < 2; value++) {
            if (pb_text_equal_nocase(text, WORDS[i][value])) {
                *ret_value = value;
                return true;
            }
        }
    }
    return false;
}

static bool parse_value(enum pb_setting_kind kind, const char *text, int64_t *ret_value)
{
    switch (kind) {
    case PB_SETTING_TEXT:
        *ret_value = 0;
        return true;
    case PB_SETTING_INTEGER:
        return pb_parse_i64(text, INT64_MIN, INT64_MAX, ret_value);
    case PB_SETTING_BOOLEAN:
        return parse_bool(text, ret_value);
    case PB_SETTING_DURATION_MS:
        return parse_with_unit(text, DURATIONS, sizeof(DURATIONS) / sizeof(DURATIONS[0]),
                               ret_value);
    case PB_SETTING_BYTES:
        return parse_with_unit(text, SIZES, sizeof(SIZES) / sizeof(SIZES[0]), ret_value);
    }
    return false;
}

static const char *example_of(enum pb_setting_kind kind)
{
    static const char *const EXAMPLES[] = {
        [PB_SETTING_TEXT] = "text",
        [PB_SETTING_INTEGER] = "a whole number",
        [PB_SETTING_BOOLEAN] = "true or false",
        [PB_SETTING_DURATION_MS] = "a duration like 250ms, 10s, 5m, 2h or 1d",
        [PB_SETTING_BYTES] = "a size like 4096, 64k, 10m or 2g",
    };

    return EXAMPLES[kind];
}

/* ---- rows ---- */

static bool find(const struct pb_config *config, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->rows[i].name, name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* Not assert(): a release build must not go on with a setting that does not exist either. */
static size_t find_ours(const struct pb_config *config, const char *name)
{
    size_t index;

    if (!find(config, name, &index)) {
        (void)fprintf(stderr, "no setting is called %s\n", name);
        abort();
    }
    return index;
}

static const char *text_at(const struct pb_config *config, size_t index)
{
    const char *text = config->values[index].text;

    return text ? text : config->rows[index].otherwise;
}

static int set(struct pb_config *config, size_t index, const char *text, enum source source,
               struct pb_error *err)
{
    const struct pb_setting *row = &config->rows[index];
    struct value *value = &config->values[index];
    int64_t number;
    char *copy;

    if (!parse_value(row->kind, text, &number))
        return pb_fail_field(err, row->name, "%s: '%s' is not %s", row->name,
                             row->secret ? "***" : text, example_of(row->kind));
    copy = strdup(text);
    if (!copy)
        return pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory");
    if (row->secret && value->text)
        explicit_bzero(value->text, strlen(value->text));
    free(value->text);
    value->text = copy;
    value->source = source;
    return 0;
}

struct pb_config *pb_config_new(const struct pb_setting *rows, struct pb_error *err)
{
    struct pb_config *config = calloc(1, sizeof(*config));
    int64_t number;

    if (!config)
        goto no_memory;
    config->rows = rows;
    while (rows[config->count].name)
        config->count++;
    config->values = calloc(config->count + 1, sizeof(*config->values));
    if (!config->values)
        goto no_memory;
    for (size_t i = 0; i < config->count; i++) {
        if (!parse_value(rows[i].kind, rows[i].otherwise, &number)) {
            (void)pb_fail(err, PB_ERROR_INTERNAL, "the default of %s is not %s", rows[i].name,
                          example_of(rows[i].kind));
            pb_config_free(config);
            return NULL;
        }
    }
    return config;
no_memory:
    pb_config_free(config);
    (void)pb_fail(err, PB_ERROR_UNAVAILABLE, "no memory");
    return NULL;
}

void pb_config_free(struct pb_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; config->values && i < config->count; i++) {
        char *text = config->values[i].text;

        if (text && config->rows[i].secret)
            explicit_bzero(text, strlen(text));
        free(text);
    }
    free(config->values);
    free(config);
}

/* ---- file ---- */

static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    return text;
}

static int read_line(struct pb_config *config, char *line, struct pb_error *err)
{
    char *equals;
    char *name;
    size_t index;

    line = trim(line);
    if (*line == '\0' || *line == '#')
        return 0;
    equals = strchr(line, '=');
    if (!equals)
        return pb_fail(err, PB_ERROR_INVALID, "expected name = value");
    *equals = '\0';
    name = trim(line);
    if (!find(config, name, &index))
        return pb_fail_field(err, name, "no setting is called '%s'", name);
    return set(config, index, trim(equals + 1), FROM_FILE, err);
}

int pb_config_read_file(struct pb_config *config, const char *path, struct pb_error *err)
{
    struct pb_buf text;
    unsigned number = 0;
    char *line;
    int r;

    pb_buf_init(&text, FILE_MAX);
    text.secret = true;
    r = pb_fs_read(AT_FDCWD, path, &text, err);
    line = r == 0 && text.data ? text.data : NULL;
    if (line && strlen(pb_buf_string(&text)) != text.len)
        r = pb_fail(err, PB_ERROR_INVALID, "%s holds a NUL byte", path);
    while (r == 0 && line) {
        char *end = strchr(line, '\n');

        if (end)
            *end = '\0';
        number++;
        if (read_line(config, line, err) < 0)
            r = pb_fail_in(err, "%s:%u", path, number);
        line = end ? end + 1 : NULL;
    }
    pb_buf_release(&text);
    return r;
}

/* ---- environment and command line ---- */

static void environment_name(const char *name, char ret_name[NAME_BYTES])
{
    (void)snprintf(ret_name, NAME_BYTES, "POPPO_%s", name);
    for (char *c = ret_name; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
}

int pb_config_read_environment(struct pb_config *config, struct pb_error *err)
{
    for (size_t i = 0; i < config->count; i++) {
        char name[NAME_BYTES];
        const char *text;

        environment_name(config->rows[i].name, name);
        text = getenv(name);
        if (text && set(config, i, text, FROM_ENVIRONMENT, err) < 0)
            return pb_fail_in(err, "environment variable %s", name);
    }
    return 0;
}

/* "--max-runs=5" → "max_runs"; where the value starts, or NULL. False if it is no option. */
static bool split_option(const char *arg, char ret_name[NAME_BYTES], const char **ret_value)
{
    size_t len;

    if (!pb_text_starts(arg, "--"))
        return false;
    arg += 2;
    len = strcspn(arg, "=");
    if (len == 0 || len >= NAME_BYTES)
        return false;
    memcpy(ret_name, arg, len);
    ret_name[len] = '\0';
    for (char *c = ret_name; *c; c++)
        if (*c == '-')
            *c = '_';
    *ret_value = arg[len] == '=' ? arg + len + 1 : NULL;
    return true;
}

/* Takes argv[at] (and the value behind it); the number of words taken, 0 = not ours, -1 = error. */
static int take_option(struct pb_config *config, int argc, char **argv, int at,
                       struct pb_error *err)
{
    char name[NAME_BYTES];
    const char *value;
    int64_t flag;
    size_t i;

    if (!split_option(argv[at], name, &value))
        return 0;
    if (!value && pb_text_starts(name, "no_") && find(config, name + 3, &i) &&
        config->rows[i].kind == PB_SETTING_BOOLEAN)
        return set(config, i, "false", FROM_COMMAND_LINE, err) < 0 ? -1 : 1;
    if (!find(config, name, &i))
        return 0;
    if (value)
        return set(config, i, value, FROM_COMMAND_LINE, err) < 0 ? -1 : 1;
    value = at + 1 < argc ? argv[at + 1] : NULL;
    if (config->rows[i].kind == PB_SETTING_BOOLEAN && (!value || !parse_bool(value, &flag)))
        return set(config, i, "true", FROM_COMMAND_LINE, err) < 0 ? -1 : 1;
    if (!value)
        return pb_fail_field(err, name, "%s needs a value", argv[at]);
    return set(config, i, value, FROM_COMMAND_LINE, err) < 0 ? -1 : 2;
}

int pb_config_read_arguments(struct pb_config *config, int *argc, char **argv, struct pb_error *err)
{
    int kept = 1;
    int at = 1;

    while (at < *argc && strcmp(argv[at], "--") != 0) {
        int taken = take_option(config, *argc, argv, at, err);

        if (taken < 0)
            return pb_fail_in(err, "command line");
        if (taken == 0)
            argv[kept++] = argv[at++];
        at += taken;
    }
    while (at < *argc)
        argv[kept++] = argv[at++];
    *argc = kept;
    argv[kept] = NULL;
    return 0;
}

/* ---- reading ---- */

const char *pb_config_text(const struct pb_config *config, const char *name)
{
    return text_at(config, find_ours(config, name));
}

int64_t pb_config_int(const struct pb_config *config, const char *name)
{
    size_t index = find_ours(config, name);
    int64_t value = 0;

    if (!parse_value(config->rows[index].kind, text_at(config, index), &value))
        abort(); /* set() let it in */
    return value;
}

bool pb_config_bool(const struct pb_config *config, const char *name)
{
    return pb_config_int(config, name) != 0;
}

const char *pb_config_source(const struct pb_config *config, const char *name)
{
    return SOURCES[config->values[find_ours(config, name)].source];
}

void pb_config_help(const struct pb_config *config, struct pb_buf *buf)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct pb_setting *row = &config->rows[i];

        pb_buf_text(buf, "  --");
        for (const char *c = row->name; *c; c++)
            pb_buf_char(buf, (char)(*c == '_' ? '-' : *c));
        pb_buf_format(buf, "=%s\n        %s", KINDS[row->kind], row->help);
        if (row->otherwise[0] && !row->secret)
            pb_buf_format(buf, " (%s)", row->otherwise);
        pb_buf_char(buf, '\n');
    }
}
