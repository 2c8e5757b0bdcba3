/* What a person is told of a broker that was asked: no more than was seen, and what to do. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "cli/asking.h"

static X509 *certificate_of(const char *name)
{
  X509 *certificate = X509_new();
  assert_non_null(certificate);
  assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
                                              MBSTRING_UTF8, (const unsigned char *) name, -1, -1,
                                              0),
                   1);
  return certificate;
}

/* TLS takes it, and each version of MQTT ends so. */
static struct survey survey_of(enum device_failure of_5, enum device_failure of_4, bool answered)
{
  const struct survey_look look = {
      .shaken = true, .answered = answered, .address = "127.0.0.1:8883"};
  struct survey survey = {.reached = true, .has_old = true};
  survey.tls[SURVEY_TLS_13] = survey.tls[SURVEY_TLS_12] = survey.old = look;
  survey.tls[SURVEY_TLS_13].failure = survey.tls[SURVEY_TLS_12].failure = of_5;
  survey.old.failure = of_4;
  return survey;
}

static char *told_of(const struct survey *survey, const char *client_id)
{
  struct asking asking = {.host = "localhost"};
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  STACK_OF(X509) *chain = sk_X509_new_null();
  assert_non_null(chain);
  assert_int_equal(sk_X509_push(chain, certificate_of("pump 7")), 1);
  asking.question.place.host = asking.host;
  asking.question.visitor.client_id = client_id;
  asking.question.visitor.chain = chain;
  asking_print(&asking, survey, out);
  fclose(out);
  sk_X509_pop_free(chain, X509_free);
  return text;
}

static void has(const char *text, const char *part, bool there)
{
  if ((strstr(text, part) != NULL) != there)
    fail_msg("'%s' is %s in:\n%s", part, there ? "not" : "", text);
}

/* A broker that takes no id but the certificate's name, and closes on others, as AWS IoT does. */
static void who_is_closed_on_in_both_versions_is_told_of_client_ids_and_not_of_versions(
    void **state)
{
  (void) state;
  const struct survey survey = survey_of(DEVICE_FAIL_TLS_CLOSED, DEVICE_FAIL_TLS_CLOSED, false);
  char *text = told_of(&survey, ASKING_CLIENT_ID);
  has(text, "MQTT 5       not seen: connect.tls.closed_after_handshake", true);
  has(text, "MQTT 3.1.1   not seen: connect.tls.closed_after_handshake", true);
  has(text, "try mqtt: 3.1.1", false);
  has(text, "device.mqtt 3.1.1", false);
  has(text, "--client-id 'pump 7'", true);
  has(text, "ends", true);
  free(text);
}

static void who_came_under_an_id_of_his_choice_is_not_told_to_choose_one(void **state)
{
  (void) state;
  const struct survey survey = survey_of(DEVICE_FAIL_TLS_CLOSED, DEVICE_FAIL_TLS_CLOSED, false);
  char *text = told_of(&survey, "pump 7");
  has(text, "--client-id", false);
  free(text);
}

static void a_broker_that_closes_on_one_version_does_not_speak_it(void **state)
{
  (void) state;
  const struct survey survey = survey_of(DEVICE_FAIL_TLS_CLOSED, DEVICE_FAIL_NONE, false);
  char *text = told_of(&survey, ASKING_CLIENT_ID);
  has(text, "MQTT 5       no: connect.tls.closed_after_handshake", true);
  has(text, "MQTT 3.1.1   yes", true);
  has(text, "--client-id", false);
  free(text);
}

static void a_version_in_which_a_client_is_refused_is_spoken(void **state)
{
  (void) state;
  const struct survey survey =
      survey_of(DEVICE_FAIL_MQTT_REFUSED_AUTH, DEVICE_FAIL_MQTT_REFUSED_AUTH, true);
  char *text = told_of(&survey, ASKING_CLIENT_ID);
  has(text, "MQTT 5       yes, refused: connect.mqtt.refused_not_authorised", true);
  has(text, "MQTT 3.1.1   yes, refused: connect.mqtt.refused_not_authorised", true);
  has(text, "--client-id 'pump 7'", true); /* it may be the id that is not */
  free(text);
}

static void a_version_that_is_refused_is_not(void **state)
{
  (void) state;
  const struct survey survey = survey_of(DEVICE_FAIL_MQTT_REFUSED_VERSION, DEVICE_FAIL_NONE, true);
  char *text = told_of(&survey, ASKING_CLIENT_ID);
  has(text, "MQTT 5       no: ", true);
  free(text);
}

static void who_is_refused_for_his_id_is_told_of_it(void **state)
{
  (void) state;
  const struct survey survey =
      survey_of(DEVICE_FAIL_MQTT_REFUSED_ID, DEVICE_FAIL_MQTT_REFUSED_ID, true);
  char *text = told_of(&survey, ASKING_CLIENT_ID);
  has(text, "--client-id 'pump 7'", true);
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_is_closed_on_in_both_versions_is_told_of_client_ids_and_not_of_versions),
      cmocka_unit_test(who_came_under_an_id_of_his_choice_is_not_told_to_choose_one),
      cmocka_unit_test(a_broker_that_closes_on_one_version_does_not_speak_it),
      cmocka_unit_test(a_version_in_which_a_client_is_refused_is_spoken),
      cmocka_unit_test(a_version_that_is_refused_is_not),
      cmocka_unit_test(who_is_refused_for_his_id_is_told_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
