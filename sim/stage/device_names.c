/* A device is called what it was flashed as: the pages are asked, not the registry. One that cannot be
 * read goes by the digits of its id; it will not boot, and says so. What else a template may ask for
 * is its place in the fleet, its cohort by the seed, and the columns of the list that it came from. */
#define _POSIX_C_SOURCE 200809L
#include "stage/device_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fleetsim/nvm.h"
#include "pki/nvm_store.h"
#include "stage/options.h"
#include "stage/targets.h"

struct asked {
  struct stage *stage;
  const uint32_t *devices; /* NULL: as they stand */
  const char **cohort;     /* of each device of the fleet; NULL: there are none */
  struct device_nvm_identity identity;
  size_t device; /* that is being asked */
  /* of the column that was asked for last */
  const char *column;
  size_t column_size;
  char value[1024];
};

/* --- Cohorts ---------------------------------------------------------------------------------- */

static void set_cohorts(const struct scenario *scenario, const uint32_t *order, const char **out)
{
  size_t n = scenario->devices;
  for (size_t i = 0; i < n; i++) out[i] = "";
  for (size_t c = 0; c < scenario->cohort_count; c++) {
    const struct scenario_cohort *cohort = &scenario->cohorts[c];
    size_t end = targets_share(n, cohort->begin + cohort->share);
    for (size_t i = targets_share(n, cohort->begin); i < end; i++) out[order[i]] = cohort->name;
  }
}

static int learn_cohorts(struct asked *asked)
{
  const struct scenario *scenario = asked->stage->scenario;
  if (scenario->cohort_count == 0) return 0;
  uint32_t *order = calloc(scenario->devices, sizeof *order);
  asked->cohort = calloc(scenario->devices, sizeof *asked->cohort);
  bool fits = order != NULL && asked->cohort != NULL;
  if (fits) fleet_shuffle(order, scenario->devices, scenario->seed);
  if (fits) set_cohorts(scenario, order, asked->cohort);
  free(order);
  return fits ? 0
              : error_set(&asked->stage->error, EXIT_CODE_SETUP,
                          "not enough memory for the cohorts of %zu devices", scenario->devices);
}

/* --- One device ------------------------------------------------------------------------------- */

static void wipe_key(struct device_nvm_identity *identity)
{
  volatile uint8_t *key = identity->private_key;
  for (size_t i = 0; i < sizeof identity->private_key; i++) key[i] = 0;
}

/* pki_device_columns calls it for each. */
static void pick(void *ctx, const char *name, const char *value)
{
  struct asked *asked = ctx;
  if (strlen(name) == asked->column_size && memcmp(name, asked->column, asked->column_size) == 0)
    text_copy(asked->value, sizeof asked->value, value);
}

/* template_expand (base/template.h) calls it. */
static const char *column(void *ctx, const char *name, size_t size)
{
  struct asked *asked = ctx;
  asked->column = name;
  asked->column_size = size;
  asked->value[0] = '\0';
  return pki_device_columns(asked->stage->pki, asked->device, pick, asked, NULL) == 0 ? asked->value
                                                                                      : NULL;
}

/* names_create (base/names.h) calls it, once for each device. */
static void describe(void *ctx, size_t index, struct template_values *out)
{
  struct asked *asked = ctx;
  struct device_nvm_identity *identity = &asked->identity;
  struct pki *pki = asked->stage->pki;
  asked->device = asked->devices != NULL ? asked->devices[index] : index;
  const struct device_host host = pki_nvm_host(pki_device_page(pki, asked->device));
  bool whole = device_nvm_read_identity(&host, identity) == 0;
  wipe_key(identity);
  if (!whole) {
    *identity = (struct device_nvm_identity){.id = pki_device_id(pki, asked->device)};
    device_nvm_name_identity(identity);
  }
  *out = (struct template_values){
      .id = identity->name,
      .cn = identity->subject_kind == DEVICE_SUBJECT_CN ? identity->subject : identity->name,
      .cohort = asked->cohort != NULL ? asked->cohort[asked->device] : "",
      .column = column,
      .ctx = asked,
      .index = asked->device,
      .number = pki_device_id(pki, asked->device)};
}

/* The same, of a fleet that is not made yet: its numbers begin at 1, and a name is the CN
   (pki_add_named_devices). */
static void foretell(void *ctx, size_t index, struct template_values *out)
{
  struct asked *asked = ctx;
  scenario_device_name(asked->stage->scenario, index, asked->value);
  *out = (struct template_values){.id = asked->value,
                                  .cn = asked->value,
                                  .cohort = asked->cohort != NULL ? asked->cohort[index] : "",
                                  .index = index,
                                  .number = (uint32_t) index + 1};
}

/* --- All of them ------------------------------------------------------------------------------ */

/* Before the sentence: where in the scenario the template is that it is about. */
static int say_where(struct stage *stage, enum names_part part)
{
  const struct scenario *scenario = stage->scenario;
  int line = scenario->naming.line[part];
  if (stage->error.code != EXIT_CODE_USAGE) return -1;
  if (line == 0) return error_wrap(&stage->error, "%s", scenario->file);
  return error_wrap(&stage->error, "%s:%d:%d", scenario->file, line, scenario->naming.column[part]);
}

static int create(struct asked *asked, size_t count,
                  void (*each)(void *ctx, size_t index, struct template_values *out),
                  struct names **out)
{
  struct stage *stage = asked->stage;
  const struct scenario_naming *naming = &stage->scenario->naming;
  const struct names_templates templates = {naming->client_id, naming->control, naming->telemetry};
  enum names_part wrong;
  if (learn_cohorts(asked) != 0) {
    free(asked->cohort);
    return -1;
  }
  int result = names_create(&templates, count, each, asked, out, &wrong, &stage->error);
  free(asked->cohort);
  return result == 0 ? 0 : say_where(stage, wrong);
}

int stage_name_devices(struct stage *stage, const uint32_t *devices, size_t count,
                       struct names **out)
{
  struct asked asked = {.stage = stage, .devices = devices};
  return create(&asked, count, describe, out);
}

int stage_foretell_names(struct stage *stage, struct names **out)
{
  struct asked asked = {.stage = stage};
  return create(&asked, stage->scenario->devices, foretell, out);
}

int stage_check_names_agree(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  char name[SCENARIO_DEVICE_NAME];
  if (scenario->naming.names[0] == '\0') return 0;
  for (size_t i = 0; i < scenario->devices; i++) {
    scenario_device_name(scenario, i, name);
    const char *own = names_of(stage->names, i).name;
    if (strcmp(name, own) == 0) continue;
    error_set(&stage->error, EXIT_CODE_USAGE,
              "'names' makes the fleet's device %zu '%s', and in %s it is called '%s': leave "
              "'names' out, which is for a fleet that the run makes",
              i, name, stage->options->fleet, own);
    return say_where(stage, NAMES_NAME);
  }
  return 0;
}

const char *stage_device_text(const struct stage *stage, size_t index, char out[NAMES_TEXT])
{
  return names_text(stage->names, stage->ids[index], out);
}

int stage_describe_devices(struct stage *stage, size_t count,
                           int (*each)(void *ctx, size_t index,
                                       const struct template_values *values),
                           void *ctx)
{
  struct asked asked = {.stage = stage};
  int result = learn_cohorts(&asked);
  for (size_t i = 0; i < count && result == 0; i++) {
    struct template_values values;
    describe(&asked, i, &values);
    result = each(ctx, i, &values);
  }
  free(asked.cohort);
  return result;
}
