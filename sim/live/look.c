/* The run's side of the live page: at its beats it is asked whether somebody waits, and if so makes
 * the text that is waited for. Where there is no memory for one, those who wait do so a beat
 * longer. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>

#include "live/internal.h"
#include "report/prometheus.h"
#include "report/running.h"

/* The shortest time between two texts of a kind, however many ask for them. */
static const uint64_t apart_ms[BOARD_KINDS] = {[BOARD_DOCUMENT] = 500, [BOARD_METRICS] = 250};

static const unsigned wants_of[BOARD_KINDS] = {
    [BOARD_DOCUMENT] = ONLOOKER_WANTS_DOCUMENT, [BOARD_METRICS] = ONLOOKER_WANTS_METRICS};

static unsigned live_wants(void *ctx, uint64_t now_ms)
{
  struct live *live = ctx;
  unsigned wanted = board_wanted(&live->board), wants = 0;
  for (unsigned k = 0; k < BOARD_KINDS; k++) {
    bool due = live->made_ms[k] == 0 || now_ms >= live->made_ms[k] + apart_ms[k];
    if ((wanted & 1u << k) == 0 || !due) continue;
    live->made_ms[k] = now_ms;
    wants |= wants_of[k];
  }
  return wants;
}

/* Framed as an event: a document is one line. */
static struct sheet *event_of(struct live *live, const struct onlooker_view *view)
{
  static const char *const heads[] = {"event: run\ndata: ", "event: end\ndata: "};
  char *document = NULL, *event = NULL;
  size_t size = 0;
  if (live->running == NULL) live->running = running_create();
  if (live->running != NULL) document = running_document(live->running, view, &size);
  FILE *out = document != NULL ? open_memstream(&event, &size) : NULL;
  if (out != NULL) fprintf(out, "%s%s\n\n", heads[view->ended], document);
  bool whole = out != NULL && !ferror(out);
  if (out != NULL && fclose(out) != 0) whole = false;
  free(document);
  if (whole) return sheet_of(event, size);
  free(event);
  return NULL;
}

static void live_look(void *ctx, unsigned wants, const struct onlooker_view *view)
{
  struct live *live = ctx;
  size_t size = 0;
  if ((wants & ONLOOKER_WANTS_METRICS) != 0) {
    char *text = prometheus_text(view, &size);
    board_show(&live->board, BOARD_METRICS, sheet_of(text, size));
  }
  if ((wants & ONLOOKER_WANTS_DOCUMENT) != 0)
    board_show(&live->board, BOARD_DOCUMENT, event_of(live, view));
  if (view->ended) board_set_ended(&live->board);
}

/* Of a pause and its end the later counts. */
void live_ask(struct live *live, enum onlooker_asks asks)
{
  if (asks == ONLOOKER_ASKS_PAUSE) atomic_fetch_and(&live->asked, ~(unsigned) ONLOOKER_ASKS_GO_ON);
  if (asks == ONLOOKER_ASKS_GO_ON) atomic_fetch_and(&live->asked, ~(unsigned) ONLOOKER_ASKS_PAUSE);
  atomic_fetch_or(&live->asked, (unsigned) asks);
}

static unsigned live_asked(void *ctx)
{
  return atomic_exchange(&((struct live *) ctx)->asked, 0);
}

void live_begin_looking(struct live *live)
{
  atomic_init(&live->asked, 0);
  live->onlooker =
      (struct onlooker){.wants = live_wants, .look = live_look, .asked = live_asked, .ctx = live};
}

void live_end_looking(struct live *live)
{
  running_destroy(live->running);
}

const struct onlooker *live_onlooker(struct live *live)
{
  return &live->onlooker;
}
