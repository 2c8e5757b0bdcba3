#include "chain_mint.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static EVP_PKEY *make_key(const char *type)
{
  if (strcmp(type, "p256") == 0 || !*type) return EVP_EC_gen("P-256");
  if (strcmp(type, "p384") == 0) return EVP_EC_gen("P-384");
  if (strcmp(type, "secp256k1") == 0) return EVP_EC_gen("secp256k1");
  if (strcmp(type, "rsa1024") == 0) return EVP_RSA_gen(1024);
  if (strcmp(type, "rsa2048") == 0) return EVP_RSA_gen(2048);
  return NULL;
}

static const EVP_MD *hash_named(const char *name)
{
  return EVP_get_digestbyname(*name ? name : "sha256");
}

static int set_name(X509_NAME *name, const char *cn)
{
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *) cn, -1, -1,
                                    0) == 1
             ? 0
             : -1;
}

static int set_time(ASN1_TIME *out, const char *text, const char *otherwise)
{
  int64_t unix_s;
  if (chain_date(*text ? text : otherwise, &unix_s) != 0) return -1;
  return ASN1_TIME_adj(out, (time_t) unix_s, 0, 0) ? 0 : -1;
}

/* Adds the extension in OpenSSL's own notation; "" and "absent" add none. */
static int extend(X509 *x509, int nid, const char *prefix, const char *value)
{
  char text[256];
  if (!*value || strcmp(value, "absent") == 0) return 0;
  snprintf(text, sizeof text, "%s%s", prefix, value);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);
  int ok = extension && X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
  return ok ? 0 : -1;
}

static int extend_basic_constraints(X509 *x509, const struct chain_certificate *c)
{
  char text[64];
  if (!*c->ca || strcmp(c->ca, "absent") == 0) return 0;
  bool is_ca = strcmp(c->ca, "yes") == 0;
  if (!is_ca && strcmp(c->ca, "no") != 0) return -1;
  int n = snprintf(text, sizeof text, "CA:%s", is_ca ? "TRUE" : "FALSE");
  if (*c->pathlen) snprintf(text + n, sizeof text - (size_t) n, ",pathlen:%s", c->pathlen);
  return extend(x509, NID_basic_constraints, "critical,", text);
}

static int extend_unknown(X509 *x509, bool critical)
{
  static const unsigned char null[] = {0x05, 0x00};
  ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
  ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
  X509_EXTENSION *extension = NULL;
  if (oid && data && ASN1_OCTET_STRING_set(data, null, sizeof null))
    extension = X509_EXTENSION_create_by_OBJ(NULL, oid, critical, data);
  int ok = extension && X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(data);
  ASN1_OBJECT_free(oid);
  return ok ? 0 : -1;
}

static int extend_special(X509 *x509, const char *what)
{
  if (!*what) return 0;
  if (strcmp(what, "unknown") == 0) return extend_unknown(x509, false);
  if (strcmp(what, "unknown-critical") == 0) return extend_unknown(x509, true);
  if (strcmp(what, "names-allowed-critical") == 0)
    return extend(x509, NID_name_constraints, "critical,", "permitted;DNS:broker.test");
  if (strcmp(what, "names-forbidden") == 0)
    return extend(x509, NID_name_constraints, "", "excluded;DNS:broker.test");
  return -1;
}

static int fill(X509 *x509, const struct chain_certificate *c, const char *issuer_cn, EVP_PKEY *key)
{
  static long serial = 1;
  int failed = X509_set_version(x509, X509_VERSION_3) != 1;
  failed |= ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++) != 1;
  failed |= set_name(X509_get_subject_name(x509), c->cn) != 0;
  failed |= set_name(X509_get_issuer_name(x509), issuer_cn) != 0;
  failed |= set_time(X509_getm_notBefore(x509), c->from, "2020") != 0;
  failed |= set_time(X509_getm_notAfter(x509), c->to, "2049") != 0;
  failed |= X509_set_pubkey(x509, key) != 1;
  failed |= extend_basic_constraints(x509, c) != 0;
  failed |= extend(x509, NID_key_usage, "critical,", c->ku) != 0;
  failed |= extend(x509, NID_ext_key_usage, "", c->eku) != 0;
  failed |= extend(x509, NID_subject_alt_name, "", c->san) != 0;
  failed |= extend_special(x509, c->extension) != 0;
  return failed ? -1 : 0;
}

/* Flips a bit of the signature, where the DER stays well formed. */
static int damage(X509 *x509, const char *what)
{
  const ASN1_BIT_STRING *signature;
  if (!*what) return 0;
  if (strcmp(what, "signature") != 0) return -1;
  X509_get0_signature(&signature, NULL, x509);
  ((ASN1_BIT_STRING *) signature)->data[signature->length - 1] ^= 1;
  return 0;
}

static X509 *make(const struct chain_case *c, size_t i, const struct chain_mint *mint)
{
  const struct chain_certificate *certificate = &c->certificate[i];
  size_t issuer = *certificate->issuer ? (size_t) chain_case_find(c, certificate->issuer) : i;
  const EVP_MD *hash = hash_named(certificate->hash);
  X509 *x509 = X509_new();
  if (x509 && hash && fill(x509, certificate, c->certificate[issuer].cn, mint->key[i]) == 0 &&
      X509_sign(x509, mint->key[issuer], hash) > 0 && damage(x509, certificate->damage) == 0)
    return x509;
  X509_free(x509);
  return NULL;
}

static EVP_PKEY *share_or_make_key(const struct chain_certificate *c, const struct chain_case *all,
                                   const struct chain_mint *mint)
{
  if (!*c->key_of) return make_key(c->key);
  EVP_PKEY *shared = mint->key[chain_case_find(all, c->key_of)];
  if (shared) EVP_PKEY_up_ref(shared);
  return shared;
}

int chain_mint(const struct chain_case *c, struct chain_mint *out, char *why, size_t why_size)
{
  *out = (struct chain_mint){.count = c->certificate_count};
  for (size_t i = 0; i < c->certificate_count; i++) {
    out->key[i] = share_or_make_key(&c->certificate[i], c, out);
    if (out->key[i]) continue;
    snprintf(why, why_size, "line %d: %s: no key '%s'", c->line, c->certificate[i].name,
             c->certificate[i].key);
    return -1;
  }
  for (size_t i = 0; i < c->certificate_count; i++) {
    out->x509[i] = make(c, i, out);
    if (out->x509[i]) continue;
    snprintf(why, why_size, "line %d: %s: libcrypto cannot make it: check its attributes", c->line,
             c->certificate[i].name);
    return -1;
  }
  return 0;
}

void chain_mint_free(struct chain_mint *mint)
{
  for (size_t i = 0; i < mint->count; i++) {
    X509_free(mint->x509[i]);
    EVP_PKEY_free(mint->key[i]);
  }
}
