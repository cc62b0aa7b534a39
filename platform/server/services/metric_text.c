#include "server/services/metric_text.h"

#include <inttypes.h>

void pb_metric_family(struct pb_buf *out, const char *name, const char *type, const char *help)
{
    pb_buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void pb_metric_put(struct pb_buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    pb_metric_family(out, name, type, help);
    pb_buf_format(out, "%s %" PRIu64 "\n", name, value);
}

void pb_metric_seconds(struct pb_buf *out, const char *name, const char *type, const char *help,
                       double value)
{
    pb_metric_family(out, name, type, help);
    pb_buf_format(out, "%s %.3f\n", name, value);
}

void pb_metric_labelled(struct pb_buf *out, const char *name, const char *label, const char *is,
                        uint64_t value)
{
    pb_buf_format(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, is, value);
}
