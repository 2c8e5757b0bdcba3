#define _GNU_SOURCE
#include "fixture.h"
#include "pki/renewals.h"

/* The fleet of the fixture has keys; what its owner brings is minted with them, beside the folder. */
static int setup_owner(void **state)
{
  if (setup_fleet(state) != 0) return -1;
  device_platform_leave(); /* what is judged enters by itself */
  return 0;
}

static const struct pki_hierarchy *root_of(struct fixture *f, const char *root)
{
  const struct pki_hierarchy *found = pki_find_root(f->pki, root, &error);
  assert_non_null(found);
  return found;
}

/* --- A broker's chain ------------------------------------------------------------------------- */

static struct pki_chain brought(struct fixture *f, const char *root)
{
  struct pki_chain chain = {.host = "broker.example.com"};
  strcpy(chain.root, root);
  snprintf(chain.own, sizeof chain.own, "%s", beside(f, "own.crt"));
  snprintf(chain.own_key, sizeof chain.own_key, "%s", beside(f, "own.key"));
  return chain;
}

/* In the wrong order, as some tools write it: the intermediate first. */
static void bring(struct fixture *f, const char *root, int64_t from_s, int64_t to_s)
{
  const struct pki_hierarchy *issuer = root_of(f, root);
  struct pki_cert_spec spec = {.kind = PKI_CERT_SERVER,
                               .subject = "broker",
                               .key = pki_key_generate(&error),
                               .issuer = &issuer->brokers,
                               .not_before = pki_now() + from_s,
                               .not_after = pki_now() + to_s,
                               .host = "broker.example.com"};
  X509 *leaf = pki_cert_mint(&spec, &error);
  X509 *const chain[] = {issuer->brokers.certificate, leaf};
  EXPECT_OK(pki_cert_write(beside(f, "own.crt"), chain, 2, &error));
  EXPECT_OK(pki_key_replace(beside(f, "own.key"), spec.key, &error));
  X509_free(leaf);
  EVP_PKEY_free(spec.key);
}

static void a_chain_of_the_owners_is_served_in_order(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = brought(f, "B");
  struct chain_prints written;
  uint8_t seen[32];
  bring(f, "B", -100, 1000);
  EXPECT_OK(pki_check_own_chain(f->pki, &chain, &error));
  EXPECT_OK(pki_write_broker_chain(f->pki, &chain, beside(f, "main.crt"), beside(f, "main.key"),
                                   &written, &error));
  expect_verdict(verdict_of_files(f, beside(f, "main.crt"), "B", X509_PURPOSE_SSL_SERVER),
                 X509_V_OK);
  assert_int_equal(mode_of(beside(f, "main.key")), 0600);
  STACK_OF(X509) *served = pki_cert_read_all(beside(f, "main.crt"), 8, &error);
  assert_int_equal(pki_cert_sha256(sk_X509_value(served, 0), seen), 0);
  assert_memory_equal(written.sha256[0], seen, 32);
  assert_int_equal(written.count, 2);
  sk_X509_pop_free(served, X509_free);
}

static void without_a_key_none_is_left_beside_it(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = brought(f, "B");
  struct chain_prints written;
  bring(f, "B", -100, 1000);
  write_text(beside(f, "main.key"), "of the chain before");
  chain.own_key[0] = '\0';
  EXPECT_OK(pki_check_own_chain(f->pki, &chain, &error));
  EXPECT_OK(pki_write_broker_chain(f->pki, &chain, beside(f, "main.crt"), beside(f, "main.key"),
                                   &written, &error));
  assert_int_equal(access(beside(f, "main.key"), F_OK), -1);
}

static void a_chain_is_what_its_signatures_say(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = brought(f, "A");
  bring(f, "B", -100, 1000);
  EXPECT_REFUSAL(pki_check_own_chain(f->pki, &chain, &error), EXIT_CODE_USAGE,
                 "own.crt is not under root 'A': by its signatures it leads to B");
  chain = brought(f, "B");
  chain.also[0] = "other.example.com";
  EXPECT_REFUSAL(pki_check_own_chain(f->pki, &chain, &error), EXIT_CODE_USAGE,
                 "is not for 'other.example.com'");
  chain = brought(f, "B");
  EXPECT_OK(pki_key_replace(beside(f, "own.key"), root_of(f, "B")->root.key, &error));
  EXPECT_REFUSAL(pki_check_own_chain(f->pki, &chain, &error), EXIT_CODE_USAGE,
                 "own.key is not the key of a certificate in");
}

static void a_chain_has_run_out_only_on_purpose(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = brought(f, "B"), expired = brought(f, "B");
  expired.leaf_expired = true;
  bring(f, "B", -1000, -100);
  EXPECT_REFUSAL(pki_check_own_chain(f->pki, &chain, &error), EXIT_CODE_USAGE, "has expired");
  EXPECT_OK(pki_check_own_chain(f->pki, &expired, &error));
  bring(f, "B", 100, 1000);
  EXPECT_REFUSAL(pki_check_own_chain(f->pki, &chain, &error), EXIT_CODE_USAGE, "not valid yet");
  bring(f, "B", -100, 1000);
  EXPECT_REFUSAL(pki_check_own_chain(f->pki, &expired, &error), EXIT_CODE_USAGE,
                 "has not expired: leave 'leaf-expired' out");
}

/* --- A device's certificate ------------------------------------------------------------------- */

/* What its CA does wrong: 0 is as it should be. */
struct slip {
  int64_t earlier_s; /* it is an answer of before */
  long serial;       /* that all its certificates have */
};

/* For the key of the device at `index`, under `root`, with that CN. */
static void renew_with(struct fixture *f, size_t index, const char *root, const char *name,
                       const char *file, int64_t to_s, struct slip slip)
{
  const struct pki_hierarchy *issuer = root_of(f, root);
  struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                               .subject = name,
                               .key =
                                   pki_requested_key(f->pki, pki_device_id(f->pki, index), &error),
                               .issuer = &issuer->devices,
                               .not_before = pki_now() - 1000 - slip.earlier_s,
                               .not_after = pki_now() + to_s};
  X509 *leaf = pki_cert_mint(&spec, &error);
  if (slip.serial != 0) {
    ASN1_INTEGER_set(X509_get_serialNumber(leaf), slip.serial);
    assert_true(X509_sign(leaf, issuer->devices.key, EVP_sha256()) > 0);
  }
  X509 *const chain[] = {leaf, issuer->devices.certificate};
  EXPECT_OK(pki_cert_write(beside(f, file), chain, 2, &error));
  X509_free(leaf);
  EVP_PKEY_free(spec.key);
}

static void renew(struct fixture *f, size_t index, const char *root, const char *name,
                  const char *file, int64_t to_s)
{
  renew_with(f, index, root, name, file, to_s, (struct slip){0});
}

static int take(struct fixture *f, size_t index, const char *root, const char *file)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size;
  return pki_renew_from(f->pki, index, root, beside(f, file), chain, sizeof chain, &size, &error);
}

static void takes_what_the_device_will_take(void **state)
{
  struct fixture *f = *state;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = 0, before = 0, after = 0;
  EXPECT_OK(pki_certificate_count(f->pki, &before, &error));
  renew(f, 1, "B", "00000002", "2.crt", 1000);
  EXPECT_OK(pki_renew_from(f->pki, 1, "B", beside(f, "2.crt"), chain, sizeof chain, &size, &error));
  assert_int_equal(pki_chain_roots(f->pki, chain, size), 2);
  EXPECT_OK(pki_certificate_count(f->pki, &after, &error));
  assert_int_equal(after, before + 1);
}

static void refuses_what_it_would_not(void **state)
{
  struct fixture *f = *state;
  size_t before = 0, after = 0;
  EXPECT_OK(pki_certificate_count(f->pki, &before, &error));
  renew(f, 1, "B", "00000002", "2.crt", 1000);
  EXPECT_REFUSAL(take(f, 0, "B", "2.crt"), EXIT_CODE_USAGE,
                 "2.crt is not for the private key that");
  EXPECT_REFUSAL(take(f, 1, "A", "2.crt"), EXIT_CODE_USAGE, "2.crt is not under root 'A'");
  renew(f, 1, "B", "00000003", "2.crt", 1000);
  EXPECT_REFUSAL(take(f, 1, "B", "2.crt"), EXIT_CODE_USAGE, "does not have the CN '00000002'");
  renew(f, 1, "B", "00000002", "2.crt", -500);
  EXPECT_REFUSAL(take(f, 1, "B", "2.crt"), EXIT_CODE_USAGE, "has expired: brokers would refuse it");
  EXPECT_OK(pki_certificate_count(f->pki, &after, &error));
  assert_int_equal(after, before);
}

/* A list names certificates by issuer and number. */
static void a_serial_number_is_of_one_certificate(void **state)
{
  struct fixture *f = *state;
  const struct slip one_for_all = {.serial = 7};
  renew_with(f, 0, "B", "00000001", "1.crt", 1000, one_for_all);
  renew_with(f, 1, "B", "00000002", "2.crt", 1000, one_for_all);
  EXPECT_OK(take(f, 0, "B", "1.crt"));
  EXPECT_REFUSAL(take(f, 1, "B", "2.crt"), EXIT_CODE_USAGE,
                 "2.crt has the serial number 07, which its issuer has given to that of device "
                 "00000001 before: who revokes one revokes both");
  renew_with(f, 0, "B", "00000001", "1.crt", 2000, one_for_all);
  EXPECT_REFUSAL(take(f, 0, "B", "1.crt"), EXIT_CODE_USAGE,
                 "given to another certificate of 00000001 before");
  renew_with(f, 1, "A", "00000002", "2.crt", 1000, one_for_all); /* another issuer's 7 */
  EXPECT_OK(take(f, 1, "A", "2.crt"));
}

static void an_answer_of_before_renews_nothing(void **state)
{
  struct fixture *f = *state;
  renew_with(f, 1, "A", "00000002", "2.crt", 1000, (struct slip){.earlier_s = 40LL * 86400});
  EXPECT_REFUSAL(take(f, 1, "A", "2.crt"), EXIT_CODE_USAGE,
                 "issued before the one of the same issuer that the device holds");
  renew_with(f, 1, "B", "00000002", "2.crt", 1000, (struct slip){.earlier_s = 40LL * 86400});
  EXPECT_OK(take(f, 1, "B", "2.crt")); /* made ready long ago, under the next root */
}

static void a_list_is_judged_line_by_line(void **state)
{
  struct fixture *f = *state;
  struct pki_renewals *list = NULL;
  const struct {
    const char *text, *sentence;
  } bad[] = {
      {"id,certificate\n00000002,2.crt\n00000002,2.crt\n", "line 2 already"},
      {"id,certificate\nSN-7,2.crt\n", "list.csv:2: the fleet has no device 'SN-7'"},
      {"id,certificate\n00000002,\n", "list.csv:2: 'certificate' names no file"},
      {"id,site\n00000002,here\n", "list.csv:1: the header names no column"},
      {"certificate\n2.crt\n", "names the columns 'id' and 'certificate'"},
      {"00000002,a,b\n", "begins with a header"},
  };
  renew(f, 1, "B", "00000002", "2.crt", 1000);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    write_text(beside(f, "list.csv"), bad[i].text);
    EXPECT_REFUSAL(pki_renewals_open(f->pki, beside(f, "list.csv"), &list, &error), EXIT_CODE_USAGE,
                   bad[i].sentence);
  }
  write_text(beside(f, "list.csv"), "id;certificate\n00000003;2.crt\n00000002;2.crt\n");
  EXPECT_OK(pki_renewals_open(f->pki, beside(f, "list.csv"), &list, &error));
  assert_false(pki_renewals_has(list, 0));
  assert_true(pki_renewals_has(list, 1));
  EXPECT_REFUSAL(pki_renewals_check(f->pki, list, "B", &error), EXIT_CODE_USAGE,
                 "list.csv:2: the certificate");
  pki_renewals_close(list);
}

static bool is_not_first(void *ctx, size_t index)
{
  (void) ctx;
  return index != 0;
}

/* Of a root without a key a device asks: somebody who is revoked would be refused for that. */
static void nobody_stands_in_who_may_not(void **state)
{
  struct fixture *f = *state;
  char name[72];
  size_t whose;
  EVP_PKEY_free(f->pki->hierarchy[0].devices.key);
  f->pki->hierarchy[0].devices.key = NULL;
  EXPECT_OK(pki_write_probe(f->pki, "A", is_not_first, NULL, beside(f, "probe.crt"),
                            beside(f, "probe.key"), &whose, &error));
  assert_int_equal(whose, 1);
  STACK_OF(X509) *probe = pki_cert_read_all(beside(f, "probe.crt"), 8, &error);
  assert_non_null(probe);
  pki_cert_common_name(X509_get_subject_name(sk_X509_value(probe, 0)), name, sizeof name);
  assert_string_equal(name, "00000002");
  sk_X509_pop_free(probe, X509_free);
}

int main(void)
{
#define OWNED(test) cmocka_unit_test_setup_teardown(test, setup_owner, teardown)
  const struct CMUnitTest tests[] = {
      OWNED(a_chain_of_the_owners_is_served_in_order),
      OWNED(without_a_key_none_is_left_beside_it),
      OWNED(a_chain_is_what_its_signatures_say),
      OWNED(a_chain_has_run_out_only_on_purpose),
      OWNED(takes_what_the_device_will_take),
      OWNED(refuses_what_it_would_not),
      OWNED(a_serial_number_is_of_one_certificate),
      OWNED(an_answer_of_before_renews_nothing),
      OWNED(a_list_is_judged_line_by_line),
      OWNED(nobody_stands_in_who_may_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
