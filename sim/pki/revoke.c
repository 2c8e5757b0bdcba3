/* Who is revoked: a device by its rows or the certificate in force, a broker's leaf by the row
 * made when it was minted, an intermediate by its file. What somebody else has issued cannot be
 * revoked here, and the sentence says who can. */
#include <assert.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pki/authority.h"
#include "pki/revoked.h"

static struct pki_revoked_store *store_of(struct pki *pki)
{
  return pki_registry_revoked(pki->registry);
}

/* A device's certificates, while they are looked through. */
struct choice {
  uint8_t serial[20]; /* only this one, when serial_size is not 0 */
  uint8_t serial_size;
  struct pki_revoked row;
  const struct pki *pki;
  struct pki_revoked_store *store;
  size_t matching, foreign, newly;
  bool only_asked; /* nothing is changed */
  int result;
  struct error *error;
};

/* Whose list will name it; false: nobody's here. */
static bool find_authority(const struct choice *choice, const struct pki_issued *issued,
                           const uint8_t *chain, size_t size, char out[PKI_AUTHORITY_NAME])
{
  const struct pki_hierarchy *root =
      issued->imported ? NULL : pki_find_root(choice->pki, issued->issuer, NULL);
  if (root != NULL) pki_authority_name(root, issued->issuer, PKI_CRL_DEVICES, out);
  if (root != NULL || !issued->imported) return root != NULL;
  STACK_OF(X509) *parsed = pki_decode_chain(chain, size);
  bool found =
      parsed != NULL && pki_authority_that_issued(choice->pki, sk_X509_value(parsed, 0), out);
  sk_X509_pop_free(parsed, X509_free);
  return found;
}

static void revoke_one(void *ctx, const struct pki_issued *issued, const uint8_t *chain,
                       size_t size)
{
  struct choice *choice = ctx;
  bool wanted = choice->serial_size == 0 ||
                (choice->serial_size == issued->serial_size &&
                 memcmp(choice->serial, issued->serial, issued->serial_size) == 0);
  if (!wanted || choice->result < 0) return;
  choice->matching++;
  if (!find_authority(choice, issued, chain, size, choice->row.authority)) {
    choice->foreign++;
    return;
  }
  if (choice->only_asked) return;
  memcpy(choice->row.serial, issued->serial, sizeof choice->row.serial);
  choice->row.serial_size = issued->serial_size;
  choice->result = pki_revoked_add(choice->store, &choice->row, choice->error);
  if (choice->result > 0) choice->newly++;
}

static int take_asn1_serial(const ASN1_INTEGER *serial, uint8_t out[20], uint8_t *size,
                            struct error *error)
{
  int length = ASN1_STRING_length(serial);
  if (length < 1 || length > 20)
    return error_set(error, EXIT_CODE_USAGE,
                     "a certificate's serial number has %d bytes, not 1 to 20", length);
  memcpy(out, ASN1_STRING_get0_data(serial), (size_t) length);
  *size = (uint8_t) length;
  return 0;
}

static int serial_in_force(struct pki *pki, size_t index, uint8_t out[20], uint8_t *size,
                           struct error *error)
{
  STACK_OF(X509) *chain = pki_device_chain(pki, index, error);
  if (chain == NULL) return -1;
  int result = take_asn1_serial(X509_get0_serialNumber(sk_X509_value(chain, 0)), out, size, error);
  sk_X509_pop_free(chain, X509_free);
  return result;
}

static int choose(struct pki *pki, uint32_t id, struct choice *choice)
{
  char name[PKI_DEVICE_NAME];
  if (pki_registry_each_chain(pki->registry, id, revoke_one, choice, choice->error) != 0 ||
      choice->result < 0)
    return -1;
  if (choice->matching == 0)
    return error_set(choice->error, EXIT_CODE_SETUP,
                     "the certificate in force on device %s is not in the registry; restore both "
                     "from one copy",
                     pki_device_text(pki, id, name));
  if (choice->matching > choice->foreign) return 0;
  return error_set(choice->error, EXIT_CODE_USAGE,
                   "device %s has an imported certificate whose issuer's key is not here: have its "
                   "issuer revoke it, and give the broker their CRL",
                   pki_device_text(pki, id, name));
}

int pki_check_revocable(struct pki *pki, size_t index, struct error *error)
{
  assert(index < pki->device_count);
  struct choice choice = {.pki = pki, .only_asked = true, .error = error};
  return choose(pki, pki->devices[index].id, &choice);
}

int pki_revoke_device(struct pki *pki, size_t index, bool all, enum pki_reason reason,
                      size_t *newly, struct error *error)
{
  assert(index < pki->device_count);
  uint32_t id = pki->devices[index].id;
  struct choice choice = {
      .row = {.reason = reason, .when = pki_now(), .of_device = true, .device = id},
      .pki = pki,
      .store = store_of(pki),
      .error = error};
  if (!all && serial_in_force(pki, index, choice.serial, &choice.serial_size, error) != 0)
    return -1;
  int result = choose(pki, id, &choice);
  if (newly != NULL) *newly = choice.newly;
  return result;
}

/* The row of the broker's leaf made last; row->serial_size is 0 on failure. */
static int broker_row(struct pki *pki, const char *root, struct pki_revoked *row,
                      struct error *error)
{
  const struct pki_hierarchy *issuer = pki_find_issuer(pki, root, error);
  if (issuer == NULL) return -1;
  int found = pki_revoked_last_broker(store_of(pki), root, row->serial, &row->serial_size, error);
  pki_authority_name(issuer, root, PKI_CRL_BROKERS, row->authority);
  if (found != 0) return found < 0 ? -1 : 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "no broker certificate was made under root '%s' yet: there is none to revoke",
                   root);
}

int pki_revoke_broker(struct pki *pki, const char *root, enum pki_reason reason,
                      struct error *error)
{
  struct pki_revoked row = {.reason = reason, .when = pki_now()};
  if (broker_row(pki, root, &row, error) != 0) return -1;
  return pki_revoked_add(store_of(pki), &row, error) < 0 ? -1 : 0;
}

static int intermediate_row(struct pki *pki, const char *root, enum pki_crl_issuer which,
                            struct pki_revoked *row, struct error *error)
{
  const struct pki_hierarchy *found = pki_find_root_key(pki, root, error);
  if (found == NULL) return -1;
  if (which == PKI_CRL_ROOT)
    return error_set(
        error, EXIT_CODE_USAGE,
        "a root is not revoked by a CRL: nobody stands above it; take '%s' out of the trust bundle",
        root);
  const X509 *certificate =
      which == PKI_CRL_BROKERS ? found->brokers.certificate : found->devices.certificate;
  snprintf(row->authority, sizeof row->authority, "%s", root);
  return take_asn1_serial(X509_get0_serialNumber(certificate), row->serial, &row->serial_size,
                          error);
}

int pki_revoke_intermediate(struct pki *pki, const char *root, enum pki_crl_issuer which,
                            enum pki_reason reason, struct error *error)
{
  struct pki_revoked row = {.reason = reason, .when = pki_now()};
  if (intermediate_row(pki, root, which, &row, error) != 0) return -1;
  return pki_revoked_add(store_of(pki), &row, error) < 0 ? -1 : 0;
}

static int dropped(int rows, size_t *count)
{
  if (rows < 0) return -1;
  if (count != NULL) *count = (size_t) rows;
  return 0;
}

int pki_unrevoke_device(struct pki *pki, size_t index, size_t *count, struct error *error)
{
  assert(index < pki->device_count);
  return dropped(pki_revoked_drop_device(store_of(pki), pki->devices[index].id, error), count);
}

int pki_unrevoke_broker(struct pki *pki, const char *root, size_t *count, struct error *error)
{
  struct pki_revoked row = {0};
  if (broker_row(pki, root, &row, error) != 0) return -1;
  return dropped(pki_revoked_drop(store_of(pki), &row, error), count);
}

int pki_unrevoke_intermediate(struct pki *pki, const char *root, enum pki_crl_issuer which,
                              size_t *count, struct error *error)
{
  struct pki_revoked row = {0};
  if (intermediate_row(pki, root, which, &row, error) != 0) return -1;
  return dropped(pki_revoked_drop(store_of(pki), &row, error), count);
}

int pki_each_revoked(struct pki *pki, void (*each)(void *ctx, const struct pki_revoked *row),
                     void *ctx, struct error *error)
{
  return pki_revoked_each(store_of(pki), NULL, each, ctx, error);
}

static int check_part(const struct pki_chain *chain, enum pki_part part, struct error *error)
{
  if (part == PKI_PART_CROSS && chain->cross[0] == '\0')
    return error_set(error, EXIT_CODE_USAGE,
                     "the broker presents no cross-certificate to revoke; give it one with "
                     "'present: {root: %s, cross: ROOT}'",
                     chain->root);
  if (part == PKI_PART_INTERMEDIATE && chain->omit_intermediate)
    return error_set(error, EXIT_CODE_USAGE, "the broker presents no intermediate to revoke");
  return 0;
}

/* Whose list names that part; -1 where its key is not here. */
static int name_part(const struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                     struct pki_revoked *row, struct error *error)
{
  bool leaf = part == PKI_PART_LEAF;
  const char *root = part == PKI_PART_CROSS ? chain->cross : chain->root;
  const struct pki_hierarchy *issuer =
      leaf ? pki_find_issuer(pki, root, error) : pki_find_root_key(pki, root, error);
  if (issuer == NULL) return -1;
  pki_authority_name(issuer, root, leaf ? PKI_CRL_BROKERS : PKI_CRL_ROOT, row->authority);
  return 0;
}

/* The part's row, from the file that was given to the broker. */
static int part_row(const struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                    const char *path, struct pki_revoked *row, struct error *error)
{
  if (check_part(chain, part, error) != 0 || name_part(pki, chain, part, row, error) != 0)
    return -1;
  STACK_OF(X509) *sent = pki_cert_read_all(path, 3, error);
  if (sent == NULL) return -1;
  int last = sk_X509_num(sent) - 1, at = part == PKI_PART_LEAF           ? 0
                                         : part == PKI_PART_INTERMEDIATE ? 1
                                                                         : last;
  int result = at > last
                   ? error_set(error, EXIT_CODE_SETUP, "%s does not hold the whole chain", path)
                   : take_asn1_serial(X509_get0_serialNumber(sk_X509_value(sent, at)), row->serial,
                                      &row->serial_size, error);
  sk_X509_pop_free(sent, X509_free);
  return result;
}

int pki_revoke_part(struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                    const char *path, struct error *error)
{
  struct pki_revoked row = {.reason = part == PKI_PART_LEAF ? PKI_REASON_KEY_COMPROMISE
                                                            : PKI_REASON_CA_COMPROMISE,
                            .when = pki_now()};
  if (part_row(pki, chain, part, path, &row, error) != 0) return -1;
  return pki_revoked_add(store_of(pki), &row, error) < 0 ? -1 : 0;
}

int pki_unrevoke_part(struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                      const char *path, struct error *error)
{
  struct pki_revoked row = {0};
  if (part_row(pki, chain, part, path, &row, error) != 0) return -1;
  return pki_revoked_drop(store_of(pki), &row, error) < 0 ? -1 : 0;
}
