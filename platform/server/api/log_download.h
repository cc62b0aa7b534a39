/*
 * An execution's log as a file: the text without times and streams, sent as
 * fast as it is taken. A part of it with Range, and If-Range, so that a broken
 * download goes on; nothing with If-None-Match when the client has it all.
 */
#ifndef PB_SERVER_API_LOG_DOWNLOAD_H
#define PB_SERVER_API_LOG_DOWNLOAD_H

#include "base/error.h"

struct pb_request;

/* Answers the request itself. Blocks while the client is slow: only on the slow pool. */
int pb_log_download(struct pb_request *req, struct pb_error *err) PB_MUST_CHECK;

#endif
