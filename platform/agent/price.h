/*
 * What a call to a model cost, from a table of list prices with dates
 * (prices.def). A model that is in no row has no price: callers say "unknown"
 * instead of adding a guess to somebody's bill.
 */
#ifndef PB_AGENT_PRICE_H
#define PB_AGENT_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Tokens of one call. `input` is what was neither read from nor written to the cache. */
struct pb_tokens {
    int64_t input, output, cache_read, cache_write_5m, cache_write_1h;
};

/* False when no row fits the model at that time; *ret_micro_usd is then left alone. */
bool pb_price(const char *model, int64_t at_wall_ms, const struct pb_tokens *tokens,
              int64_t *ret_micro_usd) PB_MUST_CHECK;

#endif
