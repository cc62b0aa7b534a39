#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_MIN = 4 << 10,
    BLOCK_MAX = 64 << 10,
    ALIGNMENT = alignof(max_align_t),
};

/* Under AddressSanitizer nothing shares a block, so that running over an end is seen. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCKS_ARE_SHARED 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BLOCKS_ARE_SHARED 0
#endif
#ifndef BLOCKS_ARE_SHARED
#define BLOCKS_ARE_SHARED 1
#endif

struct pb_arena_block {
    struct pb_arena_block *older;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

void pb_arena_init(struct pb_arena *arena, size_t limit)
{
    *arena = (struct pb_arena){.limit = limit};
}

void pb_arena_release(struct pb_arena *arena)
{
    struct pb_arena_block *block = arena->newest;

    while (block) {
        struct pb_arena_block *older = block->older;

        free(block);
        block = older;
    }
    pb_arena_init(arena, arena->limit);
}

static struct pb_arena_block *block_new(size_t size)
{
    struct pb_arena_block *block = calloc(1, sizeof(*block) + size);

    if (block)
        block->size = size;
    return block;
}

/* A block of its own goes behind the newest, whose free space stays in use. */
static void *alloc_alone(struct pb_arena *arena, size_t size)
{
    struct pb_arena_block *block = block_new(size);

    if (!block)
        return NULL;
    block->used = size;
    if (arena->newest) {
        block->older = arena->newest->older;
        arena->newest->older = block;
    } else {
        arena->newest = block;
    }
    return block->bytes;
}

static void *alloc_shared(struct pb_arena *arena, size_t size)
{
    struct pb_arena_block *block = arena->newest;
    void *memory;

    if (!block || size > block->size - block->used) {
        size_t next = block && block->size >= BLOCK_MIN ? block->size * 2 : BLOCK_MIN;

        block = block_new(next < BLOCK_MAX ? next : BLOCK_MAX);
        if (!block)
            return NULL;
        block->older = arena->newest;
        arena->newest = block;
    }
    memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

void *pb_arena_alloc(struct pb_arena *arena, size_t size)
{
    size_t rounded;
    void *memory;

    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    rounded = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    if (rounded > arena->limit - arena->used)
        return NULL;
    if (BLOCKS_ARE_SHARED && rounded <= BLOCK_MIN / 4)
        memory = alloc_shared(arena, rounded);
    else
        memory = alloc_alone(arena, BLOCKS_ARE_SHARED ? rounded : size);
    if (memory)
        arena->used += rounded;
    return memory;
}

char *pb_arena_text(struct pb_arena *arena, const char *text)
{
    return text ? pb_arena_bytes(arena, text, strlen(text)) : NULL;
}

char *pb_arena_bytes(struct pb_arena *arena, const void *data, size_t len)
{
    char *copy = len < SIZE_MAX ? pb_arena_alloc(arena, len + 1) : NULL;

    if (copy && len > 0)
        memcpy(copy, data, len);
    return copy;
}

char *pb_arena_format(struct pb_arena *arena, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    char *text = NULL;
    int len;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    if (len >= 0)
        text = pb_arena_alloc(arena, (size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return text;
}
