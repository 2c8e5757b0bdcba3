/* --set and its like, collected for scenario_load, which says what a path or a value lacks. Here
 * fails only what has no '=' in it, and the 65th. */
#include "cli/overrides.h"

#include <assert.h>
#include <string.h>

#include "base/mask.h"

int overrides_add(struct overrides *overrides, const char *path, const char *value,
                  struct error *error)
{
  if (overrides->count == OVERRIDES_MAX)
    return error_set(error, EXIT_CODE_USAGE, "too many --set options");
  overrides->at[overrides->count++] = (struct scenario_override){.path = path, .value = value};
  return 0;
}

int overrides_take_set(const struct args_option *option, char *value, void *to, struct error *error)
{
  char shown[300];
  char *equals = strchr(value, '=');
  (void) option;
  if (equals == NULL)
    return error_set(error, EXIT_CODE_USAGE, "--set wants PATH=VALUE, not %s; --help shows how",
                     mask_url(value, shown, sizeof shown));
  *equals = '\0';
  return overrides_add(to, value, equals + 1, error);
}

int overrides_take_value(const struct args_option *option, char *value, void *to,
                         struct error *error)
{
  assert(option->what != NULL);
  return overrides_add(to, option->what, value, error);
}
