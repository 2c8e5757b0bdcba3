/* The grammar of a scenario file as a libcyaml schema: which keys a mapping may have, and of what
   type. */
#ifndef FLEETSIM_SCENARIO_SCHEMA_H
#define FLEETSIM_SCENARIO_SCHEMA_H

#include <cyaml/cyaml.h>

extern const cyaml_schema_value_t schema_scenario; /* maps onto struct raw_scenario */

#endif
