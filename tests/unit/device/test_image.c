#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../fuzz/vectors.h"
#include "firmware.h"

static struct key image_key, stranger;
static const struct firmware_recipe plain = {.version = DEVICE_VERSION(1, 2, 300),
                                             .counter = 7,
                                             .device_class = 42,
                                             .body_size = 100,
                                             .key = &image_key};

static int make_keys(void **state)
{
  (void) state;
  if (keys_begin() != 0) return -1;
  image_key = key_make("image key");
  stranger = key_make("stranger");
  return 0;
}

static const struct device_image_owner owner = {image_key.point, false},
                                       vector_owner = {vector_image_key, false};

static enum device_ota_status verify(const struct firmware *f, struct device_image_info *info)
{
  struct device_image_source source = firmware_source(f);
  return device_image_verify(&source, &owner, info);
}

/* The status of its verification, and that a refusal says nothing of what it read. */
static void expect(const struct firmware *f, enum device_ota_status expected)
{
  struct device_image_info info, parsed, none = {0};
  struct device_image_source source = firmware_source(f);
  assert_string_equal(device_ota_status_name(verify(f, &info)), device_ota_status_name(expected));
  if (device_image_parse(&source, &parsed) != DEVICE_OTA_NONE)
    assert_memory_equal(&parsed, &none, sizeof none);
}

static void expect_made(struct firmware_recipe recipe, enum device_ota_status expected)
{
  struct firmware f = firmware_make(&recipe);
  expect(&f, expected);
}

static void reads_what_an_image_says_and_believes_its_owner(void **state)
{
  (void) state;
  const struct firmware f = firmware_make(&plain);
  struct device_image_info info;
  assert_int_equal(verify(&f, &info), DEVICE_OTA_NONE);
  assert_int_equal(info.version, DEVICE_VERSION(1, 2, 300));
  assert_int_equal(info.counter, 7);
  assert_int_equal(info.device_class, 42);
  assert_int_equal(info.header_size, 32);
  assert_int_equal(info.body_size, 100);
  assert_int_equal(info.signed_size, 32 + 100 + 20);
  assert_int_equal(info.trust_size, 0);
  assert_memory_equal(info.hash, f.hash, 32);
}

/* tests/fuzz/vectors.h tells where they come from. */
static void takes_images_that_others_made_from_the_documentation(void **state)
{
  (void) state;
  static const struct {
    const char *name;
    uint32_t version, counter, trust_size;
  } samples[] = {{"plain", DEVICE_VERSION(1, 2, 300), 7, 0},
                 {"long_header", DEVICE_VERSION(2, 0, 0), 8, 0},
                 {"trust_and_unknown_entry", DEVICE_VERSION(255, 255, 65535), UINT32_MAX, 17}};
  for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
    struct firmware f;
    struct device_image_info info;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/image/%s", FLEETSIM_SOURCE_DIR,
             samples[i].name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    f.size = (uint32_t) fread(f.data, 1, sizeof f.data, file);
    fclose(file);
    struct device_image_source source = firmware_source(&f);
    assert_string_equal(device_ota_status_name(device_image_verify(&source, &vector_owner, &info)),
                        "none");
    assert_int_equal(info.version, samples[i].version);
    assert_int_equal(info.counter, samples[i].counter);
    assert_int_equal(info.trust_size, samples[i].trust_size);
  }
}

static void takes_a_long_header_unknown_signed_entries_and_a_trust_bundle(void **state)
{
  (void) state;
  struct firmware_recipe recipe = plain;
  recipe.header_size = 512;
  recipe.signed_type = 0x60; /* MCUboot's boot record */
  recipe.trust = (struct bytes){"a trust bundle, which is not looked at here", 43};
  const struct firmware f = firmware_make(&recipe);
  struct device_image_info info;
  assert_int_equal(verify(&f, &info), DEVICE_OTA_NONE);
  assert_int_equal(info.header_size, 512);
  assert_int_equal(info.trust_size, 43);
  assert_memory_equal(f.data + info.trust_offset, recipe.trust.data, 43);
}

static void the_hash_is_the_same_in_slices_of_any_size(void **state)
{
  (void) state;
  struct firmware_recipe recipe = plain;
  recipe.body_size = 5000;
  const struct firmware f = firmware_make(&recipe);
  const uint32_t sizes[] = {1, 7, 64, 255, 256, 257, 4096, UINT32_MAX};
  struct device_image_source source = firmware_source(&f);
  struct device_image_info info;
  assert_int_equal(device_image_parse(&source, &info), DEVICE_OTA_NONE);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct device_image_check check;
    uint8_t hash[32];
    int more = 1;
    uint32_t slices = 0;
    assert_int_equal(device_image_hash_begin(&check, &info), 0);
    for (; more == 1; slices++) more = device_image_hash_continue(&check, &source, sizes[i]);
    assert_int_equal(more, 0);
    assert_int_equal(slices, info.signed_size / sizes[i] + (info.signed_size % sizes[i] != 0));
    assert_int_equal(device_image_hash_finish(&check, hash), 0);
    assert_memory_equal(hash, f.hash, 32);
  }
}

static void a_hash_that_is_not_complete_is_none(void **state)
{
  (void) state;
  const struct firmware f = firmware_make(&plain);
  struct device_image_source source = firmware_source(&f);
  struct device_image_info info;
  struct device_image_check check;
  uint8_t hash[32];
  assert_int_equal(device_image_parse(&source, &info), DEVICE_OTA_NONE);
  assert_int_equal(device_image_hash_begin(&check, &info), 0);
  assert_int_equal(device_image_hash_continue(&check, &source, info.signed_size - 1), 1);
  assert_int_equal(device_image_hash_finish(&check, hash), -1);
}

static void a_check_is_small_enough_to_be_part_of_a_device(void **state)
{
  (void) state;
  assert_true(sizeof(struct device_image_check) <= 160);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
  (void) state;
  const struct firmware good = firmware_make(&plain);
  for (uint32_t n = 0; n < good.size; n++) {
    struct firmware cut = good;
    cut.size = n; /* a read beyond it stops the test */
    expect(&cut, n < 32 ? DEVICE_OTA_BAD_IMAGE : DEVICE_OTA_BAD_TLV);
  }
  struct firmware longer = good;
  longer.size++;
  expect(&longer, DEVICE_OTA_BAD_TLV);
}

/* What a flipped bit of this byte of a plain image is refused with. NONE: the structure is damaged,
 * and which damage it is depends on the bit. */
static enum device_ota_status refusal_of(const struct firmware *f, uint32_t at)
{
  if (at < 8 || (at >= 16 && at < 20)) return DEVICE_OTA_BAD_IMAGE; /* magic, load address, flags */
  if (at < 16) return DEVICE_OTA_NONE;                              /* sizes */
  if (at < f->protected_at) return DEVICE_OTA_HASH_MISMATCH;        /* version, body */
  if (at < f->protected_at + 4) return DEVICE_OTA_BAD_TLV;
  if (at < f->list_at) return DEVICE_OTA_NONE;
  if (at >= f->hash_at && at < f->hash_at + 32) return DEVICE_OTA_HASH_MISMATCH;
  if (at >= f->key_hash_at && at < f->key_hash_at + 32) return DEVICE_OTA_WRONG_KEY;
  if (at >= f->signature_at) return DEVICE_OTA_BAD_SIGNATURE;
  return DEVICE_OTA_BAD_TLV;
}

static void refuses_every_single_flipped_bit(void **state)
{
  (void) state;
  const struct firmware good = firmware_make(&plain);
  for (uint32_t bit = 0; bit < good.size * 8; bit++) {
    struct firmware bad = good;
    struct device_image_info info;
    bad.data[bit / 8] ^= (uint8_t) (1u << bit % 8);
    enum device_ota_status got = verify(&bad, &info), expected = refusal_of(&good, bit / 8);
    if (expected != DEVICE_OTA_NONE)
      assert_string_equal(device_ota_status_name(got), device_ota_status_name(expected));
    else
      assert_true(got == DEVICE_OTA_BAD_IMAGE || got == DEVICE_OTA_BAD_TLV ||
                  got == DEVICE_OTA_HASH_MISMATCH);
  }
}

static void set32(struct firmware *f, uint32_t at, uint32_t value)
{
  for (unsigned i = 0; i < 4; i++) f->data[at + i] = (uint8_t) (value >> 8 * i);
}

static void sizes_whose_sum_does_not_fit_32_bits_do_not_wrap(void **state)
{
  (void) state;
  const struct firmware good = firmware_make(&plain);
  /* as 32 bits, header and body end at the lists again, at the file's begin, or just below 2^32 */
  const uint32_t sizes[] = {UINT32_MAX, UINT32_MAX - 31, UINT32_MAX - 32, 0x80000000u,
                            UINT32_MAX - 35};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct firmware bad = good;
    set32(&bad, 12, sizes[i]);
    expect(&bad, DEVICE_OTA_BAD_TLV);
  }
  /* a header of 64 KiB whose sum with the body is where the lists are, modulo 2^32 */
  struct firmware bad = good;
  bad.data[8] = bad.data[9] = 0xff;
  set32(&bad, 12, 132u - 0xffffu);
  expect(&bad, DEVICE_OTA_BAD_TLV);
}

static void refuses_a_header_that_is_none(void **state)
{
  (void) state;
  struct firmware_recipe recipe = plain;
  recipe.body_size = 0;
  expect_made(recipe, DEVICE_OTA_BAD_IMAGE);
  recipe = plain;
  recipe.header_size = 31;
  expect_made(recipe, DEVICE_OTA_BAD_IMAGE);
}

static void refuses_lists_that_lack_repeat_or_stretch_an_entry(void **state)
{
  (void) state;
  const uint16_t types[] = {0x50, 0xa0, 0x10, 0x01, 0x22, 0xa1};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    struct firmware_recipe recipe = plain;
    recipe.trust = (struct bytes){"trust", 5};
    recipe.left_out = types[i];
    expect_made(recipe, types[i] == 0xa1 ? DEVICE_OTA_NONE : DEVICE_OTA_BAD_TLV);
    recipe.left_out = 0;
    recipe.twice = types[i];
    expect_made(recipe, DEVICE_OTA_BAD_TLV);
    recipe.twice = 0;
    recipe.longer = types[i];
    if (types[i] != 0xa1 && types[i] != 0x22) expect_made(recipe, DEVICE_OTA_BAD_TLV);
    if (types[i] == 0x22) expect_made(recipe, DEVICE_OTA_BAD_SIGNATURE);
  }
}

static void refuses_an_entry_that_nobody_signed(void **state)
{
  (void) state;
  struct firmware_recipe recipe = plain;
  recipe.extra_type = 0x60;
  expect_made(recipe, DEVICE_OTA_BAD_TLV);
  recipe.extra_type = 0x50; /* a counter of one's own choice */
  expect_made(recipe, DEVICE_OTA_BAD_TLV);
}

static void refuses_lists_in_the_wrong_order(void **state)
{
  (void) state;
  struct firmware f = firmware_make(&plain);
  f.data[f.protected_at] = 0x07;
  f.data[f.list_at] = 0x08;
  expect(&f, DEVICE_OTA_BAD_TLV);
}

static void refuses_an_image_of_another_owner(void **state)
{
  (void) state;
  struct firmware_recipe recipe = plain;
  recipe.key = &stranger;
  expect_made(recipe, DEVICE_OTA_WRONG_KEY);

  /* who names the right key and signs with another */
  struct firmware ours = firmware_make(&plain), theirs = firmware_make(&recipe);
  memcpy(theirs.data + theirs.key_hash_at, ours.data + ours.key_hash_at, 32);
  expect(&theirs, DEVICE_OTA_BAD_SIGNATURE);
}

static void refuses_a_signature_of_zeros_and_one_that_is_no_der(void **state)
{
  (void) state;
  struct firmware f = firmware_make(&plain);
  const uint8_t zeros[] = {0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00};
  memcpy(f.data + f.signature_at, zeros, sizeof zeros);
  expect(&f, DEVICE_OTA_BAD_SIGNATURE);
  memset(f.data + f.signature_at, 0xff, f.size - f.signature_at);
  expect(&f, DEVICE_OTA_BAD_SIGNATURE);
}

/* Zeros after the signature, which is the last entry, as imgtool's --pad-sig leaves them; `last` is
 * the last of them.
 */
static struct firmware padded_to(uint32_t size, uint8_t last)
{
  struct firmware f = firmware_make(&plain);
  uint32_t more = size - (f.size - f.signature_at);
  f.data[f.signature_at - 2] = (uint8_t) size;
  f.data[f.list_at + 2] = (uint8_t) (f.data[f.list_at + 2] + more);
  f.size += more;
  if (more > 0) f.data[f.size - 1] = last;
  return f;
}

static enum device_ota_status verify_padded(const struct firmware *f)
{
  static const struct device_image_owner lenient = {image_key.point, true};
  struct device_image_info info;
  struct device_image_source source = firmware_source(f);
  return device_image_verify(&source, &lenient, &info);
}

static void a_signature_padded_with_zeros_is_taken_where_the_boot_loader_does(void **state)
{
  (void) state;
  struct firmware f;
  do f = padded_to(72, 0);
  while (f.data[f.signature_at + 1] + 2 == 72); /* one in four has its 72 bytes without padding */
  expect(&f, DEVICE_OTA_BAD_SIGNATURE);
  assert_string_equal(device_ota_status_name(verify_padded(&f)), "none");
  f = firmware_make(&plain);
  assert_string_equal(device_ota_status_name(verify_padded(&f)), "none");
}

static void padding_that_is_not_zeros_and_a_padded_stranger_are_refused_everywhere(void **state)
{
  (void) state;
  struct firmware f;
  do f = padded_to(72, 1);
  while (f.data[f.signature_at + 1] + 2 == 72);
  expect(&f, DEVICE_OTA_BAD_SIGNATURE);
  assert_string_equal(device_ota_status_name(verify_padded(&f)), "bad_signature");
  f = padded_to(72, 0);
  f.data[f.signature_at + 10] ^= 1;
  assert_string_equal(device_ota_status_name(verify_padded(&f)), "bad_signature");
  f = padded_to(73, 0);
  expect(&f, DEVICE_OTA_BAD_TLV); /* no DER of a P-256 signature has so many */
}

static void expect_flaw(const struct firmware *f, enum device_image_flaw flaw, uint16_t type,
                        uint32_t number)
{
  struct device_image_info info;
  struct device_image_finding finding;
  struct device_image_source source = firmware_source(f);
  device_image_examine(&source, &info, &finding);
  assert_int_equal(finding.flaw, flaw);
  assert_int_equal(finding.type, type);
  assert_int_equal(finding.number, number);
}

static void every_flag_and_a_load_address_are_refused_by_their_name(void **state)
{
  (void) state;
  const struct {
    uint32_t at, value;
    enum device_image_flaw flaw;
  } cases[] = {
      {16, 0x004, DEVICE_IMAGE_FLAW_ENCRYPTED},    {16, 0x008, DEVICE_IMAGE_FLAW_ENCRYPTED},
      {16, 0x200, DEVICE_IMAGE_FLAW_COMPRESSED},   {16, 0xc00, DEVICE_IMAGE_FLAW_COMPRESSED},
      {16, 0x020, DEVICE_IMAGE_FLAW_RAM_LOAD},     {16, 0x100, DEVICE_IMAGE_FLAW_ROM_FIXED},
      {16, 0x010, DEVICE_IMAGE_FLAW_NON_BOOTABLE}, {16, 0x001, DEVICE_IMAGE_FLAW_FLAGS},
      {16, 1u << 31, DEVICE_IMAGE_FLAW_FLAGS},     {4, 0x20000000, DEVICE_IMAGE_FLAW_LOAD_ADDRESS},
      {0, 0x3db8f396, DEVICE_IMAGE_FLAW_MAGIC}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct firmware f = firmware_make(&plain);
    set32(&f, cases[i].at, cases[i].value);
    expect_flaw(&f, cases[i].flaw, 0, cases[i].value);
  }
}

static void each_thing_that_is_wrong_with_a_list_has_a_name_of_its_own(void **state)
{
  (void) state;
  const struct {
    enum device_image_flaw flaw;
    uint16_t type, left_out, twice, longer, extra;
    uint32_t number;
  } cases[] = {{DEVICE_IMAGE_FLAW_NO_COUNTER, 0, .left_out = 0x50},
               {DEVICE_IMAGE_FLAW_NO_CLASS, 0, .left_out = 0xa0},
               {DEVICE_IMAGE_FLAW_NO_HASH, 0, .left_out = 0x10},
               {DEVICE_IMAGE_FLAW_NO_SIGNATURE, 0, .left_out = 0x22},
               {DEVICE_IMAGE_FLAW_NO_KEY_HASH, 0, .left_out = 0x01},
               {DEVICE_IMAGE_FLAW_TWICE, 0x50, .twice = 0x50, .number = 4},
               {DEVICE_IMAGE_FLAW_SIZE, 0xa0, .longer = 0xa0, .number = 5},
               {DEVICE_IMAGE_FLAW_SIZE, 0x10, .longer = 0x10, .number = 33},
               {DEVICE_IMAGE_FLAW_WHOLE_KEY, 0x02, .extra = 0x02, .number = 4},
               {DEVICE_IMAGE_FLAW_OTHER_HASH, 0x12, .extra = 0x12, .number = 4},
               {DEVICE_IMAGE_FLAW_OTHER_SIGNATURE, 0x24, .extra = 0x24, .number = 4},
               {DEVICE_IMAGE_FLAW_ENCRYPTION_KEY, 0x32, .extra = 0x32, .number = 4},
               {DEVICE_IMAGE_FLAW_UNSIGNED, 0x50, .extra = 0x50, .number = 4}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct firmware_recipe recipe = plain;
    recipe.left_out = cases[i].left_out;
    recipe.twice = cases[i].twice;
    recipe.longer = cases[i].longer;
    recipe.extra_type = cases[i].extra;
    struct firmware f = firmware_make(&recipe);
    expect_flaw(&f, cases[i].flaw, cases[i].type, cases[i].number);
  }
}

static void what_follows_an_image_is_counted_and_what_is_cut_off_is_said(void **state)
{
  (void) state;
  struct firmware f = firmware_make(&plain);
  f.size += 7;
  expect_flaw(&f, DEVICE_IMAGE_FLAW_AFTER, 0, 7);
  f.size -= 8;
  expect_flaw(&f, DEVICE_IMAGE_FLAW_CUT_OFF, 0, f.list_at);
  f.size = 31;
  expect_flaw(&f, DEVICE_IMAGE_FLAW_SHORT, 0, 0);
}

/* An image without a protected list, as imgtool makes it without -s and --custom-tlv. */
static void an_image_without_protected_entries_says_so(void **state)
{
  (void) state;
  struct firmware f = firmware_make(&plain);
  uint32_t list = f.list_at - f.protected_at;
  memmove(f.data + f.protected_at, f.data + f.list_at, f.size - f.list_at);
  f.size -= list;
  f.data[10] = f.data[11] = 0;
  expect_flaw(&f, DEVICE_IMAGE_FLAW_NO_PROTECTED, 0, f.protected_at);
}

/* Twelve bytes as imgtool's --dependencies writes them; the hash is not looked at. */
static struct firmware depending(uint8_t image, uint8_t major, uint8_t minor, uint16_t revision)
{
  struct firmware_recipe recipe = plain;
  const uint8_t value[12] = {
      image, 0, 0, 0, major, minor, (uint8_t) revision, (uint8_t) (revision >> 8)};
  recipe.trust = (struct bytes){.size = sizeof value};
  memcpy(recipe.trust.data, value, sizeof value);
  struct firmware f = firmware_make(&recipe);
  f.data[f.list_at - sizeof value - 4] = 0x40;
  return f;
}

static void a_dependency_is_met_by_the_image_itself_alone(void **state)
{
  (void) state;
  struct firmware f = depending(0, 1, 2, 300);
  expect_flaw(&f, DEVICE_IMAGE_FLAW_NONE, 0, 0);
  f = depending(0, 1, 2, 301);
  expect_flaw(&f, DEVICE_IMAGE_FLAW_DEPENDENCY, 0x40, 0);
  f = depending(1, 0, 0, 1);
  expect_flaw(&f, DEVICE_IMAGE_FLAW_DEPENDENCY, 0x40, 1);
  expect(&f, DEVICE_OTA_BAD_TLV);
}

struct failing {
  const struct firmware *firmware;
  uint32_t reads_left;
};

static int read_some(void *ctx, uint32_t offset, void *out, size_t size)
{
  struct failing *failing = ctx;
  if (failing->reads_left == 0) return -1;
  failing->reads_left--;
  memcpy(out, failing->firmware->data + offset, size);
  return 0;
}

static void a_read_that_fails_is_no_fault_of_the_image(void **state)
{
  (void) state;
  const struct firmware f = firmware_make(&plain);
  struct device_image_info info;
  uint32_t reads = 0;
  for (;; reads++) {
    struct failing failing = {&f, reads};
    struct device_image_source source = {&failing, read_some, f.size};
    enum device_ota_status status = device_image_verify(&source, &owner, &info);
    if (status == DEVICE_OTA_NONE) break;
    assert_string_equal(device_ota_status_name(status), "flash_failed");
  }
  /* header, two lists, five entries with their values, a slice, the signature */
  assert_in_range(reads, 10, 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test(name)
  const struct CMUnitTest tests[] = {
      TEST(reads_what_an_image_says_and_believes_its_owner),
      TEST(takes_images_that_others_made_from_the_documentation),
      TEST(takes_a_long_header_unknown_signed_entries_and_a_trust_bundle),
      TEST(the_hash_is_the_same_in_slices_of_any_size),
      TEST(a_hash_that_is_not_complete_is_none),
      TEST(a_check_is_small_enough_to_be_part_of_a_device),
      TEST(refuses_every_truncation_and_a_trailing_byte),
      TEST(refuses_every_single_flipped_bit),
      TEST(sizes_whose_sum_does_not_fit_32_bits_do_not_wrap),
      TEST(refuses_a_header_that_is_none),
      TEST(refuses_lists_that_lack_repeat_or_stretch_an_entry),
      TEST(refuses_an_entry_that_nobody_signed),
      TEST(refuses_lists_in_the_wrong_order),
      TEST(refuses_an_image_of_another_owner),
      TEST(refuses_a_signature_of_zeros_and_one_that_is_no_der),
      TEST(a_signature_padded_with_zeros_is_taken_where_the_boot_loader_does),
      TEST(padding_that_is_not_zeros_and_a_padded_stranger_are_refused_everywhere),
      TEST(every_flag_and_a_load_address_are_refused_by_their_name),
      TEST(each_thing_that_is_wrong_with_a_list_has_a_name_of_its_own),
      TEST(what_follows_an_image_is_counted_and_what_is_cut_off_is_said),
      TEST(an_image_without_protected_entries_says_so),
      TEST(a_dependency_is_met_by_the_image_itself_alone),
      TEST(a_read_that_fails_is_no_fault_of_the_image),
  };
  return cmocka_run_group_tests(tests, make_keys, NULL);
}
