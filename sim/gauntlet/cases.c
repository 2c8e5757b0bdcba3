/* A file is blocks of `key: value` lines, read line by line. What is wrong ends with the line's number
 * and a sentence. */
#define _GNU_SOURCE
#include "gauntlet/cases.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_MAX  (256 * 1024)
#define WORDS_MAX 32

struct parser {
  struct cases *cases;
  struct gauntlet_case *current;
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

int case_date(const char *text, int64_t *unix_s)
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

int case_find(const struct gauntlet_case *c, const char *name)
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
#define ATTRIBUTE(text, field)                          \
  {                                                     \
    text, offsetof(struct case_certificate, field),     \
        sizeof((struct case_certificate *) NULL)->field \
  }
    ATTRIBUTE("issuer", issuer), ATTRIBUTE("key-of", key_of), ATTRIBUTE("cn", cn),
    ATTRIBUTE("key", key),       ATTRIBUTE("hash", hash),     ATTRIBUTE("from", from),
    ATTRIBUTE("to", to),         ATTRIBUTE("ca", ca),         ATTRIBUTE("pathlen", pathlen),
    ATTRIBUTE("ku", ku),         ATTRIBUTE("eku", eku),       ATTRIBUTE("san", san),
    ATTRIBUTE("ext", extension), ATTRIBUTE("damage", damage), ATTRIBUTE("version", version),
#undef ATTRIBUTE
};

/* `like=NAME` takes everything of that certificate but its name and key. */
static int inherit(struct parser *p, struct case_certificate *certificate, const char *from)
{
  int i = case_find(p->current, from);
  if (i < 0) return complain(p, "like=%s: no certificate of that name above", from);
  char name[CASE_NAME_SIZE];
  strcpy(name, certificate->name);
  *certificate = p->current->certificate[i];
  strcpy(certificate->name, name);
  certificate->key_of[0] = 0;
  return set(p, certificate->cn, sizeof certificate->cn, name);
}

static int parse_attribute(struct parser *p, struct case_certificate *certificate, char *word)
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
  struct gauntlet_case *c = p->current;
  int i = case_find(c, name);
  if (i < 0) {
    if (c->certificate_count == CASE_CERTIFICATES_MAX) return complain(p, "too many certificates");
    i = (int) c->certificate_count++;
    if (set(p, c->certificate[i].name, CASE_NAME_SIZE, name) != 0) return -1;
    if (set(p, c->certificate[i].cn, sizeof c->certificate[i].cn, name) != 0) return -1;
  }
  char *word[WORDS_MAX];
  size_t n = split(value, word);
  for (size_t k = 0; k < n; k++)
    if (parse_attribute(p, &c->certificate[i], word[k]) != 0) return -1;
  return 0;
}

static int parse_names(struct parser *p, struct case_names *out, char *value)
{
  char *word[WORDS_MAX];
  size_t n = split(value, word);
  if (n > CASE_NAMES_MAX) return complain(p, "more than %d names", CASE_NAMES_MAX);
  out->count = n;
  for (size_t i = 0; i < n; i++)
    if (set(p, out->name[i], CASE_NAME_SIZE, word[i]) != 0) return -1;
  return 0;
}

static int parse_expect(struct parser *p, char *value)
{
  struct gauntlet_case *c = p->current;
  char *flags = strstr(value, " flags=");
  c->has_flags = flags != NULL;
  if (flags) {
    *flags = 0;
    c->flags = (uint32_t) strtoul(flags + strlen(" flags="), NULL, 0);
  }
  return set(p, c->expect, sizeof c->expect, value);
}

/* --- Keys ------------------------------------------------------------------------------------- */

/* The index of a word in a list of `count`, or -1 with a sentence that names them all. */
static int take_word(struct parser *p, const char *key, const char *value, const char *const *words,
                     int count)
{
  char all[256] = "";
  for (int i = 0; i < count; i++) {
    if (strcmp(value, words[i]) == 0) return i;
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", words[i]);
  }
  return complain(p, "%s: '%s' is none of %s", key, value, all);
}

static const char *const demands[] = {"either", "refuse", "accept"};
static const char *const severities[] = {"low", "medium", "high"};
static const char *const layers[] = {"tls", "mqtt", "https"};
static const char *const flaws[] = {
#define X(symbol, word) word,
    CASE_FLAWS(X)
#undef X
};
static const char *const yes_no[] = {"no", "yes"};

const char *case_flaw_word(enum case_flaw flaw)
{
  return flaws[flaw];
}

const char *case_severity_word(enum case_severity severity)
{
  return severities[severity];
}

const char *case_layer_word(enum case_layer layer)
{
  return layers[layer];
}

const char *case_demand_word(enum case_demand demand)
{
  return demands[demand];
}

static int parse_clients(struct parser *p, char *value)
{
  int i = take_word(p, "clients", value, demands, 3);
  if (i >= 0) p->current->clients = (enum case_demand) i;
  return i < 0 ? -1 : 0;
}

static int parse_severity(struct parser *p, char *value)
{
  int i = take_word(p, "severity", value, severities, 3);
  if (i >= 0) p->current->severity = (enum case_severity) i;
  return i < 0 ? -1 : 0;
}

static int parse_flaws(struct parser *p, char *value)
{
  char *word[WORDS_MAX];
  size_t n = split(value, word);
  p->current->flaws = 0;
  for (size_t k = 0; k < n; k++) {
    int i = take_word(p, "flaw", word[k], flaws, CASE_FLAW_COUNT);
    if (i < 0) return -1;
    p->current->flaws |= 1u << i;
  }
  return 0;
}

static int parse_control(struct parser *p, char *value)
{
  int i = take_word(p, "control", value, yes_no, 2);
  p->current->control = i == 1;
  return i < 0 ? -1 : 0;
}

static int parse_asks(struct parser *p, char *value)
{
  int i = take_word(p, "asks", value, yes_no, 2);
  p->current->asks_not = i == 0;
  return i < 0 ? -1 : 0;
}

static int parse_refuses(struct parser *p, char *value)
{
  static const char *const words[] = {"no", "unknown", "expired", "revoked"};
  int i = take_word(p, "refuses", value, words, 4);
  if (i >= 0) p->current->refuses = (enum case_refusal) i;
  return i < 0 ? -1 : 0;
}

static int parse_tls(struct parser *p, char *value)
{
  struct gauntlet_case *c = p->current;
  char *word[WORDS_MAX];
  size_t n = split(value, word);
  static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
  bool *const wanted[] = {&c->tls10, &c->tls11, &c->tls12, &c->tls13};
  for (size_t i = 0; i < 4; i++) *wanted[i] = false;
  for (size_t k = 0; k < n; k++) {
    int i = take_word(p, "tls", word[k], versions, 4);
    if (i < 0) return -1;
    *wanted[i] = true;
  }
  return n > 0 ? 0 : complain(p, "tls: write 1.0, 1.1, 1.2, 1.3 or several of them");
}

static int parse_dh(struct parser *p, char *value)
{
  static const char *const sizes[] = {"1024", "1536", "2048", "3072", "4096"};
  int i = take_word(p, "dh", value, sizes, 5);
  if (i >= 0) p->current->dh_bits = (unsigned) strtoul(sizes[i], NULL, 10);
  return i < 0 ? -1 : 0;
}

static int parse_mqtt_version(struct parser *p, char *value)
{
  static const char *const versions[] = {"3.1.1", "5"};
  int i = take_word(p, "mqtt-version", value, versions, 2);
  if (i >= 0) p->current->mqtt_version = (uint8_t) (4 + i);
  return i < 0 ? -1 : 0;
}

static int parse_clock(struct parser *p, char *value)
{
  return case_date(value, &p->current->clock_unix_s) == 0
             ? 0
             : complain(p, "'%s' is no date like 2026-06-01", value);
}

static int parse_script(struct parser *p, const char *value, char layer, struct script *out)
{
  char why[256];
  script_free(out);
  return script_parse(value, layer, out, why, sizeof why) == 0 ? 0 : complain(p, "%s", why);
}

static int parse_wire(struct parser *p, char *value)
{
  p->current->has_wire = true;
  return parse_script(p, value, 'W', &p->current->wire);
}

static int parse_talk(struct parser *p, char *value, enum case_layer layer)
{
  struct gauntlet_case *c = p->current;
  if (c->has_talk) return complain(p, "a case speaks MQTT or HTTPS, once");
  c->has_talk = true;
  c->layer = layer;
  return parse_script(p, value, layer == CASE_MQTT ? 'M' : 'H', &c->talk);
}

static int parse_mqtt(struct parser *p, char *value)
{
  return parse_talk(p, value, CASE_MQTT);
}

static int parse_https(struct parser *p, char *value)
{
  return parse_talk(p, value, CASE_HTTPS);
}

static int parse_trusts(struct parser *p, char *value)
{
  return parse_names(p, &p->current->trusts, value);
}

static int parse_sends(struct parser *p, char *value)
{
  return parse_names(p, &p->current->sends, value);
}

/* What needs more than a copy of the text .. */
static const struct {
  const char *key;
  int (*take)(struct parser *p, char *value);
} takers[] = {
    {"clients", parse_clients}, {"severity", parse_severity},
    {"flaw", parse_flaws},      {"control", parse_control},
    {"asks", parse_asks},       {"refuses", parse_refuses},
    {"tls", parse_tls},         {"dh", parse_dh},
    {"clock", parse_clock},     {"wire", parse_wire},
    {"mqtt", parse_mqtt},       {"mqtt-version", parse_mqtt_version},
    {"https", parse_https},     {"trusts", parse_trusts},
    {"sends", parse_sends},     {"expect", parse_expect},
};

/* .. and what does not. */
static const struct {
  const char *key;
  size_t offset, size;
} texts[] = {
#define TEXT(key, field)                                                                     \
  {                                                                                          \
    key, offsetof(struct gauntlet_case, field), sizeof((struct gauntlet_case *) NULL)->field \
  }
    TEXT("why", why),       TEXT("policy", policy),         TEXT("reference", reference),
    TEXT("host", host),     TEXT("suites", suites),         TEXT("suites13", suites13),
    TEXT("groups", groups), TEXT("signs-with", signs_with), TEXT("expect-tls12", expect12),
#undef TEXT
};

static int parse_key(struct parser *p, const char *key, char *value)
{
  if (strncmp(key, "cert ", 5) == 0) return parse_certificate(p, key + 5, value);
  for (size_t i = 0; i < sizeof takers / sizeof *takers; i++)
    if (strcmp(key, takers[i].key) == 0) return takers[i].take(p, value);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (strcmp(key, texts[i].key) == 0)
      return set(p, (char *) p->current + texts[i].offset, texts[i].size, value);
  return complain(p, "unknown key '%s'", key);
}

/* --- Cases ------------------------------------------------------------------------------------ */

static int check_names(struct parser *p, const struct case_names *names)
{
  for (size_t i = 0; i < names->count; i++)
    if (case_find(p->current, names->name[i]) < 0)
      return complain(p, "no certificate '%s'", names->name[i]);
  return names->count ? 0 : complain(p, "case %s trusts or sends nothing", p->current->name);
}

static int check_issuers(struct parser *p)
{
  struct gauntlet_case *c = p->current;
  for (size_t i = 0; i < c->certificate_count; i++) {
    const struct case_certificate *x = &c->certificate[i];
    if (x->issuer[0] && case_find(c, x->issuer) < 0)
      return complain(p, "no issuer '%s'", x->issuer);
    if (x->key_of[0] && case_find(c, x->key_of) < 0)
      return complain(p, "no key of '%s'", x->key_of);
  }
  if (c->signs_with[0] && case_find(c, c->signs_with) < 0)
    return complain(p, "signs-with: no certificate '%s'", c->signs_with);
  return 0;
}

/* What can only be known when the whole block was read. */
static int finish(struct parser *p)
{
  struct gauntlet_case *c = p->current;
  if (!c || c == &p->cases->defaults) return 0;
  if (!c->why[0]) return complain(p, "case %s: say why", c->name);
  if (!c->expect[0]) return complain(p, "case %s: say what to expect", c->name);
  if (c->clients == CASE_REFUSE && !c->flaws)
    return complain(p, "case %s: clients refuse, but no flaw is named", c->name);
  if (c->refuses != CASE_REFUSES_NONE && c->asks_not)
    return complain(p, "case %s: refuses a certificate that it does not ask for", c->name);
  if (check_issuers(p) != 0) return -1;
  return check_names(p, &c->trusts) || check_names(p, &c->sends) ? -1 : 0;
}

static void make_id(struct gauntlet_case *c)
{
  size_t n = 0;
  for (const char *at = c->name; *at; at++) {
    char low = (char) tolower((unsigned char) *at);
    bool plain = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || low == '.';
    if (plain)
      c->id[n++] = low;
    else if (*at != '\'' && n > 0 && c->id[n - 1] != '-')
      c->id[n++] = '-';
  }
  while (n > 0 && c->id[n - 1] == '-') n--;
  c->id[n] = 0;
}

static int begin(struct parser *p, const char *name)
{
  if (finish(p) != 0) return -1;
  p->current = NULL;
  if (p->cases->count == CASES_MAX) return complain(p, "more than %d cases", CASES_MAX);
  struct gauntlet_case *c = malloc(sizeof *c);
  if (!c) return complain(p, "out of memory");
  *c = p->cases->defaults;
  c->line = p->line;
  p->cases->item[p->cases->count++] = p->current = c;
  if (set(p, c->name, sizeof c->name, name) != 0) return -1;
  make_id(c);
  for (size_t i = 0; i + 1 < p->cases->count; i++)
    if (strcmp(p->cases->item[i]->id, c->id) == 0)
      return complain(p, "case %s is there twice", c->id);
  return 0;
}

static int parse_line(struct parser *p, char *line)
{
  line += strspn(line, " \t");
  line[strcspn(line, "\r")] = 0;
  if (!*line || *line == '#') return 0;
  if (strcmp(line, "defaults") == 0) {
    if (p->cases->count) return complain(p, "defaults stand above all cases");
    p->current = &p->cases->defaults;
    return 0;
  }
  if (strncmp(line, "case ", 5) == 0) return begin(p, line + 5);
  char *value = strchr(line, ':');
  if (!value || !p->current)
    return complain(p, "expected 'defaults', 'case NAME' or 'key: value', not '%s'", line);
  *value++ = 0;
  value += strspn(value, " \t");
  if (p->current == &p->cases->defaults &&
      (!strcmp(line, "wire") || !strcmp(line, "mqtt") || !strcmp(line, "https")))
    return complain(p, "%s: is of one case", line); /* a copy of a script would be freed twice */
  return parse_key(p, line, value);
}

static int parse_text(struct cases *cases, char *text, char *why, size_t why_size)
{
  struct parser p = {.cases = cases, .why = why, .why_size = why_size};
  int result = 0;
  for (char *line; result == 0 && (line = strsep(&text, "\n"));) {
    p.line++;
    result = parse_line(&p, line);
  }
  return result == 0 ? finish(&p) : result;
}

void cases_free(struct cases *cases)
{
  for (size_t i = 0; cases && i < cases->count; i++) {
    script_free(&cases->item[i]->wire);
    script_free(&cases->item[i]->talk);
    free(cases->item[i]);
  }
  free(cases);
}

const struct gauntlet_case *cases_find(const struct cases *cases, const char *id)
{
  for (size_t i = 0; i < cases->count; i++)
    if (strcmp(cases->item[i]->id, id) == 0 || strcmp(cases->item[i]->name, id) == 0)
      return cases->item[i];
  return NULL;
}

bool cases_match(const struct gauntlet_case *c, const char *text)
{
  return strcmp(c->id, text) == 0 || strcmp(c->name, text) == 0 || fnmatch(text, c->id, 0) == 0;
}

struct cases *cases_parse(const char *text, char *why, size_t why_size)
{
  struct cases *cases = calloc(1, sizeof *cases);
  char *copy = strdup(text);
  int result = -1;
  if (cases && copy)
    result = parse_text(cases, copy, why, why_size);
  else
    snprintf(why, why_size, "out of memory");
  free(copy);
  if (result == 0) return cases;
  cases_free(cases);
  return NULL;
}

int cases_add(struct cases *cases, const char *path, char *why, size_t why_size)
{
  FILE *file = fopen(path, "r");
  char *text = calloc(1, FILE_MAX);
  int result = -1;
  if (file && text && fread(text, 1, FILE_MAX - 1, file) < FILE_MAX - 1)
    result = parse_text(cases, text, why, why_size);
  else
    snprintf(why, why_size, "cannot be read or is larger than %d bytes", FILE_MAX - 1);
  if (file) fclose(file);
  free(text);
  return result;
}

struct cases *cases_load(const char *path, char *why, size_t why_size)
{
  struct cases *cases = calloc(1, sizeof *cases);
  if (!cases) snprintf(why, why_size, "out of memory");
  if (cases && cases_add(cases, path, why, why_size) == 0) return cases;
  cases_free(cases);
  return NULL;
}
