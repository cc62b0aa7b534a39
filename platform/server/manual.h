/*
 * What poppo-platform says of itself: the words of `help`, and the page for
 * man(8) that `poppo-platform man` prints. Both are made of one table of verbs
 * and of the settings' own rows, so they cannot fall behind.
 */
#ifndef PB_SERVER_MANUAL_H
#define PB_SERVER_MANUAL_H

#include "base/buf.h"

void pb_manual_help(struct pb_buf *buf);
void pb_manual_page(struct pb_buf *buf);

#endif
