#include "board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device/bytes.h"

#define DEVICE_CLASS 42u
#define TOPIC_ROOT   "private/00000007/"

struct key board_update_key, board_image_key;
static struct board *wired; /* whose packets board_write takes */

/* Memory that forgets nothing. */

/* How many bytes of this operation are done; the power goes with it if it is the one. */
static size_t tear(struct board *board, size_t size)
{
  if (board->operations++ != board->cut_at) return size;
  board->off = true;
  board->cuts++;
  if (board->cut_again > 0) board->cut_at += board->cut_again;
  return board->tear == BOARD_TEAR_ALL ? size : board->tear == BOARD_TEAR_NOTHING ? 0 : size / 2;
}

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  struct board *board = ctx;
  assert_true(size <= sizeof board->page && offset <= sizeof board->page - size);
  if (board->off) return -1;
  memcpy(out, board->page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  struct board *board = ctx;
  assert_true(size <= sizeof board->page && offset <= sizeof board->page - size);
  if (board->off || board->worn) return -1;
  size_t done = tear(board, size);
  memcpy(board->page + offset, data, done);
  if (board->off && board->tear == BOARD_TEAR_GARBAGE && done < size)
    board->page[offset + done] ^= 0xa5;
  return board->off ? -1 : 0;
}

static uint8_t *cells(struct board *board, uint8_t slot, uint32_t offset, size_t size)
{
  assert_true(slot < DEVICE_FLASH_SLOTS && size <= BOARD_SLOT_SIZE &&
              offset <= BOARD_SLOT_SIZE - size);
  return board->slot[slot] + offset;
}

static int flash_read(void *ctx, uint8_t slot, uint32_t offset, void *out, size_t size)
{
  struct board *board = ctx;
  const uint8_t *at = cells(board, slot, offset, size);
  if (board->off) return -1;
  memcpy(out, at, size);
  return 0;
}

static int flash_erase(void *ctx, uint8_t slot, uint32_t offset)
{
  struct board *board = ctx;
  uint8_t *at = cells(board, slot, offset, DEVICE_FLASH_SECTOR);
  assert_int_equal(offset % DEVICE_FLASH_SECTOR, 0);
  assert_true(!board->on || slot != board->ota.slot); /* never the image that runs */
  if (board->off || board->worn) return -1;
  size_t done = tear(board, DEVICE_FLASH_SECTOR);
  memset(at, 0xff, done);
  if (board->off && board->tear == BOARD_TEAR_GARBAGE && done < DEVICE_FLASH_SECTOR)
    at[done] |= 0x5a;
  return board->off ? -1 : 0;
}

static int flash_program(void *ctx, uint8_t slot, uint32_t offset, const void *data, size_t size)
{
  struct board *board = ctx;
  uint8_t *at = cells(board, slot, offset, size);
  assert_int_equal(offset % DEVICE_FLASH_WORD, 0);
  assert_int_equal(size % DEVICE_FLASH_WORD, 0);
  assert_int_not_equal(slot, board->ota.slot);
  if (board->off || board->worn) return -1;
  size_t done = tear(board, size);
  for (size_t i = 0; i < done; i++) at[i] &= ((const uint8_t *) data)[i];
  if (board->off && board->tear == BOARD_TEAR_GARBAGE && done < size) at[done] &= 0xa5;
  return board->off ? -1 : 0;
}

static int some_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  for (size_t i = 0; i < size; i++) out[i] = (uint8_t) (i * 37 + 0x80);
  return 0;
}

static int self_test(void *ctx)
{
  struct board *board = ctx;
  if (board->crashes) board->off = true;
  return board->self_test;
}

static void observe(void *ctx, const struct device_note *note)
{
  struct board *board = ctx;
  struct board_note seen = {(enum device_ota_status) note->code, note->serial, note->version};
  if (note->kind == DEVICE_NOTE_BOOTED) {
    board->booted = seen;
    board->boots++;
  } else if (note->kind == DEVICE_NOTE_OTA) {
    assert_true(board->note_count < BOARD_NOTES);
    board->notes[board->note_count++] = seen;
  } else if (note->kind == DEVICE_NOTE_OTA_BYTES) {
    *(note->duplicate ? &board->duplicate_bytes : &board->bytes) += note->payload_size;
  }
}

/* The back office. */

static void send_later(struct board *board, uint32_t number)
{
  board->office_sent++;
  if (board->lose_every != 0 && board->office_sent % board->lose_every == 0) return;
  for (int i = 0; i < (board->twice ? 2 : 1); i++) {
    assert_true(board->queued < BOARD_QUEUE);
    board->queue[board->queued++] = number;
  }
}

static void on_get(struct board *board, const struct device_mqtt_publish *get)
{
  assert_int_equal(get->payload_size, 12);
  uint32_t first = device_get32(get->payload + 4), bits = device_get32(get->payload + 8);
  board->asked++;
  if (!board->office || device_get32(get->payload) != board->image_serial) return;
  for (uint32_t i = 0; i < 32; i++) {
    uint32_t bit = board->backwards ? 31 - i : i;
    if ((bits >> bit & 1) != 0) send_later(board, first + bit);
  }
}

static void on_publish(struct board *board, const struct device_mqtt_publish *publish)
{
  const char *below = publish->topic + sizeof TOPIC_ROOT - 1;
  size_t size = publish->topic_size - (sizeof TOPIC_ROOT - 1);
  assert_memory_equal(publish->topic, TOPIC_ROOT, sizeof TOPIC_ROOT - 1);
  if (size == 7 && memcmp(below, "ota/get", 7) == 0) {
    assert_int_equal(publish->qos, 0);
    on_get(board, publish);
    return;
  }
  if (size < 4 || memcmp(below, "ota/", 4) != 0) return; /* of other matters */
  assert_true(size == 10 && memcmp(below, "ota/status", 10) == 0);
  assert_true(publish->qos == 1 && publish->payload_size < sizeof board->report);
  memcpy(board->report, publish->payload, publish->payload_size);
  board->report[publish->payload_size] = '\0';
  assert_true(board->pubacks < BOARD_QUEUE);
  board->puback[board->pubacks++] = publish->packet_id;
}

int board_write(const uint8_t *data, size_t size)
{
  struct device_mqtt_packet packet;
  if (data[0] >> 4 != DEVICE_MQTT_PUBLISH) return 0;
  assert_int_equal(device_mqtt_decode(data, size, 5, 4096, &packet), size);
  on_publish(wired, &packet.publish);
  return 0;
}

/* A device. */

static bool deliver(void *ctx, const struct device_mqtt_publish *message)
{
  return device_ota_deliver(&((struct board *) ctx)->ota, message) >= 0;
}

static void take_effects(struct board *board, const struct device_effects *effects)
{
  if (effects->fetch_abort) board->transfer = false;
  if (effects->fetch != NULL) {
    board->fetches++;
    board->transfer = true;
    board->url = effects->fetch->url;
    board->at = effects->fetch->offset;
    board->end = board->cut_after == 0 ? UINT32_MAX : board->at + (uint32_t) board->cut_after;
  }
  if (effects->reboot) {
    board->reboots++;
    board_power_cycle(board);
  }
}

static void begin(struct board *board)
{
  wired = board;
  board->session.now_ms = board->now_ms;
}

static void finish(struct board *board)
{
  struct device_effects effects = {.deadline_ms = 0};
  device_ota_go_on(&board->ota, &effects);
  if (board->off)
    board_power_cycle(board);
  else
    take_effects(board, &effects);
}

static void feed(struct board *board, const struct device_mqtt_packet *packet)
{
  assert_int_equal(device_session_packet(&board->session, packet), DEVICE_FAIL_NONE);
}

int board_say(struct board *board, const char *below, const uint8_t *data, size_t size)
{
  char topic[64];
  struct device_mqtt_packet packet = {.type = DEVICE_MQTT_PUBLISH};
  int length = snprintf(topic, sizeof topic, TOPIC_ROOT "%s", below);
  packet.publish = (struct device_mqtt_publish){
      .topic = topic, .topic_size = (size_t) length, .payload = data, .payload_size = size};
  begin(board);
  int handled = device_ota_deliver(&board->ota, &packet.publish);
  finish(board);
  return handled;
}

void board_send_block(struct board *board, uint32_t serial, uint32_t number, const uint8_t *data,
                      size_t size)
{
  uint8_t message[8 + DEVICE_OTA_BLOCK_MAX + 8];
  assert_true(size <= sizeof message - 8);
  device_put32(message, serial);
  device_put32(message + 4, number);
  if (size > 0) memcpy(message + 8, data, size);
  assert_int_not_equal(board_say(board, "ota/block", message, 8 + size), -1);
}

static void send_queued(struct board *board)
{
  uint32_t number = board->queue[0], block = board->ota.manifest.block_size;
  memmove(board->queue, board->queue + 1, --board->queued * sizeof board->queue[0]);
  uint32_t from = number * block < board->image->size ? number * block : board->image->size;
  uint32_t size = board->image->size - from < block ? board->image->size - from : block;
  board_send_block(board, board->image_serial, number, board->image->data + from, size);
}

static void serve(struct board *board)
{
  const uint8_t *file = board->image != NULL ? board->image->data : NULL;
  uint32_t size = board->image != NULL ? board->image->size : 0;
  enum device_ota_status cause = DEVICE_OTA_NONE;
  if (board->url == board->updates.rescue_url) {
    file = board->rescue.data;
    size = (uint32_t) board->rescue.size;
  }
  if (!board->server)
    cause = board->refusal;
  else if (board->at >= board->end)
    cause = DEVICE_OTA_SERVER_CUT;
  begin(board);
  if (cause != DEVICE_OTA_NONE || board->at >= size) {
    board->transfer = false;
    device_ota_fetch_ended(&board->ota, cause);
  } else {
    uint32_t left = size - board->at, n = board->chunk < left ? (uint32_t) board->chunk : left;
    if (n > board->end - board->at) n = board->end - board->at;
    device_ota_fetched(&board->ota, file + board->at, n);
    board->at += n;
  }
  finish(board);
}

static void offer(struct board *board)
{
  struct bytes manifest = board->manifest;
  board->manifest.size = 0;
  size_t cuts = board->cuts;
  if (board_say(board, "ota/manifest", manifest.data, manifest.size) < 0 || board->cuts != cuts)
    board->manifest = manifest; /* QoS 1: it comes again */
}

static void confirm(struct board *board)
{
  struct device_mqtt_packet ack = {.type = DEVICE_MQTT_PUBACK, .packet_id = board->puback[0]};
  memmove(board->puback, board->puback + 1, --board->pubacks * sizeof board->puback[0]);
  begin(board);
  feed(board, &ack);
  finish(board);
}

bool board_step(struct board *board)
{
  if (!board->ota.online && board->broker) {
    board_online(board);
    return true;
  }
  if (board->pubacks > 0 && board->ota.online)
    confirm(board);
  else if (board->manifest.size > 0 && board->ota.ready)
    offer(board);
  else if (board->queued > 0 && board->ota.ready)
    send_queued(board);
  else if (board->transfer)
    serve(board);
  else {
    uint64_t due = device_ota_deadline(&board->ota);
    if (due == DEVICE_NEVER) return false;
    if (due > board->now_ms) board->now_ms = due;
    begin(board);
    finish(board);
  }
  return true;
}

void board_run(struct board *board, uint32_t ms)
{
  uint64_t end = board->now_ms + ms;
  for (unsigned steps = 0; board->now_ms <= end && board_step(board); steps++)
    assert_true(steps < 20000);
}

void board_offline(struct board *board, bool failed)
{
  begin(board);
  device_ota_offline(&board->ota, failed, 0);
  board->queued = 0;
  board->pubacks = 0;
  finish(board);
}

void board_online(struct board *board)
{
  begin(board);
  device_session_connect(&board->session);
  device_session_begin(&board->session, &(struct device_mqtt_packet){.type = DEVICE_MQTT_CONNACK,
                                                                     .receive_maximum = 20,
                                                                     .maximum_qos = 2});
  device_ota_online(&board->ota);
  struct device_session_subscription *own = &board->session.subscription[0];
  assert_int_equal(own->own, 0xf);
  static const uint8_t granted[] = {1, 1, 1, 0};
  feed(board, &(struct device_mqtt_packet){.type = DEVICE_MQTT_SUBACK,
                                           .packet_id = own->packet_id,
                                           .codes = {granted, sizeof granted}});
  assert_true(device_session_ready(&board->session));
  device_ota_ready(&board->ota);
  finish(board);
}

/* False: the power failed again. */
static bool boot(struct board *board)
{
  struct device_slots_choice choice;
  board->off = false;
  board->transfer = false;
  board->queued = 0;
  board->pubacks = 0;
  board->session = (struct device_session){.profile = &board->profile,
                                           .host = &board->host,
                                           .tls = &board->tls,
                                           .name = "00000007",
                                           .outbox.room = &board->outbox,
                                           .deliver = deliver,
                                           .ctx = board,
                                           .now_ms = board->now_ms,
                                           .ping_due_ms = DEVICE_NEVER};
  enum device_failure failure =
      device_ota_boot(&board->ota, &board->profile, &board->host, &board->session, &choice);
  if (board->off) {
    if (failure == DEVICE_FAIL_NONE) device_ota_end(&board->ota);
    return false;
  }
  if (failure != DEVICE_FAIL_NONE) fail_msg("does not boot: %s", device_failure_name(failure));
  return true;
}

void board_power_cycle(struct board *board)
{
  if (board->on) device_ota_end(&board->ota);
  board->on = false;
  while (!boot(board)) continue;
  board->on = true;
}

int board_begin(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  board_update_key = key_make("update key");
  board_image_key = key_make("image key");
  return 0;
}

struct firmware board_firmware(uint32_t number, uint32_t size)
{
  return firmware_make(&(struct firmware_recipe){.version = DEVICE_VERSION(1, number, 0),
                                                 .counter = number,
                                                 .device_class = DEVICE_CLASS,
                                                 .body_size = size,
                                                 .key = &board_image_key});
}

struct device_manifest board_announcement(const struct firmware *image, uint32_t serial, bool https)
{
  struct device_image_info info;
  struct device_image_source source = firmware_source(image);
  assert_int_equal(device_image_parse(&source, &info), DEVICE_OTA_NONE);
  struct device_manifest manifest = {.serial = serial,
                                     .version = info.version,
                                     .counter = info.counter,
                                     .device_class = DEVICE_CLASS,
                                     .size = image->size,
                                     .block_size = 256,
                                     .kind =
                                         https ? DEVICE_MANIFEST_HTTPS : DEVICE_MANIFEST_BLOCKS};
  memcpy(manifest.hash, info.hash, sizeof manifest.hash);
  if (https) strcpy(manifest.url, "https://updates.test/v2.bin");
  return manifest;
}

void board_offer(struct board *board, const struct device_manifest *manifest,
                 const struct firmware *image)
{
  board->manifest = manifest_make(&board_update_key, manifest);
  assert_true(board->manifest.size > 0);
  board->image = image;
  board->image_serial = manifest->serial;
}

void board_flash(struct board *board, const struct firmware *factory)
{
  struct device_nvm_identity identity = {.id = 7};
  memset(board, 0, sizeof *board);
  memset(board->page, 0xff, sizeof board->page);
  memset(board->slot, 0xff, sizeof board->slot);
  memcpy(board->slot[0], factory->data, factory->size);
  board->cut_at = SIZE_MAX;
  board->broker = board->office = board->server = true;
  board->chunk = 700;
  board->now_ms = 1000;
  board->updates = (struct device_ota_profile){.device_class = DEVICE_CLASS,
                                               .slot_size = BOARD_SLOT_SIZE,
                                               .window = 8,
                                               .attempts = 3,
                                               .block_timeout_ms = 1000,
                                               .trial_timeout_ms = 5000,
                                               .rescue_after = 3,
                                               .rescue_url = "https://rescue.test/manifest"};
  memcpy(board->updates.image_key, board_image_key.point, sizeof board->updates.image_key);
  board->profile =
      (struct device_profile){.mqtt_version = 5, .ack_timeout_ms = 4000, .ota = &board->updates};
  board->host = (struct device_host){.ctx = board,
                                     .random = some_random,
                                     .nvm_read = read_page,
                                     .nvm_write = write_page,
                                     .observe = observe,
                                     .flash_read = flash_read,
                                     .flash_erase = flash_erase,
                                     .flash_program = flash_program,
                                     .self_test = self_test};
  memcpy(identity.update_key, board_update_key.point, sizeof identity.update_key);
  assert_int_equal(device_nvm_format(&board->host, &identity), 0);
}

void board_make(struct board *board, const struct firmware *factory)
{
  board_flash(board, factory);
  board_power_cycle(board);
  board_online(board);
  board->operations = 0;
}

enum device_ota_status board_status(const struct board *board)
{
  return board->note_count > 0 ? board->notes[board->note_count - 1].code : DEVICE_OTA_NONE;
}

void board_expect(const struct board *board, uint32_t version, const char *word)
{
  char expected[64];
  (void) snprintf(expected, sizeof expected, "{\"status\":\"%s\",", word);
  if (strncmp(board->report, expected, strlen(expected)) != 0)
    fail_msg("reported %s, not %s", board->report, word);
  assert_int_equal(board->ota.version, version);
  assert_int_equal(board->ota.phase, DEVICE_OTA_IDLE);
  assert_int_equal(board->ota.record.stage, DEVICE_SLOTS_AT_REST);
  assert_false(board->ota.record.unreported);
}
