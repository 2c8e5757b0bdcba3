#include <psa/crypto.h>
#include <string.h>

#include "board.h"
#include "m4/marks.h"
#include "operations.h"

#define POINT     65u
#define SIGNATURE 64u

static psa_key_attributes_t p256_key(psa_key_usage_t usage, psa_algorithm_t algorithm)
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, usage);
  psa_set_key_algorithm(&attributes, algorithm);
  return attributes;
}

static psa_key_id_t public_half(psa_key_id_t pair)
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  uint8_t point[POINT];
  size_t size;
  psa_key_id_t key = PSA_KEY_ID_NULL;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  board_require(psa_export_public_key(pair, point, sizeof point, &size) == PSA_SUCCESS &&
                    psa_import_key(&attributes, point, size, &key) == PSA_SUCCESS,
                "a public key could not be exported and imported again");
  return key;
}

/* TLS 1.3: the key share is generated and its public half exported, then agreed with the server's.
 * The library computes the public half in one of the first two, or in both: a handshake costs their
 * sum. */
static void key_exchange(void)
{
  psa_key_attributes_t attributes = p256_key(PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH);
  static uint8_t peer[POINT]; /* of the round before */
  uint8_t own[POINT], secret[32];
  size_t size;
  psa_key_id_t key;

  m4_mark_begin("keygen");
  psa_status_t status = psa_generate_key(&attributes, &key);
  m4_mark_end("keygen");
  board_require(status == PSA_SUCCESS, "keygen failed");

  m4_mark_begin("public_key");
  status = psa_export_public_key(key, own, sizeof own, &size);
  m4_mark_end("public_key");
  board_require(status == PSA_SUCCESS, "public_key failed");

  if (peer[0] == 0) memcpy(peer, own, sizeof peer);
  m4_mark_begin("ecdh");
  status =
      psa_raw_key_agreement(PSA_ALG_ECDH, key, peer, sizeof peer, secret, sizeof secret, &size);
  m4_mark_end("ecdh");
  board_require(status == PSA_SUCCESS, "ecdh failed");

  memcpy(peer, own, sizeof peer);
  psa_destroy_key(key);
}

static void sign_and_verify(void)
{
  const psa_algorithm_t ecdsa = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
  psa_key_attributes_t attributes = p256_key(PSA_KEY_USAGE_SIGN_HASH, ecdsa);
  uint8_t hash[32], signature[SIGNATURE];
  size_t size;
  psa_key_id_t pair;
  board_require(psa_generate_random(hash, sizeof hash) == PSA_SUCCESS &&
                    psa_generate_key(&attributes, &pair) == PSA_SUCCESS,
                "no key to sign with could be made");
  psa_key_id_t public = public_half(pair);

  m4_mark_begin("sign");
  psa_status_t status =
      psa_sign_hash(pair, ecdsa, hash, sizeof hash, signature, sizeof signature, &size);
  m4_mark_end("sign");
  board_require(status == PSA_SUCCESS, "sign failed");

  m4_mark_begin("verify");
  status = psa_verify_hash(public, ecdsa, hash, sizeof hash, signature, size);
  m4_mark_end("verify");
  board_require(status == PSA_SUCCESS, "verify failed");

  hash[0] ^= 1;
  board_require(psa_verify_hash(public, ecdsa, hash, sizeof hash, signature, size) ==
                    PSA_ERROR_INVALID_SIGNATURE,
                "verify accepted a signature of another hash");
  psa_destroy_key(public);
  psa_destroy_key(pair);
}

void operations_p256(void)
{
  for (int i = 0; i < REPEAT; i++) {
    key_exchange();
    sign_and_verify();
  }
}
