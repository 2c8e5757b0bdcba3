#define _GNU_SOURCE
#include "chain_cases.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_MAX  (256 * 1024)
#define WORDS_MAX 32

struct parser {
  struct chain_cases *cases;
  struct chain_case defaults, *current;
  int line;
  char *why;
  size_t why_size;
};

static int complain(struct parser *p, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int n = snprintf(p->why, p->why_size, "line %d: ", p->line);
  if (n > 0 && (size_t) n < p->why_size)
    vsnprintf(p->why + n, p->why_size - (size_t) n, format, args);
  va_end(args);
  return -1;
}

static int set(struct parser *p, char *field, size_t size, const char *value)
{
  if (strlen(value) >= size) return complain(p, "'%s' is longer than %zu bytes", value, size - 1);
  strcpy(field, value);
  return 0;
}

static size_t split(char *text, char *word[WORDS_MAX])
{
  size_t n = 0;
  char *save = NULL;
  for (char *w = strtok_r(text, " \t", &save); w && n < WORDS_MAX; w = strtok_r(NULL, " \t", &save))
    word[n++] = w;
  return n;
}

int chain_date(const char *text, int64_t *unix_s)
{
  struct tm tm = {.tm_mday = 1};
  static const char *const formats[] = {"%Y-%m-%d", "%Y-%m", "%Y"};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const char *end = strptime(text, formats[i], &tm);
    if (!end || *end) continue;
    *unix_s = timegm(&tm);
    return 0;
  }
  return -1;
}

int chain_case_find(const struct chain_case *c, const char *name)
{
  for (size_t i = 0; i < c->certificate_count; i++)
    if (strcmp(c->certificate[i].name, name) == 0) return (int) i;
  return -1;
}

/* Attributes are plain strings in the struct: one table says where. */
static const struct {
  const char *name;
  size_t offset, size;
} attributes[] = {
#define ATTRIBUTE(text, field)                           \
  {                                                      \
    text, offsetof(struct chain_certificate, field),     \
        sizeof((struct chain_certificate *) NULL)->field \
  }
    ATTRIBUTE("issuer", issuer), ATTRIBUTE("key-of", key_of), ATTRIBUTE("cn", cn),
    ATTRIBUTE("key", key),       ATTRIBUTE("hash", hash),     ATTRIBUTE("from", from),
    ATTRIBUTE("to", to),         ATTRIBUTE("ca", ca),         ATTRIBUTE("pathlen", pathlen),
    ATTRIBUTE("ku", ku),         ATTRIBUTE("eku", eku),       ATTRIBUTE("san", san),
    ATTRIBUTE("ext", extension), ATTRIBUTE("damage", damage),
#undef ATTRIBUTE
};

/* `like=NAME` takes everything of that certificate but its name and key. */
static int inherit(struct parser *p, struct chain_certificate *certificate, const char *from)
{
  int i = chain_case_find(p->current, from);
  if (i < 0) return complain(p, "like=%s: no certificate of that name above", from);
  char name[CHAIN_NAME_SIZE];
  strcpy(name, certificate->name);
  *certificate = p->current->certificate[i];
  strcpy(certificate->name, name);
  certificate->key_of[0] = 0;
  return set(p, certificate->cn, sizeof certificate->cn, name);
}

static int parse_attribute(struct parser *p, struct chain_certificate *certificate, char *word)
{
  char *value = strchr(word, '=');
  if (!value) return complain(p, "'%s' is not attribute=value", word);
  *value++ = 0;
  if (strcmp(word, "like") == 0) return inherit(p, certificate, value);
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
    if (strcmp(word, attributes[i].name) == 0)
      return set(p, (char *) certificate + attributes[i].offset, attributes[i].size, value);
  return complain(p, "a certificate has no attribute '%s'", word);
}

static int parse_certificate(struct parser *p, const char *name, char *value)
{
  struct chain_case *c = p->current;
  int i = chain_case_find(c, name);
  if (i < 0) {
    if (c->certificate_count == CHAIN_CERTIFICATES_MAX) return complain(p, "too many certificates");
    i = (int) c->certificate_count++;
    if (set(p, c->certificate[i].name, CHAIN_NAME_SIZE, name) != 0) return -1;
    if (set(p, c->certificate[i].cn, sizeof c->certificate[i].cn, name) != 0) return -1;
  }
  char *word[WORDS_MAX];
  size_t n = split(value, word);
  for (size_t k = 0; k < n; k++)
    if (parse_attribute(p, &c->certificate[i], word[k]) != 0) return -1;
  return 0;
}

static int parse_names(struct parser *p, struct chain_names *out, char *value)
{
  char *word[WORDS_MAX];
  size_t n = split(value, word);
  if (n > CHAIN_NAMES_MAX) return complain(p, "more than %d names", CHAIN_NAMES_MAX);
  out->count = n;
  for (size_t i = 0; i < n; i++)
    if (set(p, out->name[i], CHAIN_NAME_SIZE, word[i]) != 0) return -1;
  return 0;
}

static int parse_expect(struct parser *p, char *value)
{
  struct chain_case *c = p->current;
  char *flags = strstr(value, " flags=");
  c->has_flags = flags != NULL;
  if (flags) {
    *flags = 0;
    c->flags = (uint32_t) strtoul(flags + strlen(" flags="), NULL, 0);
  }
  return set(p, c->expect, sizeof c->expect, value);
}

static int parse_key(struct parser *p, const char *key, char *value)
{
  struct chain_case *c = p->current;
  if (strncmp(key, "cert ", 5) == 0) return parse_certificate(p, key + 5, value);
  if (strcmp(key, "why") == 0) return set(p, c->why, sizeof c->why, value);
  if (strcmp(key, "policy") == 0) return set(p, c->policy, sizeof c->policy, value);
  if (strcmp(key, "trusts") == 0) return parse_names(p, &c->trusts, value);
  if (strcmp(key, "sends") == 0) return parse_names(p, &c->sends, value);
  if (strcmp(key, "host") == 0) return set(p, c->host, sizeof c->host, value);
  if (strcmp(key, "expect") == 0) return parse_expect(p, value);
  if (strcmp(key, "expect-tls12") == 0) return set(p, c->expect12, sizeof c->expect12, value);
  if (strcmp(key, "clock") == 0)
    return chain_date(value, &c->clock_unix_s) == 0
               ? 0
               : complain(p, "'%s' is no date like 2026-06-01", value);
  if (strcmp(key, "tls") != 0) return complain(p, "unknown key '%s'", key);
  c->tls12 = strstr(value, "1.2") != NULL;
  c->tls13 = strstr(value, "1.3") != NULL;
  return c->tls12 || c->tls13 ? 0 : complain(p, "tls: write 1.2, 1.3 or both");
}

static int check_names(struct parser *p, const struct chain_names *names)
{
  for (size_t i = 0; i < names->count; i++)
    if (chain_case_find(p->current, names->name[i]) < 0)
      return complain(p, "no certificate '%s'", names->name[i]);
  return names->count ? 0 : complain(p, "case %s trusts or sends nothing", p->current->name);
}

/* What can only be known when the whole block was read. */
static int finish(struct parser *p)
{
  struct chain_case *c = p->current;
  if (!c || c == &p->defaults) return 0;
  if (!c->why[0]) return complain(p, "case %s: say why", c->name);
  if (!c->expect[0]) return complain(p, "case %s: say what to expect", c->name);
  for (size_t i = 0; i < c->certificate_count; i++) {
    const struct chain_certificate *x = &c->certificate[i];
    if (x->issuer[0] && chain_case_find(c, x->issuer) < 0)
      return complain(p, "no issuer '%s'", x->issuer);
    if (x->key_of[0] && chain_case_find(c, x->key_of) < 0)
      return complain(p, "no key of '%s'", x->key_of);
  }
  return check_names(p, &c->trusts) || check_names(p, &c->sends) ? -1 : 0;
}

static int begin(struct parser *p, const char *name)
{
  if (finish(p) != 0) return -1;
  for (size_t i = 0; i < p->cases->count; i++)
    if (strcmp(p->cases->item[i].name, name) == 0)
      return complain(p, "case %s is there twice", name);
  if (p->cases->count == CHAIN_CASES_MAX) return complain(p, "more than %d cases", CHAIN_CASES_MAX);
  p->current = &p->cases->item[p->cases->count++];
  *p->current = p->defaults;
  p->current->line = p->line;
  return set(p, p->current->name, sizeof p->current->name, name);
}

static int parse_line(struct parser *p, char *line)
{
  line += strspn(line, " \t");
  line[strcspn(line, "\r")] = 0;
  if (!*line || *line == '#') return 0;
  if (strcmp(line, "defaults") == 0) {
    p->current = &p->defaults;
    return 0;
  }
  if (strncmp(line, "case ", 5) == 0) return begin(p, line + 5);
  char *value = strchr(line, ':');
  if (!value || !p->current)
    return complain(p, "expected 'defaults', 'case NAME' or 'key: value', not '%s'", line);
  *value++ = 0;
  return parse_key(p, line, value + strspn(value, " \t"));
}

struct chain_cases *chain_cases_parse(const char *text, char *why, size_t why_size)
{
  char *copy = strdup(text), *rest = copy;
  struct parser p = {.cases = calloc(1, sizeof *p.cases), .why = why, .why_size = why_size};
  int result = copy && p.cases ? 0 : complain(&p, "out of memory");
  for (char *line; result == 0 && (line = strsep(&rest, "\n"));) {
    p.line++;
    result = parse_line(&p, line);
  }
  if (result == 0) result = finish(&p);
  free(copy);
  if (result == 0) return p.cases;
  free(p.cases);
  return NULL;
}

struct chain_cases *chain_cases_load(const char *path, char *why, size_t why_size)
{
  FILE *file = fopen(path, "r");
  char *text = calloc(1, FILE_MAX);
  struct chain_cases *cases = NULL;
  if (file && text && fread(text, 1, FILE_MAX - 1, file) < FILE_MAX - 1)
    cases = chain_cases_parse(text, why, why_size);
  else
    snprintf(why, why_size, "%s cannot be read or is larger than %d bytes", path, FILE_MAX - 1);
  if (file) fclose(file);
  free(text);
  return cases;
}
