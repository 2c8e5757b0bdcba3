/* Hellos of real clients, taken from memory: OpenSSL's as it is configured, and a device's. */
#include "hello_craft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/rand.h>

#include "device/identity.h"
#include "device/trust.h"
#include "fleetsim/device.h"
#include "fleetsim/nvm.h"
#include "pki/certificate.h"
#include "pki/key.h"

/* --- OpenSSL ---------------------------------------------------------------------------------- */

static const char *psk_identity;

static int give_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_size,
                    SSL_SESSION **session)
{
  static const unsigned char aes_128_gcm[] = {0x13, 0x01}, secret[32] = {7};
  (void) md;
  *session = SSL_SESSION_new();
  SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, aes_128_gcm));
  SSL_SESSION_set1_master_key(*session, secret, sizeof secret);
  SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
  SSL_SESSION_set_max_early_data(*session, 16384);
  *id = (const unsigned char *) psk_identity;
  *id_size = strlen(psk_identity);
  return 1;
}

static void configure_openssl(SSL *ssl, const struct craft_openssl *wish)
{
  if (wish->min != 0) assert_int_equal(SSL_set_min_proto_version(ssl, wish->min), 1);
  if (wish->max != 0) assert_int_equal(SSL_set_max_proto_version(ssl, wish->max), 1);
  if (wish->ciphers != NULL) assert_int_equal(SSL_set_cipher_list(ssl, wish->ciphers), 1);
  if (wish->suites != NULL) assert_int_equal(SSL_set_ciphersuites(ssl, wish->suites), 1);
  if (wish->groups != NULL) assert_int_equal(SSL_set1_groups_list(ssl, wish->groups), 1);
  if (wish->schemes != NULL) assert_int_equal(SSL_set1_sigalgs_list(ssl, wish->schemes), 1);
  if (wish->name != NULL) assert_int_equal(SSL_set_tlsext_host_name(ssl, wish->name), 1);
  if (wish->protocols != NULL)
    assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *) wish->protocols,
                                         (unsigned) strlen(wish->protocols)),
                     0);
  psk_identity = wish->psk;
  if (wish->psk != NULL) SSL_set_psk_use_session_callback(ssl, give_psk);
}

size_t craft_by_openssl(const struct craft_openssl *wish, uint8_t out[CRAFT_MAX])
{
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL *ssl = SSL_new(context);
  size_t early = 0;
  BIO *wire = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), wire);
  SSL_set_connect_state(ssl);
  configure_openssl(ssl, wish);
  if (wish->psk != NULL)
    SSL_write_early_data(ssl, "hello", 5, &early);
  else
    assert_int_equal(SSL_connect(ssl), -1);
  int size = BIO_read(wire, out, CRAFT_MAX);
  assert_true(size > 0);
  SSL_free(ssl);
  SSL_CTX_free(context);
  return (size_t) size;
}

/* --- A device --------------------------------------------------------------------------------- */

struct page {
  uint8_t data[DEVICE_NVM_PAGE_SIZE];
};

static int page_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct page *page = ctx;
  if (offset > sizeof page->data || size > sizeof page->data - offset) return -1;
  memcpy(out, page->data + offset, size);
  return 0;
}

static int page_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
  struct page *page = ctx;
  if (offset > sizeof page->data || size > sizeof page->data - offset) return -1;
  memcpy(page->data + offset, data, size);
  return 0;
}

static int page_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  return RAND_bytes(out, (int) size) == 1 ? 0 : -1;
}

static void page_observe(void *ctx, const struct device_note *note)
{
  (void) ctx;
  if (note->kind == DEVICE_NOTE_ENDED)
    fail_msg("the device ended with %s before its hello", device_failure_name(note->failure));
}

static X509 *make_root(const char *name, EVP_PKEY *key)
{
  struct error error = {.text = ""};
  const struct pki_cert_spec spec = {.kind = PKI_CERT_CA,
                                     .subject = name,
                                     .key = key,
                                     .not_before = (int64_t) time(NULL) - 86400,
                                     .not_after = (int64_t) time(NULL) + 86400};
  X509 *root = pki_cert_mint(&spec, &error);
  if (root == NULL) fail_msg("no root: %s", error.text);
  return root;
}

/* Its identity and two roots; a device without a certificate needs no more. */
static void flash_page(struct device_host *host, EVP_PKEY *key)
{
  struct error error = {.text = ""};
  struct device_nvm_identity identity = {.id = 1, .name = "hello"};
  struct device_trust_bundle bundle = {.version = 1, .anchor_count = 2};
  uint8_t encoded[DEVICE_NVM_TRUST_MAX], *der[2] = {NULL, NULL};
  X509 *root[2] = {make_root("one", key), make_root("two", key)};
  for (int i = 0; i < 2; i++) {
    int size = i2d_X509(root[i], &der[i]);
    bundle.anchor[i] = (struct device_trust_der){der[i], (uint16_t) size};
  }
  size_t size = device_trust_encode(&bundle, encoded, sizeof encoded);
  memset(encoded + size, 0, DEVICE_TRUST_SIGNATURE_SIZE);
  assert_int_equal(pki_key_scalar(key, identity.private_key, &error), 0);
  assert_int_equal(device_nvm_format(host, &identity), 0);
  assert_int_equal(
      device_nvm_replace(host, DEVICE_NVM_TRUST, encoded, size + DEVICE_TRUST_SIGNATURE_SIZE), 0);
  for (int i = 0; i < 2; i++) {
    OPENSSL_free(der[i]);
    X509_free(root[i]);
  }
}

static size_t step_device(void *device, enum device_event_kind kind, uint8_t *out)
{
  struct device_event event = {.kind = kind, .now_ms = 1000, .unix_s = (int64_t) time(NULL)};
  struct device_effects effects = {.out = out, .out_capacity = DEVICE_OUT_MIN};
  device_builtin.step(device, &event, &effects);
  return effects.out_size;
}

size_t craft_by_device(uint8_t tls_min, uint8_t tls_max, uint8_t out[CRAFT_MAX])
{
  static struct page page;
  struct error error = {.text = ""};
  const struct device_profile profile = {.name = "hello",
                                         .tls_min = tls_min,
                                         .tls_max = tls_max,
                                         .mqtt_version = 5,
                                         .clean_start = true,
                                         .no_certificate = true,
                                         .resume = DEVICE_RESUME_RAM,
                                         .tcp_timeout_ms = 1000,
                                         .handshake_timeout_ms = 1000,
                                         .connack_timeout_ms = 1000,
                                         .ack_timeout_ms = 1000,
                                         .byte_budget = 65536};
  const struct device_endpoint endpoint = {.host = "broker.test"};
  const struct device_naming naming = {.client_id = "hello"};
  struct device_config config = {.profile = &profile,
                                 .endpoints = &endpoint,
                                 .endpoint_count = 1,
                                 .host = {.ctx = &page,
                                          .random = page_random,
                                          .nvm_read = page_read,
                                          .nvm_write = page_write,
                                          .observe = page_observe},
                                 .naming = &naming};
  EVP_PKEY *key = pki_key_generate(&error);
  flash_page(&config.host, key);
  void *device = calloc(1, device_builtin.storage_size(&profile));
  assert_int_equal(device_builtin.create(device, &config), 0);
  step_device(device, DEVICE_TICK, out);
  step_device(device, DEVICE_START, out);
  size_t size = step_device(device, DEVICE_OPENED, out);
  device_builtin.destroy(device);
  free(device);
  EVP_PKEY_free(key);
  assert_true(size > 0);
  return size;
}
