/* Room for log lines: who waits, who goes on first, and that no room is lost. The log store answers when told. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "pb_test.h"
#include "server/services/log_hub.h"
#include "server/services/node_private.h"
#include "server/services/platform.h"

enum { MIB = 1 << 20, ROOM = 8 /* of them */, CHUNKS_MAX = 64, LANES_COUNT = 4 };

typedef void acked_fn(void *arg, int64_t next, const struct pb_error *err);

static struct {
    struct pb_node_hub hub;
    struct link link;
    struct lane lanes[LANES_COUNT];
    struct {
        acked_fn *acked;
        void *arg;
    } chunks[CHUNKS_MAX]; /* with the log store */
    size_t first, count;
    bool store_refuses;
    sem_t woken;
    pthread_mutex_t lock; /* guards the rest */
    struct lane *order[CHUNKS_MAX];
    size_t order_count;
    int given_up, links_closed, answers;
} world;

/* --- what lies around it (-Wl,--wrap) -------------------------------------------------------------------- */

int __wrap_pb_log_hub_chunk(struct pb_log_hub *hub, const char *execution, int64_t attempt,
                            int64_t seq, const char *blob, size_t len, int64_t count,
                            acked_fn *acked, void *arg, struct pb_error *err);
int __wrap_pb_log_hub_chunk(struct pb_log_hub *hub, const char *execution, int64_t attempt,
                            int64_t seq, const char *blob, size_t len, int64_t count,
                            acked_fn *acked, void *arg, struct pb_error *err)
{
    (void)hub, (void)execution, (void)attempt, (void)seq, (void)blob, (void)len, (void)count;
    if (world.store_refuses)
        return pb_fail(err, PB_ERROR_INVALID, "no");
    world.chunks[world.count].acked = acked;
    world.chunks[world.count++].arg = arg;
    return 0;
}

int __wrap_pb_execution_may_log(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                                struct pb_error *err);
int __wrap_pb_execution_may_log(struct pb_platform *platform, const struct pb_attempt_claim *claim,
                                struct pb_error *err)
{
    (void)platform, (void)claim, (void)err;
    return 0;
}

/* On the pool. */
void __wrap_pb_lane_run(void *lane);
void __wrap_pb_lane_run(void *lane)
{
    (void)pthread_mutex_lock(&world.lock);
    world.order[world.order_count++] = lane;
    (void)pthread_mutex_unlock(&world.lock);
    (void)sem_post(&world.woken);
}

void __wrap_pb_lane_give_up(struct lane *lane);
void __wrap_pb_lane_give_up(struct lane *lane)
{
    (void)lane;
    world.given_up++;
}

void __wrap_pb_link_ref(struct link *link);
void __wrap_pb_link_ref(struct link *link)
{
    (void)link;
}

void __wrap_pb_link_unref(struct link *link);
void __wrap_pb_link_unref(struct link *link)
{
    (void)link;
}

bool __wrap_pb_link_send(struct link *link, const struct pb_buf *frame);
bool __wrap_pb_link_send(struct link *link, const struct pb_buf *frame)
{
    (void)link, (void)frame;
    world.answers++;
    return true;
}

void __wrap_pb_link_close(struct link *link, int code, const char *reason);
void __wrap_pb_link_close(struct link *link, int code, const char *reason)
{
    (void)link, (void)code, (void)reason;
    world.links_closed++;
}

/* --- the world --------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    static struct pb_platform platform;
    struct pb_error err;

    (void)state;
    memset(&world, 0, sizeof(world));
    world.hub.platform = &platform;
    world.hub.stalled_last = &world.hub.stalled;
    world.hub.pool = pb_pool_new("test", 1, 16, &err);
    assert_non_null(world.hub.pool);
    (void)pthread_mutex_init(&world.hub.lines_lock, NULL);
    (void)pthread_mutex_init(&world.lock, NULL);
    (void)sem_init(&world.woken, 0, 0);
    world.link.hub = &world.hub;
    for (int i = 0; i < LANES_COUNT; i++)
        world.lanes[i].link = &world.link;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pb_pool_free(world.hub.pool);
    (void)pthread_mutex_destroy(&world.hub.lines_lock);
    (void)pthread_mutex_destroy(&world.lock);
    (void)sem_destroy(&world.woken);
    return 0;
}

/* A chunk of so many bytes, with the kilobyte it costs beside them. */
static int send(int lane, size_t bytes)
{
    static const char BODY[] = "{\"seq\":0,\"count\":1}";
    const struct pb_attempt_claim claim = {"app", "01HF7YAT00AAAAAAAAAAAAAAAA", 1, 1, "n"};
    struct pb_error err;
    struct pb_message message = {.body = pb_json_parse(BODY, strlen(BODY), &err)};
    int r;

    assert_non_null(message.body);
    message.head.blob = "";
    message.head.blob_len = bytes - 1024;
    r = pb_node_on_log_chunk(&world.lanes[lane], &message, &claim, &err);
    pb_message_release(&message);
    return r;
}

/* The lane finds no room and stalls. */
static void stall(int lane, size_t bytes)
{
    assert_int_equal(send(lane, bytes), PB_NODE_LATER);
    assert_true(pb_lines_stall(&world.lanes[lane]));
}

static void answer(const struct pb_error *err)
{
    assert_true(world.first < world.count);
    world.chunks[world.first].acked(world.chunks[world.first].arg, 1, err);
    world.first++;
}

static void expect_woken(size_t number, int lane)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&world.woken, &until), 0);
    (void)pthread_mutex_lock(&world.lock);
    assert_ptr_equal(world.order[number], &world.lanes[lane]);
    (void)pthread_mutex_unlock(&world.lock);
}

static size_t woken(void)
{
    size_t count;

    (void)pthread_mutex_lock(&world.lock);
    count = world.order_count;
    (void)pthread_mutex_unlock(&world.lock);
    return count;
}

/* --- tests --------------------------------------------------------------------------------------------------- */

TEST(who_stalled_first_goes_on_first_and_a_large_chunk_is_not_passed_by_small_ones)
{
    (void)state;
    for (int i = 0; i < 2 * ROOM; i++)
        assert_int_equal(send(0, MIB / 2), 0);
    stall(1, MIB);
    stall(2, 2048);
    answer(NULL); /* half of what lane 1 waits for: lane 2 would fit */
    assert_int_equal(send(3, 2048), PB_NODE_LATER);
    assert_true(pb_lines_stall(&world.lanes[3]));
    assert_int_equal(woken(), 0);
    answer(NULL);
    expect_woken(0, 1);
    assert_int_equal(woken(), 1); /* all that is free is lane 1's */
    assert_int_equal(send(0, 2048), PB_NODE_LATER);
    assert_int_equal(send(1, MIB), 0);
    answer(NULL);
    expect_woken(1, 2);
    expect_woken(2, 3);
    assert_int_equal(send(3, 2048), 0);
    assert_int_equal(send(2, 2048), 0);
    while (world.first < world.count)
        answer(NULL);
    assert_int_equal(world.hub.lines_waiting, 0);
    assert_int_equal(world.answers, world.count);
}

TEST(room_that_is_not_used_goes_to_the_next_one)
{
    (void)state;
    for (int i = 0; i < ROOM; i++)
        assert_int_equal(send(0, MIB), 0);
    stall(1, MIB);
    stall(2, MIB);
    answer(NULL);
    expect_woken(0, 1);
    pb_lines_settle(&world.lanes[1]); /* its link was closed meanwhile */
    expect_woken(1, 2);
    world.store_refuses = true;
    assert_int_equal(send(2, MIB), -1);
    world.store_refuses = false;
    assert_int_equal(send(3, MIB), 0);
    while (world.first < world.count)
        answer(NULL);
    assert_int_equal(world.hub.lines_waiting, 0);
}

TEST(when_all_was_answered_meanwhile_a_lane_goes_on_at_once)
{
    (void)state;
    for (int i = 0; i < ROOM; i++)
        assert_int_equal(send(0, MIB), 0);
    assert_int_equal(send(1, MIB), PB_NODE_LATER);
    while (world.first < world.count)
        answer(NULL);
    assert_false(pb_lines_stall(&world.lanes[1]));
    assert_int_equal(send(1, MIB), 0);
    answer(NULL);
    assert_int_equal(woken(), 0);
}

TEST(lines_that_cannot_be_stored_close_the_link_and_give_their_room_back)
{
    const struct pb_error full = {PB_ERROR_UNAVAILABLE, .reason = "disk_full"};
    const struct pb_error gap = {PB_ERROR_CONFLICT, .reason = "gap"};

    (void)state;
    for (int i = 0; i < ROOM; i++)
        assert_int_equal(send(0, MIB), 0);
    stall(1, MIB);
    answer(&full);
    assert_int_equal(world.links_closed, 1);
    expect_woken(0, 1);
    answer(&gap); /* is an answer */
    assert_int_equal(world.links_closed, 1);
    assert_int_equal(world.answers, 1);
    pb_lines_settle(&world.lanes[1]);
    while (world.first < world.count)
        answer(&full);
    assert_int_equal(world.hub.lines_waiting, 0);
}

TEST(the_lanes_of_a_closed_link_wait_no_more_and_those_of_others_do)
{
    static struct link other;

    (void)state;
    other.hub = &world.hub;
    world.lanes[2].link = &other;
    for (int i = 0; i < ROOM; i++)
        assert_int_equal(send(0, MIB), 0);
    for (int lane = 1; lane < LANES_COUNT; lane++)
        stall(lane, MIB);
    world.link.is_closed = true;
    pb_lines_forget(&world.link);
    assert_int_equal(world.given_up, 2);
    assert_int_equal(send(1, MIB), PB_NODE_LATER);
    assert_false(pb_lines_stall(&world.lanes[1]));
    answer(NULL);
    expect_woken(0, 2);
    pb_lines_settle(&world.lanes[2]);
    while (world.first < world.count)
        answer(NULL);
    assert_int_equal(woken(), 1);
    assert_int_equal(world.hub.lines_waiting, 0);
}

TEST(at_the_end_nobody_is_left_waiting)
{
    (void)state;
    for (int i = 0; i < ROOM; i++)
        assert_int_equal(send(0, MIB), 0);
    stall(1, MIB);
    stall(2, MIB);
    pb_lines_finish(&world.hub);
    assert_int_equal(world.given_up, 2);
    assert_int_equal(send(3, MIB), PB_NODE_LATER);
    assert_false(pb_lines_stall(&world.lanes[3]));
    while (world.first < world.count)
        answer(NULL);
    assert_int_equal(woken(), 0);
    assert_int_equal(world.hub.lines_waiting, 0);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(who_stalled_first_goes_on_first_and_a_large_chunk_is_not_passed_by_small_ones),
        WITH_WORLD(room_that_is_not_used_goes_to_the_next_one),
        WITH_WORLD(when_all_was_answered_meanwhile_a_lane_goes_on_at_once),
        WITH_WORLD(lines_that_cannot_be_stored_close_the_link_and_give_their_room_back),
        WITH_WORLD(the_lanes_of_a_closed_link_wait_no_more_and_those_of_others_do),
        WITH_WORLD(at_the_end_nobody_is_left_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
