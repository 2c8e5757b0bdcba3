#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "terminator/connect.h"
#include "terminator/terminator.h"

#define NAME "00000a1f"

/* MQTT 3.1.1, clean session, keep-alive 60 s; and MQTT 5 with a session expiry and a will. */
static const uint8_t plain[] = "\x10\x14\x00\x04MQTT\x04\x02\x00\x3c\x00\x08" NAME;
static const uint8_t with_will[] =
    "\x10\x25\x00\x04MQTT\x05\x06\x00\x3c\x05\x11\xff\xff\xff\xff\x00\x08" NAME
    "\x00\x00\x01t\x00\x05"
    "aaaaa";

static struct terminator_connect judge(const uint8_t *data, size_t size, const char *name,
                                       bool any_id, uint8_t *out)
{
  uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees a read past the end */
  memcpy(exact + 1, data, size);
  struct terminator_connect judged =
      terminator_connect(exact + 1, size, name, any_id ? NULL : name, out);
  free(exact);
  return judged;
}

static void expect_wrong(const uint8_t *data, size_t size, const char *name, const char *wrong)
{
  uint8_t out[TERMINATOR_CONNECT_MAX + 200];
  struct terminator_connect judged = judge(data, size, name, false, out);
  if (judged.wrong == NULL || strstr(judged.wrong, wrong) == NULL)
    fail_msg("wrong is '%s', expected '%s'", judged.wrong == NULL ? "nothing" : judged.wrong,
             wrong);
  assert_int_equal(judged.taken, 0);
}

static void puts_the_certificates_name_behind_everything_else(void **state)
{
  (void) state;
  static const uint8_t expected[] =
      "\x10\x1e\x00\x04MQTT\x04\x82\x00\x3c\x00\x08" NAME "\x00\x08" NAME;
  uint8_t out[200];
  struct terminator_connect judged = judge(plain, sizeof plain - 1, NAME, false, out);
  assert_null(judged.wrong);
  assert_int_equal(judged.taken, sizeof plain - 1);
  assert_int_equal(judged.size, sizeof expected - 1);
  assert_memory_equal(out, expected, sizeof expected - 1);
}

static void leaves_properties_and_will_as_they_are(void **state)
{
  (void) state;
  uint8_t out[200];
  struct terminator_connect judged = judge(with_will, sizeof with_will - 1, NAME, false, out);
  assert_null(judged.wrong);
  assert_int_equal(judged.size, sizeof with_will - 1 + 10);
  assert_int_equal(out[1], with_will[1] + 10);
  assert_int_equal(out[9], with_will[9] | 0x80);
  assert_memory_equal(out + 10, with_will + 10, sizeof with_will - 1 - 10);
  assert_memory_equal(out + sizeof with_will - 1, "\x00\x08" NAME, 10);
}

static void takes_a_bridge_for_a_client(void **state)
{
  (void) state;
  uint8_t bridge[sizeof plain], out[200];
  memcpy(bridge, plain, sizeof plain);
  bridge[8] |= 0x80;
  assert_null(judge(bridge, sizeof plain - 1, NAME, false, out).wrong);
  assert_int_equal(out[8], 0x84);
}

static void a_length_that_needs_a_second_byte_gets_one(void **state)
{
  (void) state;
  uint8_t packet[2 + 120] = {0x10, 120, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 108}, out[250];
  char name[120] = "";
  memset(packet + 14, 'x', 108);
  memset(name, 'y', 20);
  struct terminator_connect judged = judge(packet, sizeof packet, name, true, out);
  assert_null(judged.wrong);
  assert_int_equal(judged.size, 3 + 120 + 22);
  assert_int_equal(out[1], 0x80 | (142 & 0x7f));
  assert_int_equal(out[2], 1);
  assert_memory_equal(out + 13, packet + 12, 110);
}

static void waits_for_the_whole_packet_and_takes_no_more(void **state)
{
  (void) state;
  uint8_t out[200], data[sizeof with_will + 2];
  memcpy(data, with_will, sizeof with_will - 1);
  memcpy(data + sizeof with_will - 1, "\xc0\x00", 2);
  for (size_t size = 0; size < sizeof with_will - 1; size++) {
    struct terminator_connect judged = judge(data, size, NAME, false, out);
    assert_null(judged.wrong);
    assert_int_equal(judged.taken, 0);
  }
  assert_int_equal(judge(data, sizeof with_will + 1, NAME, false, out).taken, sizeof with_will - 1);
}

static void lets_nobody_but_the_operator_use_another_client_id(void **state)
{
  (void) state;
  uint8_t out[200];
  expect_wrong(plain, sizeof plain - 1, "00000a20", "client id");
  expect_wrong(plain, sizeof plain - 1, "00000a1", "client id");
  assert_null(judge(plain, sizeof plain - 1, "operator", true, out).wrong);
}

static void refuses_a_name_that_the_client_gives_itself(void **state)
{
  (void) state;
  static const uint8_t named[] = "\x10\x1c\x00\x04MQTT\x04\x82\x00\x3c\x00\x08" NAME "\x00\x06"
                                 "victim";
  expect_wrong(named, sizeof named - 1, NAME, "user name");
}

static void refuses_what_is_no_connect(void **state)
{
  (void) state;
  static const uint8_t http[] = "GET / HTTP/1.1", endless[] = "\x10\xff\xff\xff\xff\x01",
                       huge[] = "\x10\xff\xff\x7f";
  static const uint8_t no_id[] = "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x08",
                       empty[] = "\x10\x00";
  static const uint8_t version_6[] = "\x10\x14\x00\x04MQTT\x06\x02\x00\x3c\x00\x08" NAME;
  static const uint8_t properties[] = "\x10\x15\x00\x04MQTT\x05\x02\x00\x3c\x40\x00\x08" NAME;
  expect_wrong(http, sizeof http - 1, NAME, "does not begin");
  expect_wrong(endless, sizeof endless - 1, NAME, "too long");
  expect_wrong(huge, sizeof huge - 1, NAME, "too long");
  expect_wrong(no_id, sizeof no_id - 1, NAME, "malformed");
  expect_wrong(empty, sizeof empty - 1, NAME, "malformed");
  expect_wrong(version_6, sizeof version_6 - 1, NAME, "malformed");
  expect_wrong(properties, sizeof properties - 1, NAME, "malformed");
}

/* Whatever a client sends: nothing is read past its bytes, and what goes on carries its
   certificate's name. */
static void survives_any_change_of_any_byte(void **state)
{
  (void) state;
  uint8_t data[sizeof with_will], out[400];
  size_t passed = 0;
  for (size_t at = 0; at < sizeof with_will - 1; at++)
    for (unsigned value = 0; value < 256; value++) {
      memcpy(data, with_will, sizeof with_will);
      data[at] = (uint8_t) value;
      struct terminator_connect judged = judge(data, sizeof with_will - 1, NAME, false, out);
      if (judged.taken == 0) continue;
      passed++;
      assert_memory_equal(out + judged.size - 8, NAME, 8);
    }
  assert_true(passed > sizeof with_will);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(puts_the_certificates_name_behind_everything_else),
      cmocka_unit_test(leaves_properties_and_will_as_they_are),
      cmocka_unit_test(takes_a_bridge_for_a_client),
      cmocka_unit_test(a_length_that_needs_a_second_byte_gets_one),
      cmocka_unit_test(waits_for_the_whole_packet_and_takes_no_more),
      cmocka_unit_test(lets_nobody_but_the_operator_use_another_client_id),
      cmocka_unit_test(refuses_a_name_that_the_client_gives_itself),
      cmocka_unit_test(refuses_what_is_no_connect),
      cmocka_unit_test(survives_any_change_of_any_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
