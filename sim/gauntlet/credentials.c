/* Roots are minted once, of the cases' defaults: a case that leaves them unchanged shows chains under
 * the very roots that the client was given. */
#define _GNU_SOURCE
#include "gauntlet/credentials.h"

#include <stdlib.h>

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

int credentials_make(struct credentials *out, const struct cases *cases, const char *host,
                     int64_t now_unix_s, struct error *error)
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
