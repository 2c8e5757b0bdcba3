/* The judge is the device's own loader, so that what is taken here is taken there; libcrypto only
 * explains its refusals. What is suspect and no error goes to `tell` as a warning. */
#include "pki/vet.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <string.h>

#include "device/identity.h"
#include "device/platform.h"
#include "device/trust.h"
#include "pki/names.h"

/* --- The device's loader ---------------------------------------------------------------------- */

static struct device_host host;
static struct device_platform platform;

int pki_vet_begin(struct error *error)
{
  host = pki_nvm_host(NULL);
  platform = (struct device_platform){.host = &host, .unix_s = pki_now()};
  device_platform_enter(&platform);
  if (psa_crypto_init() == PSA_SUCCESS) return 0;
  device_platform_leave();
  return error_set(error, EXIT_CODE_INTERNAL, "the device's crypto does not start");
}

void pki_vet_end(void)
{
  device_platform_leave();
}

/* --- Why it does not take a certificate ------------------------------------------------------- */

/* Those that Mbed TLS parses; of policies it knows only the one for any policy. */
static bool is_known(const X509_EXTENSION *extension)
{
  static const int known[] = {NID_basic_constraints, NID_key_usage,
                              NID_ext_key_usage,     NID_subject_key_identifier,
                              NID_subject_alt_name,  NID_authority_key_identifier,
                              NID_netscape_cert_type};
  int nid = OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *) extension));
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (nid == known[i]) return true;
  return false;
}

static bool find_critical(const X509 *certificate, char *out, size_t capacity)
{
  for (int i = 0; i < X509_get_ext_count(certificate); i++) {
    char oid[80] = "?";
    X509_EXTENSION *extension = X509_get_ext(certificate, i);
    if (X509_EXTENSION_get_critical(extension) == 0 || is_known(extension)) continue;
    const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
    OBJ_obj2txt(oid, sizeof oid, object, 1);
    snprintf(out, capacity, "%s (%s)",
             OBJ_obj2nid(object) == NID_undef ? "unknown" : OBJ_nid2ln(OBJ_obj2nid(object)), oid);
    return true;
  }
  return false;
}

static void explain(X509 *certificate, char *out, size_t capacity)
{
  char detail[160];
  int signature = X509_get_signature_nid(certificate);
  if (!pki_key_is_p256(X509_get0_pubkey(certificate))) {
    pki_key_title(X509_get0_pubkey(certificate), detail, sizeof detail);
    snprintf(out, capacity,
             "its key is %s, and devices know P-256 only: have it issued anew for a P-256 key",
             detail);
  } else if (signature != NID_ecdsa_with_SHA256)
    snprintf(out, capacity,
             "it is signed with %s, and devices know ecdsa-with-SHA256 only: have it issued anew "
             "by a CA with a P-256 key, over SHA-256",
             signature == NID_undef ? "an unknown algorithm" : OBJ_nid2ln(signature));
  else if (find_critical(certificate, detail, sizeof detail))
    snprintf(out, capacity,
             "it has the critical extension %s, which devices do not know: have it issued anew "
             "without it, or with it not critical",
             detail);
  else
    snprintf(out, capacity,
             "its encoding is not what Mbed TLS takes (an extension twice, empty or malformed, a "
             "time or a number that is none): have it issued anew");
  ERR_clear_error();
}

/* --- Roots ------------------------------------------------------------------------------------ */

static bool is_loaded(X509 *root)
{
  uint8_t *der = NULL;
  int size = i2d_X509(root, &der);
  bool loaded = size > 0 && device_trust_anchor_is_usable(der, (size_t) size);
  OPENSSL_free(der);
  return loaded;
}

static void look_at_dates(X509 *root, const char *name, const char *path,
                          void (*warn)(void *, const char *), void *ctx)
{
  char sentence[FILES_PATH_MAX + 400];
  int64_t now = pki_now();
  bool expired = pki_cert_unix(X509_get0_notAfter(root)) <= now,
       early = pki_cert_unix(X509_get0_notBefore(root)) > now;
  if (warn == NULL || (!expired && !early)) return;
  snprintf(
      sentence, sizeof sentence,
      "%s: the root '%s' %s: devices refuse every broker's certificate under it (connect.tls.%s), "
      "and brokers that trust it refuse every device whose certificate is under it",
      path, name, expired ? "has expired" : "is not valid yet",
      expired ? "expired" : "not_yet_valid");
  warn(ctx, sentence);
}

int pki_vet_root(X509 *root, const char *name, const char *path,
                 void (*warn)(void *ctx, const char *sentence), void *ctx, struct error *error)
{
  char why[400] = "";
  ERR_clear_error();
  /* -1: libcrypto cannot tell, for want of memory or of a key */
  int self_signed = X509_self_signed(root, 1);
  if ((X509_get_extension_flags(root) & EXFLAG_CA) != 0 &&
      (X509_get_key_usage(root) & KU_KEY_CERT_SIGN) == 0)
    snprintf(why, sizeof why, "its keyUsage does not let it sign certificates");
  else if (X509_check_ca(root) != 1)
    snprintf(why, sizeof why, "it is no CA certificate");
  else if (!is_loaded(root))
    explain(root, why, sizeof why);
  else if (self_signed < 0)
    snprintf(why, sizeof why, "its own signature cannot be verified: its key is damaged");
  else if (self_signed == 0)
    snprintf(why, sizeof why, "it is not self-signed");
  bool starved = pki_crypto_starved();
  ERR_clear_error();
  if (starved) return error_set(error, EXIT_CODE_INTERNAL, "no memory to judge the root %s", path);
  if (why[0] != '\0')
    return error_set(error, EXIT_CODE_USAGE, "%s cannot be the root '%s': %s", path, name, why);
  look_at_dates(root, name, path, warn, ctx);
  return 0;
}

int pki_vet_issuer(X509 *issuer, const char *path, struct error *error)
{
  char why[400];
  if (is_loaded(issuer)) return 0;
  explain(issuer, why, sizeof why);
  return error_set(error, EXIT_CODE_USAGE, "%s: no device can load the CA's certificate: %s", path,
                   why);
}

/* --- Chains ----------------------------------------------------------------------------------- */

static int refuse_certificate(const char *path, STACK_OF(X509) * chain, int which, const char *why,
                              struct error *error)
{
  char title[PKI_CERT_TITLE], number[40] = "";
  pki_cert_title(X509_get_subject_name(sk_X509_value(chain, which)), title);
  if (sk_X509_num(chain) > 1)
    snprintf(number, sizeof number, "%d of %d, ", which + 1, sk_X509_num(chain));
  return error_set(error, EXIT_CODE_USAGE, "%s: no device can load the certificate (%s'%s'): %s",
                   path, number, title, why);
}

static int refuse_name(const char *path, STACK_OF(X509) * chain, const char *id,
                       struct error *error)
{
  char why[300], name[72];
  pki_cert_common_name(X509_get_subject_name(sk_X509_value(chain, 0)), name, sizeof name);
  if (strcmp(name, id) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "the certificate %s is for CN '%s', not for the device id '%s': the CN is the "
                     "id, in eight hex digits of lower case, or the name (--id-from cn)",
                     path, name, id);
  snprintf(why, sizeof why,
           "its subject has more than one CN, or one that is no UTF8String or PrintableString");
  return refuse_certificate(path, chain, 0, why, error);
}

int pki_vet_chain(const struct pki_newcomer *newcomer, STACK_OF(X509) * chain, const char *path,
                  struct error *error)
{
  char why[400];
  struct device_nvm_identity owner = {.id = newcomer->id};
  struct device_chain parsed;
  uint8_t which = 0;
  device_nvm_name_identity(&owner);
  if (device_chain_parse(newcomer->chain, newcomer->chain_size, &parsed) !=
          DEVICE_UPDATE_COMMITTED ||
      pki_key_scalar(newcomer->key, owner.private_key, error) != 0)
    return -1;
  enum device_update verdict = device_identity_vet(&owner, &parsed, &which);
  OPENSSL_cleanse(owner.private_key, sizeof owner.private_key);
  switch (verdict) {
  case DEVICE_UPDATE_COMMITTED: return 0;
  case DEVICE_UPDATE_WRONG_KEY:
    return error_set(error, EXIT_CODE_USAGE,
                     "the certificate %s is not for the private key that belongs to it", path);
  case DEVICE_UPDATE_WRONG_NAME: /* which is looked at last */
    return !pki_names_is_own_id(newcomer->name, newcomer->id)
               ? 0
               : refuse_name(path, chain, newcomer->name, error);
  default: break;
  }
  explain(sk_X509_value(chain, which), why, sizeof why);
  return refuse_certificate(path, chain, which, why, error);
}

/* The loader looks at the owner of a certificate only after it has read it. */
static bool can_parse(X509 *certificate)
{
  static const struct device_nvm_identity nobody = {.subject = "-"};
  uint8_t *der = NULL, which = 0;
  int size = i2d_X509(certificate, &der);
  struct device_chain one = {.count = 1, .certificate[0] = {der, (uint16_t) size}};
  bool parsed = size > 0 && size <= UINT16_MAX &&
                device_identity_vet(&nobody, &one, &which) != DEVICE_UPDATE_MALFORMED;
  OPENSSL_free(der);
  return parsed;
}

int pki_vet_served(STACK_OF(X509) * chain, const char *path, struct error *error)
{
  char why[400];
  for (int i = 0; i < sk_X509_num(chain); i++) {
    if (can_parse(sk_X509_value(chain, i))) continue;
    explain(sk_X509_value(chain, i), why, sizeof why);
    return refuse_certificate(path, chain, i, why, error);
  }
  return 0;
}

int pki_vet_renewal(const struct device_nvm_identity *owner, const struct pki_renewal *renewal,
                    struct error *error)
{
  static const char *const kinds[] = {[DEVICE_SUBJECT_CN] = "CN",
                                      [DEVICE_SUBJECT_SERIAL_NUMBER] = "serialNumber",
                                      [DEVICE_SUBJECT_SAN_URI] = "URI",
                                      [DEVICE_SUBJECT_SAN_DNS] = "DNS name"};
  struct device_chain parsed;
  uint8_t which = 0;
  char why[400];
  enum device_update verdict = device_chain_parse(renewal->chain, renewal->size, &parsed);
  if (verdict == DEVICE_UPDATE_COMMITTED) verdict = device_identity_vet(owner, &parsed, &which);
  switch (verdict) {
  case DEVICE_UPDATE_COMMITTED: return 0;
  case DEVICE_UPDATE_WRONG_KEY:
    return error_set(error, EXIT_CODE_USAGE,
                     "the certificate %s is not for the private key that belongs to it",
                     renewal->path);
  case DEVICE_UPDATE_WRONG_NAME:
    return error_set(error, EXIT_CODE_USAGE,
                     "the certificate %s does not have the %s '%s', by which the device knows its "
                     "own, once and alone",
                     renewal->path, kinds[owner->subject_kind], owner->subject);
  default: break;
  }
  explain(sk_X509_value(renewal->certificates, which), why, sizeof why);
  return refuse_certificate(renewal->path, renewal->certificates, which, why, error);
}
