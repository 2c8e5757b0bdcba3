/* Each kind of value has one function, which calls units.c and puts place and key before the
 * sentence. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/take.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/units.h"

int take_fail(const struct take *t, const char *at, const char *key, const char *format, ...)
{
  char path[DOC_PATH_MAX], sentence[600];
  va_list args;
  va_start(args, format);
  vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  snprintf(path, sizeof path, "%s%s%s", at, *at != '\0' && *key != '\0' && *key != '[' ? "." : "",
           key);
  return doc_fail(t->doc, path, 0, t->error, sentence);
}

int take_text(const struct take *t, const char *at, const char *key, const char *text, char *out,
              size_t capacity)
{
  if (text == NULL) return 0;
  if (strlen(text) >= capacity)
    return take_fail(t, at, key, "'%s' is longer than %zu bytes; shorten it", key, capacity - 1);
  for (const char *c = text; *c != '\0'; c++)
    if ((unsigned char) *c < ' ' || *c == 127)
      return take_fail(t, at, key, "'%s' must be one line without control characters", key);
  strcpy(out, text);
  return 0;
}

int take_number(const struct take *t, const char *at, const char *key, const char *text,
                uint64_t least, uint64_t most, uint64_t *out)
{
  if (text == NULL) return 0;
  if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
    return take_fail(t, at, key,
                     "'%.40s' is not a whole number: '%s' is a number from %llu to %llu", text, key,
                     (unsigned long long) least, (unsigned long long) most);
  errno = 0;
  unsigned long long value = strtoull(text, NULL, 10);
  if (errno != 0 || value < least || value > most)
    return take_fail(t, at, key, "'%.40s' is out of range: '%s' is a number from %llu to %llu",
                     text, key, (unsigned long long) least, (unsigned long long) most);
  *out = value;
  return 0;
}

int take_flag(const struct take *t, const char *at, const char *key, const char *text, bool *out)
{
  static const char *const words[] = {"no", "yes", "false", "true", NULL};
  if (text == NULL) return 0;
  for (int i = 0; words[i] != NULL; i++)
    if (strcmp(text, words[i]) == 0) {
      *out = i % 2 == 1;
      return 0;
    }
  return take_fail(t, at, key, "'%.40s' is neither yes nor no: write '%s: yes' or '%s: no'", text,
                   key, key);
}

int take_word(const struct take *t, const char *at, const char *key, const char *text,
              const char *const *words, int *out)
{
  if (text == NULL) return 0;
  char known[200] = "";
  size_t used = 0;
  for (int i = 0; words[i] != NULL; i++) {
    if (strcmp(text, words[i]) == 0) {
      *out = i;
      return 0;
    }
    const char *before = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
    if (used < sizeof known)
      used += (size_t) snprintf(known + used, sizeof known - used, "%s%s", before, words[i]);
  }
  return take_fail(t, at, key, "'%.40s' is no value of '%s': write %s", text, key, known);
}

static void print_duration(uint64_t ms, char *out, size_t size)
{
  if (ms % 60000 == 0 && ms > 0)
    snprintf(out, size, "%llum", (unsigned long long) (ms / 60000));
  else if (ms % 1000 == 0)
    snprintf(out, size, "%llus", (unsigned long long) (ms / 1000));
  else
    snprintf(out, size, "%llums", (unsigned long long) ms);
}

int take_duration(const struct take *t, const char *at, const char *key, const char *text,
                  uint64_t least_ms, uint64_t most_ms, uint64_t *out)
{
  if (text == NULL) return 0;
  char why[200], least[32], most[32];
  uint64_t ms = 0;
  if (units_duration_ms(text, &ms, why, sizeof why) != 0) return take_fail(t, at, key, "%s", why);
  if (ms < least_ms || ms > most_ms) {
    print_duration(least_ms, least, sizeof least);
    print_duration(most_ms, most, sizeof most);
    return take_fail(t, at, key, "'%.40s' is out of range: '%s' is from %s to %s", text, key, least,
                     most);
  }
  *out = ms;
  return 0;
}

int take_rate(const struct take *t, const char *at, const char *key, const char *text, double *out)
{
  char why[200];
  if (text == NULL || units_rate(text, t->devices, out, why, sizeof why) == 0) return 0;
  return take_fail(t, at, key, "%s", why);
}

int take_share(const struct take *t, const char *at, const char *key, const char *text, double *out)
{
  char why[200];
  if (text == NULL) return 0;
  if (units_share(text, out, why, sizeof why) != 0) return take_fail(t, at, key, "%s", why);
  if (*out <= 0)
    return take_fail(t, at, key, "'%.40s' is nobody: write a share above 0%%, such as 5%%", text);
  return 0;
}

const char *take_list_roots(const struct pki_roots *roots, char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < roots->count && used < size; i++) {
    const char *before = i == 0 ? "" : i + 1 == roots->count ? " and " : ", ";
    used += (size_t) snprintf(out + used, size - used, "%s%s", before, roots->name[i]);
  }
  return out;
}

int take_root(const struct take *t, const char *at, const char *key, const char *text,
              const struct pki_roots *known, char out[PKI_NAME_MAX])
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (text == NULL) return 0;
  size_t size = strlen(text);
  if (size == 0 || size >= PKI_NAME_MAX || strspn(text, letters) != size)
    return take_fail(t, at, key,
                     "'%.40s' cannot name a root: use up to %d letters, digits, '-' and '_'", text,
                     PKI_NAME_MAX - 1);
  if (known != NULL && !pki_roots_include(known, text)) {
    char list[300];
    return take_fail(t, at, key, "'%s' is no root of this scenario; pki.roots has %s", text,
                     take_list_roots(known, list, sizeof list));
  }
  strcpy(out, text);
  return 0;
}

int take_roots(const struct take *t, const char *at, const char *key, char *const *texts,
               size_t count, const struct pki_roots *known, struct pki_roots *out)
{
  if (texts == NULL) return 0;
  struct pki_roots roots = {0};
  assert(count <= PKI_ROOTS_MAX);
  for (size_t i = 0; i < count; i++) {
    char entry[64], name[PKI_NAME_MAX];
    snprintf(entry, sizeof entry, "%s[%zu]", key, i);
    if (take_root(t, at, entry, texts[i], known, name) != 0) return -1;
    if (pki_roots_include(&roots, name))
      return take_fail(t, at, entry, "root '%s' is listed twice; remove one", name);
    strcpy(roots.name[roots.count++], name);
  }
  *out = roots;
  return 0;
}

int take_waves(const struct take *t, const char *at, const char *key, char *const *texts,
               size_t count, struct scenario_waves *out)
{
  if (texts == NULL) return 0;
  assert(count > 0 && count <= SCENARIO_WAVES_MAX);
  out->count = count;
  for (size_t i = 0; i < count; i++) {
    char entry[64];
    snprintf(entry, sizeof entry, "%s[%zu]", key, i);
    if (take_share(t, at, entry, texts[i], &out->share[i]) != 0) return -1;
    if (i > 0 && out->share[i] <= out->share[i - 1])
      return take_fail(t, at, entry,
                       "waves must ascend: %s does not exceed %s; write [1%%, 10%%, 100%%]",
                       texts[i], texts[i - 1]);
  }
  char last[64];
  snprintf(last, sizeof last, "%s[%zu]", key, count - 1);
  if (out->share[count - 1] < 1)
    return take_fail(t, at, last,
                     "the last wave is %s: it must be 100%%, so that the step reaches every device",
                     texts[count - 1]);
  return 0;
}
