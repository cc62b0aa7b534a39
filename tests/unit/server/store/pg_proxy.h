/*
 * Stands between a store and its PostgreSQL, on a UNIX socket in a folder of
 * its own, and makes happen what networks and servers do at the worst moment.
 */
#ifndef PB_PG_PROXY_H
#define PB_PG_PROXY_H

enum pg_proxy_mode {
    PROXY_PASS,
    PROXY_DROP_COMMIT, /* the next COMMIT does not arrive, its connection breaks; then PASS */
    PROXY_DROP_ANSWER, /* the next COMMIT arrives, its answer does not; then PASS */
    PROXY_SWALLOW,     /* nothing moves, nothing breaks: packets into the void */
    PROXY_DELAY,  /* so do the connections there are; new ones work. PASS sends what was held on */
    PROXY_REFUSE, /* every connection breaks at once */
    PROXY_FUTURE, /* the server claims to be on a later timeline */
};

struct pg_proxy;

/* From `dir` to the server's socket folder. */
struct pg_proxy *pg_proxy_start(const char *dir, const char *server_dir);
void pg_proxy_set(struct pg_proxy *proxy, enum pg_proxy_mode mode);
enum pg_proxy_mode pg_proxy_get(struct pg_proxy *proxy);
int pg_proxy_accepted(struct pg_proxy *proxy); /* connections so far */
int pg_proxy_open(struct pg_proxy *proxy);     /* connections at the moment */
void pg_proxy_stop(struct pg_proxy *proxy);

#endif
