#include "certificate.h"

#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "device/platform.h"

/* DER is written from its end to its start, so that every length is known when its turn comes. */
struct der {
  uint8_t *start, *p;
};

static void put(struct der *der, const void *data, size_t size)
{
  assert_true((size_t) (der->p - der->start) >= size);
  der->p -= size;
  memcpy(der->p, data, size);
}

static void wrap(struct der *der, uint8_t tag, const uint8_t *end)
{
  size_t n = (size_t) (end - der->p);
  if (n < 0x80) {
    put(der, (uint8_t[]){tag, (uint8_t) n}, 2);
  } else if (n < 0x100) {
    put(der, (uint8_t[]){tag, 0x81, (uint8_t) n}, 3);
  } else {
    put(der, (uint8_t[]){tag, 0x82, (uint8_t) (n >> 8), (uint8_t) n}, 4);
  }
}

static void put_attribute(struct der *der, uint8_t type, const char *text, size_t size)
{
  const uint8_t *end = der->p;
  put(der, text, size);
  wrap(der, 0x0c, end);
  put(der, (uint8_t[]){0x06, 0x03, 0x55, 0x04, type}, 5);
  wrap(der, 0x30, end);
  wrap(der, 0x31, end);
}

static void put_name(struct der *der, const struct recipe *recipe)
{
  char filler[200];
  memset(filler, 'x', sizeof filler);
  assert_true(recipe->filler <= sizeof filler);
  const uint8_t *end = der->p;
  put_attribute(der, 0x03, recipe->cn, strlen(recipe->cn));
  if (recipe->second_cn) put_attribute(der, 0x03, recipe->second_cn, strlen(recipe->second_cn));
  if (recipe->serial_number)
    put_attribute(der, 0x05, recipe->serial_number, strlen(recipe->serial_number));
  if (recipe->filler) put_attribute(der, 0x0a, filler, recipe->filler);
  wrap(der, 0x30, end);
}

static void put_key(struct der *der, const struct recipe *recipe)
{
  static const uint8_t p256[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  static const uint8_t p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
  const uint8_t *end = der->p;
  put(der, recipe->key->point, 65);
  put(der, "", 1);
  wrap(der, 0x03, end);
  recipe->p384 ? put(der, p384, sizeof p384) : put(der, p256, sizeof p256);
  wrap(der, 0x30, end);
}

static void put_alternative(struct der *der, uint8_t tag, const char *text)
{
  const uint8_t *end = der->p;
  if (text == NULL) return;
  put(der, text, strlen(text));
  wrap(der, tag, end);
}

static void put_alternatives(struct der *der, const struct recipe *recipe)
{
  const uint8_t *end = der->p;
  put_alternative(der, 0x82, recipe->dns);
  put_alternative(der, 0x86, recipe->second_uri);
  put_alternative(der, 0x86, recipe->uri);
  if (der->p == end) return;
  wrap(der, 0x30, end);
  wrap(der, 0x04, end);
  put(der, (uint8_t[]){0x06, 0x03, 0x55, 0x1d, 0x11}, 5);
  wrap(der, 0x30, end);
}

static void put_extensions(struct der *der, const struct recipe *recipe)
{
  static const uint8_t ca[] = {0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01,
                               0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0xff};
  static const uint8_t not_ca[] = {0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13,
                                   0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00};
  const uint8_t usage[] = {0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01,
                           0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x01, recipe->key_usage};
  const uint8_t *end = der->p;
  put_alternatives(der, recipe);
  put(der, usage, sizeof usage);
  recipe->not_ca ? put(der, not_ca, sizeof not_ca) : put(der, ca, sizeof ca);
  wrap(der, 0x30, end);
  wrap(der, 0xa3, end);
}

static const uint8_t ecdsa_with_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                            0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

static void put_to_be_signed(struct der *der, const struct recipe *recipe)
{
  static const char validity[] = "\x30\x1e\x17\x0d"
                                 "200101000000Z\x17\x0d"
                                 "490101000000Z";
  const uint8_t *end = der->p;
  if (!recipe->no_extensions) put_extensions(der, recipe);
  put_key(der, recipe);
  put_name(der, recipe);
  put(der, validity, sizeof validity - 1);
  put_name(der, recipe);
  put(der, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
  put(der, (uint8_t[]){0xa0, 3, 2, 1, 2, 0x02, 1, 1}, 8);
  wrap(der, 0x30, end);
}

struct certificate certificate_make(const struct recipe *recipe)
{
  uint8_t buffer[1024], signature[71];
  memset(signature, 0x5a, sizeof signature);
  struct der der = {.start = buffer, .p = buffer + sizeof buffer};
  const uint8_t *end = der.p;
  put(&der, signature, sizeof signature);
  put(&der, "", 1);
  wrap(&der, 0x03, end);
  put(&der, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
  put_to_be_signed(&der, recipe);
  wrap(&der, 0x30, end);

  struct certificate out = {.size = (uint16_t) (end - der.p)};
  memcpy(out.der, der.p, out.size);
  return out;
}

struct certificate root_make(const char *name)
{
  struct key key = key_make(name);
  return certificate_make(
      &(struct recipe){.cn = name, .key = &key, .filler = 64, .key_usage = 0x06});
}

static void put_integer(struct der *der, const uint8_t number[32])
{
  const uint8_t *end = der->p;
  put(der, number, 32);
  if (number[0] >= 0x80) put(der, "", 1);
  while (end - der->p > 1 && der->p[0] == 0 && der->p[1] < 0x80) der->p++;
  wrap(der, 0x02, end);
}

static void put_crl_body(struct der *der, const struct crl_recipe *recipe, const uint8_t *algorithm)
{
  static const uint8_t unknown_critical[] = {0xa0, 0x0e, 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03,
                                             0x2a, 0x03, 0x04, 0x01, 0x01, 0xff, 0x04, 0x00};
  static const char revoked[] = "\x30\x14\x30\x12\x02\x01\x07\x17\x0d"
                                "250101000000Z";
  const uint8_t *end = der->p;
  if (recipe->critical_extension) put(der, unknown_critical, sizeof unknown_critical);
  put(der, revoked, sizeof revoked - 1);
  put(der, recipe->next_update != NULL ? recipe->next_update : "491231235959Z", 13);
  put(der, "\x17\x0d", 2);
  put(der,
      "\x17\x0d"
      "250101000000Z",
      15);
  put_name(der, &(struct recipe){.cn = recipe->issuer, .filler = 64});
  put(der, algorithm, sizeof ecdsa_with_sha256);
  put(der, (uint8_t[]){0x02, 1, 1}, 3);
  wrap(der, 0x30, end);
}

struct certificate crl_make(const struct crl_recipe *recipe)
{
  uint8_t buffer[1024], body[512], raw[64], algorithm[sizeof ecdsa_with_sha256];
  struct key own = key_make(recipe->issuer);
  memcpy(algorithm, ecdsa_with_sha256, sizeof algorithm);
  if (recipe->sha384) algorithm[sizeof algorithm - 1] = 3;
  struct der tbs = {.start = body, .p = body + sizeof body};
  put_crl_body(&tbs, recipe, algorithm);
  size_t size = (size_t) (body + sizeof body - tbs.p);
  key_sign(recipe->signer != NULL ? recipe->signer : &own, tbs.p, size, raw);

  struct der der = {.start = buffer, .p = buffer + sizeof buffer};
  const uint8_t *end = der.p;
  put_integer(&der, raw + 32);
  put_integer(&der, raw);
  wrap(&der, 0x30, end);
  put(&der, "", 1);
  wrap(&der, 0x03, end);
  put(&der, algorithm, sizeof algorithm);
  put(&der, tbs.p, size);
  wrap(&der, 0x30, end);
  struct certificate out = {.size = (uint16_t) (end - der.p)};
  memcpy(out.der, der.p, out.size);
  return out;
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

int keys_begin(void)
{
  static const struct device_host host = {.random = next_random};
  static const struct device_platform platform = {.host = &host};
  device_platform_enter(&platform);
  return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

static psa_key_id_t import(const uint8_t scalar[32])
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  psa_key_id_t id = 0;
  assert_int_equal(psa_import_key(&attributes, scalar, 32, &id), PSA_SUCCESS);
  return id;
}

struct key key_make(const char *label)
{
  struct key key;
  size_t size = 0;
  assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, (const uint8_t *) label, strlen(label),
                                    key.scalar, sizeof key.scalar, &size),
                   PSA_SUCCESS);
  psa_key_id_t id = import(key.scalar);
  assert_int_equal(psa_export_public_key(id, key.point, sizeof key.point, &size), PSA_SUCCESS);
  psa_destroy_key(id);
  return key;
}

void key_sign(const struct key *key, const uint8_t *data, size_t size, uint8_t signature[64])
{
  uint8_t hash[32];
  size_t n = 0;
  assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, data, size, hash, sizeof hash, &n),
                   PSA_SUCCESS);
  psa_key_id_t id = import(key->scalar);
  assert_int_equal(
      psa_sign_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), hash, sizeof hash, signature, 64, &n),
      PSA_SUCCESS);
  psa_destroy_key(id);
}

struct bytes bundle_make(const struct key *signer, uint32_t version, size_t count,
                         const struct certificate *anchors)
{
  return bundle_make_with_lists(signer, version, count, anchors, 0, NULL);
}

struct bytes bundle_make_with_lists(const struct key *signer, uint32_t version, size_t count,
                                    const struct certificate *anchors, size_t list_count,
                                    const struct certificate *lists)
{
  struct bytes out;
  struct device_trust_bundle bundle = {
      .version = version, .anchor_count = (uint8_t) count, .crl_count = (uint8_t) list_count};
  for (size_t i = 0; i < count; i++)
    bundle.anchor[i] = (struct device_trust_der){anchors[i].der, anchors[i].size};
  for (size_t i = 0; i < list_count; i++)
    bundle.crl[i] = (struct device_trust_der){lists[i].der, lists[i].size};
  out.size = device_trust_encode(&bundle, out.data, sizeof out.data - DEVICE_TRUST_SIGNATURE_SIZE);
  assert_int_not_equal(out.size, 0);
  key_sign(signer, out.data, out.size, out.data + out.size);
  out.size += DEVICE_TRUST_SIGNATURE_SIZE;
  return out;
}

struct bytes chain_make(size_t count, const struct certificate *certificates)
{
  struct bytes out;
  struct device_chain chain = {.count = (uint8_t) count};
  for (size_t i = 0; i < count; i++) {
    chain.certificate[i].der = certificates[i].der;
    chain.certificate[i].size = certificates[i].size;
  }
  out.size = device_chain_encode(&chain, out.data, sizeof out.data);
  assert_int_not_equal(out.size, 0);
  return out;
}
