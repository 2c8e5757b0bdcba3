/* The population as a whole: making and ending it, and what is known of it. */
#include "fleet/fleet.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/random.h"
#include "crypto/records.h"
#include "fleet/addresses.h"
#include "fleet/divert.h"
#include "fleet/feed.h"
#include "fleet/firmware.h"
#include "fleet/life.h"
#include "fleet/line.h"
#include "fleet/places.h"
#include "fleet/population.h"
#include "fleet/power.h"
#include "fleet/revoked.h"
#include "fleet/telemetry.h"
#include "fleet/trespass.h"

/* measured: 1 KiB idle, 2 KiB with a ticket, 16 KiB in a handshake, which seldom all are in at once */
#define HEAP_PER_DEVICE 9216u

_Static_assert(sizeof(struct member) <= 256,
               "tens of thousands of them: move to a side array what few runs need");

uint64_t fleet_clock_us(void *fleet)
{
  return population_clock_us(fleet);
}

static size_t aligned(size_t size)
{
  const size_t a = alignof(max_align_t);
  return (size + a - 1) / a * a;
}

/* Fisher-Yates by the seed: the same seed puts the same devices into the same waves. */
void fleet_shuffle(uint32_t *order, size_t count, uint64_t seed)
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

/* Leaves those of this part, by their indices. Returns how many. */
static size_t pick_out(uint32_t *order, size_t total, size_t first, size_t count)
{
  size_t picked = 0;
  for (size_t i = 0; i < total; i++)
    if (order[i] >= first && order[i] - first < count)
      order[picked++] = order[i] - (uint32_t) first;
  return picked;
}

static void put_in_order(struct fleet *fleet)
{
  const struct fleet_config *config = &fleet->config;
  fleet_shuffle(fleet->order, config->total, config->seed);
  size_t picked = pick_out(fleet->order, config->total, config->first, config->device_count);
  assert(picked == config->device_count);
  (void) picked;
}

_Static_assert(NAMES_CLIENT_ID_MAX == DEVICE_CLIENT_ID_MAX + 1 &&
                   NAMES_ROOT_MAX == DEVICE_ROOT_MAX + 1 && NAMES_TOPIC_MAX == DEVICE_TOPIC_MAX + 1,
               "a device takes what has a place in the names");

/* The names' texts, as a device is handed them. */
static int name_members(struct fleet *fleet)
{
  const struct fleet_config *config = &fleet->config;
  if (config->names == NULL) return 0;
  fleet->namings = calloc(config->device_count, sizeof *fleet->namings);
  for (size_t i = 0; fleet->namings != NULL && i < config->device_count; i++) {
    struct names_device own = names_of(config->names, config->first + i);
    fleet->namings[i] = (struct device_naming){
        .client_id = own.client_id,
        .root = own.root,
        .telemetry = own.telemetry,
        .user = config->logins.user != NULL
                    ? config->logins.user(config->logins.ctx, config->first + i)
                    : NULL};
  }
  return fleet->namings != NULL ? 0 : -1;
}

static void init_member(struct fleet *fleet, size_t index, uint8_t *storage, size_t client_size)
{
  struct member *m = &fleet->members[index];
  const struct fleet_config *config = &fleet->config;
  m->fleet = fleet;
  m->client = storage;
  m->conn = backend_conn_init(config->backend, storage + client_size, &feed_handler, m);
  m->facts.id = config->id(config->pages, population_number(m));
  m->random = config->seed ^ ((uint64_t) (population_number(m) + 1) * 0x9e3779b97f4a7c15u);
  m->clock_right = true;
  m->start_at_ms = m->device_at_ms = m->telemetry_at_ms = m->shelve_by_ms = m->name_at_ms =
      m->boot_at_ms = DEVICE_NEVER;
  m->facts.node = -1;
  power_init(m);
  places_order(m);
}

static int allocate(struct fleet *fleet, size_t member_size)
{
  size_t n = fleet->config.device_count, sources = fleet->config.source_addresses;
  fleet->members = calloc(n, sizeof *fleet->members);
  fleet->order = calloc(fleet->config.total, sizeof *fleet->order);
  fleet->sources = calloc(sources + 1, sizeof *fleet->sources);
  fleet->storage = calloc(n, member_size);
  if (power_create(fleet) != 0 || firmware_create(fleet) != 0 || name_members(fleet) != 0)
    return -1;
  return fleet->members != NULL && fleet->order != NULL && fleet->sources != NULL &&
                 fleet->storage != NULL
             ? 0
             : -1;
}

static void free_all(struct fleet *fleet)
{
  free(fleet->members);
  free(fleet->power);
  free(fleet->firmware);
  free(fleet->forgotten);
  free(fleet->order);
  free(fleet->sources);
  free(fleet->storage);
  free(fleet->namings);
  telemetry_free(fleet);
  free(fleet->revoked);
  free(fleet->trespasses);
  free(fleet->downloads);
  divert_free(fleet);
  free(fleet);
}

size_t fleet_bytes_per_device(const struct device_ops *ops, const struct device_profile *profile)
{
  size_t ota = profile->ota != NULL ? power_row_bytes() + firmware_row_bytes() : 0;
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
  if (config->total == 0) fleet->config.total = config->device_count;
  assert(config->device_count <= fleet->config.total &&
         config->first <= fleet->config.total - config->device_count);
  fleet->handler = &feed_handler;
  if (allocate(fleet, member_size) != 0) {
    free_all(fleet);
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
  put_in_order(fleet);
  for (size_t i = 0; i < config->device_count; i++) {
    init_member(fleet, i, (uint8_t *) fleet->storage + i * member_size, client_size);
    life_power_on(&fleet->members[i]);
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
  free_all(fleet);
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
    life_power_off(m);
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

const struct fleet_ota_facts *fleet_ota_facts(const struct fleet *fleet, size_t index)
{
  assert(index < fleet->config.device_count);
  return firmware_facts(&fleet->members[index]);
}

bool fleet_power_cut_lasts(const struct fleet *fleet, size_t index)
{
  assert(index < fleet->config.device_count);
  return power_cut_lasts(&fleet->members[index]);
}

const struct fleet_ota_tally *fleet_ota_tally(const struct fleet *fleet,
                                              enum device_ota_status status)
{
  assert(status < DEVICE_OTA_STATUS_COUNT);
  return &fleet->tally[status];
}

size_t fleet_unacked(const struct fleet *fleet, size_t index, uint32_t out[FLEET_UNACKED_MAX])
{
  assert(index < fleet->config.device_count);
  return telemetry_unacked(&fleet->members[index], out);
}

void fleet_books(const struct fleet *fleet, size_t index, struct fleet_books *out)
{
  assert(index < fleet->config.device_count);
  telemetry_books(&fleet->members[index], out);
}

const struct fleet_forgotten *fleet_forgotten(const struct fleet *fleet, size_t *count)
{
  *count = fleet->forgotten_count;
  return fleet->forgotten;
}

bool fleet_is_trespassing(const struct fleet *fleet, size_t index)
{
  return trespass_is_under_way(&fleet->members[index]);
}

const char *fleet_lure_below(const struct fleet *fleet, size_t number)
{
  return trespass_lure_below(fleet, number);
}

size_t fleet_undecided(const struct fleet *fleet, size_t index, const char **below)
{
  assert(index < fleet->config.device_count);
  return trespass_undecided(&fleet->members[index], below);
}

bool fleet_is_proven(const struct fleet *fleet, size_t index)
{
  const struct fleet_facts *facts = fleet_facts(fleet, index);
  uint8_t served = facts->node >= 0 ? fleet->served[facts->node] : LEAVES_NONE;
  return facts->leaf != LEAVES_NONE &&
         (served == LEAVES_NONE || (served != LEAVES_OTHER && facts->leaf == served));
}

struct fleet_stale fleet_first_stale(const struct fleet *fleet)
{
  return fleet->stale;
}

const struct recovery *fleet_outage(const struct fleet *fleet)
{
  return &fleet->outage;
}

const struct recovery *fleet_deepest_outage(const struct fleet *fleet)
{
  return fleet->outage.missing >= fleet->deepest.missing ? &fleet->outage : &fleet->deepest;
}

void fleet_look_ended(struct fleet *fleet, size_t index, bool let_in)
{
  assert(index < fleet->config.device_count);
  revoked_look(&fleet->members[index], let_in);
}

bool fleet_may_be_held(const struct fleet *fleet, size_t index)
{
  const struct member *m = &fleet->members[index];
  uint64_t keep_alive_us = fleet->config.profile->keep_alive_s * UINT64_C(1000000);
  assert(index < fleet->config.device_count);
  return m->facts.left_open &&
         (keep_alive_us == 0 || population_clock_us(fleet) < m->ended_us + keep_alive_us * 3 / 2);
}

void fleet_look_opens(struct fleet *fleet, size_t index)
{
  assert(index < fleet->config.device_count);
  revoked_look_opens(&fleet->members[index]);
}

void fleet_look_closes(struct fleet *fleet, size_t index, bool let_in)
{
  assert(index < fleet->config.device_count);
  revoked_look_closes(&fleet->members[index], let_in);
}

void fleet_former_let_in(struct fleet *fleet, size_t count)
{
  fleet->former_unrefused = count;
}

uint8_t fleet_refused_at(const struct fleet *fleet, size_t index, bool told)
{
  assert(index < fleet->config.device_count);
  return revoked_refused_at(&fleet->members[index], told);
}

void fleet_measure_revoked(struct fleet *fleet, bool last)
{
  revoked_measure(fleet, last);
}

struct failure_set fleet_network_failures(void)
{
  return line_failures();
}

void fleet_census(const struct fleet *fleet, struct fleet_census *out)
{
  *out = (struct fleet_census){.wanted = fleet->wanted,
                               .shelved = fleet->shelved,
                               .online = fleet->online,
                               .attempts_open = fleet->dialling};
}
