/*
 * Random events and crashes against a model of the queue that is too simple to be wrong.
 *
 *   POPPO_QUEUE_SEED   which events (printed; a failure says it again)
 *   POPPO_QUEUE_STEPS  how many (400)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/priority.h"
#include "queue_world.h"
#include "server/services/auth.h"
#include "server/services/queue_control.h"
#include "server/store/project_store.h"
#include "server/store/store.h"

enum { PROJECTS = 3, PEOPLE = 3, ITEMS = 4, MOST = 4000, NODE_MAX = 5, PERSON_MAX = 2 };

static const char *const PROJECT_IDS[PROJECTS] = {"one", "two", "three"};
static const int64_t ROOM[PROJECTS] = {1, 2, 4};
static const char *const PERSON_NAMES[PEOPLE] = {"amy", "bob", "cat"};

enum state { QUEUED, WORKING, CANCELLING, ASKS, WINDOW, ENDED };

/* What the model knows of an execution. */
struct one {
    const char *id;
    int project, person;
    int item; /* 0 = of its own */
    int64_t created_at, place, available_at, cancel_by;
    int64_t fence, lost, retries;
    enum state state;
    bool is_accepted;
};

static struct one all[MOST];
static size_t count;
static int64_t now_ms;
static bool is_paused, is_stopped[PROJECTS];
static uint64_t seed;

static const struct pb_principal ADMIN = {.username = "admin"};

/* --- chance ------------------------------------------------------------------------------------------------ */

static uint64_t chance(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* Any execution in one of these states; NULL when there is none. */
static struct one *pick(unsigned states)
{
    size_t start = count ? chance(count) : 0;

    for (size_t i = 0; i < count; i++) {
        struct one *one = &all[(start + i) % count];

        if (states >> one->state & 1)
            return one;
    }
    return NULL;
}

#define IS(state) (1U << (state))

static void pass_time(int64_t ms)
{
    now_ms += ms;
    pb_clock_set_for_test(now_ms);
}

/* --- what the model says -------------------------------------------------------------------------------------- */

static bool is_on_node(const struct one *one)
{
    return one->state == WORKING || one->state == CANCELLING;
}

static int64_t on_node(int project, int person)
{
    int64_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += is_on_node(&all[i]) && (project < 0 || all[i].project == project) &&
                 (person < 0 || all[i].person == person);
    return found;
}

static bool goes_before(const struct one *a, const struct one *b)
{
    return a->place != b->place ? a->place < b->place : strcmp(a->id, b->id) < 0;
}

/* Another execution of the same issue is open and older. */
static bool is_item_busy(const struct one *one)
{
    for (size_t i = 0; one->item && i < count; i++) {
        const struct one *other = &all[i];

        if (other != one && other->project == one->project && other->item == one->item &&
            other->state != ENDED && other->created_at < one->created_at)
            return true;
    }
    return false;
}

/* Everything but room. */
static bool is_ready(const struct one *one)
{
    return one->state == QUEUED && one->available_at <= now_ms && !is_item_busy(one);
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

static void compare(const struct one *one)
{
    static const char *const NAMES[] = {"queued",        "working",       "cancelling",
                                        "waiting_input", "waiting_quota", "ended"};
    const struct pb_execution *real = queue_world_load(one->id);
    bool same = false;

    switch (one->state) {
    case QUEUED:
        same = real->status == PB_EXECUTION_QUEUED;
        break;
    case WORKING:
        same = pb_execution_is_active(real->status) && real->status != PB_EXECUTION_CANCELLING;
        break;
    case CANCELLING:
        same = real->status == PB_EXECUTION_CANCELLING;
        break;
    case ASKS:
        same = real->status == PB_EXECUTION_WAITING_INPUT;
        break;
    case WINDOW:
        same = real->status == PB_EXECUTION_WAITING_QUOTA;
        break;
    case ENDED:
        same = pb_execution_is_final(real->status);
        break;
    }
    if (!same || real->fence != one->fence)
        fail_msg("%s is %s with fence %lld, the model says %s with fence %lld", one->id,
                 pb_execution_status_name(real->status), (long long)real->fence, NAMES[one->state],
                 (long long)one->fence);
}

/* Enqueued = ended + waiting + working, also by the counters that lists and limits use. */
static void compare_counts(void)
{
    struct pb_db *db = pb_store_reader(queue_world.platform.store, &queue_world.err);

    for (int project = 0; project < PROJECTS; project++) {
        int64_t open = 0, ended = 0, real_open = 0, real_ended = 0;
        struct pb_execution_counts counts;

        assert_ok(pb_project_counts(db, PROJECT_IDS[project], &counts, &queue_world.err),
                  &queue_world.err);
        for (int i = 0; i < PB_EXECUTION_STATUS_COUNT; i++)
            *(pb_execution_is_final((enum pb_execution_status)i) ? &real_ended : &real_open) +=
                counts.by_status[i];
        for (size_t i = 0; i < count; i++)
            if (all[i].project == project)
                *(all[i].state == ENDED ? &ended : &open) += 1;
        assert_int_equal(real_open, open);
        assert_int_equal(real_ended, ended);
    }
}

/* --- events: people ------------------------------------------------------------------------------------------- */

static void enqueue(void)
{
    struct one one = {.project = (int)chance(PROJECTS),
                      .person = (int)chance(PEOPLE),
                      .item = (int)chance(ITEMS),
                      .created_at = now_ms};
    int64_t priority = (int64_t)chance(4) - 1;

    if (count == MOST)
        return;
    one.place = pb_queue_place(now_ms, priority, 0);
    one.id = queue_world_enqueue(PROJECT_IDS[one.project],
                                 (struct pb_enqueue){.issue_number = one.item,
                                                     .requested_by = PERSON_NAMES[one.person],
                                                     .priority = priority});
    all[count++] = one;
}

static void cancel(void)
{
    struct one *one =
        pick(IS(QUEUED) | IS(WORKING) | IS(CANCELLING) | IS(ASKS) | IS(WINDOW) | IS(ENDED));
    int r;

    if (!one)
        return;
    r = pb_execution_cancel(&queue_world.platform, one->id, "amy", &queue_world.err);
    if (one->state == ENDED) {
        if (r < 0)
            assert_int_equal(queue_world.err.code, PB_ERROR_CONFLICT);
        return;
    }
    assert_int_equal(r, 0);
    if (one->state == WORKING)
        one->cancel_by = now_ms + queue_world.platform.settings.cancel_timeout_ms;
    one->state = is_on_node(one) ? CANCELLING : ENDED;
}

static void answer(void)
{
    struct one *one = pick(IS(ASKS));
    char key[40];

    if (!one)
        return;
    snprintf(key, sizeof(key), "comment:%llu", (unsigned long long)chance(UINT64_MAX));
    assert_ok(
        pb_execution_reply(&queue_world.platform, one->id, "go on",
                           &(struct pb_remark){.text = "go on", .said_by = "amy", .said_at = 1},
                           key, &queue_world.err),
        &queue_world.err);
    one->state = QUEUED;
    one->available_at = 0;
}

static void hurry(void)
{
    struct one *one = pick(IS(QUEUED));
    int64_t priority = (int64_t)chance(4) - 1;

    if (!one)
        return;
    assert_ok(pb_execution_set_urgency(
                  &queue_world.platform, one->id,
                  &(struct pb_urgency){.has_priority = true, .priority = priority, .now = true},
                  "amy", &queue_world.err),
              &queue_world.err);
    one->place = pb_queue_place(one->created_at, priority, 0);
    one->available_at = 0;
}

static void toggle(struct pb_project *project)
{
    project->status = project->status == PB_PROJECT_ACTIVE ? PB_PROJECT_STOPPED : PB_PROJECT_ACTIVE;
}

static void turn_something_off_or_on(void)
{
    int project = (int)chance(PROJECTS + 1);

    if (project < PROJECTS) {
        queue_world_change(PROJECT_IDS[project], toggle);
        is_stopped[project] = !is_stopped[project];
        return;
    }
    assert_ok(is_paused ? pb_queue_resume(&queue_world.platform, &ADMIN, &queue_world.err)
                        : pb_queue_pause(&queue_world.platform, NULL, &ADMIN, &queue_world.err),
              &queue_world.err);
    is_paused = !is_paused;
}

/* --- events: nodes ------------------------------------------------------------------------------------------------ */

static struct pb_attempt_claim claim_of(const struct one *one)
{
    return (struct pb_attempt_claim){PROJECT_IDS[one->project], one->id,
                                     queue_world_load(one->id)->attempt_count, one->fence,
                                     "node-1"};
}

static int report(const struct pb_attempt_claim *claim, const char *outcome, const char *kind)
{
    return pb_execution_finished(&queue_world.platform, claim,
                                 &(struct pb_attempt_outcome){.outcome = outcome,
                                                              .kind = kind,
                                                              .reason = "chance",
                                                              .usage = {.cost_micro_usd = -1},
                                                              .exit_code = -1,
                                                              .signal = -1},
                                 &queue_world.err);
}

/* Back in the queue, after a pause that only its bounds are known of. */
static void is_back(struct one *one, int64_t longest_ms)
{
    one->state = QUEUED;
    one->is_accepted = false;
    one->available_at = queue_world_load(one->id)->available_at;
    assert_in_range(one->available_at, now_ms, now_ms + longest_ms);
}

static void accept_one(void)
{
    struct one *one = pick(IS(WORKING));
    struct pb_attempt_claim claim;

    if (!one)
        return;
    claim = claim_of(one);
    assert_ok(pb_execution_accepted(&queue_world.platform, &claim, &queue_world.err),
              &queue_world.err);
    one->is_accepted = true;
}

static void end_one(void)
{
    static const struct {
        const char *outcome, *kind;
    } ENDS[] = {{"succeeded", NULL},     {"failed", "command"},           {"failed", "network"},
                {"waiting_input", NULL}, {"waiting_quota", "rate_limit"}, {"cancelled", NULL}};
    struct one *one = pick(IS(WORKING) | IS(CANCELLING));
    size_t which = chance(COUNT(ENDS));
    struct pb_attempt_claim claim;

    if (!one)
        return;
    claim = claim_of(one);
    assert_ok(report(&claim, ENDS[which].outcome, ENDS[which].kind), &queue_world.err);
    if (chance(4) == 0) /* the answer was lost: said again, it changes nothing */
        assert_ok(report(&claim, "failed", "command"), &queue_world.err);
    one->is_accepted = false;
    if (one->state == CANCELLING || which == 0 || which == 1 || which == 5) {
        one->state = ENDED;
    } else if (which == 2) {
        if (++one->retries <= 5)
            is_back(one, 10 * 60 * 1000);
        else
            one->state = ENDED;
    } else {
        one->state = which == 3 ? ASKS : WINDOW;
        one->available_at = which == 3 ? 0 : now_ms + 5 * 60 * 1000;
    }
}

static void lose_one(void)
{
    struct one *one = pick(IS(WORKING) | IS(CANCELLING));
    struct pb_attempt_claim claim;

    if (!one)
        return;
    claim = claim_of(one);
    claim.node_id = NULL;
    assert_ok(pb_execution_lost(&queue_world.platform, &claim, "chance", &queue_world.err),
              &queue_world.err);
    one->lost += one->is_accepted;
    if (one->state == CANCELLING || (one->is_accepted && one->lost >= PB_LIMIT_ATTEMPTS_LOST))
        one->state = ENDED;
    else
        is_back(one, 30 * 1000);
    one->is_accepted = false;
}

/* A node that thinks it still has what it lost long ago. */
static void speak_out_of_turn(void)
{
    struct one *one = pick(IS(QUEUED) | IS(WORKING) | IS(ENDED));
    struct pb_attempt_claim claim;

    if (!one || one->fence < 2)
        return;
    claim = claim_of(one);
    claim.fence--;
    claim.attempt--;
    assert_refused(report(&claim, "succeeded", NULL), &queue_world.err, PB_ERROR_CONFLICT);
    assert_string_equal(queue_world.err.reason, "stale_fence");
}

/* --- events: the platform ------------------------------------------------------------------------------------------ */

static void crash(void)
{
    char dir[64];
    const char *ids[MOST];

    memcpy(dir, queue_world.dir, sizeof(dir));
    for (size_t i = 0; i < count; i++)
        ids[i] = strdup(all[i].id);
    queue_world_close(); /* everything in memory goes; the test's texts were in its arena */
    queue_world_open(dir);
    for (size_t i = 0; i < count; i++) {
        all[i].id = pb_arena_text(&queue_world.arena, ids[i]);
        free((void *)(uintptr_t)ids[i]);
    }
}

/* Was it allowed to start, and was it its turn? */
static void check_start(struct one *one)
{
    assert_true(is_ready(one));
    assert_false(is_paused || is_stopped[one->project]);
    for (size_t i = 0; i < count; i++) {
        const struct one *other = &all[i];

        if (other->project == one->project && is_ready(other) && goes_before(other, one) &&
            on_node(-1, other->person) < PERSON_MAX)
            fail_msg("%s started before %s", one->id, other->id);
    }
    one->state = WORKING;
    one->fence++;
    one->is_accepted = false;
    assert_true(on_node(one->project, -1) <= ROOM[one->project]);
    assert_true(on_node(-1, one->person) <= PERSON_MAX);
    assert_true(on_node(-1, -1) <= NODE_MAX);
}

/* Nothing is left standing that could have started. */
static void check_rest(void)
{
    for (size_t i = 0; i < count && !is_paused; i++) {
        const struct one *one = &all[i];

        if (is_ready(one) && !is_stopped[one->project] &&
            on_node(one->project, -1) < ROOM[one->project] &&
            on_node(-1, one->person) < PERSON_MAX && on_node(-1, -1) < NODE_MAX)
            fail_msg("%s could start and does not", one->id);
    }
}

static void look(void)
{
    size_t before = queue_world.sent_count;

    for (size_t i = 0; i < count; i++) { /* what time does first */
        if (all[i].state == CANCELLING && all[i].cancel_by <= now_ms)
            all[i].state = ENDED;
        if (all[i].state == WINDOW && all[i].available_at <= now_ms) {
            all[i].state = QUEUED;
            all[i].available_at = 0;
        }
    }
    if (chance(8) == 0) {
        struct pb_queue_scope scope = {.is_all = true};
        int64_t next;

        queue_world.unknown_writes = 1; /* it happens, and nobody is told */
        if (pb_look_at_queue(queue_world.look, &scope, &next, &queue_world.err) < 0)
            assert_int_equal(queue_world.err.code, PB_ERROR_UNAVAILABLE);
        queue_world.unknown_writes = 0;
    }
    queue_world_look();
    for (size_t n = before; n < queue_world.sent_count; n++) {
        struct one *one = NULL;

        for (size_t i = 0; i < count && !one; i++)
            one =
                strcmp(all[i].id, queue_world.sent[n % QUEUE_WORLD_SENT].id) == 0 ? &all[i] : NULL;
        assert_non_null(one);
        check_start(one);
    }
    check_rest();
}

static void wait_a_while(void)
{
    static const int64_t WHILES[] = {10, 1000, 16 * 1000, 11 * 60 * 1000};

    pass_time(WHILES[chance(COUNT(WHILES))]);
}

/* --- the run ----------------------------------------------------------------------------------------------------------- */

static const struct {
    void (*happens)(void);
    unsigned weight;
} EVENTS[] = {
    {enqueue, 24},
    {look, 20},
    {end_one, 16},
    {accept_one, 8},
    {cancel, 5},
    {lose_one, 5},
    {answer, 5},
    {hurry, 3},
    {speak_out_of_turn, 4},
    {wait_a_while, 6},
    {turn_something_off_or_on, 3},
    {crash, 1},
};

static void step(void)
{
    unsigned sum = 0, luck;

    for (size_t i = 0; i < COUNT(EVENTS); i++)
        sum += EVENTS[i].weight;
    luck = (unsigned)chance(sum);
    for (size_t i = 0; i < COUNT(EVENTS); i++) {
        if (luck < EVENTS[i].weight) {
            EVENTS[i].happens();
            return;
        }
        luck -= EVENTS[i].weight;
    }
}

/* Everything may run, and everything succeeds, until nothing is left. */
static void drain(void)
{
    while (is_paused)
        turn_something_off_or_on();
    for (int project = 0; project < PROJECTS; project++)
        if (is_stopped[project]) {
            queue_world_change(PROJECT_IDS[project], toggle);
            is_stopped[project] = false;
        }
    for (int rounds = 0; pick(IS(QUEUED) | IS(WORKING) | IS(CANCELLING) | IS(ASKS) | IS(WINDOW));
         rounds++) {
        struct one *one;

        assert_true(rounds < 100000);
        look();
        while (pick(IS(ASKS)))
            answer();
        while ((one = pick(IS(WORKING) | IS(CANCELLING)))) {
            struct pb_attempt_claim claim = claim_of(one);

            assert_ok(report(&claim, "succeeded", NULL), &queue_world.err);
            one->state = ENDED;
        }
        pass_time(60 * 1000);
    }
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
    int64_t value;

    return getenv(name) && pb_parse_i64(getenv(name), 1, INT64_MAX, &value) ? value : otherwise;
}

TEST(the_queue_does_what_the_model_says)
{
    static const struct pb_queue_limit LIMITS[] = {{PB_QUEUE_LIMIT_USER, "", "*", PERSON_MAX},
                                                   {PB_QUEUE_LIMIT_NODE, "", "*", NODE_MAX}};
    int64_t steps = from_environment("POPPO_QUEUE_STEPS", 400);
    int64_t drawn;

    pb_random(&drawn, sizeof(drawn));
    seed = (uint64_t)from_environment("POPPO_QUEUE_SEED", (drawn & INT64_MAX) | 1);
    print_message("# POPPO_QUEUE_SEED=%llu\n", (unsigned long long)seed);
    now_ms = INT64_C(1800000000000);
    pass_time(0);
    for (int i = 0; i < PROJECTS; i++)
        queue_world_project(PROJECT_IDS[i], ROOM[i], NULL);
    queue_world_limits(LIMITS, COUNT(LIMITS));
    for (int64_t i = 0; i < steps; i++) {
        pass_time(1);
        step();
        if (i % 16 == 0)
            for (size_t n = 0; n < count; n++)
                compare(&all[n]);
        compare_counts();
    }
    drain();
    for (size_t n = 0; n < count; n++)
        compare(&all[n]);
    compare_counts();
    print_message("# %zu executions, %zu starts\n", count, queue_world.sent_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_queue_does_what_the_model_says, queue_world_setup,
                                        queue_world_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
