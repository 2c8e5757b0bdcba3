#define _GNU_SOURCE
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "fixture.h"
#include "pki/csv.h"
#include "pki/password.h"

/* A list and the files that it names, beside a folder that is filled from them: those of a fleet
   with roots A and B, whose devices 1 and 2 are under A. */
struct desk {
  struct fixture *f;
  struct pki *fresh;
  EVP_PKEY *key;
  STACK_OF(X509) * chain; /* of device 1: leaf, intermediate */
  X509 *root, *other;
};

static struct pki_password password = {.given = true, .size = 6, .text = "secret"};
static char warned[4096];

static void keep_warning(void *ctx, const char *sentence)
{
  (void) ctx;
  strncat(warned, sentence, sizeof warned - strlen(warned) - 1);
}

static void put(struct desk *d, const char *name, BIO *bio)
{
  char *data;
  long size = BIO_get_mem_data(bio, &data);
  EXPECT_OK(files_write(beside(d->f, name), data, (size_t) size, 0600, &error));
  BIO_free(bio);
}

/* Certificates and keys, in that order, ended by NULL each. */
static void put_pem(struct desk *d, const char *name, X509 *const *certificates,
                    EVP_PKEY *const *keys)
{
  BIO *bio = BIO_new(BIO_s_mem());
  for (; *certificates != NULL; certificates++) PEM_write_bio_X509(bio, *certificates);
  for (; *keys != NULL; keys++)
    PEM_write_bio_PKCS8PrivateKey(bio, *keys, NULL, NULL, 0, NULL, NULL);
  put(d, name, bio);
}

#define ALL(...)        ((X509 *const[]){__VA_ARGS__, NULL})
#define NO_CERTIFICATES ((X509 *const[]){NULL})
#define KEYS(...)       ((EVP_PKEY *const[]){__VA_ARGS__, NULL})
#define NO_KEYS         ((EVP_PKEY *const[]){NULL})

static void put_key(struct desk *d, const char *name, EVP_PKEY *key)
{
  put_pem(d, name, NO_CERTIFICATES, KEYS(key));
  EVP_PKEY_free(key);
}

static void put_locked(struct desk *d, const char *name)
{
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, d->key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL);
  put(d, name, bio);
}

/* Three quarters of a file: as after a copy that was broken off. */
static void put_part(struct desk *d, const char *from, const char *name)
{
  uint8_t *data;
  size_t size;
  EXPECT_OK(files_read(beside(d->f, from), 65536, &data, &size, &error));
  EXPECT_OK(files_write(beside(d->f, name), data, size * 3 / 4, 0600, &error));
  free(data);
}

static void put_long_chain(struct desk *d)
{
  struct pki_authority above = {.certificate = d->root};
  struct pki_cert_spec spec = {.kind = PKI_CERT_CA, .not_after = pki_now() + 86400};
  X509 *made[5] = {NULL};
  EVP_PKEY *key[5] = {NULL};
  above.key = pki_key_read(at(d->f, "ca/A.key"), &error);
  EVP_PKEY *root_key = above.key;
  for (int i = 0; i < 4; i++) {
    spec.subject = "one of four";
    spec.issuer = &above;
    spec.key = key[i] = pki_key_generate(&error);
    made[i] = pki_cert_mint(&spec, &error);
    above = (struct pki_authority){made[i], key[i]};
  }
  spec.kind = PKI_CERT_CLIENT;
  spec.subject = "00000001";
  spec.key = d->key;
  made[4] = pki_cert_mint(&spec, &error);
  put_pem(d, "long.pem", ALL(made[4], made[3], made[2], made[1], made[0]), KEYS(d->key));
  for (int i = 0; i < 5; i++) X509_free(made[i]);
  for (int i = 0; i < 4; i++) EVP_PKEY_free(key[i]);
  EVP_PKEY_free(root_key);
}

/* The fleet's root A, as somebody has certified its key again with so many names that no device has
   room for it. */
static void put_wide_root(struct desk *d)
{
#define LONG_NAME "a-name-of-the-root-that-is-rather-long.and-goes-on-and-on-and-on.example.com"
  static const char *const names[] = {"1" LONG_NAME, "2" LONG_NAME, "3" LONG_NAME, "4" LONG_NAME,
                                      "5" LONG_NAME, "6" LONG_NAME, NULL};
  EVP_PKEY *key = pki_key_read(at(d->f, "ca/A.key"), &error);
  struct pki_cert_spec spec = {.kind = PKI_CERT_CA,
                               .subject = "fleetsim root A",
                               .key = key,
                               .not_after = pki_now() + 86400,
                               .host = "root.example.com",
                               .also = names};
  X509 *root = pki_cert_mint(&spec, &error);
  put_pem(d, "wide.pem", ALL(root, sk_X509_value(d->chain, 1), sk_X509_value(d->chain, 0)),
          KEYS(d->key));
  X509_free(root);
  EVP_PKEY_free(key);
}

static void put_good(struct desk *d)
{
  X509 *leaf = sk_X509_value(d->chain, 0), *middle = sk_X509_value(d->chain, 1);
  BIO *bio = BIO_new(BIO_s_mem());
  put_pem(d, "both.pem", ALL(leaf, middle), KEYS(d->key));
  put_pem(d, "turned.pem", ALL(middle, leaf), KEYS(d->key));
  put_wide_root(d);
  put_pem(d, "leaf.pem", ALL(leaf), NO_KEYS);
  put_pem(d, "ca.pem", ALL(middle), NO_KEYS);
  put_locked(d, "locked.key");
  i2d_PrivateKey_bio(bio, d->key);
  put(d, "sec1.der", bio);
  bio = BIO_new(BIO_s_mem());
  i2d_X509_bio(bio, leaf);
  put(d, "leaf.der", bio);
  mkdir(beside(d->f, "device 1, new"), 0700);
  put_pem(d, "device 1, new/both.pem", ALL(leaf, middle), KEYS(d->key));
}

static void put_bad(struct desk *d)
{
  X509 *leaf = sk_X509_value(d->chain, 0), *middle = sk_X509_value(d->chain, 1);
  put_key(d, "rsa.key", EVP_RSA_gen(2048));
  put_key(d, "p384.key", EVP_EC_gen("P-384"));
  put_key(d, "ed25519.key", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
  put_pem(d, "keys.pem", ALL(leaf, middle), KEYS(d->key, d->key));
  put_pem(d, "stray.pem", ALL(leaf, middle, d->other), KEYS(d->key));
  put_pem(d, "gap.pem", ALL(leaf, d->root), KEYS(d->key));
  put_long_chain(d);
  put_part(d, "one.crt", "part.crt");
  put_part(d, "one.key", "part.key");
  put_part(d, "leaf.der", "part.der");
  write_text(beside(d->f, "request.pem"),
             "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
  EXPECT_OK(files_write(beside(d->f, "huge.pem"), "", 0, 0600, &error));
  if (truncate(beside(d->f, "huge.pem"), (1 << 20) + 1) != 0) fail_msg("no huge file");
}

static int setup_desk(void **state)
{
  if (setup_fleet(state) != 0) return -1;
  device_platform_leave(); /* an import enters by itself */
  struct desk *d = calloc(1, sizeof *d);
  struct fixture *f = d->f = *state;
  struct pki_foreign foreign[] = {{.name = "A", .path = at(f, "ca/A.crt")},
                                  {.name = "B", .path = at(f, "ca/B.crt")}};
  EXPECT_OK(pki_create_foreign(at(f, "../new"), foreign, 2, &d->fresh, NULL, NULL, &error));
  EXPECT_OK(pki_write_device(f->pki, 0, beside(f, "one.crt"), beside(f, "one.key"), &error));
  EXPECT_OK(pki_write_device(f->pki, 1, beside(f, "two.crt"), beside(f, "two.key"), &error));
  d->key = pki_key_read(beside(f, "one.key"), &error);
  d->chain = pki_cert_read_all(beside(f, "one.crt"), 4, &error);
  d->root = pki_cert_read(at(f, "ca/A.crt"), &error);
  d->other = pki_cert_read(at(f, "ca/B.crt"), &error);
  put_good(d);
  put_bad(d);
  *state = d;
  return 0;
}

static int teardown_desk(void **state)
{
  struct desk *d = *state;
  void *fixture = d->f;
  pki_close(d->fresh);
  EVP_PKEY_free(d->key);
  sk_X509_pop_free(d->chain, X509_free);
  X509_free(d->root);
  X509_free(d->other);
  free(d);
  return teardown(&fixture);
}

static int import(struct desk *d, const char *list, const struct pki_password *with)
{
  struct pki_import how = {.trusted = names("A", "B", NULL), .password = with};
  write_text(beside(d->f, "list.csv"), list);
  warned[0] = '\0';
  return pki_import_devices(d->fresh, beside(d->f, "list.csv"), &how, keep_warning, NULL, &error);
}

/* The device has the key, and the leaf and intermediate that it was issued with. */
static void expect_device(struct desk *d, const char *list)
{
  struct pki_device_state now;
  struct device_nvm_identity identity;
  struct device_host host = pki_nvm_host(pki_device_page(d->fresh, 0));
  uint8_t leaf[32], scalar[PKI_KEY_SCALAR];
  STACK_OF(X509) *chain = pki_device_chain(d->fresh, 0, &error);
  EXPECT_OK(pki_device_look(d->fresh, 0, &now, &error));
  EXPECT_OK(pki_cert_sha256(sk_X509_value(d->chain, 0), leaf));
  EXPECT_OK(pki_key_scalar(d->key, scalar, &error));
  assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
  if (now.id != 1 || memcmp(now.certificate_id, leaf, 32) != 0 ||
      memcmp(identity.private_key, scalar, 32) != 0)
    fail_msg("another device from: %s", list);
  if (sk_X509_num(chain) != 2 || X509_cmp(sk_X509_value(chain, 1), sk_X509_value(d->chain, 1)) != 0)
    fail_msg("another chain from: %s", list);
  sk_X509_pop_free(chain, X509_free);
}

static void forget(struct desk *d)
{
  struct pki_foreign foreign[] = {{.name = "A", .path = at(d->f, "ca/A.crt")},
                                  {.name = "B", .path = at(d->f, "ca/B.crt")}};
  pki_discard(d->fresh);
  EXPECT_OK(pki_create_foreign(at(d->f, "../new"), foreign, 2, &d->fresh, NULL, NULL, &error));
}

static void keys_and_chains_are_taken_from_the_files_that_people_have(void **state)
{
  static const struct {
    const char *list, *warning;
  } cases[] = {
      {"00000001,one.key,one.crt\n", ""},
      {"id,certificate\n00000001,both.pem\n", ""},
      {"id,key\n00000001,both.pem\n", ""},
      {"id,key,certificate\n00000001,,both.pem\n", ""},
      {"00000001,both.pem,both.pem\n", ""},
      {"00000001,locked.key,both.pem\n", ""},
      {"id,key,certificate,chain\n00000001,sec1.der,leaf.der,ca.pem\n", ""},
      {"id,key,certificate,chain\n00000001,one.key,ca.pem,leaf.pem\n", ""},
      {"site;chain;certificate;key;id\n\"7;1\";ca.pem;leaf.pem;one.key;00000001\n", ""},
      {"00000001,\"device 1, new/both.pem\",\"device 1, new/both.pem\"\n", ""},
      {"\xef\xbb\xbfID,Private Key,Cert,Note\r\n00000001,one.key,one.crt,\"two\r\nlines\"\r\n", ""},
      {"id,certificate\n00000001,turned.pem\n", ""},
      {"id,certificate\n00000001,wide.pem\n", "a root behind the chain"},
  };
  struct desk *d = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    EXPECT_OK(import(d, cases[i].list, &password));
    expect_device(d, cases[i].list);
    if (strncmp(warned, "1 device has ", cases[i].warning[0] == '\0' ? 0 : 13) != 0 ||
        strstr(warned, cases[i].warning) == NULL || (*cases[i].warning == '\0' && *warned != '\0'))
      fail_msg("%s: '%s'", cases[i].list, warned);
    forget(d);
  }
}

static void bad_files_are_refused_with_line_and_reason(void **state)
{
  static const struct {
    const char *line, *sentence; /* line 3 of a list whose line 2 is good */
  } cases[] = {
      {"00000002,rsa.key,two.crt", "the private key is RSA, and devices know P-256 only"},
      {"00000002,p384.key,two.crt", "the private key is on the curve secp384r1, and devices"},
      {"00000002,ed25519.key,two.crt", "the private key is ED25519, and devices know P-256 only"},
      {"00000002,one.key,two.crt", "two.crt is not for the private key that belongs to it"},
      {"00000002,locked.key,two.crt", "locked.key: it is under a passphrase: give the file (0600)"},
      {"00000002,keys.pem,two.crt", "keys.pem: it holds more than one private key"},
      {"00000002,stray.pem,stray.pem",
       "stray.pem: the certificates are no chain: 'fleetsim root B'"},
      {"00000002,gap.pem,gap.pem", "gap.pem: the certificates are no chain: 'fleetsim root A'"},
      {"00000002,long.pem,long.pem", "long.pem: 5 certificates, and a device has room for 4"},
      {"00000002,part.key,two.crt", "part.key:4: the PEM that ends here is damaged or cut off"},
      {"00000002,two.key,part.crt", "part.crt:1"},
      {"00000002,two.key,part.der",
       "part.der holds no certificate, in PEM or in DER; it holds DER of another kind, or"},
      {"00000002,two.key,request.pem",
       "request.pem holds no certificate, in PEM or in DER; it holds a signing"},
      {"00000002,two.key,two.key",
       "two.key holds no certificate, in PEM or in DER; it holds a private"},
      {"00000002,two.crt,two.crt",
       "two.crt holds no private key, in PEM or in DER; it holds a cert"},
      {"00000002,two.key,huge.pem", "huge.pem has 1048577 bytes, and at most 1048576"},
      {"00000002,two.key,missing.crt", "missing.crt"},
      {"00000002,two.key,new", "new"},
      {"00000002,keys\\two.key,two.crt", "no file 'keys\\two.key': folders are divided by '/'"},
      {"00000002,,", "neither 'key' nor 'certificate' names a file"},
      {"00000002,two.key", "2 fields, and the header names 3 columns"},
      {"00000002,two.key,\"two.crt", "a quoted field is not closed"},
      {"00000002,two.key,gr\xfcn.crt", "the field number 3 is no UTF-8"},
      {"00000002,two.key,one.crt", "one.crt is not for the private key that belongs to it"},
      {"00000001,one.key,one.crt", "the device 00000001 is in the fleet already, or twice"},
      {"2,two.key,two.crt", "the name '2' is that of the certificate, '00000002', without its"},
      {",two.key,two.crt", "the device has no name: a text of 1 to 64 characters is one"},
      {"a/b,two.key,two.crt", "'a/b' is no name of a device: its character number 2"},
  };
  struct desk *d = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char list[256];
    snprintf(list, sizeof list, "id,key,certificate\n00000001,one.key,one.crt\n%s\n",
             cases[i].line);
    EXPECT_REFUSAL(import(d, list, NULL), EXIT_CODE_USAGE, cases[i].sentence);
    if (strstr(error.text, "list.csv:3: ") == NULL) fail_msg("no line in '%s'", error.text);
    assert_int_equal(pki_device_count(d->fresh), 0);
  }
}

int main(void)
{
#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, setup_desk, teardown_desk)
  const struct CMUnitTest tests[] = {
      AT_DESK(keys_and_chains_are_taken_from_the_files_that_people_have),
      AT_DESK(bad_files_are_refused_with_line_and_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
