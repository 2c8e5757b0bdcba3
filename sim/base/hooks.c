/* What the list in the header says of each hook. */
#define _POSIX_C_SOURCE 200809L
#include "base/hooks.h"

#include <assert.h>
#include <strings.h>

static const struct {
  const char *key, *action, *line;
} hooks[] = {
#define X(symbol, name, key, line) {key, #name, line},
    HOOKS(X)
#undef X
};

const char *hook_key(enum hook_kind kind)
{
  assert(kind < HOOK_COUNT);
  return hooks[kind].key;
}

const char *hook_action(enum hook_kind kind)
{
  assert(kind < HOOK_COUNT);
  return hooks[kind].action;
}

const char *hook_line(enum hook_kind kind)
{
  assert(kind < HOOK_COUNT);
  return hooks[kind].line;
}

bool hook_is_url(const char *hook)
{
  return strncasecmp(hook, "http://", 7) == 0 || strncasecmp(hook, "https://", 8) == 0;
}
