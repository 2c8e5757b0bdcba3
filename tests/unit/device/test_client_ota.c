/* Updates through the front door of the client: its events and effects, without any connection to a
   broker. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"
#include "device/client.h"
#include "device/platform.h"

#define V1 DEVICE_VERSION(1, 1, 0)
#define V2 DEVICE_VERSION(1, 2, 0)

static struct board board; /* memory, files and the clock; its own device stays switched off */
static struct firmware factory, image;
static void *storage;
static uint8_t out[DEVICE_OUT_MIN];
static struct device_effects effects;
static struct device_note ended;
static size_t trust_notes;
static void (*observe_board)(void *ctx, const struct device_note *note);

static int setup(void **state)
{
  if (board_begin(state) != 0) return -1;
  struct certificate roots[] = {root_make("C"), root_make("D")};
  factory = board_firmware(1, 300);
  image = firmware_make(
      &(struct firmware_recipe){.version = V2,
                                .counter = 2,
                                .device_class = 42,
                                .body_size = 2000,
                                .key = &board_image_key,
                                .trust = bundle_make(&board_update_key, 4, 2, roots)});
  device_platform_leave(); /* the client enters it */
  return 0;
}

static void observe(void *ctx, const struct device_note *note)
{
  if (note->kind == DEVICE_NOTE_ENDED) ended = *note;
  if (note->kind == DEVICE_NOTE_TRUST) trust_notes++;
  observe_board(ctx, note);
}

static int boot(void)
{
  static const struct device_endpoint endpoint = {"broker.test"};
  struct device_config config = {&board.profile, &endpoint, 1, board.host, NULL};
  return device_builtin.create(storage, &config);
}

static void restart(void)
{
  device_builtin.destroy(storage);
  assert_int_equal(boot(), 0);
}

static void put(enum device_nvm_area area, const struct bytes *bytes)
{
  assert_int_equal(device_nvm_replace(&board.host, area, bytes->data, bytes->size), 0);
}

static void flash(void)
{
  struct key key = key_make("device");
  struct certificate leaf =
      certificate_make(&(struct recipe){.cn = "00000007", .key = &key, .not_ca = true});
  struct certificate roots[] = {root_make("A"), root_make("B")};
  struct bytes bundle = bundle_make(&board_update_key, 3, 2, roots), chain = chain_make(1, &leaf);
  struct device_nvm_identity identity = {.id = 7};
  memcpy(identity.private_key, key.scalar, sizeof identity.private_key);
  memcpy(identity.update_key, board_update_key.point, sizeof identity.update_key);
  board_flash(&board, &factory);
  assert_int_equal(device_nvm_format(&board.host, &identity), 0);
  put(DEVICE_NVM_TRUST, &bundle);
  put(DEVICE_NVM_CERTIFICATE, &chain);
  observe_board = board.host.observe;
  board.host.observe = observe;
  board.profile.tls_min = 12;
  board.profile.tls_max = 13;
  board.profile.tcp_timeout_ms = 1000;
  board.profile.handshake_timeout_ms = 2000;
  board.profile.byte_budget = 65536;
  storage = malloc(device_builtin.storage_size(&board.profile));
  effects = (struct device_effects){.out = out, .out_capacity = sizeof out};
  trust_notes = 0;
}

static void begin(void)
{
  keys_begin();
  flash();
  device_platform_leave();
  assert_int_equal(boot(), 0);
}

static void finish(void)
{
  device_builtin.destroy(storage);
  free(storage);
}

static void step(struct device_event event)
{
  event.now_ms = board.now_ms;
  event.unix_s = 1767225600;
  device_builtin.step(storage, &event, &effects);
}

static void wait(void)
{
  assert_true(effects.deadline_ms != DEVICE_NEVER);
  if (effects.deadline_ms > board.now_ms) board.now_ms = effects.deadline_ms;
  step((struct device_event){.kind = DEVICE_TICK});
}

static void fail_attempts(unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    step((struct device_event){.kind = DEVICE_START});
    step((struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_REFUSED});
  }
}

static const struct device_fetch *wait_for_fetch(void)
{
  for (unsigned i = 0; i < 100 && effects.fetch == NULL; i++) wait();
  assert_non_null(effects.fetch);
  return effects.fetch;
}

static void wait_for_restart(void)
{
  for (unsigned i = 0; i < 100 && !effects.reboot; i++) wait();
  assert_true(effects.reboot);
}

static struct bytes announcement(void)
{
  keys_begin();
  struct device_manifest manifest = board_announcement(&image, 5, true);
  struct bytes bytes = manifest_make(&board_update_key, &manifest);
  device_platform_leave();
  return bytes;
}

static void fetched(const uint8_t *data, size_t size)
{
  step((struct device_event){.kind = DEVICE_FETCHED, .bytes = {data, size}});
}

static void fetch_ended(enum device_ota_status cause)
{
  step((struct device_event){.kind = DEVICE_FETCH_ENDED, .fetched.cause = cause});
}

static void a_device_without_updates_pays_nothing_for_them(void **state)
{
  (void) state;
  struct device_profile with = {.ota = &board.updates}, without = {.ota = NULL};
  assert_int_equal(device_builtin.storage_size(&without), sizeof(struct device_client_whole));
  size_t cost = device_builtin.storage_size(&with) - sizeof(struct device_client_whole);
  assert_in_range(cost, 2048, 4096 + alignof(max_align_t));
  printf("an update costs a device %zu bytes, %u of them a block\n", cost, DEVICE_OTA_BLOCK_MAX);
}

static void does_not_boot_without_an_image(void **state)
{
  (void) state;
  begin();
  memset(board.slot, 0xff, sizeof board.slot);
  device_builtin.destroy(storage);
  assert_int_equal(boot(), -DEVICE_FAIL_DEVICE_IMAGE);
  memcpy(board.slot[0], factory.data, factory.size);
  assert_int_equal(boot(), 0);
  finish();
}

/* No broker lets it in: a manifest from the rescue URL, an image by HTTPS, and in it the roots that
 * the broker's new chain ends at. */
static void is_rescued_without_a_broker(void **state)
{
  (void) state;
  struct bytes manifest = announcement();
  begin();
  assert_int_equal(board.booted.code, DEVICE_OTA_CONFIRMED);
  assert_int_equal(device_builtin.trust_version(storage), 3);
  fail_attempts(2);
  assert_true(effects.deadline_ms == DEVICE_NEVER);
  fail_attempts(1);
  assert_string_equal(wait_for_fetch()->url, board.updates.rescue_url);
  assert_in_range(effects.fetch->size_max, manifest.size, 1024);
  fetched(manifest.data, 10);
  fetched(manifest.data + 10, manifest.size - 10);
  fetch_ended(DEVICE_OTA_NONE);
  assert_string_equal(wait_for_fetch()->url, "https://updates.test/v2.bin");
  assert_int_equal(effects.fetch->offset, 0);
  assert_int_equal(effects.fetch->size_max, image.size);
  fetched(image.data, 1000);
  fetch_ended(DEVICE_OTA_SERVER_CUT);
  assert_int_equal(wait_for_fetch()->offset, 768);
  assert_int_equal(effects.fetch->size_max, image.size - 768);
  fetched(image.data + 768, image.size - 768);
  fetch_ended(DEVICE_OTA_NONE);
  wait_for_restart();
  assert_false(effects.close);
  assert_int_equal(board.duplicate_bytes, 1000 - 768);

  restart();
  assert_int_equal(board.booted.code, DEVICE_OTA_TRIAL);
  assert_int_equal(board.booted.version, V2);
  assert_int_equal(device_builtin.trust_version(storage), 4); /* before it connects */
  assert_int_equal(trust_notes, 1);
  fail_attempts(5);
  wait_for_restart(); /* nobody hears it, so it goes back; but the newer roots stay */
  restart();
  assert_int_equal(board.booted.code, DEVICE_OTA_UNCONFIRMED);
  assert_int_equal(board.booted.version, V1);
  assert_int_equal(device_builtin.trust_version(storage), 4);
  finish();
}

static void a_download_goes_on_whatever_the_connection_does(void **state)
{
  (void) state;
  struct bytes manifest = announcement();
  begin();
  fail_attempts(3);
  (void) wait_for_fetch();
  step((struct device_event){.kind = DEVICE_START});
  fetched(manifest.data, manifest.size); /* opening */
  step((struct device_event){.kind = DEVICE_OPENED});
  assert_true(effects.out_size > 0);
  fetch_ended(DEVICE_OTA_NONE); /* handshaking */
  (void) wait_for_fetch();
  fetched(image.data, 1500);
  step((struct device_event){.kind = DEVICE_CLOSED, .closed.cause = DEVICE_FAIL_TCP_RESET});
  fetched(image.data + 1500, 100); /* idle */
  step((struct device_event){.kind = DEVICE_START});
  fetched(image.data + 1600, image.size - 1600);
  fetch_ended(DEVICE_OTA_NONE);
  memset(&ended, 0, sizeof ended);
  wait_for_restart(); /* opening: the attempt ends with it */
  assert_true(effects.close);
  assert_int_equal(ended.failure, DEVICE_FAIL_STOPPED);
  restart();
  assert_int_equal(board.booted.version, V2);
  finish();
}

static void a_restart_in_the_step_of_a_start_opens_nothing(void **state)
{
  (void) state;
  struct bytes manifest = announcement();
  begin();
  fail_attempts(3);
  (void) wait_for_fetch();
  fetched(manifest.data, manifest.size);
  fetch_ended(DEVICE_OTA_NONE);
  (void) wait_for_fetch();
  fetched(image.data, image.size);
  fetch_ended(DEVICE_OTA_NONE);
  wait_for_restart();
  restart();
  step((struct device_event){.kind = DEVICE_TICK});
  assert_int_equal(effects.deadline_ms, board.now_ms + board.updates.trial_timeout_ms);
  board.now_ms = effects.deadline_ms;
  step((struct device_event){.kind = DEVICE_START});
  assert_true(effects.reboot);
  assert_false(effects.connect);
  assert_false(effects.close);
  finish();
}

static void the_earlier_deadline_counts(void **state)
{
  (void) state;
  begin();
  fail_attempts(3);
  uint64_t rescue = effects.deadline_ms, started = board.now_ms;
  assert_in_range(rescue, board.now_ms, board.now_ms + board.updates.block_timeout_ms);
  step((struct device_event){.kind = DEVICE_START});
  assert_int_equal(effects.deadline_ms, rescue);
  wait();
  assert_non_null(effects.fetch);
  assert_int_equal(effects.deadline_ms, started + board.profile.tcp_timeout_ms);
  finish();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_device_without_updates_pays_nothing_for_them),
      cmocka_unit_test(does_not_boot_without_an_image),
      cmocka_unit_test(is_rescued_without_a_broker),
      cmocka_unit_test(a_download_goes_on_whatever_the_connection_does),
      cmocka_unit_test(a_restart_in_the_step_of_a_start_opens_nothing),
      cmocka_unit_test(the_earlier_deadline_counts),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
