/* Any file of revocation lists beside a fleet, also lists that were really signed by its
 * authorities: taken, and then its entries can be looked up, or refused with a sentence.
 *
 * The input: 1 byte {bits 0-2 which list of the good file, bits 3-4: 0 damage to what is signed,
 * and signed again, 1 damage to the whole list, 2 the rest is the file as it stands, 3 the list is
 * left out}, and the rest. */
#define _GNU_SOURCE
#include <openssl/err.h>
#include <openssl/pem.h>

#include "fleet.h"
#include "pki/crl.h"

#define LIST_MAX 8192u

static struct pki *pki;
static STACK_OF(X509_CRL) * good;
static EVP_PKEY *office_key;

static void begin(void)
{
  struct error error = {.text = ""};
  const struct pki_crl_times times = {.this_update = pki_now() - 60,
                                      .next_update = pki_now() + 86400};
  struct pki_roots roots = {.count = 2, .name = {"A", "B"}};
  X509_CRL *one;
  scratch_begin();
  pki = fleet_make("fleet", 2);
  office_key = pki_key_read(scratch_path("fleet/ca/back-office.key"), &error);
  fleet_must(pki_revoke_device(pki, 0, true, PKI_REASON_KEY_COMPROMISE, NULL, &error), &error);
  fleet_must(pki_write_crls(pki, &roots, &times, 2, scratch_path("good.pem"), &error), &error);
  BIO *in = BIO_new_file(scratch_path("good.pem"), "r");
  good = sk_X509_CRL_new_null();
  while ((one = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)) != NULL) sk_X509_CRL_push(good, one);
  BIO_free(in);
  ERR_clear_error();
  require(office_key != NULL && sk_X509_CRL_num(good) > 2, "there are lists");
}

static EVP_PKEY *signer_of(const X509_CRL *crl)
{
  for (size_t r = 0; r < pki->roots.count; r++) {
    const struct pki_authority *const all[] = {&pki->hierarchy[r].root, &pki->hierarchy[r].devices};
    for (size_t i = 0; i < 2; i++)
      if (X509_NAME_cmp(X509_get_subject_name(all[i]->certificate), X509_CRL_get_issuer(crl)) == 0)
        return all[i]->key;
  }
  return office_key;
}

static uint8_t *put_head(uint8_t *out, uint8_t tag, size_t size)
{
  *out++ = tag;
  *out++ = 0x82;
  *out++ = (uint8_t) (size >> 8);
  *out++ = (uint8_t) size;
  return out;
}

/* CertificateList of RFC 5280 around `tbs`, with a signature that is right. */
static size_t sign(EVP_PKEY *key, const uint8_t *tbs, size_t tbs_size, uint8_t *out)
{
  static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                         0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
  uint8_t signature[80];
  size_t size = sizeof signature;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  require(ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, signature, &size, tbs, tbs_size) == 1,
          "a list is signed");
  EVP_MD_CTX_free(ctx);
  uint8_t *at = put_head(out, 0x30, tbs_size + sizeof ecdsa_sha256 + 5 + size);
  memcpy(at, tbs, tbs_size);
  memcpy(at + tbs_size, ecdsa_sha256, sizeof ecdsa_sha256);
  at = put_head(at + tbs_size + sizeof ecdsa_sha256, 0x03, size + 1);
  *at++ = 0;
  memcpy(at, signature, size);
  return (size_t) (at + size - out);
}

/* The list as the input wants it. */
static size_t damaged(struct fuzz_input *in, X509_CRL *crl, bool again, uint8_t *out)
{
  static uint8_t bytes[LIST_MAX];
  unsigned char *der = NULL;
  int size = again ? i2d_re_X509_CRL_tbs(crl, &der) : i2d_X509_CRL(crl, &der);
  require(size > 0 && size < (int) LIST_MAX / 2, "a list has its size");
  memcpy(bytes, der, (size_t) size);
  OPENSSL_free(der);
  size_t left = fuzz_damage(in, bytes, (size_t) size, sizeof bytes - 256);
  if (again) return sign(signer_of(crl), bytes, left, out);
  memcpy(out, bytes, left);
  return left;
}

static const char *write_file(struct fuzz_input *in, uint32_t head)
{
  static uint8_t der[LIST_MAX];
  uint32_t how = head >> 3 & 3;
  if (how == 2) return scratch_write("x.pem", in->at, in->left);
  BIO *out = BIO_new(BIO_s_mem());
  require(out != NULL, "there is memory");
  for (int i = 0; i < sk_X509_CRL_num(good); i++) {
    bool chosen = i == (int) (head & 7) % sk_X509_CRL_num(good);
    if (chosen && how == 3) continue;
    struct fuzz_input none = {NULL, 0};
    size_t size = damaged(chosen ? in : &none, sk_X509_CRL_value(good, i), chosen && how == 0, der);
    require(PEM_write_bio(out, PEM_STRING_X509_CRL, "", der, (long) size) > 0, "a file in PEM");
  }
  char *text = NULL;
  long length = BIO_get_mem_data(out, &text);
  const char *path = scratch_write("x.pem", text, (size_t) length);
  BIO_free(out);
  return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  if (pki == NULL) begin();
  uint32_t head = fuzz_number(&in, 1);
  bool untouched = in.left < 3 && (head >> 3 & 3) < 2, names[2] = {false, false};
  const char *path = write_file(&in, head);
  struct error error = {.code = EXIT_CODE_PASS};
  struct pki_crl_history history = {.count = 0};
  int result = pki_check_crls(pki, path, &history, fleet_hear, NULL, &error);
  if (result != 0) fleet_check_refusal(&error);
  if (result == 0)
    require(pki_check_crls(pki, path, &history, fleet_hear, NULL, &error) == 0,
            "the same lists again are not older");
  pki_crl_history_free(&history);
  require(result == 0 || !untouched, "good lists are taken");
  int named = pki_crls_name(pki, path, names, 2, &error);
  require(named == 0 || result != 0, "what is taken can be looked up");
  if (untouched) require(names[0] && !names[1], "the one that was revoked is named");
  require(ERR_peek_error() == 0, "no error of the library is left for somebody else to find");
  return 0;
}
