/* Each certificate gets its key, is filled in from its attributes and signed by its issuer. What
 * libcrypto does not make ends with the case's line and the certificate's name. */
#include "gauntlet/mint.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* An RSA key takes long to find, up to seconds on a busy machine, and no case looks at whose it is: each
 * size is made once, and shared. */
static EVP_PKEY *rsa_key(unsigned bits)
{
  static EVP_PKEY *kept[2];
  EVP_PKEY **key = &kept[bits > 1024];
  if (!*key) *key = EVP_RSA_gen(bits);
  if (*key) EVP_PKEY_up_ref(*key);
  return *key;
}

static EVP_PKEY *make_key(const char *type)
{
  if (strcmp(type, "p256") == 0 || !*type) return EVP_EC_gen("P-256");
  if (strcmp(type, "p384") == 0) return EVP_EC_gen("P-384");
  if (strcmp(type, "secp256k1") == 0) return EVP_EC_gen("secp256k1");
  if (strcmp(type, "rsa1024") == 0) return rsa_key(1024);
  if (strcmp(type, "rsa2048") == 0) return rsa_key(2048);
  return NULL;
}

void mint_warm_up(void)
{
  EVP_PKEY_free(rsa_key(1024));
  EVP_PKEY_free(rsa_key(2048));
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

/* A root that the client holds has the name that stands in it, whatever the case calls it. */
static X509_NAME *find_kept_name(const char *cn, const struct mint_setting *setting)
{
  for (size_t i = 0; setting->kept != NULL && i < setting->kept->count; i++) {
    const struct case_certificate *kept = &setting->kept_case->certificate[i];
    if (setting->kept->x509[i] != NULL && !*kept->issuer && strcmp(kept->cn, cn) == 0)
      return X509_get_subject_name(setting->kept->x509[i]);
  }
  return NULL;
}

static int name_subject(X509 *x509, const char *cn, const struct mint_setting *setting)
{
  const X509_NAME *kept = find_kept_name(cn, setting);
  if (kept == NULL) return set_name(X509_get_subject_name(x509), cn);
  return X509_set_subject_name(x509, kept) == 1 ? 0 : -1;
}

static int name_issuer(X509 *x509, const char *cn, const struct mint_setting *setting)
{
  const X509_NAME *kept = find_kept_name(cn, setting);
  if (kept == NULL) return set_name(X509_get_issuer_name(x509), cn);
  return X509_set_issuer_name(x509, kept) == 1 ? 0 : -1;
}

static int set_time(ASN1_TIME *out, const char *text, const char *otherwise, int64_t shift_s)
{
  int64_t unix_s;
  if (case_date(*text ? text : otherwise, &unix_s) != 0) return -1;
  return ASN1_TIME_adj(out, (time_t) (unix_s + shift_s), 0, 0) ? 0 : -1;
}

/* Adds the extension in OpenSSL's own notation; "" and "absent" add none. */
static int extend(X509 *x509, int nid, const char *prefix, const char *value)
{
  char text[512];
  if (!*value || strcmp(value, "absent") == 0) return 0;
  snprintf(text, sizeof text, "%s%s", prefix, value);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);
  int ok = extension && X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
  return ok ? 0 : -1;
}

static int extend_basic_constraints(X509 *x509, const struct case_certificate *c)
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

/* `host` is what the client calls its broker: constraints speak of it. */
static int extend_special(X509 *x509, const char *what, const char *host)
{
  struct in6_addr address;
  char allowed[300], forbidden[300];
  bool number = inet_pton(AF_INET, host, &address) == 1;
  snprintf(allowed, sizeof allowed, "permitted;%s:%s%s", number ? "IP" : "DNS", host,
           number ? "/255.255.255.255" : "");
  snprintf(forbidden, sizeof forbidden, "excluded;%s:%s%s", number ? "IP" : "DNS", host,
           number ? "/255.255.255.255" : "");
  if (!*what) return 0;
  if (strcmp(what, "unknown") == 0) return extend_unknown(x509, false);
  if (strcmp(what, "unknown-critical") == 0) return extend_unknown(x509, true);
  if (strcmp(what, "names-allowed-critical") == 0)
    return extend(x509, NID_name_constraints, "critical,", allowed);
  if (strcmp(what, "names-forbidden") == 0)
    return extend(x509, NID_name_constraints, "", forbidden);
  return -1;
}

/* RFC 5280 4.2.1.2: the hash of the key, by which issuers are told apart. */
static ASN1_OCTET_STRING *key_id(EVP_PKEY *key)
{
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509 *holder = X509_new();
  ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
  if (!holder || !id || X509_set_pubkey(holder, key) != 1 ||
      X509_pubkey_digest(holder, EVP_sha1(), digest, &size) != 1 ||
      ASN1_OCTET_STRING_set(id, digest, (int) size) != 1) {
    ASN1_OCTET_STRING_free(id);
    id = NULL;
  }
  X509_free(holder);
  return id;
}

/* Strict clients ask for both (RFC 5280 4.2.1.1). */
static int extend_key_ids(X509 *x509, EVP_PKEY *own, EVP_PKEY *issuer)
{
  ASN1_OCTET_STRING *subject = key_id(own);
  AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
  int ok = subject && authority &&
           X509_add1_ext_i2d(x509, NID_subject_key_identifier, subject, 0, X509V3_ADD_APPEND) == 1;
  if (ok && issuer != own)
    ok =
        (authority->keyid = key_id(issuer)) != NULL &&
        X509_add1_ext_i2d(x509, NID_authority_key_identifier, authority, 0, X509V3_ADD_APPEND) == 1;
  ASN1_OCTET_STRING_free(subject);
  AUTHORITY_KEYID_free(authority);
  return ok ? 0 : -1;
}

static int set_serial(X509 *x509)
{
  unsigned char bytes[8];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return -1;
  bytes[0] = (unsigned char) ((bytes[0] & 0x7f) | 0x40); /* positive, and always of 8 octets */
  BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
  int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
  BN_free(number);
  return ok ? 0 : -1;
}

/* The setting's name where the case has MINT_HOST: of SAN entries, which say whether it is a name or
 * an address. */
static void translate(const char *text, const struct mint_setting *setting, bool san, char *out,
                      size_t size)
{
  static const char entry[] = "DNS:" MINT_HOST;
  struct in6_addr address;
  const char *host = setting->host ? setting->host : MINT_HOST;
  const char *found = strstr(text, san ? entry : MINT_HOST);
  size_t width = strlen(san ? entry : MINT_HOST);
  if (!found || (found[width] != 0 && found[width] != ',') || (!san && found != text)) {
    snprintf(out, size, "%s", text);
    return;
  }
  bool number = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
  snprintf(out, size, "%.*s%s%s%s", (int) (found - text), text,
           !san     ? ""
           : number ? "IP:"
                    : "DNS:",
           host, found + width);
}

static int extend_all(X509 *x509, const struct case_certificate *c, EVP_PKEY *key, EVP_PKEY *issuer,
                      const char *san, const char *host)
{
  int failed = X509_set_version(x509, X509_VERSION_3) != 1;
  failed |= extend_basic_constraints(x509, c) != 0;
  failed |= extend(x509, NID_key_usage, "critical,", c->ku) != 0;
  failed |= extend(x509, NID_ext_key_usage, "", c->eku) != 0;
  failed |= extend(x509, NID_subject_alt_name, "", san) != 0;
  failed |= extend_key_ids(x509, key, issuer) != 0;
  failed |= extend_special(x509, c->extension, host) != 0;
  return failed;
}

/* RFC 5280 4.1.2.1: extensions are of version 3. */
static bool has_extensions(const struct case_certificate *c)
{
  return strcmp(c->version, "1") != 0;
}

static int fill(X509 *x509, const struct case_certificate *c, const char *issuer_cn, EVP_PKEY *key,
                EVP_PKEY *issuer, const struct mint_setting *setting, int64_t shift_s)
{
  char cn[320], san[512];
  translate(c->cn, setting, false, cn, sizeof cn);
  translate(c->san, setting, true, san, sizeof san);
  int failed = set_serial(x509) != 0;
  failed |= name_subject(x509, cn, setting) != 0;
  failed |= name_issuer(x509, issuer == key ? cn : issuer_cn, setting) != 0;
  failed |= set_time(X509_getm_notBefore(x509), c->from, "2020", shift_s) != 0;
  failed |= set_time(X509_getm_notAfter(x509), c->to, "2049", shift_s) != 0;
  failed |= X509_set_pubkey(x509, key) != 1;
  failed |= *c->version && has_extensions(c) && strcmp(c->version, "3") != 0;
  if (has_extensions(c))
    failed |= extend_all(x509, c, key, issuer, san, setting->host ? setting->host : MINT_HOST);
  else
    failed |= X509_set_version(x509, X509_VERSION_1) != 1;
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

static int64_t shift_of(const struct gauntlet_case *c, const struct mint_setting *setting)
{
  return setting->now_unix_s ? setting->now_unix_s - c->clock_unix_s : 0;
}

static X509 *make(const struct gauntlet_case *c, size_t i, const struct mint_setting *setting,
                  const struct mint *mint)
{
  const struct case_certificate *certificate = &c->certificate[i];
  size_t issuer = *certificate->issuer ? (size_t) case_find(c, certificate->issuer) : i;
  const EVP_MD *hash = hash_named(certificate->hash);
  X509 *x509 = X509_new();
  if (x509 && hash &&
      fill(x509, certificate, c->certificate[issuer].cn, mint->key[i], mint->key[issuer], setting,
           shift_of(c, setting)) == 0 &&
      X509_sign(x509, mint->key[issuer], hash) > 0 && damage(x509, certificate->damage) == 0)
    return x509;
  X509_free(x509);
  return NULL;
}

static EVP_PKEY *share_or_make_key(const struct case_certificate *c,
                                   const struct gauntlet_case *all, const struct mint *mint)
{
  if (!*c->key_of) return make_key(c->key);
  EVP_PKEY *shared = mint->key[case_find(all, c->key_of)];
  if (shared) EVP_PKEY_up_ref(shared);
  return shared;
}

static int find_same(const struct gauntlet_case *c, size_t i, const struct mint_setting *setting)
{
  const struct case_certificate *wanted = &c->certificate[i];
  int at = case_find(setting->kept_case, wanted->name);
  bool kept = at >= 0 && setting->kept->x509[at] != NULL &&
              memcmp(wanted, &setting->kept_case->certificate[at], sizeof *wanted) == 0;
  return kept ? at : -1;
}

/* Where the very same certificate is kept, or -1: all that it says is the same, and so are all that
 * vouch for it, up to one that vouches for itself. */
static int find_kept(const struct gauntlet_case *c, size_t i, const struct mint_setting *setting)
{
  size_t at = i;
  if (!setting->kept || c->clock_unix_s != setting->kept_case->clock_unix_s) return -1;
  for (size_t steps = 0; steps < c->certificate_count; steps++) {
    if (find_same(c, at, setting) < 0) return -1;
    if (!*c->certificate[at].issuer) return find_same(c, i, setting);
    at = (size_t) case_find(c, c->certificate[at].issuer);
  }
  return -1;
}

bool mint_trusts_kept(const struct gauntlet_case *c, const struct mint_setting *setting)
{
  for (size_t i = 0; i < c->trusts.count; i++)
    if (find_kept(c, (size_t) case_find(c, c->trusts.name[i]), setting) < 0) return false;
  return true;
}

static int make_keys(const struct gauntlet_case *c, const struct mint_setting *setting,
                     struct mint *out, char *why, size_t why_size)
{
  for (size_t i = 0; i < c->certificate_count; i++) {
    int kept = find_kept(c, i, setting);
    if (kept >= 0) {
      out->key[i] = setting->kept->key[kept];
      if (out->key[i]) EVP_PKEY_up_ref(out->key[i]);
      out->x509[i] = setting->kept->x509[kept];
      X509_up_ref(out->x509[i]);
      continue;
    }
    out->key[i] = share_or_make_key(&c->certificate[i], c, out);
    if (out->key[i]) continue;
    snprintf(why, why_size, "line %d: %s: no key '%s'", c->line, c->certificate[i].name,
             c->certificate[i].key);
    return -1;
  }
  return 0;
}

static bool is_shown(const struct gauntlet_case *c, size_t i)
{
  for (size_t s = 0; s < c->sends.count; s++)
    if (strcmp(c->sends.name[s], c->certificate[i].name) == 0) return true;
  return false;
}

/* Not where the key of a root is its owner's. */
static bool can_make(const struct gauntlet_case *c, size_t i, const struct mint *mint)
{
  const char *issuer = c->certificate[i].issuer;
  return mint->key[i] != NULL && (!*issuer || mint->key[case_find(c, issuer)] != NULL);
}

int mint_make_in(const struct gauntlet_case *c, const struct mint_setting *setting,
                 struct mint *out, char *why, size_t why_size)
{
  *out = (struct mint){.count = c->certificate_count};
  if (make_keys(c, setting, out, why, why_size) != 0) return -1;
  for (size_t i = 0; i < c->certificate_count; i++) {
    if (!out->x509[i] && !can_make(c, i, out)) {
      if (!is_shown(c, i)) continue;
      snprintf(
          why, why_size,
          "it wants a certificate that a root of yours has issued, and there is no key of that "
          "root here");
      return -1;
    }
    if (!out->x509[i]) out->x509[i] = make(c, i, setting, out);
    if (out->x509[i]) continue;
    snprintf(why, why_size, "line %d: %s: libcrypto cannot make it: check its attributes", c->line,
             c->certificate[i].name);
    return -1;
  }
  return 0;
}

int mint_make(const struct gauntlet_case *c, struct mint *out, char *why, size_t why_size)
{
  static const struct mint_setting as_written = {0};
  return mint_make_in(c, &as_written, out, why, why_size);
}

void mint_free(struct mint *mint)
{
  for (size_t i = 0; i < mint->count; i++) {
    X509_free(mint->x509[i]);
    EVP_PKEY_free(mint->key[i]);
  }
  *mint = (struct mint){0};
}
