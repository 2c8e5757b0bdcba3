#define _GNU_SOURCE
#include "pki/contents.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "fixture.h"
#include "pki/unlock.h"

/* A device's files are made by libcrypto as other tools make them. */
struct made {
  struct fixture *f;
  EVP_PKEY *key;
  STACK_OF(X509) * chain;
};

static struct pki_password password = {.given = true, .size = 6, .text = "secret"},
                           wrong = {.given = true, .size = 5, .text = "other"};

static int setup_made(void **state)
{
  if (setup_fleet(state) != 0) return -1;
  struct made *m = calloc(1, sizeof *m);
  m->f = *state;
  EXPECT_OK(pki_write_device(m->f->pki, 0, at(m->f, "../one.crt"), at(m->f, "../one.key"), &error));
  m->key = pki_key_read(at(m->f, "../one.key"), &error);
  m->chain = pki_cert_read_all(at(m->f, "../one.crt"), 4, &error);
  *state = m;
  return 0;
}

static int teardown_made(void **state)
{
  struct made *m = *state;
  void *fixture = m->f;
  EVP_PKEY_free(m->key);
  sk_X509_pop_free(m->chain, X509_free);
  free(m);
  return teardown(&fixture);
}

static const char *write_bio(struct made *m, BIO *bio)
{
  char *data;
  long size = BIO_get_mem_data(bio, &data);
  EXPECT_OK(files_write(beside(m->f, "x"), data, (size_t) size, 0600, &error));
  BIO_free(bio);
  return beside(m->f, "x");
}

/* --- What is read ----------------------------------------------------------------------------- */

enum form {
  PKCS8,
  SEC1,
  SEC1_AFTER_PARAMETERS,
  PKCS8_LOCKED,
  PKCS8_LOCKED_BY_SCRYPT,
  PKCS8_LOCKED_AS_OF_OLD,
  SEC1_LOCKED,
  PKCS8_DER,
  SEC1_DER,
  PKCS8_LOCKED_DER,
  BOX, /* PKCS#12 */
  FORMS
};

static int put_locked(BIO *bio, EVP_PKEY *key, int nid, const EVP_CIPHER *cipher, bool scrypt,
                      bool der)
{
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
  X509_ALGOR *how = scrypt ? PKCS5_pbe2_set_scrypt(cipher, NULL, 0, NULL, 1024, 8, 1) : NULL;
  X509_SIG *locked = scrypt ? PKCS8_set0_pbe("secret", 6, info, how)
                            : PKCS8_encrypt(nid, cipher, "secret", 6, NULL, 0, 2048, info);
  int done = locked == NULL ? 0
             : der          ? i2d_PKCS8_bio(bio, locked)
                            : PEM_write_bio_PKCS8(bio, locked);
  X509_SIG_free(locked);
  PKCS8_PRIV_KEY_INFO_free(info);
  return done;
}

static int put_box(BIO *bio, const struct made *m, const char *with)
{
  STACK_OF(X509) *more = sk_X509_dup(m->chain);
  X509 *leaf = sk_X509_shift(more);
  PKCS12 *box = PKCS12_create(with, "device", m->key, leaf, more, NID_aes_256_cbc, NID_aes_256_cbc,
                              2048, 2048, 0);
  int done = i2d_PKCS12_bio(bio, box);
  PKCS12_free(box);
  sk_X509_free(more);
  return done;
}

static const char *write_key(struct made *m, enum form form)
{
  BIO *bio = BIO_new(BIO_s_mem());
  EVP_PKEY *key = m->key;
  int done = 0;
  switch (form) {
  case PKCS8: done = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL); break;
  case SEC1_AFTER_PARAMETERS:
    BIO_puts(bio, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
    __attribute__((fallthrough));
  case SEC1:
    done = PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
    break;
  case PKCS8_LOCKED: done = put_locked(bio, key, -1, EVP_aes_256_cbc(), false, false); break;
  case PKCS8_LOCKED_BY_SCRYPT:
    done = put_locked(bio, key, -1, EVP_aes_128_cbc(), true, false);
    break;
  case PKCS8_LOCKED_AS_OF_OLD:
    done = put_locked(bio, key, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NULL, false, false);
    break;
  case SEC1_LOCKED:
    done = PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_128_cbc(),
                                                (const uint8_t *) "secret", 6, NULL, NULL);
    break;
  case PKCS8_DER: done = i2d_PKCS8PrivateKeyInfo_bio(bio, key); break;
  case SEC1_DER: done = i2d_PrivateKey_bio(bio, key); break;
  case PKCS8_LOCKED_DER: done = put_locked(bio, key, -1, EVP_aes_256_cbc(), false, true); break;
  case BOX: done = put_box(bio, m, "secret"); break;
  default: break;
  }
  if (done != 1) fail_msg("form %d is not made", form);
  return write_bio(m, bio);
}

static bool is_locked(enum form form)
{
  return (form >= PKCS8_LOCKED && form <= SEC1_LOCKED) || form == PKCS8_LOCKED_DER || form == BOX;
}

static void a_key_is_read_in_every_form(void **state)
{
  struct made *m = *state;
  for (enum form form = PKCS8; form < FORMS; form++) {
    struct pki_contents found;
    const char *path = write_key(m, form);
    EXPECT_OK(pki_contents_read(path, PKI_WANT_KEY, &password, &found, &error));
    if (EVP_PKEY_eq(found.key, m->key) != 1) fail_msg("form %d is another key", form);
    assert_int_equal(sk_X509_num(found.certificates), 0);
    pki_contents_free(&found);
    if (!is_locked(form)) {
      EXPECT_OK(pki_contents_read(path, PKI_WANT_KEY, NULL, &found, &error));
      pki_contents_free(&found);
      continue;
    }
    EXPECT_REFUSAL(pki_contents_read(path, PKI_WANT_KEY, NULL, &found, &error), EXIT_CODE_USAGE,
                   "x: it is under a passphrase: give the file (0600) whose first line that is");
    error = (struct error){0};
    assert_int_equal(pki_contents_read(path, PKI_WANT_KEY, &wrong, &found, &error), -1);
    if (strstr(error.text, "passphrase") == NULL || strstr(error.text, "other ") != NULL)
      fail_msg("form %d: %s", form, error.text);
  }
}

static void expect_chain(const struct made *m, const struct pki_contents *found)
{
  assert_int_equal(sk_X509_num(found->certificates), 2);
  for (int i = 0; i < 2; i++)
    assert_int_equal(X509_cmp(sk_X509_value(found->certificates, i), sk_X509_value(m->chain, i)),
                     0);
}

static void certificates_are_read_with_text_around_and_beside_a_key(void **state)
{
  struct made *m = *state;
  for (int der = 0; der < 2; der++) {
    BIO *bio = BIO_new(BIO_s_mem());
    struct pki_contents found;
    for (int i = 0; i < 2 && der; i++) i2d_X509_bio(bio, sk_X509_value(m->chain, i));
    if (!der) {
      BIO_puts(bio, "\xef\xbb\xbf"
                    "Bag Attributes\r\n");
      for (int i = 0; i < 3; i++) { /* one of them twice */
        X509 *one = sk_X509_value(m->chain, i % 2);
        X509_print(bio, one);
        PEM_write_bio_X509(bio, one);
        if (i == 0) PEM_write_bio_PrivateKey_traditional(bio, m->key, NULL, NULL, 0, NULL, NULL);
      }
      BIO_puts(bio, "that is all\n");
    }
    const char *path = write_bio(m, bio);
    EXPECT_OK(pki_contents_read(path, PKI_WANT_CERTIFICATES, NULL, &found, &error));
    expect_chain(m, &found);
    assert_null(found.key);
    pki_contents_free(&found);
    if (der) continue;
    EXPECT_OK(pki_contents_read(path, PKI_WANT_CERTIFICATES | PKI_WANT_KEY, NULL, &found, &error));
    expect_chain(m, &found);
    assert_int_equal(EVP_PKEY_eq(found.key, m->key), 1);
    pki_contents_free(&found);
  }
}

static void a_box_has_it_all_with_or_without_a_passphrase(void **state)
{
  struct made *m = *state;
  const char *const with[] = {"secret", "", NULL};
  for (size_t i = 0; i < 3; i++) {
    BIO *bio = BIO_new(BIO_s_mem());
    struct pki_contents found;
    assert_int_equal(put_box(bio, m, with[i]), 1);
    EXPECT_OK(pki_contents_read(write_bio(m, bio), PKI_WANT_CERTIFICATES | PKI_WANT_KEY,
                                i == 0 ? &password : NULL, &found, &error));
    expect_chain(m, &found);
    assert_int_equal(EVP_PKEY_eq(found.key, m->key), 1);
    pki_contents_free(&found);
  }
}

/* --- What is refused -------------------------------------------------------------------------- */

#define KEY "PRIVATE KEY" /* so that a search of the sources for keys finds none */

static void what_is_neither_is_told_by_what_it_is(void **state)
{
  static const struct {
    const char *text;
    unsigned wanted;
    const char *sentence;
  } cases[] = {
      {"", PKI_WANT_KEY, "x holds no private key, in PEM or"},
      {"nothing", PKI_WANT_CERTIFICATES, "x holds no certificate, in PEM or"},
      {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
       PKI_WANT_CERTIFICATES, "in DER; it holds a signing request"},
      {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", PKI_WANT_KEY,
       "in DER; it holds a public key"},
      {"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", PKI_WANT_CERTIFICATES,
       "it holds a PKCS#7 bag (openssl pkcs7 -print_certs"},
      {"-----BEGIN OPENSSH " KEY "-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", PKI_WANT_KEY,
       "ssh-keygen -p -m PKCS8"},
      {"-----BEGIN " KEY "-----\nAAAA\n-----END PRIVATE KEY-----\n", PKI_WANT_KEY,
       "x: a private key in it is damaged"},
      {"-----BEGIN " KEY "-----\nAAAA\n-----END PRIVATE KEY-----\n", PKI_WANT_CERTIFICATES,
       "in DER; it holds a private key"},
      {"-----BEGIN EC " KEY "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
       "AES-128-CBC,0\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
       PKI_WANT_KEY, "x: the passphrase of --password-file is not that of this file"},
      {"\n-----BEGIN CERTIFICATE-----\nAAAA\n", PKI_WANT_CERTIFICATES,
       "x:4: the PEM that ends here is damaged or cut off"},
      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PKI_WANT_CERTIFICATES,
       "x: a certificate in it is damaged"},
      {"0 1 2", PKI_WANT_KEY, "it holds DER of another kind, or it is damaged"},
  };
  struct made *m = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct pki_contents found;
    write_text(beside(m->f, "x"), cases[i].text);
    EXPECT_REFUSAL(pki_contents_read(beside(m->f, "x"), cases[i].wanted, &password, &found, &error),
                   EXIT_CODE_USAGE, cases[i].sentence);
  }
}

static void two_keys_and_too_many_certificates_are_refused(void **state)
{
  struct made *m = *state;
  struct pki_contents found;
  BIO *bio = BIO_new(BIO_s_mem());
  for (int i = 0; i < 2; i++) PEM_write_bio_PKCS8PrivateKey(bio, m->key, NULL, NULL, 0, NULL, NULL);
  EXPECT_REFUSAL(pki_contents_read(write_bio(m, bio), PKI_WANT_KEY, NULL, &found, &error),
                 EXIT_CODE_USAGE, "it holds more than one private key");
  bio = BIO_new(BIO_s_mem());
  for (int i = 0; i <= PKI_CONTENTS_MAX; i++) {
    struct pki_cert_spec spec = {
        .kind = PKI_CERT_CA, .subject = "one of many", .key = m->key, .not_after = pki_now() + i};
    X509 *one = pki_cert_mint(&spec, &error);
    PEM_write_bio_X509(bio, one);
    X509_free(one);
  }
  EXPECT_REFUSAL(pki_contents_read(write_bio(m, bio), PKI_WANT_CERTIFICATES, NULL, &found, &error),
                 EXIT_CODE_USAGE, "it holds more than 16 certificates");
}

/* A file says how often its passphrase is hashed: 2 to the power of 31 times would be minutes. */
static void a_key_that_is_too_dear_to_open_is_refused_at_once(void **state)
{
  struct made *m = *state;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(m->key);
  for (int old = 0; old < 2; old++) {
    struct pki_contents found;
    BIO *bio = BIO_new(BIO_s_mem());
    uint8_t *der = NULL;
    X509_SIG *locked =
        PKCS8_encrypt(old ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : -1,
                      old ? NULL : EVP_aes_256_cbc(), "secret", 6, NULL, 0, 0x1234567 / 64, info);
    int size = i2d_X509_SIG(locked, &der);
    uint8_t *at = memmem(der, (size_t) size, "\x02\x03\x04\x8d\x15", 5);
    assert_non_null(at);
    memcpy(at + 2, "\x7f\xff\xff", 3);
    BIO_write(bio, der, size);
    EXPECT_REFUSAL(pki_contents_read(write_bio(m, bio), PKI_WANT_KEY, &password, &found, &error),
                   EXIT_CODE_USAGE, "is to be hashed more than 2000000 times");
    OPENSSL_free(der);
    X509_SIG_free(locked);
  }
  PKCS8_PRIV_KEY_INFO_free(info);
}

/* pbeWithSHA1And40BitRC2-CBC, which Windows wrote for long; only OpenSSL's legacy provider has it. */
static void a_key_under_an_algorithm_of_old_is_refused_as_that(void **state)
{
  struct made *m = *state;
  struct pki_contents found;
  BIO *bio = BIO_new(BIO_s_mem());
  uint8_t *der = NULL;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(m->key);
  X509_SIG *locked =
      PKCS8_encrypt(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NULL, "secret", 6, NULL, 0, 2048, info);
  int size = i2d_X509_SIG(locked, &der);
  uint8_t *at = memmem(der, (size_t) size, "\x0d\x01\x0c\x01\x03", 5);
  assert_non_null(at);
  at[4] = 6;
  BIO_write(bio, der, size);
  EXPECT_REFUSAL(pki_contents_read(write_bio(m, bio), PKI_WANT_KEY, &password, &found, &error),
                 EXIT_CODE_USAGE, "with an algorithm that OpenSSL 3 keeps apart as too old");
  OPENSSL_free(der);
  X509_SIG_free(locked);
  PKCS8_PRIV_KEY_INFO_free(info);
}

/* --- Passphrases ------------------------------------------------------------------------------ */

static void a_passphrase_is_the_first_line_of_a_file_of_ours_alone(void **state)
{
  static const struct {
    const char *text, *wanted;
  } cases[] = {{"secret", "secret"},
               {"secret\n", "secret"},
               {"secret\r\nmore\n", "secret"},
               {" two words \n", " two words "},
               {"\n", ""}};
  struct fixture *f = ((struct made *) *state)->f;
  struct pki_password read;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    write_text(beside(f, "pass"), cases[i].text);
    EXPECT_OK(pki_password_read(beside(f, "pass"), &read, &error));
    assert_true(read.given);
    assert_string_equal(read.text, cases[i].wanted);
    assert_int_equal(read.size, strlen(cases[i].wanted));
  }
  chmod(beside(f, "pass"), 0640);
  EXPECT_REFUSAL(pki_password_read(beside(f, "pass"), &read, &error), EXIT_CODE_SETUP,
                 "(mode 0640); mend it with: chmod 0600 ");
  write_text(beside(f, "pass"), "");
  EXPECT_REFUSAL(pki_password_read(beside(f, "pass"), &read, &error), EXIT_CODE_USAGE, "is empty");
  char text[PKI_PASSWORD_MAX + 2];
  memset(text, 'x', sizeof text);
  text[PKI_PASSWORD_MAX + 1] = '\0';
  write_text(beside(f, "pass"), text);
  EXPECT_REFUSAL(pki_password_read(beside(f, "pass"), &read, &error), EXIT_CODE_USAGE,
                 "is no passphrase");
  text[PKI_PASSWORD_MAX] = '\0';
  write_text(beside(f, "pass"), text);
  EXPECT_OK(pki_password_read(beside(f, "pass"), &read, &error));
  pki_password_wipe(&read);
  assert_false(read.given);
}

int main(void)
{
#define MADE(test) cmocka_unit_test_setup_teardown(test, setup_made, teardown_made)
  const struct CMUnitTest tests[] = {
      MADE(a_key_is_read_in_every_form),
      MADE(certificates_are_read_with_text_around_and_beside_a_key),
      MADE(a_box_has_it_all_with_or_without_a_passphrase),
      MADE(what_is_neither_is_told_by_what_it_is),
      MADE(two_keys_and_too_many_certificates_are_refused),
      MADE(a_key_that_is_too_dear_to_open_is_refused_at_once),
      MADE(a_key_under_an_algorithm_of_old_is_refused_as_that),
      MADE(a_passphrase_is_the_first_line_of_a_file_of_ours_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
