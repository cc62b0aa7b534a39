/*
 * Memory that dies together: allocate freely, release once.
 *
 * One arena per HTTP request and per wire message. Nothing in an arena is
 * freed on its own, and nothing in it outlives pb_arena_release(). Small
 * allocations share blocks (4 KiB, then doubling to 64 KiB).
 */
#ifndef PB_BASE_ARENA_H
#define PB_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/error.h"

struct pb_arena_block;

struct pb_arena {
    struct pb_arena_block *newest;
    size_t used;
    size_t limit; /* bytes; a request that needs more is refused, not swapped to death */
};

void pb_arena_init(struct pb_arena *arena, size_t limit);
void pb_arena_release(struct pb_arena *arena);

/* Zeroed memory, or NULL past the limit. */
void *pb_arena_alloc(struct pb_arena *arena, size_t size) PB_MUST_CHECK;
/* NULL past the limit; NULL in gives NULL out. */
char *pb_arena_text(struct pb_arena *arena, const char *text) PB_MUST_CHECK;
/* Copies `len` bytes and puts a NUL behind them. */
char *pb_arena_bytes(struct pb_arena *arena, const void *data, size_t len) PB_MUST_CHECK;
char *pb_arena_format(struct pb_arena *arena, const char *fmt, ...) PB_MUST_CHECK PB_PRINTF(2, 3);

#endif
