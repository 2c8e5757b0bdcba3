/* A small PKI for client tests, made with libcrypto in memory: two roots, issuing CAs, a broker and
   a device. */
#ifndef CLIENT_PKI_H
#define CLIENT_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "fleetsim/nvm.h"

#define CLIENT_HOST   "broker.test"
#define CLIENT_DEVICE 0x00000a1fu
#define CLIENT_UNIX   1767225600 /* 2026-01-01 */
#define CLIENT_DAY    86400
#define CLIENT_PUBLIC 65 /* bytes of an uncompressed point */

struct client_party {
  EVP_PKEY *key;
  X509 *certificate;
};

/* What a certificate says. */
struct client_recipe {
  const char *cn;
  const char *san; /* NULL: a CA */
  const char *eku;
  int from_day, to_day; /* relative to CLIENT_UNIX */
};

struct client_pki {
  struct client_party a, b, spare; /* roots */
  struct client_party brokers;     /* issuing CA under a */
  struct client_party broker, device;
  EVP_PKEY *update_key;
};

void client_pki_make(struct client_pki *pki);
void client_pki_free(struct client_pki *pki);

/* `issuer` NULL: self-signed. */
struct client_party client_pki_issue(const struct client_party *issuer,
                                     const struct client_recipe *recipe);
void client_party_free(struct client_party *party);

/* A revocation list: who signs it, in whose name (NULL: the signer's), what it revokes (NULL:
   nothing). */
struct client_crl {
  const struct client_party *signer, *name;
  const X509 *revoked;
  int from_day, to_day; /* relative to CLIENT_UNIX */
};

/* A signed trust bundle of two roots and up to 8 lists; its size. */
size_t client_pki_bundle_with_lists(const struct client_pki *pki, uint32_t version,
                                    X509 *const roots[2], const struct client_crl *lists,
                                    size_t list_count, uint8_t *out, size_t capacity);

/* A signed trust bundle of two roots; its size. */
size_t client_pki_bundle(const struct client_pki *pki, uint32_t version, X509 *first, X509 *second,
                         uint8_t *out, size_t capacity);

/* Flashes the device: identity, bundle version 1 of {a, spare}, its certificate. */
void client_pki_flash(const struct client_pki *pki, const struct device_host *host);

#endif
