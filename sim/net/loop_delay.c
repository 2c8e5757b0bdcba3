#define _GNU_SOURCE
/* libuv's own measure, UV_METRICS_IDLE_TIME, is finer, but costs one more call of epoll_wait a
   turn. */
#include "net/loop_delay.h"

#define NS_PER_MS 1000000u

/* After the callbacks of the sockets: the loop's time is still that of the end of its wait. */
static void on_woken(uv_check_t *check)
{
  struct loop_delay *delay = check->data;
  delay->woken_ms = uv_now(check->loop);
  delay->awake = true;
}

static void on_loop_waits(uv_prepare_t *prepare)
{
  struct loop_delay *delay = prepare->data;
  if (delay->awake) delay->turn(delay->ctx, uv_hrtime() / NS_PER_MS - delay->woken_ms);
}

void loop_delay_start(struct loop_delay *delay, uv_loop_t *loop,
                      void (*turn)(void *ctx, uint64_t delay_ms), void *ctx)
{
  *delay = (struct loop_delay){.turn = turn, .ctx = ctx};
  uv_check_init(loop, &delay->woken);
  uv_prepare_init(loop, &delay->before_waiting);
  delay->woken.data = delay->before_waiting.data = delay;
  uv_check_start(&delay->woken, on_woken);
  uv_prepare_start(&delay->before_waiting, on_loop_waits);
  uv_unref((uv_handle_t *) &delay->woken);
  uv_unref((uv_handle_t *) &delay->before_waiting);
}

void loop_delay_stop(struct loop_delay *delay)
{
  if (delay->turn == NULL) return;
  delay->turn = NULL;
  uv_close((uv_handle_t *) &delay->woken, NULL);
  uv_close((uv_handle_t *) &delay->before_waiting, NULL);
}
