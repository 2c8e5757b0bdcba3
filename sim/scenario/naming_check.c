/* What devices are called and where they speak: fleet.names, fleet.client-id and topics, templates all
 * of them (base/template.h). Here they are looked at as texts; what they become is known when the
 * devices are. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "scenario/check.h"

static int take_naming(const struct take *t, const char *at, const char *key, const char *text,
                       int (*check)(const char *text, struct error *error), enum names_part part,
                       struct scenario *out, char to[SCENARIO_TEMPLATE])
{
  struct error error;
  char path[DOC_PATH_MAX];
  if (text == NULL) return 0;
  if (take_text(t, at, key, text, to, SCENARIO_TEMPLATE) != 0) return -1;
  if (check(text, &error) != 0) return take_fail(t, at, key, "%s", error.text);
  snprintf(path, sizeof path, "%s.%s", at, key);
  out->naming.line[part] = doc_line(t->doc, path);
  out->naming.column[part] = doc_column(t->doc, path);
  return 0;
}

static int check_name_template(const char *text, struct error *error)
{
  unsigned has;
  if (template_check(text, TEMPLATE_BIT(TEMPLATE_INDEX), &has, error) != 0) return -1;
  if (has != 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "'%s' is the same for all devices: let {index} be in it, or {index:06}", text);
}

void scenario_device_name(const struct scenario *scenario, size_t index,
                          char out[SCENARIO_DEVICE_NAME])
{
  const struct template_values values = {.index = index};
  if (scenario->naming.names[0] == '\0')
    device_id_text((uint32_t) index + 1, out);
  else
    template_expand(scenario->naming.names, &values, out, SCENARIO_DEVICE_NAME);
}

/* Who hears nothing answers nothing either, and what it leaves behind there has no topic. */
int check_control(const struct take *t, const struct scenario *scenario)
{
  if (!scenario->device.no_control) return 0;
  if (!scenario->operator.none)
    return take_fail(t, "topics", "control",
                     "the back office speaks to devices there: give it a topic, or remove it for "
                     "the default, or add 'operator: none'");
  if (scenario->device.will)
    return take_fail(t, "device", "will",
                     "a will lies behind 'topics.control', which is none: remove one of them");
  if (scenario->ota.on)
    return take_fail(
        t, "ota", "",
        "devices tell of updates behind 'topics.control', which is none: remove one of "
        "them");
  return 0;
}

/* The longest is that of the last device: they differ in its number alone. */
static int check_longest(const struct take *t, const struct scenario *scenario)
{
  const struct template_values last = {.index = scenario->devices - 1};
  char name[2 * SCENARIO_TEMPLATE];
  struct error error;
  if (scenario->naming.names[0] == '\0') return 0;
  template_expand(scenario->naming.names, &last, name, sizeof name);
  return name_check(name, &error) == 0 ? 0 : take_fail(t, "fleet", "names", "%s", error.text);
}

int check_naming(const struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  static const struct raw_topics usual = {0};
  const struct raw_topics *topics = raw->topics != NULL ? raw->topics : &usual;
  struct scenario_naming *naming = &out->naming;
  strcpy(naming->client_id, names_usual.client_id);
  strcpy(naming->control, names_usual.root);
  if (take_naming(t, "fleet", "names", raw->fleet->names, check_name_template, NAMES_NAME, out,
                  naming->names) != 0 ||
      take_naming(t, "fleet", "client-id", raw->fleet->client_id, names_check_client_id,
                  NAMES_CLIENT_ID, out, naming->client_id) != 0)
    return -1;
  out->device.no_control = topics->control != NULL && strcmp(topics->control, "none") == 0;
  if (!out->device.no_control &&
      take_naming(t, "topics", "control", topics->control, names_check_control, NAMES_CONTROL, out,
                  naming->control) != 0)
    return -1;
  snprintf(naming->telemetry, sizeof naming->telemetry, "%stelemetry", naming->control);
  return take_naming(t, "topics", "telemetry", topics->telemetry, names_check_telemetry,
                     NAMES_TELEMETRY, out, naming->telemetry) != 0
             ? -1
             : check_longest(t, out);
}
