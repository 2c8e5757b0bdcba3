/* --set path=value: put into the file's text, so that all that follows sees one text with true line
   numbers. */
#ifndef FLEETSIM_SCENARIO_OVERRIDE_H
#define FLEETSIM_SCENARIO_OVERRIDE_H

#include "scenario/doc.h"
#include "scenario/scenario.h"

/* Replaces the value at the path, or adds the missing keys to the nearest mapping that exists. */
int override_apply(struct doc *doc, const struct scenario_override *override, struct error *error);

#endif
