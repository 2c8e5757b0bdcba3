/* Names and passwords at a mosquitto of ours. */
#define _GNU_SOURCE
#include "rig.h"

static const struct broker_account known[] = {
    {.login = {"operator", "pass of the office"}},
    {.login = {"dev-1", "pass one"}, .root = "acme/1/", .telemetry = "up/1"},
    {.login = {"dev-2", "pass:\xc3\xbc $7$x"}, .root = "acme/2/", .telemetry = "up/2"}};

static void get_account(void *ctx, size_t index, struct broker_account *out)
{
  (void) ctx;
  *out = known[index];
}

static void start(struct rig *rig, bool certificate_free)
{
  struct broker_config config = rig_config(rig);
  struct outcome started = {0};
  config.accounts =
      (struct broker_accounts){.count = sizeof known / sizeof *known, .get = get_account};
  config.certificate_free = certificate_free;
  rig_open_broker(rig, &config);
  broker_start(rig->broker, rig_on_done, &started);
  rig_succeeds(rig, &started);
}

/* What a device would call the broker's answer; with device 0's certificate or none. */
static enum device_failure come(struct rig *rig, bool shows, const char *user, const char *password)
{
  char certificate[400], key[400];
  struct outcome tried = {0};
  snprintf(certificate, sizeof certificate, "%s/0.crt", rig->folder);
  snprintf(key, sizeof key, "%s/0.key", rig->folder);
  const struct broker_client client = {.client_id = "probe",
                                       .certificate_path = shows ? certificate : NULL,
                                       .key_path = shows ? key : NULL,
                                       .login = {user, password}};
  broker_try_client(rig->broker, &client, rig_on_seen, &tried);
  rig_wait(rig, &tried.calls, 1);
  return tried.seen.failure;
}

static void lets_in_by_name_and_password_without_a_certificate(void **state)
{
  struct rig *rig = *state;
  start(rig, true);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    assert_int_equal(come(rig, false, known[i].login.user, known[i].login.password),
                     DEVICE_FAIL_NONE);
  assert_int_equal(come(rig, false, "dev-1", "pass One"), DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, false, "dev-1", known[2].login.password),
                   DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, false, "dev-1", NULL), DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, false, "dev-9", "pass one"), DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, false, NULL, NULL), DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, true, NULL, NULL), DEVICE_FAIL_MQTT_REFUSED_AUTH);
}

static void wants_both_where_devices_have_both(void **state)
{
  struct rig *rig = *state;
  start(rig, false);
  assert_int_equal(come(rig, true, "dev-1", "pass one"), DEVICE_FAIL_NONE);
  assert_int_equal(come(rig, true, "dev-1", "pass two"), DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, true, NULL, NULL), DEVICE_FAIL_MQTT_REFUSED_AUTH);
  assert_int_equal(come(rig, false, "dev-1", "pass one"), DEVICE_FAIL_TLS_ALERT_NO_CERT);
}

static void knows_them_after_a_restart(void **state)
{
  struct rig *rig = *state;
  struct outcome restarted = {0};
  start(rig, true);
  broker_restart(rig->broker, rig_on_done, &restarted);
  rig_succeeds(rig, &restarted);
  assert_int_equal(come(rig, false, "dev-2", known[2].login.password), DEVICE_FAIL_NONE);
  assert_int_equal(come(rig, false, "dev-2", "pass one"), DEVICE_FAIL_MQTT_REFUSED_AUTH);
}

/* In files of ours, that is: what mosquitto makes of them is PBKDF2. */
static void writes_no_password_down(void **state)
{
  struct rig *rig = *state;
  char command[900];
  start(rig, true);
  assert_int_equal(come(rig, false, "dev-1", "pass one"), DEVICE_FAIL_NONE);
  snprintf(command, sizeof command, "grep -rqF 'pass o' '%s'", rig->broker_folder);
  assert_int_not_equal(system(command), 0);
  snprintf(command, sizeof command,
           "test \"$(stat -c %%a '%s/passwords')\" = 600 && test \"$(grep -c "
           "'^[a-z0-9-]*:[$]7[$]101[$]................[$]' '%s/passwords')\" = 3",
           rig->broker_folder, rig->broker_folder);
  assert_int_equal(system(command), 0);
}

/* A session is taken over by the operator's name. */
static void a_kick_has_a_name_too(void **state)
{
  struct rig *rig = *state;
  struct outcome kicked = {0}, refused = {0};
  struct broker_kick kick = {.client_id = "pump", .login = {"operator", "pass of the office"}};
  start(rig, true);
  const struct broker_client client = {.client_id = "pump", .login = {"dev-1", "pass one"}};
  struct broker_session *session = broker_hold(rig->broker, &client);
  for (int i = 0; i < 200 && broker_held(session) == BROKER_SESSION_OPENING; i++) rig_pass(rig, 20);
  assert_int_equal(broker_held(session), BROKER_SESSION_OPEN);
  broker_kick(rig->broker, &kick, rig_on_done, &kicked);
  rig_succeeds(rig, &kicked);
  for (int i = 0; i < 200 && broker_held(session) == BROKER_SESSION_OPEN; i++) rig_pass(rig, 20);
  assert_int_equal(broker_held(session), BROKER_SESSION_ENDED);
  broker_let_go(session);
  kick.login.password = "another";
  broker_kick(rig->broker, &kick, rig_on_done, &refused);
  rig_fails(rig, &refused, "CONNACK code 5");
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      T(lets_in_by_name_and_password_without_a_certificate),
      T(wants_both_where_devices_have_both),
      T(knows_them_after_a_restart),
      T(writes_no_password_down),
      T(a_kick_has_a_name_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
