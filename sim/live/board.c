/* Texts are exchanged under the lock and copied outside it. Readers are halted and resumed under it,
 * so that none sleeps through the text that it waits for. */
#define _POSIX_C_SOURCE 200809L
#include "live/board.h"

#include <assert.h>
#include <string.h>
#include <time.h>

void board_begin(struct board *board)
{
  *board = (struct board){.readers = NULL};
  pthread_mutex_init(&board->lock, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&board->left, &monotonic);
  pthread_condattr_destroy(&monotonic);
  atomic_init(&board->wanted, 0);
}

void board_end(struct board *board)
{
  assert(board->readers == NULL);
  for (unsigned k = 0; k < BOARD_KINDS; k++) sheet_drop(board->sheet[k]);
  pthread_cond_destroy(&board->left);
  pthread_mutex_destroy(&board->lock);
}

/* With the lock held. */
static void resume_those(struct board *board, bool all, enum board_kind kind)
{
  for (struct board_reader *reader = board->readers; reader != NULL; reader = reader->next) {
    if (!reader->halted || !(all || reader->kind == kind)) continue;
    reader->halted = false;
    reader->resume(reader->ctx); /* server.c: MHD_resume_connection */
  }
}

void board_show(struct board *board, enum board_kind kind, struct sheet *sheet)
{
  if (sheet == NULL) return;
  atomic_fetch_and(&board->wanted, ~(1u << kind));
  pthread_mutex_lock(&board->lock);
  struct sheet *old = board->sheet[kind];
  board->sheet[kind] = sheet;
  board->number[kind]++;
  resume_those(board, false, kind);
  pthread_mutex_unlock(&board->lock);
  sheet_drop(old);
}

unsigned board_wanted(struct board *board)
{
  return atomic_load(&board->wanted);
}

void board_set_ended(struct board *board)
{
  pthread_mutex_lock(&board->lock);
  board->ended = true;
  resume_those(board, true, BOARD_DOCUMENT);
  pthread_mutex_unlock(&board->lock);
}

void board_close(struct board *board, unsigned within_ms)
{
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += within_ms / 1000;
  until.tv_nsec += (long) (within_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  pthread_mutex_lock(&board->lock);
  while (board->readers != NULL && pthread_cond_timedwait(&board->left, &board->lock, &until) == 0)
    continue;
  board->ended = board->closed = true;
  resume_those(board, true, BOARD_DOCUMENT);
  pthread_mutex_unlock(&board->lock);
}

/* Of metrics it wants those that are made from now on, while any are. */
void board_join(struct board *board, struct board_reader *reader)
{
  pthread_mutex_lock(&board->lock);
  reader->seen = reader->goes_on || board->ended ? 0 : board->number[reader->kind];
  reader->next = board->readers;
  board->readers = reader;
  pthread_mutex_unlock(&board->lock);
}

void board_leave(struct board *board, struct board_reader *reader)
{
  pthread_mutex_lock(&board->lock);
  struct board_reader **at = &board->readers;
  while (*at != reader) at = &(*at)->next;
  *at = reader->next;
  pthread_cond_broadcast(&board->left);
  pthread_mutex_unlock(&board->lock);
  sheet_drop(reader->sheet);
}

/* With the lock held: the next text into the reader's hand, or its end, or halts it. */
static void take_next(struct board *board, struct board_reader *reader)
{
  if (board->closed) reader->done = true;
  if (reader->done) return;
  if (board->number[reader->kind] > reader->seen) {
    reader->seen = board->number[reader->kind];
    reader->sheet = sheet_hold(board->sheet[reader->kind]);
    reader->sent = 0;
    return;
  }
  if (board->ended) {
    reader->done = true;
    return;
  }
  atomic_fetch_or(&board->wanted, 1u << reader->kind);
  reader->halted = true;
  reader->halt(reader->ctx); /* server.c: MHD_suspend_connection */
}

ssize_t board_read(struct board *board, struct board_reader *reader, char *to, size_t room)
{
  if (reader->sheet == NULL) {
    pthread_mutex_lock(&board->lock);
    take_next(board, reader);
    pthread_mutex_unlock(&board->lock);
    if (reader->done) return -1;
    if (reader->sheet == NULL) return 0;
  }
  size_t left = reader->sheet->size - reader->sent, size = left < room ? left : room;
  memcpy(to, reader->sheet->text + reader->sent, size);
  reader->sent += size;
  if (size < left) return (ssize_t) size;
  sheet_drop(reader->sheet);
  reader->sheet = NULL;
  reader->done = !reader->goes_on;
  return (ssize_t) size;
}
