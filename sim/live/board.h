/* What the run has shown last, and who reads it: the one place where the run's thread and the
 * server's meet. The lock is held for a few assignments, never while a text is made or sent.
 * Internal to sim/live.
 *
 * A reader that has seen the newest text is laid aside (`halt`, the server's own way to do so) until
 * there is a newer one (`resume`). It reads that whole, whatever is shown meanwhile, and then the
 * newest: so it has one text in hand at most, and no queue.
 */
#ifndef FLEETSIM_LIVE_BOARD_H
#define FLEETSIM_LIVE_BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "live/sheet.h"

enum board_kind { BOARD_DOCUMENT, BOARD_METRICS, BOARD_KINDS };

struct board_reader {
  enum board_kind kind;
  bool goes_on; /* after one text it wants the next */
  void (*halt)(void *ctx), (*resume)(void *ctx);
  void *ctx;
  uint64_t seen; /* number of the text that it has or had */
  struct sheet *sheet;
  size_t sent; /* of it */
  bool halted, done;
  struct board_reader *next;
};

struct board {
  pthread_mutex_t lock;
  pthread_cond_t left; /* a reader has */
  struct sheet *sheet[BOARD_KINDS];
  uint64_t number[BOARD_KINDS]; /* of texts so far */
  struct board_reader *readers;
  bool ended;         /* nothing more is shown */
  bool closed;        /* and nothing more is read */
  atomic_uint wanted; /* bit k: somebody waits for a text of kind k */
};

void board_begin(struct board *board);
void board_end(struct board *board); /* nobody reads it any more */

/* The run's thread. Takes the sheet; NULL: there was no memory for it, and nothing changes. */
void board_show(struct board *board, enum board_kind kind, struct sheet *sheet);
unsigned board_wanted(struct board *board);
void board_set_ended(struct board *board);

/* Waits until all readers have left, `within_ms` at most, and lets go of those that are still there:
   their next read is their end. */
void board_close(struct board *board, unsigned within_ms);

/* The server's thread. `join` says what the reader is for: one text, from now on, or all. */
void board_join(struct board *board, struct board_reader *reader);
void board_leave(struct board *board, struct board_reader *reader);

/* Up to `room` bytes; 0: it was halted; -1: it has read all there is. */
ssize_t board_read(struct board *board, struct board_reader *reader, char *to, size_t room);

#endif
