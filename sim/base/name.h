/* What may be a device's name: a text of 1 to NAME_MOST printable ASCII characters that topics,
 * paths and JSON carry as it is. */
#ifndef FLEETSIM_NAME_H
#define FLEETSIM_NAME_H

#include "base/error.h"

#define NAME_MOST 64 /* bytes */

/* USAGE, with the character that cannot be in one. */
int name_check(const char *name, struct error *error);

#endif
