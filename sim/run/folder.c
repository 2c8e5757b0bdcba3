/* The fleet folder of a run, made or opened: keys, certificates, and what the back office knows at
   the start. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "device/nvm.h"
#include "run/state.h"

enum pki_lists run_lists(const struct scenario *scenario, bool crls)
{
  if (!crls) return PKI_LISTS_NONE;
  return scenario->device.revocation == DEVICE_REVOCATION_REQUIRED ? PKI_LISTS_ALL : PKI_LISTS_USED;
}

/* Devices that require revocation lists could not connect once without them. */
static bool begins_with_lists(const struct run *run)
{
  return run->scenario->device.revocation == DEVICE_REVOCATION_REQUIRED;
}

static int make_fleet_folder(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  char folder[FILES_PATH_MAX];
  if (files_join(folder, run->options->out, "fleet", &run->error) != 0) return -1;
  if (pki_create(folder, &scenario->roots, &run->pki, &run->error) != 0) return -1;
  pki_set_factory_lists(run->pki, run_lists(scenario, begins_with_lists(run)));
  return pki_add_devices(run->pki, scenario->devices, scenario->device_root, &scenario->trusted,
                         &run->error);
}

/* Refuses a step whose certificates cannot be made in this folder, before anything is sent. */
static int check_step_roots(struct run *run, const struct scenario_step *step)
{
  bool issues =
      step->kind == STEP_PRESENT || step->kind == STEP_PROVE || step->kind == STEP_REISSUE;
  if (!issues || pki_can_issue(run->pki, step->root)) return 0;
  return error_set(&run->error, EXIT_CODE_USAGE,
                   "%s:%d:%d: '%s' needs a certificate under root '%s', and %s does not hold that "
                   "root's key: leave the step out, or use a root that 'fleetsim pki make' made",
                   run->scenario->file, step->line, step->column, scenario_step_name(step->kind),
                   step->root, run->options->fleet);
}

static int check_folder_roots(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  for (size_t r = 0; r < scenario->roots.count; r++)
    if (!pki_has_root(run->pki, scenario->roots.name[r]))
      return error_set(&run->error, EXIT_CODE_USAGE,
                       "the scenario's pki.roots name '%s', which %s does not hold: 'fleetsim pki "
                       "show %s' lists what it holds",
                       scenario->roots.name[r], run->options->fleet, run->options->fleet);
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_roots(run, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

static int open_fleet_folder(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  if (pki_open(run->options->fleet, &run->pki, &run->error) != 0) return -1;
  if (pki_device_count(run->pki) < scenario->devices)
    return error_set(&run->error, EXIT_CODE_USAGE,
                     "%s holds %zu devices and the scenario asks for %zu: use --devices %zu",
                     run->options->fleet, pki_device_count(run->pki), scenario->devices,
                     pki_device_count(run->pki));
  if (check_folder_roots(run) != 0) return -1;
  pki_set_factory_lists(run->pki, run_lists(scenario, begins_with_lists(run)));
  return pki_reset_devices(run->pki, scenario->device_root, &scenario->trusted, &run->error);
}

static int learn_fleet(struct run *run)
{
  size_t n = run->scenario->devices;
  run->ids = calloc(n, sizeof *run->ids);
  run->acked_version = calloc(n, sizeof *run->acked_version);
  run->identity = calloc(n, sizeof *run->identity);
  if (run->ids == NULL || run->acked_version == NULL || run->identity == NULL)
    return error_set(&run->error, EXIT_CODE_SETUP, "not enough memory for %zu devices", n);
  for (size_t i = 0; i < n; i++) {
    run->ids[i] = pki_device_id(run->pki, i);
    run->acked_version[i] = 1;
  }
  run->bundle_version = 1;
  run->bundle[1] = run->scenario->trusted;
  run->bundle_crls[1] = begins_with_lists(run);
  return 0;
}

static bool is_in_fleet(const struct run *run, uint32_t id)
{
  for (size_t i = 0; i < run->scenario->devices; i++)
    if (run->ids[i] == id) return true;
  return false;
}

static int check_step_ids(struct run *run, const struct scenario_step *step)
{
  for (size_t i = 0; i < step->who.id_count; i++)
    if (!is_in_fleet(run, step->who.ids[i]))
      return error_set(
          &run->error, EXIT_CODE_USAGE,
          "%s:%d:%d: no device of this fleet has the id %08x; its ids go from %08x to %08x",
          run->scenario->file, step->line, step->column, step->who.ids[i], run->ids[0],
          run->ids[run->scenario->devices - 1]);
  return 0;
}

static int check_ids(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_ids(run, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

/* Whether its bundle fits the devices' memory: a list that the run fills may still outgrow it. */
static int check_step_bundle(struct run *run, const struct scenario_step *step)
{
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  size_t size;
  if (step->kind != STEP_PUSH_TRUST) return 0;
  if (pki_make_bundle_with_lists(run->pki, 1, &step->roots, run_lists(run->scenario, step->crls),
                                 bytes, sizeof bytes, &size, &run->error) == 0)
    return 0;
  return error_wrap(&run->error, "%s:%d:%d", run->scenario->file, step->line, step->column);
}

static int check_bundles(struct run *run)
{
  const struct scenario *scenario = run->scenario;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t s = 0; s < scenario->phases[p].step_count; s++)
      if (check_step_bundle(run, &scenario->phases[p].steps[s]) != 0) return -1;
  return 0;
}

int run_open_folder(struct run *run)
{
  int failed = run->options->fleet != NULL ? open_fleet_folder(run) : make_fleet_folder(run);
  if (failed != 0 || learn_fleet(run) != 0 || check_ids(run) != 0) return -1;
  return run_check_crls(run) == 0 ? check_bundles(run) : -1;
}
