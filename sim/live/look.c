/* The run's side of the live page: at its beats it is asked whether somebody waits, and if so makes
 * the text that is waited for. Where there is no memory for one, those who wait do so a beat
 * longer. */
#include "live/internal.h"
#include "report/prometheus.h"

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

static void live_look(void *ctx, unsigned wants, const struct onlooker_view *view)
{
  struct live *live = ctx;
  size_t size = 0;
  if ((wants & ONLOOKER_WANTS_METRICS) != 0) {
    char *text = prometheus_text(view, &size);
    board_show(&live->board, BOARD_METRICS, sheet_of(text, size));
  }
  if (view->ended) board_set_ended(&live->board);
}

void live_begin_looking(struct live *live)
{
  live->onlooker = (struct onlooker){.wants = live_wants, .look = live_look, .ctx = live};
}

const struct onlooker *live_onlooker(struct live *live)
{
  return &live->onlooker;
}
