#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "load_text.h"

#define SMALLEST "name: t\nfleet: {devices: 9}\nphases:\n  - name: p\n    do: [connect: {}]\n"

static struct scenario *loaded(const char *text)
{
  struct scenario *scenario = NULL;
  struct error error;
  if (load_text(text, strlen(text), NULL, 0, &scenario, &error) != 0) fail_msg("%s", error.text);
  return scenario;
}

static void brokers_have_names_and_steps_know_them(void **state)
{
  (void) state;
  struct scenario *s =
      loaded("name: t\nfleet: {devices: 9}\nbroker: {nodes: [left, right], bridge: yes}\n"
             "reconnect: {endpoints: shuffled}\nphases:\n  - name: p\n    do: [connect: {}, "
             "freeze-broker: {node: right}, thaw-broker: {node: right}, reload-broker: {}]\n"
             "    until: on(left) > 0\n");
  assert_int_equal(s->node_count, 2);
  assert_string_equal(s->nodes[1].name, "right");
  assert_string_equal(s->nodes[1].host, "localhost");
  assert_true(s->bridge);
  assert_true(s->shuffled_endpoints);
  assert_int_equal(s->phases[0].steps[1].node, 1);
  assert_int_equal(s->phases[0].steps[3].node, -1);
  scenario_free(s);
}

static void far_brokers_are_called_by_their_place(void **state)
{
  (void) state;
  struct scenario *s =
      loaded("name: t\nfleet: {devices: 9}\n"
             "broker: {urls: ['mqtts://localhost:8883', 'mqtts://127.0.0.2:8884']}\n"
             "phases:\n  - name: p\n    do: [connect: {}]\n");
  assert_int_equal(s->broker_kind, BROKER_KIND_REMOTE);
  assert_int_equal(s->node_count, 2);
  assert_string_equal(s->nodes[1].name, "b");
  assert_string_equal(s->nodes[1].host, "127.0.0.2");
  assert_int_equal(s->nodes[1].port, 8884);
  assert_int_equal(s->port, 8883);
  scenario_free(s);
}

static void the_smallest_scenario_has_every_default(void **state)
{
  (void) state;
  struct scenario *s = loaded(SMALLEST);
  assert_int_equal(s->seed, 1);
  assert_int_equal(s->run_limit_ms, 600000);
  assert_false(s->telemetry.on);
  assert_int_equal(s->roots.count, 2);
  assert_string_equal(s->broker_root, "A");
  assert_string_equal(s->device_root, "A");
  assert_int_equal(s->trusted.count, 2);
  assert_string_equal(s->trusted.name[1], "spare");
  assert_int_equal(s->client_roots.count, 1);
  assert_int_equal(s->broker_kind, BROKER_KIND_MOSQUITTO);
  assert_string_equal(s->host, "localhost");
  assert_int_equal(s->node_count, 1);
  assert_string_equal(s->nodes[0].name, "a");
  assert_int_equal(s->reconnect.policy, SCENARIO_FULL_JITTER);
  assert_int_equal(s->reconnect.base_ms, 1000);
  assert_int_equal(s->reconnect.cap_ms, 30000);
  scenario_free(s);
}

static void the_smallest_scenario_has_the_default_timing(void **state)
{
  (void) state;
  struct scenario *s = loaded(SMALLEST);
  assert_string_equal(s->timing_profile, "mbedtls-3.6.7-Os");
  assert_false(s->pace);
  assert_int_equal(s->broker_handshake_timeout_ms, 0);
  scenario_free(s);
}

static void a_timing_profile_may_be_a_path(void **state)
{
  (void) state;
  static const char profile[] =
      "{\"schema\": \"fleetsim-timing/1\", \"name\": \"mine\", \"clock_hz\": 64000000, "
      "\"operations\": {\"keygen\": {\"cycles\": 1}, \"public_key\": {\"cycles\": 1}, \"ecdh\": "
      "{\"cycles\": 1}, \"sign\": {\"cycles\": 1}, \"verify\": {\"cycles\": 1}, \"sha256\": "
      "{\"cycles_per_byte\": 1}, \"aes_gcm\": {\"cycles_per_byte\": 1, \"cycles_per_record\": 0}}, "
      "\"handshake\": {\"rest_cycles\": 0}, \"k_mem\": {\"low\": 1, \"nominal\": 1, \"high\": 1}}";
  char path[] = "/tmp/fleetsim-timing-XXXXXX", text[400];
  int fd = mkstemp(path);
  assert_int_equal(write(fd, profile, sizeof profile - 1), sizeof profile - 1);
  close(fd);
  snprintf(text, sizeof text,
           SMALLEST "timing: {profile: %s, pace: true}\nbroker: {handshake-timeout: 2s}\n", path);
  struct scenario *s = loaded(text);
  unlink(path);
  assert_string_equal(s->timing_profile, path);
  assert_true(s->pace);
  assert_int_equal(s->broker_handshake_timeout_ms, 2000);
  scenario_free(s);
}

static void the_smallest_scenario_has_the_default_device(void **state)
{
  (void) state;
  struct scenario *s = loaded(SMALLEST);
  const struct device_profile *d = &s->device;
  assert_ptr_equal(d->name, s->profile_name);
  assert_int_equal(d->tls_min, 13);
  assert_int_equal(d->tls_max, 13);
  assert_int_equal(d->mqtt_version, 5);
  assert_false(d->clean_start || d->resume != DEVICE_RESUME_NO || d->resume_anywhere || d->will);
  assert_int_equal(d->keep_alive_s, 60);
  assert_int_equal(d->session_expiry_s, 0xffffffff);
  assert_int_equal(d->tcp_timeout_ms, 5000);
  assert_int_equal(d->handshake_timeout_ms, 10000);
  assert_int_equal(d->connack_timeout_ms, 10000);
  assert_int_equal(d->ack_timeout_ms, 20000);
  assert_int_equal(d->byte_budget, 65536);
  assert_int_equal(s->crypto, SCENARIO_ACCELERATED);
  assert_int_equal(s->record_bytes, 4096);
  scenario_free(s);
}

static void a_device_can_be_another(void **state)
{
  (void) state;
  struct scenario *s = loaded(
      SMALLEST
      "device: {tls: \"1.2-1.3\", mqtt: 3.1.1, keep-alive: 90s, session: clean, resume: yes, will: "
      "true, byte-budget: 128KiB, crypto: native, record: 16KiB, timeouts: {tcp: 1s, ack: 3s}}\n");
  const struct device_profile *d = &s->device;
  assert_int_equal(d->tls_min, 12);
  assert_int_equal(d->tls_max, 13);
  assert_int_equal(d->mqtt_version, 4);
  assert_true(d->clean_start && d->resume == DEVICE_RESUME_RAM && d->will);
  assert_int_equal(d->session_expiry_s, 0);
  assert_int_equal(d->keep_alive_s, 90);
  assert_int_equal(d->byte_budget, 131072);
  assert_int_equal(s->crypto, SCENARIO_NATIVE);
  assert_int_equal(s->record_bytes, 16384);
  assert_int_equal(d->tcp_timeout_ms, 1000);
  assert_int_equal(d->handshake_timeout_ms, 10000);
  assert_int_equal(d->ack_timeout_ms, 3000);
  scenario_free(s);
}

static void a_cohort_can_have_a_reconnect_policy_of_its_own(void **state)
{
  (void) state;
  struct scenario *s = loaded(
      "name: t\nfleet: {devices: 10, cohorts: [{name: eu, share: 30%}, {name: us, share: 70%}]}\n"
      "reconnect: {base: 2s, cap: 40s, cohorts: [{cohort: us, policy: fixed, base: 5s}]}\n"
      "phases:\n  - name: p\n    do:\n      - connect: {}\n"
      "      - reconnect-policy: {cohort: eu, policy: immediate}\n");
  assert_false(s->has_cohort_reconnect[0]);
  assert_true(s->has_cohort_reconnect[1]);
  assert_int_equal(s->cohort_reconnect[1].policy, SCENARIO_FIXED);
  assert_int_equal(s->cohort_reconnect[1].base_ms, 5000);
  const struct scenario_step *step = &s->phases[0].steps[1];
  assert_ptr_equal(step->kind, &step_reconnect_policy);
  assert_int_equal(step->reconnect.policy, SCENARIO_IMMEDIATE);
  assert_int_equal(step->reconnect.cap_ms, 40000);
  assert_string_equal(step->who.cohort, "eu");
  scenario_free(s);
}

static void a_brake_is_off_unless_the_file_has_one(void **state)
{
  (void) state;
  struct scenario *s =
      loaded("name: t\nfleet: {devices: 10}\nphases:\n  - name: p\n    do: [connect: {}]\n");
  assert_false(s->has_brake);
  scenario_free(s);
  s = loaded("name: t\nfleet: {devices: 10}\nbrake: {when: connect.total_ms.p99 > 10s, rate: 50%}\n"
             "phases:\n  - name: p\n    do: [connect: {}]\n");
  assert_true(s->has_brake);
  assert_string_equal(s->brake_when.name, "connect.total_ms.p99");
  assert_float_equal(s->brake_when.value, 10000, 1e-9);
  assert_float_equal(s->brake_rate, 0.5, 1e-9);
  scenario_free(s);
}

static void a_storm_takes_the_policy_and_a_rate_that_the_broker_has(void **state)
{
  (void) state;
  struct scenario *s = loaded(
      "name: t\nfleet: {devices: 10}\nbroker: {handshakes: 50/s}\nreconnect: {base: 2s}\n"
      "phases:\n  - name: p\n    do:\n      - connect: {}\n"
      "      - storm: {}\n      - storm: {policy: fixed, base: 40s, within: 9s, rate: 7/s}\n");
  const struct scenario_step *step = s->phases[0].steps;
  assert_float_equal(s->broker_handshake_rate, 50, 1e-9);
  assert_int_equal(step[1].reconnect.policy, SCENARIO_FULL_JITTER);
  assert_int_equal(step[1].reconnect.base_ms, 2000);
  assert_int_equal(step[1].within_ms, 60000);
  assert_float_equal(step[1].rate, 40, 1e-9);
  assert_int_equal(step[2].reconnect.cap_ms, 40000);
  assert_int_equal(step[2].within_ms, 9000);
  assert_float_equal(step[2].rate, 7, 1e-9);
  scenario_free(s);
}

static void a_step_can_be_for_a_cohort_or_for_named_devices(void **state)
{
  (void) state;
  struct scenario *s = loaded(
      "name: t\nfleet: {devices: 10, cohorts: [{name: eu, share: 30%}, {name: us, share: 70%}]}\n"
      "phases:\n  - name: p\n    do:\n"
      "      - connect: {cohort: us}\n"
      "      - shelf: {cohort: eu, share: 50%}\n"
      "      - clock: {ids: [0000002a, 00000001], set: true}\n");
  assert_int_equal(s->cohort_count, 2);
  assert_string_equal(s->cohorts[1].name, "us");
  assert_float_equal(s->cohorts[1].begin, 0.3, 1e-12);
  assert_float_equal(s->cohorts[1].share, 0.7, 1e-12);
  assert_ptr_equal(scenario_find_cohort(s, "eu"), &s->cohorts[0]);
  assert_null(scenario_find_cohort(s, "asia"));
  const struct scenario_step *step = s->phases[0].steps;
  assert_string_equal(step[0].who.cohort, "us");
  assert_float_equal(step[0].who.share, 1, 0);
  assert_string_equal(step[1].who.cohort, "eu");
  assert_float_equal(step[1].who.share, 0.5, 0);
  assert_int_equal(step[2].who.id_count, 2);
  assert_string_equal(step[2].who.ids[0], "0000002a");
  scenario_free(s);
}

static void every_step_is_read_with_its_line_and_arguments(void **state)
{
  (void) state;
  struct scenario *s =
      loaded("name: t\nfleet: {devices: 9, telemetry: {every: 1s, bytes: 100, qos: 2}}\n"
             "phases:\n  - name: p\n    do:\n"
             "      - connect: {rate: 50/s, arrival: poisson, share: 50%}\n"
             "      - telemetry: {bytes: 32}\n"
             "      - push-trust: {roots: [spare, A], waves: [1%, 100%], within: 3s}\n"
             "      - prove: {root: spare, cross: A, intermediate: no}\n"
             "      - present: {root: A, leaf-expired: yes, apply: restart}\n"
             "      - trust-clients: {roots: [A]}\n"
             "      - reconnect: {full-handshake: no}\n"
             "      - reissue: {root: spare}\n"
             "      - shelf: {share: 5%}\n"
             "      - wake: {}\n"
             "      - clock: {share: 10%, set: 1970-01-01T00:00:09Z}\n"
             "      - clock: {set: true}\n"
             "      - wait: {for: 5s}\n"
             "      - prompt: {say: go on}\n"
             "      - trespass: {share: 20%}\n"
             "      - reload-broker: {}\n"
             "      - restart-broker: {}\n"
             "      - drain: {within: 8s}\n");
  const struct scenario_step *step = s->phases[0].steps;
  assert_int_equal(s->phases[0].step_count, 18);
  for (int i = 0; i < 18; i++) assert_int_equal(step[i].line, 6 + i);
  assert_ptr_equal(step[0].kind, &step_connect);
  assert_int_equal(step[0].arrival, SCENARIO_POISSON);
  assert_float_equal(step[0].rate, 50, 0);
  assert_float_equal(step[0].who.share, 0.5, 0);
  assert_int_equal(step[1].telemetry.bytes, 32);
  assert_int_equal(step[1].telemetry.every_ms, 1000);
  assert_int_equal(step[1].telemetry.qos, 2);
  assert_true(step[1].telemetry.on);
  assert_string_equal(step[2].roots.name[0], "spare");
  assert_int_equal(step[2].waves.count, 2);
  assert_int_equal(step[2].within_ms, 3000);
  assert_string_equal(step[3].chain.root, "spare");
  assert_string_equal(step[3].chain.cross, "A");
  assert_true(step[3].chain.omit_intermediate);
  assert_true(step[4].chain.leaf_expired);
  assert_false(step[4].chain.omit_intermediate);
  assert_int_equal(step[4].apply, SCENARIO_APPLY_RESTART);
  assert_int_equal(step[5].apply, SCENARIO_APPLY_RESTART);
  assert_false(step[6].full_handshake);
  assert_float_equal(step[6].waves.share[0], 1, 0);
  assert_string_equal(step[7].root, "spare");
  assert_float_equal(step[9].rate, 200, 0);
  assert_int_equal(step[10].clock_unix_s, 9);
  assert_false(step[10].clock_right);
  assert_true(step[11].clock_right);
  assert_int_equal(step[12].within_ms, 5000);
  assert_string_equal(step[13].say, "go on");
  assert_int_equal(step[17].within_ms, 8000);
  scenario_free(s);
}

static void a_fault_has_what_it_names_and_nothing_else(void **state)
{
  (void) state;
  struct scenario *s = loaded(
      "name: t\nfleet: {devices: 9}\nphases:\n  - name: p\n    do:\n"
      "      - fault: {latency: 200ms, jitter: 50ms, bandwidth: 2KiB, cut: 20%, cut-after: 4KiB,\n"
      "                slice: 1, slow-close: 5s, refuse: yes, ids: [00000003], for: 10s}\n"
      "      - connect: {}\n"
      "      - fault: {reset: yes}\n"
      "      - fault: {black-hole: yes, share: 5%}\n"
      "      - mend: {share: 5%}\n");
  const struct scenario_step *step = s->phases[0].steps;
  const struct fault *f = &step[0].fault;
  assert_ptr_equal(step[0].kind, &step_fault);
  assert_int_equal(f->latency_ms, 200);
  assert_int_equal(f->jitter_ms, 50);
  assert_int_equal(f->bandwidth_per_s, 2048);
  assert_int_equal(f->cut_after, 4096);
  assert_float_equal(f->cut_share, 0.2, 1e-9);
  assert_int_equal(f->slice, 1);
  assert_int_equal(f->slow_close_ms, 5000);
  assert_true(f->refuse && !f->reset && !f->black_hole);
  assert_string_equal(step[0].who.ids[0], "00000003");
  assert_int_equal(step[0].within_ms, 10000);
  assert_true(step[2].fault.reset && step[2].fault.slow_close_ms == 0);
  assert_int_equal(step[2].within_ms, 0);
  assert_ptr_equal(step[4].kind, &step_mend);
  assert_float_equal(step[4].who.share, 0.05, 0);
  scenario_free(s);
}

#define UPDATES(ota, steps)                                               \
  "name: t\nfleet: {devices: 9}\npki: {roots: [A, B, spare]}\nota: {" ota \
  "}\nphases:\n  - name: p\n    do:\n" steps

static void a_fleet_takes_no_updates_unless_the_file_says_so(void **state)
{
  (void) state;
  struct scenario *s = loaded(SMALLEST);
  assert_false(s->ota.on);
  assert_int_equal(s->ota.image_count, 0);
  assert_null(s->device.ota);
  scenario_free(s);
  s = loaded(UPDATES("", "      - connect: {}\n"));
  const struct device_ota_profile *p = &s->ota.profile;
  assert_true(s->ota.on && !s->ota.server);
  assert_int_equal(p->slot_size, 512 * 1024);
  assert_int_equal(p->window, 8);
  assert_int_equal(p->attempts, 10);
  assert_int_equal(p->block_timeout_ms, 5000);
  assert_int_equal(p->trial_timeout_ms, 30000);
  assert_int_equal(p->device_class, 1);
  assert_int_equal(p->rescue_after, 0);
  assert_int_equal(s->ota.block, 1024);
  assert_int_equal(s->ota.erase_us, 85000);
  assert_int_equal(s->ota.program_us, 41);
  assert_int_equal(s->ota.image_count, 1);
  assert_int_equal(s->ota.images[SCENARIO_FACTORY].version, DEVICE_VERSION(1, 0, 0));
  assert_int_equal(s->ota.images[SCENARIO_FACTORY].counter, 1);
  assert_int_equal(s->ota.images[SCENARIO_FACTORY].size, 16 * 1024);
  assert_int_equal(s->ota.images[SCENARIO_FACTORY].device_class, 1);
  scenario_free(s);
}

static void images_are_told_apart_by_name(void **state)
{
  (void) state;
  struct scenario *s = loaded(
      UPDATES("slots: 256KiB, block: 256, window: 4, class: 7, factory: {version: 2.0.1, counter: "
              "5, size: 8KiB}, rescue: {after: 2}, flash: {erase: 1ms, program: 2us}",
              "      - ota.publish: {image: v2, version: 2.1.0}\n"
              "      - ota.publish: {image: v3, version: 3.0.0, counter: 9, size: 64KiB, class: 8, "
              "via: https,\n"
              "                      self-test: hang, failing: 10%}\n"
              "      - connect: {}\n"
              "      - ota.publish: {image: help, version: 4.0.0, trust: [B, spare], rescue: yes}\n"
              "      - ota.publish: {image: theirs, file: x.bin}\n"
              "    until: updated(v2) == 0\n    expect: [touched(help) == 0, ota(trial) == 0]\n"));
  const struct scenario_image *i = s->ota.images;
  assert_int_equal(s->ota.image_count, 5);
  assert_true(s->ota.server);
  assert_int_equal(s->ota.profile.rescue_after, 2);
  assert_int_equal(s->ota.erase_us, 1000);
  assert_int_equal(s->ota.program_us, 2);
  assert_int_equal(i[0].device_class, 7);
  assert_int_equal(i[1].counter, 6);
  assert_int_equal(i[1].device_class, 7);
  assert_int_equal(i[1].size, 64 * 1024);
  assert_int_equal(i[1].via, SCENARIO_VIA_MQTT);
  assert_int_equal(i[1].self_test, SCENARIO_TEST_PASS);
  assert_int_equal(i[2].version, DEVICE_VERSION(3, 0, 0));
  assert_int_equal(i[2].self_test, SCENARIO_TEST_HANG);
  assert_float_equal(i[2].failing, 0.1, 1e-12);
  assert_int_equal(i[2].device_class, 8);
  assert_int_equal(i[3].counter, 10);
  assert_int_equal(i[3].via, SCENARIO_VIA_HTTPS);
  assert_true(i[3].rescue);
  assert_int_equal(i[3].trust.count, 2);
  assert_string_equal(i[4].file, "x.bin");
  assert_int_equal(i[4].version, 0);
  assert_int_equal(scenario_find_image(s, "help"), 3);
  assert_int_equal(scenario_find_image(s, "factory"), 0);
  assert_int_equal(scenario_find_image(s, "v9"), -1);
  assert_int_equal(s->phases[0].steps[3].image, 3);
  scenario_free(s);
}

static void a_rollout_goes_in_waves_or_by_a_rate(void **state)
{
  (void) state;
  struct scenario *s = loaded(UPDATES(
      "", "      - connect: {}\n"
          "      - ota.publish: {image: v2, version: 2.1.0}\n"
          "      - ota.rollout: {image: v2}\n"
          "      - ota.rollout: {image: v2, waves: [10%, 100%], jitter: 1s, within: 8s, "
          "background: yes, share: 50%,\n"
          "          abort: [{}, {status: self_test, share: 20%, of: all, minimum: 1}]}\n"
          "      - ota.pause: {}\n      - ota.resume: {}\n      - ota.abort: {}\n"
          "      - ota.rollout: {image: v2, rate: 2/s, growth: 1.5, after: 3, within: 3s}\n"));
  const struct scenario_step *step = s->phases[0].steps;
  assert_int_equal(step[2].rollout.jitter_ms, 5000);
  assert_int_equal(step[2].within_ms, 60000);
  assert_int_equal(step[2].rollout.abort_count, 0);
  assert_false(step[2].rollout.background || step[2].rollout.by_rate);
  const struct scenario_rollout *r = &step[3].rollout;
  assert_int_equal(step[3].waves.count, 2);
  assert_float_equal(step[3].who.share, 0.5, 0);
  assert_int_equal(r->jitter_ms, 1000);
  assert_int_equal(r->abort_count, 2);
  assert_true(r->background && r->abort[0].any && !r->abort[0].of_all);
  assert_float_equal(r->abort[0].share, 0.05, 1e-12);
  assert_int_equal(r->abort[0].minimum, 3);
  assert_false(r->abort[1].any);
  assert_int_equal(r->abort[1].status, DEVICE_OTA_SELF_TEST);
  assert_true(r->abort[1].of_all);
  assert_int_equal(r->abort[1].minimum, 1);
  assert_true(step[7].rollout.by_rate);
  assert_float_equal(step[7].rate, 2, 1e-12);
  assert_float_equal(step[7].rollout.growth, 1.5, 1e-12);
  assert_int_equal(step[7].rollout.growth_after, 3);
  assert_int_equal(step[7].rollout.jitter_ms, 0);
  scenario_free(s);
}

static void what_goes_wrong_with_an_update_is_a_step(void **state)
{
  (void) state;
  struct scenario *s = loaded(UPDATES(
      "server: nginx", "      - connect: {}\n"
                       "      - ota.publish: {image: v2, version: 2.1.0}\n"
                       "      - corrupt: {image: v2, how: oversize}\n"
                       "      - power-cut: {share: 10%}\n"
                       "      - power-cut: {ids: [00000001], at: every-operation, times: 90}\n"
                       "      - cdn: {cut: 20%, latency: 5ms, bandwidth: 1MiB, for: 9s}\n"
                       "      - cdn: {mend: yes}\n"));
  const struct scenario_step *step = s->phases[0].steps;
  assert_int_equal(step[2].harm, PKI_HARM_OVERSIZE);
  assert_int_equal(step[2].image, 1);
  assert_false(step[3].power_cut.every_operation);
  assert_int_equal(step[3].power_cut.every, 50);
  assert_int_equal(step[3].power_cut.times, 3);
  assert_true(step[4].power_cut.every_operation);
  assert_int_equal(step[4].power_cut.times, 90);
  assert_float_equal(step[5].cdn.cut, 0.2, 1e-12);
  assert_int_equal(step[5].cdn.cut_after, 65536);
  assert_int_equal(step[5].cdn.latency_ms, 5);
  assert_int_equal(step[5].cdn.bandwidth_per_s, 1048576);
  assert_int_equal(step[5].within_ms, 9000);
  assert_true(step[6].cdn.mend);
  scenario_free(s);
}

static void gates_wait_and_expectations_do_not(void **state)
{
  (void) state;
  struct scenario *s =
      loaded(SMALLEST
             "    until: online == 100%\n    on_fail: rollback\n    expect: [connect.failed == 0]\n"
             "expect: [devices.lost == 0, connect.total_ms.p99 < 2s]\n");
  const struct scenario_phase *phase = &s->phases[0];
  assert_true(phase->has_until);
  assert_int_equal(phase->until.within_ms, 60000);
  assert_int_equal(phase->on_fail, SCENARIO_ROLLBACK);
  assert_int_equal(phase->expect_count, 1);
  assert_int_equal(s->expect_count, 2);
  assert_string_equal(s->expect[1].name, "connect.total_ms.p99");
  scenario_free(s);
}

static void a_remote_broker_with_hooks_and_targets(void **state)
{
  (void) state;
  struct scenario *s =
      loaded("name: t\nfleet: {devices: 9}\ntargets: [far.example]\n"
             "broker: {url: mqtts://far.example:8883, prove-url: \"mqtts://[::1]:8884\",\n"
             "  hooks: {present: ./p, trust-clients: ./t, reload: ./r}}\n"
             "phases:\n  - name: p\n    do: [connect: {}, present: {root: A}, prove: {root: A},\n"
             "         present: {root: A, apply: none}, trust-clients: {roots: [A]}]\n");
  assert_int_equal(s->broker_kind, BROKER_KIND_REMOTE);
  assert_string_equal(s->host, "far.example");
  assert_int_equal(s->port, 8883);
  assert_string_equal(s->prove_host, "::1");
  assert_int_equal(s->prove_port, 8884);
  assert_string_equal(s->hook[HOOK_PRESENT], "./p");
  assert_string_equal(s->hook[HOOK_RESTART], "");
  const struct scenario_step *step = s->phases[0].steps;
  assert_int_equal(step[1].apply, SCENARIO_APPLY_RELOAD);
  assert_int_equal(step[2].apply, SCENARIO_APPLY_RELOAD);
  assert_int_equal(step[3].apply, SCENARIO_APPLY_NONE);
  assert_int_equal(step[4].apply, SCENARIO_APPLY_HOOK); /* there is no hook to restart it */
  scenario_free(s);
}

/* What it has a command for, the file need not say, and what it says goes before. */
static void a_kind_of_broker_brings_its_hooks_and_its_time(void **state)
{
  (void) state;
#define OF_KIND(more)                                                             \
  "name: t\nfleet: {devices: 9}\ndevice: {mqtt: 3.1.1}\ntargets: [far.example]\n" \
  "broker: {url: mqtts://far.example:8883, kind: rabbitmq" more "}\n"             \
  "phases:\n  - name: p\n    do: [connect: {}, present: {root: A}, trust-clients: {roots: [A]}]\n"
  struct scenario *s = loaded(
      OF_KIND(", node: rabbit@far, hooks: {present: ./p, trust-clients: ./t, restart: ./r}"));
  assert_string_equal(s->hook[HOOK_RELOAD],
                      "rabbitmqctl -q -n 'rabbit@far' eval 'ssl:clear_pem_cache().'");
  assert_true(s->ready_hook[HOOK_RELOAD]);
  assert_string_equal(s->hook[HOOK_RESTART], "./r");
  assert_false(s->ready_hook[HOOK_RESTART]);
  assert_string_equal(s->hook[HOOK_PUBLISH_CRL], "");
  assert_int_equal(s->phases[0].steps[1].apply, SCENARIO_APPLY_RELOAD);
  assert_int_equal(s->phases[0].steps[1].broker_ms, 10000);
  assert_int_equal(s->phases[0].steps[2].apply, SCENARIO_APPLY_RELOAD);
  scenario_free(s);
  s = loaded(OF_KIND(", hooks: {present: ./p, trust-clients: ./t}"));
  assert_string_equal(s->hook[HOOK_RELOAD], "");
  assert_int_equal(s->phases[0].steps[1].apply, SCENARIO_APPLY_HOOK);
  assert_int_equal(s->phases[0].steps[1].broker_ms, 130000); /* its own look at the files */
  assert_int_equal(s->phases[0].steps[2].broker_ms, 130000);
  scenario_free(s);
#undef OF_KIND
}

static void the_hash_is_that_of_the_file(void **state)
{
  (void) state;
  struct scenario *s =
      loaded("name: t\nfleet: {devices: 9}\nphases:\n  - name: p\n    do: [connect: {}]\n");
  assert_string_equal(s->sha256,
                      "dcb617e360bfef0a36ba0a131ea072a4230209f432c9fa17ed0e537663313c35");
  scenario_free(s);
}

static void refuses_a_file_that_is_too_large_or_missing(void **state)
{
  (void) state;
  size_t size = 1024 * 1024 + 1;
  char *text = malloc(size);
  struct scenario *scenario = NULL;
  struct error error = {0};
  assert_non_null(text);
  memset(text, '#', size);
  assert_int_equal(load_text(text, size, NULL, 0, &scenario, &error), -1);
  assert_non_null(strstr(error.text, "1048576 bytes"));
  free(text);
  assert_int_equal(scenario_load("no-such-file.yaml", NULL, 0, steps_kinds, &scenario, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_USAGE);
  assert_string_equal(error.text, "cannot read no-such-file.yaml: No such file or directory");
}

/* Every text that a prefix of a good scenario makes is taken or refused, and never more than
   that. */
static void survives_every_truncation(void **state)
{
  (void) state;
  static const char text[] =
      SMALLEST "    until: \"trusting(A) >= 5% of online\"\nexpect: [devices.lost == 0]\n"
               "device: {tls: \"1.3\", timeouts: {tcp: 1s}}\nseed: 7\n";
  unsigned taken = 0, refused = 0;
  for (size_t size = 0; size < sizeof text; size++) {
    struct scenario *scenario = NULL;
    struct error error;
    if (load_text(text, size, NULL, 0, &scenario, &error) == 0)
      taken++, scenario_free(scenario);
    else
      refused++;
  }
  assert_in_range(taken, 5, 100);
  assert_in_range(refused, 60, sizeof text);
}

static void check_shipped(const char *pattern, size_t least)
{
  glob_t files;
  assert_int_equal(glob(pattern, 0, NULL, &files), 0);
  if (files.gl_pathc < least) fail_msg("%s: %zu files, wanted %zu", pattern, files.gl_pathc, least);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    struct scenario *scenario = NULL;
    struct error error;
    if (scenario_load(files.gl_pathv[i], NULL, 0, steps_kinds, &scenario, &error) != 0)
      fail_msg("%s", error.text);
    FILE *sink = fopen("/dev/null", "w");
    assert_non_null(sink);
    scenario_print(scenario, sink);
    fclose(sink);
    scenario_free(scenario);
  }
  globfree(&files);
}

static void every_scenario_that_we_ship_passes_the_check(void **state)
{
  (void) state;
  check_shipped(FLEETSIM_SOURCE_DIR "/scenarios/*.yaml", 1);
  check_shipped(FLEETSIM_SOURCE_DIR "/tests/scenarios/*.yaml", 18);
}

static void the_timetable_says_what_will_happen(void **state)
{
  (void) state;
  struct scenario *s =
      loaded(SMALLEST "      \n  - name: q\n    do: [push-trust: {roots: [A, spare], waves: [5%, "
                      "100%], within: 4s}, fault: {latency: 9ms, slice: 1, for: 3s}]\n"
                      "    until: trusting(A) >= 5% within 7s\n");
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  scenario_print(s, out);
  fclose(out);
  static const char *const parts[] = {
      "t: 9 devices, 2 phases, seed 1\n",
      " 1. p (at most 45 ms)\n",
      " 2. q (at most 18 s)\n",
      "    - teach the devices to trust A and spare, in waves of 5%, 100% (8 s)\n",
      "    - disturb the lines of 100% of the devices; 9 ms each way; 1 byte at a time (3 s)\n",
      "    until  trusting(A) >= 5% within 7s\n",
      "at most 18.05 s if every wait"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (strstr(text, parts[i]) == NULL) fail_msg("'%s' is not in:\n%s", parts[i], text);
  free(text);
  scenario_free(s);
}

static void the_timetable_tells_of_updates(void **state)
{
  (void) state;
  struct scenario *s = loaded(UPDATES(
      "rescue: {}",
      "      - connect: {}\n"
      "      - ota.publish: {image: v2, version: 2.1.0, trust: [B, spare], self-test: fail, "
      "failing: 5%}\n"
      "      - ota.rollout: {image: v2, waves: [10%, 100%], within: 8s, jitter: 2s, abort: [{}]}\n"
      "      - corrupt: {image: v2, how: bad-tlv}\n"
      "      - power-cut: {share: 10%}\n"
      "      - cdn: {cut: 20%, for: 9s}\n"));
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  scenario_print(s, out);
  fclose(out);
  static const char *const parts[] = {
      "  firmware the devices run 1.0.0 (counter 1, 16 KiB), with two slots of 512 KiB, and ask "
      "for blocks of 1 KiB\n",
      "           an nginx of its own serves images, under an update CA of its own\n",
      " 1. p (at most 25.0",
      "    - publish image v2, version 2.1.0, counter 2, 64 KiB, over MQTT; it brings the roots B "
      "and spare; in 5% of the devices it fails its self-test\n",
      "    - offer v2 to 100% of the devices, in waves of 10%, 100%, each within 2 s; stop at 5% "
      "of a wave failed, 3 at least (16 s)\n",
      "    - damage image v2: an entry says that it is longer than its list\n",
      "    - from here on cut the power of 10% of the devices 3 times, at random, after some 50 "
      "operations on its memory\n",
      "    - disturb the image server; cut 20% of its connections after 64 KiB on average (9 s)\n"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (strstr(text, parts[i]) == NULL) fail_msg("'%s' is not in:\n%s", parts[i], text);
  free(text);
  scenario_free(s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(brokers_have_names_and_steps_know_them),
      cmocka_unit_test(far_brokers_are_called_by_their_place),
      cmocka_unit_test(the_smallest_scenario_has_every_default),
      cmocka_unit_test(the_smallest_scenario_has_the_default_timing),
      cmocka_unit_test(a_timing_profile_may_be_a_path),
      cmocka_unit_test(the_smallest_scenario_has_the_default_device),
      cmocka_unit_test(a_device_can_be_another),
      cmocka_unit_test(a_cohort_can_have_a_reconnect_policy_of_its_own),
      cmocka_unit_test(a_brake_is_off_unless_the_file_has_one),
      cmocka_unit_test(a_storm_takes_the_policy_and_a_rate_that_the_broker_has),
      cmocka_unit_test(a_step_can_be_for_a_cohort_or_for_named_devices),
      cmocka_unit_test(every_step_is_read_with_its_line_and_arguments),
      cmocka_unit_test(a_fault_has_what_it_names_and_nothing_else),
      cmocka_unit_test(a_fleet_takes_no_updates_unless_the_file_says_so),
      cmocka_unit_test(images_are_told_apart_by_name),
      cmocka_unit_test(a_rollout_goes_in_waves_or_by_a_rate),
      cmocka_unit_test(what_goes_wrong_with_an_update_is_a_step),
      cmocka_unit_test(gates_wait_and_expectations_do_not),
      cmocka_unit_test(a_remote_broker_with_hooks_and_targets),
      cmocka_unit_test(a_kind_of_broker_brings_its_hooks_and_its_time),
      cmocka_unit_test(the_hash_is_that_of_the_file),
      cmocka_unit_test(refuses_a_file_that_is_too_large_or_missing),
      cmocka_unit_test(survives_every_truncation),
      cmocka_unit_test(every_scenario_that_we_ship_passes_the_check),
      cmocka_unit_test(the_timetable_says_what_will_happen),
      cmocka_unit_test(the_timetable_tells_of_updates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
