/* What gates and expectations can name: the fleet's own quantities first, then every metric. */
#define _POSIX_C_SOURCE 200809L
#include "stage/quantities.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stage/firmware.h"

int stage_root_index(const struct stage *stage, const char *root)
{
  const struct pki_roots *roots = pki_roots(stage->pki);
  for (size_t r = 0; r < roots->count; r++)
    if (strcmp(roots->name[r], root) == 0) return (int) r;
  return -1;
}

bool stage_version_has(const struct stage *stage, uint32_t version, const char *root)
{
  return version > 0 && version <= stage->bundle_version &&
         pki_roots_include(&stage->bundle[version], root);
}

/* Tells whether one device counts towards a quantity. */
typedef bool predicate(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument);

static bool is_online(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                      const char *argument)
{
  (void) stage, (void) index, (void) argument;
  return facts->online;
}

static bool is_awake(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                     const char *argument)
{
  (void) stage, (void) index, (void) argument;
  return facts->wanted;
}

static bool is_shelved(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument)
{
  (void) stage, (void) index, (void) argument;
  return facts->shelved && !facts->powered; /* the plan alone is no evidence */
}

static bool is_trusting(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                        const char *argument)
{
  /* both words: what the back office has heard, and what the device stands on */
  uint32_t acked = stage->acked_version[index];
  return facts->wanted && acked == facts->trust_version &&
         stage_version_has(stage, acked, argument);
}

static bool is_proven(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                      const char *argument)
{
  (void) index;
  return facts->wanted && (facts->proven >> stage_root_index(stage, argument) & 1u) != 0;
}

static bool is_identified(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                          const char *argument)
{
  (void) index;
  return facts->wanted && (facts->identified >> stage_root_index(stage, argument) & 1u) != 0;
}

static bool is_reconnected(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                           const char *argument)
{
  (void) stage, (void) index, (void) argument;
  return facts->wanted && facts->phase_connected;
}

/* For that reason, whatever others there were: within a phase the reason may change. */
static bool is_refused(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument)
{
  (void) stage, (void) index;
  static const char prefix[] = "connect.tls.";
  if (!facts->wanted) return false;
  for (int f = DEVICE_FAIL_TLS_FIRST; f <= DEVICE_FAIL_TLS_LAST; f++) {
    const char *name = device_failure_name((enum device_failure) f);
    bool seen = (facts->phase_refusals >> (f - DEVICE_FAIL_TLS_FIRST) & 1u) != 0;
    if (seen && (argument[0] == '\0' || strcmp(name + sizeof prefix - 1, argument) == 0))
      return true;
  }
  return false;
}

static bool is_revoked(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument)
{
  (void) stage, (void) index, (void) argument;
  return facts->revoked;
}

static bool is_on(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                  const char *argument)
{
  (void) index;
  return facts->online && facts->node == scenario_find_node(stage->scenario, argument);
}

static bool is_updated(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument)
{
  (void) facts;
  return stage_ota_is_updated(stage, index, argument);
}

static bool is_touched(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument)
{
  (void) facts;
  return stage_ota_is_touched(stage, index, argument);
}

static bool is_at(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                  const char *argument)
{
  (void) facts;
  return stage_ota_is_at(stage, index, argument);
}

static bool is_reported(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                        const char *argument)
{
  (void) facts;
  return stage_ota_is_reported(stage, index, argument);
}

static bool is_anybody(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                       const char *argument)
{
  (void) stage, (void) index, (void) facts, (void) argument;
  return true;
}

bool stage_is_lost(const struct fleet_facts *facts)
{
  return facts->dead || (facts->wanted && !facts->online && !facts->revoked);
}

static bool is_lost(const struct stage *stage, size_t index, const struct fleet_facts *facts,
                    const char *argument)
{
  (void) stage, (void) index, (void) argument;
  return stage_is_lost(facts);
}

/* clang-format off */
#define X(symbol, name, argument, bare, counts, whole, line) {counts, whole},
static const struct {
  predicate *counts, *whole;
} observed[QUANTITY_COUNT] = {QUANTITIES(X)};
#undef X
/* clang-format on */

static double count(const struct stage *stage, predicate *counts, const char *argument)
{
  size_t n = 0;
  for (size_t i = 0; i < fleet_size(stage->fleet); i++)
    n += counts(stage, i, fleet_facts(stage->fleet, i), argument);
  return (double) n;
}

bool stage_is(const struct stage *stage, enum quantity quantity, size_t index, const char *argument)
{
  assert(quantity < QUANTITY_COUNT && observed[quantity].counts != NULL);
  return observed[quantity].counts(stage, index, fleet_facts(stage->fleet, index), argument);
}

/* Metrics that count devices as well. */
static predicate *find_predicate(const char *name)
{
  int q = quantity_find(name);
  if (q >= 0) return observed[q].counts;
  if (strcmp(name, "fleet.online") == 0) return is_online;
  return strcmp(name, "devices.lost") == 0 ? is_lost : NULL;
}

bool stage_counts(const struct stage *stage, size_t index, uint32_t refusals,
                  const struct expr *expr)
{
  predicate *counts = find_predicate(expr->name);
  struct fleet_facts facts = *fleet_facts(stage->fleet, index);
  facts.phase_refusals = refusals;
  return counts != NULL && counts(stage, index, &facts, expr->argument);
}

bool stage_counts_devices(const struct expr *expr)
{
  return find_predicate(expr->name) != NULL;
}

bool stage_has_left(const struct stage *stage, size_t index, const struct expr *expr)
{
  int own = quantity_find(expr->name), set = quantity_find(expr->of);
  predicate *whole = set >= 0 ? observed[set].counts : own >= 0 ? observed[own].whole : NULL;
  if (expr->unit != EXPR_PERCENT || whole == NULL || stage->before == NULL) return false;
  struct fleet_facts facts = *fleet_facts(stage->fleet, index);
  if (whole(stage, index, &facts, "")) return false;
  facts.wanted = stage->before[index].wanted;
  facts.online = stage->before[index].online;
  return whole(stage, index, &facts, "");
}

static int find_failures(const struct stage *stage, const char *argument, struct expr_quantity *out)
{
  for (int f = 1; f < DEVICE_FAIL_COUNT; f++) {
    if (strcmp(device_failure_name((enum device_failure) f), argument) != 0) continue;
    out->value = (double) metrics_failure(stage->metrics, (enum device_failure) f)->count;
    return 0;
  }
  return -1;
}

/* How long the revoked still got in has no value while one of them still does. */
static bool is_open_ended(const struct stage *stage, const char *name)
{
  static const char of_refusals[] = "revoke.refuse_";
  const char *statistic = strrchr(name, '.');
  return strncmp(name, of_refusals, sizeof of_refusals - 1) == 0 &&
         strcmp(statistic, ".count") != 0 &&
         metrics_value(stage->metrics, METRIC_REVOKE_UNREFUSED) > 0;
}

int stage_lookup(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  const struct stage *stage = ctx;
  *out = (struct expr_quantity){.unit = EXPR_NUMBER};
  int q = quantity_find(name);
  if (q == QUANTITY_FAILURES) return find_failures(stage, argument, out);
  if (q >= 0) {
    out->value = count(stage, observed[q].counts, argument);
    out->whole = count(stage, observed[q].whole, argument);
    return 0;
  }
  if (metrics_find(stage->metrics, name, &out->value) != 0) return -1;
  if (is_open_ended(stage, name)) out->value = NAN;
  if (scenario_is_time(name)) out->unit = EXPR_DURATION;
  if (strcmp(name, "handshake.full") == 0 || strcmp(name, "handshake.resumed") == 0)
    out->whole = metrics_value(stage->metrics, METRIC_HANDSHAKE_FULL) +
                 metrics_value(stage->metrics, METRIC_HANDSHAKE_RESUMED);
  if (strncmp(name, "devices.", 8) == 0 || strncmp(name, "fleet.", 6) == 0)
    out->whole = (double) fleet_size(stage->fleet);
  return 0;
}
