/* Two sides of a connection, and for each a pipe of what waits to go there. What is read from one
 * side goes at once to the other where it can, and waits in the pipe where it must: the line is
 * slow, or that side does not take it, and then the first one is not read. An end is passed on
 * after all that came before it. What fails ends both sides.
 */
#define _GNU_SOURCE
#include "relay/relay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is read or popped, until it has been passed on: nothing stays in it from one call to the
   next, and relays are of one thread. */
static uint8_t piece[RELAY_PIECE];

/* A write that the socket did not take at once. */
struct rest {
  uv_write_t write;
  struct relay_end *to;
  uint8_t data[];
};

static const struct relay_line plain_line;

static void pump(struct relay_end *to);

static const struct relay_line *line_of(const struct relay *relay)
{
  return relay->config->line != NULL ? relay->config->line : &plain_line;
}

static struct relay_end *other(struct relay_end *end)
{
  return &end->relay->end[end == &end->relay->end[RELAY_CLIENT] ? RELAY_SERVER : RELAY_CLIENT];
}

/* --- The end ---------------------------------------------------------------------------------- */

static void on_part_closed(uv_handle_t *handle)
{
  struct relay *relay = handle->data;
  if (--relay->handles > 0) return;
  for (size_t i = 0; i < 2; i++) pipe_clear(&relay->end[i].out);
  relay->config->closed(relay->user);
}

static void on_tcp_closed(uv_handle_t *handle)
{
  handle->data = ((struct relay_end *) handle->data)->relay;
  on_part_closed(handle);
}

static void end(struct relay *relay, enum relay_cause cause, bool reset)
{
  if (relay->dead) return;
  relay->dead = true;
  for (size_t i = 0; i < 2; i++) {
    uv_tcp_t *tcp = &relay->end[i].tcp;
    if (!reset || uv_tcp_close_reset(tcp, on_tcp_closed) != 0)
      uv_close((uv_handle_t *) tcp, on_tcp_closed);
  }
  uv_close((uv_handle_t *) &relay->timer, on_part_closed);
  relay->config->ended(relay->user, cause);
}

static void break_off(struct relay *relay)
{
  end(relay, RELAY_BROKEN, relay->config->half_close);
}

/* --- Bytes out -------------------------------------------------------------------------------- */

static void on_rest_written(uv_write_t *write, int status)
{
  struct rest *rest = (struct rest *) write;
  struct relay_end *to = rest->to;
  free(rest);
  to->writing = false;
  if (to->relay->dead) return;
  if (status != 0)
    break_off(to->relay);
  else
    pump(to);
}

/* Everything goes: what the socket does not take at once is kept, and no more is given to it
   before. */
static void send_all(struct relay_end *to, const uint8_t *data, size_t size)
{
  uv_buf_t buffer = uv_buf_init((char *) data, (unsigned) size);
  int taken = uv_try_write((uv_stream_t *) &to->tcp, &buffer, 1);
  if (taken == UV_EAGAIN) taken = 0;
  if (taken >= 0 && (size_t) taken == size) return;
  size_t left = taken < 0 ? 0 : size - (size_t) taken;
  struct rest *rest = left == 0 ? NULL : malloc(sizeof *rest + left);
  if (rest == NULL) {
    break_off(to->relay);
    return;
  }
  rest->to = to;
  memcpy(rest->data, data + taken, left);
  buffer = uv_buf_init((char *) rest->data, (unsigned) left);
  to->writing = true;
  if (uv_write(&rest->write, (uv_stream_t *) &to->tcp, &buffer, 1, on_rest_written) == 0) return;
  to->writing = false;
  free(rest);
  break_off(to->relay);
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
  struct relay_end *to = request->data;
  struct relay *relay = to->relay;
  if (relay->dead) return;
  if (status != 0)
    break_off(relay);
  else if (relay->end[RELAY_CLIENT].shutting && relay->end[RELAY_SERVER].shutting)
    end(relay, RELAY_CLOSED, false);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) handle, (void) suggested;
  *buffer = uv_buf_init((char *) piece, sizeof piece);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* Reads from where it may: nothing stalls, and the other side takes what comes. */
static void adjust_reading(struct relay_end *from)
{
  struct relay *relay = from->relay;
  const struct relay_end *to = other(from);
  bool wanted = relay->connected && !from->over && !line_of(relay)->stall && !to->writing &&
                to->out.cost < RELAY_WAITING_MAX;
  if (wanted == from->reading) return;
  from->reading = wanted;
  if (wanted && uv_read_start((uv_stream_t *) &from->tcp, on_alloc, on_read) != 0)
    break_off(relay);
  else if (!wanted)
    uv_read_stop((uv_stream_t *) &from->tcp);
}

static void on_timer(uv_timer_t *timer)
{
  struct relay *relay = timer->data;
  pump(&relay->end[RELAY_CLIENT]);
  if (!relay->dead) pump(&relay->end[RELAY_SERVER]);
}

static void arm(struct relay *relay)
{
  uint64_t now_ms = uv_now(relay->loop), at_ms = UINT64_MAX;
  for (size_t i = 0; i < 2; i++) {
    struct relay_end *to = &relay->end[i];
    uint64_t next_ms = to->writing ? UINT64_MAX : pipe_next_ms(&to->out, now_ms);
    if (next_ms < at_ms) at_ms = next_ms;
  }
  if (at_ms == UINT64_MAX || line_of(relay)->stall)
    uv_timer_stop(&relay->timer);
  else
    uv_timer_start(&relay->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 1, 0);
}

static void pass_end_on(struct relay_end *to)
{
  if (!other(to)->over || to->out.waiting > 0 || to->writing || to->shutting ||
      line_of(to->relay)->stall)
    return;
  to->shutting = true;
  to->shutdown.data = to;
  if (uv_shutdown(&to->shutdown, (uv_stream_t *) &to->tcp, on_shut_down) != 0) break_off(to->relay);
}

/* Passes on what may leave, then the end, and goes on reading where that made room. */
static void pump(struct relay_end *to)
{
  struct relay *relay = to->relay;
  if (!relay->connected) return;
  while (!to->writing && !relay->dead && !line_of(relay)->stall) {
    size_t size = pipe_pop(&to->out, uv_now(relay->loop), piece, sizeof piece);
    if (size == 0) break;
    relay->moved_ms = uv_now(relay->loop);
    send_all(to, piece, size);
  }
  if (!relay->dead) pass_end_on(to);
  if (!relay->dead) adjust_reading(other(to));
  if (!relay->dead) arm(relay);
}

/* --- Bytes in --------------------------------------------------------------------------------- */

/* On a free line that takes them there is nothing to wait for, and nothing to arm. */
static void pass_on(struct relay_end *to, const uint8_t *data, size_t size)
{
  struct relay *relay = to->relay;
  const struct relay_line *line = line_of(relay);
  bool free_line =
      line->latency_ms == 0 && line->bandwidth_per_s == 0 && to->out.waiting == 0 && !to->writing;
  if (free_line) {
    send_all(to, data, size);
    if (!relay->dead && to->writing) adjust_reading(other(to));
  } else if (pipe_put(&to->out, data, size, uv_now(relay->loop) + line->latency_ms) != 0) {
    break_off(relay);
  } else {
    pump(to);
  }
}

static void on_side_over(struct relay_end *from, bool orderly)
{
  struct relay *relay = from->relay;
  from->over = true;
  from->reading = false;
  uv_read_stop((uv_stream_t *) &from->tcp);
  if (orderly && relay->config->half_close)
    pump(other(from));
  else if (orderly)
    end(relay, RELAY_CLOSED, false);
  else
    break_off(relay);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  struct relay_end *from = stream->data;
  struct relay *relay = from->relay;
  const struct relay_config *config = relay->config;
  enum relay_side side = from == &relay->end[RELAY_CLIENT] ? RELAY_CLIENT : RELAY_SERVER;
  if (relay->dead || size == 0) return;
  relay->moved_ms = uv_now(relay->loop);
  if (size < 0) {
    on_side_over(from, size == UV_EOF);
    return;
  }
  size_t passing = (size_t) size;
  bool goes_on = config->pass == NULL ||
                 config->pass(relay->user, side, (const uint8_t *) buffer->base, &passing);
  assert(passing <= (size_t) size);
  if (passing > 0) pass_on(other(from), (const uint8_t *) buffer->base, passing);
  if (!relay->dead && !goes_on) end(relay, RELAY_CUT, true);
}

/* --- The beginning ---------------------------------------------------------------------------- */

static void set_rates(struct relay *relay)
{
  for (size_t i = 0; i < 2; i++)
    pipe_set_rate(&relay->end[i].out, line_of(relay)->bandwidth_per_s, uv_now(relay->loop));
}

void relay_init(struct relay *relay, uv_loop_t *loop, const struct relay_config *config, void *user)
{
  assert(config->ended != NULL && config->closed != NULL);
  *relay = (struct relay){.loop = loop, .config = config, .user = user, .handles = 3};
  for (size_t i = 0; i < 2; i++) {
    relay->end[i].relay = relay;
    uv_tcp_init(loop, &relay->end[i].tcp);
    relay->end[i].tcp.data = &relay->end[i];
  }
  uv_timer_init(loop, &relay->timer);
  relay->timer.data = relay->connect.data = relay;
  relay->moved_ms = uv_now(loop);
  set_rates(relay);
}

int relay_take(struct relay *relay, int fd)
{
  int status = uv_tcp_open(&relay->end[RELAY_CLIENT].tcp, fd);
  if (status != 0) {
    close(fd);
    return status;
  }
  uv_tcp_nodelay(&relay->end[RELAY_CLIENT].tcp, 1);
  return 0;
}

static void on_connect(uv_connect_t *request, int status)
{
  struct relay *relay = request->data;
  if (relay->dead) return;
  if (status != 0) {
    end(relay, RELAY_REFUSED, relay->config->half_close);
    return;
  }
  relay->connected = true;
  uv_tcp_nodelay(&relay->end[RELAY_SERVER].tcp, 1);
  for (size_t i = 0; i < 2 && !relay->dead; i++) adjust_reading(&relay->end[i]);
}

int relay_connect(struct relay *relay, const struct sockaddr *server)
{
  assert(!relay->dead && !relay->connected);
  return uv_tcp_connect(&relay->connect, &relay->end[RELAY_SERVER].tcp, server, on_connect);
}

void relay_line_changed(struct relay *relay)
{
  uint64_t now_ms = uv_now(relay->loop);
  if (relay->dead) return;
  set_rates(relay);
  relay->moved_ms = now_ms;
  for (size_t i = 0; i < 2; i++)
    if (line_of(relay)->latency_ms == 0) pipe_hurry(&relay->end[i].out, now_ms);
  for (size_t i = 0; i < 2 && !relay->dead; i++) adjust_reading(&relay->end[i]);
  for (size_t i = 0; i < 2 && !relay->dead; i++) pump(&relay->end[i]);
}

void relay_drop(struct relay *relay, bool reset)
{
  end(relay, RELAY_DROPPED, reset);
}

size_t relay_waiting(const struct relay *relay)
{
  return relay->end[RELAY_CLIENT].out.cost + relay->end[RELAY_SERVER].out.cost;
}
