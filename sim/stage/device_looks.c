/* A look as a device is TLS with its certificate and CONNECT under an id of our own, so that its
 * session is left alone; CONNACK 0 is in, and so is one that refuses our id only. The looks at an
 * address are made at once: a balancer that goes by the load of its machines spreads them, too. */
#define _POSIX_C_SOURCE 200809L
#include "stage/device_looks.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fleet/addresses.h"
#include "stage/operation.h"

#define LOOK_MIN_MS 5000u
#define LOOK_MAX_MS 60000u
#define CLOSE_MS    5000u
#define LOOKS       (STAGE_LOOKS_MAX + 1u)

struct look {
  struct stage_operation *operation;
  char from[STAGE_LOOK_FROM];
};

/* A machine that devices wait for is waited for. */
static uint32_t look_ms(const struct stage *stage)
{
  const struct device_profile *profile = &stage->scenario->device;
  uint64_t ms = (uint64_t) profile->tcp_timeout_ms + profile->handshake_timeout_ms +
                profile->connack_timeout_ms;
  return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : (uint32_t) ms;
}

/* The first from where the device itself comes. */
static const char *from_of(const struct stage *stage, size_t device, unsigned number,
                           char room[STAGE_LOOK_FROM])
{
  room[0] = '\0';
  if (number > 0) return stage_look_from(stage, number - 1, room);
  if (stage->source_addresses == 0) return NULL;
  addresses_text(device % stage->source_addresses, room);
  return room;
}

static bool begin_look(struct stage *stage, size_t node, const struct broker_pair *files,
                       size_t device, unsigned number, struct look *look)
{
  char id[sizeof PKI_PROBE_NAME + 4];
  snprintf(id, sizeof id, number == 0 ? "%s" : "%s-%u", PKI_PROBE_NAME, number);
  const struct broker_client client = {.client_id = id,
                                       .certificate_path = files->certificate,
                                       .key_path = files->key,
                                       .from = from_of(stage, device, number, look->from),
                                       .turn = number,
                                       .timeout_ms = look_ms(stage)};
  look->operation = stage_operation_new(stage);
  if (look->operation == NULL) return false;
  broker_try_client(stage->nodes[node].broker, &client, stage_operation_seen, look->operation);
  return true;
}

static bool is_late(enum device_failure failure)
{
  return failure == DEVICE_FAIL_TCP_TIMEOUT || failure == DEVICE_FAIL_TLS_TIMEOUT ||
         failure == DEVICE_FAIL_MQTT_TIMEOUT;
}

/* CONNACK, whatever its code, comes when TLS has taken the certificate. A refused id or version is
 * no refusal of the certificate: the device, or a thief, comes under another. "Not authorised" may
 * be how the broker refuses it; "busy" and the like may be anything. */
static bool is_by_tls(const struct broker_seen *seen)
{
  return seen->takes && (seen->failure == DEVICE_FAIL_MQTT_REFUSED_ID ||
                         seen->failure == DEVICE_FAIL_MQTT_REFUSED_VERSION);
}

static bool is_kept_out(const struct broker_seen *seen)
{
  return seen->failure == DEVICE_FAIL_MQTT_REFUSED_AUTH ||
         (!seen->takes && seen->failure != DEVICE_FAIL_NONE);
}

/* Without the broker's certificate it was a proxy, or nobody, who ended it. */
static void count_answer(struct stage_entry *entry, const struct look *look)
{
  const struct stage_operation *operation = look->operation;
  const struct broker_seen *seen = &operation->seen;
  bool answered = operation->ended && !operation->failed && seen->certificates > 0;
  bool by_tls = answered && is_by_tls(seen);
  bool in = answered && (by_tls || seen->failure == DEVICE_FAIL_NONE);
  bool out = answered && is_kept_out(seen);
  bool away = operation->ended && !in && !is_late(seen->failure);
  if (in && !entry->open) memcpy(entry->open_from, look->from, sizeof entry->open_from);
  if (away && !entry->shut) {
    memcpy(entry->shut_from, look->from, sizeof entry->shut_from);
    entry->failure = seen->failure;
  }
  if (!in && !out && !entry->no_word) entry->unsaid = answered ? seen->failure : DEVICE_FAIL_NONE;
  entry->no_word = entry->no_word || (!in && !out);
  if (by_tls && entry->by_tls == DEVICE_FAIL_NONE) entry->by_tls = seen->failure;
  entry->open = entry->open || in;
  entry->welcome = entry->welcome || (in && !by_tls);
  entry->shut = entry->shut || away;
  entry->closed = entry->closed && out;
}

static enum step_outcome look_all(struct stage *stage, size_t node, const struct broker_pair *files,
                                  size_t device, struct stage_entry *entry)
{
  struct look look[LOOKS];
  unsigned count = stage_looks_needed(stage) + 1, begun = 0;
  enum step_outcome outcome = STEP_DONE;
  assert(count <= LOOKS);
  *entry = (struct stage_entry){.closed = true};
  while (begun < count && begin_look(stage, node, files, device, begun, &look[begun])) begun++;
  if (begun < count) outcome = STEP_ABORTED;
  for (unsigned i = 0; i < begun; i++) {
    if (stage_operation_await(stage, look[i].operation, look_ms(stage) + CLOSE_MS) == STAGE_ABORTED)
      outcome = STEP_ABORTED;
    count_answer(entry, &look[i]);
    stage_operation_free(stage, look[i].operation);
  }
  return outcome;
}

enum step_outcome stage_look_as_device(struct stage *stage, size_t node,
                                       const struct stage_stand_in *stand_in,
                                       struct stage_entry *entry)
{
  struct broker_pair files = broker_device_place(stage->broker);
  if (pki_write_device(stage->pki, stand_in->device, files.certificate, files.key, &stage->error) !=
      0)
    return stage_give_up(stage);
  enum step_outcome outcome = look_all(stage, node, &files, stand_in->device, entry);
  (void) unlink(files.key);
  (void) unlink(files.certificate);
  return outcome;
}

const char *stage_address(const struct stage *stage, size_t node, char out[STAGE_ADDRESS_MAX])
{
  const struct broker *broker = stage->nodes[node].broker;
  bool several = stage->scenario->node_count > 1;
  snprintf(out, STAGE_ADDRESS_MAX, "%s%s%.80s port %u%s",
           several ? stage->scenario->nodes[node].name : "", several ? " (" : "",
           broker_address(broker, BROKER_MAIN), broker_port(broker, BROKER_MAIN),
           several ? ")" : "");
  return out;
}

const char *stage_from(const char *from, char out[64])
{
  out[0] = '\0';
  if (from[0] != '\0') snprintf(out, 64, " from %s", from);
  return out;
}
