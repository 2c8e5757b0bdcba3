/* A text that several readers hold at once: it goes with the last of them. Internal to sim/live. */
#ifndef FLEETSIM_LIVE_SHEET_H
#define FLEETSIM_LIVE_SHEET_H

#include <stdatomic.h>
#include <stddef.h>

struct sheet {
  atomic_uint holders;
  size_t size;
  char *text;
};

/* Takes `text`, which is malloc'd; NULL, and the text is freed: no memory. One holder. */
struct sheet *sheet_of(char *text, size_t size);
struct sheet *sheet_hold(struct sheet *sheet);
void sheet_drop(struct sheet *sheet); /* NULL: nothing */

#endif
