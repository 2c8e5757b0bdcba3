/* The p256-m that is bundled with Mbed TLS, alone, so that the model can be held against hardware.
 *
 * Its README's figures for an STM32F411 at 100 MHz (145, 144, 155 and 309 ms, 753 in sum) are of
 * commit b30f793, before its inner loop was unrolled for cores like this one. The bundled code is
 * unrolled: the message of the commit that did it, bf89286, gives 621 ms for the sum on the same
 * board, which is what this image is to be compared with.
 */
#include <psa/crypto.h>

#include "board.h"
#include "m4/marks.h"
#include "p256-m.h"

#define REPEAT 4

/* What p256-m.c draws from, in place of PSA. */
psa_status_t psa_generate_random(uint8_t *output, size_t output_size)
{
  return board_host.random(board_host.ctx, output, output_size) == 0
             ? PSA_SUCCESS
             : PSA_ERROR_INSUFFICIENT_ENTROPY;
}

static void measure(void)
{
  uint8_t private_key[32], public_key[64], secret[32], signature[64], hash[32];
  board_host.random(board_host.ctx, hash, sizeof hash);

  m4_mark_begin("keygen");
  int result = p256_gen_keypair(private_key, public_key);
  m4_mark_end("keygen");
  board_require(result == P256_SUCCESS, "p256_gen_keypair failed");

  m4_mark_begin("ecdh");
  result = p256_ecdh_shared_secret(secret, private_key, public_key);
  m4_mark_end("ecdh");
  board_require(result == P256_SUCCESS, "p256_ecdh_shared_secret failed");

  m4_mark_begin("sign");
  result = p256_ecdsa_sign(signature, private_key, hash, sizeof hash);
  m4_mark_end("sign");
  board_require(result == P256_SUCCESS, "p256_ecdsa_sign failed");

  m4_mark_begin("verify");
  result = p256_ecdsa_verify(signature, public_key, hash, sizeof hash);
  m4_mark_end("verify");
  board_require(result == P256_SUCCESS, "p256_ecdsa_verify failed");
}

int main(void)
{
  for (int i = 0; i < REPEAT; i++) measure();
  return 0;
}
