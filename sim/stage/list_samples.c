/* A sample of those on a list, each of whom is looked at once: enough, once the list is known to be
 * in force. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_samples.h"

#include <stdio.h>

#include "stage/chains.h"
#include "stage/list_names.h"

static bool is_looked_at(const struct stage *stage, size_t device)
{
  bool known = false;
  for (size_t i = 0; i < stage->listed_count; i++)
    known = known || (!stage->listed[i].former && stage->listed[i].as.device == device);
  for (size_t i = 0; i < stage->sampled_count; i++)
    known = known || stage->sampled[i].as.device == device;
  return known;
}

/* Others come and go: what was seen last of these has to be seen again. */
static void keep_let_in(struct stage *stage, const bool *names, bool untold)
{
  size_t kept = 0;
  for (size_t i = 0; i < stage->sampled_count; i++) {
    struct stage_listed *one = &stage->sampled[i];
    if (!one->let_in || !names[one->as.device] || !stage_stands_in(stage, &one->as)) continue;
    one->untold = one->untold && untold;
    stage->sampled[kept++] = *one;
  }
  stage->sampled_count = kept;
}

static bool is_one_more(const struct stage *stage, const bool *names, size_t device, bool is_new)
{
  return names[device] && fleet_facts(stage->fleet, device)->revoked != is_new &&
         !is_looked_at(stage, device);
}

static void add_sample(struct stage *stage, size_t device, bool untold)
{
  const struct stage_stand_in as = stage_stand_in(stage, device);
  if (as.mark == 0) return;
  stage->sampled[stage->sampled_count++] =
      (struct stage_listed){.as = as, .list = stage->lists, .untold = untold, .sampled = true};
}

/* As many as there is room for, of each part of the list one. */
static void choose_samples(struct stage *stage, const bool *names, bool is_new, bool untold)
{
  size_t count = 0, at = 0, room = STAGE_SAMPLED_MAX - stage->sampled_count;
  for (size_t d = 0; d < fleet_size(stage->fleet); d++)
    count += is_one_more(stage, names, d, is_new);
  size_t wanted = count < room ? count : room;
  for (size_t d = 0, k = 0; d < fleet_size(stage->fleet) && k < wanted; d++) {
    if (!is_one_more(stage, names, d, is_new)) continue;
    if (++at < (k + 1) * count / wanted) continue;
    add_sample(stage, d, untold);
    k++;
  }
}

void stage_list_sample(struct stage *stage, const bool *names, bool untold)
{
  stage->unsampled = 0;
  keep_let_in(stage, names, untold);
  choose_samples(stage, names, true, untold);
  choose_samples(stage, names, false, untold);
  for (size_t d = 0; d < fleet_size(stage->fleet); d++)
    stage->unsampled += names[d] && !is_looked_at(stage, d);
}

void stage_list_say_unsampled(struct stage *stage)
{
  char text[160];
  if (stage->unsampled == 0 || !stage_list_is_looked_at(stage)) return;
  snprintf(text, sizeof text,
           "%zu of those on the list are not looked at: whether the broker's list names each of "
           "them was not seen",
           stage->unsampled);
  stage_say(stage, text);
}
