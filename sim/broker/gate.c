/* The loop of a gate: who comes is queued for his turn or taken up at once, and a relay
 * (relay/relay.h) passes him on to the broker. What the client sends is looked at until its
 * handshake is done, which ends his deadline. An order that does not come, or cannot be followed,
 * ends the process; front.c sees that.
 */
#define _GNU_SOURCE
#include "broker/gate.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "broker/records.h"
#include "relay/listener.h"
#include "relay/relay.h"

enum { OWN_DESCRIPTORS = 64 };
/* A timer that is late is made up for by this much: the rate holds, and there is no burst. */
#define CATCH_UP_US 20000.0

struct pair {
  struct pair *next, **link; /* among all */
  struct pair *behind;       /* in the queue */
  struct gate *gate;
  struct relay relay;
  uv_timer_t deadline;
  int listener;
  unsigned open; /* the relay and the deadline */
  bool shaken;
  struct records records; /* the client's */
};

struct entrance {
  struct gate *gate;
  struct listener listener;
  int number;
  bool stopped; /* somebody came whom there was no room for: he waits in the kernel */
};

struct gate {
  struct gate_config config;
  uv_loop_t loop;
  struct entrance *entrances[FRONT_LISTENERS]; /* NULL: the broker is away */
  uv_poll_t control;
  uv_timer_t turn;
  struct pair *pairs, *first, *last; /* all; those that wait for their turn, in order */
  size_t count, count_max, waiting;
  double next_us; /* when the next one has his turn */
};

/* --- A connection ----------------------------------------------------------------------------- */

static void fill(struct gate *gate);

static void on_part_closed(struct pair *pair)
{
  if (--pair->open > 0) return;
  struct gate *gate = pair->gate;
  gate->count--;
  free(pair);
  fill(gate);
}

static void on_deadline_closed(uv_handle_t *handle)
{
  on_part_closed(handle->data);
}

/* Called by the relay. */
static void on_relay_closed(void *user)
{
  on_part_closed(user);
}

/* Called by the relay. */
static void on_relay_ended(void *user, enum relay_cause cause)
{
  struct pair *pair = user;
  (void) cause;
  *pair->link = pair->next;
  if (pair->next != NULL) pair->next->link = pair->link;
  uv_close((uv_handle_t *) &pair->deadline, on_deadline_closed);
}

static void pair_close(struct pair *pair)
{
  relay_drop(&pair->relay, false);
}

static void on_gate_deadline(uv_timer_t *timer)
{
  struct pair *pair = timer->data;
  atomic_fetch_add(&pair->gate->config.shared->timed_out, 1);
  pair_close(pair);
}

/* Called by the relay, which passes everything on. */
static bool look(void *user, enum relay_side from, const uint8_t *data, size_t *size)
{
  struct pair *pair = user;
  if (from == RELAY_CLIENT && !pair->shaken && records_pass(&pair->records, data, *size)) {
    pair->shaken = true;
    uv_timer_stop(&pair->deadline);
  }
  return true;
}

static const struct relay_config relaying = {
    .pass = look, .ended = on_relay_ended, .closed = on_relay_closed};

static void take_up(struct pair *pair)
{
  const struct gate_config *config = &pair->gate->config;
  struct sockaddr_in target = {.sin_family = AF_INET,
                               .sin_port =
                                   htons(atomic_load(&config->shared->target[pair->listener])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if ((config->timeout_ms > 0 &&
       uv_timer_start(&pair->deadline, on_gate_deadline, config->timeout_ms, 0) != 0) ||
      relay_connect(&pair->relay, (const struct sockaddr *) &target) != 0)
    pair_close(pair);
}

/* --- Turns ------------------------------------------------------------------------------------ */

static double now_us(void)
{
  return (double) uv_hrtime() / 1e3;
}

static void on_turn(uv_timer_t *timer);

static void arm_turn(struct gate *gate)
{
  double wait_us = gate->next_us - now_us();
  uint64_t wait_ms = wait_us > 0 ? (uint64_t) (wait_us / 1e3) + 1 : 1;
  if (gate->first != NULL) uv_timer_start(&gate->turn, on_turn, wait_ms, 0);
}

static struct pair *pop(struct gate *gate)
{
  struct pair *pair = gate->first;
  gate->first = pair->behind;
  if (gate->first == NULL) gate->last = NULL;
  gate->waiting--;
  atomic_fetch_sub(&gate->config.shared->waiting, 1);
  return pair;
}

static void on_turn(uv_timer_t *timer)
{
  struct gate *gate = timer->data;
  double now = now_us();
  if (gate->next_us < now - CATCH_UP_US) gate->next_us = now - CATCH_UP_US;
  while (gate->first != NULL && gate->next_us <= now) {
    take_up(pop(gate));
    gate->next_us += 1e6 / gate->config.rate;
  }
  arm_turn(gate);
  fill(gate);
}

static void queue(struct pair *pair)
{
  struct gate *gate = pair->gate;
  bool alone = gate->first == NULL;
  if (alone)
    gate->first = pair;
  else
    gate->last->behind = pair;
  gate->last = pair;
  gate->waiting++;
  atomic_fetch_add(&gate->config.shared->waiting, 1);
  if (!alone) return;
  /* turns that nobody wanted are not saved up */
  if (gate->next_us < now_us()) gate->next_us = now_us();
  on_turn(&gate->turn);
}

/* --- Who comes -------------------------------------------------------------------------------- */

static bool has_room(const struct gate *gate)
{
  return gate->count < gate->count_max && gate->waiting < gate->config.waiting_max;
}

static struct pair *pair_make(struct gate *gate, int listener)
{
  struct pair *pair = calloc(1, sizeof *pair);
  if (pair == NULL) memory_gone("a connection at the gate");
  *pair = (struct pair){
      .next = gate->pairs, .link = &gate->pairs, .gate = gate, .listener = listener, .open = 2};
  if (gate->pairs != NULL) gate->pairs->link = &pair->next;
  gate->pairs = pair;
  gate->count++;
  relay_init(&pair->relay, &gate->loop, &relaying, pair);
  uv_timer_init(&gate->loop, &pair->deadline);
  pair->deadline.data = pair;
  return pair;
}

/* Whom there is no room for waits in the kernel. */
static void close_doors(struct gate *gate)
{
  for (int l = 0; l < FRONT_LISTENERS; l++) {
    struct entrance *entrance = gate->entrances[l];
    if (entrance == NULL || entrance->stopped) continue;
    entrance->stopped = true;
    listener_pause(&entrance->listener);
  }
}

static void on_connection(void *ctx, int fd)
{
  struct entrance *entrance = ctx;
  struct gate *gate = entrance->gate;
  struct pair *pair = pair_make(gate, entrance->number);
  if (relay_take(&pair->relay, fd) != 0) {
    pair_close(pair);
  } else if (gate->config.rate > 0) {
    queue(pair);
  } else {
    take_up(pair);
  }
  if (!has_room(gate)) close_doors(gate);
}

/* There may be room again. */
static void fill(struct gate *gate)
{
  for (int l = 0; l < FRONT_LISTENERS && has_room(gate); l++) {
    struct entrance *entrance = gate->entrances[l];
    if (entrance == NULL || !entrance->stopped) continue;
    entrance->stopped = false;
    listener_resume(&entrance->listener);
  }
}

/* --- The whole -------------------------------------------------------------------------------- */

int gate_listen(uint16_t *port)
{
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
      bind(fd, (struct sockaddr *) &address, size) == 0 && listen(fd, FRONT_BACKLOG) == 0 &&
      getsockname(fd, (struct sockaddr *) &address, &size) == 0) {
    *port = ntohs(address.sin_port);
    return fd;
  }
  close(fd);
  return -1;
}

static bool open_entrance(struct gate *gate, int number, int fd)
{
  struct entrance *entrance = calloc(1, sizeof *entrance);
  if (entrance == NULL || fd < 0) return false;
  *entrance = (struct entrance){.gate = gate, .number = number};
  gate->entrances[number] = entrance;
  return listener_open(&entrance->listener, &gate->loop, fd, on_connection, entrance) == 0;
}

/* The sockets that listen go too: what the kernel still holds of clients that have left, and goes
 * on retransmitting for minutes, ends with them. */
static void drop(struct gate *gate)
{
  for (int l = 0; l < FRONT_LISTENERS; l++) {
    if (gate->entrances[l] != NULL) listener_close(&gate->entrances[l]->listener, free);
    gate->entrances[l] = NULL;
  }
  while (gate->first != NULL) pop(gate);
  uv_timer_stop(&gate->turn);
  while (gate->pairs != NULL) pair_close(gate->pairs);
}

static void resume(struct gate *gate)
{
  for (int l = 0; l < FRONT_LISTENERS; l++) {
    if (gate->entrances[l] != NULL) continue;
    if (!open_entrance(gate, l, gate_listen(&gate->config.port[l]))) _exit(1);
  }
}

static void on_control(uv_poll_t *poll, int status, int events)
{
  (void) events;
  struct gate *gate = poll->data;
  char order;
  if (status < 0 || recv(gate->config.control, &order, 1, 0) <= 0) _exit(0);
  if (order == GATE_DROP) drop(gate);
  if (order == GATE_RESUME) resume(gate);
}

/* A connection needs two descriptors; there may be as many as this process is given. */
static void raise_limit(struct gate *gate)
{
  struct rlimit limit;
  gate->count_max = 256;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 2 * OWN_DESCRIPTORS)
    gate->count_max = (size_t) (limit.rlim_cur - OWN_DESCRIPTORS) / 2;
}

static bool begin(struct gate *gate)
{
  if (uv_loop_init(&gate->loop) != 0) return false;
  for (int l = 0; l < FRONT_LISTENERS; l++)
    if (!open_entrance(gate, l, gate->config.listeners[l])) return false;
  uv_timer_init(&gate->loop, &gate->turn);
  gate->turn.data = gate;
  gate->control.data = gate;
  return uv_poll_init(&gate->loop, &gate->control, gate->config.control) == 0 &&
         uv_poll_start(&gate->control, UV_READABLE, on_control) == 0;
}

void gate_run(const struct gate_config *config)
{
  struct gate *gate = calloc(1, sizeof *gate);
  if (gate == NULL) _exit(1);
  gate->config = *config;
  raise_limit(gate);
  if (begin(gate)) uv_run(&gate->loop, UV_RUN_DEFAULT);
  _exit(1);
}
