/*
 * Prometheus' text exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), appended line
 * by line. Names, help and labels are our own plain words: nothing is escaped.
 */
#ifndef PB_SERVER_SERVICES_METRIC_TEXT_H
#define PB_SERVER_SERVICES_METRIC_TEXT_H

#include <stdint.h>

#include "base/buf.h"

/* `type`: counter, gauge or histogram. Its samples follow. */
void pb_metric_family(struct pb_buf *out, const char *name, const char *type, const char *help);
/* A sample with one label. */
void pb_metric_labelled(struct pb_buf *out, const char *name, const char *label, const char *is,
                        uint64_t value);
/* A family of one sample, without labels. */
void pb_metric_put(struct pb_buf *out, const char *name, const char *type, const char *help,
                   uint64_t value);
void pb_metric_seconds(struct pb_buf *out, const char *name, const char *type, const char *help,
                       double value);

#endif
