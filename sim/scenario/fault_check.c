/* The arguments of `fault`: what the lines of devices are to be like. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/units.h"

#define LATENCY_MAX_MS (60u * 1000u)
#define SLOW_MAX_MS    (10u * 60000u)
#define SLICE_MAX      (64u * 1024u)
#define BYTES_MAX      (1024u * 1024u * 1024u)

static int take_bytes(const struct take *t, const char *at, const char *key, const char *text,
                      uint64_t most, uint64_t *out)
{
  char why[200];
  if (text == NULL) return 0;
  if (units_bytes(text, out, why, sizeof why) != 0) return take_fail(t, at, key, "%s", why);
  if (*out >= 1 && *out <= most) return 0;
  return take_fail(t, at, key, "'%.40s' is out of range: '%s' is from 1 to %llu bytes", text, key,
                   (unsigned long long) most);
}

static int take_ms(const struct take *t, const char *at, const char *key, const char *text,
                   uint64_t most, uint32_t *out)
{
  uint64_t ms = 0;
  if (take_duration(t, at, key, text, 1, most, &ms) != 0) return -1;
  *out = (uint32_t) ms;
  return 0;
}

static int take_values(const struct take *t, const char *at, const struct raw_args *raw,
                       struct fault *out)
{
  uint64_t slice = 0;
  if (take_ms(t, at, "latency", raw->latency, LATENCY_MAX_MS, &out->latency_ms) != 0 ||
      take_ms(t, at, "jitter", raw->jitter, LATENCY_MAX_MS, &out->jitter_ms) != 0 ||
      take_ms(t, at, "slow-close", raw->slow_close, SLOW_MAX_MS, &out->slow_close_ms) != 0 ||
      take_bytes(t, at, "bandwidth", raw->bandwidth, BYTES_MAX, &out->bandwidth_per_s) != 0 ||
      take_bytes(t, at, "cut-after", raw->cut_after, BYTES_MAX, &out->cut_after) != 0 ||
      take_share(t, at, "cut", raw->cut, &out->cut_share) != 0 ||
      take_bytes(t, at, "slice", raw->slice, SLICE_MAX, &slice) != 0 ||
      take_flag(t, at, "black-hole", raw->black_hole, &out->black_hole) != 0 ||
      take_flag(t, at, "refuse", raw->refuse, &out->refuse) != 0 ||
      take_flag(t, at, "reset", raw->reset, &out->reset) != 0)
    return -1;
  out->slice = (uint32_t) slice;
  return 0;
}

/* The key of something that a black hole would hide. */
static const char *hidden(const struct fault *f)
{
  if (f->latency_ms > 0) return "latency";
  if (f->bandwidth_per_s > 0) return "bandwidth";
  if (f->cut_after > 0) return "cut-after";
  if (f->slice > 0) return "slice";
  if (f->slow_close_ms > 0) return "slow-close";
  if (f->refuse) return "refuse";
  return f->reset ? "reset" : NULL;
}

int check_fault(const struct take *t, const char *at, const struct raw_args *raw, struct fault *out)
{
  *out = (struct fault){0};
  if (take_values(t, at, raw, out) != 0) return -1;
  if (out->jitter_ms > out->latency_ms)
    return take_fail(
        t, at, "jitter",
        "'jitter' is above 'latency': delays vary by it in both directions, and none is below 0");
  if (out->cut_share > 0 && out->cut_after == 0)
    return take_fail(
        t, at, "cut",
        "'cut' is the share of connections that 'cut-after' is for: say after how many bytes");
  if (fault_is_none(out))
    return take_fail(t, at, "",
                     "this fault does nothing: give it latency, bandwidth, cut-after, reset, "
                     "slice, black-hole, slow-close or refuse, or write 'mend: {}' to end one");
  if (out->black_hole && hidden(out) != NULL)
    return take_fail(t, at, hidden(out),
                     "nothing passes a black hole, so '%s' cannot show: leave one of the two out",
                     hidden(out));
  return 0;
}
