/* The fleet from inside: its members, what all of them share, and the rows that only some runs
 * need. Data, and what is one expression of it. Internal to sim/fleet.
 */
#ifndef FLEETSIM_POPULATION_H
#define FLEETSIM_POPULATION_H

#include "base/payload.h"
#include "fleet/leaves.h"
#include "fleet/member.h"
#include "fleet/recovery.h"
#include "report/failure_set.h"

/* serving.c: one of the run's brokers, as the fleet sees it; times on its clock. */
struct fleet_server {
  size_t sessions;   /* open, of devices whose line would tell of their end */
  uint64_t since_us; /* it has served since; DEVICE_NEVER: not known to at present, .. */
  uint64_t doubt_us; /* .. since then */
};

struct fleet {
  struct fleet_config config;
  struct member *members;
  const struct backend_handler *handler; /* of every member's connection: feed.c */
  /* the profile without forget_first: what the broker kept is of this run */
  struct device_profile restarted;
  struct fleet_ota_tally tally[DEVICE_OTA_STATUS_COUNT];
  void *storage;                 /* clients and connections, one block */
  struct device_naming *namings; /* a row per member; NULL: config.names is */
  struct member_step step;
  /* a row per member, each array made when the first of them needs it */
  struct power_row *power;           /* NULL: the profile takes no updates */
  struct firmware_row *firmware;     /* the same */
  struct telemetry_row *telemetries; /* NULL: nobody has sent telemetry */
  struct revoked_row *revoked;       /* NULL: no CRL was published */
  struct trespass_row *trespasses;   /* NULL: nobody trespasses */
  struct divert_row *diverts;        /* NULL: nobody was led away */
  struct download_row *downloads;    /* NULL: nobody has fetched */
  struct fleet_forgotten *forgotten; /* forgotten_count of forgotten_room */
  size_t forgotten_count, forgotten_room;
  uint32_t *order;
  struct sockaddr_storage *sources;                       /* config.source_addresses of them */
  struct device_endpoint endpoints[FLEET_PLACES_MAX + 1]; /* the places, then the prove endpoint */
  struct fleet_telemetry telemetry;
  uint8_t message[PAYLOAD_MAX]; /* telemetry being built */
  uint8_t out[16 * 1024];
  struct failure_set expected;        /* are foretold .. */
  struct failure_set expected_before; /* .. and were for attempts that began before .. */
  uint64_t expected_at_us;            /* .. this time, on the backend's clock */
  struct leaves leaves;
  /* number of the certificate that each broker serves; LEAVES_NONE: any counts */
  uint8_t served[FLEET_NODES_MAX];
  uint64_t served_us[FLEET_NODES_MAX]; /* nothing else is since then; DEVICE_NEVER: it may be */
  struct fleet_stale stale;
  struct fleet_server servers[FLEET_NODES_MAX];
  struct backoff_policy policies[FLEET_POLICIES_MAX];
  size_t policy_count;
  struct recovery outage, deepest;
  double brake_rate;          /* 1: off */
  struct surge begun, wasted; /* handshakes of the whole run */
  size_t wanted, shelved, online, dialling, half_open;
  bool complete; /* all that were wanted have been online at once */
  size_t released, to_release;
  size_t left_uncut;       /* sessions that were open when their device was taken off the CRL */
  size_t left_uncertain;   /* sessions that a look had ended, when it was taken off */
  size_t former_unrefused; /* fleet_former_let_in */
  size_t left_unrefused;   /* devices that had been let in until then, and never refused */
  void (*closed)(void *ctx);
  void *closed_ctx;
};

static inline size_t population_index(const struct member *m)
{
  return (size_t) (m - m->fleet->members);
}

/* Its place in the whole fleet, which may be in several processes: fleet_config.first. */
static inline size_t population_number(const struct member *m)
{
  return m->fleet->config.first + population_index(m);
}

/* Microseconds on the fleet's clock. */
static inline uint64_t population_clock_us(const struct fleet *fleet)
{
  return backend_now_us(fleet->config.backend) - fleet->config.began_us;
}

static inline uint64_t population_now_ms(const struct fleet *fleet)
{
  return backend_now_ms(fleet->config.backend);
}

/* What the device's own wall clock shows. */
static inline int64_t population_unix_s(const struct member *m)
{
  const struct backend *backend = m->fleet->config.backend;
  if (m->clock_right) return backend_unix_s(backend);
  return m->clock_unix_s + (int64_t) ((backend_now_ms(backend) - m->clock_set_ms) / 1000);
}

#endif
