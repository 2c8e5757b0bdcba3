/* The connection itself: bytes in and out, time, and the end. A write is under way at most once; what
 * waits is sent behind it. A client that does not read makes a flood pause, and nothing else. */
#define _GNU_SOURCE
#include "gauntlet/visit_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WRITE_MAX = 65536, LINGER_MS = 1000 };

bool visit_keep(struct visit_bytes *bytes, const void *data, size_t size)
{
  if (size > bytes->room - bytes->size) {
    size_t room = bytes->size + size + bytes->room / 2 + 256;
    uint8_t *more = realloc(bytes->data, room);
    if (more == NULL) return false;
    bytes->data = more;
    bytes->room = room;
  }
  if (size > 0) memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
  return true;
}

void visit_drop(struct visit_bytes *bytes, size_t size)
{
  if (size >= bytes->size) {
    bytes->size = 0;
    return;
  }
  memmove(bytes->data, bytes->data + size, bytes->size - size);
  bytes->size -= size;
}

void visit_forget(struct visit *visit, size_t size)
{
  if (size > visit->talk.size) size = visit->talk.size;
  visit_drop(&visit->talk, size);
  visit->noted -= size < visit->noted ? size : visit->noted;
}

double visit_ms(const struct visit *visit)
{
  uint64_t now = uv_now(visit->loop);
  return now > visit->began_ms ? (double) (now - visit->began_ms) : 0;
}

const struct observation *visit_seen(const struct visit *visit)
{
  return &visit->seen;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_visit(struct visit *visit)
{
  SSL_free(visit->ssl);
  free(visit->raw.data);
  free(visit->talk.data);
  free(visit->queue.data);
  free(visit->out.data);
  free(visit->held.data);
  free(visit->in.data);
  free(visit->writing);
  free(visit);
}

static void on_part_closed(uv_handle_t *handle)
{
  struct visit *visit = handle->data;
  if (--visit->handles > 0) return;
  visit->handler->ended(visit->ctx, &visit->seen);
  free_visit(visit);
}

static void close_parts(struct visit *visit, enum observation_end end)
{
  if (visit->closed) return;
  visit->closed = true;
  visit->seen.end = end;
  if (visit->seen.ended_ms < 0 && end != OBSERVATION_OPEN) visit->seen.ended_ms = visit_ms(visit);
  visit_tls_end(visit);
  if (!visit->resetting || uv_tcp_close_reset(&visit->tcp, on_part_closed) != 0)
    uv_close((uv_handle_t *) &visit->tcp, on_part_closed);
  uv_close((uv_handle_t *) &visit->step, on_part_closed);
  uv_close((uv_handle_t *) &visit->drip, on_part_closed);
  uv_close((uv_handle_t *) &visit->hush, on_part_closed);
}

void visit_close(struct visit *visit)
{
  close_parts(visit, OBSERVATION_OPEN);
}

/* --- Bytes out -------------------------------------------------------------------------------- */

static void write_more(struct visit *visit);

static void on_written(uv_write_t *request, int status)
{
  struct visit *visit = request->data;
  free(visit->writing);
  visit->writing = NULL;
  if (status != 0 || visit->closed) return; /* what is read next says how it ended */
  visit->seen.begun |= play_is_unasked(visit);
  write_more(visit);
  if (!visit->closed && visit->queue.size < VISIT_QUEUE_MAX / 2) play_on(visit);
}

static void write_some(struct visit *visit, size_t size)
{
  uint8_t *copy = malloc(size);
  if (copy == NULL) return;
  memcpy(copy, visit->queue.data, size);
  visit_drop(&visit->queue, size);
  uv_buf_t buffer = uv_buf_init((char *) copy, (unsigned) size);
  visit->write.data = visit;
  visit->writing = copy;
  if (uv_write(&visit->write, (uv_stream_t *) &visit->tcp, &buffer, 1, on_written) == 0) return;
  free(copy);
  visit->writing = NULL;
}

static void on_lingered(uv_timer_t *timer)
{
  close_parts(timer->data, OBSERVATION_SERVER);
}

/* The case's own end of the connection: with it all is said. A server that closes before it has read
 * everything would reset the connection, so it reads on for a while. */
static void close_as_told(struct visit *visit)
{
  uv_os_fd_t fd;
  if (visit->lingering) return;
  if (!visit->seen.said && !visit->seen.unserved) {
    visit->seen.said = true;
    visit->seen.said_ms = visit_ms(visit);
  }
  if (visit->resetting) {
    close_parts(visit, OBSERVATION_SERVER);
    return;
  }
  visit->lingering = true;
  visit->seen.ended_ms = visit_ms(visit);
  if (uv_fileno((const uv_handle_t *) &visit->tcp, &fd) == 0) (void) shutdown(fd, SHUT_WR);
  uv_timer_start(&visit->step, on_lingered, LINGER_MS, 0);
}

static void begin_to_drip(struct visit *visit);

static void write_more(struct visit *visit)
{
  if (visit->writing != NULL || visit->closed) return;
  if (visit->queue.size == 0) {
    if (visit->ending) close_as_told(visit);
    return;
  }
  if (visit->drip_ms == 0)
    write_some(visit, visit->queue.size < WRITE_MAX ? visit->queue.size : (size_t) WRITE_MAX);
  else if (!uv_is_active((uv_handle_t *) &visit->drip))
    begin_to_drip(visit);
}

/* A loop that was late sends what has become due meanwhile: a client sees the same stream. */
static void on_drip(uv_timer_t *timer)
{
  struct visit *visit = timer->data;
  uint64_t due = (uv_now(visit->loop) - visit->dripped_ms) / visit->drip_ms;
  if (visit->queue.size > 0 && visit->writing == NULL && due > 0) {
    visit->dripped_ms += due * visit->drip_ms;
    write_some(visit, due < visit->queue.size ? (size_t) due : visit->queue.size);
  }
  if (visit->queue.size == 0) uv_timer_stop(timer);
}

static void begin_to_drip(struct visit *visit)
{
  visit->dripped_ms = uv_now(visit->loop);
  uv_timer_start(&visit->drip, on_drip, visit->drip_ms, visit->drip_ms);
}

void visit_send(struct visit *visit, const void *data, size_t size)
{
  if (visit->closed || visit->ending || !visit_keep(&visit->queue, data, size)) return;
  write_more(visit);
}

void visit_end(struct visit *visit, bool reset)
{
  visit->ending = true;
  visit->resetting = reset;
  write_more(visit);
}

/* --- Bytes in --------------------------------------------------------------------------------- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  static char shared[65536]; /* one loop, and what is read is taken before the next is */
  (void) handle, (void) suggested;
  *buffer = uv_buf_init(shared, sizeof shared);
}

/* Who was led away from TLS comes with a plain request: that is the failure, and it is answered as a
 * good server would. */
static bool asks_plainly(struct visit *visit)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
  char length[64];
  if (visit->raw.size < 4 || memcmp(visit->raw.data, "GET ", 4) != 0) return false;
  if (visit->raw.data[visit->raw.size - 1] != '\n' || visit->seen.plain_requests > 0) return true;
  visit->seen.plain_requests = visit->seen.requests = 1;
  int size = snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", visit->act->image_size);
  visit_send(visit, answer, sizeof answer - 1);
  visit_send(visit, length, (size_t) size);
  visit_send(visit, visit->act->image, visit->act->image_size);
  visit_end(visit, false);
  return true;
}

/* Who speaks MQTT or HTTP without TLS gives it to whoever is on the way, this server or not. */
static void note_clear(struct visit *visit)
{
  enum hello_wrong wrong = visit->seen.hello.wrong;
  if (wrong == HELLO_PLAIN_MQTT || wrong == HELLO_PLAIN_TEXT)
    visit->seen.clear_bytes = visit->raw.size;
}

/* The hello is read whatever the case does with it. */
static void look_for_hello(struct visit *visit)
{
  struct observation *seen = &visit->seen;
  if (seen->has_hello || visit->raw.size == 0) return;
  int read = hello_read(visit->raw.data, visit->raw.size, &seen->hello);
  if (read < 0) note_clear(visit);
  if (read != 1) return;
  seen->has_hello = true;
  seen->hello_ms = visit_ms(visit);
}

static bool keep_begin(struct visit *visit, const uint8_t *data, size_t size)
{
  size_t kept = VISIT_RAW_MAX - visit->raw.size;
  if (visit->seen.has_hello || kept == 0) return true;
  if (!visit_keep(&visit->raw, data, size < kept ? size : kept)) return false;
  look_for_hello(visit);
  return true;
}

static void take_bytes(struct visit *visit, const uint8_t *data, size_t size)
{
  if (!keep_begin(visit, data, size)) return;
  if (visit->act->c->layer == CASE_HTTPS && asks_plainly(visit)) return;
  if (visit->seen.clear_bytes > 0 && visit->phase != VISIT_WIRE)
    return; /* no TLS will come of it */
  if (visit->phase == VISIT_WIRE)
    play_on(visit);
  else
    visit_tls_bytes(visit, data, size);
}

/* libuv calls a reset that comes right behind data the end of the stream. */
static bool was_reset(const struct visit *visit)
{
  uv_os_fd_t fd;
  int failed = 0;
  socklen_t size = sizeof failed;
  return uv_fileno((const uv_handle_t *) &visit->tcp, &fd) == 0 &&
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed != 0;
}

static void on_visit_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
  struct visit *visit = stream->data;
  if (visit->closed) return;
  if (visit->lingering) { /* the hello of who was sent away at once says that it was a client */
    if (count > 0) (void) keep_begin(visit, (const uint8_t *) buffer->base, (size_t) count);
    if (count < 0) close_parts(visit, OBSERVATION_SERVER);
    return;
  }
  if (count > 0)
    take_bytes(visit, (const uint8_t *) buffer->base, (size_t) count);
  else if (count == UV_EOF)
    close_parts(visit, was_reset(visit) ? OBSERVATION_RESET : OBSERVATION_CLIENT);
  else if (count < 0)
    close_parts(visit, OBSERVATION_RESET);
}

/* --- The begin -------------------------------------------------------------------------------- */

struct visit *visit_open(uv_loop_t *loop, int fd, const struct act *act, uint64_t began_ms,
                         const struct visit_handler *handler, void *ctx)
{
  struct visit *visit = calloc(1, sizeof *visit);
  if (visit == NULL || uv_tcp_init(loop, &visit->tcp) != 0) {
    free(visit);
    close(fd);
    return NULL;
  }
  visit->loop = loop;
  visit->act = act;
  visit->began_ms = began_ms;
  visit->handler = handler;
  visit->ctx = ctx;
  uv_timer_init(loop, &visit->step);
  uv_timer_init(loop, &visit->drip);
  uv_timer_init(loop, &visit->hush);
  visit->handles = 4;
  visit->tcp.data = visit->step.data = visit->drip.data = visit->hush.data = visit;
  visit->seen = (struct observation){.connections = 1, .first_ms = visit_ms(visit)};
  visit->seen.last_ms = visit->seen.first_ms;
  visit->seen.hello_ms = visit->seen.said_ms = visit->seen.ended_ms = visit->seen.took_ms = -1;
  visit->seen.shaken_ms = visit->seen.connack_ms = visit->seen.owed_ms = -1;
  if (uv_tcp_open(&visit->tcp, fd) != 0) close(fd);
  uv_tcp_nodelay(&visit->tcp, 1);
  uv_read_start((uv_stream_t *) &visit->tcp, give_room, on_visit_read);
  play_on(visit);
  return visit;
}
