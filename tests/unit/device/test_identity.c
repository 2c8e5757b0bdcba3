#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certificate.h"
#include "flash.h"

static struct key key, stranger;
static struct device_nvm_identity identity;
static struct certificate intermediate;
static struct flash flash;
static struct device_host host;

static int make_keys(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  key = key_make("device");
  stranger = key_make("stranger");
  intermediate = root_make("A-devices");
  return 0;
}

static int factory_fresh(void **state)
{
  (void) state;
  identity = (struct device_nvm_identity){.id = 0xa1f};
  memcpy(identity.private_key, key.scalar, sizeof identity.private_key);
  device_nvm_name_identity(&identity);
  flash_new(&flash, &identity);
  host = flash_host(&flash);
  return 0;
}

/* Flashed anew, to go by another name. */
static void flash_as(const char *name, enum device_subject kind, const char *subject)
{
  (void) memset(identity.name, 0, sizeof identity.name);
  (void) memset(identity.subject, 0, sizeof identity.subject);
  strcpy(identity.name, name);
  strcpy(identity.subject, subject);
  identity.subject_kind = (uint8_t) kind;
  flash_new(&flash, &identity);
  assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
}

static struct bytes chain_of(struct recipe leaf)
{
  leaf.key_usage = 0x80;
  leaf.not_ca = true;
  if (!leaf.key) leaf.key = &key;
  struct certificate certificates[2] = {certificate_make(&leaf), intermediate};
  return chain_make(2, certificates);
}

static void expect_update(const struct bytes *chain, enum device_update expected)
{
  uint8_t before[DEVICE_NVM_PAGE_SIZE];
  memcpy(before, flash.page, sizeof before);
  enum device_update got = device_identity_update(&host, &identity, chain->data, chain->size);
  assert_string_equal(device_update_name(got), device_update_name(expected));
  if (expected != DEVICE_UPDATE_COMMITTED) assert_memory_equal(before, flash.page, sizeof before);
}

static void refuses(struct bytes chain, enum device_update expected)
{
  expect_update(&chain, expected);
}

static void takes(struct bytes chain)
{
  expect_update(&chain, DEVICE_UPDATE_COMMITTED);
}

static void takes_a_certificate_for_its_own_key_and_id(void **state)
{
  (void) state;
  struct bytes chain = chain_of((struct recipe){.cn = "00000a1f"});
  expect_update(&chain, DEVICE_UPDATE_COMMITTED);
  size_t size;
  const uint8_t *stored = flash_payload(&flash, DEVICE_NVM_CERTIFICATE, &size);
  assert_int_equal(size, chain.size);
  assert_memory_equal(stored, chain.data, size);
  expect_update(&chain, DEVICE_UPDATE_SAME);
}

static void a_renewal_never_touches_the_private_key(void **state)
{
  (void) state;
  uint8_t before[256];
  memcpy(before, flash.page, sizeof before);
  for (size_t filler = 1; filler < 4; filler++) {
    struct bytes chain = chain_of((struct recipe){.cn = "00000a1f", .filler = filler});
    expect_update(&chain, DEVICE_UPDATE_COMMITTED);
  }
  assert_memory_equal(before, flash.page, sizeof before);
}

static void refuses_a_certificate_for_another_key(void **state)
{
  (void) state;
  refuses(chain_of((struct recipe){.cn = "00000a1f", .key = &stranger}), DEVICE_UPDATE_WRONG_KEY);
}

static void refuses_a_name_that_is_not_exactly_its_id(void **state)
{
  (void) state;
  static const char *const names[] = {"00000a1e", "00000A1F", "a1f", "00000a1f0", "00000a1f "};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    refuses(chain_of((struct recipe){.cn = names[i]}), DEVICE_UPDATE_WRONG_NAME);
}

static void refuses_two_names_although_one_is_its_id(void **state)
{
  (void) state;
  refuses(chain_of((struct recipe){.cn = "00000a1f", .second_cn = "00000a1e"}),
          DEVICE_UPDATE_WRONG_NAME);
  refuses(chain_of((struct recipe){.cn = "00000a1e", .second_cn = "00000a1f"}),
          DEVICE_UPDATE_WRONG_NAME);
}

static void takes_the_name_that_it_was_flashed_with_and_no_other(void **state)
{
  (void) state;
  flash_as("SN-2026-000007", DEVICE_SUBJECT_CN, "");
  refuses(chain_of((struct recipe){.cn = "00000a1f"}), DEVICE_UPDATE_WRONG_NAME);
  refuses(chain_of((struct recipe){.cn = "SN-2026-000008"}), DEVICE_UPDATE_WRONG_NAME);
  refuses(chain_of((struct recipe){.cn = "SN-2026-00000"}), DEVICE_UPDATE_WRONG_NAME);
  refuses(chain_of((struct recipe){.cn = "SN-2026-0000071"}), DEVICE_UPDATE_WRONG_NAME);
  refuses(chain_of((struct recipe){.cn = "x", .uri = "SN-2026-000007", .dns = "SN-2026-000007"}),
          DEVICE_UPDATE_WRONG_NAME);
  takes(chain_of((struct recipe){.cn = "SN-2026-000007"}));
}

static void a_certificate_may_go_by_another_name_than_the_device(void **state)
{
  (void) state;
  flash_as("pump 7", DEVICE_SUBJECT_CN, "pump-7.example.com");
  refuses(chain_of((struct recipe){.cn = "pump 7"}), DEVICE_UPDATE_WRONG_NAME);
  takes(chain_of((struct recipe){.cn = "pump-7.example.com"}));
}

/* A name of the kind that counts; the CN is then anybody's. */
static void a_name_is_looked_for_where_the_device_was_told_to(void **state)
{
  (void) state;
  static const struct {
    enum device_subject kind;
    struct recipe own, other, twice, none;
  } rows[] = {
      {DEVICE_SUBJECT_SERIAL_NUMBER,
       {.cn = "a", .serial_number = "urn:7"},
       {.cn = "a", .serial_number = "urn:8"},
       {.cn = "a"}, /* there is one attribute to put it in */
       {.cn = "urn:7", .uri = "urn:7"}},
      {DEVICE_SUBJECT_SAN_URI,
       {.cn = "a", .uri = "urn:7", .dns = "a.example.com"},
       {.cn = "a", .uri = "urn:8"},
       {.cn = "a", .uri = "urn:8", .second_uri = "urn:7"},
       {.cn = "urn:7", .dns = "urn:7", .serial_number = "urn:7"}},
      {DEVICE_SUBJECT_SAN_DNS,
       {.cn = "a", .dns = "urn:7", .uri = "urn:8", .second_uri = "urn:9"},
       {.cn = "a", .dns = "urn:70"},
       {.cn = "a", .uri = "urn:7"},
       {.cn = "urn:7"}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    flash_as("pump 7", rows[i].kind, "urn:7");
    refuses(chain_of(rows[i].other), DEVICE_UPDATE_WRONG_NAME);
    refuses(chain_of(rows[i].twice), DEVICE_UPDATE_WRONG_NAME);
    refuses(chain_of(rows[i].none), DEVICE_UPDATE_WRONG_NAME);
    takes(chain_of(rows[i].own));
  }
}

static void refuses_an_intermediate_that_does_not_parse(void **state)
{
  (void) state;
  struct bytes chain = chain_of((struct recipe){.cn = "00000a1f"});
  chain.data[chain.size - intermediate.size] ^= 0xff;
  refuses(chain, DEVICE_UPDATE_MALFORMED);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
  (void) state;
  const struct bytes good = chain_of((struct recipe){.cn = "00000a1f"});
  struct device_chain parsed;
  for (size_t n = 0; n < good.size; n++)
    assert_int_equal(device_chain_parse(good.data, n, &parsed), DEVICE_UPDATE_MALFORMED);
  assert_int_equal(device_chain_parse(good.data, good.size + 1, &parsed), DEVICE_UPDATE_MALFORMED);
  assert_int_equal(device_chain_parse(good.data, good.size, &parsed), DEVICE_UPDATE_COMMITTED);
  assert_int_equal(parsed.count, 2);
  assert_int_equal(parsed.certificate[1].size, intermediate.size);
}

static void refuses_no_certificate_and_more_than_four(void **state)
{
  (void) state;
  struct bytes chain = chain_of((struct recipe){.cn = "00000a1f"});
  chain.data[0] = 0;
  refuses(chain, DEVICE_UPDATE_MALFORMED);
  chain.data[0] = DEVICE_CHAIN_MAX + 1;
  refuses(chain, DEVICE_UPDATE_MALFORMED);
}

static void refuses_a_chain_larger_than_its_slot(void **state)
{
  (void) state;
  struct certificate many[4] = {intermediate, intermediate, intermediate, intermediate};
  struct bytes chain = chain_make(4, many);
  assert_true(chain.size > DEVICE_NVM_CERTIFICATE_MAX);
  refuses(chain, DEVICE_UPDATE_TOO_LARGE);
}

static void a_failing_memory_keeps_the_old_certificate_and_says_so(void **state)
{
  (void) state;
  struct bytes chain = chain_of((struct recipe){.cn = "00000a1f"});
  expect_update(&chain, DEVICE_UPDATE_COMMITTED);
  flash.lies = true;
  refuses(chain_of((struct recipe){.cn = "00000a1f", .filler = 9}), DEVICE_UPDATE_NVM_FAILED);
  assert_int_equal(device_nvm_holds(&host, DEVICE_NVM_CERTIFICATE, chain.data, chain.size), 1);
}

static void encoding_says_when_it_does_not_fit(void **state)
{
  (void) state;
  struct device_chain chain = {.count = 1};
  chain.certificate[0].der = intermediate.der;
  chain.certificate[0].size = intermediate.size;
  uint8_t out[1024];
  size_t size = device_chain_encode(&chain, out, sizeof out);
  assert_int_equal(size, 1u + 2u + intermediate.size);
  assert_int_equal(device_chain_encode(&chain, out, size - 1), 0);
  chain.count = 0;
  assert_int_equal(device_chain_encode(&chain, out, sizeof out), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, factory_fresh)
  const struct CMUnitTest tests[] = {
      TEST(takes_a_certificate_for_its_own_key_and_id),
      TEST(a_renewal_never_touches_the_private_key),
      TEST(refuses_a_certificate_for_another_key),
      TEST(refuses_a_name_that_is_not_exactly_its_id),
      TEST(refuses_two_names_although_one_is_its_id),
      TEST(takes_the_name_that_it_was_flashed_with_and_no_other),
      TEST(a_certificate_may_go_by_another_name_than_the_device),
      TEST(a_name_is_looked_for_where_the_device_was_told_to),
      TEST(refuses_an_intermediate_that_does_not_parse),
      TEST(refuses_every_truncation_and_a_trailing_byte),
      TEST(refuses_no_certificate_and_more_than_four),
      TEST(refuses_a_chain_larger_than_its_slot),
      TEST(a_failing_memory_keeps_the_old_certificate_and_says_so),
      TEST(encoding_says_when_it_does_not_fit),
  };
  return cmocka_run_group_tests(tests, make_keys, NULL);
}
