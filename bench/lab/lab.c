#define _GNU_SOURCE
#include "lab/lab.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/preflight.h"
#include "pki/pki.h"

#define CA_MAX           (64u * 1024u)
#define CLOSE_MS         8000u
#define BYTES_PER_DEVICE (128u * 1024u) /* of the client with the most and of the broker */

static volatile sig_atomic_t interrupted; /* a handler has no other place to write to */

static void on_signal(int number)
{
  (void) number;
  interrupted = 1;
}

/* No SA_RESTART: a wait must notice. A write to a client that has ended must fail, not end us. */
static void heed_signals(void)
{
  struct sigaction end = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGHUP, &end, NULL);
  sigaction(SIGPIPE, &ignore, NULL);
}

int lab_interrupted(struct error *error)
{
  return interrupted ? error_set(error, EXIT_CODE_INTERRUPTED, "interrupted: nothing was written")
                     : 0;
}

int lab_make_folder(struct lab *lab, struct error *error)
{
  char path[FILES_PATH_MAX];
  const char *base = getenv("TMPDIR");
  heed_signals();
  if (files_join(path, base != NULL ? base : P_tmpdir, "fleetsim-bench-XXXXXX", error) != 0)
    return -1;
  if (mkdtemp(path) == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot make %s: %s; set TMPDIR to a folder that can be written", path,
                     strerror(errno));
  strcpy(lab->folder, path);
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
  (void) st;
  (void) kind;
  (void) where;
  return remove(path);
}

static int write_peer(const struct lab *lab, struct pki *pki, size_t index, struct error *error)
{
  char id[DEVICE_ID_TEXT], certificate[FILES_PATH_MAX + 16], key[FILES_PATH_MAX + 16];
  device_id_text(pki_device_id(pki, index), id);
  snprintf(certificate, sizeof certificate, "%s/%s.crt", lab->peers, id);
  snprintf(key, sizeof key, "%s/%s.key", lab->peers, id);
  return pki_write_device(pki, index, certificate, key, error);
}

/* Both roots are in the file by which the back office knows brokers. */
static int write_peers_ca(const struct lab *lab, struct error *error)
{
  char from[FILES_PATH_MAX], to[FILES_PATH_MAX];
  uint8_t *text = NULL;
  size_t size = 0;
  if (files_join(from, lab->fleet, "operator-ca.crt", error) != 0 ||
      files_join(to, lab->peers, "ca.crt", error) != 0 ||
      files_read(from, CA_MAX, &text, &size, error) != 0)
    return -1;
  int status = files_write(to, text, size, 0644, error);
  free(text);
  return status;
}

static int export_peers(const struct lab *lab, struct pki *pki, size_t peers, struct error *error)
{
  if (files_make_folder(lab->peers, 0700, error) != 0 || write_peers_ca(lab, error) != 0) return -1;
  for (size_t i = 0; i < peers; i++)
    if (write_peer(lab, pki, i, error) != 0 || lab_interrupted(error) != 0) return -1;
  return 0;
}

static int write_broker_files(const struct lab *lab, struct pki *pki, struct error *error)
{
  const struct pki_chain chain = {.root = "A", .host = LAB_HOST};
  char clients[FILES_PATH_MAX];
  broker_place(lab->broker, BROKER_CLIENT_CA, clients);
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    struct broker_pair files = broker_chain_place(lab->broker, (enum broker_listener) l);
    struct chain_prints written;
    if (pki_write_broker_chain(pki, &chain, files.certificate, files.key, &written, error) != 0)
      return -1;
  }
  return pki_write_client_ca(pki, pki_roots(pki), clients, error);
}

/* All that needs the fleet's folder: it is open once at a time, and the clients come next. */
static int make_fleet(struct lab *lab, size_t devices, size_t peers, struct error *error)
{
  static const struct pki_roots roots = {2, {"A", "spare"}};
  struct pki *pki = NULL;
  if (pki_create(lab->fleet, &roots, &pki, error) != 0) return -1;
  int status = pki_add_devices(pki, devices, "A", &roots, error);
  if (status == 0) status = export_peers(lab, pki, peers, error);
  if (status == 0) status = write_broker_files(lab, pki, error);
  pki_close(pki);
  return status;
}

static void on_died(void *ctx, const char *how)
{
  struct lab *lab = ctx;
  snprintf(lab->broker_died, sizeof lab->broker_died, "%s", how);
}

static int open_broker(struct lab *lab, struct error *error)
{
  char folder[FILES_PATH_MAX];
  if (files_join(folder, lab->folder, "broker", error) != 0) return -1;
  if (uv_loop_init(&lab->loop) != 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot make an event loop");
  lab->loop_open = true;
  struct broker_config config = {.folder = folder, .host = LAB_HOST, .died = on_died, .ctx = lab};
  return broker_open(&lab->loop, &config, &lab->broker, error);
}

struct started {
  bool ended, failed;
  struct error error;
};

static void on_started(void *ctx, const struct error *error)
{
  struct started *started = ctx;
  started->ended = true;
  started->failed = error != NULL;
  if (error != NULL) started->error = *error;
}

/* broker_start has its own deadline, by the loop's clock: that stood still while the fleet was
   made. */
static int start_broker(struct lab *lab, struct error *error)
{
  struct started started = {.ended = false};
  uv_update_time(&lab->loop);
  broker_start(lab->broker, on_started, &started);
  while (!started.ended) uv_run(&lab->loop, UV_RUN_ONCE);
  if (started.failed) *error = started.error;
  return started.failed ? -1 : 0;
}

int lab_open(struct lab *lab, size_t devices, size_t peers, struct error *error)
{
  struct preflight_need need = {
      .devices = devices, .bytes_per_device = BYTES_PER_DEVICE, .loopback = true};
  if (preflight(&need, error) != 0 || lab_make_folder(lab, error) != 0 ||
      files_join(lab->fleet, lab->folder, "fleet", error) != 0 ||
      files_join(lab->peers, lab->folder, "peers", error) != 0 || open_broker(lab, error) != 0 ||
      make_fleet(lab, devices, peers, error) != 0)
    return -1;
  return start_broker(lab, error) != 0 ? -1 : lab_check(lab, error);
}

int lab_check(struct lab *lab, struct error *error)
{
  uv_run(&lab->loop, UV_RUN_NOWAIT);
  if (lab_interrupted(error) != 0) return -1;
  if (broker_running(lab->broker)) return 0;
  return error_set(error, EXIT_CODE_SETUP, "%s; start the bench again", lab->broker_died);
}

static void set_flag(void *flag)
{
  *(bool *) flag = true;
}

static void close_broker(struct lab *lab)
{
  bool closed = false;
  broker_close(lab->broker, set_flag, &closed);
  uint64_t until_ms = uv_now(&lab->loop) + CLOSE_MS;
  while (!closed && uv_now(&lab->loop) < until_ms) uv_run(&lab->loop, UV_RUN_ONCE);
  lab->broker = NULL;
}

void lab_close(struct lab *lab)
{
  if (lab->broker != NULL) close_broker(lab);
  if (lab->loop_open) {
    uv_run(&lab->loop, UV_RUN_NOWAIT);
    uv_loop_close(&lab->loop);
    lab->loop_open = false;
  }
  if (lab->folder[0] != '\0') nftw(lab->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  lab->folder[0] = '\0';
}
