/*
 * Limits on what a person, GitHub or an agent can grow, by name; one that a
 * single file needs to know stands there. Lengths are bytes unless they say
 * characters. Reaching one is an error with the limit in its message, never a
 * silent cut (log lines excepted: they are cut and marked, because a log must
 * not stop for one long line).
 */
#ifndef PB_MODEL_LIMITS_H
#define PB_MODEL_LIMITS_H

enum {
    /* pages */
    PB_LIMIT_PAGE = 200,
    PB_LIMIT_PAGE_DEFAULT = 50,
    PB_LIMIT_CURSOR = 1024,
    PB_LIMIT_QUERY = 200,

    /* projects */
    PB_LIMIT_PROJECT_ID = 63,
    PB_LIMIT_PROJECT_NAME_CHARS = 100,
    PB_LIMIT_GITHUB_OWNER = 39,
    PB_LIMIT_GITHUB_REPO = 100,
    PB_LIMIT_URL = 300,
    PB_LIMIT_BRANCH = 200,
    PB_LIMIT_LABEL_CHARS = 50, /* GitHub's own */
    PB_LIMIT_LABEL_PREFIX_CHARS = 30,
    PB_LIMIT_MODEL = 100,
    PB_LIMIT_TOOLS = 64,
    PB_LIMIT_TOOL = 200,
    PB_LIMIT_COMMAND_ARGS = 64,
    PB_LIMIT_COMMAND_ARG = 4096,
    PB_LIMIT_INSTRUCTIONS = 32 << 10,
    PB_LIMIT_PATH = 1000,
    PB_LIMIT_CONCURRENT = 100,
    PB_LIMIT_QUEUE_WEIGHT = 100,
    PB_LIMIT_RETRIES = 20,
    PB_LIMIT_SCHEDULES_PER_PROJECT = 100,
    PB_LIMIT_TURNS = 1000,
    PB_LIMIT_POLL_SECONDS = 24 * 3600,
    PB_LIMIT_WALL_SECONDS_MIN = 10,
    PB_LIMIT_WALL_SECONDS = 24 * 3600,
    PB_LIMIT_SILENCE_SECONDS_MIN = 5,
    PB_LIMIT_BUDGET_USD = 10000,

    /* environment variables */
    PB_LIMIT_ENV_VARS_PER_PROJECT = 500,
    PB_LIMIT_ENV_NAME = 128,
    PB_LIMIT_ENV_VALUE = 32 << 10,

    /* people */
    PB_LIMIT_USERNAME = 32,
    PB_LIMIT_PASSWORD_MIN_CHARS = 8,
    PB_LIMIT_PASSWORD_CHARS = 200,
    PB_LIMIT_SESSIONS_PER_USER = 50,

    /* executions */
    PB_LIMIT_QUEUED_PER_PROJECT = 100000,
    PB_LIMIT_QUEUE_LIMITS = 500,
    PB_LIMIT_LABELS = 100, /* of one issue; GitHub's own */
    PB_LIMIT_TITLE_CHARS = 300,
    PB_LIMIT_PROMPT = 256 << 10,
    PB_LIMIT_SUMMARY = 64 << 10,
    PB_LIMIT_QUESTION = 16 << 10,
    PB_LIMIT_REASON = 2000,
    PB_LIMIT_REMARK_CHARS = 4000,
    PB_LIMIT_ATTEMPTS_LOST = 3, /* then the execution fails: node_lost */

    /* logs */
    PB_LIMIT_LOG_LINE = 16 << 10,   /* the text; time and stream stand before it */
    PB_LIMIT_LOG_CHUNK = 1 << 20,   /* one append */
    PB_LIMIT_LOG_READ_LINES = 2000, /* one range read over the API */
    PB_LIMIT_LOG_ATTEMPTS = 32,     /* newest senders of lines remembered per execution */
    PB_LIMIT_LOG_QUERY = 500,       /* what is searched for */
    PB_LIMIT_LOG_MARKS = 10000,     /* of one log, told in one answer */

    /* nodes */
    PB_LIMIT_NODE_NAME = 63,

    /* GitHub */
    PB_LIMIT_GITHUB_CACHE_BODY = 1 << 20,
};

#endif
