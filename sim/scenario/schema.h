/* The grammar of a scenario file as a libcyaml schema: which keys a mapping may have, and of what
 * type. */
#ifndef FLEETSIM_SCENARIO_SCHEMA_H
#define FLEETSIM_SCENARIO_SCHEMA_H

#include <cyaml/cyaml.h>

#include "scenario/step_kind.h"

/* The keys that libcyaml leaves alone: of a phase its steps, of a scenario what is a word or a
   mapping. */
#define SCHEMA_STEPS     "do"
#define SCHEMA_OPERATOR  "operator"
#define SCHEMA_ENTRY_MAX 7

extern const cyaml_schema_value_t schema_scenario; /* maps onto struct raw_scenario */
extern const cyaml_schema_value_t schema_operator; /* where it is no word */

/* The mappings of a list, one such list a kind. */
struct schema_entries {
  cyaml_schema_field_t fields[SCHEMA_ENTRY_MAX + 1];
  cyaml_schema_value_t value;
};

struct schema_kind {
  cyaml_schema_field_t fields[STEP_ARGUMENTS_MAX];
  struct schema_entries entries;
};

/* What a phase's list of steps may hold: for the walk of keys.c, nothing is loaded by it. */
struct schema_steps {
  struct schema_kind *kinds;
  cyaml_schema_field_t *fields;
  cyaml_schema_value_t entry, list;
};

/* NULL: no memory. */
struct schema_steps *schema_steps_new(const struct step_kind *const *kinds);
void schema_steps_free(struct schema_steps *steps);

#endif
