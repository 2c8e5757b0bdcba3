#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "firmware.h"

static struct key update_key;
static const struct device_manifest over_mqtt = {.serial = 3,
                                                 .version = DEVICE_VERSION(1, 2, 300),
                                                 .counter = 7,
                                                 .device_class = 42,
                                                 .size = 262144,
                                                 .block_size = 1024,
                                                 .kind = DEVICE_MANIFEST_BLOCKS,
                                                 .hash = {1, 2, 3, [31] = 0xff}};

static struct device_manifest over_https(const char *url)
{
  struct device_manifest m = over_mqtt;
  m.kind = DEVICE_MANIFEST_HTTPS;
  strncpy(m.url, url, sizeof m.url - 1);
  return m;
}

static int make_key(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  update_key = key_make("update key");
  return 0;
}

/* Parses to the same again, and verifies. */
static void survives(const struct device_manifest *m)
{
  struct bytes bytes = manifest_make(&update_key, m);
  struct device_manifest parsed;
  assert_int_equal(bytes.size, 60 + strlen(m->url) + 64);
  assert_int_equal(device_manifest_parse(bytes.data, bytes.size, &parsed), DEVICE_OTA_NONE);
  assert_memory_equal(&parsed, m, sizeof parsed);
  assert_int_equal(device_manifest_verify(bytes.data, bytes.size, update_key.point),
                   DEVICE_OTA_NONE);
}

/* `good` with another byte at `at` is no manifest. */
static void refuses_bytes(const struct device_manifest *good, size_t at, uint8_t value)
{
  struct bytes bytes = manifest_make(&update_key, good);
  struct device_manifest parsed, none = {0};
  bytes.data[at] = value;
  assert_string_equal(
      device_ota_status_name(device_manifest_parse(bytes.data, bytes.size, &parsed)),
      "bad_manifest");
  assert_memory_equal(&parsed, &none, sizeof none);
}

static void does_not_encode(struct device_manifest m)
{
  assert_int_equal(manifest_make(&update_key, &m).size, 0);
}

static void its_bytes_are_those_of_the_format(void **state)
{
  (void) state;
  static const uint8_t expected[60] = "FSM1\0\0\0\3"
                                      "\1\2\1\x2c"
                                      "\0\0\0\7"
                                      "\0\0\0\x2a"
                                      "\0\4\0\0"
                                      "\4\0"
                                      "\0\0"
                                      "\1\2\3";
  struct bytes bytes = manifest_make(&update_key, &over_mqtt);
  assert_int_equal(bytes.size, 124);
  assert_memory_equal(bytes.data, expected, 59);
  assert_int_equal(bytes.data[59], 0xff);
}

static void every_kind_survives_the_way(void **state)
{
  (void) state;
  survives(&over_mqtt);
  struct device_manifest m = over_https("https://update.example:8443/firmware/v2.bin?class=42");
  survives(&m);
  m = (struct device_manifest){.serial = UINT32_MAX, .kind = DEVICE_MANIFEST_CANCEL};
  survives(&m);
  memset(m.url, 'x', sizeof m.url - 1);
  memcpy(m.url, "https://", 8);
  m.kind = DEVICE_MANIFEST_HTTPS;
  m.size = 1;
  m.block_size = 0x8000; /* more than a device takes, but well formed */
  survives(&m);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
  (void) state;
  struct device_manifest parsed, https = over_https("https://u/");
  const struct bytes good = manifest_make(&update_key, &https);
  for (size_t n = 0; n <= good.size + 1; n++) {
    enum device_ota_status expected = n == good.size ? DEVICE_OTA_NONE : DEVICE_OTA_BAD_MANIFEST;
    assert_int_equal(device_manifest_parse(good.data, n, &parsed), expected);
    if (n != good.size)
      assert_int_equal(device_manifest_verify(good.data, n, update_key.point),
                       DEVICE_OTA_MANIFEST_SIGNATURE);
  }
}

static void refuses_every_single_flipped_bit(void **state)
{
  (void) state;
  struct device_manifest https = over_https("https://u/");
  const struct bytes good = manifest_make(&update_key, &https);
  for (size_t bit = 0; bit < good.size * 8; bit++) {
    struct bytes bad = good;
    bad.data[bit / 8] ^= (uint8_t) (1u << bit % 8);
    assert_int_equal(device_manifest_verify(bad.data, bad.size, update_key.point),
                     DEVICE_OTA_MANIFEST_SIGNATURE);
  }
}

static void refuses_what_no_device_could_use(void **state)
{
  (void) state;
  refuses_bytes(&over_mqtt, 0, 'f');
  refuses_bytes(&over_mqtt, 3, '2');
  refuses_bytes(&over_mqtt, 7, 0);  /* serial 0 */
  refuses_bytes(&over_mqtt, 21, 0); /* size 0 */
  refuses_bytes(&over_mqtt, 24, 5); /* block of 1280 */
  refuses_bytes(&over_mqtt, 24, 0); /* block of 0 */
  refuses_bytes(&over_mqtt, 26, 1); /* HTTPS without a URL */
  refuses_bytes(&over_mqtt, 26, 3); /* a kind that is none */
  refuses_bytes(&over_mqtt, 27, 1); /* a URL that is not there */
  struct device_manifest https = over_https("https://u/");
  refuses_bytes(&https, 26, 0);    /* blocks, and a URL */
  refuses_bytes(&https, 26, 2);    /* a cancellation with a URL */
  refuses_bytes(&https, 27, 9);    /* a URL that is longer than it says */
  refuses_bytes(&https, 60, 'f');  /* another scheme */
  refuses_bytes(&https, 69, '\0'); /* a URL that ends early */
  refuses_bytes(&https, 69, ' ');
  refuses_bytes(&https, 69, '\n');
  refuses_bytes(&https, 69, 0xc3);
}

static void does_not_make_what_it_would_refuse(void **state)
{
  (void) state;
  struct device_manifest m = over_mqtt;
  m.serial = 0;
  does_not_encode(m);
  m = over_mqtt;
  m.block_size = 128;
  does_not_encode(m);
  m.block_size = 1000;
  does_not_encode(m);
  does_not_encode(over_https("http://u/v2.bin"));
  does_not_encode(over_https("https://"));
  does_not_encode(over_https("https://u/v 2.bin"));
  does_not_encode(over_https(""));
  m = over_https("https://u/");
  memset(m.url + 8, 'x', sizeof m.url - 8); /* no terminator */
  does_not_encode(m);
  uint8_t small[59];
  assert_int_equal(device_manifest_encode(&over_mqtt, small, sizeof small), 0);
}

static void refuses_a_manifest_signed_by_another_key(void **state)
{
  (void) state;
  struct key image_key = key_make("image key");
  struct bytes bytes = manifest_make(&image_key, &over_mqtt);
  assert_int_equal(device_manifest_verify(bytes.data, bytes.size, update_key.point),
                   DEVICE_OTA_MANIFEST_SIGNATURE);
  assert_int_equal(device_manifest_verify(bytes.data, bytes.size, image_key.point),
                   DEVICE_OTA_NONE);
  assert_int_equal(device_manifest_verify(NULL, 0, update_key.point),
                   DEVICE_OTA_MANIFEST_SIGNATURE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test(name)
  const struct CMUnitTest tests[] = {
      TEST(its_bytes_are_those_of_the_format),
      TEST(every_kind_survives_the_way),
      TEST(refuses_every_truncation_and_a_trailing_byte),
      TEST(refuses_every_single_flipped_bit),
      TEST(refuses_what_no_device_could_use),
      TEST(does_not_make_what_it_would_refuse),
      TEST(refuses_a_manifest_signed_by_another_key),
  };
  return cmocka_run_group_tests(tests, make_key, NULL);
}
