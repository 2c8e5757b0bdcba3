/* One connection of somebody who asks and waits for the answer: no loop, every step until a point
 * in time. For looks that are made once, before a run or when one fails. */
#ifndef FLEETSIM_NET_BLOCKING_H
#define FLEETSIM_NET_BLOCKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fleetsim/failure.h"
#include "net/permit.h"

/* Where it has connected, or why not. */
struct blocking_place {
  struct sockaddr_storage at;
  socklen_t size;
  char detail[200]; /* after a failure: what the resolver or the system said */
};

/* Monotonic. */
uint64_t blocking_now_ms(void);

/* Whether the socket is ready for `events` (poll) before then. */
bool blocking_await(int fd, short events, uint64_t until_ms);

/* A connected socket that does not block, or -1 with errno. */
int blocking_dial(const struct sockaddr *at, socklen_t size, uint64_t until_ms);

/* Resolves the name and tries each address that is permitted, until one takes the connection: NONE,
 * and the socket in *fd; nothing is sent to any other address. The time of a name server is its
 * own. */
enum device_failure blocking_connect(const char *host, uint16_t port, const struct permit *permit,
                                     uint64_t until_ms, int *fd, struct blocking_place *place);

/* Whether somebody there answers a CONNECT without TLS, in a connection of its own (a second at
 * most): a listener that was meant for MQTT in the clear. */
bool blocking_speaks_plain_mqtt(const struct blocking_place *place);

#endif
