#define _GNU_SOURCE
#include "pki/crl.h"

#include <openssl/pem.h>
#include <sqlite3.h>
#include <time.h>

#include "fixture.h"

#define HOUR_S 3600
#define WEEK_S (7 * 24 * (int64_t) HOUR_S)

static struct pki_crl_times a_week(void)
{
  return (struct pki_crl_times){pki_now() - HOUR_S, pki_now() + WEEK_S};
}

static X509_CRL *crl_of(struct fixture *f, const char *root, enum pki_crl_issuer issuer,
                        struct pki_crl_times times)
{
  static uint8_t der[1 << 16];
  size_t size = 0;
  EXPECT_OK(pki_crl_der(f->pki, root, issuer, &times, der, sizeof der, &size, &error));
  const uint8_t *at = der;
  X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long) size);
  if (crl == NULL || at != der + size) fail_msg("the %zu bytes are no CRL", size);
  return crl;
}

static int entries(const X509_CRL *crl)
{
  STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED((X509_CRL *) crl);
  return all == NULL ? 0 : sk_X509_REVOKED_num(all);
}

static int64_t number_of(const X509_CRL *crl)
{
  int64_t number = 0;
  ASN1_INTEGER *found = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
  assert_int_equal(ASN1_INTEGER_get_int64(&number, found), 1);
  ASN1_INTEGER_free(found);
  return number;
}

/* What OpenSSL, told to ask CRLs, says of the chain in `chain_path` under root A, with the CRLs in
   `crl_path`. */
static int verdict_with_crls(struct fixture *f, const char *chain_path, const char *ca_path,
                             const char *crl_path, int purpose, unsigned long flags)
{
  STACK_OF(X509) *chain = pki_cert_read_all(chain_path, 8, &error),
                 *cas = pki_cert_read_all(ca_path, 8, &error);
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  if (chain == NULL || cas == NULL) fail_msg("%s", error.text);
  for (int i = 0; i < sk_X509_num(cas); i++) X509_STORE_add_cert(store, sk_X509_value(cas, i));
  X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  assert_true(X509_load_crl_file(lookup, crl_path, X509_FILETYPE_PEM) > 0);
  X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain);
  X509_STORE_CTX_set_purpose(ctx, purpose);
  X509_STORE_CTX_set_flags(ctx, flags);
  int code = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  sk_X509_pop_free(chain, X509_free);
  sk_X509_pop_free(cas, X509_free);
  (void) f;
  return code;
}

static int device_verdict(struct fixture *f, size_t index, struct pki_crl_times times)
{
  struct pki_roots roots = names("A", "B", NULL);
  EXPECT_OK(pki_write_device(f->pki, index, at(f, "d.crt"), at(f, "d.pem"), &error));
  EXPECT_OK(pki_write_client_ca(f->pki, &roots, at(f, "ca.crt"), &error));
  EXPECT_OK(pki_write_crls(f->pki, &roots, &times, 0, at(f, "crl.pem"), &error));
  return verdict_with_crls(f, at(f, "d.crt"), at(f, "ca.crt"), at(f, "crl.pem"),
                           X509_PURPOSE_SSL_CLIENT,
                           X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

static void a_revoked_device_is_refused_and_its_neighbours_are_not(void **state)
{
  struct fixture *f = *state;
  size_t newly = 0;
  EXPECT_OK(pki_revoke_device(f->pki, 1, false, PKI_REASON_KEY_COMPROMISE, &newly, &error));
  assert_int_equal(newly, 1);
  expect_verdict(device_verdict(f, 0, a_week()), X509_V_OK);
  expect_verdict(device_verdict(f, 1, a_week()), X509_V_ERR_CERT_REVOKED);
  expect_verdict(device_verdict(f, 2, a_week()), X509_V_OK);
}

static void an_expired_crl_refuses_everybody(void **state)
{
  struct pki_crl_times past = {pki_now() - 2 * HOUR_S, pki_now() - HOUR_S};
  expect_verdict(device_verdict(*state, 0, past), X509_V_ERR_CRL_HAS_EXPIRED);
}

static void the_operator_passes_by_the_same_file(void **state)
{
  struct fixture *f = *state;
  expect_verdict(device_verdict(f, 0, a_week()), X509_V_OK); /* writes the files */
  expect_verdict(verdict_with_crls(f, at(f, "operator.crt"), at(f, "ca.crt"), at(f, "crl.pem"),
                                   X509_PURPOSE_SSL_CLIENT, X509_V_FLAG_CRL_CHECK),
                 X509_V_OK);
}

static void all_certificates_of_a_device_or_the_one_in_force(void **state)
{
  struct fixture *f = *state;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = 0, newly = 0, dropped = 0;
  EXPECT_OK(
      pki_reissue(f->pki, 0, "B", chain, sizeof chain, &size, &error)); /* made, and not in force */
  EXPECT_OK(pki_revoke_device(f->pki, 0, false, PKI_REASON_SUPERSEDED, &newly, &error));
  assert_int_equal(newly, 1);
  X509_CRL *a = crl_of(f, "A", PKI_CRL_DEVICES, a_week()),
           *b = crl_of(f, "B", PKI_CRL_DEVICES, a_week());
  assert_int_equal(entries(a), 1);
  assert_int_equal(entries(b), 0);
  X509_CRL_free(a);
  X509_CRL_free(b);
  EXPECT_OK(pki_revoke_device(f->pki, 0, true, PKI_REASON_KEY_COMPROMISE, &newly, &error));
  assert_int_equal(newly, 1); /* the other one: the first is revoked already */
  b = crl_of(f, "B", PKI_CRL_DEVICES, a_week());
  assert_int_equal(entries(b), 1);
  X509_CRL_free(b);
  EXPECT_OK(pki_unrevoke_device(f->pki, 0, &dropped, &error));
  assert_int_equal(dropped, 2);
  expect_verdict(device_verdict(f, 0, a_week()), X509_V_OK);
}

static void the_crl_is_v2_signed_with_sha256_and_counted(void **state)
{
  struct fixture *f = *state;
  EXPECT_OK(pki_revoke_device(f->pki, 0, true, PKI_REASON_KEY_COMPROMISE, NULL, &error));
  EXPECT_OK(pki_revoke_device(f->pki, 1, true, PKI_REASON_UNSPECIFIED, NULL, &error));
  X509_CRL *first = crl_of(f, "A", PKI_CRL_DEVICES, a_week()),
           *second = crl_of(f, "A", PKI_CRL_DEVICES, a_week());
  int reasons = 0;
  assert_int_equal(X509_CRL_get_version(second), X509_CRL_VERSION_2);
  assert_int_equal(X509_CRL_get_signature_nid(second), NID_ecdsa_with_SHA256);
  assert_int_equal(number_of(first), 1);
  assert_int_equal(number_of(second), 2);
  assert_int_equal(X509_CRL_verify(second, f->pki->hierarchy[0].devices.key), 1);
  assert_int_equal(X509_CRL_verify(second, f->pki->hierarchy[0].brokers.key), 0);
  assert_true(X509_CRL_get_ext_by_NID(second, NID_authority_key_identifier, -1) >= 0);
  for (int i = 0; i < entries(second); i++) {
    X509_REVOKED *entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(second), i);
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    if (reason != NULL) assert_int_equal(ASN1_ENUMERATED_get(reason), 1);
    reasons += reason != NULL;
    ASN1_ENUMERATED_free(reason);
  }
  assert_int_equal(entries(second), 2);
  assert_int_equal(reasons, 1); /* unspecified is left out */
  X509_CRL_free(first);
  X509_CRL_free(second);
}

static void a_broker_leaf_and_an_intermediate_can_be_revoked(void **state)
{
  struct fixture *f = *state;
  struct chain_prints written;
  size_t dropped = 0;
  struct pki_chain chain = {.root = "A", .host = "localhost"};
  EXPECT_REFUSAL(pki_revoke_broker(f->pki, "A", PKI_REASON_KEY_COMPROMISE, &error), EXIT_CODE_USAGE,
                 "none to revoke");
  for (int i = 0; i < 2; i++)
    EXPECT_OK(
        pki_write_broker_chain(f->pki, &chain, at(f, "b.crt"), at(f, "b.pem"), &written, &error));
  EXPECT_OK(pki_revoke_broker(f->pki, "A", PKI_REASON_KEY_COMPROMISE, &error));
  STACK_OF(X509) *served = pki_cert_read_all(at(f, "b.crt"), 4, &error);
  X509_CRL *crl = crl_of(f, "A", PKI_CRL_BROKERS, a_week());
  X509_REVOKED *entry = NULL;
  assert_int_equal(entries(crl), 1);
  /* the second of the two */
  assert_int_equal(X509_CRL_get0_by_cert(crl, &entry, sk_X509_value(served, 0)), 1);
  X509_CRL_free(crl);
  EXPECT_OK(pki_unrevoke_broker(f->pki, "A", &dropped, &error));
  assert_int_equal(dropped, 1);

  EXPECT_OK(
      pki_revoke_intermediate(f->pki, "A", PKI_CRL_BROKERS, PKI_REASON_CA_COMPROMISE, &error));
  crl = crl_of(f, "A", PKI_CRL_ROOT, a_week());
  assert_int_equal(X509_CRL_get0_by_cert(crl, &entry, sk_X509_value(served, 1)), 1);
  X509_CRL_free(crl);
  sk_X509_pop_free(served, X509_free);
  expect_verdict(device_verdict(f, 0, a_week()), X509_V_OK);
  EXPECT_OK(
      pki_revoke_intermediate(f->pki, "A", PKI_CRL_DEVICES, PKI_REASON_CA_COMPROMISE, &error));
  expect_verdict(device_verdict(f, 0, a_week()), X509_V_ERR_CERT_REVOKED);
  EXPECT_OK(pki_unrevoke_intermediate(f->pki, "A", PKI_CRL_DEVICES, &dropped, &error));
  assert_int_equal(dropped, 1);
  EXPECT_REFUSAL(
      pki_revoke_intermediate(f->pki, "A", PKI_CRL_ROOT, PKI_REASON_CA_COMPROMISE, &error),
      EXIT_CODE_USAGE, "nobody stands above it");
}

static void refuses_what_cannot_be(void **state)
{
  struct fixture *f = *state;
  struct pki_roots roots = names("A", NULL, NULL), unknown = names("C", NULL, NULL);
  struct pki_crl_times times = a_week(), backwards = {times.next_update, times.this_update};
  uint8_t small[100];
  size_t size = 0;
  enum pki_reason reason;
  EXPECT_REFUSAL(
      pki_crl_der(f->pki, "A", PKI_CRL_ROOT, &backwards, small, sizeof small, &size, &error),
      EXIT_CODE_USAGE, "a later end");
  EXPECT_REFUSAL(pki_crl_der(f->pki, "A", PKI_CRL_ROOT, &times, small, sizeof small, &size, &error),
                 EXIT_CODE_USAGE, "does not fit 100");
  EXPECT_REFUSAL(pki_write_crls(f->pki, &unknown, &times, 0, at(f, "crl.pem"), &error),
                 EXIT_CODE_USAGE, "no root 'C'");
  EXPECT_REFUSAL(
      pki_write_crls(f->pki, &roots, &times, PKI_CRL_FILLER_MAX + 1, at(f, "crl.pem"), &error),
      EXIT_CODE_USAGE, "at most 100000");
  EXPECT_REFUSAL(pki_reason_parse("stolen", &reason, &error), EXIT_CODE_USAGE, "keyCompromise");
}

static void revocations_outlive_the_process_and_not_the_reset(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  EXPECT_OK(pki_revoke_device(f->pki, 1, true, PKI_REASON_KEY_COMPROMISE, NULL, &error));
  pki_close(f->pki);
  f->pki = NULL;
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  expect_verdict(device_verdict(f, 1, a_week()), X509_V_ERR_CERT_REVOKED);
  EXPECT_OK(pki_reset_devices(f->pki, "A", &trusted, &error));
  expect_verdict(device_verdict(f, 1, a_week()), X509_V_OK);
}

/* Folders from before revocation lack its tables. */
static void an_older_folder_gets_the_tables(void **state)
{
  struct fixture *f = *state;
  sqlite3 *db = NULL;
  pki_close(f->pki);
  f->pki = NULL;
  assert_int_equal(sqlite3_open_v2(at(f, "registry.db"), &db, SQLITE_OPEN_READWRITE, NULL),
                   SQLITE_OK);
  assert_int_equal(
      sqlite3_exec(db, "DROP TABLE revoked; DROP TABLE crls; DROP TABLE brokers", NULL, NULL, NULL),
      SQLITE_OK);
  sqlite3_close(db);
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  EXPECT_OK(pki_revoke_device(f->pki, 1, true, PKI_REASON_KEY_COMPROMISE, NULL, &error));
}

static void a_crl_can_be_filled_with_a_hundred_thousand_of_nobody(void **state)
{
  struct fixture *f = *state;
  struct pki_roots roots = names("A", NULL, NULL);
  struct pki_crl_times times = a_week();
  struct stat st;
  EXPECT_OK(pki_revoke_device(f->pki, 1, true, PKI_REASON_KEY_COMPROMISE, NULL, &error));
  clock_t start = clock();
  EXPECT_OK(pki_write_crls(f->pki, &roots, &times, PKI_CRL_FILLER_MAX, at(f, "full.pem"), &error));
  double took = (double) (clock() - start) / CLOCKS_PER_SEC;
  assert_int_equal(stat(at(f, "full.pem"), &st), 0);
  print_message("100,000 entries: %lld bytes of PEM in %.2f s CPU\n", (long long) st.st_size, took);
  assert_true(st.st_size > 4000000);
  EXPECT_OK(pki_write_client_ca(f->pki, &roots, at(f, "ca.crt"), &error));
  for (size_t i = 0; i < 2; i++) {
    EXPECT_OK(pki_write_device(f->pki, i, at(f, "d.crt"), at(f, "d.pem"), &error));
    expect_verdict(verdict_with_crls(f, at(f, "d.crt"), at(f, "ca.crt"), at(f, "full.pem"),
                                     X509_PURPOSE_SSL_CLIENT, X509_V_FLAG_CRL_CHECK),
                   i == 1 ? X509_V_ERR_CERT_REVOKED : X509_V_OK);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_revoked_device_is_refused_and_its_neighbours_are_not,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(an_expired_crl_refuses_everybody, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(the_operator_passes_by_the_same_file, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(all_certificates_of_a_device_or_the_one_in_force, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(the_crl_is_v2_signed_with_sha256_and_counted, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_broker_leaf_and_an_intermediate_can_be_revoked, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(refuses_what_cannot_be, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(revocations_outlive_the_process_and_not_the_reset,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(an_older_folder_gets_the_tables, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(a_crl_can_be_filled_with_a_hundred_thousand_of_nobody,
                                      setup_fleet, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
