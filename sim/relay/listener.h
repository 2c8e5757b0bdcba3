/* A TCP listener on a loop that outlives a lack of descriptors or memory.
 *
 * libuv's own calls its user again and again within one turn of the loop while accept() fails, and
 * closes connections that it has no descriptor for. Here they stay in the kernel's queue, and are
 * asked for again LISTENER_RETRY_MS later.
 */
#ifndef FLEETSIM_LISTENER_H
#define FLEETSIM_LISTENER_H

#include <netinet/in.h>
#include <uv.h>

#define LISTENER_RETRY_MS 100u

/* Part of its owner, zeroed before listener_open. */
struct listener {
  uv_poll_t poll;
  uv_timer_t retry;
  int fd;
  unsigned handles;
  void (*accepted)(void *ctx, int fd); /* the descriptor is its own; it may close the listener */
  void *ctx;
  void (*closed)(void *ctx);
};

/* A socket that is bound to `address`, which becomes what it was bound to where its port was 0; or
 * a code of libuv. It does not block. The caller listens. */
int listener_bind(struct sockaddr_in *address);

/* Takes over `fd`, a socket that listens and does not block. From then on `accepted` is called from
 * the loop. 0, or a code of libuv, and `fd` stays the caller's. */
int listener_open(struct listener *listener, uv_loop_t *loop, int fd,
                  void (*accepted)(void *ctx, int fd), void *ctx);

/* Leaves everybody in the kernel's queue, also those of this turn; and goes on. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* Closes `fd`. `closed` (may be NULL) comes from the loop; the storage is free then. */
void listener_close(struct listener *listener, void (*closed)(void *ctx));

#endif
