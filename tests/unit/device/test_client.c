/* What the client does without any TLS peer: boot, the wait for a transport, causes of a close,
 * bytes that are no TLS.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "certificate.h"
#include "device/platform.h"
#include "flash.h"

static const struct device_profile profile = {
    .name = "test",
    .tls_min = 12,
    .tls_max = 13,
    .mqtt_version = 5,
    .keep_alive_s = 30,
    .tcp_timeout_ms = 1000,
    .handshake_timeout_ms = 2000,
    .connack_timeout_ms = 3000,
    .ack_timeout_ms = 4000,
    .byte_budget = 65536,
};
static const struct device_endpoint endpoint = {"broker.test"};

struct bench {
  struct flash flash;
  const struct device_naming *naming;
  void *storage;
  struct device_effects effects;
  uint8_t out[DEVICE_OUT_MIN];
  uint64_t now_ms;
  size_t ends;
  struct device_note ended;
  char trace[256];
};

static void observe(void *ctx, const struct device_note *note)
{
  struct bench *bench = (struct bench *) ((char *) ctx - offsetof(struct bench, flash));
  if (note->kind == DEVICE_NOTE_ENDED) {
    bench->ends++;
    bench->ended = *note;
  }
  if (note->kind == DEVICE_NOTE_STATE) {
    strcat(bench->trace, device_builtin.state_name(note->to));
    strcat(bench->trace, " ");
  }
}

/* A page with an identity, two roots and a certificate. */
static void flash_device_as(struct flash *flash, const char *name)
{
  struct key key = key_make("device"), update = key_make("update");
  struct device_nvm_identity identity = {.id = 0xa1f};
  strcpy(identity.name, name);
  memcpy(identity.private_key, key.scalar, sizeof identity.private_key);
  memcpy(identity.update_key, update.point, sizeof identity.update_key);
  flash_new(flash, &identity);
  struct device_host host = flash_host(flash);
  struct certificate roots[] = {root_make("A"), root_make("B")};
  struct bytes bundle = bundle_make(&update, 3, 2, roots);
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_TRUST, bundle.data, bundle.size), 0);
  struct certificate leaf =
      certificate_make(&(struct recipe){.cn = "00000a1f", .key = &key, .not_ca = true});
  struct bytes chain = chain_make(1, &leaf);
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, chain.data, chain.size), 0);
}

static void flash_device(struct flash *flash)
{
  flash_device_as(flash, "");
}

static int boot(struct bench *bench)
{
  struct device_config config = {&profile, &endpoint, 1, flash_host(&bench->flash), bench->naming};
  config.host.observe = observe;
  bench->storage = malloc(device_builtin.storage_size(&profile));
  return device_builtin.create(bench->storage, &config);
}

static struct bench *bench_make(void)
{
  struct bench *bench = calloc(1, sizeof *bench);
  assert_int_equal(keys_begin(), 0);
  flash_device(&bench->flash);
  device_platform_leave();
  bench->effects = (struct device_effects){.out = bench->out, .out_capacity = sizeof bench->out};
  assert_int_equal(boot(bench), 0);
  return bench;
}

static void bench_free(struct bench *bench)
{
  device_builtin.destroy(bench->storage);
  free(bench->storage);
  free(bench);
}

static void step(struct bench *bench, struct device_event event)
{
  event.now_ms = bench->now_ms;
  event.unix_s = 1767225600;
  device_builtin.step(bench->storage, &event, &bench->effects);
}

static void boots_with_the_identity_and_bundle_of_its_page(void **state)
{
  (void) state;
  struct bench *bench = bench_make();
  assert_string_equal(device_builtin.device_name(bench->storage), "00000a1f");
  assert_int_equal(device_builtin.trust_version(bench->storage), 3);
  bench_free(bench);
}

/* private/pump/7/ would be a level more than the back office looks for, private/+/ no topic. */
static void a_name_that_is_no_level_of_a_topic_needs_a_root(void **state)
{
  (void) state;
  static const char *const names[] = {"pump/7", "+", "pump#7"};
  static const struct device_naming half = {.client_id = "pump7", .telemetry = "up/pump7"},
                                    whole = {.root = "control/pump7/"};
  for (size_t i = 0; i < 3; i++) {
    struct bench bench = {.ends = 0};
    assert_int_equal(keys_begin(), 0);
    flash_device_as(&bench.flash, names[i]);
    device_platform_leave();
    assert_int_equal(boot(&bench), -DEVICE_FAIL_DEVICE_IDENTITY);
    free(bench.storage);
    bench.naming = &half;
    assert_int_equal(boot(&bench), -DEVICE_FAIL_DEVICE_IDENTITY);
    free(bench.storage);
    bench.naming = &whole;
    assert_int_equal(boot(&bench), 0);
    assert_string_equal(device_builtin.device_name(bench.storage), names[i]);
    device_builtin.destroy(bench.storage);
    free(bench.storage);
  }
}

static void does_not_boot_without_a_certificate(void **state)
{
  (void) state;
  struct bench bench = {.ends = 0};
  struct device_nvm_identity identity = {.id = 1};
  flash_new(&bench.flash, &identity);
  assert_int_equal(boot(&bench), -DEVICE_FAIL_DEVICE_IDENTITY);
  free(bench.storage);
}

static void does_not_boot_from_a_page_that_was_never_flashed(void **state)
{
  (void) state;
  struct bench bench = {.ends = 0};
  flash_power_on(&bench.flash);
  memset(bench.flash.page, 0xff, sizeof bench.flash.page);
  assert_int_equal(boot(&bench), -DEVICE_FAIL_DEVICE_IDENTITY);
  free(bench.storage);
}

static void asks_for_a_transport_and_gives_up_on_it_in_time(void **state)
{
  (void) state;
  struct bench *bench = bench_make();
  assert_int_equal(bench->ends, 0);
  bench->now_ms = 500;
  step(bench, (struct device_event){.kind = DEVICE_START});
  assert_true(bench->effects.connect);
  assert_int_equal(bench->effects.deadline_ms, 1500);
  bench->now_ms = 1499;
  step(bench, (struct device_event){.kind = DEVICE_TICK});
  assert_int_equal(bench->ends, 0);
  bench->now_ms = 1500;
  step(bench, (struct device_event){.kind = DEVICE_TICK});
  assert_int_equal(bench->ended.failure, DEVICE_FAIL_TCP_TIMEOUT);
  assert_true(bench->effects.close);
  assert_true(bench->effects.deadline_ms == DEVICE_NEVER);
  assert_string_equal(bench->trace, "opening idle ");
  bench_free(bench);
}

static void passes_on_why_there_is_no_transport(void **state)
{
  (void) state;
  static const enum device_failure causes[] = {DEVICE_FAIL_TCP_REFUSED, DEVICE_FAIL_TCP_UNREACHABLE,
                                               DEVICE_FAIL_TCP_NO_PORT, DEVICE_FAIL_TCP_OTHER};
  struct bench *bench = bench_make();
  for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
    step(bench, (struct device_event){.kind = DEVICE_START});
    step(bench, (struct device_event){.kind = DEVICE_CLOSED, .closed.cause = causes[i]});
    assert_int_equal(bench->ends, i + 1);
    assert_int_equal(bench->ended.failure, causes[i]);
    assert_false(bench->effects.close);
  }
  bench_free(bench);
}

static void says_hello_and_knows_garbage_from_tls(void **state)
{
  (void) state;
  struct bench *bench = bench_make();
  step(bench, (struct device_event){.kind = DEVICE_START});
  step(bench, (struct device_event){.kind = DEVICE_OPENED});
  assert_true(bench->effects.out_size > 5);
  assert_int_equal(bench->out[0], 22); /* a handshake record */
  assert_int_equal(bench->effects.deadline_ms, 2000);
  static const uint8_t connack[] = {0x20, 2, 0, 0, 0}; /* a broker without TLS */
  step(bench, (struct device_event){.kind = DEVICE_BYTES, .bytes = {connack, sizeof connack}});
  assert_int_equal(bench->ended.failure, DEVICE_FAIL_TLS_NOT_TLS);
  assert_true(bench->effects.close);
  bench_free(bench);
}

static void keeps_messages_while_offline_up_to_its_bounds(void **state)
{
  (void) state;
  static const uint8_t payload[1024] = {0};
  struct bench *bench = bench_make();
  struct device_event event = {
      .kind = DEVICE_PUBLISH,
      .publish = {.topic = "telemetry", .payload = payload, .size = sizeof payload, .qos = 1}};
  step(bench, event);
  assert_true(bench->effects.accepted);
  step(bench, event); /* a second one of this size does not fit */
  assert_false(bench->effects.accepted);
  event.publish.size = 16;
  step(bench, event);
  assert_true(bench->effects.accepted);
  event.publish.qos = 0; /* nobody would hear it */
  step(bench, event);
  assert_false(bench->effects.accepted);
  bench_free(bench);
}

static void ignores_what_does_not_fit_its_state(void **state)
{
  (void) state;
  static const uint8_t byte = 22;
  struct bench *bench = bench_make();
  step(bench, (struct device_event){.kind = DEVICE_BYTES, .bytes = {&byte, 1}});
  step(bench, (struct device_event){.kind = DEVICE_OPENED});
  step(bench, (struct device_event){.kind = DEVICE_CLOSED});
  step(bench, (struct device_event){.kind = DEVICE_STOP});
  step(bench, (struct device_event){.kind = DEVICE_TICK});
  assert_string_equal(bench->trace, "");
  assert_int_equal(bench->ends, 0);
  step(bench, (struct device_event){.kind = DEVICE_START});
  step(bench, (struct device_event){.kind = DEVICE_START});
  assert_string_equal(bench->trace, "opening ");
  step(bench, (struct device_event){.kind = DEVICE_STOP});
  assert_int_equal(bench->ended.failure, DEVICE_FAIL_STOPPED);
  bench_free(bench);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(boots_with_the_identity_and_bundle_of_its_page),
      cmocka_unit_test(a_name_that_is_no_level_of_a_topic_needs_a_root),
      cmocka_unit_test(does_not_boot_without_a_certificate),
      cmocka_unit_test(does_not_boot_from_a_page_that_was_never_flashed),
      cmocka_unit_test(asks_for_a_transport_and_gives_up_on_it_in_time),
      cmocka_unit_test(passes_on_why_there_is_no_transport),
      cmocka_unit_test(says_hello_and_knows_garbage_from_tls),
      cmocka_unit_test(keeps_messages_while_offline_up_to_its_bounds),
      cmocka_unit_test(ignores_what_does_not_fit_its_state),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
