/* Who is kept out need not be by the list: somebody who is not on it must get further, in the same round,
 * and as often as this one did before. */
#define _POSIX_C_SOURCE 200809L
#include "stage/list_answers.h"

#include "stage/chains.h"
#include "stage/clones.h"

/* A device of its issuer is let in by the same CA. */
static bool is_of_its_own(const struct stage_device_look *look)
{
  enum device_failure failure = look->entry.failure;
  bool same = !look->control.nobodys && look->control.as.issuers == look->as.issuers;
  return failure == DEVICE_FAIL_TLS_ALERT_EXPIRED ||
         (failure == DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA && !same);
}

bool stage_asked_has_been_in(const struct stage *stage, const struct stage_listed *one)
{
  return one->been_in || fleet_facts(stage->fleet, one->as.device)->was_in;
}

unsigned stage_asked_lacks(const struct stage *stage, const struct stage_asked *asked)
{
  const struct stage_control *control = &asked->control;
  uint32_t device = asked->look.as.device;
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  uint32_t own = facts->connects + facts->unseen + stage_clones_came(stage, device), others = 0;
  uint32_t came = stage->identity[device].looked_in[asked->look.node];
  if (control->any && !control->nobodys)
    others = fleet_facts(stage->fleet, control->as.device)->connects;
  if (own > others) came += own - others;
  return came >= asked->further ? came + 1 - asked->further : 0;
}

/* It is kept out, and the control is not, nor is it for a reason of its own, as who was kept out before,
   or kicked, may be. */
static bool is_apart(const struct stage *stage, const struct stage_asked *asked)
{
  const struct stage_entry *entry = &asked->look.entry;
  return entry->closed && !is_of_its_own(&asked->look) && asked->look.control.any && entry->apart &&
         asked->like && stage_asked_has_been_in(stage, asked->one) &&
         !stage_may_be_banned(stage, asked->look.as.device);
}

/* By the list, and not as everybody is. A certificate that is said to be revoked is, if there is nobody
   else to ask with; of nobody's it must be said where a device follows, or has been refused as well:
   nobody's may have an id that fits. */
static bool is_proof(const struct stage *stage, const struct stage_asked *asked)
{
  const struct stage_device_look *look = &asked->look;
  bool said = look->entry.failure == DEVICE_FAIL_TLS_ALERT_REVOKED && look->entry.closed;
  bool enough = !look->control.nobodys || (asked->rounds > 1 && !asked->by_device);
  if (said) return !look->control.any || look->entry.apart;
  return enough && is_apart(stage, asked) && stage_asked_lacks(stage, asked) == 0;
}

/* By an alert about its certificate. */
static bool is_told(enum device_failure failure)
{
  return failure >= DEVICE_FAIL_ALERT_FIRST && failure <= DEVICE_FAIL_VERDICT_LAST &&
         failure != DEVICE_FAIL_TLS_ALERT_UNKNOWN_CA;
}

/* A list that is over keeps everybody out, and has them told so: a broker that just closes may do so
   for any reason. */
static bool is_over(const struct stage *stage, const struct stage_device_look *look)
{
  bool over = stage->list_ends_s != 0 && stage->list_ends_s <= world_unix_s(stage->world);
  bool all = !look->control.any || is_told(look->entry.alike);
  return over && is_told(look->entry.failure) && all;
}

bool stage_asked_is_shut_out(const struct stage_asked *asked)
{
  const struct stage_control *control = &asked->look.control;
  const struct stage_stand_in *as = &control->as;
  return control->any && asked->look.entry.alike == DEVICE_FAIL_TLS_ALERT_EXPIRED &&
         (control->nobodys || pki_chain_is_current(as->chain, as->size));
}

/* With or without being on it: TLS does not trust its root, or the list is over. */
static bool is_out_anyhow(const struct stage *stage, const struct stage_device_look *look)
{
  bool untrusted = !look->entry.by_connack && !stage_is_trusted(stage, &look->as);
  return untrusted || is_over(stage, look);
}

static bool is_connack(enum device_failure failure)
{
  return failure >= DEVICE_FAIL_CONNACK_FIRST && failure <= DEVICE_FAIL_CONNACK_LAST;
}

bool stage_asked_is_later(const struct stage *stage, const struct stage_asked *asked)
{
  const struct stage_device_look *look = &asked->look;
  enum device_failure failure = look->entry.failure, words = stage->nodes[look->node].list_words;
  bool untold = words == DEVICE_FAIL_TLS_ALERT_REVOKED && failure == DEVICE_FAIL_TLS_CLOSED;
  return words != DEVICE_FAIL_NONE && !is_connack(words) && (is_connack(failure) || untold);
}

/* Every machine there lets it in, or refuses it so. */
static bool is_in(const struct stage *stage, const struct stage_asked *asked)
{
  const struct stage_entry *entry = &asked->look.entry;
  bool in = entry->open && !entry->shut && !entry->no_word;
  return in || (entry->same && stage_asked_is_later(stage, asked));
}

bool stage_asked_is_contrary(const struct stage_asked *asked)
{
  const struct stage_entry *entry = &asked->look.entry;
  return asked->one->pardoned ? entry->out : entry->open;
}

static void count_round(struct stage_asked *asked)
{
  const struct stage_device_look *look = &asked->look;
  asked->rounds++;
  if (look->looks == 0 || !look->entry.closed) asked->whole = look->entry.closed;
  asked->further += look->entry.further;
  if (look->control.any && !look->control.nobodys && !look->entry.apart) asked->turn++;
}

bool stage_asked_conclude(struct stage *stage, struct stage_asked *asked)
{
  const struct stage_entry *entry = &asked->look.entry;
  count_round(asked);
  if (asked->one->pardoned) {
    asked->proven = is_in(stage, asked);
    return false;
  }
  bool by_list = is_proof(stage, asked);
  if (by_list) stage->nodes[asked->look.node].list_words = entry->failure;
  asked->proven = by_list || (entry->closed && is_out_anyhow(stage, &asked->look));
  return !by_list && is_apart(stage, asked) && stage_asked_lacks(stage, asked) > 0;
}
