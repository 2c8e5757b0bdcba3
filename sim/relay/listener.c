/* Connections are taken up in the order in which they came, a few a turn, so that those that are
   open have theirs. */
#define _GNU_SOURCE
#include "relay/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define A_TURN 64 /* connections taken up before others have their turn */

int listener_bind(struct sockaddr_in *address)
{
  socklen_t size = sizeof *address;
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      bind(fd, (const struct sockaddr *) address, size) == 0 &&
      getsockname(fd, (struct sockaddr *) address, &size) == 0)
    return fd;
  int status = -errno;
  close(fd);
  return status;
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void on_retry(uv_timer_t *timer)
{
  listener_resume(timer->data);
}

/* The one who waits has gone meanwhile: the next one may be there still. */
static bool is_of_one_connection(int error)
{
  return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
  struct listener *listener = poll->data;
  (void) status;
  (void) events;
  for (int i = 0; i < A_TURN && uv_is_active((uv_handle_t *) poll); i++) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      listener->accepted(listener->ctx, fd);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (!is_of_one_connection(errno)) {
      uv_poll_stop(poll);
      uv_timer_start(&listener->retry, on_retry, LISTENER_RETRY_MS, 0);
      return;
    }
  }
}

int listener_open(struct listener *listener, uv_loop_t *loop, int fd,
                  void (*accepted)(void *ctx, int fd), void *ctx)
{
  int status = uv_poll_init(loop, &listener->poll, fd);
  if (status != 0) return status;
  uv_timer_init(loop, &listener->retry);
  listener->poll.data = listener->retry.data = listener;
  listener->fd = fd;
  listener->handles = 2;
  listener->accepted = accepted;
  listener->ctx = ctx;
  return uv_poll_start(&listener->poll, UV_READABLE, on_ready);
}

void listener_pause(struct listener *listener)
{
  uv_poll_stop(&listener->poll);
  uv_timer_stop(&listener->retry);
}

void listener_resume(struct listener *listener)
{
  uv_poll_start(&listener->poll, UV_READABLE, on_ready);
}

static void on_handle_closed(uv_handle_t *handle)
{
  struct listener *listener = handle->data;
  if (--listener->handles > 0) return;
  if (listener->closed != NULL) listener->closed(listener->ctx);
}

/* The descriptor may be closed at once: libuv has forgotten it then. */
void listener_close(struct listener *listener, void (*closed)(void *ctx))
{
  listener->closed = closed;
  uv_close((uv_handle_t *) &listener->poll, on_handle_closed);
  uv_close((uv_handle_t *) &listener->retry, on_handle_closed);
  close(listener->fd);
}
