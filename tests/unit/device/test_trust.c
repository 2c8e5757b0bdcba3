#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certificate.h"
#include "flash.h"

static struct key update_key;
static struct certificate root[DEVICE_ANCHORS_MAX + 1];
static struct flash flash;
static struct device_host host;

static int make_roots(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  update_key = key_make("update key");
  for (size_t i = 0; i < DEVICE_ANCHORS_MAX + 1; i++)
    root[i] = root_make((char[]){"ABCDEFGHI"[i], 0});
  return 0;
}

/* Version 5 of {A, B} is in force. */
static int device_with_version_5(void **state)
{
  (void) state;
  flash_new(&flash, &(struct device_nvm_identity){.id = 1});
  host = flash_host(&flash);
  struct bytes bundle = bundle_make(&update_key, 5, 2, root);
  uint32_t version;
  return device_trust_update(&host, update_key.point, DEVICE_REVOCATION_HELD, 0, bundle.data,
                             bundle.size, &version) == DEVICE_UPDATE_COMMITTED
             ? 0
             : -1;
}

/* Pushes and checks outcome, version in force and, for a refusal, that NVM was not touched. */
static void expect_update(const struct bytes *bundle, enum device_update expected,
                          uint32_t version_expected)
{
  uint8_t before[DEVICE_NVM_PAGE_SIZE];
  memcpy(before, flash.page, sizeof before);
  uint32_t version = 0;
  enum device_update got = device_trust_update(&host, update_key.point, DEVICE_REVOCATION_HELD, 5,
                                               bundle->data, bundle->size, &version);
  assert_string_equal(device_update_name(got), device_update_name(expected));
  assert_int_equal(version, version_expected);
  if (expected != DEVICE_UPDATE_COMMITTED) assert_memory_equal(before, flash.page, sizeof before);
}

static void refuses(struct bytes bundle, enum device_update expected)
{
  expect_update(&bundle, expected, 5);
}

static void puts_a_newer_signed_bundle_in_force(void **state)
{
  (void) state;
  struct bytes bundle = bundle_make(&update_key, 6, 3, root);
  expect_update(&bundle, DEVICE_UPDATE_COMMITTED, 6);
  size_t size;
  const uint8_t *stored = flash_payload(&flash, DEVICE_NVM_TRUST, &size);
  assert_int_equal(size, bundle.size);
  assert_memory_equal(stored, bundle.data, size);
  struct device_trust_bundle parsed;
  assert_int_equal(device_trust_parse(stored, size, &parsed), DEVICE_UPDATE_COMMITTED);
  assert_int_equal(parsed.anchor_count, 3);
  assert_int_equal(parsed.anchor[2].size, root[2].size);
  assert_memory_equal(parsed.anchor[2].der, root[2].der, root[2].size);
}

static void says_same_to_the_bundle_in_force_and_writes_nothing(void **state)
{
  (void) state;
  struct bytes same = bundle_make(&update_key, 5, 2, root);
  size_t size;
  const uint8_t *stored = flash_payload(&flash, DEVICE_NVM_TRUST, &size);
  memcpy(same.data, stored, size); /* ECDSA signatures differ from one signing to the next */
  refuses(same, DEVICE_UPDATE_SAME);
}

static void refuses_a_lower_version_and_another_bundle_of_the_same_version(void **state)
{
  (void) state;
  refuses(bundle_make(&update_key, 4, 3, root), DEVICE_UPDATE_OLDER);
  refuses(bundle_make(&update_key, 5, 3, root), DEVICE_UPDATE_OLDER);
}

static void refuses_version_zero(void **state)
{
  (void) state;
  refuses(bundle_make(&update_key, 0, 2, root), DEVICE_UPDATE_MALFORMED);
}

static void refuses_a_bundle_signed_by_another_key(void **state)
{
  (void) state;
  struct key stranger = key_make("stranger");
  refuses(bundle_make(&stranger, 6, 2, root), DEVICE_UPDATE_BAD_SIGNATURE);
}

static void refuses_a_bundle_signed_by_a_root_it_holds(void **state)
{
  (void) state;
  struct key root_key = key_make("A");
  refuses(bundle_make(&root_key, 6, 2, root), DEVICE_UPDATE_BAD_SIGNATURE);
}

static void refuses_a_flipped_bit_anywhere(void **state)
{
  (void) state;
  const struct bytes good = bundle_make(&update_key, 6, 2, root);
  for (size_t i = 0; i < good.size; i += 7) {
    struct bytes bad = good;
    bad.data[i] ^= 1;
    uint32_t version = 0;
    assert_int_not_equal(device_trust_update(&host, update_key.point, DEVICE_REVOCATION_HELD, 5,
                                             bad.data, bad.size, &version),
                         DEVICE_UPDATE_COMMITTED);
    assert_int_equal(version, 5);
  }
}

static void refuses_a_bundle_with_one_anchor(void **state)
{
  (void) state;
  refuses(bundle_make(&update_key, 6, 1, root), DEVICE_UPDATE_TOO_FEW_ANCHORS);
  refuses(bundle_make(&update_key, 6, 0, root), DEVICE_UPDATE_TOO_FEW_ANCHORS);
}

static void refuses_the_same_anchor_twice_as_two(void **state)
{
  (void) state;
  struct certificate twice[2] = {root[0], root[0]};
  refuses(bundle_make(&update_key, 6, 2, twice), DEVICE_UPDATE_TOO_FEW_ANCHORS);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
  (void) state;
  const struct bytes good = bundle_make(&update_key, 6, 2, root);
  struct device_trust_bundle parsed;
  for (size_t n = 0; n < good.size; n++)
    assert_int_equal(device_trust_parse(good.data, n, &parsed), DEVICE_UPDATE_MALFORMED);
  assert_int_equal(device_trust_parse(good.data, good.size + 1, &parsed), DEVICE_UPDATE_MALFORMED);
  assert_int_equal(device_trust_parse(good.data, good.size, &parsed), DEVICE_UPDATE_COMMITTED);
}

static void refuses_more_anchors_than_it_can_hold(void **state)
{
  (void) state;
  struct bytes bundle = bundle_make(&update_key, 6, 4, root);
  bundle.data[8] = DEVICE_ANCHORS_MAX + 1;
  refuses(bundle, DEVICE_UPDATE_MALFORMED);
}

static void refuses_a_bundle_larger_than_its_slot(void **state)
{
  (void) state;
  struct bytes bundle = bundle_make(&update_key, 6, DEVICE_ANCHORS_MAX, root);
  assert_true(bundle.size > DEVICE_NVM_TRUST_MAX);
  refuses(bundle, DEVICE_UPDATE_TOO_LARGE);
}

static void expect_bad_anchor(struct recipe recipe)
{
  struct key key = key_make("odd one");
  recipe.cn = "odd one";
  recipe.key = &key;
  struct certificate anchors[2] = {root[0], certificate_make(&recipe)};
  refuses(bundle_make(&update_key, 6, 2, anchors), DEVICE_UPDATE_BAD_ANCHOR);
}

static void refuses_an_anchor_that_is_no_ca(void **state)
{
  (void) state;
  expect_bad_anchor((struct recipe){.not_ca = true, .key_usage = 0x04});
  expect_bad_anchor((struct recipe){.no_extensions = true});
}

static void refuses_an_anchor_that_may_not_sign_certificates(void **state)
{
  (void) state;
  expect_bad_anchor((struct recipe){.key_usage = 0x80});
}

static void refuses_an_anchor_on_a_curve_it_does_not_have(void **state)
{
  (void) state;
  expect_bad_anchor((struct recipe){.p384 = true, .key_usage = 0x04});
}

static void refuses_an_anchor_that_does_not_parse_to_its_last_byte(void **state)
{
  (void) state;
  struct certificate anchors[2] = {root[0], root[1]};
  anchors[1].der[anchors[1].size++] = 0;
  refuses(bundle_make(&update_key, 6, 2, anchors), DEVICE_UPDATE_BAD_ANCHOR);
  anchors[1].size = 20;
  refuses(bundle_make(&update_key, 6, 2, anchors), DEVICE_UPDATE_BAD_ANCHOR);
}

static void a_failing_memory_keeps_the_old_bundle_and_says_so(void **state)
{
  (void) state;
  flash.refuses_writes = true;
  refuses(bundle_make(&update_key, 6, 2, root), DEVICE_UPDATE_NVM_FAILED);
}

static struct bytes with_list(const struct crl_recipe *recipe)
{
  struct certificate list = crl_make(recipe);
  return bundle_make_with_lists(&update_key, 6, 2, root, 1, &list);
}

static void takes_lists_by_an_anchor_and_by_an_intermediate_that_it_has_not_met(void **state)
{
  (void) state;
  const struct certificate lists[] = {crl_make(&(struct crl_recipe){.issuer = "A"}),
                                      crl_make(&(struct crl_recipe){.issuer = "brokers of A"})};
  struct bytes bundle = bundle_make_with_lists(&update_key, 6, 2, root, 2, lists);
  expect_update(&bundle, DEVICE_UPDATE_COMMITTED, 6);
  struct device_trust_bundle parsed;
  size_t size;
  const uint8_t *stored = flash_payload(&flash, DEVICE_NVM_TRUST, &size);
  assert_int_equal(device_trust_parse(stored, size, &parsed), DEVICE_UPDATE_COMMITTED);
  assert_int_equal(parsed.crl_count, 2);
  assert_int_equal(parsed.crl[1].size, lists[1].size);
  assert_memory_equal(parsed.crl[1].der, lists[1].der, lists[1].size);
}

static void a_bundle_without_lists_is_what_older_firmware_knows(void **state)
{
  (void) state;
  assert_memory_equal(bundle_make(&update_key, 6, 2, root).data, "FST1", 4);
  assert_memory_equal(with_list(&(struct crl_recipe){.issuer = "A"}).data, "FST2", 4);
}

static void takes_a_list_whatever_its_dates_because_its_own_clock_may_be_wrong(void **state)
{
  (void) state;
  struct bytes expired =
      with_list(&(struct crl_recipe){.issuer = "A", .next_update = "250102000000Z"});
  expect_update(&expired, DEVICE_UPDATE_COMMITTED, 6);
}

static void refuses_a_list_that_an_anchor_of_its_issuers_name_did_not_sign(void **state)
{
  (void) state;
  struct key stranger = key_make("stranger");
  refuses(with_list(&(struct crl_recipe){.issuer = "A", .signer = &stranger}),
          DEVICE_UPDATE_BAD_CRL);
  struct bytes by_intermediate =
      with_list(&(struct crl_recipe){.issuer = "brokers of A", .signer = &stranger});
  expect_update(&by_intermediate, DEVICE_UPDATE_COMMITTED, 6); /* only a handshake can tell */
}

static void refuses_a_list_by_an_anchor_that_may_not_sign_lists(void **state)
{
  (void) state;
  struct key key = key_make("C");
  struct certificate anchors[] = {
      root[0],
      certificate_make(&(struct recipe){.cn = "C", .key = &key, .filler = 64, .key_usage = 0x04})};
  struct certificate list = crl_make(&(struct crl_recipe){.issuer = "C"});
  refuses(bundle_make_with_lists(&update_key, 6, 2, anchors, 1, &list), DEVICE_UPDATE_BAD_CRL);
}

static void refuses_a_list_that_it_could_not_use(void **state)
{
  (void) state;
  refuses(with_list(&(struct crl_recipe){.issuer = "brokers of A", .sha384 = true}),
          DEVICE_UPDATE_BAD_CRL);
  refuses(with_list(&(struct crl_recipe){.issuer = "brokers of A", .critical_extension = true}),
          DEVICE_UPDATE_BAD_CRL);
  struct certificate list = crl_make(&(struct crl_recipe){.issuer = "A"});
  list.der[list.size++] = 0;
  refuses(bundle_make_with_lists(&update_key, 6, 2, root, 1, &list), DEVICE_UPDATE_BAD_CRL);
  list.size = 40;
  refuses(bundle_make_with_lists(&update_key, 6, 2, root, 1, &list), DEVICE_UPDATE_BAD_CRL);
  refuses(bundle_make_with_lists(&update_key, 6, 2, root, 1, &root[2]), DEVICE_UPDATE_BAD_CRL);
}

static enum device_update update_where_required(const struct bytes *bundle)
{
  uint32_t version = 0;
  return device_trust_update(&host, update_key.point, DEVICE_REVOCATION_REQUIRED, 5, bundle->data,
                             bundle->size, &version);
}

static void a_device_that_requires_lists_refuses_a_bundle_that_would_cut_it_off(void **state)
{
  (void) state;
  struct bytes without = bundle_make(&update_key, 6, 2, root);
  struct bytes by_intermediate = with_list(&(struct crl_recipe){.issuer = "brokers of A"});
  struct bytes by_anchor = with_list(&(struct crl_recipe){.issuer = "B"});
  assert_string_equal(device_update_name(update_where_required(&without)), "no_crl");
  assert_string_equal(device_update_name(update_where_required(&by_intermediate)), "no_crl");
  assert_string_equal(device_update_name(update_where_required(&by_anchor)), "committed");
}

static void refuses_every_truncation_of_a_bundle_with_a_list(void **state)
{
  (void) state;
  const struct bytes good = with_list(&(struct crl_recipe){.issuer = "A"});
  struct device_trust_bundle parsed;
  for (size_t n = 0; n < good.size; n++)
    assert_int_equal(device_trust_parse(good.data, n, &parsed), DEVICE_UPDATE_MALFORMED);
  assert_int_equal(device_trust_parse(good.data, good.size, &parsed), DEVICE_UPDATE_COMMITTED);
}

static void refuses_no_lists_where_some_are_announced_and_more_than_it_can_hold(void **state)
{
  (void) state;
  struct bytes bundle = bundle_make(&update_key, 6, 2, root);
  bundle.data[3] = '2';
  refuses(bundle, DEVICE_UPDATE_MALFORMED);
  bundle = with_list(&(struct crl_recipe){.issuer = "A"});
  size_t count_at = 9u + 2u + root[0].size + 2u + root[1].size;
  assert_int_equal(bundle.data[count_at], 1);
  bundle.data[count_at] = 0;
  refuses(bundle, DEVICE_UPDATE_MALFORMED);
  bundle.data[count_at] = DEVICE_CRLS_MAX + 1;
  refuses(bundle, DEVICE_UPDATE_MALFORMED);
}

static void encoding_says_when_it_does_not_fit(void **state)
{
  (void) state;
  struct device_trust_bundle bundle = {.version = 1, .anchor_count = 1};
  bundle.anchor[0].der = root[0].der;
  bundle.anchor[0].size = root[0].size;
  uint8_t out[1024];
  size_t size = device_trust_encode(&bundle, out, sizeof out);
  assert_int_equal(size, 9u + 2u + root[0].size);
  assert_int_equal(device_trust_encode(&bundle, out, size - 1), 0);
  assert_int_equal(device_trust_encode(&bundle, out, 8), 0);
  struct certificate list = crl_make(&(struct crl_recipe){.issuer = "A"});
  bundle.crl[bundle.crl_count++] = (struct device_trust_der){list.der, list.size};
  assert_int_equal(device_trust_encode(&bundle, out, sizeof out), size + 1u + 2u + list.size);
  assert_int_equal(device_trust_encode(&bundle, out, size + 1u + 2u + list.size - 1), 0);
  assert_int_equal(device_trust_encode(&bundle, out, size), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, device_with_version_5)
  const struct CMUnitTest tests[] = {
      TEST(puts_a_newer_signed_bundle_in_force),
      TEST(says_same_to_the_bundle_in_force_and_writes_nothing),
      TEST(refuses_a_lower_version_and_another_bundle_of_the_same_version),
      TEST(refuses_version_zero),
      TEST(refuses_a_bundle_signed_by_another_key),
      TEST(refuses_a_bundle_signed_by_a_root_it_holds),
      TEST(refuses_a_flipped_bit_anywhere),
      TEST(refuses_a_bundle_with_one_anchor),
      TEST(refuses_the_same_anchor_twice_as_two),
      TEST(refuses_every_truncation_and_a_trailing_byte),
      TEST(refuses_more_anchors_than_it_can_hold),
      TEST(refuses_a_bundle_larger_than_its_slot),
      TEST(refuses_an_anchor_that_is_no_ca),
      TEST(refuses_an_anchor_that_may_not_sign_certificates),
      TEST(refuses_an_anchor_on_a_curve_it_does_not_have),
      TEST(refuses_an_anchor_that_does_not_parse_to_its_last_byte),
      TEST(takes_lists_by_an_anchor_and_by_an_intermediate_that_it_has_not_met),
      TEST(a_bundle_without_lists_is_what_older_firmware_knows),
      TEST(takes_a_list_whatever_its_dates_because_its_own_clock_may_be_wrong),
      TEST(refuses_a_list_that_an_anchor_of_its_issuers_name_did_not_sign),
      TEST(refuses_a_list_by_an_anchor_that_may_not_sign_lists),
      TEST(refuses_a_list_that_it_could_not_use),
      TEST(a_device_that_requires_lists_refuses_a_bundle_that_would_cut_it_off),
      TEST(refuses_every_truncation_of_a_bundle_with_a_list),
      TEST(refuses_no_lists_where_some_are_announced_and_more_than_it_can_hold),
      TEST(a_failing_memory_keeps_the_old_bundle_and_says_so),
      TEST(encoding_says_when_it_does_not_fit),
  };
  return cmocka_run_group_tests(tests, make_roots, NULL);
}
