/* The safety brake: while it is on, a part of the turns to start an attempt is left out.
 *
 * A device's turn comes when its attempt is due, by the plan or by its reconnect policy. It is
 * taken with the probability `rate`, and otherwise put off by as long as the device had waited for
 * it: so a device that would try every t seconds tries every t / rate seconds on average, and the
 * fleet's rate of starts falls to that part of what it was. The planned time of the attempt stays:
 * who waits because of the brake waits in connect.total_ms too.
 */
#include "fleet/brake.h"

#include "base/random.h"
#include "fleet/population.h"

#define TURN_MIN_MS 1000u /* a policy without a delay has no turn to speak of */

bool brake_holds(struct member *m)
{
  struct fleet *fleet = m->fleet;
  uint64_t now_us = population_clock_us(fleet), turn_ms = (now_us - m->last_turn_us) / 1000;
  bool first = m->last_turn_us == 0;
  m->last_turn_us = now_us;
  if (fleet->brake_rate >= 1 ||
      (double) (random_next(&m->random) >> 11) * 0x1p-53 < fleet->brake_rate)
    return false;
  m->start_at_ms =
      population_now_ms(fleet) + (first || turn_ms < TURN_MIN_MS ? TURN_MIN_MS : turn_ms);
  metrics_add(fleet->config.metrics, METRIC_BRAKE_HELD, 1);
  return true;
}
