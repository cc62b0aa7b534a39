#include "model/queue_limit.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/project.h"

enum { BUCKETS = 256, KEYS_MAX = 2 * (2 + PB_LIMIT_LABELS) };

static const char *const KIND_NAMES[] = {
#define X(kind, name) name,
    PB_QUEUE_LIMIT_KINDS(X)
#undef X
};
const struct pb_names PB_QUEUE_LIMIT_NAMES = {KIND_NAMES,
                                              sizeof(KIND_NAMES) / sizeof(KIND_NAMES[0])};

int pb_queue_limit_check(const struct pb_queue_limit *limit, struct pb_error *err)
{
    if (!limit->subject[0] || strlen(limit->subject) > PB_LIMIT_QUERY ||
        !pb_utf8_valid(limit->subject, strlen(limit->subject)))
        return pb_fail_field(err, "limits", "a limit needs a subject of at most %d bytes",
                             PB_LIMIT_QUERY);
    if (limit->kind == PB_QUEUE_LIMIT_LABEL && strcmp(limit->subject, "*") == 0)
        return pb_fail_field(err, "limits", "a limit of labels names its label");
    if (limit->project_id[0] && !pb_project_id_valid(limit->project_id))
        return pb_fail_field(err, "limits", "'%.40s' is no project", limit->project_id);
    if (limit->project_id[0] && limit->kind == PB_QUEUE_LIMIT_NODE)
        return pb_fail_field(err, "limits", "a limit of nodes is not of one project");
    if (limit->max < 0 || limit->max > 10000)
        return pb_fail_field(err, "limits", "a limit is from 0 to 10000");
    return 0;
}

/* --- the tally -------------------------------------------------------------------------------------- */

struct count {
    struct count *next;
    int64_t value;
    int64_t max;
    char key[];
};

struct pb_queue_tally {
    struct pb_arena *arena; /* borrowed */
    struct pb_queue_limits limits;
    struct count *buckets[BUCKETS];
};

struct pb_queue_tally *pb_queue_tally_new(struct pb_arena *arena,
                                          const struct pb_queue_limits *limits)
{
    struct pb_queue_tally *tally = pb_arena_alloc(arena, sizeof(*tally));

    if (tally)
        *tally = (struct pb_queue_tally){.arena = arena, .limits = *limits};
    return tally;
}

/* The limit for this very subject, else the one for each; NULL = none. */
static const struct pb_queue_limit *find_limit(const struct pb_queue_tally *tally,
                                               enum pb_queue_limit_kind kind,
                                               const char *project_id, const char *subject)
{
    const struct pb_queue_limit *each = NULL;

    for (size_t i = 0; i < tally->limits.count; i++) {
        const struct pb_queue_limit *limit = &tally->limits.items[i];

        if (limit->kind != kind || strcmp(limit->project_id, project_id) != 0)
            continue;
        if (pb_text_equal_nocase(limit->subject, subject))
            return limit;
        if (strcmp(limit->subject, "*") == 0)
            each = limit;
    }
    return each;
}

static struct count **find_count(const struct pb_queue_tally *tally, const char *key)
{
    struct count *const *at;
    unsigned hash = 5381;

    for (const char *c = key; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    for (at = &tally->buckets[hash % BUCKETS]; *at; at = &(*at)->next)
        if (strcmp((*at)->key, key) == 0)
            break;
    return (struct count **)(uintptr_t)at;
}

/* The counts that a load falls under. */
struct counts {
    struct count *items[KEYS_MAX];
    size_t count;
};

static char *lower(char *text)
{
    for (char *c = text; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return text;
}

static int collect_one(struct pb_queue_tally *tally, enum pb_queue_limit_kind kind,
                       const char *project_id, const char *subject, struct counts *counts,
                       struct pb_error *err)
{
    const struct pb_queue_limit *limit = find_limit(tally, kind, project_id, subject);
    struct count **place;
    char *key;

    if (!limit || counts->count == KEYS_MAX)
        return 0;
    key = lower(pb_arena_format(tally->arena, "%s/%s/%s", KIND_NAMES[kind], project_id, subject));
    place = key ? find_count(tally, key) : NULL;
    if (place && !*place) {
        *place = pb_arena_alloc(tally->arena, sizeof(**place) + strlen(key) + 1);
        if (*place) {
            memcpy((*place)->key, key, strlen(key) + 1);
            (*place)->max = limit->max;
        }
    }
    if (!place || !*place)
        return pb_fail(err, PB_ERROR_LIMITED, "too much runs to be counted");
    counts->items[counts->count++] = *place;
    return 0;
}

/* Of all projects together, and of its own. */
static int collect_both(struct pb_queue_tally *tally, enum pb_queue_limit_kind kind,
                        const struct pb_queue_load *load, const char *subject,
                        struct counts *counts, struct pb_error *err)
{
    if (collect_one(tally, kind, "", subject, counts, err) < 0)
        return -1;
    return collect_one(tally, kind, load->project_id, subject, counts, err);
}

static bool has_kind(const struct pb_queue_tally *tally, enum pb_queue_limit_kind kind)
{
    for (size_t i = 0; i < tally->limits.count; i++)
        if (tally->limits.items[i].kind == kind)
            return true;
    return false;
}

static int collect_labels(struct pb_queue_tally *tally, const struct pb_queue_load *load,
                          struct counts *counts, struct pb_error *err)
{
    struct pb_error ignored;
    struct pb_json *labels;
    int r = 0;

    if (!load->labels || !has_kind(tally, PB_QUEUE_LIMIT_LABEL))
        return 0;
    labels = pb_json_parse(load->labels, strlen(load->labels), &ignored);
    for (size_t i = 0; r == 0 && i < pb_json_count(labels) && i < PB_LIMIT_LABELS; i++)
        r = collect_both(tally, PB_QUEUE_LIMIT_LABEL, load,
                         pb_json_as_text(pb_json_at(labels, i), ""), counts, err);
    pb_json_free(labels);
    return r;
}

static int collect(struct pb_queue_tally *tally, const struct pb_queue_load *load,
                   struct counts *counts, struct pb_error *err)
{
    counts->count = 0;
    if (load->node && collect_one(tally, PB_QUEUE_LIMIT_NODE, "", load->node, counts, err) < 0)
        return -1;
    if (load->requested_by &&
        collect_both(tally, PB_QUEUE_LIMIT_USER, load, load->requested_by, counts, err) < 0)
        return -1;
    return collect_labels(tally, load, counts, err);
}

int pb_queue_tally_add(struct pb_queue_tally *tally, const struct pb_queue_load *load,
                       struct pb_error *err)
{
    struct counts counts;

    if (collect(tally, load, &counts, err) < 0)
        return -1;
    for (size_t i = 0; i < counts.count; i++)
        counts.items[i]->value++;
    return 0;
}

int pb_queue_tally_meets(struct pb_queue_tally *tally, const struct pb_queue_load *load,
                         const char **ret_key, struct pb_error *err)
{
    struct counts counts;

    if (collect(tally, load, &counts, err) < 0)
        return -1;
    *ret_key = NULL;
    for (size_t i = 0; i < counts.count && !*ret_key; i++)
        if (counts.items[i]->value >= counts.items[i]->max)
            *ret_key = counts.items[i]->key;
    return 0;
}

bool pb_queue_limit_kind_of(const char *key, enum pb_queue_limit_kind *ret_kind)
{
    for (int i = 0; i < PB_QUEUE_LIMIT_KIND_COUNT; i++) {
        size_t len = strlen(KIND_NAMES[i]);

        if (strncmp(key, KIND_NAMES[i], len) != 0 || key[len] != '/')
            continue;
        *ret_kind = (enum pb_queue_limit_kind)i;
        return true;
    }
    return false;
}

int64_t pb_queue_tally_room(const struct pb_queue_tally *tally, const char *key)
{
    const struct count *count = *find_count(tally, key);
    char project_id[PB_LIMIT_PROJECT_ID + 1];
    const struct pb_queue_limit *limit;
    enum pb_queue_limit_kind kind;
    const char *project, *subject;

    if (count)
        return count->value < count->max ? count->max - count->value : 0;
    if (!pb_queue_limit_kind_of(key, &kind))
        return INT64_MAX;
    project = key + strlen(KIND_NAMES[kind]) + 1;
    subject = strchr(project, '/');
    if (!subject || subject - project > PB_LIMIT_PROJECT_ID)
        return INT64_MAX;
    memcpy(project_id, project, (size_t)(subject - project));
    project_id[subject - project] = '\0';
    limit = find_limit(tally, kind, project_id, subject + 1);
    return limit ? limit->max : INT64_MAX;
}
