/* Every kind of step is whole: it can be read, printed and done, and people find it where they look
 * for it: in README's table, in the twin that takes every step, among the refusals. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/metrics.h"
#include "steps/manual.h"

/* Terminated; the caller frees it. */
static char *read_source(const char *name)
{
  char path[FILES_PATH_MAX];
  uint8_t *data;
  size_t size;
  struct error error;
  snprintf(path, sizeof path, "%s/%s", FLEETSIM_SOURCE_DIR, name);
  if (files_read(path, 1 << 20, &data, &size, &error) != 0) fail_msg("%s", error.text);
  char *text = realloc(data, size + 1);
  assert_non_null(text);
  text[size] = '\0';
  return text;
}

/* `before` and the kind's name, and then one of `after`. */
static bool is_in(const char *text, const char *before, const char *name, const char *after)
{
  char wanted[80];
  int size = snprintf(wanted, sizeof wanted, "%s%s", before, name);
  for (const char *at = text; (at = strstr(at, wanted)) != NULL; at++)
    if (strchr(after, at[size]) != NULL) return true;
  return false;
}

static void every_kind_has_a_name_of_its_own_and_all_that_a_step_needs(void **state)
{
  (void) state;
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++) {
    const char *name = (*kind)->name;
    if (name == NULL || (*kind)->print == NULL || (*kind)->run == NULL)
      fail_msg("%s has no name, no words in the timetable, or nothing that does it", name);
    for (const struct step_kind *const *other = steps_kinds; other != kind; other++)
      if (strcmp((*other)->name, name) == 0) fail_msg("there are two kinds '%s'", name);
  }
}

static bool has_key(const struct step_kind *kind, const char *key)
{
  for (const struct step_argument *a = kind->arguments; a->key != NULL; a++)
    if (strcmp(a->key, key) == 0) return true;
  return false;
}

static void the_manual_has_a_line_for_each_kind_and_key(void **state)
{
  (void) state;
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++) {
    if (steps_manual(*kind) == NULL) fail_msg("what %s does is not in the manual", (*kind)->name);
    for (const struct step_argument *a = (*kind)->arguments; a->key != NULL; a++)
      if (steps_manual_argument(*kind, a->key) == NULL)
        fail_msg("'%s' of %s is not in the manual", a->key, (*kind)->name);
  }
}

static void the_manual_has_no_line_for_what_there_is_not(void **state)
{
  (void) state;
  const char *step, *key;
  for (size_t i = 0; steps_manual_entry(i, &step, &key); i++) {
    bool used = false;
    for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++)
      used |= (*step == '\0' || strcmp(step, (*kind)->name) == 0) &&
              (*key == '\0' || has_key(*kind, key));
    if (!used) fail_msg("there is no '%s' of '%s'", key, step);
  }
}

static void no_kind_has_an_argument_that_nobody_takes(void **state)
{
  (void) state;
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++)
    for (const struct step_argument *a = (*kind)->arguments; a->key != NULL; a++) {
      if ((*kind)->take == NULL) fail_msg("%s has '%s' and takes nothing", (*kind)->name, a->key);
      if (a->type != STEP_TEXT && (a->most == 0 || a->most > STEP_LIST_MAX))
        fail_msg("%s: '%s' is a list of up to %u", (*kind)->name, a->key, a->most);
      if ((a->type == STEP_ENTRIES) != (a->fields != NULL))
        fail_msg("%s: '%s' has fields and is no list of entries, or has none", (*kind)->name,
                 a->key);
      for (const struct step_argument *b = (*kind)->arguments; b != a; b++)
        if (strcmp(a->key, b->key) == 0) fail_msg("%s has '%s' twice", (*kind)->name, a->key);
    }
}

static void what_judges_a_step_is_a_quantity_or_a_metric(void **state)
{
  (void) state;
  static const struct scenario scenario = {.ota = {.on = true}};
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++)
    for (const struct step_judged *j = (*kind)->judged; j->name != NULL; j++)
      if (!metrics_known(j->name) &&
          scenario_quantity_known(j->name, "", &scenario) == SCENARIO_BAD_NAME)
        fail_msg("%s is judged by '%s', which is nothing", (*kind)->name, j->name);
}

static void readme_has_every_kind_with_every_argument(void **state)
{
  (void) state;
  char *readme = read_source("scenarios/README.md");
  char *table = strstr(readme, "\n## Steps"), *end = strstr(readme, "\n## Expressions");
  assert_true(table != NULL && end != NULL);
  *end = '\0';
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++) {
    if (!is_in(table, "`", (*kind)->name, "`"))
      fail_msg("scenarios/README.md says nothing of the step '%s'", (*kind)->name);
    for (const struct step_argument *a = (*kind)->arguments; a->key != NULL; a++)
      if (strstr(table, a->key) == NULL)
        fail_msg("scenarios/README.md says nothing of '%s' of '%s'", a->key, (*kind)->name);
  }
  free(readme);
}

static void the_twin_takes_every_step(void **state)
{
  (void) state;
  char *twin = read_source("tests/scenarios/every-step.healthy.yaml");
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++)
    if (!is_in(twin, " ", (*kind)->name, ":") && !is_in(twin, "[", (*kind)->name, ":"))
      fail_msg("tests/scenarios/every-step.healthy.yaml does not take '%s'", (*kind)->name);
  free(twin);
}

/* A step of a kind that is refused somehow, with its sentence. */
static void every_kind_has_its_refusals(void **state)
{
  (void) state;
  char *refusals = read_source("tests/unit/scenario/test_refusals.c");
  for (const struct step_kind *const *kind = steps_kinds; *kind != NULL; kind++)
    if (!is_in(refusals, "", (*kind)->name, ":"))
      fail_msg("tests/unit/scenario/test_refusals.c refuses no '%s'", (*kind)->name);
  free(refusals);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_has_a_name_of_its_own_and_all_that_a_step_needs),
      cmocka_unit_test(the_manual_has_a_line_for_each_kind_and_key),
      cmocka_unit_test(the_manual_has_no_line_for_what_there_is_not),
      cmocka_unit_test(no_kind_has_an_argument_that_nobody_takes),
      cmocka_unit_test(what_judges_a_step_is_a_quantity_or_a_metric),
      cmocka_unit_test(readme_has_every_kind_with_every_argument),
      cmocka_unit_test(the_twin_takes_every_step),
      cmocka_unit_test(every_kind_has_its_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
