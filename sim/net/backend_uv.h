/* The backend on libuv and the machine's sockets. */
#ifndef FLEETSIM_BACKEND_UV_H
#define FLEETSIM_BACKEND_UV_H

#include <uv.h>

#include "net/backend.h"

/* The loop is the caller's and outlives the backend. NULL when memory is short. The process ignores
 * SIGPIPE from here on. */
struct backend *backend_uv_create(uv_loop_t *loop);

/* All connections must have been released. The memory is freed when the loop runs next. */
void backend_uv_destroy(struct backend *backend);

#endif
