/* The population as a whole: making and ending it, and the plan's commands. */
#include "fleet/fleet.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "crypto/records.h"
#include "fleet/addresses.h"
#include "fleet/arrival.h"
#include "fleet/member.h"

#define SHELVE_WITHIN_MS 5000u
#define HEAP_PER_DEVICE  9216u /* measured: bench/README.md, idle */

_Static_assert(sizeof(struct member) <= 256,
               "tens of thousands of them: move to a side array what few runs need");

uint64_t fleet_clock_us(void *ctx)
{
  const struct fleet *fleet = ctx;
  return backend_now_us(fleet->config.backend) - fleet->config.began_us;
}

static size_t aligned(size_t size)
{
  const size_t a = alignof(max_align_t);
  return (size + a - 1) / a * a;
}

/* Fisher-Yates by the seed: the same seed puts the same devices into the same waves. */
static void shuffle(uint32_t *order, size_t count, uint64_t seed)
{
  uint64_t state = seed;
  for (size_t i = 0; i < count; i++) order[i] = (uint32_t) i;
  for (size_t i = count; i > 1; i--) {
    size_t j = random_next(&state) % i;
    uint32_t swap = order[i - 1];
    order[i - 1] = order[j];
    order[j] = swap;
  }
}

static void init_member(struct fleet *fleet, size_t index, uint8_t *storage, size_t client_size)
{
  struct member *m = &fleet->members[index];
  const struct fleet_config *config = &fleet->config;
  m->fleet = fleet;
  m->client = storage;
  m->conn = backend_conn_init(config->backend, storage + client_size, &member_handler, m);
  m->facts.id = config->id(config->pages, index);
  m->random = config->seed ^ ((uint64_t) (index + 1) * 0x9e3779b97f4a7c15u);
  m->clock_right = true;
  m->start_at_ms = m->device_at_ms = m->telemetry_at_ms = m->shelve_by_ms = m->name_at_ms =
      m->boot_at_ms = DEVICE_NEVER;
  m->facts.node = -1;
  if (fleet->ota != NULL) fleet->ota[index].random = m->random ^ 0x706f776572u;
  member_order_places(m);
}

static int allocate(struct fleet *fleet, size_t member_size)
{
  size_t n = fleet->config.device_count, sources = fleet->config.source_addresses;
  fleet->members = calloc(n, sizeof *fleet->members);
  fleet->order = calloc(n, sizeof *fleet->order);
  fleet->sources = calloc(sources + 1, sizeof *fleet->sources);
  fleet->storage = calloc(n, member_size);
  if (fleet->config.profile->ota != NULL) fleet->ota = calloc(n, sizeof *fleet->ota);
  if (fleet->config.profile->ota != NULL && fleet->ota == NULL) return -1;
  return fleet->members != NULL && fleet->order != NULL && fleet->sources != NULL &&
                 fleet->storage != NULL
             ? 0
             : -1;
}

static void release(struct fleet *fleet)
{
  free(fleet->members);
  free(fleet->ota);
  free(fleet->forgotten);
  free(fleet->order);
  free(fleet->sources);
  free(fleet->storage);
  for (size_t i = 0; fleet->books != NULL && i < fleet->config.device_count; i++)
    free(fleet->books[i].acked.words);
  free(fleet->books);
  free(fleet->revoked);
  free(fleet->trespasses);
  free(fleet->downloads);
  free(fleet);
}

size_t fleet_bytes_per_device(const struct device_ops *ops, const struct device_profile *profile)
{
  size_t ota = profile->ota != NULL ? sizeof(struct member_ota) : 0;
  return ops->storage_size(profile) + backend_conn_size() + sizeof(struct member) + ota +
         HEAP_PER_DEVICE + (crypto_record_bytes() - CRYPTO_RECORD_MIN);
}

int fleet_create(const struct fleet_config *config, struct fleet **out, struct error *error)
{
  assert(config->device_count > 0 && config->root_count <= FLEET_ROOTS_MAX);
  assert(config->place_count > 0 && config->place_count <= FLEET_PLACES_MAX);
  assert(config->profile->ota == NULL || config->ota.flash != NULL);
  size_t client_size = aligned(config->ops->storage_size(config->profile));
  size_t member_size = client_size + aligned(backend_conn_size());
  struct fleet *fleet = calloc(1, sizeof *fleet);
  if (fleet == NULL) return error_set(error, EXIT_CODE_SETUP, "not enough memory for a fleet");
  fleet->config = *config;
  if (allocate(fleet, member_size) != 0) {
    release(fleet);
    return error_set(error, EXIT_CODE_SETUP,
                     "not enough memory for %zu devices (%zu bytes each); use fewer --devices",
                     config->device_count, member_size + sizeof(struct member));
  }
  fleet->policies[0] = config->reconnect;
  fleet->policy_count = 1;
  fleet->brake_rate = 1;
  fleet->restarted = *config->profile;
  fleet->restarted.forget_first = false;
  for (size_t e = 0; e < config->place_count; e++) fleet->endpoints[e].host = config->place[e].host;
  fleet->endpoints[config->place_count].host = config->prove.host;
  for (size_t s = 0; s < config->source_addresses; s++) addresses_source(s, &fleet->sources[s]);
  shuffle(fleet->order, config->device_count, config->seed);
  for (size_t i = 0; i < config->device_count; i++) {
    init_member(fleet, i, (uint8_t *) fleet->storage + i * member_size, client_size);
    member_power_on(&fleet->members[i]);
  }
  *out = fleet;
  return 0;
}

static void on_released(void *user)
{
  struct member *m = user;
  struct fleet *fleet = m->fleet;
  if (++fleet->released < fleet->to_release) return;
  void (*closed)(void *) = fleet->closed;
  void *ctx = fleet->closed_ctx;
  release(fleet);
  closed(ctx);
}

void fleet_close(struct fleet *fleet, void (*closed)(void *ctx), void *ctx)
{
  fleet->closed = closed;
  fleet->closed_ctx = ctx;
  size_t n = fleet->config.device_count;
  fleet->to_release = n;
  for (size_t i = 0; i < n; i++) fleet->to_release += fleet->members[i].faults != NULL;
  for (size_t i = 0; i < n; i++) {
    struct member *m = &fleet->members[i];
    member_power_off(m);
    if (m->faults != NULL) fault_release(m->faults, on_released, m);
    backend_conn_release(m->conn, on_released);
  }
}

const uint32_t *fleet_order(const struct fleet *fleet)
{
  return fleet->order;
}

size_t fleet_size(const struct fleet *fleet)
{
  return fleet->config.device_count;
}

const struct fleet_facts *fleet_facts(const struct fleet *fleet, size_t index)
{
  assert(index < fleet->config.device_count);
  return &fleet->members[index].facts;
}

/* --- Commands --------------------------------------------------------------------------------- */

static void plan_all(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                     bool poisson, enum fleet_endpoint endpoint, bool full_handshake)
{
  struct arrival arrival;
  uint64_t now_us = backend_now_us(fleet->config.backend);
  arrival_begin(&arrival, rate, poisson, fleet->config.seed);
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    uint64_t at_us = now_us + arrival_next_us(&arrival);
    member_plan(m, endpoint, full_handshake, at_us);
  }
}

void fleet_connect(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                   bool poisson)
{
  for (size_t i = 0; i < count; i++) member_set_wanted(&fleet->members[devices[i]], true);
  plan_all(fleet, devices, count, rate, poisson, FLEET_MAIN, false);
}

void fleet_redial(struct fleet *fleet, const uint32_t *devices, size_t count, double rate,
                  bool full_handshake)
{
  plan_all(fleet, devices, count, rate, false, FLEET_MAIN, full_handshake);
}

void fleet_prove(struct fleet *fleet, const uint32_t *devices, size_t count, double rate)
{
  for (size_t i = 0; i < count; i++) {
    struct fleet_facts *facts = &fleet->members[devices[i]].facts;
    facts->proof_pending = true;
    facts->proof = DEVICE_FAIL_STOPPED; /* until an attempt ends */
  }
  plan_all(fleet, devices, count, rate, false, FLEET_PROVE, true);
}

void fleet_end_proofs(struct fleet *fleet)
{
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    if (!m->facts.proof_pending) continue;
    m->facts.proof_pending = false;
    member_plan(m, FLEET_MAIN, false, backend_now_us(fleet->config.backend));
  }
}

void fleet_shelve(struct fleet *fleet, const uint32_t *devices, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    if (m->facts.shelved) continue;
    m->facts.shelved = true;
    fleet->shelved++;
    member_set_wanted(m, false);
    m->start_at_ms = m->telemetry_at_ms = DEVICE_NEVER;
    if (m->link == MEMBER_OFF) {
      member_stay_off(m);
      continue;
    }
    m->shelving = true;
    m->shelve_by_ms =
        backend_now_ms(fleet->config.backend) + (member_is_quiet(m) ? 0 : SHELVE_WITHIN_MS);
    member_arm(m);
  }
}

void fleet_wake(struct fleet *fleet, const uint32_t *devices, size_t count, double rate)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    if (!m->facts.shelved) continue;
    m->facts.shelved = false;
    m->shelving = false;
    fleet->shelved--;
    if (m->link == MEMBER_OFF && !m->facts.dead) member_power_on(m);
  }
  fleet_connect(fleet, devices, count, rate, false);
}

void fleet_disconnect_all(struct fleet *fleet)
{
  fleet->complete = false; /* the end of the plan is no outage: the lowest number online stands */
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    member_set_wanted(m, false);
    m->start_at_ms = m->telemetry_at_ms = DEVICE_NEVER;
    member_stop(m);
    member_arm(m);
  }
}

void fleet_set_telemetry(struct fleet *fleet, const struct fleet_telemetry *telemetry)
{
  assert(!telemetry->on || (telemetry->bytes >= 16 && telemetry->bytes <= sizeof fleet->message));
  fleet->telemetry = *telemetry;
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct member *m = &fleet->members[i];
    if (!m->facts.ever_online) continue; /* the first CONNACK starts it */
    member_stagger_telemetry(m);
    member_arm(m);
  }
}

void fleet_set_clock(struct fleet *fleet, const uint32_t *devices, size_t count, bool right,
                     int64_t unix_s)
{
  for (size_t i = 0; i < count; i++) {
    struct member *m = &fleet->members[devices[i]];
    m->clock_right = right;
    m->clock_unix_s = unix_s;
    m->clock_set_ms = backend_now_ms(fleet->config.backend);
  }
}

void fleet_serves(struct fleet *fleet, int node, const uint8_t fingerprint[32])
{
  assert(node >= 0 && node < FLEET_NODES_MAX);
  fleet->served[node] =
      fingerprint == NULL ? LEAVES_OTHER : leaves_number(&fleet->leaves, fingerprint);
}

bool fleet_is_proven(const struct fleet *fleet, size_t index)
{
  const struct fleet_facts *facts = fleet_facts(fleet, index);
  uint8_t served = facts->node >= 0 ? fleet->served[facts->node] : LEAVES_NONE;
  return facts->leaf != LEAVES_NONE &&
         (served == LEAVES_NONE || (served != LEAVES_OTHER && facts->leaf == served));
}

void fleet_begin_phase(struct fleet *fleet)
{
  for (size_t i = 0; i < fleet->config.device_count; i++) {
    struct fleet_facts *facts = &fleet->members[i].facts;
    facts->phase_failure = DEVICE_FAIL_NONE;
    facts->phase_connected = false;
  }
}

void fleet_expect(struct fleet *fleet, uint64_t mask)
{
  fleet->expected_before = fleet->expected;
  fleet->expected = mask;
  fleet->expected_at_us = backend_now_us(fleet->config.backend);
}

void fleet_census(const struct fleet *fleet, struct fleet_census *out)
{
  *out = (struct fleet_census){.wanted = fleet->wanted,
                               .shelved = fleet->shelved,
                               .online = fleet->online,
                               .attempts_open = fleet->dialling};
}
