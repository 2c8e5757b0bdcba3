/* Under which client id each certificate may connect, where that is not its CN: a file of lines
 * "CN<tab>client id". */
#ifndef FLEETSIM_TERMINATOR_ROSTER_H
#define FLEETSIM_TERMINATOR_ROSTER_H

#include "base/error.h"

struct roster;

/* To be freed. USAGE for a line that is none, with its number. */
int roster_load(const char *path, struct roster **out, struct error *error);
void roster_free(struct roster *roster);

/* The id of that CN, or the CN itself where it stands in no line (NULL: there is no file). Valid as
   long as both. */
const char *roster_id(const struct roster *roster, const char *cn);

#endif
