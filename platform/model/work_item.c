#include "model/work_item.h"

static const char *const KIND_NAMES[] = {
#define X(kind, name) name,
    PB_WORK_ITEM_KINDS(X)
#undef X
};

const struct pb_names PB_WORK_ITEM_KIND_NAMES = {KIND_NAMES,
                                                 sizeof(KIND_NAMES) / sizeof(KIND_NAMES[0])};
