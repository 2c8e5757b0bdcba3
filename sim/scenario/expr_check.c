/* One expression against what is known: a quantity's name, its argument and the unit it is
 * compared in. Whatever no run could ever answer is refused here, at its column. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "report/metrics.h"
#include "scenario/check.h"
#include "scenario/quantity.h"

#define GATE_WITHIN_MS 60000u

static int fail(const struct take *t, const char *at, size_t column, const char *sentence)
{
  return doc_fail(t->doc, at, column, t->error, sentence);
}

/* The sentence for an image or status that there is not. */
static void say_bad_ota(const struct expr *e, bool image, const struct scenario *s, char *out,
                        size_t size)
{
  if (!s->ota.on)
    snprintf(out, size,
             "the devices of this scenario take no firmware updates: add 'ota: {}' to the file");
  else if (image)
    snprintf(out, size,
             "'%s' is no image of this scenario: write '%s(%s)', or publish it with 'ota.publish'",
             e->argument, e->name, s->ota.images[s->ota.image_count - 1].name);
  else
    snprintf(out, size,
             "'%s' is no status of an update: write '%s(confirmed)', or another of the words in "
             "scenarios/README.md",
             e->argument, e->name);
}

static void say_bad_root(const struct expr *e, const struct pki_roots *roots, char *out,
                         size_t size)
{
  char list[300];
  if (e->argument[0] == '\0')
    snprintf(out, size, "'%s' needs a root: write '%s(%s)'", e->name, e->name, roots->name[0]);
  else
    snprintf(out, size, "'%s' is no root of this scenario; pki.roots has %s", e->argument,
             take_list_roots(roots, list, sizeof list));
}

static int bad_argument(const struct take *t, const char *at, const struct expr *e,
                        const struct scenario *scenario)
{
  char sentence[500];
  size_t size = sizeof sentence;
  enum quantity_argument argument = quantity_argument((enum quantity) quantity_find(e->name));
  switch (argument) {
  case QUANTITY_ROOT: say_bad_root(e, &scenario->roots, sentence, size); break;
  case QUANTITY_REASON:
    snprintf(sentence, size,
             "'%s' is no reason to refuse a broker: write the last part of a connect.tls failure, "
             "such as 'refused(not_trusted)'",
             e->argument);
    break;
  case QUANTITY_NAME:
    snprintf(sentence, size,
             "'%s' is no name of a failure: write 'failures(connect.tls.not_trusted)', or count "
             "all with 'connect.failed'",
             e->argument);
    break;
  case QUANTITY_NODE:
    snprintf(sentence, size,
             "'%s' is no broker of this scenario: write '%s(%s)', or give broker.nodes names",
             e->argument, e->name, scenario->nodes[0].name);
    break;
  case QUANTITY_IMAGE:
  case QUANTITY_STATUS: say_bad_ota(e, argument == QUANTITY_IMAGE, scenario, sentence, size); break;
  case QUANTITY_NOTHING:
    snprintf(sentence, size, "'%s' takes no argument: write '%s'", e->name, e->name);
    break;
  }
  return fail(t, at, strlen(e->name) + 1, sentence);
}

static int check_name(const struct take *t, const char *at, const struct expr *e,
                      const struct scenario *scenario)
{
  char sentence[500], list[300];
  int known = scenario_quantity_known(e->name, e->argument, scenario);
  if (known == 0) return 0;
  if (known == SCENARIO_BAD_ARGUMENT) return bad_argument(t, at, e, scenario);
  if (e->argument[0] == '\0' && metrics_known(e->name)) return 0;
  if (e->argument[0] != '\0' && metrics_known(e->name))
    snprintf(sentence, sizeof sentence, "the metric '%s' takes no argument: write '%s'", e->name,
             e->name);
  else
    snprintf(sentence, sizeof sentence,
             "'%s' is no quantity and no metric: write %s or a metric such as "
             "connect.total_ms.p99",
             e->name, quantity_list(list, sizeof list));
  return fail(t, at, 0, sentence);
}

static bool has_whole(const struct expr *e, const struct scenario *scenario)
{
  if (e->of[0] != '\0') return true;
  if (strncmp(e->name, "fleet.", 6) == 0 || strncmp(e->name, "devices.", 8) == 0) return true;
  if (strcmp(e->name, "handshake.full") == 0 || strcmp(e->name, "handshake.resumed") == 0)
    return true;
  return quantity_find(e->name) != QUANTITY_FAILURES &&
         scenario_quantity_known(e->name, e->argument, scenario) == 0;
}

static int check_unit(const struct take *t, const char *at, const struct expr *e,
                      const struct scenario *scenario)
{
  char sentence[200];
  if (e->unit == EXPR_DURATION && !scenario_is_time(e->name)) {
    snprintf(sentence, sizeof sentence, "'%s' is no time: compare it with a number", e->name);
    return fail(t, at, 0, sentence);
  }
  if (e->unit == EXPR_PERCENT && !has_whole(e, scenario)) {
    snprintf(sentence, sizeof sentence,
             "'%s' is no part of a whole: compare it with a number, or add 'of all'", e->name);
    return fail(t, at, 0, sentence);
  }
  if (e->less > e->value / 100 * (double) scenario->devices) {
    snprintf(sentence, sizeof sentence,
             "%g%% of %zu devices less %g is below none: take fewer off, or write a share",
             e->value, scenario->devices, e->less);
    return fail(t, at, 0, sentence);
  }
  if (e->of[0] != '\0' && strcmp(e->of, "online") != 0 && strcmp(e->of, "awake") != 0 &&
      strcmp(e->of, "all") != 0) {
    snprintf(sentence, sizeof sentence,
             "'%s' is no set of devices: write 'of online', 'of awake' or 'of all'", e->of);
    return fail(t, at, 0, sentence);
  }
  return 0;
}

/* Until then its 0 would make any upper limit hold. */
static int check_is_known_by(const struct take *t, const char *at, const struct expr *e,
                             enum check_when when)
{
  char sentence[300];
  if (when == CHECK_AT_END || !metrics_known(e->name) || !metrics_are_of_the_end(e->name)) return 0;
  snprintf(sentence, sizeof sentence,
           "'%s' is counted when the run is over and all messages have had time to arrive: move "
           "this to the scenario's own 'expect', behind the phases",
           e->name);
  return fail(t, at, 0, sentence);
}

int check_expr(const struct take *t, const char *at, const char *text,
               const struct scenario *scenario, enum check_when when, struct expr *out)
{
  bool gate = when == CHECK_AS_GATE;
  char why[300];
  size_t column = 0;
  if (expr_parse(text, out, why, sizeof why, &column) != 0) return fail(t, at, column, why);
  if (check_name(t, at, out, scenario) != 0 || check_unit(t, at, out, scenario) != 0 ||
      check_certified_word(t, at, scenario, out->name) != 0 ||
      check_operated_word(t, at, scenario, out->name) != 0 ||
      check_token_word(t, at, scenario, out->name) != 0 || check_is_known_by(t, at, out, when) != 0)
    return -1;
  if (!gate && out->within_ms > 0)
    return fail(
        t, at, 0,
        "an expectation is judged once and cannot wait: move 'within' to the phase's 'until'");
  if (gate && out->within_ms == 0) out->within_ms = GATE_WITHIN_MS;
  return 0;
}
