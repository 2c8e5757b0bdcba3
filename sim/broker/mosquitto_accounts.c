/* Names and passwords for a mosquitto of ours. It keeps what mosquitto_passwd makes: no password but
 * PBKDF2 (RFC 8018) over SHA-512 of it, with a salt of its own each, so that none lies on disk and none
 * is handed to a child. */
#define _POSIX_C_SOURCE 200809L
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/internal.h"
#include "broker/mosquitto.h"

/* "NAME:$7$101$SALT$HASH", as mosquitto_passwd of 2.0 writes it by default. */
enum { ROUNDS = 101, SALT = 12, HASH = 64 };

/* A telemetry topic behind ROOT is granted with it; mosquitto takes both. */
void mosquitto_grant_accounts(const struct broker *broker, FILE *acl)
{
  const struct broker_accounts *accounts = &broker->config.accounts;
  for (size_t i = 0; i < accounts->count; i++) {
    struct broker_account account;
    accounts->get(accounts->ctx, i, &account);
    if (account.root == NULL) continue;
    fprintf(acl, "user %s\ntopic readwrite %s#\ntopic readwrite %s\n\n", account.login.user,
            account.root, account.telemetry);
  }
}

static int write_line(FILE *out, const struct login *login, struct error *error)
{
  unsigned char salt[SALT], hash[HASH];
  char salt_text[SALT * 4 / 3 + 4], hash_text[HASH * 4 / 3 + 4];
  if (RAND_bytes(salt, sizeof salt) != 1 ||
      PKCS5_PBKDF2_HMAC(login->password, -1, salt, sizeof salt, ROUNDS, EVP_sha512(), sizeof hash,
                        hash) != 1)
    return error_set(error, EXIT_CODE_INTERNAL, "OpenSSL does not hash a password");
  EVP_EncodeBlock((unsigned char *) salt_text, salt, sizeof salt);
  EVP_EncodeBlock((unsigned char *) hash_text, hash, sizeof hash);
  fprintf(out, "%s:$7$%d$%s$%s\n", login->user, ROUNDS, salt_text, hash_text);
  return 0;
}

int mosquitto_write_passwords(const struct broker *broker, struct error *error)
{
  const struct broker_accounts *accounts = &broker->config.accounts;
  char path[FILES_PATH_MAX], *text = NULL;
  size_t size = 0;
  int status = 0;
  if (accounts->count == 0 || mosquitto_of(broker)->has_passwords) return 0;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  for (size_t i = 0; i < accounts->count && status == 0; i++) {
    struct broker_account account;
    accounts->get(accounts->ctx, i, &account);
    status = write_line(out, &account.login, error);
  }
  broker_key_file(broker, MOSQUITTO_PASSWORDS, path);
  if (fclose(out) != 0) status = error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  if (status == 0) status = files_write(path, text, size, 0600, error);
  free(text);
  mosquitto_of(broker)->has_passwords = status == 0;
  return status;
}
