/* The world as it is: this machine's clocks, entropy, resolver, threads and sockets, on libuv. */
#ifndef FLEETSIM_WORLD_UV_H
#define FLEETSIM_WORLD_UV_H

#include "base/error.h"
#include "world/world.h"

/* 0 and *out; or -1 with a sentence, and *out is not touched. One at a time in a process: it takes
 * its signals and its terminal. */
int world_uv_open(struct world **out, struct error *error);

/* Frees it. One that has not settled, or of which something is under way, is left as it is: the
 * process is to end soon. */
void world_uv_close(struct world *world);

#endif
