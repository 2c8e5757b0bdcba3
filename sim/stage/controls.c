/* Chooses the control of a look by what is known of the devices: it should be let in. */
#define _POSIX_C_SOURCE 200809L
#include "stage/controls.h"

#include <string.h>

#include "stage/chains.h"

enum kin { ONLINE, OFFLINE, FOREIGN };

static bool is_of(struct stage *stage, enum kin kin, const struct stage_stand_in *listed,
                  size_t device, struct stage_stand_in *out)
{
  const struct fleet_facts *facts = fleet_facts(stage->fleet, device);
  if (device == listed->device || !facts->ever_online || facts->dead || facts->revoked ||
      stage->identity[device].revoked || (kin != FOREIGN && facts->online != (kin == ONLINE)))
    return false;
  *out = stage_stand_in(stage, device);
  return out->mark != 0 && (out->issuers == listed->issuers) == (kin != FOREIGN);
}

/* The one behind `skip` others; returns how many of them there are. */
static unsigned choose_device(struct stage *stage, enum kin kin,
                              const struct stage_stand_in *listed, unsigned skip,
                              struct stage_control *out)
{
  unsigned found = 0;
  struct stage_stand_in as;
  for (size_t d = 0; d < fleet_size(stage->fleet) && !out->any; d++) {
    if (!is_of(stage, kin, listed, d, &as)) continue;
    if (found++ == skip) *out = (struct stage_control){.any = true, .as = as};
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

struct stage_control stage_control_for(struct stage *stage, size_t node,
                                       const struct stage_stand_in *listed, unsigned attempt)
{
  struct stage_control out = {.any = false};
  bool spares = stage->nodes[node].look_ids == STAGE_IDS_OF_CERTIFICATES;
  if (attempt == 0 && choose_root(stage, listed, &out)) return out;
  if (!spares) {
    unsigned count = choose_device(stage, ONLINE, listed, attempt, &out);
    /* they have all been asked: then one of the others, and from the first */
    if (!out.any && attempt % (count + 1) < count)
      (void) choose_device(stage, ONLINE, listed, attempt % (count + 1), &out);
  }
  if (!out.any) (void) choose_device(stage, OFFLINE, listed, 0, &out);
  if (!out.any) (void) choose_root(stage, listed, &out);
  if (!out.any && !spares) (void) choose_device(stage, FOREIGN, listed, 0, &out);
  return out;
}

int stage_control_write(struct stage *stage, const struct stage_control *control,
                        const struct broker_pair *files)
{
  if (!control->nobodys)
    return pki_write_device_with(stage->pki, control->as.device, control->as.chain,
                                 control->as.size, files->certificate, files->key, &stage->error);
  /* 1 is for a folder that cannot make one */
  return pki_write_probe(stage->pki, control->root, NULL, NULL, files->certificate, files->key,
                         &stage->error) == 0
             ? 0
             : -1;
}
