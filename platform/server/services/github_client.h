/*
 * One REST call to GitHub, with everything GitHub expects around it.
 *
 * Works against github.com, GitHub Enterprise Server (base URL with a path,
 * ".../api/v3") and whatever speaks the same protocol. A call waits for its
 * turn (github_limits.h), carries token, version and User-Agent, follows
 * redirects of moved repositories within the same origin, answers from the
 * ETag cache when GitHub says 304, and turns every refusal into a typed error:
 *
 *   code             reason             meaning
 *   UNREACHABLE      dns refused tls …  nobody there, or cut in the middle
 *   TIMEOUT                             too slow
 *   UNAVAILABLE      github_down        5xx
 *   UNREACHABLE      github_not_json    something else answers at this address
 *   LIMITED          github_limited     not before pb_github_retry_at()
 *   UNAUTHENTICATED  github_token       401: the token is wrong or has expired
 *   DENIED           github_denied      403: the token may not do this
 *   NOT_FOUND        github_missing     404: not there, or hidden from this token
 *   NOT_FOUND        github_gone        410: deleted or switched off
 *   CONFLICT         github_exists      422 already_exists
 *   CONFLICT         github_conflict    409
 *   UNPROCESSABLE    github_refused     422 and other 4xx, in GitHub's words;
 *                    github_no_draft, github_no_commits are finer ones
 *   UNREACHABLE      github_moved_away  redirected to another server
 *
 * The token goes into the Authorization header and nowhere else.
 */
#ifndef PB_SERVER_SERVICES_GITHUB_CLIENT_H
#define PB_SERVER_SERVICES_GITHUB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "server/services/github_limits.h"

struct pb_github;
struct pb_http_client;
struct pb_store;

struct pb_github_options {
    struct pb_http_client *http; /* borrowed */
    struct pb_store *store; /* borrowed; ETags and limits live here. NULL = remembered nowhere */
    int64_t pace_ms;        /* between two writes of one token; 1000 at github.com */
    int64_t timeout_ms;     /* of one call; 0 = 30 s */
};

struct pb_github *pb_github_new(const struct pb_github_options *options,
                                struct pb_error *err) PB_MUST_CHECK;
void pb_github_free(struct pb_github *github); /* after its callers have ended; NULL is fine */
/* Every call ends with UNAVAILABLE "stopping": those that wait for a turn at once, those on the wire when the HTTP
 * client is stopped. */
void pb_github_stop(struct pb_github *github);

/* In whose name. Holds the token: pb_github_account_release() wipes it. */
struct pb_github_account {
    char api_url[512]; /* no slash at the end */
    char token[512];
    char project_id[64];             /* whose ETag cache; "" = none */
    char token_hash[PB_SHA256_TEXT]; /* of address and token: names bucket and cache rows */
};

/* INVALID when the address is no http(s) URL, or the token has anything but printable ASCII. */
int pb_github_account_init(struct pb_github_account *account, const char *api_url,
                           const char *token, const char *project_id,
                           struct pb_error *err) PB_MUST_CHECK;
void pb_github_account_release(struct pb_github_account *account);

struct pb_github_call {
    enum pb_github_kind kind;
    const char *method;
    const char *path; /* "/repos/acme/site?…", or a whole URL from a Link header */
    const char *body; /* JSON, or NULL */
    size_t body_len;
    bool cached; /* a GET answered from the cache while it is unchanged */
};

struct pb_github_answer {
    int status;
    bool unchanged;       /* 304: the tree below is the one of last time */
    bool moved;           /* found behind a redirect: the repository has a new name */
    struct pb_json *json; /* NULL when there was no body */
    char *next;           /* of the Link header, verbatim; NULL = none */
    char *prev;
    char *last;
    char *scopes; /* X-OAuth-Scopes of a classic token; NULL = not such a token */
};

int pb_github_call(struct pb_github *github, const struct pb_github_account *account,
                   const struct pb_github_call *call, struct pb_github_answer *ret_answer,
                   struct pb_error *err) PB_MUST_CHECK;
void pb_github_answer_release(struct pb_github_answer *answer);

/* The common call. */
int pb_github_get(struct pb_github *github, const struct pb_github_account *account,
                  const char *path, struct pb_github_answer *ret_answer,
                  struct pb_error *err) PB_MUST_CHECK;

/* One path segment or query value, percent-encoded. NULL past the arena's limit. */
char *pb_github_escape(struct pb_arena *arena, const char *text) PB_MUST_CHECK;

/* True when the same call may succeed later without anybody changing anything. */
bool pb_github_is_temporary(const struct pb_error *err);
void pb_github_stats(struct pb_github *github, struct pb_github_stats *ret_stats);
/* When this account may be used again (wall clock); 0 = now. */
int64_t pb_github_retry_at(struct pb_github *github, const struct pb_github_account *account,
                           enum pb_github_kind kind);

#endif
