/* What the files of this room share: the broker's struct, and tasks.
 *
 * Ownership on the loop, in three rules:
 *  1. Each operation under way is a task on the broker's list; it owns its own handles and is freed
 *     when they are closed.
 *  2. broker_close cancels every task; a cancelled task still calls its `done`, with
 *     EXIT_CODE_INTERRUPTED.
 *  3. The broker is freed when it is closing and the last task and what its kind holds are gone
 *     (broker_release).
 */
#ifndef FLEETSIM_BROKER_INTERNAL_H
#define FLEETSIM_BROKER_INTERNAL_H

#include "broker/broker.h"
#include "broker/dial.h"
#include "broker/front.h"
#include "broker/kind.h"
#include "child/child.h"
#include "net/curl_uv.h"

struct task {
  struct task *next;
  struct broker *broker;
  void (*cancel)(struct task *task);
};

#define BROKER_FILE_NAME_MAX 32 /* of a file in a broker's folder, with the slash and the end */

struct broker {
  uv_loop_t *loop;
  struct broker_config config;
  const struct broker_ops *ops;
  void *own; /* the kind's: ops->own_size bytes */
  /* with a file's name it has room in FILES_PATH_MAX */
  char folder[FILES_PATH_MAX - BROKER_FILE_NAME_MAX], keys[FILES_PATH_MAX - BROKER_FILE_NAME_MAX];
  char version[300];
  const char *address[BROKER_LISTENERS];
  uint16_t port[BROKER_LISTENERS];
  /* only with a handshake time-out or rate: what clients meet in the broker's place */
  struct front *front;
  struct curl_uv *curl; /* made with the first hook that is a URL */
  struct task *tasks;
  /* tasks, what its kind holds, the front and curl: what must be gone before it is freed */
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

/* A file of the kind's in its folder, and one that holds a secret in its folder for keys. */
void broker_file(const struct broker *broker, const char *name, char out[FILES_PATH_MAX]);
void broker_key_file(const struct broker *broker, const char *name, char out[FILES_PATH_MAX]);

/* hooks.c: runs a hook of the scenario's. */
void hook_run(struct broker *broker, enum hook_kind kind, enum broker_listener listener,
              broker_done done, void *ctx);

/* The same for one device, by its client id. */
void hook_run_on(struct broker *broker, enum hook_kind kind, enum broker_listener listener,
                 const char *device, const char *token, broker_done done, void *ctx);

/* What a command is told: a variable of its environment (the key of a URL's JSON), and its value. */
struct hook_fact {
  const char *variable, *key;
  char value[FILES_PATH_MAX];
};

/* The caller's plus the facts; strings of his are shared, the facts are made here and freed by the
 * second. What he has set of ours is left behind: it is of another run, and a shell takes the last
 * of two. */
char **hook_environment(const struct hook_fact *facts, size_t fact_count);
void hook_environment_free(char **all, size_t fact_count);

/* greet.c: takes the client's id over, which makes the broker end the older session. */
void broker_take_over(struct broker *broker, const struct broker_kick *kick, broker_done done,
                      void *ctx);

/* reach.c: waits for one TCP connection to each listener that the broker has. */
void reach_run(struct broker *broker, broker_done done, void *ctx);

#endif
