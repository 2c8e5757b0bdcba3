#include "chain_bench.h"

#include <openssl/ssl.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/identity.h"
#include "device/platform.h"
#include "device/trust.h"

#define DEVICE_ID  0xa1fu
#define TURNS_MAX  64
#define OUT_SIZE   16384
#define TRUST_SIZE (DEVICE_NVM_TRUST_MAX + 1024)

struct bench {
  const struct gauntlet_case *c;
  struct chain_verdict *verdict;
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  uint8_t out[OUT_SIZE];
  void *device;
  SSL_CTX *context;
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

static EVP_PKEY *make_p256(uint8_t scalar[32], uint8_t point[65])
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  BIGNUM *d = NULL;
  size_t size = 0;
  bool ok = key && EVP_PKEY_get_bn_param(key, "priv", &d) && BN_bn2binpad(d, scalar, 32) == 32 &&
            EVP_PKEY_get_octet_string_param(key, "pub", point, 65, &size) && size == 65;
  BN_clear_free(d);
  if (ok) return key;
  EVP_PKEY_free(key);
  return NULL;
}

static bool flash_certificate(struct bench *bench, EVP_PKEY *key,
                              const struct device_nvm_identity *identity)
{
  char cn[DEVICE_ID_TEXT];
  device_id_text(identity->id, cn);
  X509 *x509 = X509_new();
  unsigned char *der = NULL;
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (unsigned char *) cn,
                             -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  ASN1_TIME_set_string(X509_getm_notBefore(x509), "19700101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(x509), "20991231235959Z");
  X509_set_pubkey(x509, key);
  X509_sign(x509, key, EVP_sha256());
  int size = i2d_X509(x509, &der);
  X509_free(x509);
  if (size <= 0) return false;

  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  struct device_chain one = {.count = 1, .certificate = {{.der = der, .size = (uint16_t) size}}};
  size_t chain_size = device_chain_encode(&one, chain, sizeof chain);
  OPENSSL_free(der);
  struct device_host host = host_of(bench);
  return device_identity_update(&host, identity, chain, chain_size) == DEVICE_UPDATE_COMMITTED;
}

/* OpenSSL signs in DER; a bundle carries r||s. */
static bool sign(EVP_PKEY *key, const uint8_t *data, size_t size, uint8_t out[64])
{
  uint8_t der[80];
  size_t der_size = sizeof der;
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  bool ok = md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
            EVP_DigestSign(md, der, &der_size, data, size) == 1;
  EVP_MD_CTX_free(md);
  const uint8_t *p = der;
  ECDSA_SIG *signature = ok ? d2i_ECDSA_SIG(NULL, &p, (long) der_size) : NULL;
  ok = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) == 32 &&
       BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) == 32;
  ECDSA_SIG_free(signature);
  return ok;
}

static size_t make_bundle(const struct gauntlet_case *c, const struct mint *mint, EVP_PKEY *key,
                          uint8_t out[TRUST_SIZE])
{
  struct device_trust_bundle bundle = {.version = 1, .anchor_count = (uint8_t) c->trusts.count};
  unsigned char *der[DEVICE_ANCHORS_MAX] = {0};
  for (size_t i = 0; i < c->trusts.count && i < DEVICE_ANCHORS_MAX; i++) {
    bundle.anchor[i].size =
        (uint16_t) i2d_X509(mint->x509[case_find(c, c->trusts.name[i])], &der[i]);
    bundle.anchor[i].der = der[i];
  }
  size_t size = device_trust_encode(&bundle, out, TRUST_SIZE - DEVICE_TRUST_SIGNATURE_SIZE);
  for (size_t i = 0; i < DEVICE_ANCHORS_MAX; i++) OPENSSL_free(der[i]);
  return size && sign(key, out, size, out + size) ? size + DEVICE_TRUST_SIGNATURE_SIZE : 0;
}

/* The bundle goes the way of every bundle: a device that refuses it never sees the broker. */
static void flash(struct bench *bench, const struct mint *mint)
{
  struct device_nvm_identity identity = {.id = DEVICE_ID};
  uint8_t unused[65], bundle[TRUST_SIZE], update_scalar[32];
  struct device_host host = host_of(bench);
  EVP_PKEY *key = make_p256(identity.private_key, unused),
           *update = make_p256(update_scalar, identity.update_key);
  device_nvm_name_identity(&identity);
  if (!key || !update || device_nvm_format(&host, &identity) != 0 ||
      !flash_certificate(bench, key, &identity)) {
    conclude(bench, "bench: the device cannot be flashed");
  } else {
    uint32_t version;
    size_t size = make_bundle(bench->c, mint, update, bundle);
    enum device_update update_verdict = device_trust_update(
        &host, identity.update_key, DEVICE_REVOCATION_HELD, 0, bundle, size, &version);
    char text[64];
    snprintf(text, sizeof text, "update %s", device_update_name(update_verdict));
    if (update_verdict != DEVICE_UPDATE_COMMITTED) conclude(bench, text);
  }
  EVP_PKEY_free(key);
  EVP_PKEY_free(update);
}

/* --- The broker ------------------------------------------------------------------------------- */

static int accept_any_device(int ok, X509_STORE_CTX *store)
{
  (void) ok, (void) store;
  return 1;
}

static bool present(SSL_CTX *context, const struct gauntlet_case *c, const struct mint *mint)
{
  int leaf = case_find(c, c->sends.name[0]);
  if (SSL_CTX_use_certificate(context, mint->x509[leaf]) != 1) return false;
  if (SSL_CTX_use_PrivateKey(context, mint->key[leaf]) != 1) return false;
  for (size_t i = 1; i < c->sends.count; i++)
    if (SSL_CTX_add1_chain_cert(context, mint->x509[case_find(c, c->sends.name[i])]) != 1)
      return false;
  return true;
}

/* Security level 0: this broker sends whatever it is told to. */
static void start_server(struct bench *bench, const struct mint *mint, int tls)
{
  int version = tls == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  bench->context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_security_level(bench->context, 0);
  SSL_CTX_set_mode(bench->context, SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_min_proto_version(bench->context, version);
  SSL_CTX_set_max_proto_version(bench->context, version);
  SSL_CTX_set_verify(bench->context, SSL_VERIFY_PEER, accept_any_device);
  if (!present(bench->context, bench->c, mint)) {
    conclude(bench, "bench: OpenSSL does not present this chain");
    return;
  }
  bench->server = SSL_new(bench->context);
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

void chain_bench(const struct gauntlet_case *c, const struct mint *mint, int tls,
                 struct chain_verdict *out)
{
  struct bench *bench = calloc(1, sizeof *bench);
  *out = (struct chain_verdict){.name = "bench: out of memory"};
  if (!bench) return;
  bench->c = c;
  bench->verdict = out;
  struct device_host host = host_of(bench);
  struct device_platform platform = {.host = &host, .unix_s = c->clock_unix_s};
  device_platform_enter(&platform);
  if (psa_crypto_init() != PSA_SUCCESS) conclude(bench, "bench: PSA does not start");
  if (!bench->ended) flash(bench, mint);
  device_platform_leave();
  if (!bench->ended) start_server(bench, mint, tls);
  if (!bench->ended) run_device(bench, tls);
  SSL_free(bench->server);
  SSL_CTX_free(bench->context);
  free(bench);
}
