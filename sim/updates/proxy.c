/* A listener, and a relay to the server for each connection that comes to it (relay/relay.h): who
 * comes is counted, drawn for, and dialled. What the relay passes on is counted here and cut where
 * the draw says so; latency, bandwidth and stall are the relays' line, which all of them share.
 */
#define _GNU_SOURCE
#include "updates/proxy.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/peak.h"
#include "base/random.h"
#include "relay/listener.h"
#include "relay/relay.h"

enum { BACKLOG = 4096, SWEEP_MS = 10000 };

struct conn {
  struct proxy *proxy;
  struct conn *previous, *next;
  struct relay relay;
  uint64_t cut_left;
};

/* The port. A socket of its own each time: one that listens cannot be told to stop. */
struct door {
  struct proxy *proxy;
  struct listener listener;
  int fd; /* bound and not listening; -1: it is the listener's */
};

struct proxy {
  uv_loop_t *loop;
  struct proxy_config config;
  struct proxy_fault fault;
  struct relay_config relaying;
  struct relay_line line; /* what of the fault is the relays' matter */
  struct sockaddr_in address, server;
  struct door *door; /* bound, and listening unless connections are refused */
  uv_timer_t sweep;
  struct conn *conns;
  uint64_t random;
  struct proxy_totals totals;
  struct peak connections, down;
  unsigned held; /* connections, the sweep, and listeners until they are closed */
  bool closing;
  void (*closed)(void *ctx);
  void *closed_ctx;
};

static void release_proxy(struct proxy *proxy)
{
  if (--proxy->held > 0 || !proxy->closing) return;
  void (*closed)(void *) = proxy->closed;
  void *ctx = proxy->closed_ctx;
  free(proxy);
  if (closed != NULL) closed(ctx);
}

/* --- A connection ----------------------------------------------------------------------------- */

static void draw_cut(struct conn *conn)
{
  struct proxy *proxy = conn->proxy;
  const struct proxy_fault *fault = &proxy->fault;
  double share = random_unit(&proxy->random);
  uint64_t bytes = fault->cut_after == 0 ? 1 : random_next(&proxy->random) % fault->cut_after + 1;
  conn->cut_left = share <= fault->cut_share ? bytes : UINT64_MAX;
}

static void count(struct proxy *proxy, enum relay_side from, size_t size)
{
  if (from == RELAY_CLIENT) {
    proxy->totals.up += size;
    return;
  }
  proxy->totals.down += size;
  peak_add(&proxy->down, uv_now(proxy->loop), size);
}

/* Called by the relay. */
static bool pass(void *user, enum relay_side from, const uint8_t *data, size_t *size)
{
  struct conn *conn = user;
  (void) data;
  if (*size > conn->cut_left) *size = (size_t) conn->cut_left;
  count(conn->proxy, from, *size);
  if (conn->cut_left != UINT64_MAX) conn->cut_left -= *size;
  return conn->cut_left > 0;
}

/* Called by the relay. */
static void on_relay_ended(void *user, enum relay_cause cause)
{
  struct conn *conn = user;
  struct proxy *proxy = conn->proxy;
  if (conn->previous != NULL)
    conn->previous->next = conn->next;
  else
    proxy->conns = conn->next;
  if (conn->next != NULL) conn->next->previous = conn->previous;
  proxy->totals.open--;
  if (cause == RELAY_REFUSED) proxy->totals.refused++;
  if (cause == RELAY_CUT) proxy->totals.cut++;
}

/* Called by the relay. */
static void on_relay_closed(void *user)
{
  struct conn *conn = user;
  struct proxy *proxy = conn->proxy;
  free(conn);
  release_proxy(proxy);
}

static struct conn *conn_new(struct proxy *proxy)
{
  struct conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL) memory_gone("a connection of the update proxy");
  conn->proxy = proxy;
  relay_init(&conn->relay, proxy->loop, &proxy->relaying, conn);
  conn->next = proxy->conns;
  if (conn->next != NULL) conn->next->previous = conn;
  proxy->conns = conn;
  proxy->held++;
  proxy->totals.open++;
  return conn;
}

static void on_connection(void *ctx, int fd)
{
  struct proxy *proxy = ((struct door *) ctx)->proxy;
  struct conn *conn = conn_new(proxy);
  bool taken = relay_take(&conn->relay, fd) == 0 && proxy->totals.open <= proxy->config.connections;
  if (taken) {
    proxy->totals.connections++;
    peak_add(&proxy->connections, uv_now(proxy->loop), 1);
    draw_cut(conn);
    if (relay_connect(&conn->relay, (const struct sockaddr *) &proxy->server) == 0) return;
  }
  proxy->totals.refused++;
  relay_drop(&conn->relay, true);
}

/* --- The proxy -------------------------------------------------------------------------------- */

static void on_door_closed(void *ctx)
{
  struct proxy *proxy = ((struct door *) ctx)->proxy;
  free(ctx);
  release_proxy(proxy);
}

static void drop_door(struct proxy *proxy)
{
  struct door *door = proxy->door;
  proxy->door = NULL;
  if (door == NULL) return;
  if (door->fd < 0) {
    listener_close(&door->listener, on_door_closed);
  } else {
    close(door->fd);
    free(door);
  }
}

/* Bound in either case: a port that nobody listens on refuses, and nobody else gets it. Minus
 * errno, which libuv's codes are. */
static int make_door(struct proxy *proxy, bool listens)
{
  int fd = listener_bind(&proxy->address);
  if (fd < 0) return fd;
  struct door *door = calloc(1, sizeof *door);
  if (door == NULL) memory_gone("the door of the update proxy");
  *door = (struct door){.proxy = proxy, .fd = fd};
  proxy->door = door;
  if (!listens) return 0;
  if (listen(fd, BACKLOG) != 0) return -errno;
  int status = listener_open(&door->listener, proxy->loop, fd, on_connection, door);
  if (status != 0) return status;
  door->fd = -1;
  proxy->held++;
  return 0;
}

static void on_sweep(uv_timer_t *timer)
{
  struct proxy *proxy = timer->data;
  for (struct conn *conn = proxy->conns, *next; conn != NULL; conn = next) {
    next = conn->next;
    if (uv_now(proxy->loop) - conn->relay.moved_ms >= PROXY_IDLE_MS) relay_drop(&conn->relay, true);
  }
}

int proxy_open(uv_loop_t *loop, const struct proxy_config *config, struct proxy **out,
               struct error *error)
{
  struct proxy *proxy = calloc(1, sizeof *proxy);
  if (proxy == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  proxy->loop = loop;
  proxy->config = *config;
  proxy->random = config->seed;
  proxy->relaying = (struct relay_config){.pass = pass,
                                          .ended = on_relay_ended,
                                          .closed = on_relay_closed,
                                          .line = &proxy->line,
                                          .half_close = true};
  uv_ip4_addr("127.0.0.1", config->port, &proxy->address);
  uv_ip4_addr("127.0.0.1", config->to_port, &proxy->server);
  uv_timer_init(loop, &proxy->sweep);
  proxy->sweep.data = proxy;
  proxy->held = 1;
  uv_timer_start(&proxy->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
  int status = make_door(proxy, true);
  if (status == 0) {
    *out = proxy;
    return 0;
  }
  proxy_close(proxy, NULL, NULL);
  return error_set(error, EXIT_CODE_SETUP,
                   "the proxy before the update server cannot listen on port %u: %s", config->port,
                   uv_strerror(status));
}

uint16_t proxy_port(const struct proxy *proxy)
{
  return ntohs(proxy->address.sin_port);
}

static int set_refusing(struct proxy *proxy, bool refuse, struct error *error)
{
  if (refuse == proxy->fault.refuse) return 0;
  drop_door(proxy);
  int status = make_door(proxy, !refuse);
  if (status == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the proxy before the update server cannot have port %u again: %s",
                   proxy_port(proxy), uv_strerror(status));
}

int proxy_set(struct proxy *proxy, const struct proxy_fault *fault, struct error *error)
{
  int result = set_refusing(proxy, fault->refuse, error);
  proxy->fault = *fault;
  proxy->line = (struct relay_line){.latency_ms = fault->latency_ms,
                                    .bandwidth_per_s = fault->bandwidth_per_s,
                                    .stall = fault->stall};
  for (struct conn *conn = proxy->conns, *next; conn != NULL; conn = next) {
    next = conn->next;
    draw_cut(conn);
    relay_line_changed(&conn->relay);
  }
  return result;
}

void proxy_totals(const struct proxy *proxy, struct proxy_totals *out)
{
  *out = proxy->totals;
  out->connections_peak_per_s = proxy->connections.most;
  out->down_peak_per_s = proxy->down.most;
  for (const struct conn *conn = proxy->conns; conn != NULL; conn = conn->next)
    out->waiting += relay_waiting(&conn->relay);
}

static void on_sweep_closed(uv_handle_t *handle)
{
  release_proxy(handle->data);
}

void proxy_close(struct proxy *proxy, void (*closed)(void *ctx), void *ctx)
{
  assert(!proxy->closing);
  proxy->closing = true;
  proxy->closed = closed;
  proxy->closed_ctx = ctx;
  drop_door(proxy);
  for (struct conn *conn = proxy->conns, *next; conn != NULL; conn = next) {
    next = conn->next;
    relay_drop(&conn->relay, true);
  }
  uv_close((uv_handle_t *) &proxy->sweep, on_sweep_closed);
}
