/* The fleet folder of a run, made or opened: keys, certificates, and what the back office knows at
   the start. */
#define _POSIX_C_SOURCE 200809L
#include "stage/folder.h"

#include <stdlib.h>

#include "stage/device_names.h"
#include "stage/logins.h"
#include "stage/tokens.h"

enum pki_lists stage_lists(const struct scenario *scenario, bool crls)
{
  if (!crls) return PKI_LISTS_NONE;
  return scenario->device.revocation == DEVICE_REVOCATION_REQUIRED ? PKI_LISTS_ALL : PKI_LISTS_USED;
}

/* Devices that require revocation lists could not connect once without them. */
static bool begins_with_lists(const struct stage *stage)
{
  return stage->scenario->device.revocation == DEVICE_REVOCATION_REQUIRED;
}

/* pki_add_named_devices calls it for each. */
static int name_device(void *ctx, size_t index, char out[PKI_DEVICE_NAME], struct error *error)
{
  const struct stage *stage = ctx;
  (void) error;
  scenario_device_name(stage->scenario, index, out);
  return 0;
}

int stage_make_folder(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  char folder[FILES_PATH_MAX];
  if (files_join(folder, stage->keys, "fleet", &stage->error) != 0) return -1;
  if (pki_create(folder, &scenario->roots, &stage->pki, &stage->error) != 0) return -1;
  pki_set_factory_lists(stage->pki, stage_lists(scenario, begins_with_lists(stage)));
  const struct pki_naming naming = {.name = name_device, .ctx = stage};
  bool named = scenario->naming.names[0] != '\0';
  return pki_add_named_devices(stage->pki, scenario->devices, named ? &naming : NULL,
                               scenario->device_root, &scenario->trusted, &stage->error);
}

static int check_folder_roots(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  for (size_t r = 0; r < scenario->roots.count; r++)
    if (!pki_has_root(stage->pki, scenario->roots.name[r]))
      return error_set(&stage->error, EXIT_CODE_USAGE,
                       "the scenario's pki.roots name '%s', which %s does not hold: 'fleetsim pki "
                       "show %s' lists what it holds",
                       scenario->roots.name[r], stage->options->fleet, stage->options->fleet);
  return 0;
}

int stage_open_folder(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  if (pki_open(stage->options->fleet, &stage->pki, &stage->error) != 0) return -1;
  if (pki_device_count(stage->pki) < scenario->devices)
    return error_set(&stage->error, EXIT_CODE_USAGE,
                     "%s holds %zu devices and the scenario asks for %zu: use --devices %zu",
                     stage->options->fleet, pki_device_count(stage->pki), scenario->devices,
                     pki_device_count(stage->pki));
  return check_folder_roots(stage);
}

int stage_reset_folder(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  pki_set_factory_lists(stage->pki, stage_lists(scenario, begins_with_lists(stage)));
  return pki_reset_devices(stage->pki, scenario->device_root, &scenario->trusted, &stage->error);
}

int stage_learn_fleet(struct stage *stage)
{
  size_t n = stage->scenario->devices;
  stage->ids = calloc(n, sizeof *stage->ids);
  stage->acked_version = calloc(n, sizeof *stage->acked_version);
  stage->identity = calloc(n, sizeof *stage->identity);
  if (stage->ids == NULL || stage->acked_version == NULL || stage->identity == NULL)
    return error_set(&stage->error, EXIT_CODE_SETUP, "not enough memory for %zu devices", n);
  for (size_t i = 0; i < n; i++) {
    stage->ids[i] = pki_device_id(stage->pki, i);
    stage->acked_version[i] = 1;
  }
  if (stage_name_devices(stage, NULL, n, &stage->names) != 0 ||
      (stage->options->fleet != NULL && stage_check_names_agree(stage) != 0) ||
      stage_give_logins(stage) != 0)
    return -1;
  stage->bundle_version = 1;
  stage->bundle[1] = stage->scenario->trusted;
  stage->bundle_crls[1] = begins_with_lists(stage);
  return 0;
}

void stage_forget_fleet(struct stage *stage)
{
  free(stage->ids);
  stage_forget_tokens(stage);
  stage_forget_logins(stage);
  names_free(stage->names);
  free(stage->acked_version);
  free(stage->identity);
}
