/* How long the callbacks of one turn of an event loop keep all its sockets waiting.
 *
 * What a socket waits for its process it would book to its peer: a load generator has to know its
 * own share.
 *
 *     loop_delay_start(&delay, &loop, on_turn, ctx);    ... loop_delay_stop(&delay); uv_run until
 *                                                       both are closed
 */
#ifndef FLEETSIM_LOOP_DELAY_H
#define FLEETSIM_LOOP_DELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop_delay {
  uv_check_t woken;
  uv_prepare_t before_waiting;
  uint64_t woken_ms;
  bool awake;
  void (*turn)(void *ctx, uint64_t delay_ms);
  void *ctx;
};

/* `turn` is called once a turn with the time from the end of the loop's wait to the next, timers
 * included: whole milliseconds, give or take one. Does not keep the loop alive. */
void loop_delay_start(struct loop_delay *delay, uv_loop_t *loop,
                      void (*turn)(void *ctx, uint64_t delay_ms), void *ctx);

/* No call comes after this. The memory is free once the loop has turned. Nothing to a struct of
   zeros. */
void loop_delay_stop(struct loop_delay *delay);

#endif
