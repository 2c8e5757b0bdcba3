/* fleetsim explain: what a name in a scenario, a report or a hook means and what to do about it,
 * from the tables that the program itself goes by. A name that ends with a dot, or that begins
 * others, stands for all of these. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "base/hooks.h"
#include "base/product.h"
#include "cli/verbs.h"
#include "fleetsim/failure.h"
#include "fleetsim/ota.h"
#include "report/advice.h"
#include "report/metrics.h"
#include "scenario/quantity.h"
#include "steps/manual.h"

#define LINE_WIDTH 100
#define INDENT     6

/* What is being looked for, and whether anything was found. */
struct asked {
  const char *name; /* NULL: everything */
  const char *kind; /* of the last entry that was printed */
  size_t found;
};

/* "revoke" and "revoke." are all of revoke.*; "not_trusted" is connect.tls.not_trusted. */
static bool is_asked(const struct asked *asked, const char *name)
{
  if (asked->name == NULL) return true;
  size_t size = strlen(asked->name), all = strlen(name);
  if (strncmp(name, asked->name, size) == 0)
    return name[size] == '\0' || name[size] == '.' || (size > 0 && asked->name[size - 1] == '.');
  return all > size + 1 && name[all - size - 1] == '.' &&
         strcmp(name + all - size, asked->name) == 0;
}

static void print_wrapped(const char *text)
{
  size_t column = 0;
  while (*text != '\0') {
    size_t size = strcspn(text, " ");
    if (column > 0 && column + 1 + size > LINE_WIDTH - INDENT) column = 0, putchar('\n');
    if (column == 0)
      column = (size_t) printf("%*s%.*s", INDENT, "", (int) size, text) - INDENT;
    else
      column += (size_t) printf(" %.*s", (int) size, text);
    text += size + strspn(text + size, " ");
  }
  putchar('\n');
}

/* One entry, under the heading of its kind where that is the first; `more` may be NULL or "". */
static void say_name(struct asked *asked, const char *kind, const char *name, const char *line,
                     const char *more)
{
  if (asked->kind != kind) printf("%s%s\n", asked->found > 0 ? "\n" : "", kind);
  asked->kind = kind;
  asked->found++;
  printf("  %s\n", name);
  print_wrapped(line);
  if (more != NULL && *more != '\0') print_wrapped(more);
}

static void explain_metrics(struct asked *asked)
{
  static const char kind[] = "metrics: of results.json, gates and expectations";
  for (int m = 0; m < METRIC_COUNT; m++) {
    bool times = metric_kind((enum metric) m) == METRIC_KIND_HISTOGRAM;
    if (is_asked(asked, metric_name((enum metric) m)))
      say_name(asked, kind, metric_name((enum metric) m), metric_line((enum metric) m),
               times ? "a distribution: add .count, .min, .mean, .p50, .p90, .p99, .p99_9 or .max"
                     : NULL);
  }
}

static void explain_quantities(struct asked *asked)
{
  static const char kind[] = "quantities: of gates and expectations";
  char name[64];
  for (int q = 0; q < QUANTITY_COUNT; q++) {
    bool bare = quantity_argument((enum quantity) q) == QUANTITY_NOTHING;
    if (!is_asked(asked, quantity_name((enum quantity) q))) continue;
    snprintf(name, sizeof name, "%s%s%s%s", quantity_name((enum quantity) q), bare ? "" : "(",
             bare ? "" : quantity_argument_name((enum quantity) q), bare ? "" : ")");
    say_name(asked, kind, name, quantity_line((enum quantity) q), NULL);
  }
}

static void explain_failures(struct asked *asked)
{
  static const char kind[] = "failures: of devices, by name";
  char advice[400];
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++) {
    enum device_failure failure = (enum device_failure) f;
    if (!is_asked(asked, device_failure_name(failure))) continue;
    snprintf(advice, sizeof advice, "To do: %s", advice_of(failure));
    say_name(asked, kind, device_failure_name(failure), device_failure_sentence(failure), advice);
  }
}

static void explain_statuses(struct asked *asked)
{
  static const char kind[] = "statuses of an update: ota(STATUS), reported(STATUS)";
  for (int s = DEVICE_OTA_NONE + 1; s < DEVICE_OTA_STATUS_COUNT; s++)
    if (is_asked(asked, device_ota_status_name((enum device_ota_status) s)))
      say_name(asked, kind, device_ota_status_name((enum device_ota_status) s),
               device_ota_status_sentence((enum device_ota_status) s), NULL);
}

static void explain_hooks(struct asked *asked)
{
  static const char kind[] = "hooks: of a broker that stands elsewhere (broker.hooks)",
                    told[] = "what a hook is told: variables of a command, the JSON of a URL",
                    signer[] = "what a command that signs is told (reissue: command)";
  char more[64];
  for (int h = 0; h < HOOK_COUNT; h++)
    if (is_asked(asked, hook_key((enum hook_kind) h)))
      say_name(asked, kind, hook_key((enum hook_kind) h), hook_line((enum hook_kind) h), NULL);
#define X(variable, key, line)                           \
  if (is_asked(asked, variable)) {                       \
    snprintf(more, sizeof more, "in JSON: \"%s\"", key); \
    say_name(asked, told, variable, line, more);         \
  }
  HOOK_FACTS(X)
#undef X
#define X(variable, line) \
  if (is_asked(asked, variable)) say_name(asked, signer, variable, line, NULL);
  SIGNING_FACTS(X)
#undef X
}

/* "rabbitmq": what it can do, which hooks it has ready, and what a figure means there. */
static void explain_kind(struct asked *asked, const struct product *product)
{
  static const char kind[] = "kinds: of a broker that stands elsewhere (broker.kind)";
  static const char *const skills[] = {[PRODUCT_MQTT_5] = "MQTT 5", [PRODUCT_QOS_2] = "QoS 2"};
  char line[500] = "nothing is known of it";
  if (product->setting != NULL)
    snprintf(line, sizeof line, "ready hooks where broker.%s is set:", product->setting);
  else if (product != &product_generic)
    snprintf(line, sizeof line,
             "no hook is ready: what reloads and restarts it is its owner's code");
  size_t used = strlen(line);
  for (int h = 0; h < HOOK_COUNT && used < sizeof line; h++)
    if (product->hook[h].command != NULL)
      used +=
          (size_t) snprintf(line + used, sizeof line - used, " %s", hook_key((enum hook_kind) h));
  say_name(asked, kind, product->word, line, NULL);
  for (int s = 0; s < PRODUCT_SKILLS; s++) {
    const struct product_ability *ability = &product->ability[s];
    if (ability->before == NULL) continue;
    if (ability->since.major == PRODUCT_NEVER)
      snprintf(line, sizeof line, "no %s: %s (%s)", skills[s], ability->before, ability->source);
    else
      snprintf(line, sizeof line, "%s since %u.%u, before that %s (%s)", skills[s],
               ability->since.major, ability->since.minor, ability->before, ability->source);
    print_wrapped(line);
  }
  for (const struct product_fact *fact = product->facts; fact->line != NULL; fact++) {
    snprintf(line, sizeof line, "%s: %s (%s)", fact->when, fact->line, fact->source);
    print_wrapped(line);
  }
}

static void explain_kinds(struct asked *asked)
{
  for (size_t i = 0; i < product_count(); i++)
    if (is_asked(asked, product_at(i)->word)) explain_kind(asked, product_at(i));
}

static void explain_steps(struct asked *asked)
{
  static const char kind[] = "steps: what each does, and its keys with their defaults";
  for (size_t k = 0; steps_kinds[k] != NULL; k++) {
    char text[400];
    if (!is_asked(asked, steps_kinds[k]->name)) continue;
    say_name(asked, kind, steps_kinds[k]->name, steps_manual(steps_kinds[k]), NULL);
    for (const struct step_argument *a = steps_kinds[k]->arguments; a->key != NULL; a++) {
      snprintf(text, sizeof text, "%s: %s", a->key, steps_manual_argument(steps_kinds[k], a->key));
      print_wrapped(text);
    }
  }
}

static int explain(const struct args *args, struct error *error)
{
  struct asked asked = {.name = args->operand_count > 0 ? args->operand[0] : NULL};
  explain_steps(&asked);
  explain_quantities(&asked);
  explain_metrics(&asked);
  explain_failures(&asked);
  explain_statuses(&asked);
  explain_hooks(&asked);
  explain_kinds(&asked);
  if (asked.found > 0) return EXIT_CODE_PASS;
  return error_set(
      error, EXIT_CODE_USAGE,
      "there is no step, quantity, metric, failure, status, hook or kind of broker '%.80s': "
      "'fleetsim explain' lists them all",
      asked.name);
}

/* Of everything, each whole. */
static void say_names(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (size_t k = 0; steps_kinds[k] != NULL; k++) say(ctx, steps_kinds[k]->name);
  for (int q = 0; q < QUANTITY_COUNT; q++) say(ctx, quantity_name((enum quantity) q));
  for (int m = 0; m < METRIC_COUNT; m++) say(ctx, metric_name((enum metric) m));
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    say(ctx, device_failure_name((enum device_failure) f));
  for (int s = DEVICE_OTA_NONE + 1; s < DEVICE_OTA_STATUS_COUNT; s++)
    say(ctx, device_ota_status_name((enum device_ota_status) s));
  for (int h = 0; h < HOOK_COUNT; h++) say(ctx, hook_key((enum hook_kind) h));
#define X(variable, ...) say(ctx, variable);
  HOOK_FACTS(X)
  SIGNING_FACTS(X)
#undef X
  for (size_t i = 0; i < product_count(); i++) say(ctx, product_at(i)->word);
}

const struct args_verb cli_explain = {
    .name = "explain",
    .line = "what a step, quantity, metric, failure, hook or kind of broker means, and what to do",
    .usage =
        "usage: fleetsim explain [NAME]\n\n"
        "Explains a name of scenarios, reports and hooks; 'revoke' stands for all of revoke.*, "
        "'not_trusted' for\nconnect.tls.not_trusted. Without a name: all of them.\n",
    .example = "fleetsim explain connect.tls.closed_after_handshake",
    .operand_words = say_names,
    .operands_most = 1,
    .operands = "name one thing to explain; 'fleetsim explain --help' shows how",
    .run = explain,
};
