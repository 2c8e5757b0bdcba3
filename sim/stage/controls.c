/* Chooses the control of a look by what is known of the devices: it should be let in. */
#define _POSIX_C_SOURCE 200809L
#include "stage/controls.h"

#include <string.h>

#include "stage/chains.h"
#include "stage/device_looks.h"

bool stage_may_be_banned(const struct stage *stage, size_t device)
{
  return stage->identity[device].kicked == fleet_facts(stage->fleet, device)->connects + 1;
}

enum kin { ONLINE, OFFLINE, FOREIGN };

static bool is_of(struct stage *stage, enum kin kin, const struct stage_stand_in *listed,
                  size_t device, struct stage_stand_in *out)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  if (device == listed->device || !facts->ever_online || facts->dead || facts->revoked ||
      stage->identity[device].revoked || stage_may_be_banned(stage, device) ||
      (kin != FOREIGN && facts->online != (kin == ONLINE)))
    return false;
  *out = stage_stand_in(stage, device);
  return out->mark != 0 && (out->issuers == listed->issuers) == (kin != FOREIGN);
}

/* The one behind `skip` others; the first one gives way to whom most looks have been let in as here. Of
   fewer it returns how many there are. */
static unsigned choose_device(struct stage *stage, enum kin kin,
                              const struct stage_device_look *look, unsigned skip,
                              struct stage_control *out)
{
  unsigned found = 0;
  uint32_t most = 0;
  struct stage_stand_in as;
  for (size_t d = 0; d < fleet_size(stage->fleet) && (!out->any || skip == 0); d++) {
    uint32_t looked_in = stage->identity[d].looked_in[look->node];
    if (out->any && looked_in <= most) continue;
    if (!is_of(stage, kin, &look->as, d, &as) || found++ < skip) continue;
    *out = (struct stage_control){.any = true, .as = as};
    most = looked_in;
  }
  return found;
}

static bool choose_root(struct stage *stage, const struct stage_stand_in *listed,
                        struct stage_control *out)
{
  const struct pki_roots *roots = pki_roots(stage->pki);
  unsigned under = pki_chain_roots(stage->pki, listed->chain, listed->size);
  for (size_t r = 0; r < roots->count; r++) {
    if ((under >> r & 1u) == 0 || !pki_can_issue(stage->pki, roots->name[r])) continue;
    *out = (struct stage_control){.any = true, .nobodys = true};
    memcpy(out->root, roots->name[r], sizeof out->root);
    return true;
  }
  return false;
}

/* Who may have a session there, whatever the device knows, is best compared with who has one: also
   where the broker should have ended it long ago. */
static bool may_be_there(const struct stage *stage, size_t device)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  return facts->online || facts->left_open;
}

/* Whom the broker treats otherwise while his own session is open must be compared with such a one. */
static void choose_of_issuer(struct stage *stage, const struct stage_device_look *look,
                             unsigned turn, struct stage_control *out)
{
  bool spares = stage->nodes[look->node].look_ids == STAGE_IDS_OF_CERTIFICATES;
  bool alike = may_be_there(stage, look->as.device);
  unsigned count = spares ? 0 : choose_device(stage, ONLINE, look, turn, out);
  unsigned turns = count + !alike;
  /* they have all been asked: then one of the others, if that will do, and from the first */
  if (!out->any && count > 0 && turn % turns < count)
    (void) choose_device(stage, ONLINE, look, turn % turns, out);
  if (!out->any && (count == 0 || !alike)) (void) choose_device(stage, OFFLINE, look, 0, out);
  if (!out->any && count > 0) (void) choose_device(stage, ONLINE, look, 0, out);
}

/* It got further, and still is one to compare with. */
static bool stays(struct stage *stage, const struct stage_device_look *look)
{
  const struct stage_control *control = &look->control;
  struct stage_stand_in as;
  if (!control->any || control->nobodys || !look->entry.apart) return false;
  bool alike = may_be_there(stage, look->as.device);
  return is_of(stage, ONLINE, &look->as, control->as.device, &as) ||
         (!alike && is_of(stage, OFFLINE, &look->as, control->as.device, &as));
}

struct stage_control stage_control_for(struct stage *stage, const struct stage_device_look *look,
                                       unsigned attempt, unsigned turn)
{
  struct stage_control out = {.any = false};
  bool spares = stage->nodes[look->node].look_ids == STAGE_IDS_OF_CERTIFICATES;
  if (attempt == 0 && choose_root(stage, &look->as, &out)) return out;
  if (attempt > 0 && !spares && stays(stage, look)) return look->control;
  choose_of_issuer(stage, look, turn, &out);
  if (!out.any) (void) choose_root(stage, &look->as, &out);
  if (!out.any && !spares) (void) choose_device(stage, FOREIGN, look, 0, &out);
  return out;
}

static bool may_be_shielded(const struct stage *stage, const struct stage_device_look *look)
{
  const struct stage_node *node = &stage->nodes[look->node];
  bool open = fleet_facts(stage->fleet, look->as.device)->online ||
              fleet_may_be_held(stage->fleet, look->as.device);
  return open && node->look_ids == STAGE_IDS_UNKNOWN && !node->takes_shielded;
}

bool stage_control_is_like(struct stage *stage, const struct stage_device_look *look)
{
  const struct stage_control *control = &look->control;
  bool online = !control->nobodys && fleet_facts(stage->fleet, control->as.device)->online;
  return online || !may_be_shielded(stage, look);
}

bool stage_control_has_like(struct stage *stage, const struct stage_device_look *look)
{
  struct stage_control online = {.any = false};
  return !may_be_shielded(stage, look) || choose_device(stage, ONLINE, look, 0, &online) > 0;
}

bool stage_control_is(const struct stage_control *control, const struct stage_control *other)
{
  if (!control->any || !other->any || control->nobodys != other->nobodys) return false;
  return control->nobodys || control->as.device == other->as.device;
}

int stage_control_write(struct stage *stage, const struct stage_control *control,
                        const struct broker_pair *files)
{
  if (!control->nobodys)
    return pki_write_device_with(stage->pki, control->as.device, control->as.chain,
                                 control->as.size, files->certificate, files->key, &stage->error);
  /* 1 is for a folder that cannot make one */
  return pki_write_stranger(stage->pki, control->root, files->certificate, files->key,
                            &stage->error) == 0
             ? 0
             : -1;
}
