#include "model/node.h"

#include <string.h>

#include "model/limits.h"

static const char *const STATUS_NAMES[] = {
#define X(status, name) name,
    PB_NODE_STATUSES(X)
#undef X
};

const struct pb_names PB_NODE_STATUS_NAMES = {STATUS_NAMES,
                                              sizeof(STATUS_NAMES) / sizeof(STATUS_NAMES[0])};

bool pb_node_name_valid(const char *name)
{
    static const char FIRST[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char REST[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

    return name && name[0] && strchr(FIRST, name[0]) && strspn(name, REST) == strlen(name) &&
           strlen(name) <= PB_LIMIT_NODE_NAME;
}

const char *pb_node_status_name(enum pb_node_status status)
{
    return pb_names_get(&PB_NODE_STATUS_NAMES, (int)status);
}
