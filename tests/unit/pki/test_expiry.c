/* When certificates and lists end: each is told by its own dates, and what is none of them is passed over. */
#define _GNU_SOURCE
#include "fixture.h"

#include "pki/crl.h"
#include "pki/expiry.h"

#define EXPIRIES_MAX 16

static struct pki_expiry seen[EXPIRIES_MAX];
static size_t seen_count;

static void keep(void *ctx, const struct pki_expiry *expiry)
{
  (void) ctx;
  assert_true(seen_count < EXPIRIES_MAX);
  seen[seen_count++] = *expiry;
}

static void expect(size_t at, enum pki_expiring kind, const char *title, int64_t unix_s)
{
  if (at >= seen_count || seen[at].kind != kind || strcmp(seen[at].title, title) != 0 ||
      llabs(seen[at].unix_s - unix_s) > 5)
    fail_msg("%zu of %zu: wanted %d %s %lld, got %d %s %lld", at, seen_count, (int) kind, title,
             (long long) unix_s, (int) seen[at].kind, seen[at].title, (long long) seen[at].unix_s);
}

static void a_chain_tells_its_leaf_and_its_issuer(void **state)
{
  struct fixture *f = *state;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  struct chain_prints wanted;
  struct pki_chain chain = {
      .root = "A", .cross = "B", .host = "broker.example", .leaf_expired = true};
  EXPECT_OK(files_join(certificate, f->base, "chain.crt", &error));
  EXPECT_OK(files_join(key, f->base, "chain.key", &error));
  EXPECT_OK(pki_write_broker_chain(f->pki, &chain, certificate, key, &wanted, &error));
  seen_count = 0;
  pki_each_expiry(certificate, keep, NULL);
  assert_int_equal(seen_count, 3);
  expect(0, PKI_EXPIRING_LEAF, "broker.example", pki_now() - PKI_DAY_S);
  assert_int_equal(seen[1].kind, PKI_EXPIRING_ISSUER);
  assert_int_equal(seen[2].kind, PKI_EXPIRING_ISSUER); /* a cross-certificate is another's word */
}

static void lists_tell_their_next_update(void **state)
{
  struct fixture *f = *state;
  char path[FILES_PATH_MAX];
  struct pki_roots roots = names("A", NULL, NULL);
  struct pki_crl_times times = {pki_now(), pki_now() + 7200};
  EXPECT_OK(files_join(path, f->base, "lists.pem", &error));
  EXPECT_OK(pki_write_crls(f->pki, &roots, &times, 0, path, &error));
  seen_count = 0;
  pki_each_expiry(path, keep, NULL);
  assert_int_equal(seen_count, 3); /* of the root, of its CA for devices, of the back office */
  for (size_t i = 0; i < seen_count; i++)
    expect(i, PKI_EXPIRING_LIST, seen[i].title, pki_now() + 7200);
}

static void the_folder_tells_its_roots_and_their_cas(void **state)
{
  struct fixture *f = *state;
  seen_count = 0;
  pki_each_own_expiry(f->pki, keep, NULL);
  assert_int_equal(seen_count, 9); /* of three roots */
  assert_int_equal(seen[0].kind, PKI_EXPIRING_ROOT);
  assert_int_equal(seen[1].kind, PKI_EXPIRING_ISSUER);
  assert_true(seen[0].unix_s >= seen[1].unix_s && seen[1].unix_s > pki_now());
}

static void what_cannot_be_read_tells_nothing(void **state)
{
  struct fixture *f = *state;
  char path[FILES_PATH_MAX];
  EXPECT_OK(files_join(path, f->base, "no.pem", &error));
  seen_count = 0;
  pki_each_expiry(path, keep, NULL);
  EXPECT_OK(files_write(path, "-----BEGIN X509 CRL-----\nno\n", 29, 0600, &error));
  pki_each_expiry(path, keep, NULL);
  assert_int_equal(seen_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_fleet, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_chain_tells_its_leaf_and_its_issuer),
      TEST(lists_tell_their_next_update),
      TEST(the_folder_tells_its_roots_and_their_cas),
      TEST(what_cannot_be_read_tells_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
