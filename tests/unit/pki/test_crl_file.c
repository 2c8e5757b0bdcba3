#define _GNU_SOURCE
#include <openssl/pem.h>

#include "fixture.h"
#include "pki/crl.h"

#define HOUR_S 3600
#define WEEK_S (7 * 24 * (int64_t) HOUR_S)

/* for whom a list is; and the distribution point http://x/ as a certificate names it */
#define FOR_USERS "2.5.29.28", "critical,DER:30:03:81:01:FF"
#define FOR_CAS   "2.5.29.28", "critical,DER:30:03:82:01:FF"
#define FOR_X     "2.5.29.28", "critical,DER:30:0F:A0:0D:A0:0B:86:09:68:74:74:70:3A:2F:2F:78:2F"
#define POINT_X   "DER:30:11:30:0F:A0:0D:A0:0B:86:09:68:74:74:70:3A:2F:2F:78:2F"

/* A list as a CA elsewhere makes it. Extensions are in the syntax of openssl.cnf, "critical,..." or
   "DER:..". */
struct recipe {
  const struct pki_authority *by;        /* NULL: root A's CA for devices */
  EVP_PKEY *key;                         /* NULL: that authority's */
  const char *extension[3][2];           /* name, value */
  const char *entry[2];                  /* one of the only entry: device 00000001's certificate */
  long number;                           /* 0: none */
  int64_t from, to;                      /* from now; 0, 0: an hour ago, in a week */
  bool endless, names_device, rewritten; /* the issuer's name is */
  const EVP_MD *hash;                    /* NULL: SHA-256 */
};

static X509_REVOKED *entry_of(struct fixture *f, const struct recipe *recipe)
{
  STACK_OF(X509) *chain = pki_device_chain(f->pki, 0, &error);
  X509_REVOKED *entry = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(sk_X509_value(chain, 0)));
  ASN1_TIME *when = ASN1_TIME_set(NULL, time(NULL) - HOUR_S);
  X509_REVOKED_set_revocationDate(entry, when);
  ASN1_TIME_free(when);
  sk_X509_pop_free(chain, X509_free);
  if (recipe->entry[0] == NULL) return entry;
  X509_EXTENSION *extension = X509V3_EXT_conf(NULL, NULL, recipe->entry[0], recipe->entry[1]);
  if (extension == NULL || X509_REVOKED_add_ext(entry, extension, -1) != 1)
    fail_msg("no %s", recipe->entry[0]);
  X509_EXTENSION_free(extension);
  return entry;
}

static void rewrite_issuer(X509_CRL *crl)
{
  X509_NAME *name = X509_NAME_dup(X509_CRL_get_issuer(crl));
  for (int i = 0; i < X509_NAME_entry_count(name); i++) {
    X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(entry);
    int other =
        ASN1_STRING_type(text) == V_ASN1_UTF8STRING ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
    X509_NAME_ENTRY *again =
        X509_NAME_ENTRY_create_by_OBJ(NULL, X509_NAME_ENTRY_get_object(entry), other,
                                      ASN1_STRING_get0_data(text), ASN1_STRING_length(text));
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, i));
    X509_NAME_add_entry(name, again, i, 0);
    X509_NAME_ENTRY_free(again);
  }
  X509_CRL_set_issuer_name(crl, name);
  X509_NAME_free(name);
}

static X509_CRL *make(struct fixture *f, const struct recipe *recipe)
{
  const struct pki_authority *by = recipe->by != NULL ? recipe->by : &f->pki->hierarchy[0].devices;
  bool usual = recipe->from == 0 && recipe->to == 0;
  X509_CRL *crl = X509_CRL_new();
  /* one moment for all lists, so that two of the same recipe are of the same second */
  static time_t now;
  if (now == 0) now = time(NULL);
  ASN1_TIME *from = ASN1_TIME_set(NULL, now + (usual ? -HOUR_S : recipe->from)),
            *to = ASN1_TIME_set(NULL, now + (usual ? WEEK_S : recipe->to));
  X509_CRL_set_version(crl, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->certificate));
  if (recipe->rewritten) rewrite_issuer(crl);
  X509_CRL_set1_lastUpdate(crl, from);
  if (!recipe->endless) X509_CRL_set1_nextUpdate(crl, to);
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  if (recipe->number != 0) {
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, recipe->number);
    X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_APPEND);
    ASN1_INTEGER_free(number);
  }
  for (size_t i = 0; i < 3 && recipe->extension[i][0] != NULL; i++) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, by->certificate, NULL, NULL, crl, 0);
    X509_EXTENSION *one =
        X509V3_EXT_conf(NULL, &ctx, recipe->extension[i][0], recipe->extension[i][1]);
    if (one == NULL || X509_CRL_add_ext(crl, one, -1) != 1)
      fail_msg("no %s", recipe->extension[i][0]);
    X509_EXTENSION_free(one);
  }
  if (recipe->names_device || recipe->entry[0] != NULL)
    X509_CRL_add0_revoked(crl, entry_of(f, recipe));
  X509_CRL_sort(crl);
  if (X509_CRL_sign(crl, recipe->key != NULL ? recipe->key : by->key,
                    recipe->hash ? recipe->hash : EVP_sha256()) <= 0)
    fail_msg("a list is not signed");
  return crl;
}

/* Writes the lists to NAME beside the fleet. */
static const char *write_lists(struct fixture *f, const char *name, const struct recipe *recipes,
                               size_t count)
{
  const char *path = at(f, name);
  FILE *file = fopen(path, "we");
  for (size_t i = 0; i < count; i++) {
    X509_CRL *crl = make(f, &recipes[i]);
    if (PEM_write_X509_CRL(file, crl) != 1) fail_msg("%s cannot be written", path);
    X509_CRL_free(crl);
  }
  fclose(file);
  return path;
}

static char warned[2048];

static void keep_warning(void *ctx, const char *sentence)
{
  (void) ctx;
  strncat(warned, sentence, sizeof warned - strlen(warned) - 1);
}

static int check(struct fixture *f, const char *path, struct pki_crl_history *history)
{
  warned[0] = '\0';
  return pki_check_crls(f->pki, path, history, keep_warning, NULL, &error);
}

static void a_complete_list_of_the_devices_ca_is_enough(void **state)
{
  struct fixture *f = *state;
  bool revoked[3] = {0};
  const char *path =
      write_lists(f, "crl.pem", (struct recipe[]){{.number = 5, .names_device = true}}, 1);
  EXPECT_OK(check(f, path, NULL));
  EXPECT_OK(pki_crls_name(f->pki, path, revoked, 3, &error));
  assert_true(revoked[0]);
  assert_false(revoked[1]);
}

static void the_first_list_of_a_file_that_is_over_tells_its_end(void **state)
{
  struct fixture *f = *state;
  int64_t end_s = 0, from_s = time(NULL);
  const struct recipe recipes[] = {{.number = 5, .endless = true},
                                   {.number = 6, .from = -HOUR_S, .to = 2 * HOUR_S},
                                   {.number = 7, .from = -HOUR_S, .to = HOUR_S}};
  EXPECT_OK(pki_crls_end(write_lists(f, "ends.pem", recipes, 3), &end_s, &error));
  assert_in_range(end_s, from_s + HOUR_S - 2, time(NULL) + HOUR_S + 2);
  EXPECT_OK(pki_crls_end(write_lists(f, "endless.pem", recipes, 1), &end_s, &error));
  assert_true(end_s == INT64_MAX);
}

static size_t former_device, former_count;
static uint8_t former_chain[DEVICE_NVM_CERTIFICATE_MAX];
static size_t former_size;

static void keep_former(void *ctx, const struct pki_former *former)
{
  (void) ctx;
  former_device = former->device;
  former_size = former->size;
  memcpy(former_chain, former->chain, former->size);
  former_count++;
}

/* The thief of its key comes with that. */
static void a_certificate_that_a_device_held_once_is_found_and_written_with_its_key(void **state)
{
  struct fixture *f = *state;
  bool named[3] = {0};
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = 0;
  struct device_host host = pki_nvm_host(pki_device_page(f->pki, 0));
  const char *path =
      write_lists(f, "crl.pem", (struct recipe[]){{.number = 5, .names_device = true}}, 1);
  former_count = 0;
  EXPECT_OK(pki_crls_name_former(f->pki, path, keep_former, NULL, &error));
  assert_int_equal(former_count, 0); /* it is in force */
  EXPECT_OK(pki_reissue(f->pki, 0, "A", chain, sizeof chain, &size, &error));
  EXPECT_OK(pki_crls_name_former(f->pki, path, keep_former, NULL, &error));
  assert_int_equal(former_count, 0); /* it is still: the device has not taken the new one */
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, chain, size), 0);
  EXPECT_OK(pki_crls_name(f->pki, path, named, 3, &error));
  assert_false(named[0]);
  EXPECT_OK(pki_crls_name_former(f->pki, path, keep_former, NULL, &error));
  assert_int_equal(former_count, 1);
  assert_int_equal(former_device, 0);
  EXPECT_OK(pki_write_device_with(f->pki, 0, former_chain, former_size, at(f, "former.crt"),
                                  at(f, "former.key"), &error));
  FILE *file = fopen(at(f, "former.crt"), "re");
  X509 *leaf = PEM_read_X509(file, NULL, NULL, NULL);
  fclose(file);
  file = fopen(at(f, "former.key"), "re");
  EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
  fclose(file);
  assert_int_equal(X509_check_private_key(leaf, key), 1);
  X509_free(leaf);
  EVP_PKEY_free(key);
  assert_int_equal(pki_write_device_with(f->pki, 0, former_chain, 1, at(f, "former.crt"),
                                         at(f, "former.key"), &error),
                   -1);
}

static void a_list_that_brokers_do_not_work_with_is_refused_by_its_kind(void **state)
{
  struct fixture *f = *state;
  const struct {
    struct recipe recipe;
    const char *sentence;
  } cases[] = {
      {{.extension = {{"2.5.29.27", "critical,DER:02:01:01"}}}, "is a delta CRL"},
      {{.extension = {{"2.5.29.27", "DER:02:01:01"}}},
       "is a delta CRL"}, /* RFC 5280 has it critical; some do not */
      {{.extension = {{"2.5.29.28", "critical,DER:30:03:82:01:FF"}}},
       "is for CA certificates only"},
      {{.extension = {{"2.5.29.28", "DER:30:03:82:01:FF"}}}, "is for CA certificates only"},
      {{.extension = {{"2.5.29.28", "critical,DER:30:03:85:01:FF"}}},
       "is for attribute certificates only"},
      {{.extension = {{"2.5.29.28", "critical,DER:30:04:83:02:06:40"}}}, "for some reasons only"},
      {{.extension = {{"2.5.29.28", "critical,DER:30:03:84:01:FF"}}}, "is indirect"},
      {{.extension = {{"2.5.29.28", "critical,DER:30:06:81:01:FF:82:01:FF"}}}, "which cannot be"},
      {{.extension = {{"2.5.29.28",
                       "critical,DER:30:0F:A0:0D:A0:0B:86:09:68:74:74:70:3A:2F:2F:78:2F"}}},
       "distribution point (http://x/) themselves, and that of device 00000001 does not"},
      {{.extension = {{"2.5.29.28", "critical,DER:04:00"}}}, "cannot be read"},
      {{.extension = {{"1.2.3.4", "critical,DER:05:00"}}}, "has the critical extension 1.2.3.4"},
      {{.extension = {{"2.5.29.20", "critical,DER:02:01:07"}}},
       "has the critical extension X509v3 CRL Number"},
      {{.entry = {"1.2.3.4", "critical,DER:05:00"}}, "has an entry with the extension 1.2.3.4"},
      {{.entry = {"2.5.29.29", "critical,DER:30:00"}}, "has an entry with the extension"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *path = write_lists(f, "crl.pem", &cases[i].recipe, 1);
    EXPECT_REFUSAL(check(f, path, NULL), EXIT_CODE_USAGE, cases[i].sentence);
    if (strstr(error.text, "crl.pem: the CRL of 'fleetsim A devices' ") == NULL)
      fail_msg("%s", error.text);
    if (strstr(error.text, "publish") == NULL && strstr(error.text, "make it anew") == NULL)
      fail_msg("what to do is not said: %s", error.text);
  }
}

static void lists_that_are_only_rare_are_taken(void **state)
{
  struct fixture *f = *state;
  const struct recipe cases[] = {
      {.extension = {{"2.5.29.28",
                      "critical,DER:30:03:81:01:FF"}}}, /* for user certificates only */
      {.extension = {{"authorityKeyIdentifier", "critical,keyid:always"}}},
      {.extension = {{"1.2.3.4", "DER:05:00"}}},
      {.entry = {"1.2.3.4", "DER:05:00"}},
      {.from = -2 * WEEK_S, .to = HOUR_S},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    EXPECT_OK(check(f, write_lists(f, "crl.pem", &cases[i], 1), NULL));
  /* the root's, for the CA certificates that it gave, beside the one that counts for devices */
  const struct recipe pair[] = {{.by = &f->pki->hierarchy[0].root,
                                 .extension = {{"2.5.29.28", "critical,DER:30:03:82:01:FF"}}},
                                {.number = 3}};
  EXPECT_OK(check(f, write_lists(f, "crl.pem", pair, 2), NULL));
}

static void a_list_must_be_signed_by_its_issuer_and_in_force(void **state)
{
  struct fixture *f = *state;
  EVP_PKEY *stranger = pki_key_generate(&error);
  const struct {
    struct recipe recipe;
    const char *sentence;
  } cases[] = {
      {{.key = stranger}, "is not signed by this fleet's"},
      {{.from = HOUR_S, .to = WEEK_S}, "is not in force yet"},
      {{.from = -WEEK_S, .to = -HOUR_S}, "has expired"},
      {{.by = &f->pki->update_ca}, "is of no authority that certifies this fleet"},
      {{.by = &f->pki->hierarchy[1].devices}, "the CRL of 'fleetsim A devices' is missing"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    EXPECT_REFUSAL(check(f, write_lists(f, "crl.pem", &cases[i].recipe, 1), NULL), EXIT_CODE_USAGE,
                   cases[i].sentence);
  EVP_PKEY_free(stranger);
}

static void what_some_brokers_refuse_is_told_and_taken(void **state)
{
  struct fixture *f = *state;
  EXPECT_OK(check(f, write_lists(f, "crl.pem", (struct recipe[]){{.endless = true}}, 1), NULL));
  if (strstr(warned, "has no next update") == NULL) fail_msg("'%s'", warned);
  EXPECT_OK(check(f, write_lists(f, "crl.pem", (struct recipe[]){{.hash = EVP_sha1()}}, 1), NULL));
  if (strstr(warned, "is signed over SHA-1") == NULL) fail_msg("'%s'", warned);
}

static void brokers_that_want_a_list_of_every_ca_are_spoken_of(void **state)
{
  struct fixture *f = *state;
  const struct recipe pair[] = {{.number = 3}, {.by = &f->pki->hierarchy[0].root, .number = 8}};
  EXPECT_OK(check(f, write_lists(f, "crl.pem", pair, 2), NULL));
  assert_string_equal(warned, "");
  EXPECT_OK(check(f, write_lists(f, "crl.pem", pair, 1), NULL));
  if (strstr(warned, "of 'fleetsim root A', which certified a CA of the devices, it has no list") ==
      NULL)
    fail_msg("'%s'", warned);
}

/* The certificate again, with one more extension, under the fleet's CA for devices. */
static X509 *extended(struct fixture *f, const char *name, const char *value)
{
  const struct pki_authority *by = &f->pki->hierarchy[0].devices;
  STACK_OF(X509) *chain = pki_device_chain(f->pki, 0, &error);
  X509 *leaf = X509_dup(sk_X509_value(chain, 0));
  sk_X509_pop_free(chain, X509_free);
  X509_EXTENSION *one = X509V3_EXT_conf(NULL, NULL, name, value);
  assert_int_equal(X509_add_ext(leaf, one, -1), 1);
  X509_EXTENSION_free(one);
  X509_set_issuer_name(leaf, X509_get_subject_name(by->certificate));
  assert_true(X509_sign(leaf, by->key, EVP_sha256()) > 0);
  return leaf;
}

static void give_device(struct fixture *f, size_t index, X509 *leaf)
{
  uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = 0;
  X509 *const chain[] = {leaf, f->pki->hierarchy[0].devices.certificate};
  struct device_host host = pki_nvm_host(pki_device_page(f->pki, index));
  EXPECT_OK(pki_encode_chain(chain, 2, bytes, sizeof bytes, &size, &error));
  assert_int_equal(device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, bytes, size), 0);
}

static void a_list_for_a_distribution_point_counts_where_the_certificates_name_it(void **state)
{
  struct fixture *f = *state;
  const struct recipe at_x = {
      .extension = {
          {"2.5.29.28", "critical,DER:30:0F:A0:0D:A0:0B:86:09:68:74:74:70:3A:2F:2F:78:2F"}}};
  X509 *leaf = extended(f, "2.5.29.31", POINT_X);
  for (size_t i = 0; i < 2; i++) give_device(f, i, leaf);
  EXPECT_REFUSAL(check(f, write_lists(f, "crl.pem", &at_x, 1), NULL), EXIT_CODE_USAGE,
                 "that of device 00000003 does not");
  give_device(f, 2, leaf);
  EXPECT_OK(check(f, write_lists(f, "crl.pem", &at_x, 1), NULL));
  X509_free(leaf);
}

/* The complete list lets everybody in, and what the other one says no broker heeds. */
static void a_list_for_others_beside_the_complete_one_names_no_device(void **state)
{
  struct fixture *f = *state;
  const struct {
    const char *scope[2];
    bool names_device;
    const char *sentence; /* NULL: taken */
  } cases[] = {
      {{FOR_X}, true, "names device 00000001 and counts only for certificates which name its"},
      {{FOR_X}, false, "and no device's does: it tells a broker nothing"},
      {{FOR_CAS}, true, "names device 00000001 and is for CA certificates only"},
      {{FOR_CAS}, false, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (size_t first = 0; first < 2; first++) {
      bool revoked[3] = {0};
      struct recipe pair[2] = {{.number = 5}, {.number = 5}};
      pair[first].extension[0][0] = cases[i].scope[0];
      pair[first].extension[0][1] = cases[i].scope[1];
      pair[first].names_device = cases[i].names_device;
      const char *path = write_lists(f, "crl.pem", pair, 2);
      if (cases[i].sentence == NULL)
        EXPECT_OK(check(f, path, NULL));
      else
        EXPECT_REFUSAL(check(f, path, NULL), EXIT_CODE_USAGE, cases[i].sentence);
      EXPECT_OK(pki_crls_name(f->pki, path, revoked, 3, &error));
      assert_false(revoked[0]);
    }
  X509 *leaf = extended(f, "2.5.29.31", POINT_X);
  give_device(f, 0, leaf);
  const struct recipe both[] = {{.number = 5}, {.extension = {{FOR_X}}, .number = 5}};
  EXPECT_OK(check(f, write_lists(f, "crl.pem", both, 2), NULL));
  X509_free(leaf);
}

static void an_operator_of_somebody_elses_ca_needs_its_list_too(void **state)
{
  struct fixture *f = *state;
  EVP_PKEY *key = pki_key_generate(&error);
  struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                               .subject = "operator",
                               .key = key,
                               .issuer = &f->pki->hierarchy[1].devices,
                               .not_after = pki_now() + WEEK_S};
  X509 *certificate = pki_cert_mint(&spec, &error);
  EXPECT_OK(pki_cert_write(at(f, "operator.crt"), &certificate, 1, &error));
  X509_free(certificate);
  EVP_PKEY_free(key);
  const struct recipe pair[] = {{.number = 3}, {.by = &f->pki->hierarchy[1].devices, .number = 8}};
  EXPECT_OK(check(f, write_lists(f, "crl.pem", pair, 2), NULL));
  EXPECT_REFUSAL(check(f, write_lists(f, "crl.pem", pair, 1), NULL), EXIT_CODE_USAGE,
                 "the CRL of 'fleetsim B devices' is missing");
}

static void a_ca_that_may_not_sign_lists_locks_everybody_out(void **state)
{
  struct fixture *f = *state;
  struct pki_authority *ca = &f->pki->hierarchy[0].devices;
  X509 *weak = X509_dup(ca->certificate);
  X509_EXTENSION *usage = X509V3_EXT_conf(NULL, NULL, "keyUsage", "critical,keyCertSign");
  X509_EXTENSION_free(X509_delete_ext(weak, X509_get_ext_by_NID(weak, NID_key_usage, -1)));
  X509_add_ext(weak, usage, -1);
  X509_EXTENSION_free(usage);
  assert_true(X509_sign(weak, f->pki->hierarchy[0].root.key, EVP_sha256()) > 0);
  X509_free(ca->certificate);
  uint8_t *der = NULL;
  int size = i2d_X509(weak, &der);
  const uint8_t *in = der;
  ca->certificate = d2i_X509(NULL, &in, size);
  OPENSSL_free(der);
  X509_free(weak);
  for (size_t i = 0; i < 3; i++) {
    STACK_OF(X509) *chain = pki_device_chain(f->pki, i, &error);
    give_device(f, i, sk_X509_value(chain, 0));
    sk_X509_pop_free(chain, X509_free);
  }
  EXPECT_REFUSAL(check(f, write_lists(f, "crl.pem", (struct recipe[]){{.number = 3}}, 1), NULL),
                 EXIT_CODE_USAGE, "keyUsage without cRLSign");
}

static void of_two_lists_for_the_same_certificates_one_is_too_many(void **state)
{
  struct fixture *f = *state;
  const struct recipe twins[] = {{.number = 5}, {.number = 6, .names_device = true}};
  EXPECT_REFUSAL(check(f, write_lists(f, "crl.pem", twins, 2), NULL), EXIT_CODE_USAGE,
                 "is there twice, and differs");
}

static void what_is_no_pem_is_told_by_what_it_is(void **state)
{
  struct fixture *f = *state;
  X509_CRL *crl = make(f, &(struct recipe){.number = 1});
  FILE *file = fopen(at(f, "crl.der"), "we");
  i2d_X509_CRL_fp(file, crl);
  fclose(file);
  X509_CRL_free(crl);
  EXPECT_REFUSAL(check(f, at(f, "crl.der"), NULL), EXIT_CODE_USAGE, "openssl crl -inform DER -in");
  const char *const texts[] = {"", "\n",
                               "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    write_text(at(f, "crl.txt"), texts[i]);
    EXPECT_REFUSAL(check(f, at(f, "crl.txt"), NULL), EXIT_CODE_USAGE, "does not hold whole CRLs");
  }
  write_text(at(f, "crl.txt"),
             "\xef\xbb\xbf-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n");
  EXPECT_REFUSAL(check(f, at(f, "crl.txt"), NULL), EXIT_CODE_USAGE, "byte order mark");
}

static void a_private_key_is_published_on_no_account(void **state)
{
  struct fixture *f = *state;
  struct pki_crl_times times = {pki_now(), pki_now() + WEEK_S};
  const char *const labels[] = {"",         "RSA ", "EC ",  "ENCRYPTED ",
                                "OPENSSH ", "ANY ", "PGP ", "SOMEBODY'S "};
  for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
    char text[200];
    snprintf(text, sizeof text, "# the list\r\n-----BEGIN %sPRIVATE KEY-----\r\nMAA=\r\n",
             labels[i]);
    write_text(at(f, "key.pem"), text);
    EXPECT_REFUSAL(pki_check_crl_secrets(at(f, "key.pem"), &error), EXIT_CODE_USAGE,
                   "key.pem holds a private key: ");
    EXPECT_REFUSAL(pki_complete_crls(f->pki, at(f, "key.pem"), &times, at(f, "out.pem"), &error),
                   EXIT_CODE_USAGE, "holds a private key");
    assert_int_equal(access(at(f, "out.pem"), F_OK), -1);
  }
  EVP_PKEY *key = pki_key_generate(&error);
  FILE *file = fopen(at(f, "key.der"), "we");
  i2d_PrivateKey_fp(file, key);
  fclose(file);
  EVP_PKEY_free(key);
  EXPECT_REFUSAL(pki_check_crl_secrets(at(f, "key.der"), &error), EXIT_CODE_USAGE,
                 "holds a private key");
  const char *const others[] = {"", "no PRIVATE KEY in here",
                                "-----BEGIN PUBLIC KEY-----\nPRIVATE KEY"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    write_text(at(f, "text.pem"), others[i]);
    EXPECT_OK(pki_check_crl_secrets(at(f, "text.pem"), &error));
  }
  EXPECT_OK(pki_check_crl_secrets(write_lists(f, "crl.pem", (struct recipe[]){{.number = 1}}, 1),
                                  &error));
}

static void a_list_that_is_older_than_the_one_before_is_refused(void **state)
{
  struct fixture *f = *state;
  const struct {
    struct recipe first, second;
    const char *sentence; /* NULL: fine */
  } cases[] = {
      {{.number = 5, .names_device = true}, {.number = 6}, NULL},
      {{.number = 255}, {.number = 256}, NULL},
      {{.number = 256}, {.number = 255}, "is older than the one published before"},
      {{.number = 6, .names_device = true},
       {.number = 5},
       "is older than the one published before"},
      {{.from = -HOUR_S, .to = WEEK_S},
       {.from = -2 * HOUR_S, .to = WEEK_S},
       "is older than the one published before"},
      {{.number = 5, .from = -HOUR_S, .to = WEEK_S},
       {.number = 6, .from = -2 * HOUR_S, .to = WEEK_S},
       "is older than the one published before"},
      {{.number = 5}, {.number = 0}, "has no number, and the one published before has"},
      {{.number = 5}, {.number = -3}, "has a number that is none"},
      {{.number = 5, .names_device = true},
       {.number = 5},
       "has the number of the one published before, and differs"},
      {{.from = -HOUR_S, .to = WEEK_S, .names_device = true},
       {.from = -HOUR_S, .to = 2 * WEEK_S},
       "has the this-update of the one published before, and differs"},
      /* of users only, and of all: one series */
      {{.number = 6},
       {.extension = {{FOR_USERS}}, .number = 5},
       "is older than the one published before"},
      {{.extension = {{FOR_USERS}}, .number = 6},
       {.number = 5},
       "is older than the one published before"},
      {{.number = 2},
       {.extension = {{FOR_USERS}}, .number = 5, .from = -WEEK_S, .to = WEEK_S},
       "is older than the one published before"},
      {{.number = 6},
       {.extension = {{"2.5.29.28", "DER:30:00"}}, .number = 5},
       "is older than the one published before"},
      {{.number = 5}, {.extension = {{FOR_USERS}}, .number = 6}, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct pki_crl_history history = {0};
    EXPECT_OK(check(f, write_lists(f, "first.pem", &cases[i].first, 1), &history));
    const char *second = write_lists(f, "second.pem", &cases[i].second, 1);
    if (cases[i].sentence == NULL)
      EXPECT_OK(check(f, second, &history));
    else
      EXPECT_REFUSAL(check(f, second, &history), EXIT_CODE_USAGE, cases[i].sentence);
    pki_crl_history_free(&history);
  }
}

static void the_same_list_again_is_not_older(void **state)
{
  struct fixture *f = *state;
  struct pki_crl_history history = {0};
  const struct recipe pair[] = {{.number = 5},
                                {.by = &f->pki->hierarchy[0].root, .from = -WEEK_S, .to = WEEK_S}};
  const char *path = write_lists(f, "crl.pem", pair, 2);
  for (int i = 0; i < 3; i++) EXPECT_OK(check(f, path, &history));
  pki_crl_history_free(&history);
}

/* The name in another kind of string is the same name to whoever looks for the issuer's list. */
static void an_issuer_is_known_however_its_name_is_written(void **state)
{
  struct fixture *f = *state;
  struct pki_crl_history history = {0};
  EXPECT_OK(check(f, write_lists(f, "first.pem", (struct recipe[]){{.number = 6}}, 1), &history));
  EXPECT_REFUSAL(
      check(f, write_lists(f, "second.pem", (struct recipe[]){{.number = 5, .rewritten = true}}, 1),
            &history),
      EXIT_CODE_USAGE, "is older than the one published before");
  pki_crl_history_free(&history);
}

/* Numbers count within a series only (RFC 5280, 5.2.3); what a list of another kind says of the
 * same certificates is told to be older by its date. */
static void lists_for_other_certificates_have_an_order_of_their_own(void **state)
{
  struct fixture *f = *state;
  const struct pki_authority *root = &f->pki->hierarchy[0].root;
  const struct {
    struct recipe first, second; /* beside the devices' */
    const char *sentence;
  } cases[] = {
      {{.by = root, .extension = {{FOR_USERS}}, .number = 6},
       {.by = root, .extension = {{FOR_CAS}}, .number = 5},
       NULL},
      {{.by = root, .extension = {{FOR_USERS}}},
       {.by = root, .extension = {{FOR_CAS}}, .from = -WEEK_S, .to = WEEK_S},
       NULL},
      {{.by = root, .number = 6}, {.by = root, .extension = {{FOR_CAS}}, .number = 5}, NULL},
      {{.by = root},
       {.by = root, .extension = {{FOR_CAS}}, .from = -WEEK_S, .to = WEEK_S},
       "'fleetsim root A' is older than the one published before"},
      {{.by = root},
       {.by = root, .extension = {{FOR_X}}, .from = -WEEK_S, .to = WEEK_S},
       "'fleetsim root A' is older than the one published before"},
      {{.by = root, .extension = {{FOR_X}}},
       {.by = root, .from = -WEEK_S, .to = WEEK_S},
       "'fleetsim root A' is older than the one published before"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct pki_crl_history history = {0};
    const struct recipe first[] = {{.number = 5, .from = -HOUR_S, .to = WEEK_S}, cases[i].first},
                        second[] = {{.number = 7, .from = -HOUR_S / 2, .to = WEEK_S},
                                    cases[i].second};
    EXPECT_OK(check(f, write_lists(f, "first.pem", first, 2), &history));
    const char *path = write_lists(f, "second.pem", second, 2);
    if (cases[i].sentence == NULL)
      EXPECT_OK(check(f, path, &history));
    else
      EXPECT_REFUSAL(check(f, path, &history), EXIT_CODE_USAGE, cases[i].sentence);
    pki_crl_history_free(&history);
  }
}

static void a_file_does_not_undo_what_the_run_revoked_itself(void **state)
{
  struct fixture *f = *state;
  struct pki_crl_history history = {0};
  const char *path = write_lists(f, "crl.pem", (struct recipe[]){{.number = 9}}, 1);
  EXPECT_OK(check(f, path, &history));
  pki_crl_history_ours(&history);
  EXPECT_REFUSAL(check(f, path, &history), EXIT_CODE_USAGE,
                 "is older than the one that this run makes itself");
  pki_crl_history_free(&history);
}

static int count_lists(const char *path, X509_NAME *issuer)
{
  int found = 0;
  X509_CRL *crl;
  FILE *file = fopen(path, "re");
  while ((crl = PEM_read_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
    found += issuer == NULL || X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer) == 0;
    X509_CRL_free(crl);
  }
  fclose(file);
  return found;
}

static void the_back_office_list_is_added_where_it_is_missing(void **state)
{
  struct fixture *f = *state;
  struct pki_crl_times times = {pki_now(), pki_now() + WEEK_S};
  X509_NAME *office = X509_get_subject_name(f->pki->back_office.certificate);
  write_lists(f, "theirs.pem", (struct recipe[]){{.number = 5, .names_device = true}}, 1);
  EXPECT_OK(pki_complete_crls(f->pki, at(f, "theirs.pem"), &times, at(f, "all.pem"), &error));
  assert_int_equal(count_lists(at(f, "all.pem"), NULL), 2);
  assert_int_equal(count_lists(at(f, "all.pem"), office), 1);
  EXPECT_OK(pki_complete_crls(f->pki, at(f, "all.pem"), &times, at(f, "again.pem"), &error));
  assert_int_equal(count_lists(at(f, "again.pem"), NULL), 2);
  EXPECT_OK(check(f, at(f, "all.pem"), NULL));
  write_text(at(f, "junk.pem"), "no list");
  EXPECT_OK(pki_complete_crls(f->pki, at(f, "junk.pem"), &times, at(f, "all.pem"), &error));
  assert_int_equal(count_lists(at(f, "all.pem"), NULL), 0);
}

int main(void)
{
#define FLEET(test) cmocka_unit_test_setup_teardown(test, setup_fleet, teardown)
  const struct CMUnitTest tests[] = {
      FLEET(a_complete_list_of_the_devices_ca_is_enough),
      FLEET(the_first_list_of_a_file_that_is_over_tells_its_end),
      FLEET(a_certificate_that_a_device_held_once_is_found_and_written_with_its_key),
      FLEET(a_list_that_brokers_do_not_work_with_is_refused_by_its_kind),
      FLEET(lists_that_are_only_rare_are_taken),
      FLEET(a_list_must_be_signed_by_its_issuer_and_in_force),
      FLEET(what_some_brokers_refuse_is_told_and_taken),
      FLEET(brokers_that_want_a_list_of_every_ca_are_spoken_of),
      FLEET(a_list_for_a_distribution_point_counts_where_the_certificates_name_it),
      FLEET(a_list_for_others_beside_the_complete_one_names_no_device),
      FLEET(an_operator_of_somebody_elses_ca_needs_its_list_too),
      FLEET(a_ca_that_may_not_sign_lists_locks_everybody_out),
      FLEET(of_two_lists_for_the_same_certificates_one_is_too_many),
      FLEET(what_is_no_pem_is_told_by_what_it_is),
      FLEET(a_private_key_is_published_on_no_account),
      FLEET(a_list_that_is_older_than_the_one_before_is_refused),
      FLEET(the_same_list_again_is_not_older),
      FLEET(an_issuer_is_known_however_its_name_is_written),
      FLEET(lists_for_other_certificates_have_an_order_of_their_own),
      FLEET(a_file_does_not_undo_what_the_run_revoked_itself),
      FLEET(the_back_office_list_is_added_where_it_is_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
