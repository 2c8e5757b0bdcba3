/* When a certificate is put in force. The format of a chain is identity_format.c's. */
#include "identity.h"

#include <assert.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <string.h>

/* SubjectPublicKeyInfo of an uncompressed P-256 key up to the point itself (RFC 5480). */
static const uint8_t spki_prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
#define POINT_SIZE 65u

static bool public_point(const uint8_t private_key[32], uint8_t point[POINT_SIZE])
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_key_id_t key = 0;
  if (psa_import_key(&attributes, private_key, 32, &key) != PSA_SUCCESS) return false;
  size_t size = 0;
  psa_status_t status = psa_export_public_key(key, point, POINT_SIZE, &size);
  psa_destroy_key(key);
  return status == PSA_SUCCESS && size == POINT_SIZE;
}

static bool key_fits(const mbedtls_x509_crt *leaf, const uint8_t private_key[32])
{
  uint8_t point[POINT_SIZE];
  const mbedtls_x509_buf *spki = &leaf->pk_raw;
  return spki->len == sizeof spki_prefix + POINT_SIZE &&
         memcmp(spki->p, spki_prefix, sizeof spki_prefix) == 0 &&
         public_point(private_key, point) &&
         memcmp(spki->p + sizeof spki_prefix, point, POINT_SIZE) == 0;
}

static bool is_text(const mbedtls_x509_buf *value, const char *text)
{
  return value->len == strlen(text) && memcmp(value->p, text, value->len) == 0;
}

/* How many of the subject's attributes are of that kind; `same`: the last is the text. */
static unsigned find_in_subject(const mbedtls_x509_crt *leaf,
                                const struct device_nvm_identity *owner, bool *same)
{
  unsigned found = 0;
  for (const mbedtls_x509_name *name = &leaf->subject; name; name = name->next) {
    bool cn = MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0;
    bool serial = MBEDTLS_OID_CMP(MBEDTLS_OID_AT_SERIAL_NUMBER, &name->oid) == 0;
    if (owner->subject_kind == DEVICE_SUBJECT_CN ? !cn : !serial) continue;
    found++;
    *same = (name->val.tag == MBEDTLS_ASN1_UTF8_STRING ||
             name->val.tag == MBEDTLS_ASN1_PRINTABLE_STRING) &&
            is_text(&name->val, owner->subject);
  }
  return found;
}

/* The same among its alternative names. */
static unsigned find_in_san(const mbedtls_x509_crt *leaf, const struct device_nvm_identity *owner,
                            bool *same)
{
  int tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | (owner->subject_kind == DEVICE_SUBJECT_SAN_URI
                                                 ? MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER
                                                 : MBEDTLS_X509_SAN_DNS_NAME);
  unsigned found = 0;
  for (const mbedtls_x509_sequence *name = &leaf->subject_alt_names; name; name = name->next) {
    if (name->buf.tag != tag) continue;
    found++;
    *same = is_text(&name->buf, owner->subject);
  }
  return found;
}

/* Exactly one name of the kind that counts, and it is the device's: with two, the broker's ACL
 * might go by the other one. */
static bool name_fits(const mbedtls_x509_crt *leaf, const struct device_nvm_identity *owner)
{
  bool same = false;
  bool of_subject = owner->subject_kind == DEVICE_SUBJECT_CN ||
                    owner->subject_kind == DEVICE_SUBJECT_SERIAL_NUMBER;
  unsigned found =
      of_subject ? find_in_subject(leaf, owner, &same) : find_in_san(leaf, owner, &same);
  return found == 1 && same;
}

static enum device_update check_certificate(const uint8_t *der, size_t size,
                                            const struct device_nvm_identity *owner)
{
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  enum device_update verdict = DEVICE_UPDATE_COMMITTED;
  if (mbedtls_x509_crt_parse_der_nocopy(&crt, der, size) != 0 || crt.raw.len != size)
    verdict = DEVICE_UPDATE_MALFORMED;
  else if (owner && !key_fits(&crt, owner->private_key))
    verdict = DEVICE_UPDATE_WRONG_KEY;
  else if (owner && !name_fits(&crt, owner))
    verdict = DEVICE_UPDATE_WRONG_NAME;
  mbedtls_x509_crt_free(&crt);
  return verdict;
}

enum device_update device_identity_vet(const struct device_nvm_identity *identity,
                                       const struct device_chain *chain, uint8_t *which)
{
  assert(identity->subject[0] != '\0');
  for (*which = 0; *which < chain->count; ++*which) {
    enum device_update verdict =
        check_certificate(chain->certificate[*which].der, chain->certificate[*which].size, NULL);
    if (verdict != DEVICE_UPDATE_COMMITTED) return verdict;
  }
  *which = 0;
  return check_certificate(chain->certificate[0].der, chain->certificate[0].size, identity);
}

enum device_update device_identity_update(const struct device_host *host,
                                          const struct device_nvm_identity *identity,
                                          const uint8_t *data, size_t size)
{
  if (size > device_nvm_capacity(DEVICE_NVM_CERTIFICATE)) return DEVICE_UPDATE_TOO_LARGE;
  struct device_chain chain;
  uint8_t which;
  enum device_update verdict = device_chain_parse(data, size, &chain);
  if (verdict != DEVICE_UPDATE_COMMITTED) return verdict;
  if (device_nvm_holds(host, DEVICE_NVM_CERTIFICATE, data, size) == 1) return DEVICE_UPDATE_SAME;
  verdict = device_identity_vet(identity, &chain, &which);
  if (verdict != DEVICE_UPDATE_COMMITTED) return verdict;
  if (device_nvm_replace(host, DEVICE_NVM_CERTIFICATE, data, size) != 0)
    return DEVICE_UPDATE_NVM_FAILED;
  return DEVICE_UPDATE_COMMITTED;
}
