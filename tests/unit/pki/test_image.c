#define _GNU_SOURCE
#include "fixture.h"

#include <openssl/pem.h>
#include <psa/crypto.h>

#include "device/image.h"
#include "pki/image.h"
#include "pki/image_cause.h"

#define SLOT (512u * 1024 - DEVICE_FLASH_SECTOR)

static const struct pki_image plain = {.version = DEVICE_VERSION(1, 2, 300),
                                       .counter = 7,
                                       .device_class = 42,
                                       .size = 4096,
                                       .seed = 1};

struct file {
  uint8_t *data;
  size_t size;
  uint8_t hash[32];
};

static int setup(void **state)
{
  return setup_fleet(state) == 0 && psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

static struct file made(struct fixture *f, const struct pki_image *image)
{
  struct file file;
  EXPECT_OK(pki_image_make(f->pki, image, &file.data, &file.size, file.hash, &error));
  return file;
}

static int read_file(void *ctx, uint32_t offset, void *out, size_t size)
{
  const struct file *file = ctx;
  assert_true(offset <= file->size && size <= file->size - offset);
  memcpy(out, file->data + offset, size);
  return 0;
}

static enum device_ota_status verify(struct fixture *f, struct file *file,
                                     struct device_image_info *info)
{
  struct device_image_source source = {file, read_file, (uint32_t) file->size};
  uint8_t point[65];
  EXPECT_OK(pki_image_point(f->pki, point, &error));
  return device_image_verify(&source, &(struct device_image_owner){point, false}, info);
}

static void a_device_believes_what_is_made(void **state)
{
  struct file file = made(*state, &plain);
  struct device_image_info info;
  assert_string_equal(device_ota_status_name(verify(*state, &file, &info)), "none");
  assert_int_equal(info.version, plain.version);
  assert_int_equal(info.counter, 7);
  assert_int_equal(info.device_class, 42);
  assert_memory_equal(info.hash, file.hash, 32);
  free(file.data);
}

static void an_image_has_exactly_the_size_that_was_asked_for(void **state)
{
  struct device_image_info info;
  struct pki_image image = plain;
  for (int i = 0; i < 200; i++) { /* signatures have different sizes, images have not */
    image.size = 204 + (uint32_t) i;
    struct file file = made(*state, &image);
    assert_int_equal(file.size, image.size);
    assert_int_equal(verify(*state, &file, &info), DEVICE_OTA_NONE);
    assert_int_equal(info.body_size, 1 + i);
    free(file.data);
  }
}

static void the_same_seed_makes_the_same_firmware_and_another_another(void **state)
{
  struct pki_image image = plain;
  struct file one = made(*state, &image), again = made(*state, &image);
  image.seed = 2;
  struct file other = made(*state, &image);
  assert_memory_equal(one.hash, again.hash, 32);
  assert_memory_not_equal(one.hash, other.hash, 32);
  free(one.data);
  free(again.data);
  free(other.data);
}

static void firmware_of_ones_own_is_signed_byte_for_byte(void **state)
{
  static const char firmware[] = "this is some firmware";
  struct pki_image image = plain;
  struct device_image_info info;
  image.body = (const uint8_t *) firmware;
  image.body_size = sizeof firmware;
  struct file file = made(*state, &image);
  assert_int_equal(verify(*state, &file, &info), DEVICE_OTA_NONE);
  assert_int_equal(info.body_size, sizeof firmware);
  assert_memory_equal(file.data + info.header_size, firmware, sizeof firmware);
  free(file.data);
}

static void an_image_carries_a_trust_bundle(void **state)
{
  struct fixture *f = *state;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t size;
  struct pki_roots roots = names("B", "spare", NULL);
  struct device_image_info info;
  EXPECT_OK(pki_make_bundle(f->pki, 2, &roots, bundle, sizeof bundle, &size, &error));
  struct pki_image image = plain;
  image.trust = bundle;
  image.trust_size = size;
  struct file file = made(f, &image);
  assert_int_equal(file.size, plain.size);
  assert_int_equal(verify(f, &file, &info), DEVICE_OTA_NONE);
  assert_int_equal(info.trust_size, size);
  assert_memory_equal(file.data + info.trust_offset, bundle, size);
  free(file.data);
}

static void refuses_images_that_cannot_be(void **state)
{
  struct fixture *f = *state;
  struct file file;
  struct pki_image image = plain;
  image.size = 203;
  EXPECT_REFUSAL(pki_image_make(f->pki, &image, &file.data, &file.size, file.hash, &error),
                 EXIT_CODE_USAGE, "no room for firmware");
  image.size = 0;
  EXPECT_REFUSAL(pki_image_make(f->pki, &image, &file.data, &file.size, file.hash, &error),
                 EXIT_CODE_USAGE, "larger");
  image.body = (const uint8_t *) "";
  EXPECT_REFUSAL(pki_image_make(f->pki, &image, &file.data, &file.size, file.hash, &error),
                 EXIT_CODE_USAGE, "firmware of 0 bytes");
  image.body_size = UINT32_MAX;
  EXPECT_REFUSAL(pki_image_make(f->pki, &image, &file.data, &file.size, file.hash, &error),
                 EXIT_CODE_USAGE, "makes no image");
  image = plain;
  image.trust = (const uint8_t *) "";
  image.trust_size = DEVICE_NVM_TRUST_MAX + 1;
  EXPECT_REFUSAL(pki_image_make(f->pki, &image, &file.data, &file.size, file.hash, &error),
                 EXIT_CODE_USAGE, "the room that devices have");
}

static void the_image_key_is_a_secret_of_its_own(void **state)
{
  struct fixture *f = *state;
  uint8_t point[65];
  EXPECT_OK(pki_image_point(f->pki, point, &error));
  assert_int_equal(mode_of(at(f, "image.key")), 0600);
  EVP_PKEY *public = pki_key_read_public(at(f, "image.pub"), &error);
  EVP_PKEY *private = pki_key_read_public(at(f, "image.key"), &error);
  EVP_PKEY *update = pki_key_read_public(at(f, "update.pub"), &error);
  assert_non_null(public);
  assert_int_equal(EVP_PKEY_eq(public, private), 1);
  assert_int_equal(EVP_PKEY_eq(public, update), 0);
  EVP_PKEY_free(public);
  EVP_PKEY_free(private);
  EVP_PKEY_free(update);
  assert_null(pki_key_read_public(at(f, "operator.crt"), &error));
  assert_non_null(strstr(error.text, "no public or private key"));
}

static void a_folder_from_before_image_keys_gets_one_and_keeps_it(void **state)
{
  struct fixture *f = *state;
  uint8_t first[65], second[65];
  struct pki_image image = plain;
  assert_int_equal(remove(at(f, "image.key")), 0);
  assert_int_equal(remove(at(f, "image.pub")), 0);
  pki_close(f->pki);
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  assert_int_not_equal(access(at(f, "image.key"), F_OK), 0);
  struct file file = made(f, &image);
  free(file.data);
  assert_int_equal(mode_of(at(f, "image.key")), 0600);
  EXPECT_OK(pki_image_point(f->pki, first, &error));
  pki_close(f->pki);
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  EXPECT_OK(pki_image_point(f->pki, second, &error));
  assert_memory_equal(first, second, sizeof first);
}

/* What a device compares, with counter 7 of class 42 wanted, serial 5 accepted before, in the order
 * of sim/device/ota.h: the manifest first, then the file's length, then the file. */
static enum device_ota_status judge(struct fixture *f, const uint8_t *manifest,
                                    size_t manifest_size, struct file *file)
{
  struct device_manifest m;
  struct device_image_info info;
  if (device_manifest_parse(manifest, manifest_size, &m) != DEVICE_OTA_NONE)
    return DEVICE_OTA_BAD_MANIFEST;
  if (device_manifest_verify(manifest, manifest_size, f->pki->update_point) != DEVICE_OTA_NONE)
    return DEVICE_OTA_MANIFEST_SIGNATURE;
  if (m.serial < 5) return DEVICE_OTA_STALE_MANIFEST;
  if (m.device_class != 42) return DEVICE_OTA_WRONG_CLASS;
  if (m.counter < 7) return DEVICE_OTA_OLD_COUNTER;
  if (m.size > SLOT) return DEVICE_OTA_OVERSIZE;
  if (file->size != m.size) return file->size < m.size ? DEVICE_OTA_TRUNCATED : DEVICE_OTA_ENDLESS;
  enum device_ota_status status = verify(f, file, &info);
  if (status != DEVICE_OTA_NONE) return status;
  if (memcmp(info.hash, m.hash, 32) != 0) return DEVICE_OTA_HASH_MISMATCH;
  if (info.version != m.version || info.counter != m.counter || info.device_class != m.device_class)
    return DEVICE_OTA_NOT_AS_ANNOUNCED;
  return DEVICE_OTA_CONFIRMED;
}

static enum device_ota_status spoiled(struct fixture *f, enum pki_image_harm harm, uint64_t seed)
{
  struct file file = made(f, &plain);
  struct device_manifest m = {.serial = 6,
                              .version = plain.version,
                              .counter = plain.counter,
                              .device_class = plain.device_class,
                              .size = plain.size,
                              .block_size = 1024};
  uint8_t manifest[DEVICE_MANIFEST_MAX];
  size_t size;
  EVP_PKEY *key;
  memcpy(m.hash, file.hash, sizeof m.hash);
  EXPECT_OK(pki_image_key(f->pki, &key, &error));
  EXPECT_OK(pki_image_spoil(harm, seed, key, &file.data, &file.size, &m, &error));
  EXPECT_OK(pki_manifest_make(f->pki, &m, manifest, sizeof manifest, &size, &error));
  pki_manifest_spoil(harm, manifest, size);
  enum device_ota_status status = judge(f, manifest, size, &file);
  free(file.data);
  return status;
}

static void every_harm_is_refused_with_the_code_that_it_foretells(void **state)
{
  for (int harm = 0; harm < PKI_HARM_COUNT; harm++)
    for (uint64_t seed = 1; seed <= 20; seed++)
      assert_string_equal(device_ota_status_name(spoiled(*state, (enum pki_image_harm) harm, seed)),
                          device_ota_status_name(pki_harm_status((enum pki_image_harm) harm)));
}

static void every_harm_has_a_word_of_its_own(void **state)
{
  (void) state;
  for (int harm = 0; harm < PKI_HARM_COUNT; harm++)
    assert_int_equal(pki_harm_find(pki_harm_name((enum pki_image_harm) harm)), harm);
  assert_int_equal(pki_harm_find("bitflip"), -1);
  assert_string_equal(pki_harm_name(PKI_HARM_COUNT), "unknown");
}

static void an_image_alone_cannot_have_a_harm_of_its_manifest(void **state)
{
  struct file file = made(*state, &plain);
  EXPECT_REFUSAL(
      pki_image_spoil(PKI_HARM_STALE_MANIFEST, 1, NULL, &file.data, &file.size, NULL, &error),
      EXIT_CODE_USAGE, "of the manifest");
  EXPECT_REFUSAL(
      pki_image_spoil(PKI_HARM_WRONG_CLASS, 1, NULL, &file.data, &file.size, NULL, &error),
      EXIT_CODE_USAGE, "name the key");
  file.data[0] = 0;
  EXPECT_REFUSAL(pki_image_spoil(PKI_HARM_BIT_FLIP, 1, NULL, &file.data, &file.size, NULL, &error),
                 EXIT_CODE_USAGE, "only a good image");
  free(file.data);
}

static void refuses_manifests_that_devices_would_not_parse(void **state)
{
  struct fixture *f = *state;
  struct device_manifest m = {.serial = 6, .size = 4096, .block_size = 1000};
  uint8_t manifest[DEVICE_MANIFEST_MAX];
  size_t size;
  EXPECT_REFUSAL(pki_manifest_make(f->pki, &m, manifest, sizeof manifest, &size, &error),
                 EXIT_CODE_USAGE, "a power of two");
  m.block_size = 1024;
  EXPECT_OK(pki_manifest_make(f->pki, &m, manifest, sizeof manifest, &size, &error));
  EXPECT_REFUSAL(pki_manifest_make(f->pki, &m, manifest, size - 1, &size, &error), EXIT_CODE_USAGE,
                 "refuse");
}

static void expect_kind(const char *begin, size_t size, const char *expected)
{
  const char *name = "", *advice = "";
  bool known = pki_image_kind((const uint8_t *) begin, size, &name, &advice);
  assert_string_equal(name, expected);
  assert_int_equal(known, expected[0] != '\0');
  assert_int_equal(advice[0] != '\0', known);
}

static void knows_what_is_no_raw_firmware(void **state)
{
  (void) state;
#define KIND(begin, expected) expect_kind(begin, sizeof begin - 1, expected)
  KIND("\x3d\xb8\xf3\x96 and so on", "an image of MCUboot, signed already");
  KIND("\x96\xf3\xb8\x3d and so on", "an image of MCUboot for a big-endian processor");
  KIND("\x7f"
       "ELF\x01\x01",
       "an ELF file");
  KIND("UF2\nWQ]\x9e", "a UF2 file");
  KIND(":10010000214601360121470136007EFE09D2190140\r\n", "an Intel HEX file");
  KIND("\xef\xbb\xbf\r\n:020000040000fa\n", "an Intel HEX file");
  KIND("S00F000068656C6C6F202020202000003C\n", "a file of S-records");
  KIND("@0000\n31 40\nq\n", "a TI-TXT or Verilog hex file");
  KIND("PK\x03\x04\x14", "a ZIP archive");
  KIND("\x1f\x8b\x08", "compressed by gzip");
  KIND("-----BEGIN EC PARAMETERS-----\n", "a PEM file, a key or a certificate");
  KIND("<!DOCTYPE html>", "a web page");
  KIND("FST1\0\0", "a trust bundle");
  /* what may be firmware */
  KIND("", "");
  KIND("\x00\x20\x00\x20\xc1\x01\x00\x00", ""); /* a stack pointer and a reset vector */
  KIND(":this is text", "");
  KIND("S0 long, and thanks", "");
  KIND("@", "");
  KIND("\x7f"
       "EL",
       "");
#undef KIND
}

/* What a device says to the image once `at` has become `value`, a byte of it, as a sentence. */
static void expect_cause(struct fixture *f, size_t at, uint8_t value, const char *expected)
{
  struct file file = made(f, &plain);
  char cause[PKI_IMAGE_CAUSE_MAX];
  struct device_image_info info;
  struct device_image_finding finding;
  struct device_image_source source = {&file, read_file, (uint32_t) file.size};
  file.data[at] = value;
  assert_int_not_equal(device_image_examine(&source, &info, &finding), DEVICE_OTA_NONE);
  pki_image_cause(&source, &finding, cause);
  if (strstr(cause, expected) == NULL) fail_msg("'%s' is not in '%s'", expected, cause);
  free(file.data);
}

static void a_refusal_says_its_cause_and_what_to_do(void **state)
{
  struct fixture *f = *state;
  const struct file good = made(f, &plain);
  size_t list = good.size - (4 + 36 + 36 + 75), protected = list - 20;
  assert_int_equal(good.data[list], 0x07);
  assert_int_equal(good.data[protected], 0x08);
  free(good.data);
  expect_cause(f, 16, 0x04, "without --encrypt");
  expect_cause(f, 17, 0x04, "without --compression");
  expect_cause(f, 16, 0x20, "without --load-addr");
  expect_cause(f, 7, 0x20, "without --load-addr");
  expect_cause(f, 16, 0x01, "(0x1)");
  expect_cause(f, protected + 4, 0x51, "imgtool's -s N");
  expect_cause(f, protected + 12, 0xb0, "--custom-tlv 0xa0 0x01000000");
  expect_cause(f, protected + 14, 1, "its device class (0xa0) has 1 byte, not 4");
  expect_cause(f, protected + 6, 8, "its security counter (0x50) has 8 bytes, not 4");
  expect_cause(f, list + 40, 0x02, "without --public-key-format full");
  expect_cause(f, list + 4, 0x12, "(0x12, SHA-512)");
  expect_cause(f, list + 76, 0x24, "(0x24, Ed25519 signature)");
  expect_cause(f, list + 76, 0x33, "without --encrypt and --clear");
  expect_cause(f, list, 0xff, "something else, at byte");
  expect_cause(f, 0, 0x3c, "first format");
}

static void bytes_after_an_image_are_padding_where_they_look_like_it(void **state)
{
  struct file file = made(*state, &plain);
  char cause[PKI_IMAGE_CAUSE_MAX];
  struct device_image_info info;
  struct device_image_finding finding;
  file.data = realloc(file.data, file.size + 100);
  for (int value = 0xfe; value <= 0xff; value++) {
    struct device_image_source source = {&file, read_file, (uint32_t) file.size + 100};
    memset(file.data + file.size, value, 100);
    file.size += 100;
    assert_int_equal(device_image_examine(&source, &info, &finding), DEVICE_OTA_BAD_TLV);
    pki_image_cause(&source, &finding, cause);
    assert_string_equal(cause, value == 0xfe
                                   ? "100 bytes follow the image"
                                   : "100 bytes follow the image, which is padded to the size of a "
                                     "slot: sign it without --pad, --confirm and --test");
    file.size -= 100;
  }
  free(file.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_device_believes_what_is_made),
      TEST(an_image_has_exactly_the_size_that_was_asked_for),
      TEST(the_same_seed_makes_the_same_firmware_and_another_another),
      TEST(firmware_of_ones_own_is_signed_byte_for_byte),
      TEST(an_image_carries_a_trust_bundle),
      TEST(refuses_images_that_cannot_be),
      TEST(the_image_key_is_a_secret_of_its_own),
      TEST(a_folder_from_before_image_keys_gets_one_and_keeps_it),
      TEST(every_harm_is_refused_with_the_code_that_it_foretells),
      TEST(every_harm_has_a_word_of_its_own),
      TEST(an_image_alone_cannot_have_a_harm_of_its_manifest),
      TEST(refuses_manifests_that_devices_would_not_parse),
      TEST(knows_what_is_no_raw_firmware),
      TEST(a_refusal_says_its_cause_and_what_to_do),
      TEST(bytes_after_an_image_are_padding_where_they_look_like_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
