/* Looks with the certificates of devices that the brokers' list names, until they are let in
 * nowhere; what counts is the last one. A look that is let in is no CONNACK of the device's: it
 * changes none of the times that revocation is measured by, only whether everybody is refused. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_looks.h"

#include <stdio.h>
#include <string.h>

#include "stage/chains.h"
#include "stage/device_looks.h"
#include "stage/nodes.h"
#include "stage/wait.h"

#define LIST_WITHIN_MS 10000u
#define PAUSE_MS       250u

/* The oldest one knows of a list that is lost, the latest of one that was not added to. */
static void add_listed(struct stage *stage, const struct stage_stand_in *stand_in, bool untold)
{
  struct stage_listed *listed = stage->listed;
  if (stage->listed_count == STAGE_LISTED_MAX) {
    memmove(listed + 1, listed + 2, (STAGE_LISTED_MAX - 2) * sizeof *listed);
    stage->listed_count--;
  }
  listed[stage->listed_count++] = (struct stage_listed){.as = *stand_in, .untold = untold};
}

static void keep_named(struct stage *stage, const bool *names, bool untold)
{
  size_t kept = 0;
  for (size_t i = 0; i < stage->listed_count; i++) {
    struct stage_listed *listed = &stage->listed[i];
    if (!names[listed->as.device]) continue;
    if (!stage_stands_in(stage, &listed->as))
      *listed =
          (struct stage_listed){.as = stage_stand_in(stage, listed->as.device), .untold = untold};
    listed->untold = listed->untold && untold;
    stage->listed[kept++] = *listed;
  }
  stage->listed_count = kept;
}

/* One of each issuer, whose list is a list of its own. */
void stage_list_names(struct stage *stage, const bool *names, bool untold)
{
  uint64_t issuers[STAGE_LISTED_MAX];
  size_t count = 0;
  keep_named(stage, names, untold);
  for (size_t i = 0; i < fleet_size(stage->fleet) && count < STAGE_LISTED_MAX; i++) {
    if (!names[i] || fleet_facts(stage->fleet, i)->revoked) continue;
    struct stage_stand_in stand_in = stage_stand_in(stage, i);
    size_t k = 0;
    while (k < count && issuers[k] != stand_in.issuers) k++;
    if (k < count) continue;
    issuers[count++] = stand_in.issuers;
    add_listed(stage, &stand_in, untold);
  }
}

/* Until it is let in by no machine there. */
static enum step_outcome await_closed(struct stage *stage, size_t node,
                                      const struct stage_listed *listed, uint64_t until_ms,
                                      struct stage_entry *entry)
{
  for (;;) {
    if (stage_look_as_device(stage, node, &listed->as, entry) != STEP_DONE) return STEP_ABORTED;
    if (entry->closed || stage_elapsed_ms(stage) >= until_ms) return STEP_DONE;
    if (!stage_pause(stage, PAUSE_MS)) return STEP_ABORTED;
  }
}

static const char *by_tls_text(const struct stage_let_in *let_in)
{
  return let_in->by_tls ? " by TLS (CONNACK refused no more than its client id or MQTT version)"
                        : "";
}

static void say_open(struct stage *stage, const struct stage_let_in *let_in, uint64_t after_ms)
{
  char text[384], where[STAGE_ADDRESS_MAX], from[64], after[32] = "";
  if (after_ms >= LIST_WITHIN_MS)
    snprintf(after, sizeof after, " after %.3g s", (double) after_ms / 1000);
  snprintf(
      text, sizeof text,
      "a look with the certificate of %08x, which is on the list, was let in%s at %s%s%s: does "
      "every machine there have the list?",
      (unsigned) let_in->id, by_tls_text(let_in), stage_address(stage, let_in->node, where),
      stage_from(let_in->from, from), after);
  stage_say(stage, text);
}

static void say_unseen(struct stage *stage, size_t node, const struct stage_entry *entry)
{
  char text[256], where[STAGE_ADDRESS_MAX];
  bool answered = entry->unsaid != DEVICE_FAIL_NONE;
  snprintf(text, sizeof text, "whether the list is in force at %s was not seen: %s",
           stage_address(stage, node, where),
           answered ? device_failure_name(entry->unsaid) : "no answer");
  stage_say(stage, text);
}

static void note_let_in(struct stage *stage, struct stage_listed *listed, size_t node,
                        const struct stage_entry *entry)
{
  struct stage_let_in *let_in = &stage->let_in;
  listed->let_in = true;
  *let_in = (struct stage_let_in){.any = true,
                                  .id = fleet_facts(stage->fleet, listed->as.device)->id,
                                  .node = node,
                                  .by_tls = !entry->welcome};
  memcpy(let_in->from, entry->open_from, sizeof let_in->from);
}

/* The last look at each address, and what they say together: let in at one is let in; where one
   does not answer, what was seen before stands. */
static enum step_outcome look_for(struct stage *stage, struct stage_listed *listed, bool say)
{
  uint64_t began_ms = stage_elapsed_ms(stage);
  uint64_t until_ms = began_ms + (listed->let_in ? 0 : LIST_WITHIN_MS);
  bool open = false, closed = true;
  for (size_t n = 0; n < stage->scenario->node_count; n++) {
    struct stage_entry entry;
    if (!stage_is_reachable(stage, n)) continue;
    if (await_closed(stage, n, listed, until_ms, &entry) != STEP_DONE) return STEP_ABORTED;
    if (entry.open && !open) note_let_in(stage, listed, n, &entry);
    if (entry.open && !open && say)
      say_open(stage, &stage->let_in, stage_elapsed_ms(stage) - began_ms);
    if (!entry.open && !entry.closed && say) say_unseen(stage, n, &entry);
    open = open || entry.open;
    closed = closed && entry.closed;
  }
  if (closed && stage->let_in.id == fleet_facts(stage->fleet, listed->as.device)->id)
    stage->let_in.any = false;
  if (closed) listed->let_in = false;
  if (open || closed) fleet_look_ended(stage->fleet, listed->as.device, open);
  return STEP_DONE;
}

static bool is_tried(struct stage *stage, const struct stage_listed *listed)
{
  return !listed->untold && stage_stands_in(stage, &listed->as);
}

static bool is_looked_at(const struct stage *stage)
{
  return scenario_broker_is(stage->scenario, BROKER_HOOKED) && !stage->rolling_back;
}

enum step_outcome stage_look_at_list(struct stage *stage, bool say)
{
  enum step_outcome outcome = STEP_DONE;
  if (!is_looked_at(stage)) return STEP_DONE;
  for (size_t i = 0; i < stage->listed_count && outcome == STEP_DONE; i++)
    if (is_tried(stage, &stage->listed[i])) outcome = look_for(stage, &stage->listed[i], say);
  return outcome;
}

void stage_list_told(struct stage *stage)
{
  for (size_t i = 0; i < stage->listed_count; i++) stage->listed[i].untold = false;
}

void stage_list_say_untried(struct stage *stage)
{
  if (!is_looked_at(stage)) return;
  for (size_t i = 0; i < stage->listed_count; i++)
    if (is_tried(stage, &stage->listed[i])) return;
  stage_say(stage, "nobody on the list could be tried: whether it is in force was not seen");
}

const char *stage_list_let_in(const struct stage *stage, char *out, size_t size)
{
  char where[STAGE_ADDRESS_MAX], from[64];
  const struct stage_let_in *let_in = &stage->let_in;
  out[0] = '\0';
  if (let_in->any)
    snprintf(out, size, " A look with the certificate of device %08x was let in%s at %s%s.",
             (unsigned) let_in->id, by_tls_text(let_in), stage_address(stage, let_in->node, where),
             stage_from(let_in->from, from));
  return out;
}
