#include "client_rig.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <openssl/rand.h>

static int random_hook(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  return RAND_bytes(out, (int) size) == 1 ? 0 : -1;
}

static int read_hook(void *ctx, uint32_t offset, void *out, size_t size)
{
  struct client_rig *rig = ctx;
  if (offset + size > sizeof rig->page) return -1;
  memcpy(out, rig->page + offset, size);
  return 0;
}

static int write_hook(void *ctx, uint32_t offset, const void *data, size_t size)
{
  struct client_rig *rig = ctx;
  if (offset + size > sizeof rig->page) return -1;
  memcpy(rig->page + offset, data, size);
  return 0;
}

#ifdef CLIENT_RIG_OWN /* the device carries all that it needs, as a firmware's does */
static const bool borrows = false;
#else
static const bool borrows = true;
#endif

/* As little as device.h promises, exact so that a sanitizer sees what is written past it. */
static void *lend_hook(void *ctx, size_t size)
{
  struct client_rig *rig = ctx;
  assert_true(rig->lent < 2 && rig->lent_bytes + size <= 8192);
  if (rig->refusals > 0 && rig->refusals-- > 0) return NULL;
  void *room = malloc(size);
  memset(room, 0xa5, size);
  rig->lent++;
  rig->lent_bytes += size;
  return room;
}

static void give_back_hook(void *ctx, void *room, size_t size)
{
  struct client_rig *rig = ctx;
  rig->lent--;
  rig->lent_bytes -= size;
  memset(room, 0x5a, size); /* as many bytes as it was lent */
  free(room);
}

static void observe_hook(void *ctx, const struct device_note *note)
{
  struct client_rig *rig = ctx;
  rig->notes[note->kind]++;
  rig->last[note->kind] = *note;
  if (note->anchor_id != NULL) memcpy(rig->anchor_id, note->anchor_id, sizeof rig->anchor_id);
  if (note->kind == DEVICE_NOTE_ENDED)
    snprintf(rig->named, sizeof rig->named, "%.*s", (int) note->server_size,
             note->server != NULL ? note->server : "");
  if (note->kind == DEVICE_NOTE_MESSAGE && note->payload_size < sizeof rig->message) {
    memcpy(rig->message, note->payload, note->payload_size);
    rig->message[note->payload_size] = '\0';
  }
  if (note->kind == DEVICE_NOTE_STATE) {
    const char *name = device_builtin.state_name(note->to);
    size_t used = strlen(rig->trace);
    if (used + strlen(name) + 2 < sizeof rig->trace) {
      strcpy(rig->trace + used, name);
      strcat(rig->trace, " ");
    }
  }
}

void client_rig_present(struct client_rig *rig, const struct client_party *leaf, X509 *intermediate)
{
  SSL_CTX_free(rig->server);
  rig->server = SSL_CTX_new(TLS_server_method());
  X509_STORE_add_cert(SSL_CTX_get_cert_store(rig->server), rig->client_ca);
  SSL_CTX_set_verify(rig->server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_session_id_context(rig->server, (const unsigned char *) "rig", 3);
  SSL_CTX_set_mode(rig->server, SSL_MODE_NO_AUTO_CHAIN);
  X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(rig->server), CLIENT_UNIX);
  assert_int_equal(SSL_CTX_use_certificate(rig->server, leaf->certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(rig->server, leaf->key), 1);
  if (intermediate != NULL) {
    X509_up_ref(intermediate);
    SSL_CTX_add_extra_chain_cert(rig->server, intermediate);
  }
}

void client_rig_power_on(struct client_rig *rig)
{
  struct device_config config = {&rig->profile, rig->endpoints, 2, rig->host, rig->naming};
  assert_int_equal(device_builtin.create(rig->storage, &config), 0);
}

void client_rig_make(struct client_rig *rig, struct client_pki *pki, uint8_t tls, uint8_t mqtt)
{
  memset(rig, 0, sizeof *rig);
  rig->pki = pki;
  rig->profile = (struct device_profile){
      .name = "test",
      .tls_min = tls,
      .tls_max = tls,
      .mqtt_version = mqtt,
      .clean_start = true,
      .keep_alive_s = 30,
      .tcp_timeout_ms = 1000,
      .handshake_timeout_ms = 2000,
      .connack_timeout_ms = 3000,
      .ack_timeout_ms = 4000,
      .byte_budget = 65536,
      .borrows = borrows,
  };
  rig->endpoints[0].host = rig->endpoints[1].host = CLIENT_HOST;
  rig->host = (struct device_host){.ctx = rig,
                                   .random = random_hook,
                                   .nvm_read = read_hook,
                                   .nvm_write = write_hook,
                                   .observe = observe_hook,
                                   .lend = lend_hook,
                                   .give_back = give_back_hook};
  rig->now_ms = 1000;
  rig->unix_s = CLIENT_UNIX;
  rig->client_ca = pki->a.certificate;
  client_pki_flash(pki, &rig->host);
  client_rig_present(rig, &pki->broker, pki->brokers.certificate);
  rig->storage = malloc(device_builtin.storage_size(&rig->profile));
  client_rig_power_on(rig);
}

void client_rig_reflash(struct client_rig *rig, const uint8_t *bundle, size_t size)
{
  device_builtin.destroy(rig->storage);
  assert_int_equal(device_nvm_replace(&rig->host, DEVICE_NVM_TRUST, bundle, size), 0);
  client_rig_power_on(rig);
}

void client_rig_power_cycle(struct client_rig *rig)
{
  device_builtin.destroy(rig->storage);
  rig->now_ms = 5; /* its monotonic clock begins anew */
  client_rig_power_on(rig);
}

void client_rig_free(struct client_rig *rig)
{
  device_builtin.destroy(rig->storage);
  assert_int_equal(rig->lent, 0);
  free(rig->storage);
  SSL_free(rig->ssl);
  SSL_CTX_free(rig->server);
}

void client_rig_step(struct client_rig *rig, const struct device_event *event)
{
  uint8_t out[DEVICE_OUT_MIN];
  struct device_event timed = *event;
  struct device_effects effects = {.out = out, .out_capacity = sizeof out};
  timed.now_ms = rig->now_ms;
  timed.unix_s = rig->unix_s;
  device_builtin.step(rig->storage, &timed, &effects);
  if (effects.out_size > 0 && rig->ssl != NULL)
    BIO_write(SSL_get_rbio(rig->ssl), out, (int) effects.out_size);
  rig->closed |= effects.close;
  rig->reboot |= effects.reboot;
  rig->accepted = effects.accepted;
  rig->deadline_ms = effects.deadline_ms;
}

void client_rig_open(struct client_rig *rig, bool full_handshake)
{
  SSL_free(rig->ssl);
  rig->ssl = SSL_new(rig->server);
  SSL_set_bio(rig->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(rig->ssl);
  rig->closed = false;
  rig->inbox_size = 0;
  client_rig_step(rig, &(struct device_event){
                           .kind = DEVICE_START,
                           .start = {.endpoint = rig->endpoint, .full_handshake = full_handshake}});
  client_rig_step(rig, &(struct device_event){.kind = DEVICE_OPENED});
}

void client_rig_inject(struct client_rig *rig, const uint8_t *data, size_t size)
{
  size_t chunk = rig->chunk != 0 ? rig->chunk : size;
  for (size_t at = 0; at < size && !rig->closed; at += chunk) {
    size_t now = size - at < chunk ? size - at : chunk;
    uint8_t *exact = malloc(now); /* so that a sanitizer sees a read past the end */
    memcpy(exact, data + at, now);
    client_rig_step(rig, &(struct device_event){.kind = DEVICE_BYTES, .bytes = {exact, now}});
    free(exact);
  }
}

static void server_read(struct client_rig *rig)
{
  int size =
      SSL_read(rig->ssl, rig->inbox + rig->inbox_size, (int) (sizeof rig->inbox - rig->inbox_size));
  if (size > 0) rig->inbox_size += (size_t) size;
}

void client_rig_pump(struct client_rig *rig)
{
  uint8_t bytes[16384];
  int size;
  do {
    size_t before;
    do {
      before = rig->inbox_size;
      server_read(rig);
    } while (rig->inbox_size != before);
    size = BIO_read(SSL_get_wbio(rig->ssl), bytes, sizeof bytes);
    if (size > 0) client_rig_inject(rig, bytes, (size_t) size);
  } while (size > 0);
}

void client_rig_wait(struct client_rig *rig)
{
  assert_true(rig->deadline_ms != DEVICE_NEVER);
  assert_true(rig->deadline_ms > rig->now_ms);
  rig->now_ms = rig->deadline_ms;
  client_rig_step(rig, &(struct device_event){.kind = DEVICE_TICK});
}

void client_rig_close(struct client_rig *rig, enum device_failure cause)
{
  client_rig_step(rig, &(struct device_event){.kind = DEVICE_CLOSED, .closed.cause = cause});
}

void client_rig_stop(struct client_rig *rig)
{
  client_rig_step(rig, &(struct device_event){.kind = DEVICE_STOP});
  client_rig_pump(rig);
}

bool client_rig_publish(struct client_rig *rig, const char *topic, const char *payload, uint8_t qos,
                        uint32_t tag)
{
  struct device_event event = {.kind = DEVICE_PUBLISH,
                               .publish = {.topic = topic,
                                           .payload = (const uint8_t *) payload,
                                           .size = strlen(payload),
                                           .qos = qos,
                                           .tag = tag}};
  client_rig_step(rig, &event);
  bool accepted = rig->accepted;
  if (rig->ssl != NULL) client_rig_pump(rig);
  return accepted;
}

void client_rig_say(struct client_rig *rig, const void *bytes, size_t size)
{
  assert_int_equal(SSL_write(rig->ssl, bytes, (int) size), size);
  client_rig_pump(rig);
}

/* Sizes of packets here stay below 16384: two bytes of remaining length at most. */
static size_t first_packet(const struct client_rig *rig, size_t *header)
{
  if (rig->inbox_size < 2) return 0;
  *header = rig->inbox[1] < 0x80 ? 2 : 3;
  size_t rest =
      *header == 2 ? rig->inbox[1] : (size_t) (rig->inbox[1] & 0x7f) | (size_t) rig->inbox[2] << 7;
  assert_true(*header + rest <= rig->inbox_size);
  return *header + rest;
}

uint16_t client_rig_hear(struct client_rig *rig, uint8_t first)
{
  size_t header = 0;
  size_t size = first_packet(rig, &header);
  if (size == 0)
    fail_msg(
        "the device said nothing, expected packet 0x%02x; last end: %s (tls -0x%x); states: %s",
        first, device_failure_name(rig->last[DEVICE_NOTE_ENDED].failure),
        (unsigned) -rig->last[DEVICE_NOTE_ENDED].tls_error, rig->trace);
  assert_int_equal(rig->inbox[0], first);
  uint16_t id = 0;
  size_t at = header;
  if (first >> 4 == DEVICE_MQTT_PUBLISH)
    at += 2u + (size_t) (rig->inbox[at] << 8 | rig->inbox[at + 1]);
  bool has_id =
      first >> 4 == DEVICE_MQTT_PUBLISH ? (first & 6) != 0 : first >> 4 != DEVICE_MQTT_CONNECT;
  if (has_id && size >= at + 2) id = (uint16_t) (rig->inbox[at] << 8 | rig->inbox[at + 1]);
  memmove(rig->inbox, rig->inbox + size, rig->inbox_size - size);
  rig->inbox_size -= size;
  return id;
}

bool client_rig_silent(const struct client_rig *rig)
{
  return rig->inbox_size == 0;
}

void client_rig_ack(struct client_rig *rig, uint8_t first, uint16_t packet_id)
{
  uint8_t packet[6] = {first, 2, (uint8_t) (packet_id >> 8), (uint8_t) packet_id};
  bool suback = first == 0x90;
  if (suback && rig->profile.mqtt_version == 5) packet[1] = 4, packet[5] = 1;
  if (suback && rig->profile.mqtt_version == 4) packet[1] = 3, packet[4] = 1;
  client_rig_say(rig, packet, 2u + packet[1]);
}

void client_rig_send(struct client_rig *rig, const char *topic, const void *payload, size_t size,
                     uint8_t qos, uint16_t packet_id)
{
  uint8_t packet[4096];
  struct device_mqtt_publish publish = {.topic = topic,
                                        .topic_size = strlen(topic),
                                        .payload = payload,
                                        .payload_size = size,
                                        .qos = qos,
                                        .packet_id = packet_id};
  size_t length =
      device_mqtt_encode_publish(packet, sizeof packet, rig->profile.mqtt_version, &publish);
  assert_true(length > 0);
  client_rig_say(rig, packet, length);
}

void client_rig_suback(struct client_rig *rig, uint16_t packet_id)
{
  const uint8_t v5 = rig->profile.mqtt_version == 5;
  const uint8_t packet[] = {
      0x90, 4 + v5, (uint8_t) (packet_id >> 8), (uint8_t) packet_id, v5 ? 0 : 1, 1, 1};
  client_rig_say(rig, packet, 6u + v5);
}

void client_rig_online(struct client_rig *rig, bool session_present, bool full_handshake)
{
  uint8_t connack[5] = {0x20, rig->profile.mqtt_version == 5 ? 3 : 2, session_present, 0, 0};
  rig->profile.clean_start = !session_present;
  client_rig_open(rig, full_handshake);
  client_rig_pump(rig);
  (void) client_rig_hear(rig, 0x10);
  size_t ready = rig->notes[DEVICE_NOTE_READY];
  client_rig_say(rig, connack, 2u + connack[1]);
  if (!session_present) client_rig_suback(rig, client_rig_hear(rig, 0x82));
  assert_int_equal(rig->notes[DEVICE_NOTE_READY], ready + 1);
}

void client_rig_expect_end(const struct client_rig *rig, enum device_failure failure)
{
  const struct device_note *ended = &rig->last[DEVICE_NOTE_ENDED];
  if (rig->notes[DEVICE_NOTE_ENDED] == 0)
    fail_msg("the attempt did not end; states: %s", rig->trace);
  if (ended->failure != failure)
    fail_msg("ended as %s (tls -0x%x, flags 0x%x, alert %u), expected %s; states: %s",
             device_failure_name(ended->failure), (unsigned) -ended->tls_error, ended->verify_flags,
             ended->alert, device_failure_name(failure), rig->trace);
}
