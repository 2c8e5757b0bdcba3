/* The device's own processor and flash: what a step costs it, and holding the step's effects back
 * until it would be done.
 *
 * A device has one thread of execution. While it computes it reads nothing, sends nothing and hears
 * no timer: its socket is not read, so a broker meets half-open handshakes of the real length. Only
 * a power cut ends that early.
 */
#include "fleet/pace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/download.h"
#include "fleet/line.h"
#include "fleet/population.h"
#include "timing/model.h"

void pace_begin(struct member *m)
{
  const struct timing_profile *timing = m->fleet->config.timing;
  if (timing == NULL) return;
  struct member_step *step = &m->fleet->step;
  step->cycles = timing_operations(timing, &m->meter);
  step->bytes = m->record_bytes_in + m->record_bytes_out;
  step->handshake = m->handshaking;
  step->blocks = m->meter.sha256_blocks;
  step->flash_us = 0;
}

uint64_t pace_us(const struct member *m)
{
  const struct timing_profile *timing = m->fleet->config.timing;
  if (timing == NULL) return 0;
  const struct member_step *step = &m->fleet->step;
  uint64_t bytes = (uint64_t) m->record_bytes_in + m->record_bytes_out - step->bytes;
  double cycles = timing_operations(timing, &m->meter) - step->cycles;
  if (step->handshake)
    cycles += timing_hash(timing, bytes) + timing_records(timing, bytes, 0);
  else
    cycles += timing_records(timing, bytes, bytes > 0 ? 1 : 0);
  if (m->shook) cycles += timing->handshake_rest; /* all of it where the handshake ends */
  if (m->fleet->config.profile->ota != NULL && !step->handshake)
    cycles += timing_hash(
        timing, 64u * (uint64_t) (m->meter.sha256_blocks - step->blocks)); /* of an image */
  return step->flash_us + (uint64_t) timing_us(timing, cycles);
}

bool pace_hold(struct member *m, const struct device_effects *fx, uint64_t busy_us)
{
  assert(m->held == NULL);
  struct pace_held *held = malloc(sizeof *held + fx->out_size);
  if (held == NULL) return false;
  *held = (struct pace_held){.effects = *fx,
                             .until_us = backend_now_us(m->fleet->config.backend) + busy_us};
  memcpy(held->out, fx->out, fx->out_size);
  held->effects.out = held->out;
  m->held = held;
  line_pause(m, true);
  download_pause(m, true);
  return true;
}

uint64_t pace_held_until_ms(const struct member *m)
{
  return m->held != NULL ? (m->held->until_us + 999) / 1000 : DEVICE_NEVER;
}

bool pace_defers(struct member *m, const struct device_event *event)
{
  if (m->held == NULL) return false;
  if (event->kind == DEVICE_STOP) m->held->stop = true;
  if (event->kind == DEVICE_FETCH_ENDED) {
    m->held->fetched = true;
    m->held->fetch_cause = event->fetched.cause;
  }
  if (event->kind == DEVICE_CLOSED) {
    m->held->closed = true;
    m->held->cause = event->closed.cause;
  }
  m->accepted = false;
  return true;
}

struct pace_held *pace_take(struct member *m)
{
  struct pace_held *held = m->held;
  if (held == NULL) return NULL;
  uint64_t now_us = backend_now_us(m->fleet->config.backend);
  metrics_record_us(m->fleet->config.metrics, METRIC_PACE_LATENESS, now_us - held->until_us);
  m->held = NULL;
  line_pause(m, false);
  download_pause(m, false);
  return held;
}

void pace_drop(struct member *m)
{
  free(m->held);
  m->held = NULL;
  line_pause(m, false);
}
