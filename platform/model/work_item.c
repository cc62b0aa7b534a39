#include "model/work_item.h"

#include "base/text.h"

static const char *const KIND_NAMES[] = {
#define X(kind, name) name,
    PB_WORK_ITEM_KINDS(X)
#undef X
};

const struct pb_names PB_WORK_ITEM_KIND_NAMES = {KIND_NAMES,
                                                 sizeof(KIND_NAMES) / sizeof(KIND_NAMES[0])};

bool pb_work_item_name_valid(const char *item)
{
    const char *digits = NULL;
    uint64_t number;

    if (!item)
        return false;
    if (pb_text_starts(item, "issue-"))
        digits = item + 6;
    else if (pb_text_starts(item, "task-"))
        digits = item + 5;
    return digits && digits[0] != '0' && pb_parse_u64(digits, INT64_MAX, &number);
}
