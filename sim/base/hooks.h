/* What a run may ask of a broker that stands elsewhere: its hooks, in one list, so that whoever
 * goes through them (the scenario's keys, the permission to send, the calls) goes through all of
 * them.
 */
#ifndef FLEETSIM_HOOKS_H
#define FLEETSIM_HOOKS_H

#include <stdbool.h>

/* symbol, C name, which is also what a hook gets as FLEETSIM_ACTION, and the key in a scenario */
/* clang-format off */
#define HOOKS(X) \
  X(PRESENT,       present,       "present")       /* a new chain for a listener */ \
  X(TRUST_CLIENTS, trust_clients, "trust-clients") /* a new CA file for client certificates */ \
  X(RELOAD,        reload,        "reload") \
  X(RESTART,       restart,       "restart") \
  X(PUBLISH_CRL,   publish_crl,   "publish-crl")   /* new CRLs of client certificates */ \
  X(KICK,          kick,          "kick")          /* one client's open session must end */
/* clang-format on */

enum hook_kind {
#define X(symbol, name, key) HOOK_##symbol,
  HOOKS(X)
#undef X
      HOOK_COUNT
};

const char *hook_key(enum hook_kind kind);    /* "trust-clients" */
const char *hook_action(enum hook_kind kind); /* "trust_clients" */

/* Whether the hook is an http(s) URL, whatever the case of its scheme; a shell command
   otherwise. */
bool hook_is_url(const char *hook);

#endif
