/* Published answers of SHA-256 and AES-128-GCM, asked through PSA: the host's code must give the
   device's bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/meter.h"

#include "rig.h"

/* NIST, FIPS 180-4 examples: none, one and two blocks of message. */
static const struct {
  const char *message, *hash;
} sha256[] = {
    {"", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
    {"abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248D6A61D20638B8E5C026930C3E6039A33CE45964FF2167F6ECEDD419DB06C1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     "CF5B16A778AF8380036CE59E7B0492370B249B11E8F07A51AFAC45037AFEE9D1"},
};
#define MILLION_A "CDC76E5C9914FB9281A1C7E284D73E67F1809A48A497200E046D39CCC7112CD0"

/* NIST, the GCM specification's test cases 1 to 6 for AES-128: no plaintext, one block, four
 * blocks, 60 bytes with additional data, and those with a nonce of 8 and of 60 bytes. */
static const struct {
  const char *key, *nonce, *additional, *plaintext, *ciphertext;
} gcm[] = {
    {"00000000000000000000000000000000", "000000000000000000000000", "", "",
     "58E2FCCEFA7E3061367F1D57A4E7455A"},
    {"00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000",
     "0388DACE60B6A392F328C2B971B2FE78AB6E47D42CEC13BDF53A67B21257BDDF"},
    {"FEFFE9928665731C6D6A8F9467308308", "CAFEBABEFACEDBADDECAF888", "",
     "D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A721C3C0C95956809532FCF0E2449A6B"
     "525B16AEDF5AA0DE657BA637B391AAFD255",
     "42831EC2217774244B7221B784D0D49CE3AA212F2C02A4E035C17E2329ACA12E21D514B25466931C7D8F6A5AAC84A"
     "A051BA30B396A0AAC973D58E091473F59854D5C2AF327CD64A62CF35ABD2BA6FAB4"},
    {"FEFFE9928665731C6D6A8F9467308308", "CAFEBABEFACEDBADDECAF888",
     "FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
     "D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A721C3C0C95956809532FCF0E2449A6B"
     "525B16AEDF5AA0DE657BA637B39",
     "42831EC2217774244B7221B784D0D49CE3AA212F2C02A4E035C17E2329ACA12E21D514B25466931C7D8F6A5AAC84A"
     "A051BA30B396A0AAC973D58E0915BC94FBC3221A5DB94FAE95AE7121A47"},
    {"FEFFE9928665731C6D6A8F9467308308", "CAFEBABEFACEDBAD",
     "FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
     "D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A721C3C0C95956809532FCF0E2449A6B"
     "525B16AEDF5AA0DE657BA637B39",
     "61353B4C2806934A777FF51FA22A4755699B2A714FCDC6F83766E5F97B6C742373806900E49F24B22B097544D4896"
     "B424989B5E1EBAC0F07C23F45983612D2E79E3B0785561BE14AACA2FCCB"},
    {"FEFFE9928665731C6D6A8F9467308308",
     "9313225DF88406E555909C5AFF5269AA6A7A9538534F7DA1E4C303D2A318A728C3C0C95156809539FCF0E2429A6B5"
     "25416AEDBF5A0DE6A57A637B39B",
     "FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
     "D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A721C3C0C95956809532FCF0E2449A6B"
     "525B16AEDF5AA0DE657BA637B39",
     "8CE24998625615B603A033ACA13FB894BE9112A5C3A211A8BA262A3CCA7E2CA701E4A9A4FBA43C90CCDCB281D48C7"
     "C6FD62875D2ACA417034C34AEE5619CC5AEFFFE0BFA462AF43C1699D050"},
};

static uint32_t blocks_of(size_t message_size)
{
  /* a one bit and a 64-bit length are padded to whole blocks */
  return (uint32_t) ((message_size + 1 + 8 + 63) / 64);
}

static void hashes_as_fips_180_4_says(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof sha256 / sizeof *sha256; i++) {
    uint8_t expected[32], hash[32];
    size_t size, message_size = strlen(sha256[i].message);
    rig_hex(sha256[i].hash, expected, sizeof expected);
    psa_status_t status = psa_hash_compute(PSA_ALG_SHA_256, (const uint8_t *) sha256[i].message,
                                           message_size, hash, sizeof hash, &size);
    assert_int_equal(status, PSA_SUCCESS);
    assert_int_equal(size, sizeof hash);
    assert_memory_equal(hash, expected, sizeof hash);
  }
}

/* The message in pieces of `piece` bytes. */
static void hash_pieces(const uint8_t *message, size_t message_size, size_t piece, uint8_t hash[32])
{
  psa_hash_operation_t operation = PSA_HASH_OPERATION_INIT;
  size_t size;
  assert_int_equal(psa_hash_setup(&operation, PSA_ALG_SHA_256), PSA_SUCCESS);
  for (size_t at = 0; at < message_size; at += piece) {
    size_t left = message_size - at;
    assert_int_equal(psa_hash_update(&operation, message + at, left < piece ? left : piece),
                     PSA_SUCCESS);
  }
  assert_int_equal(psa_hash_finish(&operation, hash, 32, &size), PSA_SUCCESS);
}

static void a_million_a_hash_alike_however_they_are_cut(void **state)
{
  (void) state;
  enum { million = 1000000 };
  static const size_t pieces[] = {1, 7, 55, 63, 64, 65, 127, 1000, 999983, million};
  uint8_t *message = malloc(million), expected[32], hash[32];
  assert_non_null(message);
  memset(message, 'a', million);
  rig_hex(MILLION_A, expected, sizeof expected);
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    struct crypto_meter meter = {0};
    crypto_meter_use(&meter);
    hash_pieces(message, million, pieces[i], hash);
    crypto_meter_use(NULL);
    if (memcmp(hash, expected, sizeof hash) != 0)
      fail_msg("pieces of %zu bytes hash to something else", pieces[i]);
    assert_int_equal(meter.sha256_blocks, blocks_of(million));
  }
  free(message);
}

static void a_copied_hash_goes_on_by_itself(void **state)
{
  (void) state;
  psa_hash_operation_t one = PSA_HASH_OPERATION_INIT, two = PSA_HASH_OPERATION_INIT;
  const uint8_t *message = (const uint8_t *) sha256[3].message;
  uint8_t expected[32], hash[32], other[32];
  size_t size, whole = strlen(sha256[3].message);
  rig_hex(sha256[3].hash, expected, sizeof expected);
  assert_int_equal(psa_hash_setup(&one, PSA_ALG_SHA_256), PSA_SUCCESS);
  assert_int_equal(psa_hash_update(&one, message, 70), PSA_SUCCESS);
  assert_int_equal(psa_hash_clone(&one, &two), PSA_SUCCESS);
  assert_int_equal(psa_hash_finish(&one, other, sizeof other, &size), PSA_SUCCESS);
  assert_int_equal(psa_hash_update(&two, message + 70, whole - 70), PSA_SUCCESS);
  assert_int_equal(psa_hash_finish(&two, hash, sizeof hash, &size), PSA_SUCCESS);
  assert_memory_equal(hash, expected, sizeof hash);
  assert_memory_not_equal(other, expected, sizeof hash);
}

static void the_meter_counts_blocks_with_their_padding(void **state)
{
  (void) state;
  static const uint8_t message[200] = {0};
  for (size_t message_size = 0; message_size <= sizeof message; message_size++) {
    struct crypto_meter meter = {0};
    uint8_t hash[32];
    size_t size;
    crypto_meter_use(&meter);
    assert_int_equal(
        psa_hash_compute(PSA_ALG_SHA_256, message, message_size, hash, sizeof hash, &size),
        PSA_SUCCESS);
    crypto_meter_use(NULL);
    struct crypto_meter expected = {.sha256_blocks = blocks_of(message_size)};
    if (memcmp(&meter, &expected, sizeof meter) != 0)
      fail_msg("%zu bytes: %u blocks instead of %u", message_size, (unsigned) meter.sha256_blocks,
               (unsigned) expected.sha256_blocks);
  }
}

struct sealed {
  psa_key_id_t key;
  uint8_t nonce[60], additional[20], plaintext[64], ciphertext[80];
  size_t nonce_size, additional_size, plaintext_size, ciphertext_size;
};

static struct sealed read_case(size_t i)
{
  struct sealed it = {0};
  uint8_t key[16];
  rig_hex(gcm[i].key, key, sizeof key);
  it.nonce_size = rig_hex(gcm[i].nonce, it.nonce, sizeof it.nonce);
  it.additional_size = rig_hex(gcm[i].additional, it.additional, sizeof it.additional);
  it.plaintext_size = rig_hex(gcm[i].plaintext, it.plaintext, sizeof it.plaintext);
  it.ciphertext_size = rig_hex(gcm[i].ciphertext, it.ciphertext, sizeof it.ciphertext);
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  assert_int_equal(psa_import_key(&attributes, key, sizeof key, &it.key), PSA_SUCCESS);
  return it;
}

static psa_status_t open_sealed(const struct sealed *it, uint8_t out[80], size_t *size)
{
  return psa_aead_decrypt(it->key, PSA_ALG_GCM, it->nonce, it->nonce_size, it->additional,
                          it->additional_size, it->ciphertext, it->ciphertext_size, out, 80, size);
}

static void seals_and_opens_as_the_gcm_specification_says(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof gcm / sizeof *gcm; i++) {
    struct sealed it = read_case(i);
    uint8_t out[80];
    size_t size;
    assert_int_equal(psa_aead_encrypt(it.key, PSA_ALG_GCM, it.nonce, it.nonce_size, it.additional,
                                      it.additional_size, it.plaintext, it.plaintext_size, out,
                                      sizeof out, &size),
                     PSA_SUCCESS);
    assert_int_equal(size, it.ciphertext_size);
    assert_memory_equal(out, it.ciphertext, size);
    assert_int_equal(open_sealed(&it, out, &size), PSA_SUCCESS);
    assert_int_equal(size, it.plaintext_size);
    assert_memory_equal(out, it.plaintext, size);
    psa_destroy_key(it.key);
  }
}

/* Seals or opens `it` into itself, `piece` bytes at a time; the tag, which PSA makes or checks. */
static psa_status_t in_pieces(struct sealed *it, bool seal, size_t piece, uint8_t tag[16])
{
  psa_aead_operation_t operation = PSA_AEAD_OPERATION_INIT;
  uint8_t *text = seal ? it->plaintext : it->ciphertext;
  size_t size, tag_size, at;
  assert_int_equal(
      (seal ? psa_aead_encrypt_setup : psa_aead_decrypt_setup)(&operation, it->key, PSA_ALG_GCM),
      0);
  assert_int_equal(psa_aead_set_nonce(&operation, it->nonce, it->nonce_size), PSA_SUCCESS);
  for (at = 0; at < it->additional_size; at += piece) {
    size_t left = it->additional_size - at;
    assert_int_equal(
        psa_aead_update_ad(&operation, it->additional + at, left < piece ? left : piece),
        PSA_SUCCESS);
  }
  for (at = 0; at < it->plaintext_size; at += size) {
    size_t left = it->plaintext_size - at, n = left < piece ? left : piece;
    assert_int_equal(psa_aead_update(&operation, text + at, n, text + at, n, &size), PSA_SUCCESS);
    assert_int_equal(size, n);
  }
  if (!seal) return psa_aead_verify(&operation, NULL, 0, &size, tag, 16);
  return psa_aead_finish(&operation, NULL, 0, &size, tag, 16, &tag_size);
}

static void seals_and_opens_in_pieces_of_any_size(void **state)
{
  (void) state;
  for (size_t i = 0; i < sizeof gcm / sizeof *gcm; i++)
    for (size_t piece = 1; piece <= 64; piece++) {
      struct sealed it = read_case(i);
      uint8_t tag[16], clear[64];
      memcpy(clear, it.plaintext, sizeof clear);
      assert_int_equal(in_pieces(&it, true, piece, tag), PSA_SUCCESS);
      assert_memory_equal(it.plaintext, it.ciphertext, it.plaintext_size);
      assert_memory_equal(tag, it.ciphertext + it.plaintext_size, sizeof tag);
      assert_int_equal(in_pieces(&it, false, piece, tag), PSA_SUCCESS);
      assert_memory_equal(it.ciphertext, clear, it.plaintext_size);
      memcpy(it.ciphertext, it.plaintext, it.plaintext_size);
      tag[i] ^= 1;
      assert_int_equal(in_pieces(&it, false, piece, tag), PSA_ERROR_INVALID_SIGNATURE);
      psa_destroy_key(it.key);
    }
}

/* Several messages under way, each with a key of its own, and a whole one in between. */
static void messages_under_way_do_not_mix(void **state)
{
  (void) state;
  enum { messages = 4 };
  psa_aead_operation_t operation[messages];
  struct sealed it[messages];
  for (size_t i = 0; i < messages; i++) {
    operation[i] = psa_aead_operation_init();
    it[i] = read_case(2 + i);
    assert_int_equal(psa_aead_encrypt_setup(&operation[i], it[i].key, PSA_ALG_GCM), PSA_SUCCESS);
    assert_int_equal(psa_aead_set_nonce(&operation[i], it[i].nonce, it[i].nonce_size), PSA_SUCCESS);
    assert_int_equal(psa_aead_update_ad(&operation[i], it[i].additional, it[i].additional_size),
                     PSA_SUCCESS);
  }
  uint8_t out[80], tag[16];
  size_t size, tag_size;
  assert_int_equal(open_sealed(&it[0], out, &size), PSA_SUCCESS);
  for (size_t i = messages; i-- > 0;) {
    psa_status_t status = psa_aead_update(&operation[i], it[i].plaintext, it[i].plaintext_size, out,
                                          sizeof out, &size);
    assert_int_equal(status, PSA_SUCCESS);
    assert_memory_equal(out, it[i].ciphertext, it[i].plaintext_size);
    assert_int_equal(psa_aead_finish(&operation[i], NULL, 0, &size, tag, sizeof tag, &tag_size),
                     PSA_SUCCESS);
    assert_memory_equal(tag, it[i].ciphertext + it[i].plaintext_size, sizeof tag);
    psa_destroy_key(it[i].key);
  }
}

static void refuses_a_record_with_any_bit_turned(void **state)
{
  (void) state;
  struct sealed it = read_case(3);
  uint8_t out[80];
  size_t size;
  for (size_t bit = 0; bit < 8 * it.ciphertext_size; bit++) {
    it.ciphertext[bit / 8] ^= (uint8_t) (1u << bit % 8);
    psa_status_t status = open_sealed(&it, out, &size);
    if (status != PSA_ERROR_INVALID_SIGNATURE)
      fail_msg("bit %zu of the ciphertext: status %d", bit, (int) status);
    it.ciphertext[bit / 8] ^= (uint8_t) (1u << bit % 8);
  }
  for (size_t bit = 0; bit < 8 * it.additional_size; bit++) {
    it.additional[bit / 8] ^= (uint8_t) (1u << bit % 8);
    psa_status_t status = open_sealed(&it, out, &size);
    if (status != PSA_ERROR_INVALID_SIGNATURE)
      fail_msg("bit %zu of the additional data: status %d", bit, (int) status);
    it.additional[bit / 8] ^= (uint8_t) (1u << bit % 8);
  }
  assert_int_equal(open_sealed(&it, out, &size), PSA_SUCCESS);
  psa_destroy_key(it.key);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes_as_fips_180_4_says),
      cmocka_unit_test(a_million_a_hash_alike_however_they_are_cut),
      cmocka_unit_test(a_copied_hash_goes_on_by_itself),
      cmocka_unit_test(the_meter_counts_blocks_with_their_padding),
      cmocka_unit_test(seals_and_opens_as_the_gcm_specification_says),
      cmocka_unit_test(seals_and_opens_in_pieces_of_any_size),
      cmocka_unit_test(messages_under_way_do_not_mix),
      cmocka_unit_test(refuses_a_record_with_any_bit_turned),
  };
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
