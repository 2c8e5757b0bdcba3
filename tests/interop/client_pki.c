#include "client_pki.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/x509v3.h>

#include "device/identity.h"
#include "device/trust.h"

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  assert_non_null(extension);
  assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

struct client_party client_pki_issue(const struct client_party *issuer,
                                     const struct client_recipe *recipe)
{
  static long serial = 1;
  struct client_party party = {EVP_EC_gen("P-256"), X509_new()};
  X509 *certificate = party.certificate;
  X509 *parent = issuer != NULL ? issuer->certificate : certificate;
  X509_NAME *name = X509_get_subject_name(certificate);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *) recipe->cn, -1, -1,
                             0);
  X509_set_issuer_name(certificate, X509_get_subject_name(parent));
  ASN1_TIME_set(X509_getm_notBefore(certificate),
                CLIENT_UNIX + (int64_t) recipe->from_day * CLIENT_DAY);
  ASN1_TIME_set(X509_getm_notAfter(certificate),
                CLIENT_UNIX + (int64_t) recipe->to_day * CLIENT_DAY);
  X509_set_pubkey(certificate, party.key);
  bool ca = recipe->eku == NULL;
  add_extension(certificate, parent, NID_basic_constraints,
                ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(certificate, parent, NID_key_usage,
                ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  if (recipe->eku != NULL) add_extension(certificate, parent, NID_ext_key_usage, recipe->eku);
  if (recipe->san != NULL) add_extension(certificate, parent, NID_subject_alt_name, recipe->san);
  assert_true(X509_sign(certificate, issuer != NULL ? issuer->key : party.key, EVP_sha256()) > 0);
  return party;
}

void client_party_free(struct client_party *party)
{
  EVP_PKEY_free(party->key);
  X509_free(party->certificate);
  *party = (struct client_party){0};
}

void client_pki_make(struct client_pki *pki)
{
  pki->a = client_pki_issue(NULL, &(struct client_recipe){"root A", NULL, NULL, -100, 3000});
  pki->b = client_pki_issue(NULL, &(struct client_recipe){"root B", NULL, NULL, -100, 3000});
  pki->spare = client_pki_issue(NULL, &(struct client_recipe){"spare", NULL, NULL, -100, 3000});
  pki->brokers =
      client_pki_issue(&pki->a, &(struct client_recipe){"brokers", NULL, NULL, -100, 3000});
  pki->broker =
      client_pki_issue(&pki->brokers, &(struct client_recipe){CLIENT_HOST, "DNS:" CLIENT_HOST,
                                                              "serverAuth", -10, 300});
  pki->device = client_pki_issue(
      &pki->a, &(struct client_recipe){"00000a1f", "DNS:" CLIENT_HOST, "clientAuth", -10, 9000});
  pki->update_key = EVP_EC_gen("P-256");
}

void client_pki_free(struct client_pki *pki)
{
  struct client_party *parties[] = {&pki->a,       &pki->b,      &pki->spare,
                                    &pki->brokers, &pki->broker, &pki->device};
  for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++) client_party_free(parties[i]);
  EVP_PKEY_free(pki->update_key);
}

static void sign_bundle(EVP_PKEY *key, const uint8_t *data, size_t size, uint8_t signature[64])
{
  uint8_t der[80];
  size_t der_size = sizeof der;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
  assert_int_equal(EVP_DigestSign(ctx, der, &der_size, data, size), 1);
  EVP_MD_CTX_free(ctx);
  const unsigned char *at = der;
  ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long) der_size);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, 32), 32);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + 32, 32), 32);
  ECDSA_SIG_free(parsed);
}

static void revoke(X509_CRL *crl, const X509 *certificate)
{
  X509_REVOKED *entry = X509_REVOKED_new();
  ASN1_TIME *when = ASN1_TIME_set(NULL, CLIENT_UNIX - CLIENT_DAY);
  assert_int_equal(
      X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *) X509_get0_serialNumber(certificate)),
      1);
  assert_int_equal(X509_REVOKED_set_revocationDate(entry, when), 1);
  assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
  ASN1_TIME_free(when);
}

static struct device_trust_der encode_list(const struct client_crl *list, unsigned char **der)
{
  const struct client_party *name = list->name != NULL ? list->name : list->signer;
  X509_CRL *crl = X509_CRL_new();
  ASN1_TIME *from = ASN1_TIME_set(NULL, CLIENT_UNIX + (int64_t) list->from_day * CLIENT_DAY);
  ASN1_TIME *to = ASN1_TIME_set(NULL, CLIENT_UNIX + (int64_t) list->to_day * CLIENT_DAY);
  X509_CRL_set_version(crl, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl, X509_get_subject_name(name->certificate));
  X509_CRL_set1_lastUpdate(crl, from);
  X509_CRL_set1_nextUpdate(crl, to);
  if (list->revoked != NULL) revoke(crl, list->revoked);
  assert_true(X509_CRL_sign(crl, list->signer->key, EVP_sha256()) > 0);
  struct device_trust_der out = {.size = (uint16_t) i2d_X509_CRL(crl, der)};
  out.der = *der;
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  X509_CRL_free(crl);
  return out;
}

size_t client_pki_bundle(const struct client_pki *pki, uint32_t version, X509 *first, X509 *second,
                         uint8_t *out, size_t capacity)
{
  return client_pki_bundle_with_lists(pki, version, (X509 *const[]){first, second}, NULL, 0, out,
                                      capacity);
}

size_t client_pki_bundle_with_lists(const struct client_pki *pki, uint32_t version,
                                    X509 *const roots[2], const struct client_crl *lists,
                                    size_t list_count, uint8_t *out, size_t capacity)
{
  struct device_trust_bundle bundle = {
      .version = version, .anchor_count = 2, .crl_count = (uint8_t) list_count};
  unsigned char *der[2] = {NULL, NULL}, *list_der[DEVICE_CRLS_MAX] = {NULL};
  for (size_t i = 0; i < 2; i++) {
    bundle.anchor[i].size = (uint16_t) i2d_X509(roots[i], &der[i]);
    bundle.anchor[i].der = der[i];
  }
  for (size_t i = 0; i < list_count; i++) bundle.crl[i] = encode_list(&lists[i], &list_der[i]);
  size_t size = device_trust_encode(&bundle, out, capacity);
  assert_true(size > 0 && size + 64 <= capacity);
  sign_bundle(pki->update_key, out, size, out + size);
  for (size_t i = 0; i < 2; i++) OPENSSL_free(der[i]);
  for (size_t i = 0; i < list_count; i++) OPENSSL_free(list_der[i]);
  return size + 64;
}

static void flash_identity(const struct client_pki *pki, const struct device_host *host)
{
  struct device_nvm_identity identity = {.id = CLIENT_DEVICE};
  BIGNUM *scalar = NULL;
  size_t size;
  assert_int_equal(EVP_PKEY_get_bn_param(pki->device.key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar), 1);
  assert_int_equal(BN_bn2binpad(scalar, identity.private_key, 32), 32);
  BN_clear_free(scalar);
  assert_int_equal(EVP_PKEY_get_octet_string_param(pki->update_key, OSSL_PKEY_PARAM_PUB_KEY,
                                                   identity.update_key, sizeof identity.update_key,
                                                   &size),
                   1);
  assert_int_equal(size, CLIENT_PUBLIC);
  assert_int_equal(device_nvm_format(host, &identity), 0);
}

void client_pki_flash(const struct client_pki *pki, const struct device_host *host)
{
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  flash_identity(pki, host);
  size_t size =
      client_pki_bundle(pki, 1, pki->a.certificate, pki->spare.certificate, bytes, sizeof bytes);
  assert_int_equal(device_nvm_replace(host, DEVICE_NVM_TRUST, bytes, size), 0);
  unsigned char *der = NULL;
  struct device_chain chain = {.count = 1};
  chain.certificate[0].size = (uint16_t) i2d_X509(pki->device.certificate, &der);
  chain.certificate[0].der = der;
  size = device_chain_encode(&chain, bytes, sizeof bytes);
  assert_int_equal(device_nvm_replace(host, DEVICE_NVM_CERTIFICATE, bytes, size), 0);
  OPENSSL_free(der);
}
