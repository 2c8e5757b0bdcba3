/* Who may speak where, and under which client id, as mosquitto's ACL file and the terminator's
 * list have it: each device at its own topics, the operator at
 * all of them. Where a topic of every device is one text with the user name in it, a line is enough;
 * else each user has lines of his own. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/internal.h"
#include "broker/mosquitto.h"

/* Of a device, and behind it what stands at its end. */
struct rule {
  const char *(*topic)(const struct names *names, size_t device);
  const char *end;
};

static const char *control_of(const struct names *names, size_t device)
{
  return names_of(names, device).root;
}

static const char *telemetry_of(const struct names *names, size_t device)
{
  return names_of(names, device).telemetry;
}

static const struct rule rules[] = {{control_of, "#"}, {telemetry_of, ""}};
enum { RULES = sizeof rules / sizeof *rules };

/* The topic with %u for each level that is `user`. */
static void make_pattern(const char *topic, const char *user, char out[2 * NAMES_TOPIC_MAX])
{
  while (true) {
    size_t level = strcspn(topic, "/");
    bool is = level == strlen(user) && memcmp(topic, user, level) == 0;
    size_t size = is ? 2 : level;
    memcpy(out, is ? "%u" : topic, size);
    out += size;
    topic += level;
    if (*topic == '\0') break;
    *out++ = *topic++;
  }
  *out = '\0';
}

/* Whether it is the pattern of every device, and has a user name in it. */
static bool is_pattern(const struct names *names, const struct rule *rule, const char *pattern)
{
  char own[2 * NAMES_TOPIC_MAX];
  bool same = strstr(pattern, "%u") != NULL;
  for (size_t i = 0; i < names_count(names) && same; i++) {
    make_pattern(rule->topic(names, i), names_of(names, i).cn, own);
    same = strcmp(own, pattern) == 0 && strchr(rule->topic(names, i), '%') == NULL;
  }
  return same;
}

static bool is_below_control(const struct names *names)
{
  bool below = true;
  for (size_t i = 0; i < names_count(names) && below; i++) {
    struct names_device own = names_of(names, i);
    below = strncmp(own.telemetry, own.root, strlen(own.root)) == 0;
  }
  return below;
}

static void write_devices(FILE *out, const struct names *names)
{
  bool apart[RULES] = {false};
  for (size_t r = 0; r < RULES; r++) {
    char pattern[2 * NAMES_TOPIC_MAX];
    if (rules[r].topic == telemetry_of && is_below_control(names)) continue;
    make_pattern(rules[r].topic(names, 0), names_of(names, 0).cn, pattern);
    apart[r] = !is_pattern(names, &rules[r], pattern);
    if (!apart[r]) fprintf(out, "pattern readwrite %s%s\n", pattern, rules[r].end);
  }
  for (size_t i = 0; i < names_count(names) && (apart[0] || apart[1]); i++) {
    fprintf(out, "\nuser %s\n", names_of(names, i).cn);
    for (size_t r = 0; r < RULES; r++)
      if (apart[r]) fprintf(out, "topic readwrite %s%s\n", rules[r].topic(names, i), rules[r].end);
  }
}

/* Of devices that nobody knows: by the names that are usual. */
static void write_usual(FILE *out)
{
  const struct template_values user = {.id = "%u"};
  char root[NAMES_ROOT_MAX];
  if (template_expand(names_usual.root, &user, root, sizeof root) > 0)
    fprintf(out, "pattern readwrite %s#\n", root);
}

/* Patterns hold for every user, wherever they stand; 'topic' is of the user above it. */
static void write_rules(FILE *out, const struct broker *broker)
{
  const struct broker_config *config = &broker->config;
  char filter[NAMES_TOPIC_MAX];
  if (config->operator_name != NULL) fprintf(out, "user %s\n", config->operator_name);
  for (size_t i = 0; config->operator_name != NULL && names_cover(config->names, i, filter); i++)
    fprintf(out, "topic readwrite %s\n", filter);
  fputc('\n', out);
  if (config->accounts.count > 0)
    mosquitto_grant_accounts(broker, out);
  else if (config->names != NULL && names_count(config->names) > 0)
    write_devices(out, config->names);
  else
    write_usual(out);
}

int mosquitto_write_acl(const struct broker *broker, struct error *error)
{
  char path[FILES_PATH_MAX], *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  if (broker->config.anyone)
    fprintf(out, "topic readwrite #\n");
  else
    write_rules(out, broker);
  broker_file(broker, MOSQUITTO_ACL, path);
  int status = fclose(out) == 0 ? files_write(path, text, size, 0600, error)
                                : error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  free(text);
  return status;
}

bool mosquitto_has_ids(const struct broker *broker)
{
  const struct names *names = broker->config.names;
  bool has = false;
  if (broker->config.terminator == NULL) return false;
  for (size_t i = 0; names != NULL && i < names_count(names) && !has; i++)
    has = strcmp(names_of(names, i).client_id, names_of(names, i).cn) != 0;
  return has;
}

int mosquitto_write_ids(const struct broker *broker, struct error *error)
{
  const struct names *names = broker->config.names;
  char path[FILES_PATH_MAX], *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  for (size_t i = 0; i < names_count(names); i++)
    fprintf(out, "%s\t%s\n", names_of(names, i).cn, names_of(names, i).client_id);
  broker_file(broker, MOSQUITTO_IDS, path);
  int status = fclose(out) == 0 ? files_write(path, text, size, 0600, error)
                                : error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  free(text);
  return status;
}
