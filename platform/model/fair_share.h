/*
 * Whose turn it is: turns go round by weight.
 *
 * Each taker has a pass. Who has the smallest goes next, and each turn moves
 * its pass on by one stride, which is shorter for a greater weight. So while
 * several want turns, each gets its weight's share of them, evenly mixed and
 * the same in every run. Who comes (back) starts where the others are: time
 * away is not saved up, and turns taken in advance are not forgotten.
 *
 * Not safe for several threads. Nothing is kept on disk: a restart begins
 * with everybody level, which costs nobody more than one stride.
 */
#ifndef PB_MODEL_FAIR_SHARE_H
#define PB_MODEL_FAIR_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pb_fair_share;

/* NULL when there is no memory. */
struct pb_fair_share *pb_fair_share_new(void) PB_MUST_CHECK;
void pb_fair_share_free(struct pb_fair_share *share); /* NULL is fine */

/* Where this taker stands among those who want turns now. */
int64_t pb_fair_share_pass(struct pb_fair_share *share, const char *taker);
/* It had a turn. weight < 1 counts as 1. -1: no memory to remember it; the turn stands. */
int pb_fair_share_charge(struct pb_fair_share *share, const char *taker, int64_t weight,
                         struct pb_error *err) PB_MUST_CHECK;
/* Forgets who is not ahead of the others; often enough, memory stays small. */
void pb_fair_share_prune(struct pb_fair_share *share);
size_t pb_fair_share_count(const struct pb_fair_share *share); /* remembered */

#endif
