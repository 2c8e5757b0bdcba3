/* The line's words become a question. Certificates are read as 'pki import' reads them, and vetted
 * by the device's own loader, so that a refusal here is one that an import would meet. */
#define _POSIX_C_SOURCE 200809L
#include "cli/asking.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "device/identity.h"
#include "pki/certificate.h"
#include "pki/password.h"
#include "pki/vet.h"

#define ANCHORS_MAX 64

static void warn_of_root(void *ctx, const char *sentence)
{
  (void) ctx;
  fprintf(stderr, "fleetsim: warning: %s\n", sentence);
}

/* --- Where ------------------------------------------------------------------------------------ */

static int take_place(const struct asking_line *line, struct asking *out, struct error *error)
{
  struct survey_place *place = &out->question.place;
  char why[300];
  if (url_split(line->url, out->host, &place->port, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "the broker's url %s", why);
  if (line->server_name != NULL && url_check_host(line->server_name, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "--server-name %s", why);
  out->permit = (struct permit){.hosts = line->targets.at, .count = line->targets.count};
  place->host = out->host;
  place->server_name = line->server_name;
  place->alpn = line->alpn;
  place->permit = &out->permit;
  return 0;
}

/* One connection is no load; that it goes where nobody meant it to is the same mistake. */
static int check_permit(const struct asking *asking, struct error *error)
{
  char beyond[PERMIT_ADDRESS_MAX];
  if (!permit_host(&asking->permit, asking->host))
    return error_set(error, EXIT_CODE_SETUP,
                     "nothing was sent: %s is not this machine; to ask it, pass --allow-target %s",
                     asking->host, asking->host);
  if (permit_is_listed(&asking->permit, asking->host) ||
      permit_look_up(&asking->permit, asking->host, beyond))
    return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "nothing was sent: %s leads to %s, which is not this machine: mend the name, "
                   "write 127.0.0.1, or pass --allow-target %s",
                   asking->host, beyond, asking->host);
}

/* --- Who -------------------------------------------------------------------------------------- */

static int read_password(const char *path, struct asking *out, struct error *error)
{
  if (secret_read(path, "the password", LOGIN_PASSWORD_MAX + 2, &out->password, &out->password_size,
                  error) != 0)
    return -1;
  out->password[strcspn(out->password, "\r\n")] = '\0';
  if (out->password[0] == '\0')
    return error_set(error, EXIT_CODE_USAGE, "%s is empty: its first line is the password", path);
  return 0;
}

static int take_login(const struct asking_line *line, struct asking *out, struct error *error)
{
  struct survey_visitor *visitor = &out->question.visitor;
  visitor->client_id = line->client_id != NULL ? line->client_id : ASKING_CLIENT_ID;
  if (strlen(visitor->client_id) > LOGIN_ID_MAX ||
      (line->user != NULL && strlen(line->user) > LOGIN_USER_MAX))
    return error_set(error, EXIT_CODE_USAGE, "a client id has at most %u bytes, a user name %u",
                     LOGIN_ID_MAX, LOGIN_USER_MAX);
  if (line->password_file != NULL && line->user == NULL)
    return error_set(error, EXIT_CODE_USAGE, "a password needs a user name: add --user");
  if (line->password_file != NULL && read_password(line->password_file, out, error) != 0) return -1;
  visitor->login = (struct login){line->user, out->password};
  return 0;
}

/* That a device can load the chain with its key; the device's crypto is ours between the two. */
static int vet_own(struct asking *asking, const char *path, struct error *error)
{
  uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX];
  STACK_OF(X509) *chain = asking->own.certificates;
  X509 *certificate[DEVICE_CHAIN_MAX];
  size_t count = 0, size = 0;
  for (int i = 0; i < sk_X509_num(chain) && count < DEVICE_CHAIN_MAX; i++)
    certificate[count++] = sk_X509_value(chain, i);
  struct pki_newcomer newcomer = {.id = 1, .name = ASKING_CLIENT_ID, .key = asking->own.key};
  if (pki_encode_chain(certificate, count, bytes, sizeof bytes, &size, error) != 0) return -1;
  newcomer.chain = bytes;
  newcomer.chain_size = size;
  return pki_vet_chain(&newcomer, chain, path, error);
}

/* The certificate, and its key from the same file or its own. */
static int read_own(const struct asking_line *line, const struct pki_password *passphrase,
                    struct asking *out, struct error *error)
{
  struct pki_contents key = {.key = NULL};
  unsigned wanted = PKI_WANT_CERTIFICATES | (line->key == NULL ? PKI_WANT_KEY : 0);
  if (pki_contents_read(line->cert, wanted, passphrase, &out->own, error) != 0)
    return line->key != NULL ? -1
                             : error_wrap(error, "without --key the key is in the file of --cert");
  if (line->key == NULL) return 0;
  if (pki_contents_read(line->key, PKI_WANT_KEY, passphrase, &key, error) != 0) return -1;
  out->own.key = key.key;
  key.key = NULL;
  pki_contents_free(&key);
  return 0;
}

static int unlock_own(const struct asking_line *line, struct asking *out, struct error *error)
{
  struct pki_password passphrase = {.given = false};
  if (line->key_password_file != NULL &&
      pki_password_read(line->key_password_file, &passphrase, error) != 0)
    return -1;
  int result = read_own(line, &passphrase, out, error);
  pki_password_wipe(&passphrase);
  return result;
}

static int take_own(const struct asking_line *line, struct asking *out, struct error *error)
{
  if (line->cert == NULL && line->key == NULL) return 0;
  if (line->cert == NULL)
    return error_set(error, EXIT_CODE_USAGE, "--key is the key of a certificate: add --cert FILE");
  if (unlock_own(line, out, error) != 0) return -1;
  if (!pki_key_is_p256(out->own.key))
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is no P-256 key, and devices know no other: have one certified "
                     "(openssl ecparam -name prime256v1 -genkey)",
                     line->key != NULL ? line->key : line->cert);
  if (pki_order_chain(out->own.certificates, out->own.key, line->cert, error) != 0) return -1;
  int result = pki_vet_begin(error);
  if (result != 0) return result;
  result = vet_own(out, line->cert, error);
  pki_vet_end();
  out->question.visitor.key = out->own.key;
  out->question.visitor.chain = out->own.certificates;
  return result;
}

/* --- By whose word ---------------------------------------------------------------------------- */

static int take_anchors(const char *path, struct asking *out, struct error *error)
{
  if (path == NULL) return 0;
  out->anchors = pki_cert_read_all(path, ANCHORS_MAX, error);
  if (out->anchors == NULL) return -1;
  out->question.anchors = out->anchors;
  int result = pki_vet_begin(error);
  if (result != 0) return result;
  for (int i = 0; result == 0 && i < sk_X509_num(out->anchors); i++) {
    char title[PKI_CERT_TITLE];
    X509 *anchor = sk_X509_value(out->anchors, i);
    pki_cert_title(X509_get_subject_name(anchor), title);
    result = pki_vet_root(anchor, title, path, warn_of_root, NULL, error);
  }
  pki_vet_end();
  return result;
}

int asking_open(const struct asking_line *line, struct asking *out, struct error *error)
{
  memset(out, 0, sizeof *out);
  if (take_place(line, out, error) != 0 || take_login(line, out, error) != 0 ||
      take_own(line, out, error) != 0 || take_anchors(line->ca, out, error) != 0)
    return -1;
  return check_permit(out, error);
}

void asking_close(struct asking *asking)
{
  if (asking->password != NULL) secret_wipe(asking->password, asking->password_size);
  free(asking->password);
  pki_contents_free(&asking->own);
  sk_X509_pop_free(asking->anchors, X509_free);
  memset(asking, 0, sizeof *asking);
}
