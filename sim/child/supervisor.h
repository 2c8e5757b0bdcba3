/* A server that runs as a child: started, asked until it answers, stopped, and told of when it
 * ended by itself.
 *
 *     STOPPED  -> start: `prepare` gives the command, the child is spawned -> STARTING
 *     STARTING -> `probe` asks it, until supervisor_probed says that it answers -> RUNNING
 *     STARTING, RUNNING -> stop, restart, kill, or a probe that fails -> ENDING -> the child is
 *                          gone -> STOPPED, or started once more
 *
 * A port that was picked and that somebody has taken since is picked anew, a few times; one that
 * was given is an error. What the server prints goes to NAME.log in its folder.
 *
 * Every operation ends by calling `done` once, never from inside a call, with NULL or with an
 * error that says what to do; one that another takes the place of ends with
 * EXIT_CODE_INTERRUPTED.
 */
#ifndef FLEETSIM_SUPERVISOR_H
#define FLEETSIM_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "child/child.h"

enum supervisor_state {
  SUPERVISOR_STOPPED,
  SUPERVISOR_STARTING,
  SUPERVISOR_RUNNING,
  SUPERVISOR_ENDING
};

typedef void (*supervisor_done)(void *ctx, const struct error *error);

/* What differs from one kind of server to another. It, and what it points to, outlives the
   supervisor; `server` is handed to each of the functions, and all come from the loop or from
   inside supervisor_start. */
struct supervisor_server {
  const char *name;   /* "mosquitto", in sentences and in front of .log */
  const char *folder; /* the server's working directory */

  const uint16_t *asked; /* its ports as they were asked for; 0: picked */
  uint16_t *port;        /* the same, as they are */
  size_t ports;
  bool ports_stay;         /* once it has been running its ports are known to others */
  const char *ports_where; /* where another may be set: "in the scenario" */
  const char *interrupted; /* the sentence to who waited when something else was asked for */

  /* Writes its files; the command, NULL-terminated, with its absolute path first, which lives
     until the next call. NULL with an error: it is not started. */
  char *const *(*prepare)(void *server, struct error *error);

  /* It has been spawned: ask until it answers, then call supervisor_probed, once, not from inside
     this. */
  void (*probe)(void *server);

  /* Ask no more: supervisor_probed comes next, from inside this or later. */
  void (*probe_stop)(void *server);

  /* Why it ended, from what it has logged since byte `start`; "" where it says nothing. */
  void (*log_words)(void *server, long start, char *out, size_t capacity);

  /* What stands after an exit code that log_words does not explain; NULL: no words follow one. */
  const char *unexplained;

  void (*answers)(void *server);               /* it has begun to; may be NULL */
  void (*gone)(void *server);                  /* its process has ended; may be NULL */
  void (*died)(void *server, const char *how); /* without being asked to */
  bool closes_silently;                        /* who waits when it is closed is not told */
  void *server;
};

/* Part of its owner's struct; read `state` and `child`, change nothing. */
struct supervisor {
  uv_loop_t *loop;
  const struct supervisor_server *kind;
  enum supervisor_state state;
  struct child child;
  uv_timer_t kill_timer;
  bool child_open, probing, probe_ending;
  bool again;    /* start once more as soon as the child is gone */
  bool has_been; /* it was running once */
  bool failed, closing;
  unsigned picks_left; /* how often ports may still be picked anew during this start */
  long log_start;      /* size of the log before this child wrote to it */
  supervisor_done done;
  void *ctx;
  struct error error;
  char ended[600]; /* how it ended, for `died`; the same in numbers, one of them 0 */
  int exit_status, exit_signal;
  unsigned held; /* the timer, the child and calls to come: what must be gone before `closed` */
  void (*closed)(void *ctx);
  void *closed_ctx;
};

void supervisor_init(struct supervisor *s, uv_loop_t *loop, const struct supervisor_server *kind);

/* Only where it is STOPPED and nothing is under way. */
void supervisor_start(struct supervisor *s, supervisor_done done, void *ctx);

/* SIGTERM, SIGKILL after 5 s; `done` when it is gone, or with `again` when it answers anew. */
void supervisor_stop(struct supervisor *s, bool again, supervisor_done done, void *ctx);

/* SIGKILL; `died` is not called. */
void supervisor_kill(struct supervisor *s, supervisor_done done, void *ctx);

/* Whether it runs, and its child has not ended yet: who wants to kill or signal it asks first. */
bool supervisor_is_up(const struct supervisor *s);

/* What `probe` has come to. NULL: the server answers, or probe_stop was called; else the sentence
   why there is no use in asking it any more, and it is killed. */
void supervisor_probed(struct supervisor *s, const char *sentence);

/* Kills what still runs; `died` does not come any more, who waits is interrupted. `closed` comes
   from the loop, and the storage is free then. */
void supervisor_close(struct supervisor *s, void (*closed)(void *ctx), void *ctx);

#endif
