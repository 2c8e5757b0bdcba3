/* P-256 keys: generated, taken apart, put together, kept in files that only their owner can
   read. */
#ifndef FLEETSIM_PKI_KEY_H
#define FLEETSIM_PKI_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PKI_KEY_SCALAR 32
#define PKI_KEY_POINT  65

/* Whether what libcrypto failed at last was for want of memory: nothing is wrong with the file
   then. */
bool pki_crypto_starved(void);

/* Sets "libcrypto could not WHAT: reason" as an INTERNAL error and empties libcrypto's error queue.
   Returns -1. */
int pki_crypto_error(struct error *error, const char *what);

EVP_PKEY *pki_key_generate(struct error *error);

/* The same for many keys: what libcrypto prepares for each is prepared once. The generator is
   freed by EVP_PKEY_CTX_free. */
EVP_PKEY_CTX *pki_key_generator(struct error *error);
EVP_PKEY *pki_key_generate_next(EVP_PKEY_CTX *generator, struct error *error);

bool pki_key_is_p256(const EVP_PKEY *key);

/* "RSA", "on the curve secp384r1", "ED25519" ..; of NULL, that it cannot be read. */
void pki_key_title(const EVP_PKEY *key, char *out, size_t capacity);

/* The private scalar, big-endian, and the uncompressed public point. The caller wipes the
   scalar. */
int pki_key_scalar(const EVP_PKEY *key, uint8_t out[PKI_KEY_SCALAR], struct error *error);
int pki_key_point(const EVP_PKEY *key, uint8_t out[PKI_KEY_POINT], struct error *error);
EVP_PKEY *pki_key_from_scalar(const uint8_t scalar[PKI_KEY_SCALAR], struct error *error);

/* ECDSA over SHA-256 of data, as r||s. */
int pki_key_sign(EVP_PKEY *key, const uint8_t *data, size_t size, uint8_t signature[64],
                 struct error *error);

/* ECDSA of a SHA-256, as DER of at most 72 bytes; the size of the DER varies from one signing to
   the next. */
int pki_key_sign_hash(EVP_PKEY *key, const uint8_t hash[32], uint8_t der[72], size_t *size,
                      struct error *error);

/* SHA-256 of the key's DER SubjectPublicKeyInfo. */
int pki_key_id(EVP_PKEY *key, uint8_t id[32], struct error *error);

/* PEM, PKCS#8. A passphrase is never asked for: an encrypted key is refused. */
EVP_PKEY *pki_key_read(const char *path, struct error *error);
/* also of a private key's file */
EVP_PKEY *pki_key_read_public(const char *path, struct error *error);
/* 0600; refuses an existing file */
int pki_key_write_new(const char *path, EVP_PKEY *key, struct error *error);
/* 0600; whole or not at all */
int pki_key_replace(const char *path, EVP_PKEY *key, struct error *error);
int pki_key_write_public(const char *path, EVP_PKEY *key, struct error *error);

#endif
