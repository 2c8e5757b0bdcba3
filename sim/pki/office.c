/* The back office's own credentials, made once with the fleet: the operator's certificate under a
 * CA that no rotation touches, and the two keys that sign for devices, one for updates and one for
 * images. */
#include "internal.h"

#include <stdio.h>

#define OFFICE_YEARS   20
#define UPDATE_YEARS   20
#define OPERATOR_YEARS 10

static int make_operator(const char *folder, const struct pki_authority *office,
                         struct error *error)
{
  char certificate_path[FILES_PATH_MAX], key_path[FILES_PATH_MAX];
  if (files_join(certificate_path, folder, "operator.crt", error) != 0 ||
      files_join(key_path, folder, "operator.key", error) != 0)
    return -1;
  EVP_PKEY *key = pki_key_generate(error);
  struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                               .subject = "operator",
                               .key = key,
                               .issuer = office,
                               .not_before = pki_now() - PKI_DAY_S,
                               .not_after = pki_now() + OPERATOR_YEARS * PKI_YEAR_S};
  X509 *certificate = key == NULL ? NULL : pki_cert_mint(&spec, error);
  int result = certificate == NULL ? -1 : pki_key_write_new(key_path, key, error);
  if (result == 0) result = pki_cert_write(certificate_path, &certificate, 1, error);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return result;
}

/* The operator verifies brokers by every root of the fleet: it must see what is served in each
   phase. */
static int write_operator_ca(const char *folder, const struct pki_roots *roots, struct error *error)
{
  X509 *certificates[PKI_ROOTS_MAX] = {0};
  char path[FILES_PATH_MAX], name[PKI_NAME_MAX + 16];
  int result = 0;
  for (size_t i = 0; i < roots->count && result == 0; i++) {
    snprintf(name, sizeof name, "ca/%s.crt", roots->name[i]);
    result = files_join(path, folder, name, error);
    if (result == 0 && (certificates[i] = pki_cert_read(path, error)) == NULL) result = -1;
  }
  if (result == 0) result = files_join(path, folder, "operator-ca.crt", error);
  if (result == 0) result = pki_cert_write(path, certificates, roots->count, error);
  for (size_t i = 0; i < roots->count; i++) X509_free(certificates[i]);
  return result;
}

/* NAME.key and NAME.pub */
static int make_signing_key(const char *folder, const char *private_name, const char *public_name,
                            struct error *error)
{
  char path[FILES_PATH_MAX], public_path[FILES_PATH_MAX];
  if (files_join(path, folder, private_name, error) != 0 ||
      files_join(public_path, folder, public_name, error) != 0)
    return -1;
  EVP_PKEY *key = pki_key_generate(error);
  if (key == NULL) return -1;
  int result = pki_key_write_new(path, key, error);
  if (result == 0) result = pki_key_write_public(public_path, key, error);
  EVP_PKEY_free(key);
  return result;
}

int pki_image_key_make(const char *folder, struct error *error)
{
  return make_signing_key(folder, "image.key", "image.pub", error);
}

int pki_update_ca_make(const char *folder, struct pki_authority *out, struct error *error)
{
  return pki_authority_make(folder, "update-ca", "fleetsim update CA", UPDATE_YEARS, out, error);
}

int pki_office_make(const char *folder, const struct pki_roots *roots, struct error *error)
{
  struct pki_authority office = {0}, updates = {0};
  int result = pki_authority_make(folder, "back-office", "fleetsim back office", OFFICE_YEARS,
                                  &office, error);
  if (result == 0) result = make_operator(folder, &office, error);
  if (result == 0) result = write_operator_ca(folder, roots, error);
  if (result == 0) result = make_signing_key(folder, "update.key", "update.pub", error);
  if (result == 0) result = pki_image_key_make(folder, error);
  if (result == 0) result = pki_update_ca_make(folder, &updates, error);
  pki_authority_release(&office);
  pki_authority_release(&updates);
  return result;
}

int pki_office_load(struct pki *pki, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, pki->folder, "update.key", error) != 0) return -1;
  if ((pki->update_key = pki_key_read(path, error)) == NULL) return -1;
  return pki_key_point(pki->update_key, pki->update_point, error);
}
