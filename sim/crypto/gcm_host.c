/* Mbed TLS's AES-GCM on the host: keys are expanded by the library, the mode of operation is
 * libcrypto's, which authenticates many blocks at a time with the processor's instructions where
 * the library takes one, and ctr_host.h encrypts as many. */
#include <stdbool.h>
#include <string.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/error.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <openssl/modes.h>

#include "crypto/ctr_host.h"

#define TAG_MIN_SIZE 4
#define TAG_SIZE     16

/* A context of libcrypto's that is not in use: PSA makes a new one of ours for each record. Mbed
 * TLS is used by one thread at a time here. */
static GCM128_CONTEXT *spare;

static void encrypt_block(const unsigned char in[16], unsigned char out[16], const void *key)
{
  /* it fails for no key that mbedtls_aes_setkey_enc took */
  (void) mbedtls_aes_crypt_ecb((mbedtls_aes_context *) key, MBEDTLS_AES_ENCRYPT, in, out);
}

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
  memset(ctx, 0, sizeof *ctx);
  mbedtls_aes_init(&ctx->aes);
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
  if (ctx == NULL) return;
  if (spare == NULL)
    spare = ctx->gcm;
  else
    CRYPTO_gcm128_release(ctx->gcm);
  mbedtls_aes_free(&ctx->aes);
  mbedtls_platform_zeroize(ctx, sizeof *ctx);
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
                       const unsigned char *key, unsigned keybits)
{
  if (cipher != MBEDTLS_CIPHER_ID_AES) return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
  int status = mbedtls_aes_setkey_enc(&ctx->aes, key, keybits);
  if (status != 0) return status;
  if (ctx->gcm == NULL) {
    ctx->gcm = spare;
    spare = NULL;
  }
  if (ctx->gcm != NULL)
    CRYPTO_gcm128_init(ctx->gcm, &ctx->aes, encrypt_block);
  else
    ctx->gcm = CRYPTO_gcm128_new(&ctx->aes, encrypt_block);
  return ctx->gcm != NULL ? 0 : MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
}

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
  if (ctx->gcm == NULL || iv_len == 0) return MBEDTLS_ERR_GCM_BAD_INPUT;
  ctx->mode = mode;
  CRYPTO_gcm128_setiv(ctx->gcm, iv, iv_len);
  return 0;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
  return add_len == 0 || CRYPTO_gcm128_aad(ctx->gcm, add, add_len) == 0 ? 0
                                                                        : MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
                       unsigned char *output, size_t output_size, size_t *output_length)
{
  *output_length = 0;
  if (output_size < input_length) return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
  if (input_length == 0) return 0;
  int status =
      ctx->mode == MBEDTLS_GCM_ENCRYPT
          ? CRYPTO_gcm128_encrypt_ctr32(ctx->gcm, input, output, input_length, ctr_host_blocks)
          : CRYPTO_gcm128_decrypt_ctr32(ctx->gcm, input, output, input_length, ctr_host_blocks);
  if (status != 0) return MBEDTLS_ERR_GCM_BAD_INPUT;
  *output_length = input_length;
  return 0;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
                       size_t *output_length, unsigned char *tag, size_t tag_len)
{
  (void) output, (void) output_size;
  *output_length = 0;
  if (tag_len < TAG_MIN_SIZE || tag_len > TAG_SIZE) return MBEDTLS_ERR_GCM_BAD_INPUT;
  CRYPTO_gcm128_tag(ctx->gcm, tag, tag_len);
  return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
                              const unsigned char *iv, size_t iv_len, const unsigned char *add,
                              size_t add_len, const unsigned char *input, unsigned char *output,
                              size_t tag_len, unsigned char *tag)
{
  size_t size;
  int status = mbedtls_gcm_starts(ctx, mode, iv, iv_len);
  if (status == 0) status = mbedtls_gcm_update_ad(ctx, add, add_len);
  if (status == 0) status = mbedtls_gcm_update(ctx, input, length, output, length, &size);
  if (status == 0) status = mbedtls_gcm_finish(ctx, NULL, 0, &size, tag, tag_len);
  return status;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv,
                             size_t iv_len, const unsigned char *add, size_t add_len,
                             const unsigned char *tag, size_t tag_len, const unsigned char *input,
                             unsigned char *output)
{
  unsigned char computed[TAG_SIZE];
  int status = mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_DECRYPT, length, iv, iv_len, add, add_len,
                                         input, output, tag_len, computed);
  if (status == 0 && mbedtls_ct_memcmp(tag, computed, tag_len) != 0) {
    mbedtls_platform_zeroize(output, length);
    status = MBEDTLS_ERR_GCM_AUTH_FAILED;
  }
  return status;
}
