/* The power goes at every byte that an update writes: the device boots with the old payload or the
 * new one, whole, never with neither or a mixture, and the next update works.
 *
 * Updates alternate between two payloads of different size, so that both slots are cut both when
 * empty and when they hold the payload before last, and old and new bytes overlap in every way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certificate.h"
#include "flash.h"

static struct key update_key, device_key;
static struct device_nvm_identity identity = {.id = 7};

static int make_keys(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  update_key = key_make("update key");
  device_key = key_make("device");
  memcpy(identity.private_key, device_key.scalar, sizeof identity.private_key);
  memcpy(identity.update_key, update_key.point, sizeof identity.update_key);
  return 0;
}

static bool is(const uint8_t *payload, size_t size, const struct bytes *expected)
{
  return size == expected->size && (size == 0 || memcmp(payload, expected->data, size) == 0);
}

#define UPDATES 4u

struct tally {
  size_t cuts, booted_old, booted_new;
};

/* Replaces `before` by `after` on a copy of `start` with the power cut after k bytes, boots, and
   updates once more. */
static void cut_once(const struct flash *start, enum device_nvm_area area, size_t k,
                     enum flash_tear tear, const struct bytes *before, const struct bytes *after,
                     struct tally *tally)
{
  struct flash flash = *start;
  struct device_host host = flash_host(&flash);
  flash_power_on(&flash);
  flash.power_after = k;
  flash.tear = tear;
  assert_int_equal(device_nvm_replace(&host, area, after->data, after->size), -1);
  assert_true(flash.off);
  tally->cuts++;

  flash_power_on(&flash);
  size_t size;
  const uint8_t *payload = flash_payload(&flash, area, &size);
  bool old = is(payload, size, before), new = is(payload, size, after);
  if (old == new)
    fail_msg("cut after %zu bytes (tear %d): in force are %zu bytes, neither old nor new", k, tear,
             size);
  tally->booted_old += old;
  tally->booted_new += new;

  struct device_nvm_identity out;
  assert_int_equal(device_nvm_read_identity(&host, &out), 0);
  assert_int_equal(device_nvm_replace(&host, area, after->data, after->size), 0);
  assert_int_equal(device_nvm_holds(&host, area, after->data, after->size), 1);
}

/* Four updates in a row, each cut everywhere and then let through. */
static struct tally cut_everywhere(enum device_nvm_area area, const struct bytes *a,
                                   const struct bytes *b)
{
  struct tally tally = {0};
  struct bytes none = {.size = 0};
  const struct bytes *const story[UPDATES + 1] = {&none, a, b, a, b};
  struct flash flash;
  flash_new(&flash, &identity);
  struct device_host host = flash_host(&flash);
  for (size_t step = 1; step <= UPDATES; step++) {
    const struct bytes *before = story[step - 1], *after = story[step];
    size_t total = after->size + DEVICE_NVM_SLOT_HEADER;
    for (size_t k = 0; k <= total; k++)
      cut_once(&flash, area, k, FLASH_TEAR_CLEAN, before, after, &tally);
    for (size_t k = 0; k < total; k++)
      cut_once(&flash, area, k, FLASH_TEAR_GARBAGE, before, after, &tally);
    flash_power_on(&flash);
    assert_int_equal(device_nvm_replace(&host, area, after->data, after->size), 0);
    assert_int_equal(flash.written, total);
  }
  return tally;
}

static void report(const char *what, struct tally tally, size_t cuts_expected)
{
  printf("%s: %zu power cuts, booted with the old one %zu times, with the new one %zu times\n",
         what, tally.cuts, tally.booted_old, tally.booted_new);
  assert_int_equal(tally.cuts, cuts_expected);
  assert_int_equal(tally.booted_old + tally.booted_new, tally.cuts);
  assert_true(tally.booted_new >= UPDATES); /* the cuts after the last byte */
}

static void a_bundle_update_survives_a_cut_at_every_byte(void **state)
{
  (void) state;
  struct certificate roots[4] = {root_make("A"), root_make("B"), root_make("spare"),
                                 root_make("C")};
  struct bytes a = bundle_make(&update_key, 1, 2, roots), b = bundle_make(&update_key, 2, 4, roots);
  struct tally tally = cut_everywhere(DEVICE_NVM_TRUST, &a, &b);
  report("trust bundles", tally, 4 * (a.size + b.size + 2 * DEVICE_NVM_SLOT_HEADER) + UPDATES);
}

static void a_bundle_that_differs_in_few_bytes_survives_too(void **state)
{
  (void) state;
  struct certificate roots[2] = {root_make("A"), root_make("B")};
  struct bytes a = bundle_make(&update_key, 1, 2, roots), b = a;
  b.data[7] = 2;
  struct tally tally = cut_everywhere(DEVICE_NVM_TRUST, &a, &b);
  report("bundles of one size", tally,
         4 * (a.size + b.size + 2 * DEVICE_NVM_SLOT_HEADER) + UPDATES);
}

static void a_certificate_update_survives_a_cut_at_every_byte(void **state)
{
  (void) state;
  struct recipe leaf = {.cn = "00000007", .key = &device_key, .not_ca = true, .key_usage = 0x80};
  struct certificate first[2] = {certificate_make(&leaf), root_make("A-devices")};
  leaf.filler = 100;
  struct certificate second[2] = {certificate_make(&leaf), root_make("B-devices")};
  struct bytes a = chain_make(2, first), b = chain_make(2, second);
  struct tally tally = cut_everywhere(DEVICE_NVM_CERTIFICATE, &a, &b);
  report("certificates", tally, 4 * (a.size + b.size + 2 * DEVICE_NVM_SLOT_HEADER) + UPDATES);
}

static void a_ticket_update_survives_a_cut_at_every_byte(void **state)
{
  (void) state;
  struct bytes a = {.size = 700}, b = {.size = 650};
  memset(a.data, 0xa1, a.size);
  memset(b.data, 0xb2, b.size);
  struct tally tally = cut_everywhere(DEVICE_NVM_TICKET, &a, &b);
  report("tickets", tally, 4 * (a.size + b.size + 2 * DEVICE_NVM_SLOT_HEADER) + UPDATES);
}

/* The same through the front door: what the device answers the back office after it boots is never
   wrong either. */
static void after_a_cut_the_back_office_can_push_again(void **state)
{
  (void) state;
  struct certificate roots[3] = {root_make("A"), root_make("B"), root_make("spare")};
  struct bytes a = bundle_make(&update_key, 1, 2, roots), b = bundle_make(&update_key, 2, 3, roots);
  struct flash start;
  flash_new(&start, &identity);
  struct device_host start_host = flash_host(&start);
  uint32_t version;
  assert_int_equal(device_trust_update(&start_host, update_key.point, DEVICE_REVOCATION_HELD, 0,
                                       a.data, a.size, &version),
                   DEVICE_UPDATE_COMMITTED);
  size_t cuts = 0;
  for (size_t k = 0; k < b.size + DEVICE_NVM_SLOT_HEADER; k += 97, cuts++) {
    struct flash flash = start;
    struct device_host host = flash_host(&flash);
    flash_power_on(&flash);
    flash.power_after = k;
    assert_int_equal(device_trust_update(&host, update_key.point, DEVICE_REVOCATION_HELD, 1, b.data,
                                         b.size, &version),
                     DEVICE_UPDATE_NVM_FAILED);
    assert_int_equal(version, 1);
    flash_power_on(&flash);
    size_t size;
    struct device_trust_bundle booted;
    const uint8_t *payload = flash_payload(&flash, DEVICE_NVM_TRUST, &size);
    assert_int_equal(device_trust_parse(payload, size, &booted), DEVICE_UPDATE_COMMITTED);
    enum device_update again = device_trust_update(&host, update_key.point, DEVICE_REVOCATION_HELD,
                                                   booted.version, b.data, b.size, &version);
    assert_int_equal(again, DEVICE_UPDATE_COMMITTED);
    assert_int_equal(version, 2);
  }
  printf("pushed again after %zu cuts\n", cuts);
  assert_true(cuts > 10);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bundle_update_survives_a_cut_at_every_byte),
      cmocka_unit_test(a_bundle_that_differs_in_few_bytes_survives_too),
      cmocka_unit_test(a_certificate_update_survives_a_cut_at_every_byte),
      cmocka_unit_test(a_ticket_update_survives_a_cut_at_every_byte),
      cmocka_unit_test(after_a_cut_the_back_office_can_push_again),
  };
  return cmocka_run_group_tests(tests, make_keys, NULL);
}
