/* Which roots a device's chain is under, by its signatures alone. */
#define _GNU_SOURCE
#include "device/identity.h"
#include "fixture.h"

static X509 *read_ca(struct fixture *f, const char *name)
{
  X509 *certificate = pki_cert_read(at(f, name), &error);
  if (certificate == NULL) fail_msg("%s", error.text);
  return certificate;
}

static X509 *mint(EVP_PKEY *key, const struct pki_authority *issuer, int64_t from, int64_t until)
{
  const struct pki_cert_spec spec = {.kind = issuer != NULL ? PKI_CERT_CLIENT : PKI_CERT_CA,
                                     .subject = "00000001",
                                     .key = key,
                                     .issuer = issuer,
                                     .not_before = from,
                                     .not_after = until};
  X509 *certificate = pki_cert_mint(&spec, &error);
  if (certificate == NULL) fail_msg("%s", error.text);
  return certificate;
}

/* Roots of the chain of these certificates: bit 0 A, bit 1 B, bit 2 spare. */
static unsigned roots_of(struct fixture *f, X509 *const *certificates, size_t count)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size;
  EXPECT_OK(pki_encode_chain(certificates, count, chain, sizeof chain, &size, &error));
  return pki_chain_roots(f->pki, chain, size);
}

static void a_chain_is_under_the_root_that_its_signatures_lead_to(void **state)
{
  struct fixture *f = *state;
  EVP_PKEY *key = pki_key_generate(&error);
  int64_t now = pki_now();
  X509 *leaf = mint(key, &f->pki->hierarchy[1].devices, now - 10, now + 1000);
  X509 *expired = mint(key, &f->pki->hierarchy[1].devices, now - 1000, now - 10);
  X509 *direct = mint(key, &f->pki->hierarchy[1].root, now - 10, now + 1000);
  X509 *own = mint(key, NULL, now - 10, now + 1000);
  X509 *a = read_ca(f, "ca/A-devices.crt"), *b = read_ca(f, "ca/B-devices.crt"),
       *root = read_ca(f, "ca/B.crt"), *cross = read_ca(f, "ca/B-by-A.crt");
  const struct {
    const char *what;
    X509 *sent[3];
    size_t count;
    unsigned roots;
  } cases[] = {
      {"leaf and intermediate", {leaf, b}, 2, 2},
      {"the root sent as well", {leaf, b, root}, 3, 2},
      {"a leaf whose intermediate stays behind", {leaf}, 1, 0},
      {"the intermediate of another root", {leaf, a}, 2, 0},
      {"the intermediate after a stranger", {leaf, a, b}, 3, 2},
      {"a cross-certificate leads on to A", {leaf, b, cross}, 3, 3},
      {"expired: the broker's question", {expired, b}, 2, 2},
      {"a leaf of the root itself", {direct}, 1, 2},
      {"signed by itself", {own}, 1, 0},
      {"signed by itself, beside an intermediate", {own, b}, 2, 0},
      {"a root in a leaf's place", {root}, 1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned seen = roots_of(f, cases[i].sent, cases[i].count);
    if (seen != cases[i].roots)
      fail_msg("%s: roots %u, not %u", cases[i].what, seen, cases[i].roots);
  }
  X509 *all[] = {leaf, expired, direct, own, a, b, root, cross};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) X509_free(all[i]);
  EVP_PKEY_free(key);
}

static void what_is_no_chain_is_under_no_root(void **state)
{
  struct fixture *f = *state;
  static const uint8_t garbage[] = {1, 0, 4, 0x30, 0x02, 0x05, 0x00};
  assert_int_equal(pki_chain_roots(f->pki, garbage, sizeof garbage), 0);
  assert_int_equal(pki_chain_roots(f->pki, garbage, 2), 0);
  assert_int_equal(pki_chain_roots(f->pki, garbage, 0), 0);
}

static bool is_current(X509 *leaf)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size;
  EXPECT_OK(pki_encode_chain(&leaf, 1, chain, sizeof chain, &size, &error));
  return pki_chain_is_current(chain, size);
}

static void a_chain_is_current_by_the_dates_of_its_leaf(void **state)
{
  struct fixture *f = *state;
  EVP_PKEY *key = pki_key_generate(&error);
  const struct pki_authority *issuer = &f->pki->hierarchy[1].devices;
  int64_t now = pki_now();
  static const uint8_t garbage[] = {1, 0, 4, 0x30, 0x02, 0x05, 0x00};
  X509 *good = mint(key, issuer, now - 10, now + 1000);
  X509 *over = mint(key, issuer, now - 1000, now - 10);
  X509 *early = mint(key, issuer, now + 500, now + 1000);
  assert_true(is_current(good));
  assert_false(is_current(over));
  assert_false(is_current(early));
  assert_false(pki_chain_is_current(garbage, sizeof garbage));
  X509_free(good);
  X509_free(over);
  X509_free(early);
  EVP_PKEY_free(key);
}

static void a_reissued_device_is_under_the_new_root(void **state)
{
  struct fixture *f = *state;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size;
  EXPECT_OK(pki_reissue(f->pki, 1, "spare", chain, sizeof chain, &size, &error));
  assert_int_equal(pki_chain_roots(f->pki, chain, size), 4);
}

static void somebody_to_probe_with_is_found_where_there_is_one(void **state)
{
  struct fixture *f = *state;
  struct pki_foreign foreign[] = {{.name = "old", .path = at(f, "ca/A.crt")},
                                  {.name = "new", .path = at(f, "ca/B.crt")}};
  struct pki_roots trusted = names("old", "new", NULL);
  const char *certificate = at(f, "../probe.crt"), *key = at(f, "../probe.key");
  char folder[FILES_PATH_MAX];
  struct pki *fresh = NULL;
  size_t whose = 7;
  EXPECT_OK(pki_write_probe(f->pki, "B", NULL, NULL, certificate, key, &whose, &error));
  assert_int_equal(whose, PKI_NOBODY);
  expect_verdict(verdict_of_files(f, certificate, "B", X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  assert_int_equal(mode_of(key), 0600);

  snprintf(folder, sizeof folder, "%s/../new", f->folder);
  device_platform_leave(); /* an import enters by itself */
  EXPECT_OK(pki_create_foreign(folder, foreign, 2, &fresh, NULL, NULL, &error));
  EXPECT_OK(pki_write_device(f->pki, 0, at(f, "../one.crt"), at(f, "../one.pem"), &error));
  write_text(at(f, "../fleet.csv"), "00000001,one.pem,one.crt\n");
  const struct pki_import how = {.trusted = trusted};
  EXPECT_OK(pki_import_devices(fresh, at(f, "../fleet.csv"), &how, NULL, NULL, &error));
  certificate = at(f, "../probe.crt"), key = at(f, "../probe.key");
  EXPECT_OK(pki_write_probe(fresh, "old", NULL, NULL, certificate, key, &whose, &error));
  assert_int_equal(whose, 0); /* a device that has such a certificate */
  expect_verdict(verdict_of_files(f, certificate, "A", X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  assert_int_equal(pki_write_probe(fresh, "new", NULL, NULL, certificate, key, &whose, &error), 1);
  pki_close(fresh);
}

static void a_client_of_the_back_office_is_made_whatever_the_roots(void **state)
{
  struct fixture *f = *state;
  const char *certificate = at(f, "probe.crt"), *key = at(f, "probe.key");
  EXPECT_OK(pki_write_office_probe(f->pki, certificate, key, &error));
  assert_int_equal(mode_of(key), 0600);
  STACK_OF(X509) *chain = pki_cert_read_all(certificate, 2, &error);
  assert_non_null(chain);
  assert_int_equal(
      X509_verify(sk_X509_value(chain, 0), X509_get0_pubkey(f->pki->back_office.certificate)), 1);
  sk_X509_pop_free(chain, X509_free);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_chain_is_under_the_root_that_its_signatures_lead_to,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(a_chain_is_current_by_the_dates_of_its_leaf, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(what_is_no_chain_is_under_no_root, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(somebody_to_probe_with_is_found_where_there_is_one,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(a_client_of_the_back_office_is_made_whatever_the_roots,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(a_reissued_device_is_under_the_new_root, setup_fleet,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
