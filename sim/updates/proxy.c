/* Two sides of a connection, and for each a pipe of what waits to go there. What is read from one
 * side goes at once to the other where it can, and waits in the pipe where it must: the line is
 * slow, or that side does not take it.
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
#include "net/pipe.h"
#include "relay/listener.h"

enum { PIECE = 16384, BACKLOG = 4096, SWEEP_MS = 10000 };

enum which { CLIENT, SERVER };

struct conn;

struct side {
  uv_tcp_t tcp;
  struct conn *conn;
  struct pipe out; /* what waits to go to this side */
  uv_shutdown_t shutdown;
  bool reading, writing;
  bool ended;    /* it sends nothing more */
  bool shutting; /* it was told that nothing more comes */
};

struct conn {
  struct proxy *proxy;
  struct conn *previous, *next;
  struct side side[2];
  uv_connect_t connect;
  uv_timer_t timer; /* until a pipe has something to give */
  uint64_t cut_left, moved_ms;
  bool connected, dead;
  unsigned handles;
};

/* A write that the socket did not take at once. */
struct rest {
  uv_write_t write;
  struct side *side;
  uint8_t data[];
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
  uint8_t piece[PIECE]; /* what is read or popped, until it has been passed on */
};

static void pump(struct side *side);

static struct side *other(struct side *side)
{
  return &side->conn->side[side == &side->conn->side[CLIENT] ? SERVER : CLIENT];
}

static void release(struct proxy *proxy)
{
  if (--proxy->held > 0 || !proxy->closing) return;
  void (*closed)(void *) = proxy->closed;
  void *ctx = proxy->closed_ctx;
  free(proxy);
  if (closed != NULL) closed(ctx);
}

/* --- The end of a connection ------------------------------------------------------------------ */

static void on_handle_closed(uv_handle_t *handle)
{
  struct conn *conn = handle->data;
  struct proxy *proxy = conn->proxy;
  if (--conn->handles > 0) return;
  for (size_t i = 0; i < 2; i++) pipe_clear(&conn->side[i].out);
  free(conn);
  release(proxy);
}

static void on_side_closed(uv_handle_t *handle)
{
  handle->data = ((struct side *) handle->data)->conn;
  on_handle_closed(handle);
}

static void end(struct conn *conn, bool reset)
{
  struct proxy *proxy = conn->proxy;
  if (conn->dead) return;
  conn->dead = true;
  if (conn->previous != NULL)
    conn->previous->next = conn->next;
  else
    proxy->conns = conn->next;
  if (conn->next != NULL) conn->next->previous = conn->previous;
  proxy->totals.open--;
  for (size_t i = 0; i < 2; i++) {
    uv_tcp_t *tcp = &conn->side[i].tcp;
    if (!reset || uv_tcp_close_reset(tcp, on_side_closed) != 0)
      uv_close((uv_handle_t *) tcp, on_side_closed);
  }
  uv_close((uv_handle_t *) &conn->timer, on_handle_closed);
}

/* --- Bytes out -------------------------------------------------------------------------------- */

static void on_rest_written(uv_write_t *write, int status)
{
  struct rest *rest = (struct rest *) write;
  struct side *side = rest->side;
  free(rest);
  side->writing = false;
  if (side->conn->dead) return;
  if (status != 0)
    end(side->conn, true);
  else
    pump(side);
}

/* Everything goes: what the socket does not take at once is kept, and no more is given to it
   before. */
static void send_all(struct side *side, const uint8_t *data, size_t size)
{
  uv_buf_t buffer = uv_buf_init((char *) data, (unsigned) size);
  int taken = uv_try_write((uv_stream_t *) &side->tcp, &buffer, 1);
  if (taken == UV_EAGAIN) taken = 0;
  if (taken >= 0 && (size_t) taken == size) return;
  size_t left = taken < 0 ? 0 : size - (size_t) taken;
  struct rest *rest = left == 0 ? NULL : malloc(sizeof *rest + left);
  if (rest == NULL) {
    end(side->conn, true);
    return;
  }
  rest->side = side;
  memcpy(rest->data, data + taken, left);
  buffer = uv_buf_init((char *) rest->data, (unsigned) left);
  side->writing = true;
  if (uv_write(&rest->write, (uv_stream_t *) &side->tcp, &buffer, 1, on_rest_written) == 0) return;
  side->writing = false;
  free(rest);
  end(side->conn, true);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
  struct side *side = request->data;
  struct conn *conn = side->conn;
  if (conn->dead) return;
  if (status != 0 || (conn->side[CLIENT].shutting && conn->side[SERVER].shutting))
    end(conn, status != 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct proxy *proxy = ((struct side *) handle->data)->conn->proxy;
  *buffer = uv_buf_init((char *) proxy->piece, sizeof proxy->piece);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* Reads from where it may: nothing stalls, and the other side takes what comes. */
static void adjust_reading(struct side *side)
{
  struct conn *conn = side->conn;
  const struct side *to = other(side);
  bool wanted = conn->connected && !side->ended && !conn->proxy->fault.stall && !to->writing &&
                to->out.cost < PROXY_WAITING_MAX;
  if (wanted == side->reading) return;
  side->reading = wanted;
  if (wanted)
    uv_read_start((uv_stream_t *) &side->tcp, on_alloc, on_read);
  else
    uv_read_stop((uv_stream_t *) &side->tcp);
}

static void on_timer(uv_timer_t *timer)
{
  struct conn *conn = timer->data;
  pump(&conn->side[CLIENT]);
  if (!conn->dead) pump(&conn->side[SERVER]);
}

static void arm(struct conn *conn)
{
  uint64_t now_ms = uv_now(conn->proxy->loop), at_ms = UINT64_MAX;
  for (size_t i = 0; i < 2; i++) {
    struct side *side = &conn->side[i];
    uint64_t next_ms = side->writing ? UINT64_MAX : pipe_next_ms(&side->out, now_ms);
    if (next_ms < at_ms) at_ms = next_ms;
  }
  if (at_ms == UINT64_MAX || conn->proxy->fault.stall)
    uv_timer_stop(&conn->timer);
  else
    uv_timer_start(&conn->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 1, 0);
}

/* Passes on what may leave, then the end, and goes on reading where that made room. */
static void pump(struct side *side)
{
  struct conn *conn = side->conn;
  struct proxy *proxy = conn->proxy;
  if (!conn->connected) return;
  while (!side->writing && !conn->dead && !proxy->fault.stall) {
    size_t size = pipe_pop(&side->out, uv_now(proxy->loop), proxy->piece, sizeof proxy->piece);
    if (size == 0) break;
    conn->moved_ms = uv_now(proxy->loop);
    send_all(side, proxy->piece, size);
  }
  if (conn->dead) return;
  if (other(side)->ended && side->out.waiting == 0 && !side->writing && !side->shutting &&
      !proxy->fault.stall) {
    side->shutting = true;
    side->shutdown.data = side;
    if (uv_shutdown(&side->shutdown, (uv_stream_t *) &side->tcp, on_shut_down) != 0) {
      end(conn, true);
      return;
    }
  }
  adjust_reading(other(side));
  arm(conn);
}

/* --- Bytes in --------------------------------------------------------------------------------- */

static void count(struct side *from, size_t size)
{
  struct proxy *proxy = from->conn->proxy;
  if (from == &from->conn->side[CLIENT]) {
    proxy->totals.up += size;
    return;
  }
  proxy->totals.down += size;
  peak_add(&proxy->down, uv_now(proxy->loop), size);
}

static void pass_on(struct side *to, const uint8_t *data, size_t size)
{
  const struct proxy_fault *fault = &to->conn->proxy->fault;
  uint64_t now_ms = uv_now(to->conn->proxy->loop);
  bool free_line =
      fault->latency_ms == 0 && fault->bandwidth_per_s == 0 && to->out.waiting == 0 && !to->writing;
  if (free_line)
    send_all(to, data, size);
  else if (pipe_put(&to->out, data, size, now_ms + fault->latency_ms) != 0)
    end(to->conn, true);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct side *side = stream->data;
  struct conn *conn = side->conn;
  if (conn->dead || size == 0) return;
  conn->moved_ms = uv_now(conn->proxy->loop);
  if (size < 0) {
    side->ended = true;
    side->reading = false;
    uv_read_stop(stream);
    if (size == UV_EOF)
      pump(other(side));
    else
      end(conn, true);
    return;
  }
  size_t allowed = (size_t) size < conn->cut_left ? (size_t) size : (size_t) conn->cut_left;
  count(side, allowed);
  if (allowed > 0) pass_on(other(side), (const uint8_t *) buffer->base, allowed);
  if (conn->cut_left != UINT64_MAX) conn->cut_left -= allowed;
  if (conn->dead) return;
  if (conn->cut_left == 0) {
    conn->proxy->totals.cut++;
    end(conn, true);
  } else {
    pump(other(side));
  }
}

/* --- The beginning of a connection ------------------------------------------------------------ */

static void draw_cut(struct conn *conn)
{
  struct proxy *proxy = conn->proxy;
  const struct proxy_fault *fault = &proxy->fault;
  double share = random_unit(&proxy->random);
  uint64_t bytes = fault->cut_after == 0 ? 1 : random_next(&proxy->random) % fault->cut_after + 1;
  conn->cut_left = share <= fault->cut_share ? bytes : UINT64_MAX;
}

static void set_rates(struct conn *conn)
{
  const struct proxy *proxy = conn->proxy;
  for (size_t i = 0; i < 2; i++)
    pipe_set_rate(&conn->side[i].out, proxy->fault.bandwidth_per_s, uv_now(proxy->loop));
}

static void on_connect(uv_connect_t *request, int status)
{
  struct conn *conn = request->data;
  if (conn->dead) return;
  if (status != 0) {
    conn->proxy->totals.refused++;
    end(conn, true);
    return;
  }
  conn->connected = true;
  uv_tcp_nodelay(&conn->side[SERVER].tcp, 1);
  for (size_t i = 0; i < 2; i++) adjust_reading(&conn->side[i]);
}

static struct conn *conn_new(struct proxy *proxy)
{
  struct conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL) memory_gone("a connection of the update proxy");
  conn->proxy = proxy;
  for (size_t i = 0; i < 2; i++) {
    conn->side[i].conn = conn;
    uv_tcp_init(proxy->loop, &conn->side[i].tcp);
    conn->side[i].tcp.data = &conn->side[i];
  }
  uv_timer_init(proxy->loop, &conn->timer);
  conn->timer.data = conn->connect.data = conn;
  conn->handles = 3;
  conn->moved_ms = uv_now(proxy->loop);
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
  int opened = uv_tcp_open(&conn->side[CLIENT].tcp, fd);
  if (opened != 0) close(fd);
  if (opened != 0 || proxy->totals.open > proxy->config.connections) {
    proxy->totals.refused++;
    end(conn, true);
    return;
  }
  proxy->totals.connections++;
  peak_add(&proxy->connections, uv_now(proxy->loop), 1);
  uv_tcp_nodelay(&conn->side[CLIENT].tcp, 1);
  draw_cut(conn);
  set_rates(conn);
  if (uv_tcp_connect(&conn->connect, &conn->side[SERVER].tcp,
                     (const struct sockaddr *) &proxy->server, on_connect) == 0)
    return;
  proxy->totals.refused++;
  end(conn, true);
}

/* --- The proxy -------------------------------------------------------------------------------- */

static void on_door_closed(void *ctx)
{
  struct proxy *proxy = ((struct door *) ctx)->proxy;
  free(ctx);
  release(proxy);
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
    if (uv_now(proxy->loop) - conn->moved_ms >= PROXY_IDLE_MS) end(conn, true);
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
  for (struct conn *conn = proxy->conns, *next; conn != NULL; conn = next) {
    next = conn->next;
    draw_cut(conn);
    set_rates(conn);
    conn->moved_ms = uv_now(proxy->loop);
    for (size_t i = 0; i < 2; i++) {
      if (fault->latency_ms == 0) pipe_hurry(&conn->side[i].out, uv_now(proxy->loop));
      adjust_reading(&conn->side[i]);
    }
    for (size_t i = 0; i < 2 && !conn->dead; i++) pump(&conn->side[i]);
  }
  return result;
}

void proxy_totals(const struct proxy *proxy, struct proxy_totals *out)
{
  *out = proxy->totals;
  out->connections_peak_per_s = proxy->connections.most;
  out->down_peak_per_s = proxy->down.most;
  for (const struct conn *conn = proxy->conns; conn != NULL; conn = conn->next)
    out->waiting += conn->side[CLIENT].out.cost + conn->side[SERVER].out.cost;
}

static void on_sweep_closed(uv_handle_t *handle)
{
  release(handle->data);
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
    end(conn, true);
  }
  uv_close((uv_handle_t *) &proxy->sweep, on_sweep_closed);
}
