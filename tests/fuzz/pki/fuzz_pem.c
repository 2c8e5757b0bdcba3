/* Any bytes as a file of keys or certificates: read, or refused with a sentence; what is read can
 * be used.
 *
 * The input: 1 byte {bits 0-2 which good object, bit 3 the rest is the file as it stands, bit 4
 * adopt it as a root, bit 5 the other eight objects, which are under a passphrase or in a box, bit
 * 6 as DER}, and the rest: else damage (fuzz.h) to that object's DER, which is then put into PEM
 * again. */
#define _GNU_SOURCE
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "fleet.h"
#include "pki/contents.h"
#include "pki/vet.h"

#define OBJECT_MAX 4096u

static struct object {
  const char *name; /* of its PEM */
  uint8_t der[OBJECT_MAX];
  size_t size;
} objects[16];

static const struct pki_password password = {.given = true, .size = 6, .text = "secret"};

static void keep(struct object *object, const char *name, unsigned char *der, int size)
{
  require(der != NULL && size > 0 && size <= (int) OBJECT_MAX, "there is an object");
  object->name = name;
  memcpy(object->der, der, (size_t) size);
  object->size = (size_t) size;
  OPENSSL_free(der);
}

static void keep_key(struct object *object, const char *type)
{
  unsigned char *der = NULL;
  EVP_PKEY *key = strcmp(type, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(type);
  require(key != NULL, "there is a key");
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
  int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  keep(object, "PRIVATE KEY", der, size);
  PKCS8_PRIV_KEY_INFO_free(info);
  EVP_PKEY_free(key);
}

static void keep_certificate(struct object *object, X509 *certificate)
{
  unsigned char *der = NULL;
  int size = i2d_X509(certificate, &der);
  keep(object, "CERTIFICATE", der, size);
}

static void keep_locked_key(struct object *object, EVP_PKEY *key, int nid, const EVP_CIPHER *cipher,
                            bool scrypt)
{
  unsigned char *der = NULL;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
  X509_SIG *locked = scrypt ? PKCS8_set0_pbe("secret", 6, info,
                                             PKCS5_pbe2_set_scrypt(cipher, NULL, 0, NULL, 16, 8, 1))
                            : PKCS8_encrypt(nid, cipher, "secret", 6, NULL, 0, 16, info);
  int size = i2d_X509_SIG(locked, &der);
  keep(object, "ENCRYPTED PRIVATE KEY", der, size);
  X509_SIG_free(locked);
  PKCS8_PRIV_KEY_INFO_free(info);
}

static void keep_box(struct object *object, EVP_PKEY *key, X509 *leaf, const char *with, int nid,
                     int mac_rounds)
{
  unsigned char *der = NULL;
  PKCS12 *box = PKCS12_create(with, "x", key, leaf, NULL, nid, nid, 16, mac_rounds, 0);
  int size = i2d_PKCS12(box, &der);
  keep(object, "PKCS12", der, size);
  PKCS12_free(box);
}

static void begin_locked(EVP_PKEY *key, X509 *leaf)
{
  const EVP_CIPHER *aes = EVP_aes_128_cbc();
  keep_locked_key(&objects[8], key, -1, aes, false);
  keep_locked_key(&objects[9], key, -1, aes, true);
  keep_locked_key(&objects[10], key, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NULL, false);
  keep_box(&objects[11], key, leaf, "secret", NID_aes_128_cbc, 16);
  keep_box(&objects[12], key, leaf, "secret", NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 16);
  keep_box(&objects[13], key, leaf, "secret", NID_aes_128_cbc,
           -1);                                    /* damage reaches what is in it */
  keep_box(&objects[14], key, leaf, NULL, -1, -1); /* nothing in it is encrypted */
  keep_box(&objects[15], key, leaf, "", NID_aes_128_cbc, 1);
}

static void begin(void)
{
  struct error error = {.text = ""};
  unsigned char *der = NULL;
  scratch_begin();
  struct pki *pki = fleet_make("source", 1);
  keep_key(&objects[0], "P-256");
  keep_key(&objects[1], "P-384");
  keep_key(&objects[2], "RSA");
  EVP_PKEY *key = pki_key_generate(&error);
  int size = i2d_PUBKEY(key, &der);
  keep(&objects[3], "PUBLIC KEY", der, size);
  der = NULL;
  size = i2d_PrivateKey(key, &der);
  keep(&objects[4], "EC PRIVATE KEY", der, size);
  EVP_PKEY_free(key);
  keep_certificate(&objects[5], pki->hierarchy[0].root.certificate);
  keep_certificate(&objects[6], pki->hierarchy[0].devices.certificate);
  STACK_OF(X509) *chain = pki_device_chain(pki, 0, &error);
  keep_certificate(&objects[7], sk_X509_value(chain, 0));
  key = pki_key_generate(&error);
  const struct pki_cert_spec spec = {
      .kind = PKI_CERT_CLIENT, .subject = "00000001", .key = key, .not_after = pki_now() + 86400};
  X509 *own = pki_cert_mint(&spec, &error);
  begin_locked(key, own);
  X509_free(own);
  EVP_PKEY_free(key);
  sk_X509_pop_free(chain, X509_free);
  pki_close(pki);
}

static const char *write_file(struct fuzz_input *in, uint32_t head)
{
  static uint8_t der[OBJECT_MAX];
  const struct object *object = &objects[(head & 7) | (head >> 2 & 8)];
  if ((head & 8) != 0) return scratch_write("x.pem", in->at, in->left);
  memcpy(der, object->der, object->size);
  size_t size = fuzz_damage(in, der, object->size, sizeof der);
  if ((head & 64) != 0) return scratch_write("x.pem", der, size);
  BIO *out = BIO_new(BIO_s_mem());
  char *text = NULL;
  require(out != NULL && PEM_write_bio(out, object->name, "", der, (long) size) > 0,
          "a file in PEM");
  long length = BIO_get_mem_data(out, &text);
  const char *path = scratch_write("x.pem", text, (size_t) length);
  BIO_free(out);
  return path;
}

static void read_keys(const char *path)
{
  struct error error = {.code = EXIT_CODE_PASS};
  uint8_t scalar[PKI_KEY_SCALAR], point[PKI_KEY_POINT], signature[64];
  EVP_PKEY *key = pki_key_read(path, &error);
  if (key == NULL) fleet_check_refusal(&error);
  if (key != NULL)
    require(pki_key_is_p256(key) && pki_key_scalar(key, scalar, &error) == 0 &&
                pki_key_point(key, point, &error) == 0 &&
                pki_key_sign(key, point, sizeof point, signature, &error) == 0,
            "a key that was read can be used");
  EVP_PKEY_free(key);
  error = (struct error){.code = EXIT_CODE_PASS};
  key = pki_key_read_public(path, &error);
  if (key == NULL) fleet_check_refusal(&error);
  if (key != NULL)
    require(pki_key_point(key, point, &error) == 0, "a public key that was read has a point");
  EVP_PKEY_free(key);
}

static void read_certificates(const char *path)
{
  struct error error = {.code = EXIT_CODE_PASS};
  char name[72];
  STACK_OF(X509) *all = pki_cert_read_all(path, 4, &error);
  if (all == NULL) {
    fleet_check_refusal(&error);
    return;
  }
  require(sk_X509_num(all) >= 1 && sk_X509_num(all) <= 4, "as many as were asked for");
  for (int i = 0; i < sk_X509_num(all); i++) {
    struct pki_issued row;
    pki_cert_common_name(X509_get_subject_name(sk_X509_value(all, i)), name, sizeof name);
    require(memchr(name, '\0', sizeof name) != NULL, "a name ends");
    pki_describe_issued(sk_X509_value(all, i), "A", true, &row);
    require(row.serial_size <= sizeof row.serial, "a serial number fits");
  }
  sk_X509_pop_free(all, X509_free);
}

/* All that a file may hold, by each of what can be asked for. */
static void read_contents(const char *path)
{
  for (unsigned wanted = PKI_WANT_KEY; wanted <= (PKI_WANT_KEY | PKI_WANT_CERTIFICATES); wanted++) {
    struct error error = {.code = EXIT_CODE_PASS};
    struct pki_contents found;
    char title[80];
    if (pki_contents_read(path, wanted, &password, &found, &error) != 0) {
      fleet_check_refusal(&error);
      require(strstr(error.text, password.text) == NULL, "a refusal has no passphrase");
      continue;
    }
    bool key = (wanted & PKI_WANT_KEY) != 0, certificates = (wanted & PKI_WANT_CERTIFICATES) != 0;
    require((found.key != NULL) == key, "a key where one is wanted");
    require((sk_X509_num(found.certificates) > 0) == certificates, "certificates where wanted");
    if (key) pki_key_title(found.key, title, sizeof title);
    if (key && certificates && pki_order_chain(found.certificates, found.key, path, &error) != 0)
      fleet_check_refusal(&error);
    pki_contents_free(&found);
  }
}

static void adopt(const char *path)
{
  const struct pki_foreign root = {.name = "A", .path = path};
  struct error error = {.code = EXIT_CODE_PASS};
  struct pki *pki = NULL;
  char folder[256];
  snprintf(folder, sizeof folder, "%s", scratch_path("adopted"));
  if (pki_create_foreign(folder, &root, 1, &pki, fleet_hear, NULL, &error) != 0) {
    fleet_check_refusal(&error);
    require(access(folder, F_OK) != 0, "a refused root leaves nothing behind");
    return;
  }
  pki_close(pki);
  nftw(folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  if (objects[0].name == NULL) begin();
  uint32_t head = fuzz_number(&in, 1);
  const char *path = write_file(&in, head);
  read_keys(path);
  read_certificates(path);
  read_contents(path);
  if ((head & 16) != 0) adopt(path);
  require(ERR_peek_error() == 0, "no error of the library is left for somebody else to find");
  return 0;
}
