/* One direction of a slow line: bytes wait until they are due, and for their turn. Order is kept.
 * Pure: time is handed in.
 *
 *     pipe_put(&pipe, data, size, now_ms + delay_ms);
 *     at pipe_next_ms(): while ((n = pipe_pop(&pipe, now_ms, piece, sizeof piece)) > 0) ...
 */
#ifndef FLEETSIM_PIPE_H
#define FLEETSIM_PIPE_H

#include <stddef.h>
#include <stdint.h>

struct pipe_chunk;

/* All zero: empty, and without a limit of its rate. */
struct pipe {
  struct pipe_chunk *first, *last;
  size_t waiting; /* bytes */
  /* bytes with what keeps them: what a limit must hold against, or single bytes could fill a
     machine */
  size_t cost;
  uint64_t last_due_ms;
  uint64_t rate_per_s; /* 0: none */
  double tokens;       /* bytes that may leave now; at most a tenth of a second's */
  uint64_t filled_ms;
};

/* Token bucket of `bytes_per_s` (0: no limit) from now on; it begins full. What waits stays. */
void pipe_set_rate(struct pipe *pipe, uint64_t bytes_per_s, uint64_t now_ms);

/* Appends a copy that may leave at `due_ms`, but not before what was put in earlier. -1: out of
   memory. */
int pipe_put(struct pipe *pipe, const uint8_t *data, size_t size, uint64_t due_ms);

/* Takes up to `most` bytes that may leave now; 0: none may. */
size_t pipe_pop(struct pipe *pipe, uint64_t now_ms, uint8_t *out, size_t most);

/* When to pop next, so that bytes leave in pieces of sense; UINT64_MAX: nothing waits. */
uint64_t pipe_next_ms(struct pipe *pipe, uint64_t now_ms);

/* From here on all that waits is due. */
void pipe_hurry(struct pipe *pipe, uint64_t now_ms);

/* Empties it; the rate stays. */
void pipe_clear(struct pipe *pipe);

#endif
