/* AES-GCM of every length, and where the counter turns over, against libcrypto's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/gcm.h>
#include <openssl/evp.h>

#include "crypto/ctr_host.h"

#include "rig.h"

#define SEED     UINT64_C(20261201)
#define TEXT_MAX 16640
#define TAG_SIZE 16

struct message {
  uint8_t key[32], nonce[16], additional[40], text[TEXT_MAX + 16], tag[TAG_SIZE];
  unsigned key_bits;
  size_t nonce_size, additional_size, size;
};

static struct message draw(size_t size, unsigned key_bits, size_t nonce_size)
{
  static struct message message;
  rig_random(message.key, sizeof message.key);
  rig_random(message.nonce, sizeof message.nonce);
  rig_random(message.additional, sizeof message.additional);
  rig_random(message.text, size);
  message.key_bits = key_bits;
  message.nonce_size = nonce_size;
  message.additional_size = size % (sizeof message.additional + 1);
  message.size = size;
  return message;
}

static void seal_by_libcrypto(const struct message *message, uint8_t *out, uint8_t tag[TAG_SIZE])
{
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int size;
  assert_int_equal(EVP_EncryptInit_ex(ctx,
                                      message->key_bits == 128   ? EVP_aes_128_gcm()
                                      : message->key_bits == 192 ? EVP_aes_192_gcm()
                                                                 : EVP_aes_256_gcm(),
                                      NULL, NULL, NULL),
                   1);
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_IVLEN, (int) message->nonce_size, NULL);
  assert_int_equal(EVP_EncryptInit_ex(ctx, NULL, NULL, message->key, message->nonce), 1);
  EVP_EncryptUpdate(ctx, NULL, &size, message->additional, (int) message->additional_size);
  if (message->size > 0) EVP_EncryptUpdate(ctx, out, &size, message->text, (int) message->size);
  assert_int_equal(EVP_EncryptFinal_ex(ctx, out + message->size, &size), 1);
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, tag);
  EVP_CIPHER_CTX_free(ctx);
}

/* From `shift` bytes behind an aligned place, into itself or elsewhere. */
static void compare(const struct message *message, size_t shift, bool in_place)
{
  static uint8_t wanted[TEXT_MAX + 16], space[2][TEXT_MAX + 32];
  uint8_t wanted_tag[TAG_SIZE], tag[TAG_SIZE];
  uint8_t *in = space[0] + shift, *out = in_place ? in : space[1] + 15 - shift;
  seal_by_libcrypto(message, wanted, wanted_tag);
  mbedtls_gcm_context gcm;
  mbedtls_gcm_init(&gcm);
  assert_int_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, message->key, message->key_bits),
                   0);
  memcpy(in, message->text, message->size);
  out[message->size] = 0x5a;
  assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, message->size,
                                             message->nonce, message->nonce_size,
                                             message->additional, message->additional_size, in, out,
                                             TAG_SIZE, tag),
                   0);
  if (memcmp(out, wanted, message->size) != 0 || memcmp(tag, wanted_tag, TAG_SIZE) != 0)
    fail_msg("seed %ju, %zu bytes, key of %u bits, shift %zu, in place %d: seals to something else",
             (uintmax_t) SEED, message->size, message->key_bits, shift, in_place);
  if (out[message->size] != 0x5a) fail_msg("%zu bytes: a byte behind them changed", message->size);
  uint8_t *clear = in_place ? out : in;
  if (!in_place) memset(in, 0, message->size);
  assert_int_equal(mbedtls_gcm_auth_decrypt(&gcm, message->size, message->nonce,
                                            message->nonce_size, message->additional,
                                            message->additional_size, tag, TAG_SIZE, out, clear),
                   0);
  if (memcmp(clear, message->text, message->size) != 0)
    fail_msg("%zu bytes open to something else", message->size);
  mbedtls_gcm_free(&gcm);
}

static void every_length_as_libcrypto_does(void **state)
{
  (void) state;
  static const unsigned key_bits[] = {128, 192, 256};
  rig_seed(SEED);
  for (size_t size = 0; size <= 300; size++) {
    struct message message = draw(size, key_bits[size % 3], 12);
    compare(&message, size % 16, false);
    compare(&message, (size + 5) % 16, true);
    message = draw(size, 128, 12);
    compare(&message, (size * 7) % 16, size % 2 == 0);
  }
}

static void lengths_around_multiples_of_128(void **state)
{
  (void) state;
  rig_seed(SEED);
  for (size_t whole = 384; whole <= 16384; whole += whole < 1024 ? 128 : 1920)
    for (size_t size = whole - 17; size <= whole + 17; size++) {
      struct message message = draw(size, size % 2 == 0 ? 128 : 256, 12);
      compare(&message, size % 16, size % 3 == 0);
    }
  struct message message = draw(16384, 128, 12);
  compare(&message, 0, true);
}

/* A counter that begins a few blocks before 2^32, as happens where a nonce has not 12 bytes, counts
 * on from 0, in its own four bytes. */
static void the_counter_turns_over_within_its_four_bytes(void **state)
{
  (void) state;
  enum { blocks = 40 };
  uint8_t key[16], counter[16], text[blocks * 16], host[blocks * 16], other[blocks * 16];
  mbedtls_aes_context aes;
  rig_seed(SEED);
  rig_random(key, sizeof key);
  rig_random(text, sizeof text);
  mbedtls_aes_init(&aes);
  assert_int_equal(mbedtls_aes_setkey_enc(&aes, key, 128), 0);
  for (uint32_t before = 0; before <= blocks; before++) {
    rig_random(counter, sizeof counter);
    memset(counter + 8, 0xff, 8); /* a carry into the eighth byte would show */
    uint32_t start = 0u - before;
    for (size_t i = 0; i < 4; i++) counter[12 + i] = (uint8_t) (start >> (24 - 8 * i));
    ctr_host_blocks(text, host, blocks, &aes, counter);
    ctr_host_blocks_anywhere(text, other, blocks, &aes, counter);
    for (uint32_t b = 0; b < blocks; b++) {
      uint8_t block[16], stream[16];
      memcpy(block, counter, sizeof block);
      for (size_t i = 0; i < 4; i++) block[12 + i] = (uint8_t) ((start + b) >> (24 - 8 * i));
      assert_int_equal(mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, block, stream), 0);
      for (size_t i = 0; i < 16; i++) stream[i] ^= text[b * 16 + i];
      if (memcmp(stream, host + b * 16, 16) != 0 || memcmp(stream, other + b * 16, 16) != 0)
        fail_msg("%u blocks before 2^32: block %u is another", before, b);
    }
  }
  mbedtls_aes_free(&aes);
}

/* Such a nonce is hashed to the first counter: it begins anywhere. */
static void nonces_of_other_sizes_as_libcrypto_does(void **state)
{
  (void) state;
  rig_seed(SEED);
  for (size_t size = 1; size < 2000; size += 13)
    for (size_t nonce_size = 1; nonce_size <= 16; nonce_size += 3) {
      struct message message = draw(size, 128, nonce_size);
      compare(&message, size % 16, size % 2 == 0);
    }
}

/* Any bit of the tag or the text turned: refused, and nothing of the text is given. */
static void a_long_record_with_a_bit_turned_is_refused(void **state)
{
  (void) state;
  static uint8_t sealed[TEXT_MAX + 16], clear[TEXT_MAX];
  uint8_t tag[TAG_SIZE];
  rig_seed(SEED);
  struct message message = draw(1500, 128, 12);
  seal_by_libcrypto(&message, sealed, tag);
  mbedtls_gcm_context gcm;
  mbedtls_gcm_init(&gcm);
  assert_int_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, message.key, 128), 0);
  for (size_t bit = 0; bit < 8 * (TAG_SIZE + message.size); bit += bit < 8 * TAG_SIZE ? 1 : 53) {
    uint8_t *at = bit < 8 * TAG_SIZE ? &tag[bit / 8] : &sealed[bit / 8 - TAG_SIZE];
    *at ^= (uint8_t) (1u << bit % 8);
    memset(clear, 1, message.size);
    int status = mbedtls_gcm_auth_decrypt(&gcm, message.size, message.nonce, 12, message.additional,
                                          message.additional_size, tag, TAG_SIZE, sealed, clear);
    if (status != MBEDTLS_ERR_GCM_AUTH_FAILED) fail_msg("bit %zu turned: status %d", bit, status);
    for (size_t i = 0; i < message.size; i++) assert_int_equal(clear[i], 0);
    *at ^= (uint8_t) (1u << bit % 8);
  }
  mbedtls_gcm_free(&gcm);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_length_as_libcrypto_does),
      cmocka_unit_test(lengths_around_multiples_of_128),
      cmocka_unit_test(the_counter_turns_over_within_its_four_bytes),
      cmocka_unit_test(nonces_of_other_sizes_as_libcrypto_does),
      cmocka_unit_test(a_long_record_with_a_bit_turned_is_refused),
  };
  return cmocka_run_group_tests(tests, rig_open, rig_close);
}
