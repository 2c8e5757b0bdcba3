/* Whether a broker that is given a file of CRLs still accepts whom it should, asked before it gets
 * it. What can be named is refused by its name; at the end OpenSSL verifies a device of each kind
 * as a broker would, by these very lists. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pki/crl.h"
#include "pki/crl_file.h"

#define KINDS_MAX 256 /* of device certificates that are verified; more are verified by name only */
#define DIGEST    32
#define LISTS_MAX 64 /* of a file: whether each of the first ones speaks of anybody */

struct check {
  struct pki *pki;
  struct pki_crl_file file;
  STACK_OF(X509) * issuers; /* references of its own */
  STACK_OF(X509) * operators;
  X509_STORE *store; /* the roots, and the file's lists */
  void (*warn)(void *ctx, const char *sentence);
  void *ctx;
  uint8_t kind[KINDS_MAX][DIGEST];
  size_t kinds;
  /* per list with a scope: it speaks of a device; and of one of its issuer's it does not */
  bool covers[LISTS_MAX], apart[LISTS_MAX];
  char above[PKI_CERT_TITLE]; /* whose list is missing that some brokers want, as told last */
  struct error *error;
};

static int refuse_list(const struct check *check, const X509_NAME *issuer, const char *what)
{
  char name[PKI_CERT_TITLE];
  pki_cert_title(issuer, name);
  return error_set(check->error, EXIT_CODE_USAGE, "%s: the CRL of '%s' %s", check->file.path, name,
                   what);
}

static void warn(const struct check *check, const X509_NAME *issuer, const char *what)
{
  char name[PKI_CERT_TITLE], sentence[700];
  pki_cert_title(issuer, name);
  snprintf(sentence, sizeof sentence, "%s: the CRL of '%s' %s", check->file.path, name, what);
  if (check->warn != NULL) check->warn(check->ctx, sentence);
}

/* --- The issuers ------------------------------------------------------------------------------ */

static bool add_issuer(struct check *check, X509 *certificate)
{
  if (certificate == NULL) return true;
  for (int i = 0; i < sk_X509_num(check->issuers); i++)
    if (X509_cmp(sk_X509_value(check->issuers, i), certificate) == 0) return true;
  if (X509_up_ref(certificate) != 1) return false;
  if (sk_X509_push(check->issuers, certificate) > 0) return true;
  X509_free(certificate);
  return false;
}

static bool add_chain(struct check *check, const STACK_OF(X509) * chain)
{
  bool added = true;
  for (int i = 1; i < sk_X509_num(chain) && added; i++)
    added = add_issuer(check, sk_X509_value(chain, i));
  return added;
}

/* The operator's certificate may be one that the staging broker's people made. */
static int gather_issuers(struct check *check)
{
  struct pki *pki = check->pki;
  char path[FILES_PATH_MAX];
  check->issuers = sk_X509_new_null();
  bool added = check->issuers != NULL && add_issuer(check, pki->back_office.certificate);
  for (size_t r = 0; r < pki->roots.count && added; r++)
    added = add_issuer(check, pki->hierarchy[r].root.certificate) &&
            add_issuer(check, pki->hierarchy[r].brokers.certificate) &&
            add_issuer(check, pki->hierarchy[r].devices.certificate);
  for (size_t d = 0; d < pki->device_count && added; d++) {
    STACK_OF(X509) *chain = pki_device_chain(pki, d, check->error);
    if (chain == NULL) return -1;
    added = add_chain(check, chain);
    sk_X509_pop_free(chain, X509_free);
  }
  if (files_join(path, pki->folder, "operator.crt", check->error) != 0 ||
      (check->operators = pki_cert_read_all(path, 8, check->error)) == NULL)
    return -1;
  if (added && add_chain(check, check->operators)) return 0;
  return pki_crypto_error(check->error, "gather the issuers of a CRL");
}

/* --- One list --------------------------------------------------------------------------------- */

static bool list_is_signed_by(X509_CRL *crl, X509 *issuer)
{
  EVP_PKEY *key = X509_get0_pubkey(issuer); /* NULL: a key that libcrypto cannot read */
  bool good = key != NULL && X509_CRL_verify(crl, key) == 1;
  ERR_clear_error();
  return good;
}

static int check_signature(const struct check *check, X509_CRL *crl)
{
  const X509_NAME *name = X509_CRL_get_issuer(crl);
  bool known = false;
  for (int i = 0; i < sk_X509_num(check->issuers); i++) {
    X509 *issuer = sk_X509_value(check->issuers, i);
    if (X509_NAME_cmp(X509_get_subject_name(issuer), name) != 0) continue;
    known = true;
    if (!list_is_signed_by(crl, issuer)) continue;
    if ((X509_get_key_usage(issuer) & KU_CRL_SIGN) != 0) return 0;
    return refuse_list(
        check, name,
        "is signed by a CA whose certificate does not allow that (keyUsage without cRLSign), and a "
        "broker refuses all whom it certified; renew the CA's certificate");
  }
  if (known)
    return refuse_list(
        check, name,
        "is not signed by this fleet's: it is another fleet's, or damaged; fetch the "
        "list of the CA whose key signed the devices' certificates");
  return refuse_list(
      check, name,
      "is of no authority that certifies this fleet; take the CRL of whoever issued its devices");
}

static int check_times(const struct check *check, X509_CRL *crl)
{
  const ASN1_TIME *from = X509_CRL_get0_lastUpdate(crl), *to = X509_CRL_get0_nextUpdate(crl);
  const X509_NAME *name = X509_CRL_get_issuer(crl);
  if (pki_cert_unix(from) > pki_now())
    return refuse_list(
        check, name,
        "is not in force yet: every device would be refused; look at the clock of who made it");
  if (to == NULL) {
    warn(check, name,
         "has no next update (RFC 5280 wants one): OpenSSL believes it for ever, other brokers may "
         "refuse");
    return 0;
  }
  if (pki_cert_unix(to) > pki_now()) return 0;
  return refuse_list(
      check, name,
      "has expired, and a broker that is given it refuses the whole fleet: fetch a newer one");
}

static void look_at_hash(const struct check *check, X509_CRL *crl)
{
  int hash = NID_undef;
  OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &hash, NULL);
  if (hash == NID_sha1 || hash == NID_md5)
    warn(check, X509_CRL_get_issuer(crl),
         "is signed over SHA-1 or MD5: brokers of newer systems (RHEL 9) refuse all whom that "
         "authority certified");
}

/* Two lists for the same scope, of which a broker takes one: which, depends on the broker. */
static int check_twin_lists(const struct check *check, int at)
{
  X509_CRL *crl = sk_X509_CRL_value(check->file.crls, at);
  char point[160] = "", other_point[160] = "";
  (void) pki_crl_point(crl, point, sizeof point);
  for (int i = 0; i < at; i++) {
    X509_CRL *other = sk_X509_CRL_value(check->file.crls, i);
    if (X509_CRL_cmp(crl, other) != 0 || X509_CRL_match(crl, other) == 0) continue;
    other_point[0] = '\0';
    (void) pki_crl_point(other, other_point, sizeof other_point);
    if (strcmp(point, other_point) == 0 && pki_crl_of_cas_only(crl) == pki_crl_of_cas_only(other))
      return refuse_list(check, X509_CRL_get_issuer(crl),
                         "is there twice, and differs: which of them counts depends on the broker; "
                         "leave only the newest");
  }
  return 0;
}

static int check_list(const struct check *check, int at)
{
  char why[600];
  X509_CRL *crl = sk_X509_CRL_value(check->file.crls, at);
  if (check_signature(check, crl) != 0) return -1;
  if (pki_crl_unfit(crl, why, sizeof why)) return refuse_list(check, X509_CRL_get_issuer(crl), why);
  if (check_times(check, crl) != 0) return -1;
  look_at_hash(check, crl);
  return check_twin_lists(check, at);
}

/* --- Whom it leaves out ----------------------------------------------------------------------- */

/* Only what ends a chain goes into the store: OpenSSL looks for no issuer above what it trusts. */
static bool build_store(struct check *check)
{
  check->store = X509_STORE_new();
  bool built = check->store != NULL;
  for (int i = 0; i < sk_X509_num(check->issuers) && built; i++) {
    X509 *issuer = sk_X509_value(check->issuers, i);
    if (X509_self_signed(issuer, 0) == 1) built = X509_STORE_add_cert(check->store, issuer) == 1;
  }
  for (int i = 0; i < sk_X509_CRL_num(check->file.crls) && built; i++)
    built = X509_STORE_add_crl(check->store, sk_X509_CRL_value(check->file.crls, i)) == 1;
  return built;
}

/* What is wrong with the certificates themselves is not asked here. */
static int only_crls_count(int passed, X509_STORE_CTX *ctx)
{
  switch (X509_STORE_CTX_get_error(ctx)) {
  case X509_V_ERR_UNABLE_TO_GET_CRL:
  case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
  case X509_V_ERR_CRL_SIGNATURE_FAILURE:
  case X509_V_ERR_CRL_NOT_YET_VALID:
  case X509_V_ERR_CRL_HAS_EXPIRED:
  case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
  case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
  case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
  case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
  case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
  case X509_V_ERR_DIFFERENT_CRL_SCOPE:
  case X509_V_ERR_CRL_PATH_VALIDATION_ERROR: return passed;
  default: return 1;
  }
}

/* As mosquitto verifies, which wants a list of the leaf's issuer, or with X509_V_FLAG_CRL_CHECK_ALL
 * as others do. Of a refusal `issuer` receives whose list it is about. */
static int verify(const struct check *check, STACK_OF(X509) * chain, unsigned long flags,
                  char issuer[PKI_CERT_TITLE])
{
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  int code = X509_V_ERR_OUT_OF_MEM;
  if (ctx != NULL &&
      X509_STORE_CTX_init(ctx, check->store, sk_X509_value(chain, 0), check->issuers) == 1) {
    X509_STORE_CTX_set_flags(ctx, flags | X509_V_FLAG_CRL_CHECK);
    X509_STORE_CTX_set_verify_cb(ctx, only_crls_count);
    code = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    const X509 *at = X509_STORE_CTX_get_current_cert(ctx);
    if (code != X509_V_OK && at != NULL) pki_cert_title(X509_get_issuer_name(at), issuer);
  }
  X509_STORE_CTX_free(ctx);
  ERR_clear_error();
  return code;
}

static int refuse_left_out(const struct check *check, X509 *leaf, const char *who, int code)
{
  const X509_NAME *issuer = X509_get_issuer_name(leaf);
  char what[500], point[160];
  bool some = false;
  for (int i = 0; i < sk_X509_CRL_num(check->file.crls); i++) {
    X509_CRL *crl = sk_X509_CRL_value(check->file.crls, i);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer) != 0) continue;
    some = true;
    if (pki_crl_of_cas_only(crl))
      return refuse_list(
          check, issuer,
          "is for CA certificates only and says nothing of devices: a broker that is given it "
          "refuses all whom that authority certified; publish the one for end entities");
    if (!pki_crl_point(crl, point, sizeof point)) continue;
    snprintf(what, sizeof what,
             "counts only for certificates which name its distribution point (%.160s) themselves, "
             "and that of %s does not: a broker that is given it refuses it and all like it; "
             "publish the complete list",
             point, who);
    return refuse_list(check, issuer, what);
  }
  if (!some)
    return refuse_list(
        check, issuer,
        "is missing: a broker that checks CRLs refuses all whom that authority certified; add it");
  snprintf(what, sizeof what,
           "leads to a refusal of %s and all like it by OpenSSL: %s; make it anew", who,
           X509_verify_cert_error_string(code));
  return refuse_list(check, issuer, what);
}

/* Certificates of one issuer with the same distribution points are all alike to a CRL. False: seen
   before. */
static bool is_new_kind(struct check *check, X509 *leaf)
{
  uint8_t *name = NULL, digest[DIGEST], both[2 * DIGEST] = {0};
  int size = i2d_X509_NAME(X509_get_issuer_name(leaf), &name);
  if (size > 0) EVP_Digest(name, (size_t) size, both, NULL, EVP_sha256(), NULL);
  OPENSSL_free(name);
  int at = X509_get_ext_by_NID(leaf, NID_crl_distribution_points, -1);
  if (at >= 0) {
    const ASN1_OCTET_STRING *points = X509_EXTENSION_get_data(X509_get_ext(leaf, at));
    EVP_Digest(ASN1_STRING_get0_data(points), (size_t) ASN1_STRING_length(points), both + DIGEST,
               NULL, EVP_sha256(), NULL);
  }
  if (EVP_Digest(both, sizeof both, digest, NULL, EVP_sha256(), NULL) != 1) return true;
  for (size_t i = 0; i < check->kinds; i++)
    if (memcmp(check->kind[i], digest, DIGEST) == 0) return false;
  if (check->kinds < KINDS_MAX) memcpy(check->kind[check->kinds++], digest, DIGEST);
  return true;
}

static void look_above(struct check *check, STACK_OF(X509) * chain)
{
  char issuer[PKI_CERT_TITLE] = "?", sentence[700];
  if (check->warn == NULL || verify(check, chain, X509_V_FLAG_CRL_CHECK_ALL, issuer) == X509_V_OK)
    return;
  if (strcmp(issuer, check->above) == 0) return;
  strcpy(check->above, issuer);
  snprintf(sentence, sizeof sentence,
           "%s: of '%s', which certified a CA of the devices, it has no list that counts: "
           "mosquitto and stunnel do not ask for one; HAProxy, nginx, RabbitMQ and node do, and "
           "refuse every device without it",
           check->file.path, issuer);
  check->warn(check->ctx, sentence);
}

static int check_leaf(struct check *check, STACK_OF(X509) * chain, const char *who)
{
  X509 *leaf = sk_X509_value(chain, 0);
  char issuer[PKI_CERT_TITLE];
  if (!is_new_kind(check, leaf)) return 0;
  int code = verify(check, chain, 0, issuer);
  if (code != X509_V_OK) return refuse_left_out(check, leaf, who, code);
  look_above(check, chain);
  return 0;
}

/* A list for a distribution point beside the complete one, or for CAs, tells a broker nothing of
 * other certificates. Whom it names all the same somebody meant to revoke, and they stay let in. */
static int check_scope(struct check *check, X509 *leaf, const char *who)
{
  char what[500], point[160];
  X509_REVOKED *entry = NULL;
  for (int i = 0; i < sk_X509_CRL_num(check->file.crls); i++) {
    X509_CRL *crl = sk_X509_CRL_value(check->file.crls, i);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(leaf)) != 0) continue;
    bool at_point = pki_crl_point(crl, point, sizeof point);
    if (!at_point && !pki_crl_of_cas_only(crl)) continue;
    if (pki_crl_covers(crl, leaf)) {
      if (i < LISTS_MAX) check->covers[i] = true;
      continue;
    }
    if (i < LISTS_MAX) check->apart[i] = at_point;
    if (X509_CRL_get0_by_cert(crl, &entry, leaf) != 1) continue;
    if (at_point)
      snprintf(what, sizeof what,
               "names %s and counts only for certificates which name its distribution point "
               "(%.160s) themselves, which that one does not: a broker that is given it lets it "
               "in; publish the complete list",
               who, point);
    else
      snprintf(what, sizeof what,
               "names %s and is for CA certificates only: a broker that is given it lets it in; "
               "publish the one for end entities",
               who);
    return refuse_list(check, X509_CRL_get_issuer(crl), what);
  }
  return 0;
}

/* Nobody's certificate names its distribution point. */
static int check_apart(const struct check *check)
{
  char what[400], point[160];
  for (int i = 0; i < sk_X509_CRL_num(check->file.crls) && i < LISTS_MAX; i++) {
    X509_CRL *crl = sk_X509_CRL_value(check->file.crls, i);
    if (!check->apart[i] || check->covers[i] || !pki_crl_point(crl, point, sizeof point)) continue;
    snprintf(what, sizeof what,
             "counts only for certificates which name its distribution point (%.160s) themselves, "
             "and no device's does: it tells a broker nothing; publish the complete list alone",
             point);
    return refuse_list(check, X509_CRL_get_issuer(crl), what);
  }
  return 0;
}

/* The list of the back office is ours to make: pki_complete_crls adds it. */
static int check_complete(struct check *check)
{
  int result = 0;
  X509 *office = sk_X509_value(check->operators, 0);
  if (X509_NAME_cmp(X509_get_issuer_name(office),
                    X509_get_subject_name(check->pki->back_office.certificate)) != 0)
    result = check_leaf(check, check->operators, "the operator");
  for (size_t d = 0; d < check->pki->device_count && result == 0; d++) {
    char who[PKI_DEVICE_NAME + 8], name[PKI_DEVICE_NAME];
    STACK_OF(X509) *chain = pki_device_chain(check->pki, d, check->error);
    if (chain == NULL) return -1;
    snprintf(who, sizeof who, "device %s",
             pki_device_text(check->pki, check->pki->devices[d].id, name));
    result = check_leaf(check, chain, who);
    if (result == 0) result = check_scope(check, sk_X509_value(chain, 0), who);
    sk_X509_pop_free(chain, X509_free);
  }
  return result == 0 ? check_apart(check) : result;
}

/* All of a file are judged by the files before it, not by each other. What is refused otherwise is
 * noted all the same: 'unchecked' may publish it. */
static int check_order(const struct check *check, struct pki_crl_history *history, int result)
{
  char why[400];
  int count = sk_X509_CRL_num(check->file.crls);
  for (int i = 0; i < count && result == 0; i++) {
    X509_CRL *crl = sk_X509_CRL_value(check->file.crls, i);
    int order = pki_crl_judge_order(check->pki, crl, history, why, sizeof why);
    if (order < 0)
      return error_set(check->error, EXIT_CODE_INTERNAL, "no memory for the history of CRLs");
    if (order > 0) result = refuse_list(check, X509_CRL_get_issuer(crl), why);
  }
  for (int i = 0; i < count; i++)
    if (pki_crl_note_order(sk_X509_CRL_value(check->file.crls, i), history) != 0)
      return error_set(check->error, EXIT_CODE_INTERNAL, "no memory for the history of CRLs");
  return result;
}

static int check_file(struct check *check, struct pki_crl_history *history)
{
  int result = pki_crl_file_read(check->file.path, &check->file, check->error);
  if (result == 0) result = gather_issuers(check);
  if (result == 0 && !build_store(check))
    result = pki_crypto_error(check->error, "gather the issuers of a CRL");
  for (int i = 0; result == 0 && i < sk_X509_CRL_num(check->file.crls); i++)
    result = check_list(check, i);
  if (result == 0) result = check_complete(check);
  return history == NULL ? result : check_order(check, history, result);
}

int pki_check_crls(struct pki *pki, const char *path, struct pki_crl_history *history,
                   void (*warn_of)(void *ctx, const char *sentence), void *ctx, struct error *error)
{
  struct check *check = calloc(1, sizeof *check);
  if (check == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory to check %s", path);
  *check = (struct check){
      .pki = pki, .file = {.path = path}, .warn = warn_of, .ctx = ctx, .error = error};
  int result = check_file(check, history);
  pki_crl_file_release(&check->file);
  sk_X509_pop_free(check->issuers, X509_free);
  sk_X509_pop_free(check->operators, X509_free);
  X509_STORE_free(check->store);
  free(check);
  return result;
}
