#include "agent/step.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/step_private.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/message.h"

enum { ANSWER_PATIENCE_S = 600, ARENA_MAX = 4 << 20, LINE_BYTES = 4096 };

/* A line on its way to the loop. */
struct note {
    struct pb_step *step;
    char stream;
    char text[];
};

/* ---- life, on the loop ---- */

struct pb_step *pb_step_new(struct pb_attempt *attempt,
                            int (*work)(struct pb_step *, struct pb_error *),
                            void (*done)(struct pb_attempt *, struct pb_step *),
                            struct pb_error *err)
{
    struct pb_step *step = calloc(1, sizeof(*step));
    pthread_condattr_t steady;

    if (!step) {
        (void)pb_fail(err, PB_ERROR_LIMITED, "no memory");
        return NULL;
    }
    step->attempt = attempt;
    step->work = work;
    step->done = done;
    pb_arena_init(&step->arena, ARENA_MAX);
    (void)pthread_mutex_init(&step->lock, NULL);
    (void)pthread_condattr_init(&steady);
    (void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&step->answered, &steady);
    (void)pthread_condattr_destroy(&steady);
    return step;
}

void pb_step_free(struct pb_step *step)
{
    if (!step)
        return;
    pb_thread_join(&step->thread);
    pb_credential_release(&step->credential);
    pb_json_free(step->env);
    pb_task_close(step->task);
    pb_arena_release(&step->arena);
    (void)pthread_cond_destroy(&step->answered);
    (void)pthread_mutex_destroy(&step->lock);
    free(step);
}

static void finish(void *arg)
{
    struct pb_step *step = arg;
    struct pb_attempt *attempt = step->attempt;

    *step->slot = NULL;
    step->done(attempt, step);
    pb_step_free(step);
}

static void run(void *arg)
{
    struct pb_step *step = arg;

    step->r = step->work(step, &step->err);
    (void)pb_loop_post(step->attempt->host->loop, finish, step);
}

int pb_step_start(struct pb_step *step, struct pb_step **slot, struct pb_error *err)
{
    step->slot = slot;
    *slot = step;
    step->thread = pb_thread_start("step", run, step, err);
    if (step->thread)
        return 0;
    *slot = NULL;
    pb_step_free(step);
    return -1;
}

void pb_step_cancel(struct pb_step *step)
{
    atomic_store(&step->is_cancelled, true);
    (void)pthread_mutex_lock(&step->lock);
    (void)pthread_cond_broadcast(&step->answered);
    (void)pthread_mutex_unlock(&step->lock);
}

/* ---- questions ---- */

static void send_request(struct pb_step *step)
{
    struct pb_attempt *attempt = step->attempt;
    struct pb_message_builder b;
    struct pb_buf frame;

    pb_buf_init(&frame, 4096);
    pb_message_begin(&b, &frame, PB_MESSAGE_CREDENTIAL_REQUEST, attempt->host->dirs->project);
    pb_attempt_ref_put(&b.json,
                       &(struct pb_attempt_ref){attempt->plan->execution, attempt->plan->attempt,
                                                attempt->row.fence});
    pb_json_put_text(&b.json, "request", step->request);
    pb_json_put_text(&b.json, "purpose", step->purpose);
    pb_message_end(&b, NULL, 0);
    attempt->host->send(attempt->host->arg, &frame);
    pb_buf_release(&frame);
}

void pb_step_ask_again(struct pb_step *step)
{
    bool is_waiting;

    (void)pthread_mutex_lock(&step->lock);
    is_waiting = step->is_waiting && !step->has_answer;
    (void)pthread_mutex_unlock(&step->lock);
    if (is_waiting)
        send_request(step);
}

static void ask_on_loop(void *arg)
{
    pb_step_ask_again(arg);
}

static void take_answer(struct pb_step *step, const struct pb_json *body)
{
    const struct pb_json *env = pb_json_get(body, "env");
    const char *secret = pb_json_text(body, "secret", "");
    const char *error = pb_json_text(body, "error", NULL);

    step->has_answer = true;
    if (error) {
        step->is_refused = true;
        (void)pb_fail_reason(&step->refusal, PB_ERROR_DENIED,
                             pb_json_text(body, "kind", "platform"), "%s", error);
        return;
    }
    step->credential.username = strdup(pb_json_text(body, "username", ""));
    step->credential.secret = strdup(secret);
    if (env) {
        struct pb_error ignored;
        struct pb_buf text;

        pb_buf_init(&text, PB_MESSAGE_FRAME_MAX);
        text.secret = true;
        pb_json_dump(&text, env);
        step->env = pb_json_parse(pb_buf_string(&text), text.len, &ignored);
        pb_buf_release(&text);
    }
}

bool pb_step_answer(struct pb_step *step, const struct pb_json *body)
{
    bool is_ours;

    (void)pthread_mutex_lock(&step->lock);
    is_ours = pb_text_equal(step->request, pb_json_text(body, "request", NULL));
    if (is_ours && step->is_waiting && !step->has_answer)
        take_answer(step, body);
    (void)pthread_cond_broadcast(&step->answered);
    (void)pthread_mutex_unlock(&step->lock);
    return is_ours;
}

static void begin_question(struct pb_step *step, const char *purpose)
{
    pb_credential_release(&step->credential);
    pb_json_free(step->env);
    step->env = NULL;
    step->is_refused = false;
    step->has_answer = false;
    step->is_waiting = true;
    (void)snprintf(step->purpose, sizeof(step->purpose), "%s", purpose);
    (void)snprintf(step->request, sizeof(step->request), "%s/%s/%u/%lld", step->attempt->plan->name,
                   purpose, ++step->asked, (long long)pb_clock_steady_ms());
}

static void wait_for_answer(struct pb_step *step)
{
    struct timespec deadline;
    int r = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += ANSWER_PATIENCE_S;
    while (!step->has_answer && !pb_step_cancelled(step) && r == 0)
        r = pthread_cond_timedwait(&step->answered, &step->lock, &deadline);
}

int pb_step_ask(struct pb_step *step, const char *purpose, struct pb_error *err)
{
    int r = 0;

    (void)pthread_mutex_lock(&step->lock);
    begin_question(step, purpose);
    (void)pb_loop_post(step->attempt->host->loop, ask_on_loop, step);
    wait_for_answer(step);
    if (step->has_answer && step->is_refused) {
        *err = step->refusal;
        r = -1;
    } else if (!step->has_answer) {
        r = pb_step_cancelled(step)
                ? pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "cancelled", "cancelled")
                : pb_fail_reason(err, PB_ERROR_UNAVAILABLE, "platform",
                                 "the platform gave no %s within %d minutes", purpose,
                                 ANSWER_PATIENCE_S / 60);
    }
    step->is_waiting = false;
    (void)pthread_mutex_unlock(&step->lock);
    return r;
}

/* One more value that is not for the log of this attempt. */
static void hide(struct pb_step *step, const char *secret)
{
    struct pb_error err;

    pb_log_hide(secret);
    if (*secret && pb_mask_add(step->attempt->mask, secret, &err) < 0)
        pb_log_fail(PB_LOG_WARN, "attempt", &err, "attempt=%s cannot hide a value",
                    step->attempt->plan->name);
}

int pb_step_credential(struct pb_step *step, const char *purpose,
                       struct pb_credential *ret_credential, struct pb_error *err)
{
    if (pb_step_ask(step, purpose, err) < 0)
        return -1;
    if (!step->credential.secret || !step->credential.username)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory");
    hide(step, step->credential.secret);
    *ret_credential = step->credential;
    step->credential = (struct pb_credential){0};
    return 0;
}

void pb_credential_release(struct pb_credential *credential)
{
    free(credential->username);
    pb_wipe_free(credential->secret);
    *credential = (struct pb_credential){0};
}

/* ---- what does not change ---- */

const struct pb_attempt_plan *pb_step_plan(const struct pb_step *step)
{
    return step->attempt->plan;
}

const struct pb_project_dirs *pb_step_dirs(const struct pb_step *step)
{
    return step->attempt->host->dirs;
}

const struct pb_task_host *pb_step_task_host(const struct pb_step *step)
{
    return step->attempt->host->task_host;
}

const char *pb_step_attempt_dir(const struct pb_step *step)
{
    return step->attempt->dir;
}

bool pb_step_cancelled(const struct pb_step *step)
{
    return atomic_load(&step->is_cancelled);
}

struct pb_mask *pb_step_mask(const struct pb_step *step)
{
    return step->attempt->mask;
}

/* ---- log ---- */

static void put_note(void *arg)
{
    struct note *note = arg;

    pb_attempt_line(note->step->attempt, note->stream, note->text, strlen(note->text));
    free(note);
}

void pb_step_log(struct pb_step *step, char stream, const char *fmt, ...)
{
    char text[LINE_BYTES];
    struct note *note;
    va_list args;
    size_t len;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    len = strlen(text) + 1;
    note = malloc(sizeof(*note) + len);
    if (!note)
        return;
    note->step = step;
    note->stream = stream;
    memcpy(note->text, text, len);
    if (!pb_loop_post(step->attempt->host->loop, put_note, note))
        free(note);
}
