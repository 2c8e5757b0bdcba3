/* Keys and actions of the hooks, both from the list in the header. */
#define _POSIX_C_SOURCE 200809L
#include "base/hooks.h"

#include <assert.h>
#include <strings.h>

const char *hook_key(enum hook_kind kind)
{
  static const char *const keys[] = {
#define X(symbol, name, key, line) key,
      HOOKS(X)
#undef X
  };
  assert(kind < HOOK_COUNT);
  return keys[kind];
}

const char *hook_action(enum hook_kind kind)
{
  static const char *const actions[] = {
#define X(symbol, name, key, line) #name,
      HOOKS(X)
#undef X
  };
  assert(kind < HOOK_COUNT);
  return actions[kind];
}

const char *hook_line(enum hook_kind kind)
{
  static const char *const lines[] = {
#define X(symbol, name, key, line) line,
      HOOKS(X)
#undef X
  };
  assert(kind < HOOK_COUNT);
  return lines[kind];
}

bool hook_is_url(const char *hook)
{
  return strncasecmp(hook, "http://", 7) == 0 || strncasecmp(hook, "https://", 8) == 0;
}
