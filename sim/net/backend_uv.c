#define _GNU_SOURCE
/* How it goes: backend_connect makes a socket object for the attempt and starts reading; its
 * connect callback reports `opened`; bytes are handed on as they come; an end of the stream or an
 * error detaches the socket from its connection, closes it, and reports `closed`.
 *
 * Why a socket object per attempt: libuv gives a handle back only a loop turn after uv_close, and a
 * close may wait 1 s for its backlog, while the connection may open its next attempt at once. So a
 * connection merely points to its socket; a socket that was closed has no connection any more
 * (`conn` NULL), calls nobody, and frees itself.
 *
 * Why a cork: a write is the dearest thing that a small message costs (8 of 12 us for a PUBLISH of
 * 64 bytes), so what one callback sends on a connection leaves in one write when the callback is
 * over. What is sent from outside of a callback leaves when another connection sends, or before the
 * loop waits.
 *
 * What can fail before libuv is asked (memory, descriptors, the bind) is told later by the
 * connection's timer, which also carries its deadline.
 */
#include "net/backend_uv.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/failure.h"

#define READ_SIZE    (64u * 1024u)
#define CORK_SIZE    (16u * 1024u)
#define ENTROPY_SIZE 4096u
#define FLUSH_MS     1000u
/* A failure is told no sooner than this: libuv runs timers that are due until none is left, so a
 * plan that tries again at once would otherwise keep the loop from ever looking at a socket. */
#define FAILURE_DELAY_MS 1u

struct backend {
  uv_loop_t *loop;
  size_t conns;
  size_t entropy_left;
  uint8_t entropy[ENTROPY_SIZE];
  uv_prepare_t before_waiting;
  struct uv_socket *corked; /* whose bytes `cork` holds; NULL: nobody's */
  size_t cork_size;
  uint8_t cork[CORK_SIZE];
  char read[READ_SIZE];
};

/* One attempt: malloc'd, frees itself when its handles are closed. */
struct uv_socket {
  uv_tcp_t tcp;
  /* as long as each is of use: an idle connection has neither */
  uv_connect_t *connect; /* until the connection is open, or the attempt has failed */
  uv_timer_t *flush;     /* from a close with bytes to send on */
  struct backend_conn *conn;
  size_t backlog;
  enum device_failure failure : 8; /* of a write, told with the end of the stream */
  bool open : 1, closing : 1;
  uint8_t handles;
};

struct backend_conn {
  struct backend *backend;
  const struct backend_handler *handler;
  void *user;
  struct uv_socket *socket;    /* NULL: closed */
  enum device_failure failure; /* to be told by the timer, NONE: nothing is */
  uint64_t deadline_ms;
  uv_timer_t timer;
  void (*released)(void *user);
};

struct queued_write {
  uv_write_t request;
  size_t size;
  char data[];
};

/* libuv's codes are the system's, negative, but for its own such as UV_EOF. */
static enum device_failure failure_of(int status)
{
  return status == UV_EOF ? DEVICE_FAIL_NONE : net_failure(-status);
}

/* ---- backend ---- */

static void uncork(struct backend *backend);
static void fail_later(struct backend_conn *conn, enum device_failure failure);

static void on_before_waiting(uv_prepare_t *prepare)
{
  uncork(prepare->data);
}

struct backend *backend_uv_create(uv_loop_t *loop)
{
  struct backend *backend = calloc(1, sizeof *backend);
  if (backend == NULL) return NULL;
  backend->loop = loop;
  uv_prepare_init(loop, &backend->before_waiting);
  backend->before_waiting.data = backend;
  uv_prepare_start(&backend->before_waiting, on_before_waiting);
  uv_unref((uv_handle_t *) &backend->before_waiting);
  /* libuv writes without MSG_NOSIGNAL: a peer that is gone must be an error, not the end of the
     process */
  signal(SIGPIPE, SIG_IGN);
  return backend;
}

static void on_prepare_closed(uv_handle_t *handle)
{
  struct backend *backend = handle->data;
  explicit_bzero(backend->entropy, sizeof backend->entropy);
  free(backend);
}

void backend_uv_destroy(struct backend *backend)
{
  if (backend == NULL) return;
  assert(backend->conns == 0 && backend->corked == NULL);
  uv_close((uv_handle_t *) &backend->before_waiting, on_prepare_closed);
}

uint64_t backend_now_ms(const struct backend *backend)
{
  return uv_now(backend->loop);
}

uint64_t backend_now_us(const struct backend *backend)
{
  (void) backend;
  return uv_hrtime() / 1000;
}

uint64_t backend_cpu_us(const struct backend *backend)
{
  (void) backend;
  struct timespec spent;
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) != 0) return 0;
  return (uint64_t) spent.tv_sec * 1000000u + (uint64_t) spent.tv_nsec / 1000u;
}

int64_t backend_unix_s(const struct backend *backend)
{
  (void) backend;
  return time(NULL);
}

static int read_entropy(uint8_t *out, size_t size)
{
  while (size > 0) {
    ssize_t n = getrandom(out, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    out += n;
    size -= (size_t) n;
  }
  return 0;
}

int backend_random(struct backend *backend, uint8_t *out, size_t size)
{
  if (size > ENTROPY_SIZE) return read_entropy(out, size);
  if (size > backend->entropy_left) {
    if (read_entropy(backend->entropy, ENTROPY_SIZE) != 0) return -1;
    backend->entropy_left = ENTROPY_SIZE;
  }
  backend->entropy_left -= size;
  memcpy(out, backend->entropy + backend->entropy_left, size);
  /* what was handed out may become a key */
  explicit_bzero(backend->entropy + backend->entropy_left, size);
  return 0;
}

/* ---- socket ---- */

static void socket_handle_closed(uv_handle_t *handle)
{
  struct uv_socket *socket = handle->data;
  if (--socket->handles > 0) return;
  free(socket->connect);
  free(socket->flush);
  free(socket);
}

static void socket_close(struct uv_socket *socket)
{
  if (socket->closing) return;
  socket->closing = true;
  uv_close((uv_handle_t *) &socket->tcp, socket_handle_closed);
  if (socket->flush != NULL) uv_close((uv_handle_t *) socket->flush, socket_handle_closed);
}

/* Ends the attempt from below; the connection is free for its next one before its owner hears of
   it. */
static void socket_ended(struct uv_socket *socket, enum device_failure failure)
{
  struct backend_conn *conn = socket->conn;
  socket->conn = NULL;
  socket_close(socket);
  if (conn == NULL) return;
  if (conn->backend->corked == socket) conn->backend->corked = NULL;
  conn->socket = NULL;
  conn->handler->closed(conn->user, failure);
  uncork(conn->backend);
}

static void on_flush_timeout(uv_timer_t *timer)
{
  socket_close(timer->data);
}

static void socket_close_flushed(struct uv_socket *socket)
{
  if (socket->backlog > 0) socket->flush = malloc(sizeof *socket->flush);
  if (socket->flush == NULL) { /* nothing to send, or no memory to wait for it with */
    socket_close(socket);
    return;
  }
  uv_read_stop((uv_stream_t *) &socket->tcp);
  uv_timer_init(socket->tcp.loop, socket->flush);
  socket->flush->data = socket;
  socket->handles++;
  uv_timer_start(socket->flush, on_flush_timeout, FLUSH_MS, 0);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct uv_socket *socket = handle->data;
  assert(socket->conn != NULL);
  *buffer = uv_buf_init(socket->conn->backend->read, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
  struct uv_socket *socket = stream->data;
  struct backend_conn *conn = socket->conn;
  if (count > 0) {
    conn->handler->bytes(conn->user, (const uint8_t *) buffer->base, (size_t) count);
    uncork(conn->backend);
  } else if (count < 0) {
    socket_ended(socket,
                 socket->failure != DEVICE_FAIL_NONE ? socket->failure : failure_of((int) count));
  }
}

static void on_connect(uv_connect_t *request, int status)
{
  struct uv_socket *socket = request->data;
  free(request);
  socket->connect = NULL;
  if (socket->conn == NULL) return;
  if (status != 0) {
    socket_ended(socket, failure_of(status));
    return;
  }
  socket->open = true;
  struct backend *backend = socket->conn->backend;
  socket->conn->handler->opened(socket->conn->user);
  uncork(backend);
}

static void on_written(uv_write_t *request, int status)
{
  struct queued_write *write = (struct queued_write *) request;
  struct uv_socket *socket = request->handle->data;
  socket->backlog -= write->size;
  free(write);
  if (socket->closing) return;
  if (status != 0) {
    socket_ended(socket,
                 socket->failure != DEVICE_FAIL_NONE ? socket->failure : failure_of(status));
  } else if (socket->conn == NULL && socket->backlog == 0) {
    socket_close(socket);
  }
}

/* Binding to port 0 would reserve a port for this address alone; so the port is chosen at connect,
   per target. */
static int bind_to(uv_tcp_t *tcp, const struct sockaddr_storage *from, socklen_t size)
{
  int fd = socket(from->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return uv_translate_sys_error(errno);
  int status = 0, on = 1;
  if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
      bind(fd, (const struct sockaddr *) from, size) != 0)
    status = uv_translate_sys_error(errno);
  if (status == 0) status = uv_tcp_open(tcp, fd);
  if (status != 0) close(fd);
  return status;
}

static int socket_start(struct uv_socket *socket, const struct sockaddr_storage *to,
                        const struct sockaddr_storage *from)
{
  socklen_t size = from != NULL && from->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                               : sizeof(struct sockaddr_in);
  int status = from != NULL ? bind_to(&socket->tcp, from, size) : 0;
  if (status == 0)
    status =
        uv_tcp_connect(socket->connect, &socket->tcp, (const struct sockaddr *) to, on_connect);
  if (status == 0) status = uv_tcp_nodelay(&socket->tcp, 1);
  /* libuv reads once the connection is open; asked only then, it makes three calls of epoll instead
     of two */
  if (status == 0) status = uv_read_start((uv_stream_t *) &socket->tcp, give_buffer, on_read);
  return status;
}

/* ---- connection ---- */

static void on_timer(uv_timer_t *timer);

static void arm_deadline(struct backend_conn *conn)
{
  uint64_t now_ms = uv_now(conn->backend->loop);
  uint64_t delay_ms = conn->deadline_ms > now_ms ? conn->deadline_ms - now_ms : 0;
  if (conn->failure != DEVICE_FAIL_NONE)
    uv_timer_start(&conn->timer, on_timer, FAILURE_DELAY_MS, 0);
  else if (conn->deadline_ms == UINT64_MAX)
    uv_timer_stop(&conn->timer);
  else
    uv_timer_start(&conn->timer, on_timer, delay_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
  struct backend_conn *conn = timer->data;
  enum device_failure failure = conn->failure;
  if (failure != DEVICE_FAIL_NONE) {
    conn->failure = DEVICE_FAIL_NONE;
    arm_deadline(conn);
    conn->handler->closed(conn->user, failure);
  } else {
    conn->deadline_ms = UINT64_MAX;
    conn->handler->deadline(conn->user);
  }
  uncork(conn->backend);
}

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
  uv_timer_init(backend->loop, &conn->timer);
  conn->timer.data = conn;
  backend->conns++;
  return conn;
}

void backend_set_handler(struct backend_conn *conn, const struct backend_handler *handler,
                         void *user)
{
  conn->handler = handler;
  conn->user = user;
}

static void fail_later(struct backend_conn *conn, enum device_failure failure)
{
  conn->failure = failure;
  arm_deadline(conn);
}

void backend_connect(struct backend_conn *conn, const struct sockaddr_storage *to,
                     const struct sockaddr_storage *from)
{
  assert(conn->socket == NULL && conn->failure == DEVICE_FAIL_NONE && conn->released == NULL);
  struct uv_socket *socket = calloc(1, sizeof *socket);
  uv_connect_t *connect = malloc(sizeof *connect);
  if (socket == NULL || connect == NULL) {
    free(socket);
    free(connect);
    fail_later(conn, DEVICE_FAIL_TCP_OTHER);
    return;
  }
  socket->connect = connect;
  uv_tcp_init(conn->backend->loop, &socket->tcp);
  socket->tcp.data = socket->connect->data = socket;
  socket->handles = 1;
  int status = socket_start(socket, to, from);
  if (status != 0) {
    socket_close(socket);
    fail_later(conn, failure_of(status));
    return;
  }
  socket->conn = conn;
  conn->socket = socket;
}

static int queue_write(struct uv_socket *socket, const uint8_t *data, size_t size)
{
  struct queued_write *write = malloc(sizeof *write + size);
  if (write == NULL) return -1;
  write->size = size;
  memcpy(write->data, data, size);
  uv_buf_t buffer = uv_buf_init(write->data, (unsigned) size);
  if (uv_write(&write->request, (uv_stream_t *) &socket->tcp, &buffer, 1, on_written) != 0) {
    free(write);
    return -1;
  }
  socket->backlog += size;
  return 0;
}

/* Hands the corked bytes to the socket; what it does not take at once is queued. */
static void uncork(struct backend *backend)
{
  struct uv_socket *socket = backend->corked;
  if (socket == NULL) return;
  backend->corked = NULL;
  uv_buf_t buffer = uv_buf_init((char *) backend->cork, (unsigned) backend->cork_size);
  int sent = uv_try_write((uv_stream_t *) &socket->tcp, &buffer, 1);
  if (sent == (int) backend->cork_size) return;
  /* A broken socket tells its error once; the queued write that follows reports it from the loop,
     not from here. */
  if (sent < 0 && sent != UV_EAGAIN) socket->failure = failure_of(sent);
  size_t taken = sent > 0 ? (size_t) sent : 0;
  if (queue_write(socket, backend->cork + taken, backend->cork_size - taken) == 0) return;
  struct backend_conn *conn = socket->conn;
  conn->socket = NULL;
  socket->conn = NULL;
  socket_close(socket);
  fail_later(conn, socket->failure != DEVICE_FAIL_NONE ? socket->failure : DEVICE_FAIL_TCP_OTHER);
}

enum backend_stage backend_stage(const struct backend_conn *conn)
{
  if (conn->socket != NULL && conn->socket->open) return BACKEND_OPEN;
  return conn->socket != NULL || conn->failure != DEVICE_FAIL_NONE ? BACKEND_OPENING
                                                                   : BACKEND_CLOSED;
}

size_t backend_backlog(const struct backend_conn *conn)
{
  const struct uv_socket *socket = conn->socket;
  if (socket == NULL) return 0;
  return socket->backlog + (conn->backend->corked == socket ? conn->backend->cork_size : 0);
}

int backend_send(struct backend_conn *conn, const uint8_t *data, size_t size)
{
  struct backend *backend = conn->backend;
  if (backend_backlog(conn) + size > BACKEND_BACKLOG_MAX) {
    uncork(backend);
    if (backend_backlog(conn) + size > BACKEND_BACKLOG_MAX) return -1;
  }
  while (conn->socket != NULL && size > 0) {
    if (backend->corked != conn->socket || backend->cork_size == CORK_SIZE) uncork(backend);
    if (conn->socket == NULL) break; /* memory ran out: it is told later */
    if (backend->corked == NULL) backend->cork_size = 0;
    backend->corked = conn->socket;
    size_t room = CORK_SIZE - backend->cork_size;
    size_t taken = size < room ? size : room;
    memcpy(backend->cork + backend->cork_size, data, taken);
    backend->cork_size += taken;
    data += taken;
    size -= taken;
  }
  return 0;
}

void backend_pause(struct backend_conn *conn, bool paused)
{
  struct uv_socket *socket = conn->socket;
  if (socket == NULL || !socket->open) return;
  if (paused)
    uv_read_stop((uv_stream_t *) &socket->tcp);
  else
    (void) uv_read_start((uv_stream_t *) &socket->tcp, give_buffer,
                         on_read); /* fails on a closed stream only */
}

void backend_close(struct backend_conn *conn)
{
  if (conn->socket != NULL && conn->backend->corked == conn->socket) uncork(conn->backend);
  struct uv_socket *socket = conn->socket;
  if (socket != NULL) {
    conn->socket = NULL;
    socket->conn = NULL;
    socket_close_flushed(socket);
  }
  if (conn->failure != DEVICE_FAIL_NONE) {
    conn->failure = DEVICE_FAIL_NONE;
    arm_deadline(conn);
  }
}

void backend_reset(struct backend_conn *conn)
{
  struct uv_socket *socket = conn->socket;
  if (socket != NULL) {
    if (conn->backend->corked == socket) conn->backend->corked = NULL;
    conn->socket = NULL;
    socket->conn = NULL;
    /* it refuses only a socket on which shutdown() is under way, which is never called here */
    if (uv_tcp_close_reset(&socket->tcp, socket_handle_closed) == 0)
      socket->closing = true;
    else
      socket_close(socket);
  }
  backend_close(conn); /* and a failure that was to be told */
}

void backend_move(struct backend_conn *from, struct backend_conn *to)
{
  assert(to->socket == NULL && to->failure == DEVICE_FAIL_NONE && to->released == NULL &&
         from->backend == to->backend);
  to->socket = from->socket;
  from->socket = NULL;
  if (to->socket != NULL) to->socket->conn = to;
}

void backend_deadline(struct backend_conn *conn, uint64_t at_ms)
{
  assert(conn->released == NULL);
  if (conn->deadline_ms == at_ms) return;
  conn->deadline_ms = at_ms;
  arm_deadline(conn);
}

static void on_timer_closed(uv_handle_t *handle)
{
  struct backend_conn *conn = handle->data;
  conn->backend->conns--;
  conn->released(conn->user);
}

void backend_conn_release(struct backend_conn *conn, void (*released)(void *user))
{
  assert(released != NULL && conn->released == NULL);
  backend_close(conn);
  conn->released = released;
  uv_close((uv_handle_t *) &conn->timer, on_timer_closed);
}
