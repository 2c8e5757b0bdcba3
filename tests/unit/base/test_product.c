/* What is known of brokers: the lists are whole, a command is the one for this broker and this version,
 * and what nobody knows refuses nothing. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/product.h"

static struct product_version version_of(const char *text)
{
  struct product_version version;
  assert_int_equal(product_version_read(text, &version), 0);
  return version;
}

static void every_fact_says_where_it_was_seen(void **state)
{
  (void) state;
  for (size_t i = 0; i < product_count(); i++) {
    const struct product *product = product_at(i);
    assert_ptr_equal(product_find(product->word), product);
    for (const struct product_fact *fact = product->facts; fact->line != NULL; fact++)
      assert_true(fact->when[0] != '\0' && fact->source[0] != '\0');
    for (int s = 0; s < PRODUCT_SKILLS; s++) {
      const struct product_ability *ability = &product->ability[s];
      assert_true(ability->since.major == 0 ||
                  (ability->before != NULL && ability->source != NULL));
    }
    for (int h = 0; h < HOOK_COUNT; h++)
      assert_true(product->hook[h].command == NULL || product->setting != NULL);
    bool is_about_files = product->trusts_by_reload || product->lists_by_themselves ||
                          product->sweep_ms > 0 || product->record_bytes > 0;
    assert_true(!is_about_files || product->file_source != NULL);
  }
  assert_null(product_find("emqx"));
}

static void versions_are_read_and_compared_by_their_numbers(void **state)
{
  (void) state;
  static const char *const none[] = {"", "3", "3.", ".3", "v3.1", "3.1x", "3.10-rc", "3.99999"};
  struct product_version version;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    if (product_version_read(none[i], &version) == 0) fail_msg("'%s' is a version", none[i]);
  assert_false(product_can(&product_rabbitmq, version_of("3.10"), PRODUCT_MQTT_5));
  assert_false(product_can(&product_rabbitmq, version_of("3.9.29"), PRODUCT_MQTT_5));
  assert_true(product_can(&product_rabbitmq, version_of("3.13.0"), PRODUCT_MQTT_5));
  assert_true(product_can(&product_rabbitmq, version_of("4.3"), PRODUCT_MQTT_5));
  assert_false(product_can(&product_rabbitmq, version_of("99.0"), PRODUCT_QOS_2));
  assert_true(product_can(&product_mosquitto, product_mosquitto.seen, PRODUCT_MQTT_5));
  assert_true(product_can(&product_mosquitto, product_mosquitto.seen, PRODUCT_QOS_2));
}

static void of_a_generic_broker_nothing_is_known(void **state)
{
  (void) state;
  char command[64];
  for (int s = 0; s < PRODUCT_SKILLS; s++)
    assert_true(product_can(&product_generic, (struct product_version){0}, (enum product_skill) s));
  for (int h = 0; h < HOOK_COUNT; h++)
    assert_false(product_hook_command(&product_generic, product_generic.seen, (enum hook_kind) h,
                                      "x", command, sizeof command));
}

static void a_command_is_for_the_broker_that_is_named_and_for_none_without(void **state)
{
  (void) state;
  char command[200], small[20];
  const struct product *rabbitmq = &product_rabbitmq, *mosquitto = &product_mosquitto;
  assert_false(product_hook_command(rabbitmq, rabbitmq->seen, HOOK_RELOAD, "", command, 200));
  assert_true(
      product_hook_command(rabbitmq, rabbitmq->seen, HOOK_RELOAD, "rabbit@host", command, 200));
  assert_string_equal(command, "rabbitmqctl -q -n 'rabbit@host' eval 'ssl:clear_pem_cache().'");
  assert_false(
      product_hook_command(rabbitmq, rabbitmq->seen, HOOK_RELOAD, "rabbit@host", small, 20));
  assert_false(
      product_hook_command(rabbitmq, rabbitmq->seen, HOOK_PRESENT, "rabbit@host", command, 200));
  assert_true(
      product_hook_command(mosquitto, mosquitto->seen, HOOK_RELOAD, "/run/m.pid", command, 200));
  assert_non_null(strstr(command, "p=$(cat '/run/m.pid') && grep -qx mosquitto \"/proc/$p/comm\""));
}

static void a_command_that_newer_versions_have_not_is_for_older_ones(void **state)
{
  (void) state;
  char command[512];
  const struct product *rabbitmq = &product_rabbitmq;
  assert_true(product_hook_command(rabbitmq, version_of("3.11"), HOOK_KICK, "a@b", command, 512));
  assert_false(product_hook_command(rabbitmq, version_of("3.12"), HOOK_KICK, "a@b", command, 512));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_fact_says_where_it_was_seen),
      cmocka_unit_test(versions_are_read_and_compared_by_their_numbers),
      cmocka_unit_test(of_a_generic_broker_nothing_is_known),
      cmocka_unit_test(a_command_is_for_the_broker_that_is_named_and_for_none_without),
      cmocka_unit_test(a_command_that_newer_versions_have_not_is_for_older_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
