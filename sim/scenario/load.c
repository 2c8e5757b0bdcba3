/* The way of a scenario: text, --set, keys, values, the story as a whole. Every step refuses with
 * FILE:LINE:COLUMN, and what was read until then is freed. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/digest.h"
#include "scenario/check.h"
#include "scenario/override.h"
#include "scenario/told.h"

static int hash_text(const struct doc *doc, char out[DIGEST_TEXT], struct error *error)
{
  if (digest_of(doc->text, doc->size, out) == 0) return 0;
  return error_set(error, EXIT_CODE_INTERNAL, "libcrypto cannot compute SHA-256");
}

static int load_document(struct doc *doc, const struct step_kind *const *kinds,
                         struct scenario *scenario, struct error *error)
{
  struct raw_scenario *raw = NULL;
  struct take take = {.doc = doc, .kinds = kinds, .error = error};
  if (raw_check_keys(doc, kinds, error) != 0 || raw_load(doc, &raw, error) != 0) return -1;
  int result = check_scenario(&take, raw, scenario);
  raw_free(raw);
  return result;
}

/* The hash is of the file as it lies there: what --set changed is not part of it. */
static int load(struct doc *doc, const char *file, const struct scenario_override *overrides,
                size_t override_count, const struct step_kind *const *kinds,
                struct scenario *scenario, struct error *error)
{
  if (strlen(file) >= sizeof scenario->file)
    return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", file);
  strcpy(scenario->file, file);
  if (doc_open(doc, file, error) != 0 || hash_text(doc, scenario->sha256, error) != 0) return -1;
  for (size_t i = 0; i < override_count; i++)
    if (override_apply(doc, &overrides[i], error) != 0) return -1;
  if (load_document(doc, kinds, scenario, error) != 0) return -1;
  scenario->told = told_text(doc);
  if (scenario->told != NULL) return 0;
  return error_set(error, EXIT_CODE_INTERNAL, "out of memory for the scenario");
}

int scenario_load(const char *file, const struct scenario_override *overrides,
                  size_t override_count, const struct step_kind *const *kinds,
                  struct scenario **out, struct error *error)
{
  struct doc doc = {0};
  struct scenario *scenario = calloc(1, sizeof *scenario);
  if (scenario == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "%s: out of memory for the scenario", file);
  int result = load(&doc, file, overrides, override_count, kinds, scenario, error);
  doc_free(&doc);
  if (result != 0) {
    /* no fault of the file, but who reads the sentence asks what was being done */
    if (error->code == EXIT_CODE_INTERNAL) error_wrap(error, "%s", file);
    scenario_free(scenario);
    return -1;
  }
  *out = scenario;
  return 0;
}

void scenario_free(struct scenario *scenario)
{
  if (scenario == NULL) return;
  for (size_t i = 0; i < scenario->phase_count; i++) {
    free(scenario->phases[i].steps);
    free(scenario->phases[i].expect);
  }
  free(scenario->phases);
  free(scenario->expect);
  free(scenario->targets);
  free(scenario->told);
  free(scenario);
}
