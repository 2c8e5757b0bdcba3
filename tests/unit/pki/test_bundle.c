/* Trust bundles with revocation lists: what they carry, what devices say to them, what does not
   fit. */
#define _GNU_SOURCE
#include <psa/crypto.h>

#include "device/trust.h"
#include "fixture.h"
#include "pki/crl.h"

struct sample {
  uint8_t data[DEVICE_NVM_TRUST_MAX];
  size_t size;
  struct device_trust_bundle parsed;
};

/* Valid until the next call. */
static const struct sample *make(struct fixture *f, const char *first, const char *second,
                                 enum pki_lists lists)
{
  static struct sample out;
  struct pki_roots roots = names(first, second, NULL);
  EXPECT_OK(pki_make_bundle_with_lists(f->pki, 2, &roots, lists, out.data, sizeof out.data,
                                       &out.size, &error));
  assert_int_equal(device_trust_parse(out.data, out.size, &out.parsed), DEVICE_UPDATE_COMMITTED);
  return &out;
}

static void expect_taken(struct fixture *f, const struct sample *bundle)
{
  struct device_host host = pki_nvm_host(pki_device_page(f->pki, 0));
  uint32_t version = 0;
  enum device_update seen = device_trust_update(&host, f->pki->update_point, DEVICE_REVOCATION_HELD,
                                                1, bundle->data, bundle->size, &version);
  assert_string_equal(device_update_name(seen), "committed");
}

static struct pki_chain give_broker(struct fixture *f, const char *root, const char *cross,
                                    const char *name)
{
  struct pki_chain chain = {.host = "localhost"};
  struct chain_prints written;
  char path[64], key[64];
  snprintf(path, sizeof path, "%s.crt", name);
  snprintf(key, sizeof key, "%s.key", name);
  strcpy(chain.root, root);
  strcpy(chain.cross, cross);
  EXPECT_OK(pki_write_broker_chain(f->pki, &chain, at(f, path), at(f, key), &written, &error));
  return chain;
}

/* The bundle's only list is the authority's, really signed, and revokes the certificate at `index`
   of the file. */
static void expect_only_list(struct fixture *f, const struct sample *bundle, const char *authority,
                             const char *file, int index)
{
  char path[80];
  snprintf(path, sizeof path, "ca/%s.crt", authority);
  X509 *issuer = pki_cert_read(at(f, path), &error);
  STACK_OF(X509) *chain = pki_cert_read_all(at(f, file), 3, &error);
  if (issuer == NULL || chain == NULL) fail_msg("%s", error.text);
  assert_int_equal(bundle->parsed.crl_count, 1);
  const uint8_t *der = bundle->parsed.crl[0].der;
  X509_CRL *crl = d2i_X509_CRL(NULL, &der, bundle->parsed.crl[0].size);
  X509_REVOKED *entry = NULL;
  assert_non_null(crl);
  assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(issuer)), 1);
  assert_int_equal(X509_CRL_get0_by_cert(crl, &entry, sk_X509_value(chain, index)), 1);
  assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 1);
  X509_CRL_free(crl);
  X509_free(issuer);
  sk_X509_pop_free(chain, X509_free);
}

static void carries_only_lists_that_revoke_something_unless_all_are_asked_for(void **state)
{
  struct fixture *f = *state;
  assert_int_equal(make(f, "A", "spare", PKI_LISTS_NONE)->parsed.crl_count, 0);
  assert_int_equal(make(f, "A", "spare", PKI_LISTS_USED)->parsed.crl_count, 0);
  const struct sample *all = make(f, "A", "spare", PKI_LISTS_ALL);
  assert_int_equal(all->parsed.crl_count, 4);
  print_message("  two roots and four empty lists: %zu bytes; a root has %u, a list %u\n",
                all->size, all->parsed.anchor[0].size, all->parsed.crl[1].size);
  expect_taken(f, all);
}

static void a_leaked_leaf_is_named_though_another_was_made_after_it(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = give_broker(f, "A", "", "main");
  give_broker(f, "A", "", "prove");
  EXPECT_OK(pki_revoke_part(f->pki, &chain, PKI_PART_LEAF, at(f, "main.crt"), &error));
  const struct sample *bundle = make(f, "A", "spare", PKI_LISTS_USED);
  expect_only_list(f, bundle, "A-brokers", "main.crt", 0);
  expect_taken(f, bundle);
  EXPECT_OK(pki_unrevoke_part(f->pki, &chain, PKI_PART_LEAF, at(f, "main.crt"), &error));
  assert_int_equal(make(f, "A", "spare", PKI_LISTS_USED)->parsed.crl_count, 0);
}

static void an_intermediate_is_in_its_roots_list_and_a_cross_certificate_in_its_givers(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = give_broker(f, "B", "A", "main");
  EXPECT_OK(pki_revoke_part(f->pki, &chain, PKI_PART_INTERMEDIATE, at(f, "main.crt"), &error));
  const struct sample *bundle = make(f, "A", "B", PKI_LISTS_USED);
  expect_only_list(f, bundle, "B", "main.crt", 1);
  expect_taken(f, bundle);
  EXPECT_OK(pki_unrevoke_part(f->pki, &chain, PKI_PART_INTERMEDIATE, at(f, "main.crt"), &error));
  EXPECT_OK(pki_revoke_part(f->pki, &chain, PKI_PART_CROSS, at(f, "main.crt"), &error));
  bundle = make(f, "A", "spare", PKI_LISTS_USED);
  expect_only_list(f, bundle, "A", "main.crt", 2);
}

static void says_what_there_is_none_of(void **state)
{
  struct fixture *f = *state;
  struct pki_chain chain = give_broker(f, "A", "", "main");
  EXPECT_REFUSAL(pki_revoke_part(f->pki, &chain, PKI_PART_CROSS, at(f, "main.crt"), &error),
                 EXIT_CODE_USAGE, "the broker presents no cross-certificate to revoke");
  chain.omit_intermediate = true;
  EXPECT_REFUSAL(pki_revoke_part(f->pki, &chain, PKI_PART_INTERMEDIATE, at(f, "main.crt"), &error),
                 EXIT_CODE_USAGE, "the broker presents no intermediate to revoke");
}

static void says_what_to_leave_out_when_the_lists_do_not_fit(void **state)
{
  struct fixture *f = *state;
  struct pki_roots three = names("A", "B", "spare"), two = names("A", "spare", NULL);
  struct sample out = {.size = 0};
  EXPECT_REFUSAL(pki_make_bundle_with_lists(f->pki, 2, &three, PKI_LISTS_ALL, out.data,
                                            sizeof out.data, &out.size, &error),
                 EXIT_CODE_USAGE,
                 "larger than 2304 bytes, the room that devices have: leave out a root that no "
                 "broker presents");
  for (int i = 0; i < 20; i++) {
    struct pki_chain chain = give_broker(f, "A", "", "main");
    EXPECT_OK(pki_revoke_part(f->pki, &chain, PKI_PART_LEAF, at(f, "main.crt"), &error));
  }
  EXPECT_REFUSAL(pki_make_bundle_with_lists(f->pki, 2, &three, PKI_LISTS_USED, out.data,
                                            sizeof out.data, &out.size, &error),
                 EXIT_CODE_USAGE, "the list of 'A-brokers'");
  for (int i = 0; i < 25; i++) {
    struct pki_chain chain = give_broker(f, "A", "", "main");
    EXPECT_OK(pki_revoke_part(f->pki, &chain, PKI_PART_LEAF, at(f, "main.crt"), &error));
  }
  EXPECT_REFUSAL(pki_make_bundle_with_lists(f->pki, 2, &two, PKI_LISTS_USED, out.data,
                                            sizeof out.data, &out.size, &error),
                 EXIT_CODE_USAGE, "the trust bundle: the CRL of 'A-brokers' has");
}

static void refuses_more_lists_than_a_device_can_hold(void **state)
{
  struct fixture *f = *state;
  struct pki_roots five = names("A", "B", "C");
  strcpy(five.name[3], "D");
  strcpy(five.name[4], "E");
  five.count = 5;
  struct sample out = {.size = 0};
  EXPECT_OK(pki_create(f->folder, &five, &f->pki, &error));
  EXPECT_REFUSAL(pki_make_bundle_with_lists(f->pki, 2, &five, PKI_LISTS_ALL, out.data,
                                            sizeof out.data, &out.size, &error),
                 EXIT_CODE_USAGE, "a trust bundle holds at most 8 revocation lists");
}

static void devices_that_require_lists_leave_the_factory_with_them(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  struct pki_chain chain = give_broker(f, "A", "", "main");
  EXPECT_OK(pki_revoke_part(f->pki, &chain, PKI_PART_INTERMEDIATE, at(f, "main.crt"), &error));
  pki_set_factory_lists(f->pki, PKI_LISTS_ALL);
  EXPECT_OK(pki_reset_devices(f->pki, "A", &trusted, &error));
  struct device_host host = pki_nvm_host(pki_device_page(f->pki, 2));
  struct device_nvm_slot slot;
  struct device_trust_bundle bundle;
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &slot), 0);
  uint8_t encoded[DEVICE_NVM_TRUST_MAX];
  assert_int_equal(host.nvm_read(host.ctx, slot.offset, encoded, slot.size), 0);
  assert_int_equal(device_trust_parse(encoded, slot.size, &bundle), DEVICE_UPDATE_COMMITTED);
  assert_int_equal(bundle.crl_count, 4);
  const uint8_t *der = bundle.crl[0].der;
  X509_CRL *crl = d2i_X509_CRL(NULL, &der, bundle.crl[0].size);
  /* a run before this one revoked it */
  assert_true(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)) <= 0);
  X509_CRL_free(crl);
}

static int start_crypto(void **state)
{
  (void) state;
  lend_time_and_entropy();
  return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_fleet, teardown)
  const struct CMUnitTest tests[] = {
      TEST(carries_only_lists_that_revoke_something_unless_all_are_asked_for),
      TEST(a_leaked_leaf_is_named_though_another_was_made_after_it),
      TEST(an_intermediate_is_in_its_roots_list_and_a_cross_certificate_in_its_givers),
      TEST(says_what_there_is_none_of),
      TEST(says_what_to_leave_out_when_the_lists_do_not_fit),
      cmocka_unit_test_setup_teardown(refuses_more_lists_than_a_device_can_hold, setup_folder,
                                      teardown),
      TEST(devices_that_require_lists_leave_the_factory_with_them),
  };
  return cmocka_run_group_tests(tests, start_crypto, NULL);
}
