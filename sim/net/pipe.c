/* A queue of chunks with a time each, emptied through a bucket of tokens where a rate is set.
 * Chunks are copies; without memory for one its bytes are refused. */
#include "net/pipe.h"

#include <stdlib.h>
#include <string.h>

/* a bucket holds the bytes of 1/10 s: coarse enough to be cheap, fine enough to look slow */
#define BUCKET_PER_S 10u

struct pipe_chunk {
  struct pipe_chunk *next;
  uint64_t due_ms;
  size_t size, taken;
  uint8_t data[];
};

static double depth(const struct pipe *pipe)
{
  uint64_t bytes = pipe->rate_per_s / BUCKET_PER_S;
  return bytes > 0 ? (double) bytes : 1;
}

static void fill(struct pipe *pipe, uint64_t now_ms)
{
  if (pipe->rate_per_s == 0 || now_ms <= pipe->filled_ms) return;
  pipe->tokens += (double) (now_ms - pipe->filled_ms) * (double) pipe->rate_per_s / 1000;
  if (pipe->tokens > depth(pipe)) pipe->tokens = depth(pipe);
  pipe->filled_ms = now_ms;
}

void pipe_set_rate(struct pipe *pipe, uint64_t bytes_per_s, uint64_t now_ms)
{
  pipe->rate_per_s = bytes_per_s;
  pipe->tokens = depth(pipe);
  pipe->filled_ms = now_ms;
}

int pipe_put(struct pipe *pipe, const uint8_t *data, size_t size, uint64_t due_ms)
{
  if (size == 0) return 0;
  struct pipe_chunk *chunk = malloc(sizeof *chunk + size);
  if (chunk == NULL) return -1;
  if (due_ms < pipe->last_due_ms) due_ms = pipe->last_due_ms;
  *chunk = (struct pipe_chunk){.due_ms = due_ms, .size = size};
  memcpy(chunk->data, data, size);
  if (pipe->last != NULL)
    pipe->last->next = chunk;
  else
    pipe->first = chunk;
  pipe->last = chunk;
  pipe->last_due_ms = due_ms;
  pipe->waiting += size;
  pipe->cost += sizeof *chunk + size;
  return 0;
}

static void drop_first(struct pipe *pipe)
{
  struct pipe_chunk *chunk = pipe->first;
  pipe->first = chunk->next;
  if (pipe->first == NULL) pipe->last = NULL;
  pipe->waiting -= chunk->size - chunk->taken;
  pipe->cost -= sizeof *chunk + chunk->size;
  free(chunk);
}

size_t pipe_pop(struct pipe *pipe, uint64_t now_ms, uint8_t *out, size_t most)
{
  struct pipe_chunk *chunk = pipe->first;
  if (chunk == NULL || chunk->due_ms > now_ms || most == 0) return 0;
  fill(pipe, now_ms);
  size_t n = chunk->size - chunk->taken;
  if (n > most) n = most;
  if (pipe->rate_per_s > 0) {
    if (pipe->tokens < 1) return 0;
    if ((double) n > pipe->tokens) n = (size_t) pipe->tokens;
    pipe->tokens -= (double) n;
  }
  memcpy(out, chunk->data + chunk->taken, n);
  chunk->taken += n;
  pipe->waiting -= n;
  if (chunk->taken == chunk->size) drop_first(pipe);
  return n;
}

uint64_t pipe_next_ms(struct pipe *pipe, uint64_t now_ms)
{
  const struct pipe_chunk *chunk = pipe->first;
  if (chunk == NULL) return UINT64_MAX;
  if (pipe->rate_per_s == 0) return chunk->due_ms;
  fill(pipe, now_ms);
  double wanted = (double) (chunk->size - chunk->taken);
  if (wanted > depth(pipe)) wanted = depth(pipe);
  if (pipe->tokens >= wanted) return chunk->due_ms;
  uint64_t filled_ms =
      now_ms + (uint64_t) ((wanted - pipe->tokens) * 1000 / (double) pipe->rate_per_s) + 1;
  return filled_ms > chunk->due_ms ? filled_ms : chunk->due_ms;
}

void pipe_hurry(struct pipe *pipe, uint64_t now_ms)
{
  for (struct pipe_chunk *chunk = pipe->first; chunk != NULL; chunk = chunk->next)
    if (chunk->due_ms > now_ms) chunk->due_ms = now_ms;
  pipe->last_due_ms = 0;
}

void pipe_clear(struct pipe *pipe)
{
  while (pipe->first != NULL) drop_first(pipe);
  pipe->last_due_ms = 0;
}
