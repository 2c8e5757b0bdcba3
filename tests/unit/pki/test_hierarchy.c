#define _GNU_SOURCE
#include "fixture.h"

static int broker_verdict(struct fixture *f, struct pki_chain chain, const char *root)
{
  struct chain_prints written;
  if (chain.host == NULL) chain.host = "localhost";
  EXPECT_OK(
      pki_write_broker_chain(f->pki, &chain, at(f, "b.crt"), at(f, "b.pem"), &written, &error));
  return verdict_of_files(f, at(f, "b.crt"), root, X509_PURPOSE_SSL_SERVER);
}

static void a_broker_chain_verifies_under_its_own_root_only(void **state)
{
  struct fixture *f = *state;
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "A"}, "A"), X509_V_OK);
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "B"}, "A"),
                 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

static void cross_certificates_lead_both_ways(void **state)
{
  struct fixture *f = *state;
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "B", .cross = "A"}, "A"), X509_V_OK);
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "B", .cross = "A"}, "B"), X509_V_OK);
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "A", .cross = "B"}, "B"), X509_V_OK);
}

static void an_expired_cross_certificate_leads_nowhere_and_harms_nobody_else(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = {.root = "B", .cross = "A", .cross_expired = true};
  expect_verdict(broker_verdict(f, chain, "A"), X509_V_ERR_CERT_HAS_EXPIRED);
  expect_verdict(broker_verdict(f, chain, "B"), X509_V_OK);
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "B", .cross = "A"}, "A"), X509_V_OK);
}

static void an_intermediate_that_is_not_served_breaks_the_chain(void **state)
{
  expect_verdict(
      broker_verdict(*state, (struct pki_chain){.root = "A", .omit_intermediate = true}, "A"),
      X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

static void an_expired_leaf_is_expired(void **state)
{
  expect_verdict(broker_verdict(*state, (struct pki_chain){.root = "A", .leaf_expired = true}, "A"),
                 X509_V_ERR_CERT_HAS_EXPIRED);
}

static void the_broker_leaf_carries_its_name_and_no_other(void **state)
{
  struct fixture *f = *state;
  expect_verdict(
      broker_verdict(f, (struct pki_chain){.root = "A", .host = "mqtt.example.net"}, "A"),
      X509_V_OK);
  STACK_OF(X509) *chain = pki_cert_read_all(at(f, "b.crt"), 4, &error);
  X509 *leaf = sk_X509_value(chain, 0);
  assert_int_equal(
      X509_check_host(leaf, "mqtt.example.net", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
  assert_int_equal(X509_check_host(leaf, "example.net", 0, 0, NULL), 0);
  sk_X509_pop_free(chain, X509_free);
}

static void an_address_becomes_an_ip_name(void **state)
{
  struct fixture *f = *state;
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "A", .host = "127.0.0.1"}, "A"),
                 X509_V_OK);
  STACK_OF(X509) *chain = pki_cert_read_all(at(f, "b.crt"), 4, &error);
  assert_int_equal(X509_check_ip_asc(sk_X509_value(chain, 0), "127.0.0.1", 0), 1);
  assert_int_equal(X509_check_ip_asc(sk_X509_value(chain, 0), "127.0.0.2", 0), 0);
  sk_X509_pop_free(chain, X509_free);
}

static void the_fingerprint_is_that_of_the_leaf_and_the_key_fits_it(void **state)
{
  struct fixture *f = *state;
  struct chain_prints written;
  uint8_t seen[32];
  struct pki_chain chain = {.root = "A", .host = "localhost"};
  EXPECT_OK(
      pki_write_broker_chain(f->pki, &chain, at(f, "b.crt"), at(f, "b.pem"), &written, &error));
  STACK_OF(X509) *served = pki_cert_read_all(at(f, "b.crt"), 4, &error);
  EVP_PKEY *key = pki_key_read(at(f, "b.pem"), &error);
  assert_int_equal(sk_X509_num(served), 2);
  assert_int_equal(pki_cert_sha256(sk_X509_value(served, 0), seen), 0);
  assert_memory_equal(seen, written.sha256[0], 32);
  assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(served, 0)), key), 1);
  assert_int_equal(mode_of(at(f, "b.pem")), 0600);
  EVP_PKEY_free(key);
  sk_X509_pop_free(served, X509_free);
}

static void a_device_certificate_is_no_server(void **state)
{
  struct fixture *f = *state;
  EXPECT_OK(pki_write_device(f->pki, 0, at(f, "d.crt"), at(f, "d.pem"), &error));
  expect_verdict(verdict_of_files(f, at(f, "d.crt"), "A", X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  expect_verdict(verdict_of_files(f, at(f, "d.crt"), "A", X509_PURPOSE_SSL_SERVER),
                 X509_V_ERR_INVALID_PURPOSE);
}

static void a_broker_certificate_is_no_client(void **state)
{
  struct fixture *f = *state;
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "A"}, "A"), X509_V_OK);
  expect_verdict(verdict_of_files(f, at(f, "b.crt"), "A", X509_PURPOSE_SSL_CLIENT),
                 X509_V_ERR_INVALID_PURPOSE);
}

static void the_operator_outlives_every_root(void **state)
{
  struct fixture *f = *state;
  struct pki_roots only_b = names("B", NULL, NULL);
  EXPECT_OK(pki_write_client_ca(f->pki, &only_b, at(f, "clients.crt"), &error));
  STACK_OF(X509) *cas = pki_cert_read_all(at(f, "clients.crt"), 9, &error);
  STACK_OF(X509) *office = pki_cert_read_all(at(f, "operator.crt"), 4, &error);
  assert_int_equal(sk_X509_num(cas), 2);
  expect_verdict(verdict(office, sk_X509_value(cas, 1), X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  sk_X509_pop_free(cas, X509_free);
  sk_X509_pop_free(office, X509_free);
}

static void the_operator_knows_all_roots(void **state)
{
  struct fixture *f = *state;
  STACK_OF(X509) *cas = pki_cert_read_all(at(f, "operator-ca.crt"), 9, &error);
  assert_int_equal(sk_X509_num(cas), 3);
  for (int i = 0; i < 3; i++) {
    uint8_t id[32], seen[32];
    assert_int_equal(pki_anchor_id(f->pki, pki_roots(f->pki)->name[i], id), 0);
    assert_int_equal(pki_cert_sha256(sk_X509_value(cas, i), seen), 0);
    assert_memory_equal(id, seen, 32);
  }
  sk_X509_pop_free(cas, X509_free);
}

static void nothing_outlives_its_issuer(void **state)
{
  struct fixture *f = *state;
  EXPECT_OK(pki_write_device(f->pki, 0, at(f, "d.crt"), at(f, "d.pem"), &error));
  STACK_OF(X509) *chain = pki_cert_read_all(at(f, "d.crt"), 4, &error);
  int64_t leaf = pki_cert_unix(X509_get0_notAfter(sk_X509_value(chain, 0)));
  int64_t issuer = pki_cert_unix(X509_get0_notAfter(sk_X509_value(chain, 1)));
  if (leaf > issuer)
    fail_msg("the leaf ends at %jd, its issuer at %jd", (intmax_t) leaf, (intmax_t) issuer);
  assert_true(leaf > pki_now() + 9 * PKI_YEAR_S);
  sk_X509_pop_free(chain, X509_free);
}

static void a_root_that_does_not_exist_is_named_with_those_that_do(void **state)
{
  struct fixture *f = *state;
  struct chain_prints written;
  struct pki_chain chain = {.root = "C", .host = "localhost"};
  EXPECT_REFUSAL(
      pki_write_broker_chain(f->pki, &chain, at(f, "b.crt"), at(f, "b.pem"), &written, &error),
      EXIT_CODE_USAGE, "no root 'C'; its roots are: A, B, spare");
}

static void a_host_name_cannot_smuggle_another_name(void **state)
{
  struct fixture *f = *state;
  struct chain_prints written;
  struct pki_chain chain = {.root = "A", .host = "a,DNS:evil"};
  EXPECT_REFUSAL(
      pki_write_broker_chain(f->pki, &chain, at(f, "b.crt"), at(f, "b.pem"), &written, &error),
      EXIT_CODE_USAGE, "cannot be a server's name");
}

static const char *update_chain(struct fixture *f, struct pki_chain chain)
{
  static char ca[FILES_PATH_MAX];
  EXPECT_OK(pki_write_update_chain(f->pki, &chain, at(f, "u.crt"), at(f, "u.key"), ca, &error));
  assert_string_equal(ca, at(f, "ca/update-ca.crt"));
  return at(f, "u.crt");
}

static void the_update_server_and_the_brokers_have_no_root_in_common(void **state)
{
  struct fixture *f = *state;
  const char *chain =
      update_chain(f, (struct pki_chain){.host = "updates.test", .also = {"localhost"}});
  assert_int_equal(mode_of(at(f, "u.key")), 0600);
  assert_int_equal(mode_of(at(f, "ca/update-ca.key")), 0600);
  expect_verdict(verdict_of_files(f, chain, "update-ca", X509_PURPOSE_SSL_SERVER), X509_V_OK);
  expect_verdict(verdict_of_files(f, chain, "update-ca", X509_PURPOSE_SSL_CLIENT),
                 X509_V_ERR_INVALID_PURPOSE);
  expect_verdict(verdict_of_files(f, chain, "A", X509_PURPOSE_SSL_SERVER),
                 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  expect_verdict(broker_verdict(f, (struct pki_chain){.root = "A"}, "update-ca"),
                 X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
  chain = update_chain(f, (struct pki_chain){.host = "updates.test", .leaf_expired = true});
  expect_verdict(verdict_of_files(f, chain, "update-ca", X509_PURPOSE_SSL_SERVER),
                 X509_V_ERR_CERT_HAS_EXPIRED);
}

static void a_folder_without_an_update_ca_gets_one_and_keeps_it(void **state)
{
  struct fixture *f = *state;
  uint8_t first[32], second[32];
  pki_close(f->pki);
  f->pki = NULL;
  assert_int_equal(unlink(at(f, "ca/update-ca.crt")), 0);
  assert_int_equal(unlink(at(f, "ca/update-ca.key")), 0);
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  for (int turn = 0; turn < 2; turn++) {
    update_chain(f, (struct pki_chain){.host = "updates.test"});
    X509 *ca = pki_cert_read(at(f, "ca/update-ca.crt"), &error);
    assert_int_equal(pki_cert_sha256(ca, turn == 0 ? first : second), 0);
    X509_free(ca);
    pki_close(f->pki);
    EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  }
  assert_memory_equal(first, second, 32);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_broker_chain_verifies_under_its_own_root_only),
      cmocka_unit_test(cross_certificates_lead_both_ways),
      cmocka_unit_test(an_expired_cross_certificate_leads_nowhere_and_harms_nobody_else),
      cmocka_unit_test(an_intermediate_that_is_not_served_breaks_the_chain),
      cmocka_unit_test(an_expired_leaf_is_expired),
      cmocka_unit_test(the_broker_leaf_carries_its_name_and_no_other),
      cmocka_unit_test(an_address_becomes_an_ip_name),
      cmocka_unit_test(the_fingerprint_is_that_of_the_leaf_and_the_key_fits_it),
      cmocka_unit_test(a_device_certificate_is_no_server),
      cmocka_unit_test(a_broker_certificate_is_no_client),
      cmocka_unit_test(the_operator_outlives_every_root),
      cmocka_unit_test(the_operator_knows_all_roots),
      cmocka_unit_test(nothing_outlives_its_issuer),
      cmocka_unit_test(a_root_that_does_not_exist_is_named_with_those_that_do),
      cmocka_unit_test(a_host_name_cannot_smuggle_another_name),
      cmocka_unit_test(the_update_server_and_the_brokers_have_no_root_in_common),
      cmocka_unit_test(a_folder_without_an_update_ca_gets_one_and_keeps_it),
  };
  return cmocka_run_group_tests(tests, setup_fleet, teardown);
}
