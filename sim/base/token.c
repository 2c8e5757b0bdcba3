/* Both forms are looked for by their looks: a shared access signature begins with its name, a JSON web
 * token is three words of base64url with dots between, of which the second is a JSON object. */
#define _POSIX_C_SOURCE 200809L
#include "base/token.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define CLAIMS_MAX 4096u
#define END_MAX    253402300799.0 /* the last second of the year 9999 */

static int64_t end_of(double seconds)
{
  return seconds >= 1 && seconds <= END_MAX ? (int64_t) seconds : 0;
}

/* "..&se=SECONDS", in any order. */
static int64_t end_of_signature(const char *fields)
{
  for (const char *at = fields; *at != '\0'; at += *at == '&') {
    char *rest;
    if (strncmp(at, "se=", 3) == 0) {
      double seconds = strtod(at + 3, &rest);
      return *rest == '\0' || *rest == '&' ? end_of(seconds) : 0;
    }
    at += strcspn(at, "&");
  }
  return 0;
}

/* RFC 4648, 5, without padding; its size, or 0 where it is none. */
static size_t decode(const char *text, size_t size, unsigned char *out, size_t room)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  uint32_t bits = 0;
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    const char *letter = strchr(letters, text[i]);
    if (letter == NULL || used == room) return 0;
    bits = bits << 6 | (uint32_t) (letter - letters);
    if (i % 4 != 0) out[used++] = (unsigned char) (bits >> (6 - 2 * (i % 4)));
  }
  return used;
}

static int64_t end_of_claims(const char *claims, size_t size)
{
  json_t *tree = json_loadb(claims, size, 0, NULL);
  const json_t *end = json_object_get(tree, "exp");
  int64_t seconds = json_is_number(end) ? end_of(json_number_value(end)) : 0;
  json_decref(tree);
  return seconds;
}

static int64_t end_of_web_token(const char *token)
{
  const char *first = strchr(token, '.'), *second = first != NULL ? strchr(first + 1, '.') : NULL;
  if (second == NULL || strchr(second + 1, '.') != NULL) return 0;
  unsigned char claims[CLAIMS_MAX];
  size_t size = decode(first + 1, (size_t) (second - first - 1), claims, sizeof claims);
  int64_t end_s = size > 0 ? end_of_claims((const char *) claims, size) : 0;
  secret_wipe(claims, sizeof claims);
  return end_s;
}

int64_t token_end_s(const char *token)
{
  static const char signature[] = "SharedAccessSignature ";
  if (strncmp(token, signature, sizeof signature - 1) == 0)
    return end_of_signature(token + sizeof signature - 1);
  return end_of_web_token(token);
}
