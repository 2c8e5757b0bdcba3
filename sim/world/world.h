/* The outside as a run sees it: its clock, wall time, entropy, names, threads, terminal,
 * connections, and the loop that it turns until something has happened.
 *
 * A run is straight-line code on one thread, which turns the loop where it waits; all callbacks
 * come from inside a turn, on that thread, one after the other. Nothing of sim/run, sim/steps and
 * sim/stage reads a clock or turns a loop but through this header, so a run can be had in virtual
 * time: world_uv.h is this machine, on libuv; another implementation fills in `ops` and puts a
 * `struct world` first in its own struct.
 *
 *     open -> world_watch -> turn, turn, ... -> world_settle -> close
 *
 * Opening and closing are the implementation's own. What fails inside has no callback: each
 * function says how it tells.
 */
#ifndef FLEETSIM_WORLD_H
#define FLEETSIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/terminal.h"

struct backend;          /* net/backend.h */
struct sockaddr_storage; /* <sys/socket.h> */
struct uv_loop_s;        /* libuv's, where the world is on it */

/* What a run wants to hear of; called with `ctx` of world_watch. None may turn the loop. */
struct world_watcher {
  /* every `beat_ms`, for the first time in the first turn; a beat that is late does not come
   * twice */
  void (*beat)(void *ctx);
  /* after world_wake: once for one call or several, as soon as the loop turns */
  void (*woken)(void *ctx);
  /* somebody wants the process ended: a signal's number (SIGINT, SIGTERM and the like). Comes again
   * for each further one. */
  void (*interrupted)(void *ctx, int signal);
  /* how long the callbacks of one turn have kept all its connections waiting: once a turn while
   * world_measure_delay is on, or never where that has no meaning */
  void (*delayed)(void *ctx, uint64_t delay_ms);
};

struct world {
  const struct world_ops *ops;
};

/* What this process takes up of its machine; 0: the system does not say. */
struct world_usage {
  double cpu_s;            /* user and system, since it began */
  uint64_t resident_bytes; /* of physical memory, at present */
  uint64_t peak_bytes;     /* the most of that */
};

/* Members are as the functions of their names below. */
struct world_ops {
  const char *(*loop_version)(const struct world *world);
  uint64_t (*now_ms)(const struct world *world);
  uint64_t (*now_us)(const struct world *world);
  int64_t (*unix_ms)(const struct world *world);
  int (*random)(struct world *world, void *out, size_t size, struct error *error);
  size_t (*resolve)(struct world *world, const char *host, uint16_t port,
                    struct sockaddr_storage *out, size_t room, const char **why);
  int (*work)(struct world *world, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx);
  void (*usage)(const struct world *world, struct world_usage *out);
  void (*watch)(struct world *world, const struct world_watcher *watcher, uint32_t beat_ms,
                void *ctx);
  void (*measure_delay)(struct world *world, bool on);
  void (*wake)(struct world *world);
  void (*turn)(struct world *world, bool wait);
  bool (*settle)(struct world *world, uint64_t within_ms);
  int (*ask)(struct world *world, void (*answered)(void *ctx), void *ctx);
  void (*stop_asking)(struct world *world);
  bool (*terminal)(const struct world *world, int descriptor, struct terminal *out);
  struct backend *(*backend)(struct world *world);
  struct uv_loop_s *(*loop)(struct world *world);
};

/* --- Time and chance -------------------------------------------------------------------------- */

/* Monotonic, as of this turn of the loop: it stands still between two turns. The zero is any. */
uint64_t world_now_ms(const struct world *world);

/* The same clock, read now. From any thread. */
uint64_t world_now_us(const struct world *world);

/* Wall clock, seconds and milliseconds since 1970. From any thread. */
int64_t world_unix_s(const struct world *world);
int64_t world_unix_ms(const struct world *world);

/* Bytes that nobody can guess: they may become a key. 0, or -1 with a sentence
 * (EXIT_CODE_SETUP). */
int world_random(struct world *world, void *out, size_t size, struct error *error);

/* --- Names and threads ------------------------------------------------------------------------ */

/* Where a name or an address in text leads: at most `room` of its addresses, with the port, best
 * first. Does not return before it knows. 0: nowhere, and `*why`, which is not to be freed, says
 * why. */
size_t world_resolve(struct world *world, const char *host, uint16_t port,
                     struct sockaddr_storage *out, size_t room, const char **why);

/* Calls work(ctx) on another thread, once; then done(ctx) comes from a turn of the loop, never
 * from inside this call. What is begun cannot be taken back: turn until it is done. 0, or -1: no
 * thread or memory, and neither is called. */
int world_work(struct world *world, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx);

/* --- This process ----------------------------------------------------------------------------- */

void world_usage(const struct world *world, struct world_usage *out);

/* --- The loop --------------------------------------------------------------------------------- */

/* From here on the watcher hears, until world_settle. Called once; `watcher` and `ctx` outlive the
 * world. Signals that would end the process without results are the watcher's from here on. */
void world_watch(struct world *world, const struct world_watcher *watcher, uint32_t beat_ms,
                 void *ctx);

/* From here on `delayed` is called, or no more; it is not until it is asked for. */
void world_measure_delay(struct world *world, bool on);

/* `woken` is called soon. From any thread, from inside callbacks too; does nothing once the
 * world has settled. */
void world_wake(struct world *world);

/* One turn: with `wait` until something has happened (the beat at the latest, where there is
 * one), else only what is due already. Calls back for all that is due. */
void world_turn(struct world *world, bool wait);

/* The end: the watcher hears nothing more, the backend is gone (all its connections have been
 * released), and the loop is turned until nothing is under way. False: something still is after
 * `within_ms`; it may call back and write to what it was given, so nothing of that may be freed.
 * Once true, it may be closed. */
bool world_settle(struct world *world, uint64_t within_ms);

/* Of what turns the loop, for results: "1.44.2". */
const char *world_loop_version(const struct world *world);

/* --- The terminal ----------------------------------------------------------------------------- */

/* Waits for somebody to press Enter: answered(ctx) comes from a turn, once, then or at the end
 * of the input. One at a time. 0, or -1: there is no terminal, and it does not come. */
int world_ask(struct world *world, void (*answered)(void *ctx), void *ctx);

/* After world_ask, whether it was answered or not: nothing comes any more. May turn the loop. */
void world_stop_asking(struct world *world);

/* Whether output or errors (STDOUT_FILENO, STDERR_FILENO) go to a terminal that may be painted on,
 * and its size. */
bool world_terminal(const struct world *world, int descriptor, struct terminal *out);

/* --- What is beyond it ------------------------------------------------------------------------ */

/* Connections of devices; the world's, until world_settle. NULL: memory is short. */
struct backend *world_backend(struct world *world);

/* For rooms below the stage that are on libuv themselves (brokers, downloads, servers): their
 * loop. A caller hands it on and never looks inside. A world that is not on libuv gives what
 * such rooms' substitutes take for theirs. */
struct uv_loop_s *world_loop(struct world *world);

#endif
