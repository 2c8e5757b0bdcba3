/* A processor's AES instruction takes a few cycles, and eight of them that do not wait for each
 * other take not many more: that is why eight blocks go at a time. Keys are the library's, expanded
 * as the standard has them. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* the round keys */

#include "crypto/ctr_host.h"

#include <stdint.h>
#include <string.h>

#include <mbedtls/aes.h>
#include <openssl/crypto.h>

#define BLOCK_SIZE 16

static uint32_t count_of(const unsigned char counter[BLOCK_SIZE])
{
  return (uint32_t) counter[12] << 24 | (uint32_t) counter[13] << 16 | (uint32_t) counter[14] << 8 |
         counter[15];
}

void ctr_host_blocks_anywhere(const unsigned char *in, unsigned char *out, size_t blocks,
                              const void *key, const unsigned char counter[16])
{
  unsigned char block[BLOCK_SIZE], stream[BLOCK_SIZE];
  uint32_t count = count_of(counter);
  memcpy(block, counter, sizeof block);
  for (; blocks > 0; blocks--, count++, in += BLOCK_SIZE, out += BLOCK_SIZE) {
    for (size_t i = 0; i < 4; i++) block[12 + i] = (unsigned char) (count >> (24 - 8 * i));
    /* it fails for no key that mbedtls_aes_setkey_enc took */
    (void) mbedtls_aes_crypt_ecb((mbedtls_aes_context *) key, MBEDTLS_AES_ENCRYPT, block, stream);
    for (size_t i = 0; i < BLOCK_SIZE; i++) out[i] = in[i] ^ stream[i];
  }
  OPENSSL_cleanse(stream, sizeof stream);
}

#ifdef __x86_64__

#include <immintrin.h>

#define AT_ONCE 8
#define AES_NI  __attribute__((target("aes,sse4.1")))

/* The keystream of eight blocks from `count` on. */
AES_NI static inline void make_stream(const mbedtls_aes_context *aes, __m128i counter,
                                      uint32_t count, __m128i stream[AT_ONCE])
{
  const __m128i *round_key = (const void *) (aes->buf + aes->rk_offset);
  __m128i key = _mm_loadu_si128(round_key);
  for (uint32_t i = 0; i < AT_ONCE; i++) {
    int lowest_last = (int) __builtin_bswap32(count + i);
    stream[i] = _mm_xor_si128(_mm_insert_epi32(counter, lowest_last, 3), key);
  }
  for (int round = 1; round < aes->nr; round++) {
    key = _mm_loadu_si128(&round_key[round]);
    for (size_t i = 0; i < AT_ONCE; i++) stream[i] = _mm_aesenc_si128(stream[i], key);
  }
  key = _mm_loadu_si128(&round_key[aes->nr]);
  for (size_t i = 0; i < AT_ONCE; i++) stream[i] = _mm_aesenclast_si128(stream[i], key);
}

AES_NI static inline void apply(const unsigned char *in, unsigned char *out, size_t blocks,
                                const __m128i stream[AT_ONCE])
{
  for (size_t i = 0; i < blocks; i++) {
    __m128i text = _mm_loadu_si128((const void *) (in + i * BLOCK_SIZE));
    _mm_storeu_si128((void *) (out + i * BLOCK_SIZE), _mm_xor_si128(text, stream[i]));
  }
}

AES_NI static void blocks_aes_ni(const unsigned char *in, unsigned char *out, size_t blocks,
                                 const mbedtls_aes_context *aes, const unsigned char counter[16])
{
  __m128i start = _mm_loadu_si128((const void *) counter), stream[AT_ONCE];
  uint32_t count = count_of(counter);
  for (; blocks >= AT_ONCE; blocks -= AT_ONCE, count += AT_ONCE) {
    make_stream(aes, start, count, stream);
    apply(in, out, AT_ONCE, stream);
    in += AT_ONCE * BLOCK_SIZE, out += AT_ONCE * BLOCK_SIZE;
  }
  if (blocks > 0) {
    make_stream(aes, start, count, stream);
    apply(in, out, blocks, stream);
  }
  OPENSSL_cleanse(stream, sizeof stream);
}

void ctr_host_blocks(const unsigned char *in, unsigned char *out, size_t blocks, const void *key,
                     const unsigned char counter[16])
{
  if (__builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1"))
    blocks_aes_ni(in, out, blocks, key, counter);
  else
    ctr_host_blocks_anywhere(in, out, blocks, key, counter);
}

#else

void ctr_host_blocks(const unsigned char *in, unsigned char *out, size_t blocks, const void *key,
                     const unsigned char counter[16])
{
  ctr_host_blocks_anywhere(in, out, blocks, key, counter);
}

#endif
