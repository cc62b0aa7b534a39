/*
 * An agent's summary in its parts: what was done, and what was checked, which
 * is the last paragraph that begins with "Checked:" (確認:), as the prompt
 * asks for. Parts point into the text.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_SUMMARY_H
#define PB_SERVER_SERVICES_GITHUB_SUMMARY_H

#include <stddef.h>

struct pb_github_part {
    const char *text;
    size_t len; /* 0 = there is none */
};

struct pb_github_summary {
    struct pb_github_part done;
    struct pb_github_part checked; /* without the word it begins with */
};

struct pb_github_summary pb_github_summary_split(const char *text);
/* The first line that says something: no heading, no list sign. */
struct pb_github_part pb_github_summary_line(const char *text);

#endif
