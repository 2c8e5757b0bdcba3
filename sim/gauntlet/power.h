/* The power of a device on the bench, by its owner's command: off, a while, on. */
#ifndef FLEETSIM_GAUNTLET_POWER_H
#define FLEETSIM_GAUNTLET_POWER_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"

#define POWER_WORD "{on|off}"

struct power;

/* `command` has POWER_WORD where it says which (USAGE if not); NULL: there is none, and `*out` is
 * NULL. */
int power_open(uv_loop_t *loop, const char *command, struct power **out, struct error *error);

/* Off, and on some seconds later. False: there is no command, or one is under way. */
bool power_cycle(struct power *power);

/* What is under way is ended; the loop must turn once more. */
void power_close(struct power *power);

#endif
