/* Loads a scenario from a text, by way of a temporary file. */
#ifndef FLEETSIM_TEST_LOAD_TEXT_H
#define FLEETSIM_TEST_LOAD_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario/scenario.h"
#include "steps/steps.h"

/* As scenario_load; the file's name in the error is cut to "F". */
static inline int load_text(const char *text, size_t size,
                            const struct scenario_override *overrides, size_t count,
                            struct scenario **out, struct error *error)
{
  char name[] = "scenario-XXXXXX";
  int fd = mkstemp(name);
  FILE *file = fdopen(fd, "w");
  fwrite(text, 1, size, file);
  fclose(file);
  int result = scenario_load(name, overrides, count, steps_kinds, out, error);
  unlink(name);
  size_t length = strlen(name);
  if (result != 0 && strncmp(error->text, name, length) == 0) {
    memmove(error->text + 1, error->text + length, strlen(error->text + length) + 1);
    error->text[0] = 'F';
  }
  return result;
}

#endif
