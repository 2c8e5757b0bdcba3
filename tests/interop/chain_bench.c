#include "chain_bench.h"

#include <openssl/ssl.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/platform.h"
#include "fleetsim/nvm.h"
#include "gauntlet/act.h"
#include "gauntlet/own_page.h"

#define DEVICE    "chain-matrix"
#define TURNS_MAX 64
#define OUT_SIZE  16384

struct bench {
  const struct gauntlet_case *c;
  struct chain_verdict *verdict;
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  uint8_t out[OUT_SIZE];
  void *device;
  struct act act;
  SSL *server;
  bool ended;
};

/* --- The device's body ------------------------------------------------------------------------ */

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  struct bench *bench = ctx;
  if (size > sizeof bench->page || offset > sizeof bench->page - size) return -1;
  memcpy(out, bench->page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  struct bench *bench = ctx;
  if (size > sizeof bench->page || offset > sizeof bench->page - size) return -1;
  memcpy(bench->page + offset, data, size);
  return 0;
}

static int next_random(void *ctx, uint8_t *out, size_t size)
{
  static uint32_t x = 2463534242u;
  (void) ctx;
  for (size_t i = 0; i < size; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    out[i] = (uint8_t) x;
  }
  return 0;
}

static void conclude(struct bench *bench, const char *name)
{
  if (bench->ended) return;
  bench->ended = true;
  snprintf(bench->verdict->name, sizeof bench->verdict->name, "%s", name);
}

/* A chain is accepted when the handshake is done: the device has then sent its Finished. */
static void observe(void *ctx, const struct device_note *note)
{
  struct bench *bench = ctx;
  if (bench->ended) return;
  if (note->kind == DEVICE_NOTE_HANDSHAKE)
    conclude(bench, note->resumed ? "bench: resumed" : "accept");
  if (note->kind != DEVICE_NOTE_ENDED) return;
  bench->verdict->flags = note->verify_flags;
  bench->verdict->tls_error = note->tls_error;
  bench->verdict->alert = note->alert;
  conclude(bench, device_failure_name(note->failure));
}

static struct device_host host_of(struct bench *bench)
{
  return (struct device_host){.ctx = bench,
                              .random = next_random,
                              .nvm_read = read_page,
                              .nvm_write = write_page,
                              .observe = observe};
}

/* --- What is flashed: identity, certificate, trust -------------------------------------------- */

static X509 *make_certificate(EVP_PKEY *key)
{
  X509 *x509 = X509_new();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                             (const unsigned char *) DEVICE, -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  ASN1_TIME_set_string(X509_getm_notBefore(x509), "19700101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(x509), "20991231235959Z");
  X509_set_pubkey(x509, key);
  if (X509_sign(x509, key, EVP_sha256()) > 0) return x509;
  X509_free(x509);
  return NULL;
}

/* A device that refuses the bundle never sees the broker. */
static void flash(struct bench *bench)
{
  X509 *anchors[CASE_NAMES_MAX];
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = key != NULL ? make_certificate(key) : NULL;
  struct device_host host = host_of(bench);
  enum device_update update = DEVICE_UPDATE_COUNT;
  for (size_t i = 0; i < bench->c->trusts.count; i++)
    anchors[i] = act_certificate(&bench->act, bench->c->trusts.name[i]);
  if (certificate != NULL)
    update = own_page_flash(&host, DEVICE, key, certificate, anchors, bench->c->trusts.count);
  if (update == DEVICE_UPDATE_COUNT) {
    conclude(bench, "bench: the device cannot be flashed");
  } else if (update != DEVICE_UPDATE_COMMITTED) {
    char text[64];
    snprintf(text, sizeof text, "update %s", device_update_name(update));
    conclude(bench, text);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
}

static void start_server(struct bench *bench)
{
  bench->server = SSL_new(bench->act.context);
  SSL_set_bio(bench->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(bench->server);
}

/* --- The wire between the two ----------------------------------------------------------------- */

static void step(struct bench *bench, struct device_event *event)
{
  struct device_effects effects = {.out = bench->out, .out_capacity = sizeof bench->out};
  event->now_ms = 1000;
  event->unix_s = bench->c->clock_unix_s;
  device_builtin.step(bench->device, event, &effects);
  if (effects.out_size) BIO_write(SSL_get_rbio(bench->server), effects.out, (int) effects.out_size);
}

/* Lets the server speak and hands what it says to the device. False when it had nothing to say. */
static bool take_turn(struct bench *bench)
{
  uint8_t scratch[256], wire[4096];
  (void) SSL_read(bench->server, scratch, sizeof scratch);
  bool spoke = false;
  for (int n;
       !bench->ended && (n = BIO_read(SSL_get_wbio(bench->server), wire, sizeof wire)) > 0;) {
    struct device_event event = {.kind = DEVICE_BYTES, .bytes = {.data = wire, .size = (size_t) n}};
    step(bench, &event);
    spoke = true;
  }
  return spoke;
}

static void connect_device(struct bench *bench)
{
  struct device_event start = {.kind = DEVICE_START, .start = {.full_handshake = true}};
  struct device_event opened = {.kind = DEVICE_OPENED};
  step(bench, &start);
  step(bench, &opened);
  for (int turn = 0; turn < TURNS_MAX && !bench->ended; turn++)
    if (!take_turn(bench)) break;
  conclude(bench, "stalled");
}

static void run_device(struct bench *bench, int tls)
{
  const struct device_profile profile = {.name = "chain matrix",
                                         .tls_min = (uint8_t) tls,
                                         .tls_max = (uint8_t) tls,
                                         .mqtt_version = 5,
                                         .tcp_timeout_ms = 1000,
                                         .handshake_timeout_ms = 1000,
                                         .connack_timeout_ms = 1000,
                                         .ack_timeout_ms = 1000,
                                         .byte_budget = 65536};
  const struct device_endpoint endpoint = {.host = bench->c->host};
  const struct device_config config = {
      .profile = &profile, .endpoints = &endpoint, .endpoint_count = 1, .host = host_of(bench)};
  bench->device = malloc(device_builtin.storage_size(&profile));
  if (bench->device && device_builtin.create(bench->device, &config) == 0) {
    connect_device(bench);
    device_builtin.destroy(bench->device);
  } else {
    conclude(bench, "bench: the device does not boot");
  }
  free(bench->device);
}

void chain_bench(const struct gauntlet_case *c, int tls, struct chain_verdict *out)
{
  struct bench *bench = calloc(1, sizeof *bench);
  struct error error = {0};
  *out = (struct chain_verdict){.name = "bench: out of memory"};
  if (!bench) return;
  bench->c = c;
  bench->verdict = out;
  struct device_host host = host_of(bench);
  struct device_platform platform = {.host = &host, .unix_s = c->clock_unix_s};
  if (act_open(&bench->act, c, (uint8_t) tls, NULL, &error) != 0) {
    print_error("%s\n", error.text);
    conclude(bench, "bench: OpenSSL does not serve it");
  }
  device_platform_enter(&platform);
  if (psa_crypto_init() != PSA_SUCCESS) conclude(bench, "bench: PSA does not start");
  if (!bench->ended) flash(bench);
  device_platform_leave();
  if (!bench->ended) start_server(bench);
  if (!bench->ended) run_device(bench, tls);
  SSL_free(bench->server);
  act_close(&bench->act);
  free(bench);
}
