#include "server/manual.h"

#include "server/settings.h"

enum { SETTINGS_MAX = 256 << 10 };

static const struct {
    const char *verb;
    const char *help;
    const char *more; /* for the page alone */
} VERBS[] = {
    {"(no verb)", "start everything on this machine: platform and local node", NULL},
    {"serve", "the server alone, in the foreground (what systemd runs)", NULL},
    {"db copy --from DATABASE --to DATABASE",
     "move an installation to another database, while it is stopped",
     "A DATABASE is sqlite (the file below data_dir) or postgresql://…; passwords come from "
     "--from-password-file FILE and --to-password-file FILE. The target must be empty. Every row "
     "is read again and compared, all of it is one "
     "change, and nothing is copied while a platform uses either database. Afterwards set "
     "database and start."},
    {"version", "print the version", NULL},
    {"man", "this program's page for man(8)", NULL},
    {"help", "all of this", NULL},
};
enum { VERB_COUNT = sizeof(VERBS) / sizeof(VERBS[0]) };

static const struct {
    const char *status;
    const char *meaning;
} STATUSES[] = {
    {"0", "Done, or stopped as asked."},
    {"1", "Refused or failed; the last line says why."},
    {"2", "Typed wrongly."},
    {"75", "serve: something it needs is not there yet, a later start may succeed."},
    {"78", "serve: it cannot start like this, and another start will not change that."},
};

void pb_manual_help(struct pb_buf *buf)
{
    pb_buf_text(buf, "usage: poppo-platform [verb] [--setting=value …]\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        pb_buf_format(buf, "  %s\n        %s\n", VERBS[i].verb, VERBS[i].help);
    pb_buf_text(
        buf, "\nSettings, also as POPPO_<NAME> in the environment or in the file of --config:\n");
    pb_settings_help(buf);
}

/* Nothing in a text is taken for a request or an escape of the formatter. */
static void put_text(struct pb_buf *buf, const char *text)
{
    bool begins = true;

    for (; *text; begins = *text++ == '\n') {
        if (begins && (*text == '.' || *text == '\''))
            pb_buf_text(buf, "\\&");
        if (*text == '\\')
            pb_buf_text(buf, "\\e");
        else if (*text == '-')
            pb_buf_text(buf, "\\-");
        else
            pb_buf_char(buf, *text);
    }
    pb_buf_char(buf, '\n');
}

static void put_item(struct pb_buf *buf, const char *name, const char *meaning)
{
    pb_buf_text(buf, ".TP\n.B ");
    put_text(buf, name);
    put_text(buf, meaning);
}

static void put_settings(struct pb_buf *buf)
{
    struct pb_buf settings;

    pb_buf_init(&settings, SETTINGS_MAX);
    pb_settings_help(&settings);
    pb_buf_text(buf, ".SH SETTINGS\n");
    put_text(buf, "On the command line, as POPPO_<NAME> in the environment, or in the file of "
                  "--config, in this order.");
    pb_buf_text(buf, ".PP\n.nf\n");
    put_text(buf, pb_buf_string(&settings));
    pb_buf_text(buf, ".fi\n");
    pb_buf_release(&settings);
}

void pb_manual_page(struct pb_buf *buf)
{
    pb_buf_text(buf, ".TH POPPO-PLATFORM 8 \"\" \"PoppoBuilder " PB_VERSION "\"\n.ad l\n.nh\n");
    pb_buf_text(buf, ".SH NAME\n");
    put_text(buf, "poppo-platform - the server of PoppoBuilder Platform");
    pb_buf_text(buf, ".SH SYNOPSIS\n");
    put_text(buf, "poppo-platform [verb] [--setting=value …]");
    pb_buf_text(buf, ".SH VERBS\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        put_item(buf, VERBS[i].verb, VERBS[i].help);
        if (VERBS[i].more) {
            pb_buf_text(buf, ".IP\n");
            put_text(buf, VERBS[i].more);
        }
    }
    put_settings(buf);
    pb_buf_text(buf, ".SH \"EXIT STATUS\"\n");
    for (size_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++)
        put_item(buf, STATUSES[i].status, STATUSES[i].meaning);
    pb_buf_text(buf, ".SH \"SEE ALSO\"\n");
    put_text(buf, "poppo(1); docs/operations.md of the source");
}
