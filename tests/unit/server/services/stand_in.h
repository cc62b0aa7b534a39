/*
 * An HTTP server that answers as told and remembers what it was asked: the
 * other side of the GitHub client in unit tests. The whole stateful GitHub is
 * tests/rig/github; this one is for exact bytes.
 *
 * A key is "GET /repos/acme/site?per_page=1"; a request whose query has no
 * reply of its own gets the one for the path alone. Replies of one key are
 * used in order, the last one stays. Anything else is GitHub's 404.
 */
#ifndef PB_TESTS_UNIT_SERVER_SERVICES_STAND_IN_H
#define PB_TESTS_UNIT_SERVER_SERVICES_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

struct stand_in;

struct stand_in *stand_in_start(void);
void stand_in_stop(struct stand_in *s);
const char *stand_in_url(struct stand_in *s); /* "http://127.0.0.1:PORT" */

/* headers: "Name: value" lines, or NULL. status 0 cuts the connection. Texts are copied; "{url}" in headers becomes
 * the server's address. */
void stand_in_reply(struct stand_in *s, const char *key, int status, const char *headers,
                    const char *body);
void stand_in_forget(struct stand_in *s, const char *key); /* its replies; back to 404 */
void stand_in_forget_requests(struct stand_in *s);

/* Requests whose key is this one, with the query if the key has one. */
size_t stand_in_count(struct stand_in *s, const char *key);
size_t stand_in_total(struct stand_in *s);
/* Until one more request has come, at most so long. */
void stand_in_wait(struct stand_in *s, int64_t ms);
/* Of the n-th such request; "" when there is none. Valid until stand_in_forget_requests(). */
const char *stand_in_body(struct stand_in *s, const char *key, size_t n);
const char *stand_in_header(struct stand_in *s, const char *key, size_t n, const char *name);
/* The key of the n-th request of all, "" at the end. */
const char *stand_in_request(struct stand_in *s, size_t n);

#endif
