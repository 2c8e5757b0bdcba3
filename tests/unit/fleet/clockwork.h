/* A backend whose clock is a number, and without sockets: it is the functions of net/backend.h, so
 * one file of a test program includes it. DEVICES is the size of the fleet.
 */
#ifndef FLEETSIM_TEST_CLOCKWORK_H
#define FLEETSIM_TEST_CLOCKWORK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "net/backend.h"

#define CLOCKWORK_CONNS (2 * DEVICES) /* a fault has one of its own */

struct backend {
  uint64_t now_ms;
  struct backend_conn *conns[CLOCKWORK_CONNS];
  size_t count;
};

struct backend_conn {
  struct backend *backend;
  const struct backend_handler *handler;
  void *user;
  uint64_t deadline_ms;
  bool dialled, open, paused;
  unsigned sent;
  struct sockaddr_storage to, from; /* of the latest connection; from: zeros, the system chooses */
};

size_t backend_conn_size(void)
{
  return sizeof(struct backend_conn);
}

struct backend_conn *backend_conn_init(struct backend *backend, void *storage,
                                       const struct backend_handler *handler, void *user)
{
  struct backend_conn *conn = storage;
  *conn = (struct backend_conn){
      .backend = backend, .handler = handler, .user = user, .deadline_ms = UINT64_MAX};
  assert_true(backend->count < CLOCKWORK_CONNS);
  backend->conns[backend->count++] = conn;
  return conn;
}

void backend_connect(struct backend_conn *conn, const struct sockaddr_storage *to,
                     const struct sockaddr_storage *from)
{
  conn->to = *to;
  conn->from = from != NULL ? *from : (struct sockaddr_storage){0};
  conn->dialled = true;
}

int backend_send(struct backend_conn *conn, const uint8_t *data, size_t size)
{
  (void) data, (void) size;
  assert_true(conn->open && !conn->paused);
  conn->sent++;
  return 0;
}

void backend_set_handler(struct backend_conn *conn, const struct backend_handler *handler,
                         void *user)
{
  conn->handler = handler;
  conn->user = user;
}

enum backend_stage backend_stage(const struct backend_conn *conn)
{
  return conn->open ? BACKEND_OPEN : conn->dialled ? BACKEND_OPENING : BACKEND_CLOSED;
}

size_t backend_backlog(const struct backend_conn *conn)
{
  (void) conn;
  return 0;
}

void backend_pause(struct backend_conn *conn, bool paused)
{
  conn->paused = paused;
}

void backend_close(struct backend_conn *conn)
{
  conn->dialled = conn->open = conn->paused = false;
}

void backend_reset(struct backend_conn *conn)
{
  backend_close(conn);
}

void backend_move(struct backend_conn *from, struct backend_conn *to)
{
  assert_false(to->open || to->dialled);
  to->open = from->open;
  backend_close(from);
}

void backend_deadline(struct backend_conn *conn, uint64_t at_ms)
{
  conn->deadline_ms = at_ms;
}

void backend_conn_release(struct backend_conn *conn, void (*released)(void *user))
{
  released(conn->user);
}

uint64_t backend_now_ms(const struct backend *backend)
{
  return backend->now_ms;
}

uint64_t backend_now_us(const struct backend *backend)
{
  return backend->now_ms * 1000;
}

/* A thread that burns 100 us between two looks. */
uint64_t backend_cpu_us(const struct backend *backend)
{
  static uint64_t cpu_us;
  (void) backend;
  return cpu_us += 100;
}

int64_t backend_unix_s(const struct backend *backend)
{
  return 1800000000 + (int64_t) (backend->now_ms / 1000);
}

int backend_random(struct backend *backend, uint8_t *out, size_t size)
{
  (void) backend;
  memset(out, 7, size);
  return 0;
}

static void clockwork_turn(struct backend *backend, struct backend_conn *conn)
{
  if (conn->dialled) {
    conn->dialled = false;
    conn->open = true;
    conn->handler->opened(conn->user);
  }
  if (conn->deadline_ms > backend->now_ms) return;
  conn->deadline_ms = UINT64_MAX;
  conn->handler->deadline(conn->user);
}

/* Lets `ms` pass: transports open within a millisecond, deadlines fire when due. */
static void clockwork_pass(struct backend *backend, uint64_t ms)
{
  for (uint64_t end_ms = backend->now_ms + ms; backend->now_ms < end_ms; backend->now_ms++)
    for (size_t i = 0; i < backend->count; i++) clockwork_turn(backend, backend->conns[i]);
}

#endif
