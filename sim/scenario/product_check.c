/* What `broker: {kind: ..}` says of a broker that stands elsewhere: hooks that need nobody to write
 * them, and what the scenario asks that this kind cannot do, which is told before the run. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/step_kind.h"

#define SETTLED_MS 10000u /* beside the broker's own delay */

static int take_kind_word(const struct take *t, const char *word, struct scenario *out)
{
  char known[200] = "";
  size_t used = 0, count = product_count();
  if (word == NULL) return 0;
  out->product = product_find(word);
  if (out->product != NULL) return 0;
  out->product = &product_generic;
  for (size_t i = 0; i < count && used < sizeof known; i++)
    used += (size_t) snprintf(known + used, sizeof known - used, "%s%s",
                              i == 0           ? ""
                              : i + 1 == count ? " or "
                                               : ", ",
                              product_at(i)->word);
  return take_fail(t, "broker", "kind", "'%.40s' is no value of 'kind': write %s", word, known);
}

static int take_kind_version(const struct take *t, const char *text, struct scenario *out)
{
  out->product_version = out->product->seen;
  if (text == NULL) return 0;
  if (out->product == &product_generic)
    return take_fail(t, "broker", "version",
                     "a version says something of a kind only: add 'kind: mosquitto', or remove "
                     "this");
  if (product_version_read(text, &out->product_version) == 0) return 0;
  return take_fail(t, "broker", "version", "'%.40s' is no version: write 3.10", text);
}

/* It becomes a word of a shell command. */
static int take_setting(const struct take *t, const char *key, const char *text,
                        struct scenario *out)
{
  static const char letters[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@/-";
  const char *own = out->product->setting;
  if (text == NULL) return 0;
  if (own == NULL || strcmp(own, key) != 0)
    return take_fail(t, "broker", key, "a broker of the kind '%s' has no '%s': remove this",
                     out->product->word, key);
  if (take_text(t, "broker", key, text, out->product_setting, sizeof out->product_setting) != 0)
    return -1;
  if (text[0] != '\0' && text[0] != '-' && text[strspn(text, letters)] == '\0') return 0;
  return take_fail(t, "broker", key, "'%.80s' may hold letters, digits and _ . @ / - only", text);
}

/* Those that the file does not name. */
static void take_ready_hooks(struct scenario *out)
{
  for (int h = 0; h < HOOK_COUNT; h++)
    out->ready_hook[h] =
        out->hook[h][0] == '\0' &&
        product_hook_command(out->product, out->product_version, (enum hook_kind) h,
                             out->product_setting, out->hook[h], sizeof out->hook[h]);
}

int check_product(const struct take *t, const struct raw_broker *raw, struct scenario *out)
{
  if (take_kind_word(t, raw->kind, out) != 0 || take_kind_version(t, raw->version, out) != 0 ||
      take_setting(t, "node", raw->node, out) != 0 ||
      take_setting(t, "pid-file", raw->pid_file, out) != 0)
    return -1;
  take_ready_hooks(out);
  return 0;
}

/* --- What it cannot do ------------------------------------------------------------------------ */

static bool can(const struct scenario *scenario, enum product_skill skill)
{
  return product_can(scenario->product, scenario->product_version, skill);
}

/* "RabbitMQ before 3.13", "RabbitMQ". */
static const char *who_cannot(const struct scenario *scenario, enum product_skill skill,
                              char out[64])
{
  struct product_version since = scenario->product->ability[skill].since;
  if (since.major == PRODUCT_NEVER)
    snprintf(out, 64, "%s", scenario->product->title);
  else
    snprintf(out, 64, "%s before %u.%u", scenario->product->title, since.major, since.minor);
  return out;
}

static int check_mqtt(const struct take *t, const struct raw_scenario *raw,
                      const struct scenario *scenario)
{
  char who[64], newer[64] = "";
  bool named = raw->device != NULL && raw->device->mqtt != NULL;
  if (scenario->device.mqtt_version != 5 || can(scenario, PRODUCT_MQTT_5)) return 0;
  struct product_version since = scenario->product->ability[PRODUCT_MQTT_5].since;
  if (since.major != PRODUCT_NEVER)
    snprintf(newer, sizeof newer, ", or 'version: \"%u.%u\"' below 'kind' if yours is newer",
             since.major, since.minor);
  return take_fail(
      t, named ? "device" : "broker", named ? "mqtt" : "kind",
      "devices would say MQTT 5%s, and %s does not speak it: %s. Write 'device: {mqtt: "
      "3.1.1}'%s",
      named ? "" : ", the default", who_cannot(scenario, PRODUCT_MQTT_5, who),
      scenario->product->ability[PRODUCT_MQTT_5].before, newer);
}

static int check_qos(const struct take *t, const char *at, const struct scenario_telemetry *of,
                     const struct scenario *scenario)
{
  char who[64];
  if (!of->on || of->qos != 2 || can(scenario, PRODUCT_QOS_2)) return 0;
  return take_fail(t, at, "qos", "%s has no QoS 2: %s. Write 'qos: 1'",
                   who_cannot(scenario, PRODUCT_QOS_2, who),
                   scenario->product->ability[PRODUCT_QOS_2].before);
}

int check_product_skills(const struct take *t, const struct raw_scenario *raw,
                         const struct scenario *scenario)
{
  char at[DOC_PATH_MAX];
  if (check_mqtt(t, raw, scenario) != 0 ||
      check_qos(t, "fleet.telemetry", &scenario->telemetry, scenario) != 0)
    return -1;
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t i = 0; i < scenario->phases[p].step_count; i++) {
      const struct scenario_step *step = &scenario->phases[p].steps[i];
      snprintf(at, sizeof at, "phases[%zu].do[%zu].%s", p, i, step->kind->name);
      if (check_qos(t, at, &step->telemetry, scenario) != 0) return -1;
    }
  return 0;
}

/* --- What it takes its time for --------------------------------------------------------------- */

uint64_t scenario_broker_ms(const struct scenario *scenario)
{
  bool told = scenario->hook[HOOK_RELOAD][0] != '\0';
  return SETTLED_MS + (told ? 0 : scenario->product->sweep_ms);
}

void scenario_warn_product(const struct scenario *scenario)
{
  const struct product *product = scenario->product;
  if (product->record_bytes <= scenario->record_bytes) return;
  fprintf(stderr,
          "warning: %s puts several packets into one TLS record, up to %u bytes, and these devices "
          "take %u: a burst ends their connections (session.record_too_large); add 'device: "
          "{record: 16KiB}'\n",
          product->title, (unsigned) product->record_bytes, (unsigned) scenario->record_bytes);
}
