/* One line of a live check, in both languages: what was looked at, what was found, what would mend it. */
#ifndef PB_SERVER_SERVICES_CHECK_ROW_H
#define PB_SERVER_SERVICES_CHECK_ROW_H

struct pb_check_row {
    const char *name;  /* "token", "repository", "key" … */
    const char *state; /* "ok", "warning", "error" */
    const char *message_en;
    const char *message_ja;
    const char *fix_en; /* NULL when there is nothing to mend */
    const char *fix_ja;
};

#endif
