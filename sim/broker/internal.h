/* What the files of this room share: the broker's struct, and tasks.
 *
 * Ownership on the loop, in three rules:
 *  1. Each operation under way is a task on the broker's list; it owns its own handles and is freed
 *     when they are closed.
 *  2. broker_close cancels every task; a cancelled task still calls its `done`, with
 *     EXIT_CODE_INTERRUPTED.
 *  3. The broker is freed when it is closing and the last task and the mosquitto child are gone
 *     (broker_release).
 */
#ifndef FLEETSIM_BROKER_INTERNAL_H
#define FLEETSIM_BROKER_INTERNAL_H

#include "broker/broker.h"
#include "broker/dial.h"
#include "broker/front.h"
#include "child/child.h"
#include "child/supervisor.h"
#include "net/curl_uv.h"

struct task {
  struct task *next;
  struct broker *broker;
  void (*cancel)(struct task *task);
};

#define MOSQUITTO_ARGUMENTS 16

/* The local child. */
struct mosquitto {
  struct supervisor_server kind;
  struct supervisor server;
  struct dial dial; /* while it is probed */
  enum broker_listener dialed;
  bool stops_dialing, unreachable;
  char why[FILES_PATH_MAX + 200]; /* it is unreachable */
  char conf[FILES_PATH_MAX], port[BROKER_LISTENERS][8];
  char *argument[MOSQUITTO_ARGUMENTS];
};

struct broker {
  uv_loop_t *loop;
  struct broker_config config;
  char folder[FILES_PATH_MAX];
  char mosquitto_path[FILES_PATH_MAX];
  char version[300];
  uint16_t port[BROKER_LISTENERS];
  struct mosquitto mosquitto;
  /* only with a handshake time-out or rate: what clients meet in mosquitto's place */
  struct front *front;
  struct curl_uv *curl; /* made with the first hook that is a URL */
  struct task *tasks;
  /* tasks, the child, the front and curl: what must be gone before the broker is freed */
  unsigned held;
  bool closing;
  void (*closed)(void *ctx);
  void *closed_ctx;
};

void broker_task_begin(struct broker *broker, struct task *task, void (*cancel)(struct task *task));

/* Off the list, so that it cannot be cancelled any more; the broker stays held until
   broker_release. */
void broker_task_end(struct task *task);
void broker_release(struct broker *broker);

/* Calls done(ctx, error) from the loop's next turn; `error` is copied and may be NULL. */
void broker_later(struct broker *broker, broker_done done, void *ctx, const struct error *error);

void mosquitto_init(struct broker *broker);
void mosquitto_start(struct broker *broker, broker_done done, void *ctx);
void mosquitto_stop(struct broker *broker, bool again, broker_done done, void *ctx);
void mosquitto_kill(struct broker *broker, broker_done done, void *ctx);

/* Sends SIGHUP, SIGSTOP or SIGCONT; `what` is the word for it in the sentence that refuses. */
void mosquitto_signal(struct broker *broker, int number, const char *what, broker_done done,
                      void *ctx);
void mosquitto_close(struct broker *broker);

/* mosquitto_files.c: mosquitto.conf and acl, the executables, the log. */
int mosquitto_find(struct broker *broker, struct error *error);
int mosquitto_write_files(const struct broker *broker, struct error *error);

/* The last lines that mosquitto begins with "Error: ", of what was logged after `start`, joined by
 * "; "; where there is none the last line of all, if it begins with "Warning: ", as a lack of
 * descriptors does; "" else. Its lines "OpenSSL Error" are left out: most come from clients that
 * were refused. */
void mosquitto_log_tail(const struct broker *broker, long start, char *out, size_t capacity);

/* Runs a remote broker's hook. */
void hook_run(struct broker *broker, enum hook_kind kind, enum broker_listener listener,
              broker_done done, void *ctx);

/* The same for one device, by its client id. */
void hook_run_on(struct broker *broker, enum hook_kind kind, enum broker_listener listener,
                 const char *device, broker_done done, void *ctx);

/* greet.c: takes the client's id over at the local mosquitto. */
void broker_kick_run(struct broker *broker, const struct broker_kick *kick, broker_done done,
                     void *ctx);

/* Waits for one TCP connection to each listener that the remote broker has. */
void reach_run(struct broker *broker, broker_done done, void *ctx);

#endif
