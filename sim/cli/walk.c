/* Every verb in the order of the help. What is not listed there, as nobody types it, is not told of
 * elsewhere either. */
#include "cli/walk.h"

static void walk_below(const struct args_verb *verb, const char *path,
                       void (*each)(const struct args_verb *verb, const char *path, FILE *out),
                       FILE *out)
{
  char below[WALK_PATH_MAX];
  each(verb, path, out);
  for (size_t v = 0; verb->verbs != NULL && verb->verbs[v] != NULL; v++) {
    if (verb->verbs[v]->line == NULL) continue;
    snprintf(below, sizeof below, "%s %s", path, verb->verbs[v]->name);
    walk_below(verb->verbs[v], below, each, out);
  }
}

void walk_verbs(const struct args_verb *verb,
                void (*each)(const struct args_verb *verb, const char *path, FILE *out), FILE *out)
{
  walk_below(verb, verb->name, each, out);
}

size_t walk_count(const struct args_verb *verb)
{
  size_t count = 0;
  for (size_t v = 0; verb->verbs != NULL && verb->verbs[v] != NULL; v++)
    count += verb->verbs[v]->line != NULL;
  return count;
}
