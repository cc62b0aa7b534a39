/*
 * How long somebody who keeps failing has to wait: from the sixth failure of
 * one account from one address on (of one network of 2^64 addresses, where
 * they are that cheap), 1, 2, 4 … 300 seconds. In memory and bounded: those
 * with the fewest failures are forgotten first, so that names made up by the
 * thousand shorten nobody's wait.
 */
#ifndef PB_SERVER_SERVICES_LOGIN_DELAY_H
#define PB_SERVER_SERVICES_LOGIN_DELAY_H

#include <stdint.h>

struct pb_login_delay;

struct pb_login_delay *pb_login_delay_new(void); /* NULL when memory is short */
void pb_login_delay_free(struct pb_login_delay *delay);

/* Milliseconds still to wait; 0 = go ahead, and the attempt counts as failed until pb_login_delay_succeeded(), so
 * that attempts at the same time count as well. */
int64_t pb_login_delay_try(struct pb_login_delay *delay, const char *username, const char *address,
                           int64_t now_ms);
void pb_login_delay_succeeded(struct pb_login_delay *delay, const char *username,
                              const char *address);

#endif
