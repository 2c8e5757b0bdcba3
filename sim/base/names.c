/* All texts lie in one block; tables lead from a name, a root, a topic of telemetry and a number to
 * the device, by open addressing. A root has as many levels in every device, so that its end is
 * found in any topic by counting. */
#include "base/names.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const struct names_templates names_usual = {"{id}", "private/{id}/", "private/{id}/telemetry"};

#define CN NAMES_PARTS /* it is of no template */

struct table {
  uint32_t *slot; /* index + 1; 0: free */
  size_t size;    /* a power of two, twice as many as devices or more */
  enum names_part of;
};

struct names {
  struct names_templates templates;
  size_t count;
  size_t root_levels;
  uint32_t (*at)[NAMES_PARTS + 1]; /* in `block` */
  char *block;
  size_t used, room;
  uint32_t *numbers;
  struct table by_name, roots, telemetries, client_ids, by_number;
};

/* --- Texts ------------------------------------------------------------------------------------ */

static int keep(struct names *names, const char *text, uint32_t *at)
{
  size_t size = strlen(text) + 1;
  if (names->room - names->used < size) {
    size_t room = names->room * 2 + 4096;
    char *block = realloc(names->block, room);
    if (block == NULL || room > UINT32_MAX) {
      if (block != NULL) names->block = block;
      return -1;
    }
    names->block = block;
    names->room = room;
  }
  memcpy(names->block + names->used, text, size);
  *at = (uint32_t) names->used;
  names->used += size;
  return 0;
}

static const char *text_at(const struct names *names, size_t index, size_t which)
{
  return names->block + names->at[index][which];
}

struct names_device names_of(const struct names *names, size_t index)
{
  assert(index < names->count);
  return (struct names_device){text_at(names, index, NAMES_NAME), text_at(names, index, CN),
                               text_at(names, index, NAMES_CLIENT_ID),
                               text_at(names, index, NAMES_CONTROL),
                               text_at(names, index, NAMES_TELEMETRY)};
}

/* --- Tables ----------------------------------------------------------------------------------- */

static uint32_t hash(const char *text, size_t size)
{
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < size; i++) h = (h ^ (uint8_t) text[i]) * 16777619u;
  return h ^ h >> 15;
}

static int table_open(struct table *table, size_t count, enum names_part of)
{
  table->size = 16;
  while (table->size < 2 * count) table->size *= 2;
  table->slot = calloc(table->size, sizeof *table->slot);
  table->of = of;
  return table->slot != NULL ? 0 : -1;
}

/* Where the text is, or would be. */
static uint32_t *find_slot(const struct names *names, const struct table *table, const char *text,
                           size_t size)
{
  for (size_t i = hash(text, size) & (table->size - 1);; i = (i + 1) & (table->size - 1)) {
    uint32_t *slot = &table->slot[i];
    if (*slot == 0) return slot;
    const char *known = text_at(names, *slot - 1, table->of);
    if (strncmp(known, text, size) == 0 && known[size] == '\0') return slot;
  }
}

static int enter(struct names *names, const struct table *table, size_t index, const char *what,
                 struct error *error)
{
  const char *text = text_at(names, index, table->of);
  uint32_t *slot = find_slot(names, table, text, strlen(text));
  if (*slot != 0 && table->of == NAMES_NAME)
    return error_set(error, EXIT_CODE_USAGE, "two devices are called '%s'", text);
  if (*slot != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "devices %s and %s have the same %s, '%s': let {id} or {index} be in it",
                     text_at(names, *slot - 1, NAMES_NAME), text_at(names, index, NAMES_NAME), what,
                     text);
  *slot = (uint32_t) index + 1;
  return 0;
}

/* Where the number is, or would be. */
static uint32_t *find_number(const struct names *names, uint32_t number)
{
  const struct table *table = &names->by_number;
  size_t i = hash((const char *) &number, sizeof number) & (table->size - 1);
  while (table->slot[i] != 0 && names->numbers[table->slot[i] - 1] != number)
    i = (i + 1) & (table->size - 1);
  return &table->slot[i];
}

const char *names_text(const struct names *names, uint32_t number, char out[NAMES_TEXT])
{
  uint32_t found = names != NULL ? *find_number(names, number) : 0;
  if (found != 0)
    snprintf(out, NAMES_TEXT, "%s", text_at(names, found - 1, NAMES_NAME));
  else
    snprintf(out, NAMES_TEXT, "%08x", (unsigned) number);
  return out;
}

bool names_find_name(const struct names *names, const char *name, size_t *index)
{
  char digits[9];
  size_t size = strlen(name);
  uint32_t found = *find_slot(names, &names->by_name, name, size);
  if (found == 0 && size == 8 && strspn(name, "0123456789abcdefABCDEF") == size) {
    snprintf(digits, sizeof digits, "%08lx", strtoul(name, NULL, 16));
    found = *find_slot(names, &names->by_name, digits, size);
  }
  if (found == 0) return false;
  *index = found - 1;
  return true;
}

/* --- Templates -------------------------------------------------------------------------------- */

static size_t count_levels(const char *text)
{
  size_t levels = 0;
  for (; *text != '\0'; text++) levels += *text == '/';
  return levels;
}

/* One place is another value in each device, for all that can be seen here. */
static int check_template(const char *what, const char *text, struct error *error)
{
  unsigned has, all = TEMPLATE_BIT(TEMPLATE_PLACES) - 1;
  if (text[0] == '\0') return error_set(error, EXIT_CODE_USAGE, "%s is empty", what);
  if (template_check(text, all, &has, error) != 0) return error_wrap(error, "%s", what);
  if ((has & ~TEMPLATE_BIT(TEMPLATE_COHORT)) != 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s '%s' is the same for all devices: let {id}, {cn} or {index} be in it", what,
                   text);
}

/* '$' is the broker's own tree (MQTT 5, 4.7.2). */
static int check_topic(const char *what, const char *text, struct error *error)
{
  if (check_template(what, text, error) != 0) return -1;
  const char *wild = strpbrk(text, "+#");
  if (wild != NULL)
    return error_set(error, EXIT_CODE_USAGE, "%s '%s', character %zu: a topic has no '%c'", what,
                     text, (size_t) (wild - text) + 1, *wild);
  if (text[0] == '$')
    return error_set(error, EXIT_CODE_USAGE, "%s '%s' begins with '$', as the broker's own do",
                     what, text);
  return 0;
}

int names_check_client_id(const char *text, struct error *error)
{
  return check_template("the client id", text, error);
}

int names_check_control(const char *text, struct error *error)
{
  if (check_topic("the control topic", text, error) != 0) return -1;
  if (text[strlen(text) - 1] == '/') return 0;
  return error_set(error, EXIT_CODE_USAGE, "the control topic '%s' does not end with '/'", text);
}

int names_check_telemetry(const char *text, struct error *error)
{
  if (check_topic("the telemetry topic", text, error) != 0) return -1;
  if (text[strlen(text) - 1] != '/') return 0;
  return error_set(error, EXIT_CODE_USAGE, "the telemetry topic '%s' ends with '/'", text);
}

static int check_templates(const struct names_templates *t, enum names_part *wrong,
                           struct error *error)
{
  *wrong = NAMES_CLIENT_ID;
  if (names_check_client_id(t->client_id, error) != 0) return -1;
  *wrong = NAMES_CONTROL;
  if (names_check_control(t->root, error) != 0) return -1;
  *wrong = NAMES_TELEMETRY;
  return names_check_telemetry(t->telemetry, error);
}

/* MQTT 5, 4.7.1.3: '+' is any one level. */
static bool matches(const char *filter, const char *topic, size_t size)
{
  const char *end = topic + size;
  for (; *filter != '\0'; filter++) {
    if (*filter == '+') {
      while (topic < end && *topic != '/') topic++;
    } else if (topic == end || *topic++ != *filter)
      return false;
  }
  return topic == end;
}

/* --- Devices ---------------------------------------------------------------------------------- */

static int starve(struct error *error)
{
  return error_set(error, EXIT_CODE_SETUP, "not enough memory for the devices' names");
}

/* MQTT's texts are of UTF-8 (MQTT 5, 1.5.4), and brokers refuse control characters in them. */
static bool is_of_letters(const char *text)
{
  unsigned size;
  for (; *text != '\0'; text += size) {
    size = text_letter(text);
    if (size == 0 || (unsigned char) *text < ' ' || *text == 0x7f) return false;
  }
  return true;
}

static int check_expanded(const char *from, const char *text, bool topic,
                          const struct template_values *values, struct error *error)
{
  if (!is_of_letters(text))
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' is no text of UTF-8 without control characters for device %s", from,
                     values->id);
  if (topic && (count_levels(text) != count_levels(from) || strpbrk(text, "+#") != NULL))
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' is '%s' for device %s: what is put into a topic has no '/', '+' or '#'",
                     from, text, values->id);
  if (topic && text[0] == '$')
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' is '%s' for device %s, which begins with '$', as the broker's own do",
                     from, text, values->id);
  return 0;
}

static int say_lacking(const char *from, const struct template_values *values, struct error *error)
{
  size_t size;
  const char *place = template_lacking(from, values, &size);
  return error_set(error, EXIT_CODE_USAGE,
                   "'%s': device %s has no %.*s; {id}, {index} and {cn} all have, {cohort} who is "
                   "in one, and any other word is a column of the list that it was imported from",
                   from, values->id, (int) size, place);
}

static int expand(struct names *names, size_t index, enum names_part which, const char *from,
                  const struct template_values *values, size_t room, struct error *error)
{
  char text[NAMES_CLIENT_ID_MAX];
  assert(room <= sizeof text);
  int size = template_expand(from, values, text, room);
  if (size == TEMPLATE_LACKS) return say_lacking(from, values, error);
  if (size < 0)
    return error_set(error, EXIT_CODE_USAGE, "'%s' is longer than %zu bytes for device %s", from,
                     room - 1, values->id);
  if (check_expanded(from, text, which != NAMES_CLIENT_ID, values, error) != 0) return -1;
  if (which == NAMES_CLIENT_ID && strcmp(text, values->id) == 0) {
    names->at[index][NAMES_CLIENT_ID] = names->at[index][NAMES_NAME];
    return 0;
  }
  return keep(names, text, &names->at[index][which]) == 0 ? 0 : starve(error);
}

static int add(struct names *names, size_t index, const struct template_values *values,
               enum names_part *wrong, struct error *error)
{
  const struct {
    const char *what, *from;
    struct table *table;
    size_t room;
  } parts[NAMES_PARTS] = {
      [NAMES_NAME] = {"name", NULL, &names->by_name, 0},
      [NAMES_CLIENT_ID] = {"client id", names->templates.client_id, &names->client_ids,
                           NAMES_CLIENT_ID_MAX},
      [NAMES_CONTROL] = {"control topic", names->templates.root, &names->roots, NAMES_ROOT_MAX},
      [NAMES_TELEMETRY] = {"telemetry topic", names->templates.telemetry, &names->telemetries,
                           NAMES_TOPIC_MAX}};
  const char *cn = values->cn != NULL ? values->cn : "";
  names->numbers[index] = values->number;
  *find_number(names, values->number) = (uint32_t) index + 1;
  for (*wrong = NAMES_NAME; *wrong < NAMES_PARTS; ++*wrong) {
    const char *from = parts[*wrong].from;
    if (from == NULL && keep(names, values->id, &names->at[index][NAMES_NAME]) != 0)
      return starve(error);
    if (from != NULL && expand(names, index, *wrong, from, values, parts[*wrong].room, error) != 0)
      return -1;
    if (from == NULL) names->at[index][CN] = names->at[index][NAMES_NAME];
    if (from == NULL && strcmp(cn, values->id) != 0 && keep(names, cn, &names->at[index][CN]) != 0)
      return starve(error);
    if (enter(names, parts[*wrong].table, index, parts[*wrong].what, error) != 0) return -1;
  }
  return 0;
}

/* What is said behind ROOT must not be heard as telemetry, nor telemetry as one of these: a back
 * office that subscribes to both would hear it twice. */
static const char *const words[] = {"trust",  "trust/ack",    "cert",      "cert/ack",   "csr",
                                    "status", "ota/manifest", "ota/block", "ota/status", "ota/get"};

static int check_apart(const struct names *names, struct error *error)
{
  char telemetry[NAMES_TOPIC_MAX], control[NAMES_TOPIC_MAX], topic[NAMES_TOPIC_MAX];
  names_telemetry_filter(names, telemetry);
  for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
    names_filter(names, words[w], control);
    for (size_t i = 0; i < names->count; i++) {
      struct names_device own = names_of(names, i);
      snprintf(topic, sizeof topic, "%s%s", own.root, words[w]);
      bool as_telemetry = matches(telemetry, topic, strlen(topic));
      if (!as_telemetry && !matches(control, own.telemetry, strlen(own.telemetry))) continue;
      return error_set(error, EXIT_CODE_USAGE,
                       "'%s' of device %s is a topic of telemetry, and one of updates and status "
                       "behind '%s': let a level without {} tell them apart",
                       as_telemetry ? topic : own.telemetry, own.name, names->templates.root);
    }
  }
  return 0;
}

static int allocate(struct names *names, size_t count, struct error *error)
{
  names->count = count;
  names->at = calloc(count + 1, sizeof *names->at);
  names->numbers = calloc(count + 1, sizeof *names->numbers);
  if (names->at != NULL && names->numbers != NULL &&
      table_open(&names->by_name, count, NAMES_NAME) == 0 &&
      table_open(&names->by_number, count, NAMES_PARTS) == 0 &&
      table_open(&names->roots, count, NAMES_CONTROL) == 0 &&
      table_open(&names->telemetries, count, NAMES_TELEMETRY) == 0 &&
      table_open(&names->client_ids, count, NAMES_CLIENT_ID) == 0)
    return 0;
  return error_set(error, EXIT_CODE_SETUP, "not enough memory for the names of %zu devices", count);
}

int names_create(const struct names_templates *templates, size_t count,
                 void (*describe)(void *ctx, size_t index, struct template_values *out), void *ctx,
                 struct names **out, enum names_part *wrong, struct error *error)
{
  enum names_part part, *at = wrong != NULL ? wrong : &part;
  if (check_templates(templates, at, error) != 0) return -1;
  struct names *names = calloc(1, sizeof *names);
  if (names == NULL) return error_set(error, EXIT_CODE_SETUP, "not enough memory for names");
  names->templates = *templates;
  names->root_levels = count_levels(templates->root);
  int status = allocate(names, count, error);
  for (size_t i = 0; i < count && status == 0; i++) {
    struct template_values values = {.index = i};
    describe(ctx, i, &values); /* of the caller: a registry, for one */
    status = add(names, i, &values, at, error);
  }
  if (status == 0) {
    *at = NAMES_TELEMETRY;
    status = check_apart(names, error);
  }
  free(names->client_ids.slot); /* nobody asks for a device by it */
  names->client_ids.slot = NULL;
  if (status != 0) {
    names_free(names);
    return -1;
  }
  *out = names;
  return 0;
}

void names_free(struct names *names)
{
  if (names == NULL) return;
  free(names->by_number.slot);
  free(names->client_ids.slot);
  free(names->telemetries.slot);
  free(names->roots.slot);
  free(names->by_name.slot);
  free(names->numbers);
  free(names->block);
  free(names->at);
  free(names);
}

/* --- Topics ----------------------------------------------------------------------------------- */

/* Behind so many '/'; NULL: there are not as many. */
static const char *behind(const char *topic, size_t levels)
{
  while (levels > 0 && *topic != '\0') levels -= *topic++ == '/';
  return levels == 0 ? topic : NULL;
}

bool names_find(const struct names *names, const char *topic, struct names_topic *out)
{
  const char *below = behind(topic, names->root_levels), *end = topic + strlen(topic);
  uint32_t of_root = 0;
  if (below != NULL) of_root = *find_slot(names, &names->roots, topic, (size_t) (below - topic));
  uint32_t of_telemetry = *find_slot(names, &names->telemetries, topic, (size_t) (end - topic));
  uint32_t found = of_telemetry != 0 ? of_telemetry : of_root;
  if (found == 0) return false;
  *out = (struct names_topic){.index = found - 1,
                              .telemetry = of_telemetry != 0,
                              .below = below != NULL && of_root != 0 ? below : end};
  return true;
}

void names_filter(const struct names *names, const char *below, char out[NAMES_TOPIC_MAX])
{
  int size = template_filter(names->templates.root, out, NAMES_TOPIC_MAX);
  assert(size > 0 && strlen(below) < NAMES_TOPIC_MAX - (size_t) size);
  strcpy(out + size, below);
}

void names_telemetry_filter(const struct names *names, char out[NAMES_TOPIC_MAX])
{
  int size = template_filter(names->templates.telemetry, out, NAMES_TOPIC_MAX);
  assert(size > 0);
  (void) size;
}

bool names_is_telemetry(const struct names *names, const char *topic, size_t size)
{
  char filter[NAMES_TOPIC_MAX];
  names_telemetry_filter(names, filter);
  return matches(filter, topic, size);
}

bool names_cover(const struct names *names, size_t number, char out[NAMES_TOPIC_MAX])
{
  const struct names_templates *t = names != NULL ? &names->templates : &names_usual;
  char telemetry[NAMES_TOPIC_MAX];
  int size = template_filter(t->root, out, NAMES_TOPIC_MAX - 1);
  size_t common = strcspn(out, "+");
  assert(size > 0);
  /* where no level is common, ROOT's own form has to do */
  strcpy(out + (common > 0 ? common : (size_t) size), "#");
  size = template_filter(t->telemetry, telemetry, sizeof telemetry);
  assert(size > 0);
  if (number == 0) return true;
  if (number > 1 || (common > 0 && strncmp(out, telemetry, common) == 0)) return false;
  strcpy(out, telemetry);
  return true;
}

const char *names_cover_text(const struct names *names, char out[NAMES_COVER_TEXT])
{
  char first[NAMES_TOPIC_MAX], second[NAMES_TOPIC_MAX];
  (void) names_cover(names, 0, first);
  bool more = names_cover(names, 1, second);
  snprintf(out, NAMES_COVER_TEXT, "%s%s%s", first, more ? " and " : "", more ? second : "");
  return out;
}

size_t names_count(const struct names *names)
{
  return names->count;
}
