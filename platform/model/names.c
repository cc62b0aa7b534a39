#include "model/names.h"

#include <string.h>

bool pb_names_find(const struct pb_names *names, const char *name, int *ret_value)
{
    if (!name)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            *ret_value = (int)i;
            return true;
        }
    }
    return false;
}

const char *pb_names_get(const struct pb_names *names, int value)
{
    return value >= 0 && (size_t)value < names->count ? names->names[value] : "";
}
