#include "agent/price.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Dollars per million tokens are micro dollars per token; kept in thousandths of those. */
#define NANO(usd) ((int64_t)((usd)*1000 + 0.5))

static const struct price {
    const char *model;
    const char *from;
    int64_t above;
    int64_t input, output, write_5m, write_1h, read; /* nano dollars per token */
} PRICES[] = {
#define PRICE(model, from, above, input, output, write_5m, write_1h, read) \
    {model, from, above, NANO(input), NANO(output), NANO(write_5m), NANO(write_1h), NANO(read)},
#include "agent/prices.def"
#undef PRICE
};

static bool names(const struct price *price, const char *model)
{
    size_t len = strlen(price->model);

    return strncmp(price->model, model, len) == 0 &&
           (model[len] == '\0' || model[len] == '-' || model[len] == '[');
}

/* ISO days sort as text. */
static bool is_better(const struct price *price, const struct price *than)
{
    size_t len = strlen(price->model), other = than ? strlen(than->model) : 0;
    int day = than ? strcmp(price->from, than->from) : 1;

    if (len != other)
        return len > other;
    return day > 0 || (day == 0 && price->above >= than->above);
}

static int64_t cost_nano(const struct price *price, const struct pb_tokens *tokens)
{
    return tokens->input * price->input + tokens->output * price->output +
           tokens->cache_read * price->read + tokens->cache_write_5m * price->write_5m +
           tokens->cache_write_1h * price->write_1h;
}

bool pb_price(const char *model, int64_t at_wall_ms, const struct pb_tokens *tokens,
              int64_t *ret_micro_usd)
{
    int64_t prompt =
        tokens->input + tokens->cache_read + tokens->cache_write_5m + tokens->cache_write_1h;
    const struct price *best = NULL;
    char today[PB_CLOCK_TEXT];

    pb_clock_format(at_wall_ms, today);
    today[10] = '\0';
    for (size_t i = 0; i < sizeof(PRICES) / sizeof(PRICES[0]); i++) {
        const struct price *price = &PRICES[i];
        if (!names(price, model) || strcmp(price->from, today) > 0)
            continue;
        if ((price->above == 0 || prompt > price->above) && is_better(price, best))
            best = price;
    }
    if (!best)
        return false;
    *ret_micro_usd = (cost_nano(best, tokens) + 500) / 1000;
    return true;
}
