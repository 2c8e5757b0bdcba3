/* A window is closed by the first view that comes a second after it began: rates of less are of
   single devices. */
#include "report/rates.h"

#define WINDOW_S 1.0

static double count_of(const struct metrics *metrics, enum rate rate)
{
  switch (rate) {
  case RATE_HANDSHAKES:
    return metrics_value(metrics, METRIC_HANDSHAKE_FULL) +
           metrics_value(metrics, METRIC_HANDSHAKE_RESUMED);
  case RATE_CONNECTS: return metrics_value(metrics, METRIC_CONNECT_OK);
  case RATE_FAILURES: return metrics_value(metrics, METRIC_CONNECT_FAILED);
  case RATE_SENT: return metrics_value(metrics, METRIC_TELEMETRY_SENT);
  case RATE_CPU: return metrics_value(metrics, METRIC_PROCESS_CPU);
  case RATE_COUNT: break;
  }
  return 0;
}

static void close_window(struct rates *rates, const struct metrics *metrics, double now_s)
{
  double passed_s = now_s - rates->window_s;
  for (enum rate r = 0; r < RATE_COUNT; r++) {
    double count = count_of(metrics, r), more = count - rates->count[r];
    rates->per_s[r] = more > 0 ? more / passed_s : 0;
    rates->count[r] = count;
  }
  rates->window_s = now_s;
}

void rates_see(struct rates *rates, const struct onlooker_view *view)
{
  const struct metrics *metrics = view->results->metrics;
  if (view->now_s - rates->window_s >= WINDOW_S) close_window(rates, metrics, view->now_s);
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    uint64_t count = metrics_failure(metrics, f)->count;
    if (count > rates->failed[f]) rates->failed_s[f] = view->now_s;
    rates->failed[f] = count;
  }
}

static bool is_before(const struct rates *rates, enum device_failure a, enum device_failure b)
{
  if (rates->failed_s[a] > rates->failed_s[b] || rates->failed_s[a] < rates->failed_s[b])
    return rates->failed_s[a] > rates->failed_s[b];
  return rates->failed[a] > rates->failed[b];
}

size_t rates_failures(const struct rates *rates, enum device_failure out[DEVICE_FAIL_COUNT])
{
  size_t count = 0;
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    if (rates->failed[f] == 0) continue;
    size_t at = count++;
    for (; at > 0 && is_before(rates, f, out[at - 1]); at--) out[at] = out[at - 1];
    out[at] = f;
  }
  return count;
}
