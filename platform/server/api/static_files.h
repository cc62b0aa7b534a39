/*
 * The web UI's files, read whole at start and answered from memory on the
 * loop: a request never names a path on disk.
 *
 * "x.js.br" and "x.js.gz" beside "x.js" are its compressed forms, chosen by
 * Accept-Encoding. Files under /assets/ have their hash in the name and are
 * immutable; everything else is asked again (ETag). A navigation to an unknown
 * path gets index.html, so that the UI's own addresses work; a missing file
 * stays 404.
 */
#ifndef PB_SERVER_API_STATIC_FILES_H
#define PB_SERVER_API_STATIC_FILES_H

#include "base/error.h"
#include "net/http_server.h"

struct pb_static_files;

/* LIMITED when the folder holds more than 2,000 files or 64 MiB. */
struct pb_static_files *pb_static_files_load(const char *folder,
                                             struct pb_error *err) PB_MUST_CHECK;
void pb_static_files_free(struct pb_static_files *files); /* NULL is fine */

/* Returns the status it answered with. */
int pb_static_files_answer(const struct pb_static_files *files, struct pb_http_exchange *exchange);

#endif
