/* The heap of what is due, by time and then by turn. Nothing fails but for want of memory, which
 * ends the test. */
#include "clock.h"

#include <assert.h>
#include <stdlib.h>

#define BEGIN_US 1000000u

struct due {
  uint64_t at_us, turn;
  void (*call)(void *ctx);
  void *ctx;
};

static struct due *heap;
static size_t heap_count, heap_room;
static uint64_t now_us, turns;

void clock_begin(void)
{
  now_us = BEGIN_US;
  heap_count = 0;
  turns = 0;
}

void clock_end(void)
{
  free(heap);
  heap = NULL;
  heap_count = heap_room = 0;
}

uint64_t clock_now_us(void)
{
  return now_us;
}

static bool is_before(const struct due *a, const struct due *b)
{
  return a->at_us != b->at_us ? a->at_us < b->at_us : a->turn < b->turn;
}

static void swap(size_t a, size_t b)
{
  struct due kept = heap[a];
  heap[a] = heap[b];
  heap[b] = kept;
}

void clock_in(uint64_t us, void (*due)(void *ctx), void *ctx)
{
  if (heap_count == heap_room) {
    heap_room = heap_room > 0 ? 2 * heap_room : 256;
    heap = realloc(heap, heap_room * sizeof *heap);
    assert(heap != NULL);
  }
  size_t i = heap_count++;
  heap[i] = (struct due){.at_us = now_us + us, .turn = turns++, .call = due, .ctx = ctx};
  for (; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2) swap(i, (i - 1) / 2);
}

static struct due take_first(void)
{
  struct due first = heap[0];
  heap[0] = heap[--heap_count];
  for (size_t i = 0;;) {
    size_t least = i, left = 2 * i + 1;
    for (size_t child = left; child < left + 2 && child < heap_count; child++)
      if (is_before(&heap[child], &heap[least])) least = child;
    if (least == i) return first;
    swap(i, least);
    i = least;
  }
}

bool clock_turn(bool wait)
{
  if (heap_count == 0 || (!wait && heap[0].at_us > now_us)) return false;
  if (heap[0].at_us > now_us) now_us = heap[0].at_us;
  uint64_t last = turns; /* what is put in meanwhile has the next turn */
  while (heap_count > 0 && heap[0].at_us <= now_us && heap[0].turn < last) {
    struct due due = take_first();
    due.call(due.ctx); /* whoever called clock_in */
  }
  return true;
}
