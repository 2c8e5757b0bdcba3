/* The certificates of one case of the matrix, made with libcrypto. Keys live in memory only. */
#ifndef CHAIN_MINT_H
#define CHAIN_MINT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "chain_cases.h"

struct chain_mint {
  size_t count;
  X509 *x509[CHAIN_CERTIFICATES_MAX];
  EVP_PKEY *key[CHAIN_CERTIFICATES_MAX];
};

/* 0, or -1 with a sentence in `why`. Free in both cases. */
int chain_mint(const struct chain_case *c, struct chain_mint *out, char *why, size_t why_size);
void chain_mint_free(struct chain_mint *mint);

#endif
