/* Connections of one profile share what the library still looks at; nothing of a device is in it. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* what it must not hold: the library has no getters for it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mbedtls/platform.h>

#include "device/tls_settings.h"

static int blocks;
static bool refuses;

static void *counting_calloc(size_t count, size_t size)
{
  void *block = refuses ? NULL : calloc(count, size);
  blocks += block != NULL;
  return block;
}

static void counting_free(void *block)
{
  blocks -= block != NULL;
  free(block);
}

static int judge(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
  (void) ctx, (void) certificate, (void) depth, (void) flags;
  return 0;
}

/* Of a handshake of one device. */
static mbedtls_ssl_config make(mbedtls_x509_crt *anchors, mbedtls_ssl_protocol_version version)
{
  mbedtls_ssl_config config;
  mbedtls_ssl_config_init(&config);
  assert_int_equal(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                               MBEDTLS_SSL_TRANSPORT_STREAM,
                                               MBEDTLS_SSL_PRESET_DEFAULT),
                   0);
  mbedtls_ssl_conf_max_tls_version(&config, version);
  mbedtls_ssl_conf_ca_chain(&config, anchors, NULL);
  mbedtls_ssl_conf_verify(&config, judge, anchors);
  return config;
}

static void devices_of_one_profile_share_them_and_hold_nothing_of_one(void **state)
{
  (void) state;
  mbedtls_x509_crt anchors[2];
  mbedtls_ssl_config one = make(&anchors[0], MBEDTLS_SSL_VERSION_TLS1_3),
                     two = make(&anchors[1], MBEDTLS_SSL_VERSION_TLS1_3);
  const mbedtls_ssl_config *first = device_tls_settings_get(&one);
  assert_ptr_equal(device_tls_settings_get(&two), first);
  assert_int_equal(blocks, 0);
  assert_null(first->ca_chain);
  assert_null(first->f_vrfy);
  assert_null(first->p_vrfy);
  assert_int_equal(first->authmode, one.authmode);
  assert_int_equal(first->max_tls_version, one.max_tls_version);
  device_tls_settings_put(first);
  device_tls_settings_put(first);
  device_tls_settings_put(NULL); /* of a connection that never had them */
}

static void those_of_two_profiles_are_two_whichever_ends_first(void **state)
{
  (void) state;
  mbedtls_ssl_config of[3] = {make(NULL, MBEDTLS_SSL_VERSION_TLS1_3),
                              make(NULL, MBEDTLS_SSL_VERSION_TLS1_2),
                              make(NULL, MBEDTLS_SSL_VERSION_TLS1_3)};
  mbedtls_ssl_conf_session_tickets(&of[2], MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
  for (int order = 0; order < 6; order++) {
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const mbedtls_ssl_config *got[3];
    for (int i = 0; i < 3; i++) got[i] = device_tls_settings_get(&of[i]);
    assert_int_equal(blocks, 2);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(got[i]->max_tls_version, of[i].max_tls_version);
      assert_int_equal(got[i]->session_tickets, of[i].session_tickets);
      assert_ptr_equal(device_tls_settings_get(&of[i]), got[i]);
      device_tls_settings_put(got[i]);
    }
    for (int i = 0; i < 3; i++) device_tls_settings_put(got[orders[order][i]]);
    assert_int_equal(blocks, 0);
  }
}

static void without_memory_there_are_none_for_a_second_profile(void **state)
{
  (void) state;
  mbedtls_ssl_config one = make(NULL, MBEDTLS_SSL_VERSION_TLS1_3),
                     two = make(NULL, MBEDTLS_SSL_VERSION_TLS1_2);
  refuses = true;
  const mbedtls_ssl_config *first = device_tls_settings_get(&one);
  assert_non_null(first);
  assert_null(device_tls_settings_get(&two));
  device_tls_settings_put(first);
  first = device_tls_settings_get(&two); /* the static one is free again */
  assert_int_equal(first->max_tls_version, two.max_tls_version);
  device_tls_settings_put(first);
  refuses = false;
}

static int count_blocks(void **state)
{
  (void) state;
  return mbedtls_platform_set_calloc_free(counting_calloc, counting_free);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(devices_of_one_profile_share_them_and_hold_nothing_of_one),
      cmocka_unit_test(those_of_two_profiles_are_two_whichever_ends_first),
      cmocka_unit_test(without_memory_there_are_none_for_a_second_profile),
  };
  return cmocka_run_group_tests(tests, count_blocks, NULL);
}
