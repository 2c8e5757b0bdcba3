/* It connects, subscribes to what is its own, publishes one message of QoS 1 and leaves: then it has
 * accepted the server. Where the case is in MQTT it stays, for some keep-alives. Each wait has the
 * device's own deadline. */
#define _GNU_SOURCE
#include "gauntlet/own_device.h"

#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "device/platform.h"
#include "fleetsim/nvm.h"
#include "gauntlet/own_page.h"
#include "pki/nvm_store.h"

enum {
  OUT_ROOM = 16384,
  WAIT_MS = 2000, /* each of the device's own deadlines */
  KEEP_ALIVE_S = 1,
  STAY_MS = 5000, /* in MQTT: over two keep-alives and an answer that does not come */
  BUDGET = 65536,
};

struct own {
  uint8_t page[DEVICE_NVM_PAGE_SIZE]; /* first, as the memory that its host reads and writes */
  struct trial *trial;
  struct device_profile profile;
  struct device_endpoint endpoint;
  void *device;
  struct backend *backend;
  struct backend_conn *conn;
  void *conn_storage;
  uv_timer_t stay;
  unsigned parts; /* to be closed before it is gone */
  bool published, left, ended;
};

/* --- What it tells ------------------------------------------------------------------------------ */

static void conclude(struct own *own, const char *word)
{
  struct observation *seen = &own->trial->result->seen;
  if (own->ended) return;
  own->ended = true;
  snprintf(seen->failure, sizeof seen->failure, "%s", word);
  trial_client_done(own->trial);
}

static void observe_own(void *ctx, const struct device_note *note)
{
  struct own *own = ctx;
  struct observation *seen = &own->trial->result->seen;
  if (note->kind == DEVICE_NOTE_ACKED) own->left = true;
  if (note->kind == DEVICE_NOTE_READY) own->published = true;
  if (note->kind != DEVICE_NOTE_ENDED || own->ended) return;
  seen->flags = note->verify_flags;
  bool by_itself =
      note->failure == DEVICE_FAIL_SESSION_STOPPED || note->failure == DEVICE_FAIL_STOPPED;
  conclude(own, by_itself ? "accept" : device_failure_name(note->failure));
}

/* --- Its body --------------------------------------------------------------------------------- */

static void step(struct own *own, struct device_event *event)
{
  uint8_t out[OUT_ROOM];
  struct device_effects effects = {.out = out, .out_capacity = sizeof out};
  event->now_ms = backend_now_ms(own->backend);
  event->unix_s = backend_unix_s(own->backend);
  device_builtin.step(own->device, event, &effects);
  if (effects.out_size > 0 && backend_stage(own->conn) == BACKEND_OPEN)
    (void) backend_send(own->conn, out, effects.out_size);
  if (effects.close) backend_close(own->conn);
  backend_deadline(own->conn, effects.deadline_ms);
}

static void tell(struct own *own, enum device_event_kind kind)
{
  step(own, &(struct device_event){.kind = kind});
}

/* What follows from what the device said in that step. */
static void go_on(struct own *own)
{
  static const uint8_t payload[] = "gauntlet";
  bool stays = own->trial->c->layer == CASE_MQTT;
  if (own->ended) return;
  if (own->published) {
    own->published = false;
    struct device_event event = {
        .kind = DEVICE_PUBLISH,
        .publish = {.payload = payload, .size = sizeof payload - 1, .tag = 1, .qos = 1}};
    step(own, &event);
  }
  if (own->left && !stays && !own->ended) tell(own, DEVICE_STOP);
}

static void on_opened(void *user)
{
  tell(user, DEVICE_OPENED);
  go_on(user);
}

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  struct device_event event = {.kind = DEVICE_BYTES, .bytes = {data, size}};
  step(user, &event);
  go_on(user);
}

static void on_closed(void *user, enum device_failure cause)
{
  struct device_event event = {.kind = DEVICE_CLOSED, .closed = {cause}};
  step(user, &event);
}

static void on_own_deadline(void *user)
{
  tell(user, DEVICE_TICK);
  go_on(user);
}

static const struct backend_handler handlers = {on_opened, on_bytes, on_closed, on_own_deadline};

static void on_stayed(uv_timer_t *timer)
{
  struct own *own = timer->data;
  if (!own->ended) tell(own, DEVICE_STOP);
}

/* --- Begin and end ---------------------------------------------------------------------------- */

static void build(struct own *own)
{
  const struct trial *trial = own->trial;
  own->profile = (struct device_profile){
      .name = "gauntlet",
      .tls_min = trial->tls < 12 ? 12 : trial->tls,
      .tls_max = trial->tls < 12 ? 13 : trial->tls,
      .mqtt_version = trial->tls == 13 ? 5 : 4,
      .clean_start = true,
      .keep_alive_s = KEEP_ALIVE_S,
      .tcp_timeout_ms = WAIT_MS,
      .handshake_timeout_ms = WAIT_MS,
      .connack_timeout_ms = WAIT_MS,
      .ack_timeout_ms = WAIT_MS,
      .byte_budget = BUDGET,
  };
  own->endpoint.host = trial->host;
}

static bool flash_own(struct own *own, const struct device_host *host)
{
  const struct credentials *credentials = own->trial->setting->credentials;
  X509 *anchors[CASE_NAMES_MAX];
  size_t count = trial_anchors(own->trial, anchors);
  char word[64] = "it cannot be flashed";
  struct device_platform platform = {.host = host, .unix_s = backend_unix_s(own->backend)};
  device_platform_enter(&platform);
  enum device_update update = DEVICE_UPDATE_COUNT;
  if (psa_crypto_init() == PSA_SUCCESS)
    update = own_page_flash(host, CREDENTIALS_CLIENT, credentials->client_key, credentials->client,
                            anchors, count);
  device_platform_leave();
  if (update == DEVICE_UPDATE_COMMITTED) return true;
  if (update != DEVICE_UPDATE_COUNT)
    snprintf(word, sizeof word, "update %s", device_update_name(update));
  conclude(own, word);
  return false;
}

static void connect_own(struct own *own)
{
  struct sockaddr_storage to = {0};
  uv_ip4_addr("127.0.0.1", own->trial->port, (struct sockaddr_in *) &to);
  tell(own, DEVICE_TICK);
  tell(own, DEVICE_START);
  backend_connect(own->conn, &to, NULL);
  if (own->trial->c->layer == CASE_MQTT) uv_timer_start(&own->stay, on_stayed, STAY_MS, 0);
}

static void on_own_part_gone(struct own *own)
{
  if (--own->parts > 0) return;
  struct trial *trial = own->trial;
  if (own->device != NULL) device_builtin.destroy(own->device);
  free(own->device);
  free(own->conn_storage);
  secret_wipe(own, sizeof *own);
  free(own);
  trial->client = NULL;
  trial_client_gone(trial);
}

static void on_released(void *user)
{
  on_own_part_gone(user);
}

static void on_stay_closed(uv_handle_t *handle)
{
  on_own_part_gone(handle->data);
}

static bool boot_own(struct own *own, const struct device_host *host)
{
  const struct device_config config = {
      .profile = &own->profile, .endpoints = &own->endpoint, .endpoint_count = 1, .host = *host};
  own->device = calloc(1, device_builtin.storage_size(&own->profile));
  if (own->device != NULL && device_builtin.create(own->device, &config) == 0) return true;
  free(own->device);
  own->device = NULL;
  conclude(own, "it does not start");
  return false;
}

static int start_own(struct trial *trial, struct error *error)
{
  struct own *own = calloc(1, sizeof *own);
  void *storage = calloc(1, backend_conn_size());
  if (own == NULL || storage == NULL) {
    free(own);
    free(storage);
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a device");
  }
  own->trial = trial;
  own->backend = trial->setting->client_setting;
  own->conn_storage = storage;
  own->conn = backend_conn_init(own->backend, storage, &handlers, own);
  uv_timer_init(trial->setting->loop, &own->stay);
  own->stay.data = own;
  own->parts = 2;
  trial->client = own;
  struct device_host host = pki_nvm_host(own->page);
  host.observe = observe_own;
  build(own);
  if (flash_own(own, &host) && boot_own(own, &host)) connect_own(own);
  return 0;
}

static void stop_own(struct trial *trial)
{
  struct own *own = trial->client;
  if (backend_stage(own->conn) != BACKEND_CLOSED) backend_close(own->conn);
  backend_conn_release(own->conn, on_released);
  uv_close((uv_handle_t *) &own->stay, on_stay_closed);
}

const struct trial_client own_device = {.start = start_own, .stop = stop_own};
