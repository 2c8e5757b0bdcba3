#include "cli/options.h"

#include <stdbool.h>
#include <string.h>

/* getopt_long says no more than `optopt` of an option that was given a value and takes none. */
static bool takes_no_value(const char *argument, const struct option *options)
{
  if (strncmp(argument, "--", 2) != 0 || strchr(argument, '=') == NULL) return false;
  size_t length = strcspn(argument + 2, "=");
  for (const struct option *o = options; o->name != NULL; o++)
    if (o->has_arg == no_argument && strncmp(o->name, argument + 2, length) == 0) return true;
  return false;
}

int verb_bad_option(int given, char **argv, const struct option *options, struct error *error)
{
  const char *argument = argv[optind - 1];
  int length = (int) strcspn(argument, "=");
  if (given == ':')
    return error_set(error, EXIT_CODE_USAGE, "%s wants a value; --help shows an example", argument);
  if (takes_no_value(argument, options))
    return error_set(error, EXIT_CODE_USAGE, "%.*s takes no value; --help lists what does", length,
                     argument);
  if (optopt > 0) /* a letter: of "-xy" the argument is not through yet */
    return error_set(error, EXIT_CODE_USAGE, "there is no option '-%c'; --help lists them", optopt);
  return error_set(error, EXIT_CODE_USAGE, "there is no option '%.*s'; --help lists them", length,
                   argument);
}

const char *verb_stray_option(int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    if (argv[i][0] == '-' && argv[i][1] != '\0') return argv[i];
  return NULL;
}
