/* Roots are minted once, of the cases' defaults: a case that leaves them unchanged shows chains under
 * the very roots that the client was given. */
#define _GNU_SOURCE
#include "gauntlet/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/files.h"
#include "pki/certificate.h"
#include "pki/key.h"

enum { DAY_S = 86400, YEARS = 20 };

static int make_client(struct credentials *out, int64_t now, struct error *error)
{
  int root = case_find(out->defaults, out->defaults->trusts.name[0]);
  if (root < 0)
    return error_set(error, EXIT_CODE_USAGE, "the cases' defaults trust no certificate");
  const struct pki_authority issuer = {out->kept.x509[root], out->kept.key[root]};
  out->client_key = pki_key_generate(error);
  if (out->client_key == NULL) return -1;
  const struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                                     .subject = CREDENTIALS_CLIENT,
                                     .key = out->client_key,
                                     .issuer = &issuer,
                                     .not_before = now - DAY_S,
                                     .not_after = now + (int64_t) YEARS * 365 * DAY_S};
  out->client = pki_cert_mint(&spec, error);
  return out->client != NULL ? 0 : -1;
}

static int name_in(const char *folder, const char *name, const char *suffix,
                   char out[FILES_PATH_MAX], struct error *error)
{
  char file[CASE_NAME_SIZE + 8];
  snprintf(file, sizeof file, "%s.%s", name, suffix);
  return files_join(out, folder, file, error);
}

/* Takes the root that is kept there, or puts the one that was just made. */
static int keep_root(struct credentials *out, const char *folder, const char *name,
                     struct error *error)
{
  int at = case_find(out->defaults, name);
  char crt[FILES_PATH_MAX], key[FILES_PATH_MAX];
  if (name_in(folder, name, "crt", crt, error) != 0 ||
      name_in(folder, name, "key", key, error) != 0)
    return -1;
  if (access(key, F_OK) != 0) {
    X509 *made = out->kept.x509[at];
    return pki_key_write_new(key, out->kept.key[at], error) != 0
               ? -1
               : pki_cert_write(crt, &made, 1, error);
  }
  X509 *root = pki_cert_read(crt, error);
  EVP_PKEY *own = root != NULL ? pki_key_read(key, error) : NULL;
  if (own == NULL || X509_check_private_key(root, own) != 1) {
    if (own != NULL)
      error_set(error, EXIT_CODE_USAGE, "%s is not the key of %s: name another folder", key, crt);
    X509_free(root);
    EVP_PKEY_free(own);
    return -1;
  }
  X509_free(out->kept.x509[at]);
  EVP_PKEY_free(out->kept.key[at]);
  out->kept.x509[at] = root;
  out->kept.key[at] = own;
  return 0;
}

/* What the roots vouch for is made anew under those that were taken. */
static int renew_rest(struct credentials *out, struct error *error)
{
  struct mint whole;
  char why[256];
  for (size_t i = 0; i < out->kept.count; i++) {
    if (out->defaults->certificate[i].issuer[0] == '\0') continue;
    X509_free(out->kept.x509[i]);
    EVP_PKEY_free(out->kept.key[i]);
    out->kept.x509[i] = NULL;
    out->kept.key[i] = NULL;
  }
  int result = mint_make_in(out->defaults, &out->setting, &whole, why, sizeof why);
  if (result == 0) {
    mint_free(&out->kept);
    out->kept = whole;
    return 0;
  }
  mint_free(&whole);
  return error_set(error, EXIT_CODE_USAGE, "the cases' defaults: %s", why);
}

static int keep_roots(struct credentials *out, const char *folder, struct error *error)
{
  if (files_make_folder(folder, 0700, error) != 0) return -1;
  for (size_t i = 0; i < out->defaults->trusts.count; i++)
    if (keep_root(out, folder, out->defaults->trusts.name[i], error) != 0) return -1;
  return renew_rest(out, error);
}

int credentials_make(struct credentials *out, const struct cases *cases, const char *host,
                     const char *keys, int64_t now_unix_s, struct error *error)
{
  char why[256];
  *out = (struct credentials){.setting = {.now_unix_s = now_unix_s, .host = host}};
  out->defaults = malloc(sizeof *out->defaults);
  if (out->defaults == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for certificates");
  *out->defaults = cases->defaults;
  if (mint_make_in(out->defaults, &out->setting, &out->kept, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "the cases' defaults: %s", why);
  out->setting.kept = &out->kept;
  out->setting.kept_case = out->defaults;
  if (keys != NULL && keep_roots(out, keys, error) != 0) return -1;
  return make_client(out, now_unix_s, error);
}

void credentials_close(struct credentials *credentials)
{
  mint_free(&credentials->kept);
  X509_free(credentials->client);
  EVP_PKEY_free(credentials->client_key);
  free(credentials->defaults);
  *credentials = (struct credentials){0};
}
