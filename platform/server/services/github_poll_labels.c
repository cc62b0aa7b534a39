#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "server/services/execution_control.h"
#include "server/services/github_pin_private.h"
#include "server/services/github_poll_private.h"
#include "server/services/github_trust.h"
#include "server/store/work_item_store.h"

enum {
    LISTED_MAX = 100000,
    ISSUE_ARENA = 8 << 20,
    SETTLED_MS = 10 * 1000, /* GitHub's times are whole seconds, and clocks differ */
};

/* Issues with the label, page by page. */
struct listing {
    struct pb_github_pass *pass;
    int64_t *numbers; /* owned */
    size_t count;
    size_t room;
};

static int note_number(struct listing *listing, int64_t number, struct pb_error *err)
{
    if (listing->count == listing->room) {
        size_t room = listing->room ? listing->room * 2 : 64;
        int64_t *numbers;

        if (room > LISTED_MAX)
            return pb_fail(err, PB_ERROR_TOO_LARGE, "more than %d issues carry the label",
                           LISTED_MAX);
        numbers = reallocarray(listing->numbers, room, sizeof(*numbers));
        if (!numbers)
            return pb_fail(err, PB_ERROR_UNAVAILABLE, "out of memory for a list of issues");
        listing->numbers = numbers;
        listing->room = room;
    }
    listing->numbers[listing->count++] = number;
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static bool was_listed(const struct pb_github_poll *poll, int64_t number)
{
    if (!poll->has_listed)
        return true;
    return poll->listed_count &&
           bsearch(&number, poll->listed, poll->listed_count, sizeof(number), compare_numbers);
}

/* What to compare the next list with. A change in the very second of the last one would look the same, so while
 * that can still happen nothing is noted, and the next pass looks again. */
static const char *settled_text(const struct pb_github_issue *issue)
{
    return pb_clock_wall_ms() - issue->updated_at > SETTLED_MS ? issue->updated_text : "";
}

/* Unchanged since we looked, and the label was not away in between (servers differ in whether labels touch
 * updated_at). */
static bool is_old_news(const struct pb_github_pass *pass, const struct pb_work_item *item,
                        const struct pb_github_issue *issue)
{
    return item && item->label_event_key &&
           pb_text_equal(item->seen_updated_at, issue->updated_text) &&
           was_listed(pass->poll, issue->number);
}

/* Who labelled it, and the key that makes this labelling unique. A server without events leaves only the
 * issue itself, and its author. */
static int find_labelling(struct pb_github_pass *pass, const struct pb_github_issue *issue,
                          struct pb_arena *arena, struct pb_github_labelling *ret_labelling,
                          const char **ret_key, struct pb_error *err)
{
    struct pb_github_labelling labelling = {0};
    struct pb_error why = {0};
    long long number = (long long)issue->number;
    const char *key;

    if (pb_github_issue_labelling(&pass->repo, issue->number, pass->project->trigger_label, arena,
                                  &labelling, &why) < 0 &&
        strcmp(why.reason, "github_unlabelled") != 0) {
        *err = why;
        return -1;
    }
    if (labelling.event_id) {
        key =
            pb_arena_format(arena, "label:issue-%lld:%lld", number, (long long)labelling.event_id);
    } else {
        key = pb_arena_format(arena, "label:issue-%lld:%lld", number, (long long)issue->created_at);
        labelling.actor = issue->author;
        labelling.at = issue->created_at;
        pb_log_info("github_sync",
                    "project=%s issue=%lld no event tells who set the label, taking the author",
                    pass->project->id, number);
    }
    if (!key)
        return pb_fail(err, PB_ERROR_LIMITED, "no room for a trigger's key");
    *ret_key = key;
    *ret_labelling = labelling;
    return 0;
}

static int refuse(struct pb_github_pass *pass, const struct pb_github_issue *issue,
                  const char *login, const char *key, struct pb_error *err)
{
    pb_log_info("github_sync",
                "project=%s issue=%lld label set by '%s' who may not write, not started",
                pass->project->id, (long long)issue->number, login ? login : "(deleted account)");
    return pb_github_pass_save_seen(pass,
                                    &(struct pb_github_seen){.issue = issue,
                                                             .number = issue->number,
                                                             .label_event_key = key,
                                                             .updated_text = settled_text(issue),
                                                             .state = "not_allowed"},
                                    err);
}

static int enqueue(struct pb_github_pass *pass, const struct pb_github_issue *issue,
                   const struct pb_github_pin *pin, const char *login, const char *key,
                   struct pb_arena *arena, struct pb_error *err)
{
    struct pb_error why = {0};
    const char *id = NULL;

    if (pb_execution_enqueue(pass->platform,
                             &(struct pb_enqueue){.project_id = pass->project->id,
                                                  .issue_number = issue->number,
                                                  .title = pin->title,
                                                  .url = issue->url,
                                                  .author = issue->author.login,
                                                  .prompt = pin->prompt,
                                                  .trigger = PB_TRIGGER_LABEL,
                                                  .requested_by = login,
                                                  .dedupe_key = key,
                                                  .labels = issue->labels},
                             arena, &id, &why) < 0) {
        if (why.code == PB_ERROR_CONFLICT)
            return 0; /* started before, and killed before we noted it */
        *err = why;
        return -1;
    }
    pb_log_info("github_sync", "project=%s issue=%lld execution=%s queued for '%s'",
                pass->project->id, (long long)issue->number, id, login);
    return 0;
}

/* The text is read again and pinned now, and only an issue that is still open starts. */
static int start(struct pb_github_pass *pass, const struct pb_work_item *item,
                 const struct pb_github_issue *listed, const struct pb_github_labelling *labelling,
                 const char *key, struct pb_arena *arena, struct pb_error *err)
{
    struct pb_github_issue issue;
    struct pb_github_pin pin;

    if (pb_github_pass_facts(pass, err) < 0 ||
        pb_github_issue_get(&pass->repo, listed->number, arena, &issue, err) < 0)
        return -1;
    if (!issue.is_open)
        return 0;
    if (pb_github_pin(&pass->repo, pass->project, item, &issue, arena, &pin, err) < 0 ||
        enqueue(pass, &issue, &pin, labelling->actor.login, key, arena, err) < 0)
        return -1;
    return pb_github_pass_save_seen(
        pass,
        &(struct pb_github_seen){.issue = &issue,
                                 .number = issue.number,
                                 .label_event_key = key,
                                 .updated_text = settled_text(listed),
                                 .state = "started",
                                 .comment_at = pin.newest_comment_at >= labelling->at
                                                   ? pin.newest_comment_at + 1
                                                   : labelling->at},
        err);
}

static int note_seen(struct pb_github_pass *pass, const struct pb_work_item *item,
                     const struct pb_github_issue *issue, struct pb_error *err)
{
    const char *text = settled_text(issue);

    if (pb_text_equal(item->seen_updated_at, text))
        return 0;
    return pb_github_pass_save_seen(
        pass, &(struct pb_github_seen){.number = issue->number, .updated_text = text}, err);
}

static int look_at(struct pb_github_pass *pass, const struct pb_github_issue *issue,
                   struct pb_arena *arena, struct pb_error *err)
{
    struct pb_github_labelling labelling;
    struct pb_work_item *item;
    const char *key;
    bool may;

    if (pb_work_item_find(pass->db, arena, pass->project->id, issue->number, &item, err) < 0)
        return -1;
    if (is_old_news(pass, item, issue))
        return 0;
    if (find_labelling(pass, issue, arena, &labelling, &key, err) < 0)
        return -1;
    if (item && pb_text_equal(item->label_event_key, key)) {
        if (pb_execution_follow_labels(pass->platform, item->id, issue->labels, err) < 0)
            return -1;
        return note_seen(pass, item, issue, err);
    }
    if (pb_github_trust_may_write(&pass->repo, &labelling.actor, &may, err) < 0)
        return -1;
    if (!may)
        return refuse(pass, issue, labelling.actor.login, key, err);
    return start(pass, item, issue, &labelling, key, arena, err);
}

static int look_at_one(struct listing *listing, const struct pb_json *json, struct pb_error *err)
{
    struct pb_github_pass *pass = listing->pass;
    struct pb_github_issue issue = {0};
    struct pb_error why = {0};
    struct pb_arena arena;
    int r = -1;

    pb_arena_init(&arena, ISSUE_ARENA);
    if (pb_github_issue_read(json, &arena, &issue, &why) < 0)
        goto out;
    r = 0;
    if (issue.is_pull)
        goto out;
    r = note_number(listing, issue.number, &why);
    if (r == 0)
        r = look_at(pass, &issue, &arena, &why);
out:
    if (r < 0 && pb_github_pass_may_go_on(&why)) {
        pb_log_fail(PB_LOG_WARN, "github_sync", &why, "project=%s issue=%lld passed over",
                    pass->project->id, (long long)issue.number);
        r = 0;
    }
    if (r < 0)
        *err = why;
    pb_arena_release(&arena);
    return r;
}

static int look_at_page(void *arg, const struct pb_json *issues, bool *stop, struct pb_error *err)
{
    struct listing *listing = arg;

    for (size_t i = pb_json_count(issues);
         i-- > 0;) { /* newest first is how they come: who asked first goes first */
        if (atomic_load(listing->pass->stop)) {
            *stop = true;
            return 0;
        }
        if (look_at_one(listing, pb_json_at(issues, i), err) < 0)
            return -1;
    }
    return 0;
}

int pb_github_poll_labels(struct pb_github_pass *pass, struct pb_error *err)
{
    struct listing listing = {.pass = pass};

    if (pb_github_issues_labelled(&pass->repo, pass->project->trigger_label, look_at_page, &listing,
                                  err) < 0 ||
        atomic_load(pass->stop)) {
        free(listing.numbers);
        return atomic_load(pass->stop) ? 0 : -1;
    }
    if (listing.count)
        qsort(listing.numbers, listing.count, sizeof(*listing.numbers), compare_numbers);
    free(pass->poll->listed);
    pass->poll->listed = listing.numbers;
    pass->poll->listed_count = listing.count;
    pass->poll->has_listed = true;
    return 0;
}
