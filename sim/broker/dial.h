/* One TCP connection to a name and port with a deadline: resolves, tries each address in turn and,
 * where asked, all of them again after a pause, until one accepts.
 *
 * The owner embeds the struct and closes it with dial_close in every case. The deadline stays armed
 * after the connection stands: it covers whatever the owner does with it.
 */
#ifndef FLEETSIM_BROKER_DIAL_H
#define FLEETSIM_BROKER_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "net/permit.h"

struct dial {
  uv_loop_t *loop;
  uv_getaddrinfo_t resolve;
  uv_timer_t deadline, pause;
  uv_tcp_t tcp; /* the connection, after event(0) */
  uv_connect_t connect;
  struct addrinfo *found, *first, *next;
  uint16_t port;
  const char *address;
  const struct permit *permit;
  const char *from;
  unsigned turn;
  uint64_t retry_ms;
  int last; /* why the latest attempt failed */
  bool tcp_open, closing;
  unsigned open;
  void (*event)(struct dial *dial, int status);
  void (*closed)(struct dial *dial);
};

/* `event` gets 0 when the connection stands, and a libuv error when it cannot be had or when the
 * deadline has passed. Nothing is sent to an address that is not permitted: UV_EPERM where there is
 * no other. `from` is the numeric address that it comes from, where that is of the same family as
 * the one it goes to; NULL: the system chooses. `turn`: of the addresses of the family that the
 * system prefers it begins with that one, from 0 and round; the others come after it. `address`,
 * `permit` and `from` outlive the dial. */
void dial_start(struct dial *dial, uv_loop_t *loop, const struct permit *permit,
                const char *address, uint16_t port, const char *from, unsigned turn,
                uint64_t timeout_ms, uint64_t retry_ms,
                void (*event)(struct dial *dial, int status));

/* The deadline passes so much later than now: `event` gets UV_ETIMEDOUT then, and again each time. */
void dial_extend(struct dial *dial, uint64_t timeout_ms);

/* `closed` comes from the loop when nothing of it is left; no `event` comes after this call. */
void dial_close(struct dial *dial, void (*closed)(struct dial *dial));

#endif
