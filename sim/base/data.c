/* The program's own path leads to its data. A build has them beside the program; nothing else has
 * such a folder in the place of programs, so it is looked for first. */
#define _POSIX_C_SOURCE 200809L
#include "base/data.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"

#define BUILT "share/fleetsim"

int data_path(const char *name, char out[FILES_PATH_MAX], struct error *error)
{
  char self[FILES_PATH_MAX];
  if (process_path(self) != 0)
    return error_set(
        error, EXIT_CODE_INTERNAL,
        "cannot tell where this program lies, and so not where %s is that came with it", name);
  int folder = (int) (strrchr(self, '/') - self);
  int used = snprintf(out, FILES_PATH_MAX, "%.*s/" BUILT, folder, self);
  if (used < FILES_PATH_MAX && access(out, F_OK) != 0)
    used = snprintf(out, FILES_PATH_MAX, "%.*s/" FLEETSIM_INSTALLED_DATA, folder, self);
  if (used < FILES_PATH_MAX)
    used += snprintf(out + used, FILES_PATH_MAX - (size_t) used, "/%s", name);
  if (used < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path of this program, %.80s..., is too long", self);
}
