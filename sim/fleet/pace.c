/* The device's own processor and flash: what a step costs it, and holding the step's effects back
 * until it would be done.
 *
 * A device has one thread of execution. While it computes it reads nothing, sends nothing and hears
 * no timer: its socket is not read, so a broker meets half-open handshakes of the real length. Only
 * a power cut ends that early.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/member.h"
#include "timing/model.h"

/* Effects of a step whose modelled time has not passed yet. */
struct member_held {
  struct device_effects effects;
  uint64_t until_us;
  /* the plan has ended the attempt or session meanwhile: the device is told when it is done */
  bool stop;
  bool fetched; /* the download is over, of which it hears then */
  enum device_ota_status fetch_cause;
  bool closed;
  /* closed: the transport is gone, of which too it hears when it is done */
  enum device_failure cause;
  uint8_t out[];
};

void member_step_begin(struct member *m)
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

uint64_t member_step_us(const struct member *m)
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
  if (member_ota(m) != NULL && !step->handshake)
    cycles += timing_hash(
        timing, 64u * (uint64_t) (m->meter.sha256_blocks - step->blocks)); /* of an image */
  return step->flash_us + (uint64_t) timing_us(timing, cycles);
}

bool member_hold(struct member *m, const struct device_effects *fx, uint64_t busy_us)
{
  assert(m->held == NULL);
  struct member_held *held = malloc(sizeof *held + fx->out_size);
  if (held == NULL) return false;
  *held = (struct member_held){.effects = *fx,
                               .until_us = backend_now_us(m->fleet->config.backend) + busy_us};
  memcpy(held->out, fx->out, fx->out_size);
  held->effects.out = held->out;
  m->held = held;
  member_pause(m, true);
  member_fetch_pause(m, true);
  return true;
}

uint64_t member_held_until_ms(const struct member *m)
{
  return m->held != NULL ? (m->held->until_us + 999) / 1000 : DEVICE_NEVER;
}

bool member_defer(struct member *m, const struct device_event *event)
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

void member_release(struct member *m)
{
  struct member_held *held = m->held;
  if (held == NULL) return;
  uint64_t now_us = backend_now_us(m->fleet->config.backend);
  metrics_record_us(m->fleet->config.metrics, METRIC_PACE_LATENESS, now_us - held->until_us);
  m->held = NULL;
  member_pause(m, false);
  member_fetch_pause(m, false);
  if (held->closed) held->effects.out_size = 0; /* to nobody */
  member_apply(m, &held->effects);
  if (held->fetched && !held->effects.fetch_abort && held->effects.fetch == NULL)
    member_feed(
        m, &(struct device_event){.kind = DEVICE_FETCH_ENDED, .fetched.cause = held->fetch_cause});
  if (held->closed && (m->link == MEMBER_DIALLING || m->link == MEMBER_UP))
    member_feed(m, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = held->cause});
  if (held->stop) member_stop(m);
  free(held);
}

void member_drop_held(struct member *m)
{
  free(m->held);
  m->held = NULL;
  member_pause(m, false);
}
