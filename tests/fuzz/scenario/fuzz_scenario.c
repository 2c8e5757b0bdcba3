/* Any text as a scenario, with any --set: refused with the exit code of a usage error and a
 * sentence that begins with a place in the file, or loaded; then its timetable can be printed, and
 * it loads a second time to the same.
 *
 * The input: lines "--set PATH=VALUE", any number of them, then the file. */
#define _GNU_SOURCE
#include "scenario/scenario.h"
#include "steps/steps.h"

#include "scratch.h"

#define SETS_MAX 4u

static FILE *nowhere;

static void begin(void)
{
  if (nowhere != NULL) return;
  scratch_begin();
  nowhere = fopen("/dev/null", "w");
  require(nowhere != NULL, "there is a place to print to");
}

/* Takes a line of --set from the front of the text; false: there is none. */
static bool take_set(char **text, struct scenario_override *out)
{
  static const char word[] = "--set ";
  char *line = *text, *end = strchr(line, '\n');
  if (end == NULL || strncmp(line, word, sizeof word - 1) != 0) return false;
  *end = '\0';
  char *equals = strchr(line, '=');
  if (equals == NULL) return false;
  *equals = '\0';
  *out = (struct scenario_override){.path = line + sizeof word - 1, .value = equals + 1};
  *text = end + 1;
  return true;
}

static void check_refusal(const struct error *error, const char *file)
{
  require(error->code == EXIT_CODE_USAGE, "a scenario that is refused is the caller's fault");
  size_t size = strnlen(error->text, sizeof error->text);
  require(size > 0 && size < sizeof error->text, "a refusal has a sentence, which ends");
  for (size_t i = 0; i < size; i++)
    require((unsigned char) error->text[i] >= ' ' && error->text[i] != 127,
            "a sentence has no control characters");
  require(strncmp(error->text, file, strlen(file)) == 0 || strncmp(error->text, "--set ", 6) == 0 ||
              strstr(error->text, file) != NULL,
          "a refusal says in which file");
}

static void check_twice(const struct scenario *first, const char *file,
                        const struct scenario_override *sets, size_t count)
{
  struct scenario *second = NULL;
  struct error error = {.code = EXIT_CODE_PASS};
  require(scenario_load(file, sets, count, steps_kinds, &second, &error) == 0,
          "what was loaded is loaded again");
  require(strcmp(first->name, second->name) == 0 && first->phase_count == second->phase_count &&
              first->expect_count == second->expect_count &&
              strcmp(first->sha256, second->sha256) == 0,
          "and is the same");
  scenario_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct scenario_override sets[SETS_MAX];
  size_t count = 0;
  struct scenario *scenario = NULL;
  struct error error = {.code = EXIT_CODE_PASS};
  begin();
  char *copy = malloc(size + 1), *text = copy;
  require(copy != NULL, "there is memory");
  if (size > 0) memcpy(copy, data, size);
  copy[size] = '\0';
  while (count < SETS_MAX && take_set(&text, &sets[count])) count++;
  const char *file = scratch_write("s.yaml", text, size - (size_t) (text - copy));
  if (scenario_load(file, sets, count, steps_kinds, &scenario, &error) != 0) {
    check_refusal(&error, file);
  } else {
    require(scenario->phase_count > 0 && scenario->name[0] != '\0',
            "a scenario has a name and phases");
    scenario_print(scenario, nowhere);
    check_twice(scenario, file, sets, count);
    scenario_free(scenario);
  }
  free(copy);
  return 0;
}
