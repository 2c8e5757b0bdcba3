/* SHA-256 by libcrypto. What goes wrong inside it is for want of memory; it is kept until the digest
   is asked for. */
#include "report/digest.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

struct digest {
  EVP_MD_CTX *context;
  bool failed;
};

struct digest *digest_begin(void)
{
  struct digest *digest = calloc(1, sizeof *digest);
  if (digest == NULL) return NULL;
  digest->context = EVP_MD_CTX_new();
  if (digest->context != NULL && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1)
    return digest;
  digest_free(digest);
  return NULL;
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
  if (EVP_DigestUpdate(digest->context, data, size) != 1) digest->failed = true;
}

int digest_text(const struct digest *digest, char out[DIGEST_TEXT])
{
  unsigned char bytes[(DIGEST_TEXT - 1) / 2];
  EVP_MD_CTX *copy = EVP_MD_CTX_new();
  bool good = copy != NULL && !digest->failed && EVP_MD_CTX_copy_ex(copy, digest->context) == 1 &&
              EVP_DigestFinal_ex(copy, bytes, NULL) == 1;
  EVP_MD_CTX_free(copy);
  if (!good) return -1;
  text_hex(bytes, sizeof bytes, out);
  return 0;
}

void digest_free(struct digest *digest)
{
  if (digest == NULL) return;
  EVP_MD_CTX_free(digest->context);
  free(digest);
}

int digest_of(const void *data, size_t size, char out[DIGEST_TEXT])
{
  unsigned char bytes[(DIGEST_TEXT - 1) / 2];
  if (EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL) != 1) return -1;
  text_hex(bytes, sizeof bytes, out);
  return 0;
}
