/* A temporary folder with a small fleet's PKI, and a loop: what the tests of brokers and of the
   operator stand on. */
#ifndef FLEETSIM_TEST_RIG_H
#define FLEETSIM_TEST_RIG_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "pki/pki.h"

enum { RIG_PATIENCE_MS = 20000, RIG_DEVICES = 3 };

struct outcome {
  unsigned calls;
  bool failed;
  struct error error;
  struct broker_seen seen;
};

struct rig {
  char folder[256], pki_folder[300], broker_folder[300];
  uv_loop_t loop;
  struct pki *pki;
  struct broker *broker;
  unsigned closed, deaths;
  char death[600];
};

static inline int rig_remove(const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st;
  (void) kind;
  (void) where;
  return remove(path);
}

static inline void rig_on_done(void *ctx, const struct error *error)
{
  struct outcome *outcome = ctx;
  outcome->calls++;
  outcome->failed = error != NULL;
  if (error != NULL) outcome->error = *error;
}

static inline void rig_on_seen(void *ctx, const struct broker_seen *seen, const struct error *error)
{
  struct outcome *outcome = ctx;
  rig_on_done(ctx, error);
  if (seen != NULL) outcome->seen = *seen;
}

static inline void rig_on_died(void *ctx, const char *how)
{
  struct rig *rig = ctx;
  rig->deaths++;
  snprintf(rig->death, sizeof rig->death, "%s", how);
}

static inline void rig_on_closed(void *ctx)
{
  ((struct rig *) ctx)->closed++;
}

/* Only so that uv_run comes back: what ends a wait may happen in a timer, before it polls. */
static inline void rig_on_beat(uv_timer_t *timer)
{
  (void) timer;
}

/* Runs the loop until *counter has reached `least`. */
static inline void rig_wait(struct rig *rig, const unsigned *counter, unsigned least)
{
  uv_timer_t beat;
  uv_timer_init(&rig->loop, &beat);
  uv_timer_start(&beat, rig_on_beat, 1, 5);
  uv_update_time(&rig->loop);
  uint64_t end_ms = uv_now(&rig->loop) + RIG_PATIENCE_MS;
  while (*counter < least && uv_now(&rig->loop) < end_ms) uv_run(&rig->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *) &beat, NULL);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  if (*counter < least) fail_msg("waited %d ms: got %u of %u", RIG_PATIENCE_MS, *counter, least);
}

/* Runs the loop for so long. */
static inline void rig_pass(struct rig *rig, uint64_t ms)
{
  uv_timer_t beat;
  uv_timer_init(&rig->loop, &beat);
  uv_timer_start(&beat, rig_on_beat, 1, 5);
  uv_update_time(&rig->loop);
  uint64_t end_ms = uv_now(&rig->loop) + ms;
  while (uv_now(&rig->loop) < end_ms) uv_run(&rig->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *) &beat, NULL);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static inline void rig_succeeds(struct rig *rig, struct outcome *outcome)
{
  rig_wait(rig, &outcome->calls, 1);
  if (outcome->failed) fail_msg("unexpected error: %s", outcome->error.text);
}

static inline void rig_fails(struct rig *rig, struct outcome *outcome, const char *words)
{
  rig_wait(rig, &outcome->calls, 1);
  if (!outcome->failed) fail_msg("succeeded, expected an error with: %s", words);
  if (strstr(outcome->error.text, words) == NULL)
    fail_msg("'%s' does not say '%s'", outcome->error.text, words);
}

static inline void rig_present(struct rig *rig, enum broker_listener listener, const char *root,
                               struct chain_prints *written)
{
  struct broker_pair files = broker_chain_place(rig->broker, listener);
  struct pki_chain chain = {.host = "localhost"};
  struct error error;
  snprintf(chain.root, sizeof chain.root, "%s", root);
  if (pki_write_broker_chain(rig->pki, &chain, files.certificate, files.key, written, &error) != 0)
    fail_msg("%s", error.text);
}

static inline void rig_trust_clients(struct rig *rig, const struct pki_roots *roots)
{
  char path[FILES_PATH_MAX];
  struct error error;
  broker_place(rig->broker, BROKER_CLIENT_CA, path);
  if (pki_write_client_ca(rig->pki, roots, path, &error) != 0) fail_msg("%s", error.text);
}

static inline struct broker_config rig_config(struct rig *rig)
{
  return (struct broker_config){.folder = rig->broker_folder,
                                .host = "localhost",
                                .operator_name = "operator",
                                .died = rig_on_died,
                                .ctx = rig};
}

static inline void rig_open_broker(struct rig *rig, const struct broker_config *config)
{
  static const struct pki_roots both = {2, {"A", "B"}};
  struct chain_prints written;
  struct error error;
  if (broker_open(&rig->loop, config, &rig->broker, &error) != 0) fail_msg("%s", error.text);
  rig_present(rig, BROKER_MAIN, "A", &written);
  rig_present(rig, BROKER_PROVE, "B", &written);
  rig_trust_clients(rig, &both);
}

static inline void rig_start_broker(struct rig *rig)
{
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  rig_open_broker(rig, &config);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
}

static inline void rig_close_broker(struct rig *rig)
{
  unsigned before = rig->closed;
  broker_close(rig->broker, rig_on_closed, rig);
  rig->broker = NULL;
  rig_wait(rig, &rig->closed, before + 1);
}

/* Writes device `index`'s certificate and key to INDEX.crt and INDEX.key. */
static inline void rig_export_device(struct rig *rig, size_t index)
{
  char certificate[400], key[400];
  struct error error;
  snprintf(certificate, sizeof certificate, "%s/%zu.crt", rig->folder, index);
  snprintf(key, sizeof key, "%s/%zu.key", rig->folder, index);
  if (pki_write_device(rig->pki, index, certificate, key, &error) != 0) fail_msg("%s", error.text);
}

static inline int rig_up(void **state)
{
  static const struct pki_roots both = {2, {"A", "B"}};
  struct rig *rig = calloc(1, sizeof *rig);
  struct error error;
  const char *base = getenv("TMPDIR");
  snprintf(rig->folder, sizeof rig->folder, "%s/fleetsim-XXXXXX", base != NULL ? base : P_tmpdir);
  if (mkdtemp(rig->folder) == NULL) return -1;
  snprintf(rig->pki_folder, sizeof rig->pki_folder, "%s/fleet", rig->folder);
  snprintf(rig->broker_folder, sizeof rig->broker_folder, "%s/the broker", rig->folder);
  if (pki_create(rig->pki_folder, &both, &rig->pki, &error) != 0 ||
      pki_add_devices(rig->pki, RIG_DEVICES, "B", &both, &error) != 0) {
    print_error("%s\n", error.text);
    return -1;
  }
  for (size_t i = 0; i < RIG_DEVICES; i++) rig_export_device(rig, i);
  uv_loop_init(&rig->loop);
  *state = rig;
  return 0;
}

static inline int rig_down(void **state)
{
  struct rig *rig = *state;
  if (rig->broker != NULL) rig_close_broker(rig);
  pki_close(rig->pki);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  int busy = uv_loop_close(&rig->loop);
  if (busy != 0) uv_print_all_handles(&rig->loop, stderr);
  nftw(rig->folder, rig_remove, 16, FTW_DEPTH | FTW_PHYS);
  free(rig);
  return busy;
}

static inline void rig_pause_ms(long ms)
{
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static inline bool rig_runs(pid_t pid)
{
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  size_t n = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  return n > 0 && strstr(text, ") Z ") == NULL;
}

/* Whether the process ends within 2 s: a killed one may still be on its way out. */
static inline bool rig_gone(pid_t pid)
{
  for (int i = 0; i < 100 && rig_runs(pid); i++) rig_pause_ms(20);
  return !rig_runs(pid);
}

/* A mosquitto client with device `index`'s identity, for at most 5 s; the exit code. The rest of
 * the command is given as printf would take it. */
static inline int rig_client(struct rig *rig, const char *program, size_t index, const char *format,
                             ...)
{
  char rest[600], command[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(rest, sizeof rest, format, arguments);
  va_end(arguments);
  snprintf(command, sizeof command,
           "timeout 5 %s -h localhost -p %u --cafile %s/operator-ca.crt --cert %s/%zu.crt --key "
           "%s/%zu.key -i %08x -q 1 %s >%s/client.out 2>%s/client.err",
           program, broker_port(rig->broker, BROKER_MAIN), rig->pki_folder, rig->folder, index,
           rig->folder, index, pki_device_id(rig->pki, index), rest, rig->folder, rig->folder);
  return system(command);
}

#endif
