/* Resolve, connect to one address after the other, tell the owner once. A name that leads where
 * nothing may be sent is passed over, address by address; the last error is told, and the deadline
 * covers all of it. */
#define _POSIX_C_SOURCE 200809L
#include "broker/dial.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

static void try_next(struct dial *dial);

static void release(struct dial *dial)
{
  assert(dial->open > 0);
  if (--dial->open > 0) return;
  if (dial->found != NULL) uv_freeaddrinfo(dial->found);
  dial->found = NULL;
  dial->closed(dial);
}

static void on_timer_closed(uv_handle_t *handle)
{
  release(handle->data);
}

static void on_tcp_closed(uv_handle_t *handle)
{
  struct dial *dial = handle->data;
  dial->tcp_open = false;
  if (!dial->closing) try_next(dial);
  release(dial);
}

static void on_connect(uv_connect_t *request, int status)
{
  struct dial *dial = request->data;
  if (dial->closing) return;
  if (status == 0) {
    dial->event(dial, 0);
    return;
  }
  dial->last = status;
  uv_close((uv_handle_t *) &dial->tcp, on_tcp_closed);
}

static void on_pause(uv_timer_t *timer)
{
  struct dial *dial = timer->data;
  dial->next = dial->first;
  try_next(dial);
}

static void on_deadline(uv_timer_t *timer)
{
  struct dial *dial = timer->data;
  dial->event(dial, UV_ETIMEDOUT);
}

static void no_address_left(struct dial *dial)
{
  if (dial->retry_ms > 0)
    uv_timer_start(&dial->pause, on_pause, dial->retry_ms, 0);
  else
    dial->event(dial, dial->last);
}

static void set_port(struct sockaddr *address, uint16_t port)
{
  if (address->sa_family == AF_INET)
    ((struct sockaddr_in *) (void *) address)->sin_port = htons(port);
  if (address->sa_family == AF_INET6)
    ((struct sockaddr_in6 *) (void *) address)->sin6_port = htons(port);
}

/* Round, until the first one would come again. */
static struct addrinfo *after(const struct dial *dial, const struct addrinfo *address)
{
  struct addrinfo *next = address->ai_next != NULL ? address->ai_next : dial->found;
  return next == dial->first ? NULL : next;
}

/* The next one that may be sent to. */
static struct addrinfo *next_permitted(struct dial *dial)
{
  for (; dial->next != NULL; dial->next = after(dial, dial->next)) {
    if (permit_address(dial->permit, dial->address, dial->next->ai_addr)) return dial->next;
    dial->last = dial->last != 0 ? dial->last : UV_EPERM;
  }
  return NULL;
}

/* 0 too where there is nothing to bind to. */
static int bind_source(struct dial *dial, const struct sockaddr *to)
{
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  if (dial->from == NULL) return 0;
  if (to->sa_family == AF_INET && uv_ip4_addr(dial->from, 0, &v4) == 0)
    return uv_tcp_bind(&dial->tcp, (const struct sockaddr *) &v4, 0);
  if (to->sa_family == AF_INET6 && uv_ip6_addr(dial->from, 0, &v6) == 0)
    return uv_tcp_bind(&dial->tcp, (const struct sockaddr *) &v6, 0);
  return 0;
}

static void try_next(struct dial *dial)
{
  struct addrinfo *address = next_permitted(dial);
  if (address == NULL) {
    no_address_left(dial);
    return;
  }
  dial->next = after(dial, address);
  set_port(address->ai_addr, dial->port);
  uv_tcp_init(dial->loop, &dial->tcp);
  dial->tcp.data = dial->connect.data = dial;
  dial->tcp_open = true;
  dial->open++;
  int status = bind_source(dial, address->ai_addr);
  if (status == 0)
    status = uv_tcp_connect(&dial->connect, &dial->tcp, address->ai_addr, on_connect);
  if (status == 0) return;
  dial->last = status;
  uv_close((uv_handle_t *) &dial->tcp, on_tcp_closed);
}

/* Where one family is out of order the other one works, so turns are taken in the preferred one. */
static struct addrinfo *at_turn(struct addrinfo *found, unsigned turn)
{
  unsigned count = 0;
  for (const struct addrinfo *a = found; a != NULL && a->ai_family == found->ai_family;
       a = a->ai_next)
    count++;
  for (turn = count > 0 ? turn % count : 0; turn > 0; turn--) found = found->ai_next;
  return found;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
  struct dial *dial = request->data;
  dial->found = found;
  dial->first = dial->next = at_turn(found, dial->turn);
  if (!dial->closing && status != 0) dial->event(dial, status);
  if (!dial->closing && status == 0) try_next(dial);
  release(dial);
}

void dial_start(struct dial *dial, uv_loop_t *loop, const struct permit *permit,
                const char *address, uint16_t port, const char *from, unsigned turn,
                uint64_t timeout_ms, uint64_t retry_ms,
                void (*event)(struct dial *dial, int status))
{
  memset(dial, 0, sizeof *dial);
  dial->loop = loop;
  dial->port = port;
  dial->address = address;
  dial->permit = permit;
  dial->from = from;
  dial->turn = turn;
  dial->retry_ms = retry_ms;
  dial->event = event;
  uv_timer_init(loop, &dial->deadline);
  uv_timer_init(loop, &dial->pause);
  dial->deadline.data = dial->pause.data = dial->resolve.data = dial;
  dial->open = 2;

  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  int status = uv_getaddrinfo(loop, &dial->resolve, on_resolved, address, NULL, &hints);
  if (status == 0) dial->open++;
  uv_timer_start(&dial->deadline, on_deadline, status == 0 ? timeout_ms : 0, 0);
}

void dial_extend(struct dial *dial, uint64_t timeout_ms)
{
  assert(!dial->closing);
  uv_timer_start(&dial->deadline, on_deadline, timeout_ms, 0);
}

void dial_close(struct dial *dial, void (*closed)(struct dial *dial))
{
  assert(!dial->closing);
  dial->closing = true;
  dial->closed = closed;
  uv_cancel((uv_req_t *) &dial->resolve);
  uv_close((uv_handle_t *) &dial->deadline, on_timer_closed);
  uv_close((uv_handle_t *) &dial->pause, on_timer_closed);
  if (dial->tcp_open && !uv_is_closing((uv_handle_t *) &dial->tcp))
    uv_close((uv_handle_t *) &dial->tcp, on_tcp_closed);
}
