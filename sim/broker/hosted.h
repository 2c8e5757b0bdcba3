/* What every broker that runs as a child of ours has in common: two ports on 127.0.0.1, the gate
 * before them (front.h), a supervisor (child/supervisor.h) that starts, stops and kills it, and
 * signals; what it logs tells when it has reloaded. It answers once both ports, dialed in turn, take
 * a connection.
 *
 * A kind that is hosted has a struct of its own that begins with a struct hosted, names most of
 * these functions as its operations, and says in a struct hosted_program what it is started with.
 */
#ifndef FLEETSIM_HOSTED_H
#define FLEETSIM_HOSTED_H

#include "broker/dial.h"
#include "broker/kind.h"
#include "child/supervisor.h"

/* What differs from one program to another; outlives the broker. */
struct hosted_program {
  const char *name; /* "mosquitto", in sentences; what it prints goes to NAME.log */

  /* As the supervisor's: writes its files and gives its command. The ports may have been picked
     anew since. */
  char *const *(*prepare)(struct broker *broker, struct error *error);

  /* Why it ended, from what it has logged since byte `start`; "" where it says nothing. */
  void (*log_words)(const struct broker *broker, long start, char *out, size_t capacity);

  /* Name in the folder of the log in which it says that it has reloaded, and whether a line of that
     does: who connects after it was written meets what the files held then. */
  const char *(*reload_log)(const struct broker *broker);
  bool (*says_reloaded)(const struct broker *broker, const char *line);
};

struct hosted {
  struct broker *broker;
  const struct hosted_program *program;
  struct supervisor_server kind;
  struct supervisor server;
  struct dial dial; /* while it is probed */
  enum broker_listener dialed;
  bool stops_dialing, unreachable;
  char why[FILES_PATH_MAX + 200]; /* it is unreachable */
  char interrupted[96];           /* as the supervisor's */
};

/* The last part of the kind's `open`: picks what ports were not given, opens the gate where the
   configuration asks for one. */
int hosted_open(struct broker *broker, const struct hosted_program *program, struct error *error);

/* Operations of a kind, as they stand. */
void hosted_close(struct broker *broker);
bool hosted_running(const struct broker *broker); /* a frozen one runs */
void hosted_start(struct broker *broker, broker_done done, void *ctx);
void hosted_stop(struct broker *broker, broker_done done, void *ctx);
void hosted_restart(struct broker *broker, broker_done done, void *ctx);
void hosted_kill(struct broker *broker, broker_done done, void *ctx);
void hosted_freeze(struct broker *broker, broker_done done, void *ctx);
void hosted_thaw(struct broker *broker, broker_done done, void *ctx);

/* SIGHUP, and its log says within 60 s that it has reloaded (hosted_reload.c). */
void hosted_reload(struct broker *broker, broker_done done, void *ctx);

/* `done` with the sentence that it cannot do this because it is not running. */
void hosted_refuse(struct broker *broker, const char *what, broker_done done, void *ctx);

/* Of a hosted kind's broker; its process is in `server.child`. */
struct hosted *hosted_of(const struct broker *broker);

#endif
