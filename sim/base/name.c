/* Character by character: what MQTT, a file system or JSON would take for something else is no part
 * of a name. */
#include "base/name.h"

#include <string.h>

/* Why a name cannot have this character; NULL: it can. */
static const char *against(char c)
{
  switch (c) {
  case '/': return "a topic and a path are divided by it";
  case '+':
  case '#': return "in a topic it stands for any name";
  case '"':
  case '\\': return "a text of JSON ends or changes with it";
  default: return c < ' ' || c > '~' ? "a name is of printable ASCII characters" : NULL;
  }
}

int name_check(const char *name, struct error *error)
{
  size_t size = strlen(name);
  if (size == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the device has no name: a text of 1 to %d characters is one", NAME_MOST);
  if (size > NAME_MOST)
    return error_set(error, EXIT_CODE_USAGE,
                     "'%.40s...' has %zu characters, and a device's name has at most %d", name,
                     size, NAME_MOST);
  for (const char *c = name; *c != '\0'; c++)
    if (against(*c) != NULL)
      return error_set(error, EXIT_CODE_USAGE,
                       "'%s' is no name of a device: its character number %d cannot be in one (%s)",
                       name, (int) (c - name) + 1, against(*c));
  if (strchr("$.- ", name[0]) != NULL || name[size - 1] == ' ')
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' is no name of a device: one begins with no '$' (topics of the broker "
                     "itself), '.' (hidden files), '-' (options) or blank, and ends with no blank",
                     name);
  return 0;
}
