/* The seam between the fleet and a network with a clock.
 *
 * The fleet knows only this: connections that open, carry bytes and close, a deadline per
 * connection, a monotonic clock, wall time and entropy. backend_uv.c puts it on libuv and real
 * sockets; a virtual-time backend can stand in its place, because no code above this seam reads a
 * clock, a socket or entropy by itself.
 *
 * Ownership: a `struct backend_conn` is opened by backend_conn_init in storage that the caller
 * gave, and stays in use until its `released` callback ran after backend_conn_release.
 */
#ifndef FLEETSIM_BACKEND_H
#define FLEETSIM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fleetsim/failure.h"

struct backend;
struct backend_conn;
struct sockaddr_storage;

/* Called on the loop's thread. `user` is what backend_conn_init was given. Bytes are valid during
   the call. */
struct backend_handler {
  void (*opened)(void *user);
  void (*bytes)(void *user, const uint8_t *data, size_t size);
  /* the peer or the network; not after backend_close */
  void (*closed)(void *user, enum device_failure cause);
  void (*deadline)(void *user);
};

/* Bytes of storage for one connection. */
size_t backend_conn_size(void);
struct backend_conn *backend_conn_init(struct backend *backend, void *storage,
                                       const struct backend_handler *handler, void *user);

/* From here on what happens on this connection, its deadline and `released` too, is told to another
   one. */
void backend_set_handler(struct backend_conn *conn, const struct backend_handler *handler,
                         void *user);

/* Opens a TCP connection (TCP_NODELAY) to `to`, from `from` unless NULL (IP_BIND_ADDRESS_NO_PORT).
 * The outcome comes as `opened` or `closed`, never from inside this call. The connection must be
 * closed. */
void backend_connect(struct backend_conn *conn, const struct sockaddr_storage *to,
                     const struct sockaddr_storage *from);

/* Sends all bytes in order, those of one callback together; what the socket does not take at once
 * is kept. 0, or -1 when that would be more than `BACKEND_BACKLOG_MAX` (nothing of `data` is kept
 * then: close the connection). */
#define BACKEND_BACKLOG_MAX (64u * 1024u)
int backend_send(struct backend_conn *conn, const uint8_t *data, size_t size);

enum backend_stage { BACKEND_CLOSED, BACKEND_OPENING, BACKEND_OPEN };

/* OPENING: from backend_connect until its outcome was told. */
enum backend_stage backend_stage(const struct backend_conn *conn);

/* Bytes that have not gone to the socket yet. */
size_t backend_backlog(const struct backend_conn *conn);

/* Paused: what arrives stays with the network, and so does its end, until the connection is
 * resumed. Lasts until the connection is closed. Does nothing without one. */
void backend_pause(struct backend_conn *conn, bool paused);

/* Closes after what was sent has left or 1 s has passed; no callback of this attempt follows. */
void backend_close(struct backend_conn *conn);

/* Ends the connection at once: what waits to be sent is dropped, and the peer gets a RST where the
 * kernel can send one. No callback of this attempt follows. */
void backend_reset(struct backend_conn *conn);

/* Gives the connection of `from`, with what it has to send, to `to`, which has none; `from` may
 * open its next one. Deadlines and handlers stay where they are. */
void backend_move(struct backend_conn *from, struct backend_conn *to);

/* Calls `deadline` once at `at_ms` (UINT64_MAX: never); replaces the one set before. Works without
   a connection. */
void backend_deadline(struct backend_conn *conn, uint64_t at_ms);

/* Ends use of the storage; `released(user)` runs when it may be reused. */
void backend_conn_release(struct backend_conn *conn, void (*released)(void *user));

uint64_t backend_now_ms(const struct backend *backend); /* monotonic, as of this loop turn */
uint64_t backend_now_us(const struct backend *backend); /* monotonic, read now */
uint64_t backend_cpu_us(const struct backend *backend); /* CPU time of this thread */
int64_t backend_unix_s(const struct backend *backend);  /* wall clock */
int backend_random(struct backend *backend, uint8_t *out, size_t size);

#endif
