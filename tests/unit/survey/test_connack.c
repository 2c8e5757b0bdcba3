/* What is read out of a CONNACK, byte by byte as MQTT 3.1.1 (3.2) and 5 (3.2) lay it out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "survey/connack.h"

static struct survey_connack seen;

/* The packet in memory of its own size, so that a byte beyond its end is one too many. */
static int read_packet(const uint8_t *packet, size_t size, uint8_t version)
{
  uint8_t *exact = malloc(size + (size == 0));
  assert_non_null(exact);
  memcpy(exact, packet, size);
  int result = survey_connack_read(exact, size, version, &seen);
  free(exact);
  return result;
}
#define READ(version, ...) \
  read_packet((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), version)

static void every_limit_is_read(void **state)
{
  (void) state;
  const uint8_t packet[] = {0x20, 42,   0,    0,    39,  0x11, 0,    0,   0x0e, 0x10, 0x13,
                            0,    60,   0x21, 0,    20,  0x22, 0,    10,  0x24, 1,    0x25,
                            0,    0x27, 0,    0x01, 0,   0,    0x28, 0,   0x29, 0,    0x2a,
                            0,    0x12, 0,    4,    'a', 'u',  't',  'o', 0x1f, 0,    0};
  assert_int_equal(sizeof packet, 44);
  assert_int_equal(read_packet(packet, sizeof packet, 5), 1);
  assert_int_equal(seen.code, 0);
  assert_true(seen.has_session_expiry && seen.session_expiry_s == 3600);
  assert_true(seen.has_keep_alive && seen.keep_alive_s == 60);
  assert_int_equal(seen.receive_maximum, 20);
  assert_int_equal(seen.topic_aliases, 10);
  assert_int_equal(seen.maximum_qos, 1);
  assert_int_equal(seen.packet_maximum, 65536);
  assert_true(seen.no_retain && seen.no_wildcards && seen.no_identifiers && seen.no_shared);
  assert_string_equal(seen.assigned_id, "auto");
  for (size_t size = 0; size < sizeof packet; size++)
    assert_int_equal(read_packet(packet, size, 5), 0);
}

static void what_is_not_named_is_the_standards(void **state)
{
  (void) state;
  assert_int_equal(READ(5, 0x20, 3, 0, 0, 0), 1);
  assert_int_equal(seen.receive_maximum, 65535);
  assert_int_equal(seen.maximum_qos, 2);
  assert_int_equal(seen.packet_maximum, 0);
  assert_false(seen.has_keep_alive || seen.has_session_expiry || seen.no_retain || seen.no_shared);
  assert_int_equal(READ(4, 0x20, 2, 0, 0), 1);
}

static void a_refusal_keeps_its_code_and_reason(void **state)
{
  (void) state;
  assert_int_equal(READ(5, 0x20, 8, 0, 0x87, 5, 0x1f, 0, 2, 'n', 'o'), 1);
  assert_int_equal(seen.code, 0x87);
  assert_string_equal(seen.reason, "no");
  assert_int_equal(READ(4, 0x20, 2, 0, 5), 1);
  assert_int_equal(seen.code, 5);
}

static void a_refusal_in_the_other_versions_form_is_one(void **state)
{
  (void) state;
  assert_int_equal(READ(5, 0x20, 2, 0, 1), 1);
  assert_int_equal(seen.code, 1);
  assert_int_equal(READ(4, 0x20, 3, 0, 0x84, 0), 1);
  assert_int_equal(seen.code, 0x84);
}

static void what_is_no_connack_is_none(void **state)
{
  (void) state;
  assert_int_equal(READ(5, 'H', 'T'), -1);
  assert_int_equal(READ(5, 0x30, 2, 0, 0), -1);                      /* PUBLISH */
  assert_int_equal(READ(5, 0x20, 2, 0, 0), -1);                      /* no properties */
  assert_int_equal(READ(4, 0x20, 3, 0, 0, 0), -1);                   /* with properties */
  assert_int_equal(READ(5, 0x20, 1, 0), -1);                         /* no code */
  assert_int_equal(READ(5, 0x20, 6, 0, 0, 3, 0x21, 0), 0);           /* not whole */
  assert_int_equal(READ(5, 0x20, 6, 0, 0, 2, 0x21, 0, 9), -1);       /* too long */
  assert_int_equal(READ(5, 0x20, 5, 0, 0, 2, 0x21, 0), -1);          /* cut off */
  assert_int_equal(READ(5, 0x20, 5, 0, 0, 2, 0x01, 0), -1);          /* not its property */
  assert_int_equal(READ(5, 0x20, 0xff, 0xff, 0xff, 0xff, 0x01), -1); /* no length */
  assert_int_equal(READ(5, 0x20, 0xff, 0xff, 0x7f), -1);             /* two megabytes */
}

static void what_a_terminal_does_not_take_is_not_repeated(void **state)
{
  (void) state;
  assert_int_equal(READ(5, 0x20, 9, 0, 0x87, 6, 0x1f, 0, 3, 'a', 0x1b, 'b'), 1);
  assert_string_equal(seen.reason, "a?b");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_limit_is_read),
      cmocka_unit_test(what_is_not_named_is_the_standards),
      cmocka_unit_test(a_refusal_keeps_its_code_and_reason),
      cmocka_unit_test(a_refusal_in_the_other_versions_form_is_one),
      cmocka_unit_test(what_is_no_connack_is_none),
      cmocka_unit_test(what_a_terminal_does_not_take_is_not_repeated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
