/* Several machines may stand behind one address: it is looked at as often as it takes to meet each,
 * from where the devices come. */
#define _POSIX_C_SOURCE 200809L
#include "stage/looks.h"

#include "fleet/addresses.h"
#include "stage/wait.h"

#define CROWD_LOOKS    8u
#define PAUSE_FIRST_MS 100u
#define PAUSE_MOST_MS  4000u

unsigned stage_looks_needed(const struct stage *stage)
{
  size_t sources = stage->source_addresses;
  if (!scenario_broker_is(stage->scenario, BROKER_CROWD)) return 1;
  if (sources > STAGE_LOOKS_MAX) return STAGE_LOOKS_MAX;
  return sources > CROWD_LOOKS ? (unsigned) sources : CROWD_LOOKS;
}

const char *stage_look_from(const struct stage *stage, unsigned look, char room[STAGE_LOOK_FROM])
{
  size_t sources = stage->source_addresses;
  if (sources == 0 || !scenario_broker_is(stage->scenario, BROKER_CROWD)) return NULL;
  addresses_text(sources > STAGE_LOOKS_MAX ? look * sources / STAGE_LOOKS_MAX : look % sources,
                 room);
  return room;
}

uint64_t stage_look_ms(const struct stage *stage)
{
  return scenario_look_ms(stage->scenario);
}

uint64_t stage_look_until(const struct stage *stage, uint64_t until_ms)
{
  uint64_t now_ms = stage_elapsed_ms(stage), look_ms = stage_look_ms(stage);
  uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
  if (left_ms < SCENARIO_LOOK_MIN_MS) left_ms = SCENARIO_LOOK_MIN_MS;
  return left_ms < look_ms ? left_ms : look_ms;
}

uint64_t stage_longer_pause(uint64_t pause_ms, uint64_t first_ms)
{
  if (pause_ms == 0) return first_ms;
  return pause_ms < PAUSE_MOST_MS / 2 ? 2 * pause_ms : PAUSE_MOST_MS;
}

bool stage_pause_longer(struct stage *stage, uint64_t *pause_ms, uint64_t until_ms)
{
  uint64_t now_ms = stage_elapsed_ms(stage), left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
  *pause_ms = stage_longer_pause(*pause_ms, PAUSE_FIRST_MS);
  return stage_pause(stage, *pause_ms < left_ms ? *pause_ms : left_ms);
}
