/*
 * A platform for tests of the GitHub services: the real store and client, the
 * stand-in as GitHub, and doubles of the services beside them, which do the
 * least and remember what they were asked.
 */
#ifndef PB_TESTS_UNIT_SERVER_SERVICES_GITHUB_WORLD_H
#define PB_TESTS_UNIT_SERVER_SERVICES_GITHUB_WORLD_H

#include <stdint.h>

#include "base/arena.h"
#include "model/execution.h"
#include "model/project.h"
#include "model/work_item.h"
#include "server/services/platform.h"
#include "stand_in.h"

#define WORLD_TOKEN "ghp_thisisadummytokenfortests000000000000"

enum { WORLD_CALLS = 64 };

/* One call of pb_execution_enqueue() or pb_execution_reply(). */
struct world_call {
    char id[32]; /* of the execution */
    char key[64];
    char by[64];
    char title[256];
    char labels[128];
    char *prompt;     /* owned */
    char remark[256]; /* of the comment: its text and address; "" = no comment */
    char remark_url[128];
    enum pb_execution_trigger trigger;
    bool resume;
    bool is_reply;
};

struct world {
    struct pb_platform platform;
    struct stand_in *github;
    struct pb_arena arena;
    char dir[32];
    struct world_call calls[WORLD_CALLS];
    size_t call_count;
    char health[32]; /* as last told, "" = never */
    char health_code[64];
    size_t health_count;
    char notes[4096]; /* lines of pb_execution_note() */
    char labels[256]; /* as last told for what may be queued; "" = never */
};

extern struct world world;

void world_start(void); /* project "site" = acme/site, in English, active */
void world_end(void);

void world_set_project(void (*change)(struct pb_project *project));
struct pb_project *world_project(void);
/* NULL when there is none. In the world's arena. */
struct pb_work_item *world_item(int64_t number);
struct pb_execution *world_execution(const char *id);
/* The execution as a node's reports would leave it. */
void world_set_execution(const char *id, void (*change)(struct pb_execution *execution));
/* "alice" answered the execution's question. */
void world_answer(const char *id, const char *question, const char *text);
/* An execution of an issue, as if it had been triggered. Its id, in the arena. */
const char *world_enqueue(int64_t issue_number, const char *key);

#endif
