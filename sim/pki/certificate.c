/* Minting is one way for all kinds: fill in, look up the kind's extensions, sign. Reading takes
 * PEM files of other people, so a refusal says what the file holds instead. What libcrypto cannot
 * do for want of memory is told as that and not as a bad file. */
#include "pki/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "pki/key.h"

#define CERTIFICATE_FILE_MAX (1u << 20)
#define COMMON_NAME_MAX      64 /* RFC 5280, ub-common-name */

struct extension {
  int nid;
  const char *value;
};

/* The subject's key identifier comes before the authority's: a self-signed certificate takes the
   one from the other. */
static const struct extension profiles[][4] = {
    [PKI_CERT_CA] = {{NID_basic_constraints, "critical,CA:TRUE"},
                     {NID_key_usage, "critical,keyCertSign,cRLSign"},
                     {NID_subject_key_identifier, "hash"},
                     {NID_authority_key_identifier, "keyid:always"}},
    [PKI_CERT_ISSUING] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                          {NID_key_usage, "critical,keyCertSign,cRLSign"},
                          {NID_subject_key_identifier, "hash"},
                          {NID_authority_key_identifier, "keyid:always"}},
    [PKI_CERT_SERVER] = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_key_usage, "critical,digitalSignature"},
                         {NID_ext_key_usage, "serverAuth"},
                         {NID_authority_key_identifier, "keyid:always"}},
    [PKI_CERT_CLIENT] = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_key_usage, "critical,digitalSignature"},
                         {NID_ext_key_usage, "clientAuth"},
                         {NID_authority_key_identifier, "keyid:always"}},
};

static bool add_certificate_extensions(X509 *certificate, X509 *issuer, enum pki_cert_kind kind)
{
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
  /* a CA of somebody else's may have no identifier to point at */
  bool identified =
      issuer == certificate || X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
  for (size_t i = 0; i < sizeof profiles[kind] / sizeof profiles[kind][0]; i++) {
    if (profiles[kind][i].nid == NID_authority_key_identifier && !identified) continue;
    X509_EXTENSION *extension =
        X509V3_EXT_conf_nid(NULL, &ctx, profiles[kind][i].nid, profiles[kind][i].value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    if (!added) return false;
  }
  return true;
}

/* The name is set as a value, not through OpenSSL's text syntax: a comma in it stays a comma. */
static bool push_name(GENERAL_NAMES *names, const char *host)
{
  GENERAL_NAME *name = GENERAL_NAME_new();
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
  ASN1_IA5STRING *dns = address == NULL ? ASN1_IA5STRING_new() : NULL;
  bool done = false;
  if (name != NULL && (address != NULL || (dns != NULL && ASN1_STRING_set(dns, host, -1) == 1))) {
    GENERAL_NAME_set0_value(name, address != NULL ? GEN_IPADD : GEN_DNS,
                            address != NULL ? address : dns);
    address = NULL, dns = NULL;
    done = sk_GENERAL_NAME_push(names, name) > 0;
    if (done) name = NULL;
  }
  ASN1_OCTET_STRING_free(address);
  ASN1_IA5STRING_free(dns);
  GENERAL_NAME_free(name);
  return done;
}

static bool add_alternative_names(X509 *certificate, const struct pki_cert_spec *spec)
{
  GENERAL_NAMES *names = GENERAL_NAMES_new();
  bool done = names != NULL && push_name(names, spec->host);
  for (size_t i = 0; done && spec->also != NULL && spec->also[i] != NULL; i++)
    done = push_name(names, spec->also[i]);
  done = done &&
         X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1;
  GENERAL_NAMES_free(names);
  return done;
}

static bool set_serial(X509 *certificate)
{
  uint8_t bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = (uint8_t) ((bytes[0] & 0x3f) | 0x40); /* positive, and always 16 bytes long */
  BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
  bool done =
      number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
  BN_free(number);
  return done;
}

static bool set_name(X509_NAME *name, const char *common_name)
{
  const char *fits = strlen(common_name) <= COMMON_NAME_MAX ? common_name : "broker";
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *) fits, -1, -1,
                                    0) == 1;
}

bool pki_cert_issued(X509 *subject, X509 *issuer)
{
  /* NULL too: of a kind that libcrypto cannot read */
  EVP_PKEY *key = issuer == NULL ? NULL : X509_get0_pubkey(issuer);
  bool issued = key != NULL && X509_check_issued(issuer, subject) == X509_V_OK &&
                X509_verify(subject, key) == 1;
  ERR_clear_error();
  return issued;
}

bool pki_cert_is_signed_by(X509 *subject, X509 *issuer)
{
  EVP_PKEY *key = X509_get0_pubkey(issuer);
  bool is = key != NULL &&
            X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)) == 0 &&
            X509_verify(subject, key) == 1;
  ERR_clear_error();
  return is;
}

int64_t pki_cert_unix(const ASN1_TIME *time)
{
  int days = 0, seconds = 0;
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  int known = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time);
  ASN1_TIME_free(epoch);
  return known ? (int64_t) days * 86400 + seconds : 0;
}

static bool set_validity(X509 *certificate, const struct pki_cert_spec *spec)
{
  int64_t end = spec->not_after;
  if (spec->issuer != NULL) {
    int64_t limit = pki_cert_unix(X509_get0_notAfter(spec->issuer->certificate));
    if (end > limit) end = limit;
  }
  return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t) spec->not_before) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t) end) != NULL;
}

/* X509_set_pubkey asks OpenSSL 3's encoders and costs 0.5 ms; the structure of a P-256 key is known
   beforehand. */
static bool set_key(X509_PUBKEY *out, const EVP_PKEY *key)
{
  uint8_t *point = OPENSSL_malloc(PKI_KEY_POINT);
  if (point != NULL && pki_key_point(key, point, NULL) == 0 &&
      X509_PUBKEY_set0_param(out, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
                             OBJ_nid2obj(NID_X9_62_prime256v1), point, PKI_KEY_POINT) == 1)
    return true;
  OPENSSL_free(point);
  return false;
}

/* NULL: it has none. */
static X509_EXTENSION *alternative_names(const X509 *certificate)
{
  int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  return at < 0 ? NULL : X509_get_ext(certificate, at);
}

static bool set_subject(X509 *certificate, const struct pki_cert_spec *spec)
{
  if (spec->like == NULL) return set_name(X509_get_subject_name(certificate), spec->subject);
  X509_EXTENSION *names = alternative_names(spec->like);
  return X509_set_subject_name(certificate, X509_get_subject_name(spec->like)) == 1 &&
         (names == NULL || X509_add_ext(certificate, names, -1) == 1);
}

static bool fill(X509 *certificate, const struct pki_cert_spec *spec)
{
  X509 *issuer = spec->issuer == NULL ? certificate : spec->issuer->certificate;
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
         set_subject(certificate, spec) &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         set_validity(certificate, spec) && set_key(X509_get_X509_PUBKEY(certificate), spec->key) &&
         add_certificate_extensions(certificate, issuer, spec->kind) &&
         (spec->host == NULL || add_alternative_names(certificate, spec));
}

X509 *pki_cert_mint(const struct pki_cert_spec *spec, struct error *error)
{
  X509 *certificate = X509_new();
  EVP_PKEY *signer = spec->issuer == NULL ? spec->key : spec->issuer->key;
  if (certificate != NULL && fill(certificate, spec) &&
      X509_sign(certificate, signer, EVP_sha256()) > 0)
    return certificate;
  X509_free(certificate);
  pki_crypto_error(error, "make a certificate");
  error_wrap(error, "subject '%s'", spec->subject);
  return NULL;
}

static bool request_names(X509_REQ *request, const X509 *certificate)
{
  X509_EXTENSION *names = alternative_names(certificate);
  STACK_OF(X509_EXTENSION) *wanted = names == NULL ? NULL : sk_X509_EXTENSION_new_null();
  bool done = names == NULL || (wanted != NULL && sk_X509_EXTENSION_push(wanted, names) > 0 &&
                                X509_REQ_add_extensions(request, wanted) == 1);
  sk_X509_EXTENSION_free(wanted);
  return done;
}

X509_REQ *pki_cert_request(X509 *certificate, EVP_PKEY *key, struct error *error)
{
  X509_REQ *request = X509_REQ_new();
  if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
      X509_REQ_set_subject_name(request, X509_get_subject_name(certificate)) == 1 &&
      set_key(X509_REQ_get_X509_PUBKEY(request), key) && request_names(request, certificate) &&
      X509_REQ_sign(request, key, EVP_sha256()) > 0)
    return request;
  X509_REQ_free(request);
  pki_crypto_error(error, "make a signing request");
  return NULL;
}

static bool is_certificate_der(const uint8_t *data, size_t size)
{
  const uint8_t *at = data;
  X509 *certificate = d2i_X509(NULL, &at, (long) size);
  bool whole = certificate != NULL;
  X509_free(certificate);
  return whole;
}

/* `found` whole certificates came before the end, or before one that is none. */
static void refuse_file(const char *path, int limit, int found, const uint8_t *data, size_t size,
                        struct error *error)
{
  if (pki_crypto_starved())
    error_set(error, EXIT_CODE_INTERNAL, "no memory to read %s", path);
  else if (found > limit)
    error_set(error, EXIT_CODE_USAGE,
              limit == 1
                  ? "%s holds more than one certificate, and %d belongs here: leave only that"
                  : "%s holds more than %d certificates, and a device has room for so many: leave "
                    "the leaf and its intermediates",
              path, limit);
  else if (found > 0)
    error_set(error, EXIT_CODE_USAGE,
              "%s: the certificate number %d is damaged: write the file anew", path, found + 1);
  else if (is_certificate_der(data, size))
    error_set(error, EXIT_CODE_USAGE,
              "%s is a certificate in DER; write it as PEM: openssl x509 -inform DER -in %s", path,
              path);
  else if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
    error_set(error, EXIT_CODE_USAGE,
              "%s begins with a byte order mark: save it as plain text without one", path);
  else
    error_set(error, EXIT_CODE_USAGE,
              "%s holds no whole certificate in PEM ('-----BEGIN CERTIFICATE-----')", path);
}

STACK_OF(X509) * pki_cert_read_all(const char *path, int limit, struct error *error)
{
  uint8_t *pem = NULL;
  size_t size = 0;
  if (files_read(path, CERTIFICATE_FILE_MAX, &pem, &size, error) != 0) return NULL;
  BIO *bio = BIO_new_mem_buf(pem, (int) size);
  STACK_OF(X509) *all = sk_X509_new_null();
  X509 *one = NULL;
  while (bio != NULL && all != NULL && sk_X509_num(all) <= limit &&
         (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
    if (sk_X509_push(all, one) <= 0) X509_free(one);
  BIO_free(bio);
  int found = all == NULL ? 0 : sk_X509_num(all);
  bool whole = one != NULL || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!whole || found == 0 || found > limit) {
    refuse_file(path, limit, found, pem, size, error);
    sk_X509_pop_free(all, X509_free);
    all = NULL;
  }
  ERR_clear_error();
  free(pem);
  return all;
}

X509 *pki_cert_read(const char *path, struct error *error)
{
  STACK_OF(X509) *all = pki_cert_read_all(path, 1, error);
  if (all == NULL) return NULL;
  X509 *certificate = sk_X509_pop(all);
  sk_X509_free(all);
  return certificate;
}

int pki_cert_write(const char *path, X509 *const *certificates, size_t count, struct error *error)
{
  BIO *bio = BIO_new(BIO_s_mem());
  bool encoded = bio != NULL;
  for (size_t i = 0; i < count && encoded; i++)
    encoded = PEM_write_bio_X509(bio, certificates[i]) == 1;
  int result;
  if (!encoded)
    result = pki_crypto_error(error, "write a certificate as PEM");
  else {
    char *pem = NULL;
    long size = BIO_get_mem_data(bio, &pem);
    result = files_write(path, pem, (size_t) size, 0644, error);
  }
  BIO_free(bio);
  return result;
}

int pki_cert_sha256(const X509 *certificate, uint8_t out[32])
{
  unsigned size = 32;
  return X509_digest(certificate, EVP_sha256(), out, &size) == 1 ? 0 : -1;
}

void pki_cert_common_name(const X509_NAME *name, char *out, size_t capacity)
{
  out[0] = '\0';
  int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return;
  const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  size_t size = (size_t) ASN1_STRING_length(text);
  /* "00000001\0.evil" is nobody's name */
  if (memchr(ASN1_STRING_get0_data(text), 0, size) != NULL) return;
  if (size >= capacity) size = capacity - 1;
  memcpy(out, ASN1_STRING_get0_data(text), size);
  out[size] = '\0';
}

void pki_cert_title(const X509_NAME *name, char out[PKI_CERT_TITLE])
{
  pki_cert_common_name(name, out, PKI_CERT_TITLE);
  if (out[0] == '\0' && X509_NAME_oneline(name, out, PKI_CERT_TITLE) == NULL) out[0] = '\0';
  for (char *c = out; *c != '\0'; c++) /* it goes to a terminal */
    if ((unsigned char) *c < ' ' || *c == 127) *c = '?';
  if (out[0] == '\0') strcpy(out, "?");
}
