/* How it goes: the link is the connection's handler. What happens there is noted with the time at
 * which the owner may know it (opened, bytes, ended), and turn() tells what is due, in this order.
 * What the owner sends waits in `out`.
 *
 * The link has a second connection of the backend, `wake`. Its deadline is the link's timer. And
 * where the owner closes while bytes are under way, or the end is not to be seen yet, the open
 * socket moves over to it and ends there, so that the device may dial again at once.
 *
 * A black hole freezes all of it: nothing is told and nothing sent until another fault, or none, is
 * set.
 */
#include "net/fault.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/random.h"
#include "net/pipe.h"

#define PIECE 4096u
/* An attempt that fails without the network does so no sooner: see FAILURE_DELAY_MS in
   backend_uv.c. */
#define REFUSAL_MS 1u

struct fault_link {
  struct backend *backend;
  struct backend_conn *conn, *wake;
  struct fault_owner owner;
  struct fault fault;

  /* the owner's attempt or connection */
  bool swallowed; /* the black hole has its SYN: dialled when it is mended */
  bool dialled;   /* the backend has it */
  bool opened, told, ended;
  bool paused, throttled, reading; /* by the owner; by the limit; as the backend knows it */
  uint64_t opened_ms, ended_ms;    /* when the owner may learn of it */
  enum device_failure cause;
  uint64_t passed; /* bytes, both ways, since the connection or the fault began */
  uint64_t cut_at; /* of them, where this connection is cut; 0: nowhere */
  struct pipe in, out;
  struct sockaddr_storage to, from;
  bool has_from;

  /* a connection that the owner has closed, on `wake` */
  bool leaving, stale; /* stale: the black hole hides its end */
  struct pipe rest;
  uint64_t leave_ms, leave_by_ms;

  void (*released)(void *user);
  void *released_user;
};

static uint64_t now_of(const struct fault_link *link)
{
  return backend_now_ms(link->backend);
}

static uint64_t draw_delay(struct fault_link *link)
{
  const struct fault *f = &link->fault;
  if (f->jitter_ms == 0) return f->latency_ms;
  return f->latency_ms - f->jitter_ms +
         random_next(link->owner.random) % (2 * (uint64_t) f->jitter_ms + 1);
}

/* Where the connection that begins, or the one under which the fault is set, will be cut. */
static uint64_t draw_cut(struct fault_link *link)
{
  const struct fault *f = &link->fault;
  if (f->cut_after == 0 || f->cut_share == 0) return f->cut_after;
  if (random_unit(link->owner.random) > f->cut_share) return 0;
  return random_next(link->owner.random) % f->cut_after + 1;
}

static void count(struct fault_link *link, enum fault_count what, uint64_t n)
{
  link->owner.count(link->owner.user, what, n);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

static bool is_end_due(const struct fault_link *link)
{
  return link->ended && !link->paused && link->in.waiting == 0 && link->told == link->opened;
}

static void arm_line(struct fault_link *link)
{
  uint64_t at = UINT64_MAX, now = now_of(link);
  if (!link->fault.black_hole) {
    if (link->opened && !link->told) at = link->opened_ms;
    if (link->told && !link->paused) at = earliest(at, pipe_next_ms(&link->in, now));
    if (link->told && link->dialled) at = earliest(at, pipe_next_ms(&link->out, now));
    if (is_end_due(link)) at = earliest(at, link->ended_ms);
    if (link->leaving && link->rest.waiting > 0) at = earliest(at, pipe_next_ms(&link->rest, now));
    if (link->leaving)
      at = earliest(at, link->rest.waiting == 0 ? link->leave_ms : link->leave_by_ms);
  }
  backend_deadline(link->wake, at);
}

static void update_reading(struct fault_link *link)
{
  bool reading = !link->paused && !link->throttled && !link->fault.black_hole;
  if (!link->dialled || !link->opened || reading == link->reading) return;
  link->reading = reading;
  backend_pause(link->conn, !reading);
}

/* Ends the connection in both directions; the owner learns of it next. */
static void end_by(struct fault_link *link, enum device_failure cause)
{
  backend_reset(link->conn);
  pipe_clear(&link->in);
  pipe_clear(&link->out);
  link->dialled = link->swallowed = false;
  link->opened = link->told; /* what was not told yet is not told any more */
  link->ended = true;
  link->cause = cause;
  link->ended_ms = now_of(link);
}

/* How many of `most` bytes may pass before the cut. */
static size_t before_cut(const struct fault_link *link, size_t most)
{
  if (link->cut_at == 0) return most;
  uint64_t left = link->cut_at > link->passed ? link->cut_at - link->passed : 0;
  return left < most ? (size_t) left : most;
}

static void cut_when_due(struct fault_link *link)
{
  if (link->cut_at == 0 || link->passed < link->cut_at || !link->told || link->ended) return;
  count(link, FAULT_CUT, 1);
  end_by(link, DEVICE_FAIL_TCP_RESET);
}

/* --- What is due ------------------------------------------------------------------------------ */

static void turn_opened(struct fault_link *link, uint64_t now)
{
  if (!link->opened || link->told || link->opened_ms > now) return;
  link->told = true;
  link->owner.handler->opened(link->owner.user);
}

static void turn_out(struct fault_link *link, uint64_t now)
{
  uint8_t piece[PIECE];
  size_t n;
  while (link->told && link->dialled &&
         (n = pipe_pop(&link->out, now, piece, before_cut(link, sizeof piece))) > 0) {
    link->passed += n;
    if (backend_send(link->conn, piece, n) != 0) end_by(link, DEVICE_FAIL_TCP_OTHER);
    cut_when_due(link);
  }
}

static void turn_in(struct fault_link *link, uint64_t now)
{
  uint8_t piece[PIECE];
  size_t n, most = link->fault.slice > 0 && link->fault.slice < sizeof piece ? link->fault.slice
                                                                             : sizeof piece;
  while (link->told && !link->paused &&
         (n = pipe_pop(&link->in, now, piece, before_cut(link, most))) > 0) {
    link->passed += n;
    link->owner.handler->bytes(link->owner.user, piece, n);
    cut_when_due(link);
  }
  if (link->throttled && link->in.cost <= FAULT_WAITING_MAX / 2) link->throttled = false;
  update_reading(link);
}

static void turn_end(struct fault_link *link, uint64_t now)
{
  if (!is_end_due(link) || link->ended_ms > now) return;
  link->ended = link->opened = link->told = false;
  link->owner.handler->closed(link->owner.user, link->cause);
}

static void turn_leaving(struct fault_link *link, uint64_t now)
{
  uint8_t piece[PIECE];
  size_t n;
  while (link->leaving && (n = pipe_pop(&link->rest, now, piece, sizeof piece)) > 0)
    if (backend_send(link->wake, piece, n) != 0) link->leave_by_ms = now;
  if (!link->leaving || (link->rest.waiting > 0 && now < link->leave_by_ms)) return;
  if (link->rest.waiting == 0 && now < link->leave_ms) return;
  link->leaving = false;
  if (link->rest.waiting > 0) backend_reset(link->wake);
  backend_close(link->wake);
  pipe_clear(&link->rest);
}

static void turn(struct fault_link *link)
{
  uint64_t now = now_of(link);
  if (!link->fault.black_hole) {
    turn_opened(link, now);
    turn_out(link, now);
    turn_in(link, now);
    turn_end(link, now);
    turn_leaving(link, now);
  }
  arm_line(link);
}

/* --- What the backend tells ------------------------------------------------------------------- */

static void on_opened(void *user)
{
  struct fault_link *link = user;
  link->opened = link->reading = true;
  link->opened_ms = now_of(link) + draw_delay(link) + draw_delay(link);
  update_reading(link);
  turn(link);
}

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  struct fault_link *link = user;
  const struct fault *f = &link->fault;
  bool waits = f->latency_ms > 0 || f->bandwidth_per_s > 0;
  if (!waits && link->cut_at == 0 && f->slice == 0 && !f->black_hole && link->in.waiting == 0 &&
      link->told) {
    link->owner.handler->bytes(link->owner.user, data, size);
    return;
  }
  if (waits) count(link, FAULT_DELAYED, size);
  if (pipe_put(&link->in, data, size, now_of(link) + draw_delay(link)) != 0)
    end_by(link, DEVICE_FAIL_TCP_OTHER);
  link->throttled = link->in.cost > FAULT_WAITING_MAX;
  turn(link);
}

static void on_line_closed(void *user, enum device_failure cause)
{
  struct fault_link *link = user;
  uint64_t under_way = draw_delay(link);
  if (!link->opened) under_way += draw_delay(link);
  link->dialled = false;
  link->ended = true;
  link->cause = cause;
  link->ended_ms = latest(now_of(link) + under_way, link->in.last_due_ms);
  if (link->opened) link->ended_ms += link->fault.slow_close_ms;
  pipe_clear(&link->out);
  turn(link);
}

static void on_deadline(void *user)
{
  struct fault_link *link = user;
  link->owner.handler->deadline(link->owner.user);
}

static const struct backend_handler conn_handler = {
    .opened = on_opened, .bytes = on_bytes, .closed = on_line_closed, .deadline = on_deadline};

static void on_wake_opened(void *user)
{
  (void) user; /* only open connections move to it */
}

static void on_wake_bytes(void *user, const uint8_t *data, size_t size)
{
  /* nobody reads what comes for a connection that was closed */
  (void) user, (void) data, (void) size;
}

static void on_wake_closed(void *user, enum device_failure cause)
{
  struct fault_link *link = user;
  (void) cause;
  link->leaving = link->stale = false;
  pipe_clear(&link->rest);
}

static void on_wake(void *user)
{
  turn(user);
}

static const struct backend_handler wake_handler = {.opened = on_wake_opened,
                                                    .bytes = on_wake_bytes,
                                                    .closed = on_wake_closed,
                                                    .deadline = on_wake};

/* --- What the owner does ---------------------------------------------------------------------- */

struct fault_link *fault_create(struct backend *backend, struct backend_conn *conn,
                                const struct fault_owner *owner)
{
  struct fault_link *link = calloc(1, sizeof *link);
  void *storage = calloc(1, backend_conn_size());
  if (link == NULL || storage == NULL) {
    free(link);
    free(storage);
    return NULL;
  }
  enum backend_stage stage = backend_stage(conn);
  *link = (struct fault_link){.backend = backend, .conn = conn, .owner = *owner};
  link->dialled = stage != BACKEND_CLOSED;
  link->opened = link->told = link->reading = stage == BACKEND_OPEN;
  link->wake = backend_conn_init(backend, storage, &wake_handler, link);
  backend_set_handler(conn, &conn_handler, link);
  return link;
}

static void refuse(struct fault_link *link)
{
  count(link, FAULT_REFUSED, 1);
  link->ended = true;
  link->cause = DEVICE_FAIL_TCP_REFUSED;
  link->ended_ms = now_of(link) + latest(REFUSAL_MS, draw_delay(link) + draw_delay(link));
}

static void dial(struct fault_link *link)
{
  link->swallowed = false;
  if (link->fault.refuse) {
    refuse(link);
    return;
  }
  link->dialled = true;
  backend_connect(link->conn, &link->to, link->has_from ? &link->from : NULL);
}

void fault_connect(struct fault_link *link, const struct sockaddr_storage *to,
                   const struct sockaddr_storage *from)
{
  assert(!link->dialled && !link->swallowed && !link->ended);
  link->to = *to;
  link->has_from = from != NULL;
  if (from != NULL) link->from = *from;
  link->passed = 0;
  link->cut_at = draw_cut(link);
  if (link->fault.black_hole) {
    link->swallowed = true;
    count(link, FAULT_SWALLOWED, 1);
  } else {
    dial(link);
  }
  arm_line(link);
}

size_t fault_backlog(const struct fault_link *link)
{
  return link->out.cost + (link->dialled ? backend_backlog(link->conn) : 0);
}

int fault_send(struct fault_link *link, const uint8_t *data, size_t size)
{
  const struct fault *f = &link->fault;
  bool waits = f->latency_ms > 0 || f->bandwidth_per_s > 0;
  if (!link->dialled) return 0; /* as the backend does without a connection */
  if (fault_backlog(link) + size > FAULT_WAITING_MAX) return -1;
  if (!waits && link->cut_at == 0 && !f->black_hole && link->out.waiting == 0)
    return backend_send(link->conn, data, size);
  if (waits) count(link, FAULT_DELAYED, size);
  if (pipe_put(&link->out, data, size, now_of(link) + draw_delay(link)) != 0) return -1;
  arm_line(link);
  return 0;
}

void fault_pause(struct fault_link *link, bool paused)
{
  link->paused = paused && link->told;
  update_reading(link);
  arm_line(link);
}

/* The connection that left before has had its time. */
static void end_leaving(struct fault_link *link)
{
  uint64_t now = now_of(link);
  if (!link->leaving) return;
  if (link->stale) pipe_clear(&link->rest);
  pipe_set_rate(&link->rest, 0, now);
  pipe_hurry(&link->rest, now);
  link->leave_ms = link->leave_by_ms = now;
  if (link->stale) backend_reset(link->wake);
  link->stale = false;
  turn_leaving(link, now);
}

static void leave(struct fault_link *link)
{
  const struct fault *f = &link->fault;
  uint64_t now = now_of(link);
  end_leaving(link);
  backend_move(link->conn, link->wake);
  link->leaving = true;
  link->stale = f->black_hole;
  link->rest = link->out;
  link->out.first = link->out.last = NULL;
  link->out.waiting = link->out.cost = 0;
  link->leave_ms = latest(now + draw_delay(link), link->rest.last_due_ms) + f->slow_close_ms;
  link->leave_by_ms = link->leave_ms + FAULT_REST_MS;
}

void fault_close(struct fault_link *link)
{
  const struct fault *f = &link->fault;
  bool late = f->black_hole || f->latency_ms > 0 || f->slow_close_ms > 0 || link->out.waiting > 0;
  if (link->dialled && link->opened && late)
    leave(link);
  else
    backend_close(link->conn);
  pipe_clear(&link->in);
  pipe_clear(&link->out);
  link->swallowed = link->dialled = link->opened = link->told = link->ended = false;
  link->paused = link->throttled = false;
  arm_line(link);
}

void fault_set(struct fault_link *link, const struct fault *fault)
{
  uint64_t now = now_of(link);
  bool was_black_hole = link->fault.black_hole;
  assert(fault->jitter_ms <= fault->latency_ms);
  link->fault = *fault;
  link->fault.reset = false;
  link->passed = 0;
  link->cut_at = draw_cut(link);
  pipe_set_rate(&link->in, fault->bandwidth_per_s, now);
  pipe_set_rate(&link->out, fault->bandwidth_per_s, now);
  pipe_hurry(&link->in, now);
  pipe_hurry(&link->out, now);
  link->opened_ms = earliest(link->opened_ms, now);
  link->ended_ms = earliest(link->ended_ms, now);
  link->leave_ms = earliest(link->leave_ms, now);
  if (fault->reset && (link->dialled || link->swallowed)) {
    count(link, FAULT_RESET, 1);
    end_by(link, DEVICE_FAIL_TCP_RESET);
  }
  if (was_black_hole && !fault->black_hole) {
    if (link->stale) end_leaving(link);
    if (link->swallowed) dial(link);
  }
  update_reading(link);
  arm_line(link);
}

bool fault_is_none(const struct fault *f)
{
  return f->latency_ms == 0 && f->bandwidth_per_s == 0 && f->cut_after == 0 && f->slice == 0 &&
         f->slow_close_ms == 0 && !f->black_hole && !f->refuse && !f->reset;
}

const struct fault *fault_get(const struct fault_link *link)
{
  return &link->fault;
}

static void on_released(void *user)
{
  struct fault_link *link = user;
  void (*released)(void *) = link->released;
  void *released_user = link->released_user;
  free(link->wake);
  free(link);
  released(released_user);
}

void fault_release(struct fault_link *link, void (*released)(void *user), void *user)
{
  link->released = released;
  link->released_user = user;
  backend_close(link->conn);
  backend_set_handler(link->conn, link->owner.handler, link->owner.user);
  pipe_clear(&link->in);
  pipe_clear(&link->out);
  pipe_clear(&link->rest);
  backend_reset(link->wake);
  backend_conn_release(link->wake, on_released);
}
