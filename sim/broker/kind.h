/* A kind of broker: what the room asks of it, and the files that it goes by.
 *
 * A new kind is sim/broker/NAME.c with `const struct broker_ops broker_NAME` at its foot and a line
 * in BROKER_KINDS (base/broker_kinds.h); tests/unit/broker/test_kinds.c puts every kind through the
 * same life. One that runs as a child of ours has most of it from hosted.h, one that is asked by
 * hooks from hooks.c.
 *
 * Each operation with a `done` ends by calling it once, from the loop and never from inside the
 * call, with NULL or a sentence that says what to do; broker_later is for what is known at once,
 * tasks (internal.h) are for what takes time. What a kind cannot do, the scenario's reader has
 * refused by its traits; what it has no setting for, `open` refuses.
 */
#ifndef FLEETSIM_BROKER_KIND_H
#define FLEETSIM_BROKER_KIND_H

#include "broker/broker.h"

/* Names in the broker's folder, each shorter than BROKER_FILE_NAME_MAX. */
struct broker_names {
  const char *chain[BROKER_LISTENERS], *key[BROKER_LISTENERS];
  const char *material[BROKER_MATERIALS];
  const char *probe_chain, *probe_key, *device_chain, *device_key;
};

/* main.crt, main.key, prove.crt, prove.key, clients.crt, crl.pem, tickets.key, probe.crt,
   probe.key, 0-device.crt, 0-device.key and so on */
extern const struct broker_names broker_names_usual;

struct broker_ops {
  size_t own_size; /* bytes of broker->own, which begin as zeros and are freed with the broker */
  const struct broker_names *names;
  const char *log; /* name in the folder of what it, or its hooks, print */

  /* Checks broker->config; sets broker->version, port and address. -1: the broker is freed, without
     `close`. */
  int (*open)(struct broker *broker, struct error *error);

  /* Begins to end what it holds of the loop (broker->held, internal.h). NULL: it holds nothing. */
  void (*close)(struct broker *broker);

  bool (*running)(const struct broker *broker);
  broker_operation *start, *stop, *restart, *reload;
  broker_operation *kill, *freeze, *thaw; /* of an owned one; else NULL */

  /* The files of a listener, the CA file of clients, the CRLs are there: take them, where that
     needs more than a reload. NULL: it does not. */
  void (*presented)(struct broker *broker, enum broker_listener listener, broker_done done,
                    void *ctx);
  broker_operation *clients_trusted, *crl_published;

  void (*kick)(struct broker *broker, const struct broker_kick *kick, broker_done done, void *ctx);

  /* Of a hooked one; else NULL. */
  void (*renew_token)(struct broker *broker, const char *device, const char *path, broker_done done,
                      void *ctx);

  /* A new CA file of clients is read at its start only, not at a reload. NULL: never so. */
  bool (*trusts_at_start_only)(const struct broker *broker);
};

#define X(symbol, name, word, traits) extern const struct broker_ops broker_##name;
BROKER_KINDS(X)
#undef X

#endif
