#include <psa/crypto.h>
#include <string.h>

#include "board.h"
#include "m4/marks.h"
#include "operations.h"

#define LARGEST       4096u
#define TAG           16u
#define RECORD_HEADER 5u /* what TLS 1.3 authenticates besides the record */

static uint8_t input[LARGEST], output[LARGEST + TAG];

static const struct {
  const char *mark;
  size_t bytes;
} hashes[] = {{"sha256_64", 64}, {"sha256_1024", 1024}, {"sha256_4096", 4096}},
  seals[] = {
      {"aes_gcm_64", 64}, {"aes_gcm_256", 256}, {"aes_gcm_1024", 1024}, {"aes_gcm_4096", 4096}};

static void hash(const char *mark, size_t bytes)
{
  size_t size;
  m4_mark_begin(mark);
  psa_status_t status = psa_hash_compute(PSA_ALG_SHA_256, input, bytes, output, 32, &size);
  m4_mark_end(mark);
  board_require(status == PSA_SUCCESS, "SHA-256 failed");
}

static psa_key_id_t traffic_key(void)
{
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_key_id_t key = PSA_KEY_ID_NULL;
  uint8_t bytes[16];
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  board_require(psa_generate_random(bytes, sizeof bytes) == PSA_SUCCESS &&
                    psa_import_key(&attributes, bytes, sizeof bytes, &key) == PSA_SUCCESS,
                "no AES key could be imported");
  return key;
}

static void seal(psa_key_id_t key, const char *mark, size_t bytes)
{
  uint8_t nonce[12], header[RECORD_HEADER] = {23, 3, 3};
  size_t size;
  board_require(psa_generate_random(nonce, sizeof nonce) == PSA_SUCCESS, "no random nonce");
  m4_mark_begin(mark);
  psa_status_t status = psa_aead_encrypt(key, PSA_ALG_GCM, nonce, sizeof nonce, header,
                                         sizeof header, input, bytes, output, sizeof output, &size);
  m4_mark_end(mark);
  board_require(status == PSA_SUCCESS && size == bytes + TAG, "AES-GCM failed");
}

/* HKDF-Expand-Label of RFC 8446, 7.1: what the key schedule calls some twenty times a handshake. */
static psa_status_t expand(const uint8_t secret[32], uint8_t out[32])
{
  static const uint8_t label[] = "\x00\x20\x12tls13 c hs traffic\x20";
  uint8_t info[sizeof label - 1 + 32];
  memcpy(info, label, sizeof label - 1);
  memcpy(info + sizeof label - 1, input, 32); /* a transcript hash */
  psa_key_derivation_operation_t operation = PSA_KEY_DERIVATION_OPERATION_INIT;
  psa_status_t status = psa_key_derivation_setup(&operation, PSA_ALG_HKDF_EXPAND(PSA_ALG_SHA_256));
  if (status == PSA_SUCCESS)
    status =
        psa_key_derivation_input_bytes(&operation, PSA_KEY_DERIVATION_INPUT_SECRET, secret, 32);
  if (status == PSA_SUCCESS)
    status = psa_key_derivation_input_bytes(&operation, PSA_KEY_DERIVATION_INPUT_INFO, info,
                                            sizeof info);
  if (status == PSA_SUCCESS) status = psa_key_derivation_output_bytes(&operation, out, 32);
  psa_status_t aborted = psa_key_derivation_abort(&operation);
  return status != PSA_SUCCESS ? status : aborted;
}

static void derive(void)
{
  uint8_t secret[32], out[32];
  board_require(psa_generate_random(secret, sizeof secret) == PSA_SUCCESS, "no random secret");
  m4_mark_begin("hkdf_expand");
  psa_status_t status = expand(secret, out);
  m4_mark_end("hkdf_expand");
  board_require(status == PSA_SUCCESS, "HKDF-Expand failed");
}

void operations_symmetric(void)
{
  psa_key_id_t key = traffic_key();
  for (int i = 0; i < REPEAT; i++) {
    board_require(psa_generate_random(input, sizeof input) == PSA_SUCCESS, "no random input");
    for (size_t n = 0; n < sizeof hashes / sizeof hashes[0]; n++)
      hash(hashes[n].mark, hashes[n].bytes);
    for (size_t n = 0; n < sizeof seals / sizeof seals[0]; n++)
      seal(key, seals[n].mark, seals[n].bytes);
    derive();
  }
  psa_destroy_key(key);
}
