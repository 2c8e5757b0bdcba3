/* The functions of net/backend.h on virtual time. A line is shared by its two ends and lives until
 * both have let go and nothing is under way on it. What the device's end has closed tells it
 * nothing any more. */
#include "wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "net/backend.h"

#define SECOND_US 1000000u
#define UNIX_S    1800000000 /* 15 January 2027: the day of every trace */

struct wire {
  struct backend_conn *conn; /* NULL: the device has let go */
  uint16_t number;           /* of the port that was dialled */
  const struct wire_port *port;
  void *session; /* the broker's; NULL: it has let go */
  unsigned references;
};

/* What is under way on a line. */
struct parcel {
  struct wire *line;
  struct parcel *next; /* of those that a paused device has not taken */
  enum { OPENED, CLOSED, RESET, REFUSED, TO_DEVICE, TO_BROKER, LEFT } what;
  size_t size;
  uint8_t data[];
};

struct backend_conn {
  const struct backend_handler *handler;
  void *user;
  struct wire *line;
  enum backend_stage stage;
  bool paused;
  struct parcel *kept, **kept_end;
  uint64_t deadline_ms;
  struct alarm *alarm; /* the one that counts */
  void (*released)(void *user);
};

/* One deadline that was set; void where it is no more the connection's. */
struct alarm {
  struct backend_conn *conn;
};

struct backend {
  uint64_t random;
};

static struct backend backend;
static struct wire_port *ports;

/* --- Lines ------------------------------------------------------------------------------------ */

static void let_go(struct wire *line)
{
  if (--line->references == 0) free(line);
}

static void arrive(void *ctx);

static void dispatch(struct wire *line, int what, const uint8_t *data, size_t size)
{
  struct parcel *parcel = malloc(sizeof *parcel + size);
  assert(parcel != NULL);
  parcel->line = line;
  parcel->next = NULL;
  parcel->what = what;
  parcel->size = size;
  if (size > 0) memcpy(parcel->data, data, size);
  line->references++;
  clock_in(WIRE_US, arrive, parcel);
}

static void discard(struct parcel *parcel)
{
  let_go(parcel->line);
  free(parcel);
}

static void end_conn(struct backend_conn *conn)
{
  struct wire *line = conn->line;
  conn->line = NULL;
  conn->stage = BACKEND_CLOSED;
  conn->paused = false;
  while (conn->kept != NULL) {
    struct parcel *parcel = conn->kept;
    conn->kept = parcel->next;
    discard(parcel);
  }
  conn->kept_end = &conn->kept;
  if (line == NULL) return;
  line->conn = NULL;
  let_go(line);
}

static void tell_device(struct parcel *parcel)
{
  static const enum device_failure causes[] = {[CLOSED] = DEVICE_FAIL_TCP_CLOSED,
                                               [RESET] = DEVICE_FAIL_TCP_RESET,
                                               [REFUSED] = DEVICE_FAIL_TCP_REFUSED};
  struct backend_conn *conn = parcel->line->conn;
  if (conn == NULL) return;
  if (parcel->what == OPENED) {
    conn->stage = BACKEND_OPEN;
    conn->handler->opened(conn->user); /* fleet/feed.c, net/fault.c */
  } else if (parcel->what == TO_DEVICE) {
    conn->handler->bytes(conn->user, parcel->data, parcel->size); /* the same */
  } else {
    enum device_failure cause = causes[parcel->what];
    end_conn(conn);
    conn->handler->closed(conn->user, cause); /* the same */
  }
}

static void tell_broker(struct parcel *parcel)
{
  struct wire *line = parcel->line;
  void *session = line->session;
  if (session == NULL) return;
  if (parcel->what == TO_BROKER) {
    line->port->bytes(session, parcel->data, parcel->size); /* broker.c */
    return;
  }
  line->session = NULL;
  line->port->closed(session); /* broker.c */
  let_go(line);
}

static void arrive(void *ctx)
{
  struct parcel *parcel = ctx;
  struct backend_conn *conn = parcel->line->conn;
  bool up = parcel->what == TO_BROKER || parcel->what == LEFT;
  if (!up && conn != NULL && conn->paused) {
    *conn->kept_end = parcel;
    conn->kept_end = &parcel->next;
    return;
  }
  if (up)
    tell_broker(parcel);
  else
    tell_device(parcel);
  discard(parcel);
}

static const struct wire_port *port_of(uint16_t number)
{
  for (const struct wire_port *port = ports; port != NULL; port = port->next)
    if (port->port == number) return port;
  return NULL;
}

/* Who listens there by then: he may have gone meanwhile. */
static void knock(void *ctx)
{
  struct wire *line = ctx;
  line->port = port_of(line->number);
  if (line->conn != NULL && line->port != NULL)
    line->session = line->port->accept(line->port->ctx, line); /* broker.c */
  if (line->session != NULL) line->references++;
  if (line->conn != NULL) dispatch(line, line->session != NULL ? OPENED : REFUSED, NULL, 0);
  let_go(line);
}

void wire_listen(struct wire_port *port)
{
  port->next = ports;
  ports = port;
}

void wire_ignore(const struct wire_port *port)
{
  struct wire_port **at = &ports;
  while (*at != NULL && *at != port) at = &(*at)->next;
  if (*at != NULL) *at = port->next;
}

void wire_forget_ports(void)
{
  ports = NULL;
}

void wire_send(struct wire *wire, const uint8_t *data, size_t size)
{
  dispatch(wire, TO_DEVICE, data, size);
}

void wire_end(struct wire *wire, bool reset)
{
  wire->session = NULL;
  dispatch(wire, reset ? RESET : CLOSED, NULL, 0);
  let_go(wire);
}

/* --- net/backend.h ---------------------------------------------------------------------------- */

struct backend *wire_backend(void)
{
  backend.random = 7;
  return &backend;
}

size_t backend_conn_size(void)
{
  return sizeof(struct backend_conn);
}

struct backend_conn *backend_conn_init(struct backend *of, void *storage,
                                       const struct backend_handler *handler, void *user)
{
  struct backend_conn *conn = storage;
  (void) of;
  *conn = (struct backend_conn){.handler = handler, .user = user, .deadline_ms = UINT64_MAX};
  conn->kept_end = &conn->kept;
  return conn;
}

void backend_set_handler(struct backend_conn *conn, const struct backend_handler *handler,
                         void *user)
{
  conn->handler = handler;
  conn->user = user;
}

void backend_connect(struct backend_conn *conn, const struct sockaddr_storage *to,
                     const struct sockaddr_storage *from)
{
  (void) from;
  assert(conn->stage == BACKEND_CLOSED);
  struct wire *line = calloc(1, sizeof *line);
  assert(line != NULL);
  *line = (struct wire){
      .conn = conn, .number = ntohs(((const struct sockaddr_in *) to)->sin_port), .references = 2};
  conn->line = line;
  conn->stage = BACKEND_OPENING;
  clock_in(WIRE_US, knock, line);
}

int backend_send(struct backend_conn *conn, const uint8_t *data, size_t size)
{
  if (conn->line != NULL) dispatch(conn->line, TO_BROKER, data, size);
  return 0;
}

enum backend_stage backend_stage(const struct backend_conn *conn)
{
  return conn->stage;
}

size_t backend_backlog(const struct backend_conn *conn)
{
  (void) conn;
  return 0;
}

static void resume(void *ctx)
{
  struct wire *line = ctx;
  while (line->conn != NULL && !line->conn->paused && line->conn->kept != NULL) {
    struct parcel *parcel = line->conn->kept;
    line->conn->kept = parcel->next;
    if (line->conn->kept == NULL) line->conn->kept_end = &line->conn->kept;
    tell_device(parcel);
    discard(parcel);
  }
  let_go(line);
}

void backend_pause(struct backend_conn *conn, bool paused)
{
  bool go_on = conn->paused && !paused && conn->line != NULL;
  conn->paused = paused && conn->line != NULL;
  if (!go_on) return;
  conn->line->references++;
  clock_in(0, resume, conn->line);
}

void backend_close(struct backend_conn *conn)
{
  if (conn->line != NULL) dispatch(conn->line, LEFT, NULL, 0);
  end_conn(conn);
}

void backend_reset(struct backend_conn *conn)
{
  backend_close(conn);
}

void backend_move(struct backend_conn *from, struct backend_conn *to)
{
  assert(to->line == NULL && from->line != NULL);
  to->line = from->line;
  to->line->conn = to;
  to->stage = from->stage;
  from->line = NULL;
  end_conn(from);
}

static void ring(void *ctx)
{
  struct alarm *alarm = ctx;
  struct backend_conn *conn = alarm->conn;
  free(alarm);
  if (conn == NULL) return;
  conn->alarm = NULL;
  conn->deadline_ms = UINT64_MAX;
  conn->handler->deadline(conn->user); /* fleet/feed.c, net/fault.c */
}

void backend_deadline(struct backend_conn *conn, uint64_t at_ms)
{
  if (at_ms == conn->deadline_ms) return;
  if (conn->alarm != NULL) conn->alarm->conn = NULL;
  conn->alarm = NULL;
  conn->deadline_ms = at_ms;
  if (at_ms == UINT64_MAX) return;
  conn->alarm = malloc(sizeof *conn->alarm);
  assert(conn->alarm != NULL);
  conn->alarm->conn = conn;
  uint64_t now_us = clock_now_us(), at_us = at_ms * 1000;
  clock_in(at_us > now_us ? at_us - now_us : 0, ring, conn->alarm);
}

static void release(void *ctx)
{
  struct backend_conn *conn = ctx;
  conn->released(conn->user); /* fleet/fleet.c, net/fault.c */
}

void backend_conn_release(struct backend_conn *conn, void (*released)(void *user))
{
  if (conn->line != NULL) backend_close(conn);
  backend_deadline(conn, UINT64_MAX);
  conn->released = released;
  clock_in(0, release, conn);
}

uint64_t backend_now_ms(const struct backend *of)
{
  (void) of;
  return clock_now_us() / 1000;
}

uint64_t backend_now_us(const struct backend *of)
{
  (void) of;
  return clock_now_us();
}

uint64_t backend_cpu_us(const struct backend *of)
{
  (void) of;
  return clock_now_us();
}

int64_t backend_unix_s(const struct backend *of)
{
  (void) of;
  return UNIX_S + (int64_t) (clock_now_us() / SECOND_US);
}

int backend_random(struct backend *of, uint8_t *out, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    of->random = of->random * 6364136223846793005u + 1442695040888963407u;
    out[i] = (uint8_t) (of->random >> 56);
  }
  return 0;
}
