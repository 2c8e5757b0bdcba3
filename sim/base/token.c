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

#define SUBJECT_MAX 512u

/* What a token says of itself. */
struct told {
  int64_t end_s;             /* 0: nothing */
  char subject[SUBJECT_MAX]; /* whom it is for; "": nothing */
};

static void tell_subject(struct told *told, const char *text, size_t size)
{
  if (size >= sizeof told->subject) return; /* longer than any name here */
  memcpy(told->subject, text, size);
  told->subject[size] = '\0';
}

/* "..&se=SECONDS&sr=WHAT", in any order; of two the first. */
static void read_signature(const char *fields, struct told *out)
{
  bool ended = false;
  for (const char *at = fields; *at != '\0'; at += *at == '&') {
    size_t size = strcspn(at, "&");
    char *rest;
    if (strncmp(at, "se=", 3) == 0 && !ended) {
      double seconds = strtod(at + 3, &rest);
      ended = true;
      if (rest == at + size) out->end_s = end_of(seconds);
    }
    if (strncmp(at, "sr=", 3) == 0 && out->subject[0] == '\0') tell_subject(out, at + 3, size - 3);
    at += size;
  }
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

static void read_claims(const char *claims, size_t size, struct told *out)
{
  json_t *tree = json_loadb(claims, size, 0, NULL);
  const json_t *end = json_object_get(tree, "exp"), *subject = json_object_get(tree, "sub");
  if (json_is_number(end)) out->end_s = end_of(json_number_value(end));
  if (json_is_string(subject))
    tell_subject(out, json_string_value(subject), json_string_length(subject));
  json_decref(tree);
}

static void read_web_token(const char *token, struct told *out)
{
  const char *first = strchr(token, '.'), *second = first != NULL ? strchr(first + 1, '.') : NULL;
  if (second == NULL || strchr(second + 1, '.') != NULL) return;
  unsigned char claims[CLAIMS_MAX];
  size_t size = decode(first + 1, (size_t) (second - first - 1), claims, sizeof claims);
  if (size > 0) read_claims((const char *) claims, size, out);
  secret_wipe(claims, sizeof claims);
}

static struct told told_by(const char *token)
{
  static const char signature[] = "SharedAccessSignature ";
  struct told out = {.end_s = 0};
  if (strncmp(token, signature, sizeof signature - 1) == 0)
    read_signature(token + sizeof signature - 1, &out);
  else
    read_web_token(token, &out);
  return out;
}

int64_t token_end_s(const char *token)
{
  return told_by(token).end_s;
}

/* Without the blanks at its end, which a file may have gained. */
static size_t length_of(const char *token)
{
  size_t size = strlen(token);
  while (size > 0 && strchr(" \t\r\n", token[size - 1]) != NULL) size--;
  return size;
}

static bool are_alike(const char *a, const char *b)
{
  return length_of(a) == length_of(b) && strncmp(a, b, length_of(a)) == 0;
}

bool token_renews(const char *fresh, const char *old)
{
  struct told now = told_by(fresh), before = told_by(old);
  bool same = before.subject[0] == '\0' || strcmp(now.subject, before.subject) == 0;
  return !are_alike(fresh, old) && (before.end_s == 0 || now.end_s != 0) && same;
}
