/* A CRL is made anew each time, from the registry's rows and the times that the caller wants,
 * expired ones too. It is signed by the authority itself; one whose key lies elsewhere is refused
 * by name. */
#include "pki/crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pki/authority.h"
#include "pki/revoked.h"

/* What goes into one CRL. */
struct plan {
  const char *name; /* of the authority, as in the registry */
  const struct pki_authority *authority;
  struct pki_crl_times times;
  size_t filler;
};

/* While the registry's rows become entries. */
struct listing {
  X509_CRL *crl;
  bool whole;
};

static ASN1_INTEGER *serial_of(const uint8_t *bytes, size_t size)
{
  BIGNUM *number = BN_bin2bn(bytes, (int) size, NULL);
  ASN1_INTEGER *serial = number == NULL ? NULL : BN_to_ASN1_INTEGER(number, NULL);
  BN_free(number);
  return serial;
}

/* RFC 5280, 5.3.1: unspecified is said by leaving the reason out. */
static bool add_reason(X509_REVOKED *entry, enum pki_reason reason)
{
  if (reason == PKI_REASON_UNSPECIFIED) return true;
  ASN1_ENUMERATED *code = ASN1_ENUMERATED_new();
  bool added = code != NULL && ASN1_ENUMERATED_set(code, (long) reason) == 1 &&
               X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, code, 0, X509V3_ADD_APPEND) == 1;
  ASN1_ENUMERATED_free(code);
  return added;
}

static bool add_entry(X509_CRL *crl, const uint8_t *bytes, size_t size, const ASN1_TIME *when,
                      enum pki_reason reason)
{
  X509_REVOKED *entry = X509_REVOKED_new();
  ASN1_INTEGER *serial = serial_of(bytes, size);
  bool added = entry != NULL && serial != NULL && when != NULL &&
               X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
               X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *) when) == 1 &&
               add_reason(entry, reason) && X509_CRL_add0_revoked(crl, entry) == 1;
  ASN1_INTEGER_free(serial);
  if (!added) X509_REVOKED_free(entry);
  return added;
}

static void add_row(void *ctx, const struct pki_revoked *row)
{
  struct listing *listing = ctx;
  ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t) row->when);
  if (listing->whole)
    listing->whole = add_entry(listing->crl, row->serial, row->serial_size, when, row->reason);
  ASN1_TIME_free(when);
}

/* splitmix64: distinct for distinct n, and as uneven as real serials are. */
static uint64_t scatter(uint64_t n)
{
  n = (n + 1) * 0x9e3779b97f4a7c15u;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
  n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
  return n ^ (n >> 31);
}

/* Serials that we mint begin with 01 in their two highest bits; these begin with 001 and are
   nobody's. */
static bool add_filler(X509_CRL *crl, size_t count, int64_t when)
{
  ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t) when);
  bool added = time != NULL;
  for (size_t i = 0; i < count && added; i++) {
    uint64_t halves[2] = {scatter(2 * i), scatter(2 * i + 1)};
    uint8_t serial[sizeof halves];
    memcpy(serial, halves, sizeof serial);
    serial[0] = (uint8_t) ((serial[0] & 0x1f) | 0x20);
    added = add_entry(crl, serial, sizeof serial, time, PKI_REASON_SUPERSEDED);
  }
  ASN1_TIME_free(time);
  return added;
}

static bool add_list_extensions(X509_CRL *crl, X509 *issuer, int64_t number)
{
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
  /* a CA of somebody else's may have no identifier to point at */
  bool identified = X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
  X509_EXTENSION *keyid =
      identified ? X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always")
                 : NULL;
  ASN1_INTEGER *count = ASN1_INTEGER_new();
  bool added = (!identified || (keyid != NULL && X509_CRL_add_ext(crl, keyid, -1) == 1)) &&
               count != NULL && ASN1_INTEGER_set_int64(count, number) == 1 &&
               X509_CRL_add1_ext_i2d(crl, NID_crl_number, count, 0, X509V3_ADD_APPEND) == 1;
  X509_EXTENSION_free(keyid);
  ASN1_INTEGER_free(count);
  return added;
}

static bool set_head(X509_CRL *crl, const struct plan *plan)
{
  ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t) plan->times.this_update);
  ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t) plan->times.next_update);
  bool set =
      from != NULL && to != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
      X509_CRL_set_issuer_name(crl, X509_get_subject_name(plan->authority->certificate)) == 1 &&
      X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, to) == 1;
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  return set;
}

static int check(const struct plan *plan, struct error *error)
{
  if (plan->times.next_update <= plan->times.this_update)
    return error_set(error, EXIT_CODE_USAGE,
                     "the CRL's next update is not after this one; give it a later end");
  if (plan->filler > PKI_CRL_FILLER_MAX)
    return error_set(error, EXIT_CODE_USAGE, "a CRL is filled up with at most %u entries, not %zu",
                     PKI_CRL_FILLER_MAX, plan->filler);
  if (plan->authority->key == NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "no CRL of '%s' can be made: the fleet folder does not hold its key; whoever "
                     "does has to make it",
                     plan->name);
  return 0;
}

/* NULL on failure. The caller frees. */
static X509_CRL *make(struct pki *pki, const struct plan *plan, struct error *error)
{
  struct pki_revoked_store *store = pki_registry_revoked(pki->registry);
  int64_t number = 0;
  if (check(plan, error) != 0 || pki_revoked_next_crl(store, plan->name, &number, error) != 0)
    return NULL;
  struct listing listing = {X509_CRL_new(), true};
  bool made = listing.crl != NULL && set_head(listing.crl, plan);
  if (made && pki_revoked_each(store, plan->name, add_row, &listing, error) != 0) {
    X509_CRL_free(listing.crl);
    return NULL;
  }
  if (made && listing.whole && add_filler(listing.crl, plan->filler, plan->times.this_update) &&
      X509_CRL_sort(listing.crl) == 1 &&
      add_list_extensions(listing.crl, plan->authority->certificate, number) &&
      X509_CRL_sign(listing.crl, plan->authority->key, EVP_sha256()) > 0)
    return listing.crl;
  X509_CRL_free(listing.crl);
  pki_crypto_error(error, "make a CRL");
  error_wrap(error, "authority '%s'", plan->name);
  return NULL;
}

int pki_crl_der(struct pki *pki, const char *root, enum pki_crl_issuer issuer,
                const struct pki_crl_times *times, uint8_t *out, size_t capacity, size_t *size,
                struct error *error)
{
  char name[PKI_AUTHORITY_NAME];
  const struct pki_hierarchy *found = pki_find_root(pki, root, error);
  if (found == NULL) return -1;
  pki_authority_name(found, root, issuer, name);
  X509_CRL *crl = make(
      pki,
      &(struct plan){.name = name, .authority = pki_authority_of(found, issuer), .times = *times},
      error);
  if (crl == NULL) return -1;
  int needed = i2d_X509_CRL(crl, NULL), result = -1;
  if (needed <= 0)
    pki_crypto_error(error, "encode a CRL");
  else if ((size_t) needed > capacity)
    error_set(error, EXIT_CODE_USAGE,
              "the CRL of '%s' has %d bytes and does not fit %zu; revoke fewer certificates", name,
              needed, capacity);
  else {
    uint8_t *at = out;
    *size = (size_t) i2d_X509_CRL(crl, &at);
    result = 0;
  }
  X509_CRL_free(crl);
  return result;
}

static int add_pem(struct pki *pki, const struct plan *plan, BIO *bio, struct error *error)
{
  X509_CRL *crl = make(pki, plan, error);
  if (crl == NULL) return -1;
  int result =
      PEM_write_bio_X509_CRL(bio, crl) == 1 ? 0 : pki_crypto_error(error, "write a CRL as PEM");
  X509_CRL_free(crl);
  return result;
}

static int add_root_pems(struct pki *pki, const char *root, const struct pki_crl_times *times,
                         size_t filler, BIO *bio, struct error *error)
{
  char name[PKI_AUTHORITY_NAME];
  const struct pki_hierarchy *found = pki_find_root(pki, root, error);
  if (found == NULL) return -1;
  struct plan plan = {.name = name, .authority = &found->root, .times = *times};
  pki_authority_name(found, root, PKI_CRL_ROOT, name);
  bool owners = found->root.key == NULL && found->devices.key != NULL; /* it is for him to make */
  if (!owners && add_pem(pki, &plan, bio, error) != 0) return -1;
  plan.authority = &found->devices;
  plan.filler = filler;
  pki_authority_name(found, root, PKI_CRL_DEVICES, name);
  return add_pem(pki, &plan, bio, error);
}

int pki_write_crls(struct pki *pki, const struct pki_roots *roots,
                   const struct pki_crl_times *times, size_t filler, const char *path,
                   struct error *error)
{
  BIO *bio = BIO_new(BIO_s_mem());
  if (bio == NULL) return pki_crypto_error(error, "write a CRL as PEM");
  int result = 0;
  for (size_t i = 0; i < roots->count && result == 0; i++)
    result = add_root_pems(pki, roots->name[i], times, i == 0 ? filler : 0, bio, error);
  struct plan office = {.name = "back-office", .authority = &pki->back_office, .times = *times};
  if (result == 0) result = add_pem(pki, &office, bio, error);
  if (result == 0) {
    char *pem = NULL;
    long size = BIO_get_mem_data(bio, &pem);
    result = files_write(path, pem, (size_t) size, 0644, error);
  }
  BIO_free(bio);
  return result;
}
