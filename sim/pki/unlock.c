/* libcrypto does the work. Before each derivation of a key its cost is read from the file, for
 * libcrypto asks for no limit: two bytes that are changed in a file would be an hour. */
#include "pki/unlock.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define SCRYPT_COST_MAX ((int64_t) 1 << 23) /* N * r * p */

static int want_password(struct error *error)
{
  return error_set(
      error, EXIT_CODE_USAGE,
      "it is under a passphrase: give the file (0600) whose first line that is, by "
      "--password-file FILE (of 'probe': --key-password-file; of a step: 'password-file: "
      "FILE')");
}

/* Why libcrypto failed, by all that it has noted: it wraps a cause in what came of it. */
struct cause {
  bool starved;     /* for want of memory */
  bool unsupported; /* for want of an algorithm */
};

static struct cause find_cause(void)
{
  struct cause cause = {.starved = false};
  unsigned long code;
  while ((code = ERR_get_error()) != 0) {
    int reason = ERR_GET_REASON(code);
    cause.starved |= reason == ERR_R_MALLOC_FAILURE;
    cause.unsupported |=
        reason == ERR_R_UNSUPPORTED || reason == EVP_R_UNSUPPORTED_ALGORITHM ||
        (ERR_GET_LIB(code) == ERR_LIB_PEM && reason == PEM_R_UNSUPPORTED_ENCRYPTION);
  }
  return cause;
}

static int refuse_unlocking(struct cause cause, struct error *error)
{
  if (cause.starved) return error_set(error, EXIT_CODE_INTERNAL, "no memory to decrypt a key");
  if (cause.unsupported)
    return error_set(error, EXIT_CODE_USAGE,
                     "it is encrypted with an algorithm that OpenSSL 3 keeps apart as too old: "
                     "encrypt it anew (openssl pkey or pkcs12, with -provider legacy -provider "
                     "default)");
  return error_set(error, EXIT_CODE_USAGE,
                   "the passphrase of --password-file is not that of this file");
}

/* --- What it would cost ----------------------------------------------------------------------- */

static int64_t number_of(const ASN1_INTEGER *number)
{
  int64_t value = 0;
  return number != NULL && ASN1_INTEGER_get_int64(&value, number) == 1 ? value : -1;
}

static bool is_cheap_pbkdf2(const ASN1_TYPE *parameter)
{
  PBKDF2PARAM *p = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), parameter);
  int64_t rounds = p == NULL ? -1 : number_of(p->iter);
  PBKDF2PARAM_free(p);
  return rounds >= 0 && rounds <= PKI_UNLOCK_ROUNDS_MAX;
}

static bool is_cheap_scrypt(const ASN1_TYPE *parameter)
{
  SCRYPT_PARAMS *p = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), parameter);
  bool cheap = false;
  if (p != NULL) {
    int64_t n = number_of(p->costParameter), r = number_of(p->blockSize),
            parallel = number_of(p->parallelizationParameter);
    cheap = n > 0 && r > 0 && parallel > 0 && n <= SCRYPT_COST_MAX && r <= SCRYPT_COST_MAX / n &&
            parallel <= SCRYPT_COST_MAX / n / r;
  }
  SCRYPT_PARAMS_free(p);
  return cheap;
}

static bool is_cheap_pbes2(const ASN1_TYPE *parameter)
{
  PBE2PARAM *p = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
  bool cheap = true; /* what is none of these libcrypto does not know either */
  if (p != NULL) {
    int nid = OBJ_obj2nid(p->keyfunc->algorithm);
    if (nid == NID_id_pbkdf2) cheap = is_cheap_pbkdf2(p->keyfunc->parameter);
    if (nid == NID_id_scrypt) cheap = is_cheap_scrypt(p->keyfunc->parameter);
  }
  PBE2PARAM_free(p);
  return cheap;
}

static bool is_cheap_pbe(const ASN1_TYPE *parameter)
{
  PBEPARAM *p = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), parameter);
  int64_t rounds = p == NULL ? 0 : number_of(p->iter);
  PBEPARAM_free(p);
  return rounds >= 0 && rounds <= PKI_UNLOCK_ROUNDS_MAX;
}

static int refuse_cost(struct error *error)
{
  return error_set(error, EXIT_CODE_USAGE,
                   "its passphrase is to be hashed more than %d times: the file is damaged, or "
                   "encrypt it anew with fewer iterations",
                   PKI_UNLOCK_ROUNDS_MAX);
}

static int check_cost(const X509_ALGOR *algorithm, struct error *error)
{
  const ASN1_OBJECT *object;
  int type;
  const void *ignored;
  X509_ALGOR_get0(&object, &type, &ignored, algorithm);
  bool cheap = OBJ_obj2nid(object) == NID_pbes2 ? is_cheap_pbes2(algorithm->parameter)
                                                : is_cheap_pbe(algorithm->parameter);
  ERR_clear_error();
  return cheap ? 0 : refuse_cost(error);
}

/* --- Keys ------------------------------------------------------------------------------------- */

static EVP_PKEY *unlock(const X509_SIG *locked, const char *text, int size, struct error *error)
{
  const X509_ALGOR *algorithm;
  X509_SIG_get0(locked, &algorithm, NULL);
  if (check_cost(algorithm, error) != 0) return NULL;
  PKCS8_PRIV_KEY_INFO *open = PKCS8_decrypt(locked, text, size);
  EVP_PKEY *key = open == NULL ? NULL : EVP_PKCS82PKEY(open);
  if (key == NULL) refuse_unlocking(find_cause(), error);
  PKCS8_PRIV_KEY_INFO_free(open);
  ERR_clear_error();
  return key;
}

EVP_PKEY *pki_unlock_pkcs8(const X509_SIG *locked, const struct pki_password *password,
                           struct error *error)
{
  if (password != NULL && password->given)
    return unlock(locked, password->text, (int) password->size, error);
  want_password(error);
  return NULL;
}

static int give_password(char *out, int capacity, int writing, void *ctx)
{
  const struct pki_password *password = ctx;
  (void) writing;
  if (password->size > (size_t) capacity) return -1;
  memcpy(out, password->text, password->size);
  return (int) password->size;
}

int pki_unlock_block(const char *header, unsigned char *data, long *size,
                     const struct pki_password *password, struct error *error)
{
  char lines[256]; /* they are taken apart in place */
  EVP_CIPHER_INFO cipher;
  if (password == NULL || !password->given) return want_password(error);
  if (strlen(header) >= sizeof lines)
    return error_set(error, EXIT_CODE_USAGE, "its header lines are too long: write it anew");
  strcpy(lines, header);
  int result = 0;
  if (PEM_get_EVP_CIPHER_INFO(lines, &cipher) != 1 ||
      PEM_do_header(&cipher, data, size, give_password, (void *) password) != 1)
    result = refuse_unlocking(find_cause(), error);
  ERR_clear_error();
  return result;
}

/* --- PKCS#12 ---------------------------------------------------------------------------------- */

/* RFC 7292: no passphrase may be none at all, or an empty one. */
struct key_to_box {
  const char *text;
  int size;
};

static int open_box(const PKCS12 *box, const struct pki_password *password, struct key_to_box *out,
                    struct error *error)
{
  const ASN1_INTEGER *rounds = NULL;
  bool given = password != NULL && password->given;
  *out = given ? (struct key_to_box){password->text, (int) password->size}
               : (struct key_to_box){NULL, 0};
  if (!PKCS12_mac_present(box)) return 0;
  PKCS12_get0_mac(NULL, NULL, NULL, &rounds, box);
  int64_t count = rounds == NULL ? 1 : number_of(rounds);
  if (count < 0 || count > PKI_UNLOCK_ROUNDS_MAX) return refuse_cost(error);
  if (PKCS12_verify_mac((PKCS12 *) box, out->text, out->size) == 1) return 0;
  if (out->size == 0) {
    *out = (struct key_to_box){out->text == NULL ? "" : NULL, 0};
    if (PKCS12_verify_mac((PKCS12 *) box, out->text, out->size) == 1) return 0;
  }
  struct cause cause = find_cause();
  return given || cause.starved || cause.unsupported ? refuse_unlocking(cause, error)
                                                     : want_password(error);
}

static int take_key(EVP_PKEY *key, const struct pki_unlock_to *to, struct error *error)
{
  if (key != NULL) return to->key(to->ctx, key, error);
  return error_set(error, EXIT_CODE_USAGE, "the key in it cannot be read: write the file anew");
}

static int take_bag(const PKCS12_SAFEBAG *bag, const struct key_to_box *with,
                    const struct pki_unlock_to *to, struct error *error)
{
  EVP_PKEY *key;
  X509 *certificate;
  switch (PKCS12_SAFEBAG_get_nid(bag)) {
  case NID_keyBag:
    if (to->key == NULL) return 0;
    return take_key(EVP_PKCS82PKEY(PKCS12_SAFEBAG_get0_p8inf(bag)), to, error);
  case NID_pkcs8ShroudedKeyBag:
    if (to->key == NULL) return 0;
    key = unlock(PKCS12_SAFEBAG_get0_pkcs8(bag), with->text, with->size, error);
    return key == NULL ? -1 : to->key(to->ctx, key, error);
  case NID_certBag:
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) return 0;
    if ((certificate = PKCS12_SAFEBAG_get1_cert(bag)) != NULL)
      return to->certificate(to->ctx, certificate, error);
    return error_set(error, EXIT_CODE_USAGE,
                     "a certificate in it cannot be read: write the file anew");
  default: return 0;
  }
}

/* What a part holds; NULL: it is none that is known, or it cannot be opened, with a sentence. */
static STACK_OF(PKCS12_SAFEBAG) *
    open_part(PKCS7 *part, const struct key_to_box *with, bool *known, struct error *error)
{
  *known = true;
  if (PKCS7_type_is_data(part)) {
    STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7data(part);
    if (bags == NULL)
      error_set(error, EXIT_CODE_USAGE, "a part of it cannot be read: write the file anew");
    return bags;
  }
  *known = PKCS7_type_is_encrypted(part) && part->d.encrypted != NULL &&
           part->d.encrypted->enc_data != NULL;
  if (!*known || check_cost(part->d.encrypted->enc_data->algorithm, error) != 0) return NULL;
  STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(part, with->text, with->size);
  if (bags == NULL) refuse_unlocking(find_cause(), error);
  return bags;
}

int pki_unlock_pkcs12(const PKCS12 *box, const struct pki_password *password,
                      const struct pki_unlock_to *to, struct error *error)
{
  struct key_to_box with;
  int result = open_box(box, password, &with, error);
  STACK_OF(PKCS7) *parts = result == 0 ? PKCS12_unpack_authsafes(box) : NULL;
  if (result == 0 && parts == NULL)
    result = error_set(error, EXIT_CODE_USAGE, "it is no whole PKCS#12 file: write the file anew");
  for (int i = 0; result == 0 && i < sk_PKCS7_num(parts); i++) {
    bool known;
    STACK_OF(PKCS12_SAFEBAG) *bags = open_part(sk_PKCS7_value(parts, i), &with, &known, error);
    if (known && bags == NULL) result = -1;
    for (int k = 0; result == 0 && k < sk_PKCS12_SAFEBAG_num(bags); k++)
      result = take_bag(sk_PKCS12_SAFEBAG_value(bags, k), &with, to, error);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
  }
  sk_PKCS7_pop_free(parts, PKCS7_free);
  ERR_clear_error();
  return result;
}
