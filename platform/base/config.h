/*
 * Settings by table: one row has name, default, kind, when a change takes
 * effect, and help. Values come from (later wins) defaults, file, environment
 * (POPPO_ + upper-case name), command line (--name=value or --name value;
 * '_' may be written '-'). --help and the docs page are printed from the rows.
 */
#ifndef PB_BASE_CONFIG_H
#define PB_BASE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum pb_setting_kind {
    PB_SETTING_TEXT,
    PB_SETTING_INTEGER,
    PB_SETTING_BOOLEAN,
    PB_SETTING_DURATION_MS,
    PB_SETTING_BYTES
};
enum pb_setting_change { PB_SETTING_RESTART, PB_SETTING_RELOAD };

struct pb_setting {
    const char *name;      /* lower case, words joined by '_' */
    const char *otherwise; /* default, as text */
    enum pb_setting_kind kind;
    enum pb_setting_change change;
    bool secret;      /* never printed */
    const char *help; /* one line */
};

struct pb_config;

/* rows: ends with a row whose name is NULL; must outlive the config. */
struct pb_config *pb_config_new(const struct pb_setting *rows, struct pb_error *err) PB_MUST_CHECK;
void pb_config_free(struct pb_config *config);
/* "name = value" lines, '#' comments; unknown names are INVALID with file and line. Missing file: NOT_FOUND. */
int pb_config_read_file(struct pb_config *config, const char *path,
                        struct pb_error *err) PB_MUST_CHECK;
int pb_config_read_environment(struct pb_config *config, struct pb_error *err) PB_MUST_CHECK;
/* Takes the options it knows out of argv; a boolean needs no value (--webhooks, --no-webhooks); what is left stays in argv[1..*argc-1]. */
int pb_config_read_arguments(struct pb_config *config, int *argc, char **argv,
                             struct pb_error *err) PB_MUST_CHECK;

/* A name that is no row is our mistake: the process ends. Durations: "10s", "5m", "2h", "250ms"; bytes: "64k", "2g". */
const char *pb_config_text(const struct pb_config *config, const char *name);
int64_t pb_config_int(const struct pb_config *config, const char *name);
bool pb_config_bool(const struct pb_config *config, const char *name);
/* Where the value came from: "default", "file", "environment", "command line". */
const char *pb_config_source(const struct pb_config *config, const char *name);
/* "  --listen=TEXT" and so on, for --help. */
void pb_config_help(const struct pb_config *config, struct pb_buf *buf);

#endif
