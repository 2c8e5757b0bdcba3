/* What a run may ask of a broker that stands elsewhere: its hooks, in one list, so that whoever
 * goes through them (the scenario's keys, the permission to send, the calls) goes through all of
 * them.
 */
#ifndef FLEETSIM_HOOKS_H
#define FLEETSIM_HOOKS_H

#include <stdbool.h>

/* symbol, C name, which is also what a hook gets as FLEETSIM_ACTION, the key in a scenario, and what
   it has to do */
/* clang-format off */
#define HOOKS(X) \
  X(PRESENT,       present,       "present",       "puts FLEETSIM_CERT and FLEETSIM_KEY where the listener FLEETSIM_LISTENER reads them") \
  X(TRUST_CLIENTS, trust_clients, "trust-clients", "puts FLEETSIM_CLIENT_CA where the broker reads what it trusts client certificates by") \
  X(RELOAD,        reload,        "reload",        "lets the broker read its files again, sessions stay") \
  X(RESTART,       restart,       "restart",       "restarts the broker: every session ends") \
  X(PUBLISH_CRL,   publish_crl,   "publish-crl",   "puts FLEETSIM_CRL where the broker reads revocation lists") \
  X(KICK,          kick,          "kick",          "ends the open session of the client FLEETSIM_DEVICE") \
  X(RENEW_TOKEN,   renew_token,   "renew-token",   "puts a new token of the device FLEETSIM_DEVICE into the file FLEETSIM_TOKEN; what it prints is not kept")

/* What a hook is told: the variable of a command, the key of a URL's JSON, and what it is. */
#define HOOK_FACTS(X) \
  X("FLEETSIM_ACTION",    "action",    "which hook is called: present, trust_clients, reload, restart, publish_crl, kick, renew_token") \
  X("FLEETSIM_CERT",      "cert",      "file with the chain that is to be presented, PEM, leaf first") \
  X("FLEETSIM_KEY",       "key",       "file with its private key, PEM, 0600; empty for a chain of its owner's whose key the broker has") \
  X("FLEETSIM_CLIENT_CA", "client_ca", "file with the CAs that client certificates are trusted by, PEM") \
  X("FLEETSIM_LISTENER",  "listener",  "main, or prove: the second listener") \
  X("FLEETSIM_CRL",       "crl",       "file with the revocation lists, PEM, one after the other") \
  X("FLEETSIM_DEVICE",    "device",    "kick: the client id whose session is to end; renew_token: the device's name") \
  X("FLEETSIM_TOKEN",     "token",     "renew_token: the file that is to hold the device's new token, 0600")

/* The same of a command that signs a device's request. */
#define SIGNING_FACTS(X) \
  X("FLEETSIM_DEVICE", "the device's name") \
  X("FLEETSIM_CSR",    "file with its signing request, PEM, which is the command's input, too")
/* clang-format on */

enum hook_kind {
#define X(symbol, name, key, line) HOOK_##symbol,
  HOOKS(X)
#undef X
      HOOK_COUNT
};

const char *hook_key(enum hook_kind kind);    /* "trust-clients" */
const char *hook_action(enum hook_kind kind); /* "trust_clients" */
const char *hook_line(enum hook_kind kind);   /* what it has to do, for the manual */

/* Whether the hook is an http(s) URL, whatever the case of its scheme; a shell command
   otherwise. */
bool hook_is_url(const char *hook);

#endif
