/* Opened once, and what is judged is what is read: the mode is that of the open file. */
#define _POSIX_C_SOURCE 200809L
#include "pki/password.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/secret.h"

#define FILE_MAX 65536

static int take_line(int fd, const char *path, struct pki_password *out, struct error *error)
{
  char text[PKI_PASSWORD_MAX + 2]; /* the longest, and its line end */
  size_t size = 0;
  ssize_t n;
  while ((n = read(fd, text + size, sizeof text - size)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return error_set(error, EXIT_CODE_SETUP, "cannot read %s: %s", path, strerror(errno));
    size += (size_t) n;
    if (size == sizeof text) break;
  }
  size_t line = 0;
  while (line < size && text[line] != '\n' && text[line] != '\r' && text[line] != '\0') line++;
  int result = 0;
  if (size == 0)
    result =
        error_set(error, EXIT_CODE_USAGE,
                  "%s is empty: its first line is the passphrase, or an empty line for none", path);
  else if (line > PKI_PASSWORD_MAX || (line < size && text[line] == '\0'))
    result = error_set(error, EXIT_CODE_USAGE,
                       "the first line of %s is no passphrase: it has a NUL byte, or more than %d",
                       path, PKI_PASSWORD_MAX);
  else {
    *out = (struct pki_password){.given = true, .size = line};
    memcpy(out->text, text, line);
  }
  OPENSSL_cleanse(text, sizeof text);
  return result;
}

int pki_password_read(const char *path, struct pki_password *out, struct error *error)
{
  size_t size = 0;
  int fd = files_open(path, FILE_MAX, &size, error);
  if (fd < 0) return -1;
  int result = secret_check_mode(fd, path, "the passphrase", error);
  if (result == 0) result = take_line(fd, path, out, error);
  close(fd);
  return result;
}

void pki_password_wipe(struct pki_password *password)
{
  OPENSSL_cleanse(password, sizeof *password);
}
