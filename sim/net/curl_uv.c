/* libcurl says which sockets it watches and when it wants to be called; here these become handles
 * of the loop, and transfers that have ended are told to their owners. A handle is freed when the
 * loop has closed it, and closing waits for all of them. */
#define _POSIX_C_SOURCE 200809L
#include "net/curl_uv.h"

#include <assert.h>
#include <stdlib.h>

struct curl_uv {
  uv_loop_t *loop;
  CURLM *multi;
  uv_timer_t timer;
  unsigned open; /* handles on the loop */
  unsigned transfers;
  void (*closed)(void *ctx);
  void *closed_ctx;
};

struct transfer {
  curl_uv_done done;
  void *ctx;
};

struct watch {
  uv_poll_t poll;
  curl_socket_t socket;
  struct curl_uv *curl;
};

static void release(struct curl_uv *curl)
{
  if (--curl->open > 0) return;
  void (*closed)(void *) = curl->closed;
  void *ctx = curl->closed_ctx;
  free(curl);
  curl_global_cleanup();
  closed(ctx);
}

static struct transfer *take(struct curl_uv *curl, CURL *easy)
{
  char *private = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
  curl_multi_remove_handle(curl->multi, easy);
  curl->transfers--;
  return (struct transfer *) (void *) private;
}

static void collect(struct curl_uv *curl)
{
  int left = 0;
  for (CURLMsg *message; (message = curl_multi_info_read(curl->multi, &left)) != NULL;) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL *easy = message->easy_handle;
    CURLcode result = message->data.result;
    struct transfer *transfer = take(curl, easy);
    struct transfer copy = *transfer;
    free(transfer);
    copy.done(copy.ctx, easy, result);
  }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  struct watch *watch = poll->data;
  struct curl_uv *curl = watch->curl;
  int what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
             (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
  int running = 0;
  curl_multi_socket_action(curl->multi, watch->socket, what, &running);
  collect(curl);
}

static void on_timeout(uv_timer_t *timer)
{
  struct curl_uv *curl = timer->data;
  int running = 0;
  curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  collect(curl);
}

static void on_watch_closed(uv_handle_t *handle)
{
  struct watch *watch = handle->data;
  struct curl_uv *curl = watch->curl;
  free(watch);
  release(curl);
}

static struct watch *watch_new(struct curl_uv *curl, curl_socket_t socket)
{
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  if (uv_poll_init_socket(curl->loop, &watch->poll, socket) != 0) {
    free(watch);
    return NULL;
  }
  *watch = (struct watch){.poll = watch->poll, .socket = socket, .curl = curl};
  watch->poll.data = watch;
  curl->open++;
  curl_multi_assign(curl->multi, socket, watch);
  return watch;
}

static int on_socket(CURL *easy, curl_socket_t socket, int action, void *ctx, void *assigned)
{
  (void) easy;
  struct curl_uv *curl = ctx;
  struct watch *watch = assigned;
  if (action == CURL_POLL_REMOVE) {
    if (watch == NULL) return 0;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *) &watch->poll, on_watch_closed);
    curl_multi_assign(curl->multi, socket, NULL);
    return 0;
  }
  if (watch == NULL) watch = watch_new(curl, socket);
  if (watch == NULL) return -1;
  int events =
      (action & CURL_POLL_IN ? UV_READABLE : 0) | (action & CURL_POLL_OUT ? UV_WRITABLE : 0);
  return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *ctx)
{
  (void) multi;
  struct curl_uv *curl = ctx;
  if (timeout_ms < 0)
    uv_timer_stop(&curl->timer);
  else
    uv_timer_start(&curl->timer, on_timeout, (uint64_t) timeout_ms, 0);
  return 0;
}

struct curl_uv *curl_uv_open(uv_loop_t *loop)
{
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return NULL;
  struct curl_uv *curl = calloc(1, sizeof *curl);
  CURLM *multi = curl_multi_init();
  if (curl == NULL || multi == NULL) {
    free(curl);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return NULL;
  }
  *curl = (struct curl_uv){.loop = loop, .multi = multi, .open = 1};
  uv_timer_init(loop, &curl->timer);
  curl->timer.data = curl;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
  return curl;
}

int curl_uv_start(struct curl_uv *curl, CURL *easy, curl_uv_done done, void *ctx)
{
  struct transfer *transfer = malloc(sizeof *transfer);
  if (transfer == NULL) return -1;
  *transfer = (struct transfer){.done = done, .ctx = ctx};
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (curl_multi_add_handle(curl->multi, easy) != CURLM_OK) {
    free(transfer);
    return -1;
  }
  curl->transfers++;
  return 0;
}

void curl_uv_abort(struct curl_uv *curl, CURL *easy)
{
  free(take(curl, easy));
}

static void on_curl_timer_closed(uv_handle_t *handle)
{
  release(handle->data);
}

void curl_uv_close(struct curl_uv *curl, void (*closed)(void *ctx), void *ctx)
{
  assert(curl->transfers == 0);
  curl->closed = closed;
  curl->closed_ctx = ctx;
  curl_multi_cleanup(curl->multi);
  uv_close((uv_handle_t *) &curl->timer, on_curl_timer_closed);
}
