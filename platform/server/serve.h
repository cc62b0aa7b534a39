/* poppo-platform serve: the server itself, in the foreground, under the user that started it. */
#ifndef PB_SERVER_SERVE_H
#define PB_SERVER_SERVE_H

#include "base/error.h"
#include "server/settings.h"

/* Until SIGTERM or SIGINT. 0 = served and stopped; -1 = could not start. */
int pb_serve(struct pb_settings *settings, struct pb_error *err) PB_MUST_CHECK;

#endif
