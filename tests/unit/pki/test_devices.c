#define _GNU_SOURCE
#include "fixture.h"

#include <psa/crypto.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <time.h>

#include "device/identity.h"
#include "device/trust.h"

static struct device_host host_of(struct fixture *f, size_t index)
{
  return pki_nvm_host(pki_device_page(f->pki, index));
}

static int query(struct fixture *f, const char *sql)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  assert_int_equal(sqlite3_open_v2(at(f, "registry.db"), &db, SQLITE_OPEN_READONLY, NULL),
                   SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
  int value = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

static void ids_start_at_one_and_follow_the_highest(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  EXPECT_OK(pki_add_devices(f->pki, 2, "B", &trusted, &error));
  assert_int_equal(pki_device_count(f->pki), 5);
  for (size_t i = 0; i < 5; i++) {
    size_t index = 99;
    assert_int_equal(pki_device_id(f->pki, i), i + 1);
    assert_true(pki_find_device(f->pki, (uint32_t) i + 1, &index));
    assert_int_equal(index, i);
  }
  size_t none;
  assert_false(pki_find_device(f->pki, 6, &none));
}

static void every_device_has_its_rows_in_the_registry(void **state)
{
  struct fixture *f = *state;
  assert_int_equal(
      query(f, "SELECT count(*) FROM devices WHERE length(csr) > 100 AND created > 1600000000"), 3);
  assert_int_equal(query(f, "SELECT count(*) FROM certificates WHERE issuer = 'A' AND state = "
                            "'issued' AND length(serial) = 16 AND not_before < issued AND "
                            "not_after > issued AND length(chain) > 500"),
                   3);
  assert_int_equal(query(f, "SELECT count(DISTINCT serial) FROM certificates"), 3);
}

static void a_device_boots_from_its_page(void **state)
{
  struct fixture *f = *state;
  for (size_t i = 0; i < 3; i++) {
    struct device_host host = host_of(f, i);
    struct device_nvm_identity identity;
    struct device_nvm_slot trust, certificate;
    assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
    assert_int_equal(identity.id, i + 1);
    assert_memory_equal(identity.update_key, f->pki->update_point, 65);
    assert_int_equal(device_nvm_find(&host, DEVICE_NVM_TRUST, &trust), 0);
    assert_int_equal(device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &certificate), 0);
    assert_true(trust.size > 0 && certificate.size > 0);
    /* the device's own check of key, name and certificate */
    uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
    assert_int_equal(host.nvm_read(host.ctx, certificate.offset, chain, certificate.size), 0);
    assert_int_equal(device_identity_update(&host, &identity, chain, certificate.size),
                     DEVICE_UPDATE_SAME);
  }
}

static void a_device_takes_a_bundle_that_we_sign_and_no_other(void **state)
{
  struct fixture *f = *state;
  struct pki_roots anchors = names("A", "B", "spare");
  struct device_host host = host_of(f, 0);
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t size = 0;
  uint32_t version = 0;
  EXPECT_OK(pki_make_bundle(f->pki, 2, &anchors, bundle, sizeof bundle, &size, &error));
  bundle[size / 2] ^= 1;
  assert_int_equal(device_trust_update(&host, f->pki->update_point, DEVICE_REVOCATION_HELD, 1,
                                       bundle, size, &version),
                   DEVICE_UPDATE_BAD_SIGNATURE);
  bundle[size / 2] ^= 1;
  assert_int_equal(device_trust_update(&host, f->pki->update_point, DEVICE_REVOCATION_HELD, 1,
                                       bundle, size, &version),
                   DEVICE_UPDATE_COMMITTED);
  struct pki_device_state seen;
  EXPECT_OK(pki_device_look(f->pki, 0, &seen, &error));
  assert_int_equal(seen.bundle_version, 2);
  assert_int_equal(seen.anchor_count, 3);
  assert_string_equal(seen.anchor[1], "B");
}

static EVP_PKEY *leaf_key(const uint8_t *chain, size_t size)
{
  struct device_chain parsed;
  assert_int_equal(device_chain_parse(chain, size, &parsed), DEVICE_UPDATE_COMMITTED);
  const uint8_t *der = parsed.certificate[0].der;
  X509 *leaf = d2i_X509(NULL, &der, parsed.certificate[0].size);
  assert_non_null(leaf);
  EVP_PKEY *key = X509_get_pubkey(leaf);
  X509_free(leaf);
  return key;
}

static void reissue_keeps_the_key_and_adds_a_row(void **state)
{
  struct fixture *f = *state;
  struct device_host host = host_of(f, 1);
  struct device_nvm_identity identity;
  struct device_nvm_slot slot;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = 0;
  assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &slot), 0);
  assert_int_equal(host.nvm_read(host.ctx, slot.offset, chain, slot.size), 0);
  EVP_PKEY *before = leaf_key(chain, slot.size);
  EXPECT_OK(pki_begin(f->pki, &error));
  EXPECT_OK(pki_reissue(f->pki, 1, "B", chain, sizeof chain, &size, &error));
  EXPECT_OK(pki_commit(f->pki, &error));
  EVP_PKEY *after = leaf_key(chain, size);
  assert_int_equal(EVP_PKEY_eq(before, after), 1);
  assert_int_equal(device_identity_update(&host, &identity, chain, size), DEVICE_UPDATE_COMMITTED);
  assert_int_equal(query(f, "SELECT count(*) FROM certificates WHERE device = 2 AND issuer = 'B'"),
                   1);
  EXPECT_OK(pki_write_device(f->pki, 1, at(f, "d.crt"), at(f, "d.pem"), &error));
  expect_verdict(verdict_of_files(f, at(f, "d.crt"), "B", X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  EVP_PKEY_free(before);
  EVP_PKEY_free(after);
}

static void reset_brings_back_what_was_made_and_keeps_the_key(void **state)
{
  struct fixture *f = *state;
  struct pki_roots factory = names("A", "spare", NULL);
  struct device_nvm_identity before, after;
  struct pki_device_state made, seen;
  struct device_host host = host_of(f, 0);
  assert_int_equal(device_nvm_read_identity(&host, &before), 0);
  EXPECT_OK(pki_device_look(f->pki, 0, &made, &error));

  a_device_takes_a_bundle_that_we_sign_and_no_other(state);
  EXPECT_OK(
      pki_reset_devices(f->pki, "B", &factory, &error)); /* no certificate under B yet: a new one */
  EXPECT_OK(pki_device_look(f->pki, 0, &seen, &error));
  assert_int_equal(seen.bundle_version, 1);
  assert_memory_not_equal(seen.certificate_id, made.certificate_id, 32);
  EXPECT_OK(pki_reset_devices(f->pki, "A", &factory, &error));
  EXPECT_OK(pki_device_look(f->pki, 0, &seen, &error));
  assert_memory_equal(&seen, &made, sizeof seen);
  assert_int_equal(device_nvm_read_identity(&host, &after), 0);
  assert_int_equal(before.id, after.id);
  assert_memory_equal(before.private_key, after.private_key, sizeof before.private_key);
  assert_memory_equal(before.update_key, after.update_key, sizeof before.update_key);
  assert_int_equal(query(f, "SELECT count(*) FROM certificates"), 6);
}

/* The slots of the run before are gone: a device that looked for its new image in them would find
 * none that it may start.
 */
static void reset_forgets_the_firmware_of_the_run_before(void **state)
{
  struct fixture *f = *state;
  struct pki_roots factory = names("A", "spare", NULL);
  struct device_host host = host_of(f, 0);
  struct device_nvm_slot slot;
  static const uint8_t record[40] = {1};
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        device_nvm_replace(&host, DEVICE_NVM_IMAGES, record, sizeof record - (size_t) i), 0);
  EXPECT_OK(pki_reset_devices(f->pki, "A", &factory, &error));
  assert_int_equal(device_nvm_find(&host, DEVICE_NVM_IMAGES, &slot), 0);
  assert_int_equal(slot.size, 0);
}

static void a_factory_gives_one_anchor_at_least(void **state)
{
  struct fixture *f = *state;
  struct pki_roots none = {0}, one = names("A", NULL, NULL);
  struct pki_device_state look;
  EXPECT_REFUSAL(pki_add_devices(f->pki, 1, "A", &none, &error), EXIT_CODE_USAGE,
                 "at least one root");
  EXPECT_OK(pki_add_devices(f->pki, 1, "A", &one, &error));
  EXPECT_OK(pki_device_look(f->pki, 3, &look, &error));
  assert_int_equal(look.anchor_count, 1);
}

static void a_failed_making_leaves_nothing_behind(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  EXPECT_REFUSAL(pki_add_devices(f->pki, 1, "C", &trusted, &error), EXIT_CODE_USAGE, "no root 'C'");
  EXPECT_REFUSAL(pki_add_devices(f->pki, PKI_DEVICES_MAX, "A", &trusted, &error), EXIT_CODE_USAGE,
                 "1000000");
  struct stat st;
  assert_int_equal(stat(at(f, "nvm.bin"), &st), 0);
  assert_int_equal(st.st_size, 3 * DEVICE_NVM_PAGE_SIZE);
  assert_int_equal(query(f, "SELECT count(*) FROM devices"), 3);
}

static double cpu_s(void)
{
  return (double) clock() / CLOCKS_PER_SEC;
}

static void makes_a_thousand_devices(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  double start = cpu_s();
  EXPECT_OK(pki_add_devices(f->pki, 1000, "A", &trusted, &error));
  double made = cpu_s();
  EXPECT_OK(pki_reset_devices(f->pki, "A", &trusted, &error));
  double reset = cpu_s();
  EXPECT_OK(pki_reset_devices(f->pki, "B", &trusted, &error));
  print_message(
      "1,000 devices: made in %.3f s CPU, reset in %.3f s, reissued and reset in %.3f s\n",
      made - start, reset - made, cpu_s() - reset);
  assert_int_equal(query(f, "SELECT count(*) FROM devices"), 1003);
  struct pki_device_state seen;
  EXPECT_OK(pki_device_look(f->pki, 1002, &seen, &error));
  assert_int_equal(seen.id, 1003);
}

/* Two threads make them: page, certificate and signing request are of one key, and no other's. */
static void each_of_many_has_what_is_its_own(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  EXPECT_OK(pki_add_devices(f->pki, 600, "A", &trusted, &error));
  for (uint32_t i = 0; i < 603; i++) {
    struct device_host host = host_of(f, i);
    struct device_nvm_identity identity;
    char name[9], cn[PKI_CERT_TITLE];
    assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
    EVP_PKEY *key = pki_key_from_scalar(identity.private_key, &error),
             *requested = pki_requested_key(f->pki, i + 1, &error);
    STACK_OF(X509) *chain = pki_device_chain(f->pki, i, &error);
    assert_true(key != NULL && requested != NULL && chain != NULL);
    snprintf(name, sizeof name, "%08x", i + 1);
    pki_cert_common_name(X509_get_subject_name(sk_X509_value(chain, 0)), cn, sizeof cn);
    if (identity.id != i + 1 || EVP_PKEY_eq(key, requested) != 1 ||
        X509_check_private_key(sk_X509_value(chain, 0), key) != 1 || strcmp(cn, name) != 0)
      fail_msg("page %u has id %u and a certificate for '%s'", i, (unsigned) identity.id, cn);
    EVP_PKEY_free(key);
    EVP_PKEY_free(requested);
    sk_X509_pop_free(chain, X509_free);
  }
  assert_int_equal(query(f, "SELECT count(DISTINCT serial) FROM certificates"), 603);
  assert_int_equal(query(f, "SELECT count(DISTINCT csr) FROM devices"), 603);
}

static int name_of(void *ctx, size_t index, char out[PKI_DEVICE_NAME], struct error *why)
{
  (void) why;
  snprintf(out, PKI_DEVICE_NAME, "SN-%zu", index == *(const size_t *) ctx ? 3 : index);
  return 0;
}

/* In the first batch, where the other is not in the fleet yet, and in a later one. */
static void two_of_one_name_are_refused_and_none_is_made(void **state)
{
  struct fixture *f = *state;
  struct pki_roots trusted = names("A", "spare", NULL);
  static const size_t twins[] = {4, 30, 300};
  for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++) {
    size_t twin = twins[i];
    struct pki_naming naming = {.ctx = &twin, .name = name_of};
    EXPECT_REFUSAL(pki_add_named_devices(f->pki, 310, &naming, "A", &trusted, &error),
                   EXIT_CODE_USAGE, "there is a device SN-3 already");
    assert_int_equal(query(f, "SELECT count(*) FROM devices"), 3);
  }
}

static int start_psa(void **state)
{
  (void) state;
  lend_time_and_entropy();
  return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(ids_start_at_one_and_follow_the_highest, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(every_device_has_its_rows_in_the_registry, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_device_boots_from_its_page, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(a_device_takes_a_bundle_that_we_sign_and_no_other,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(reissue_keeps_the_key_and_adds_a_row, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(reset_brings_back_what_was_made_and_keeps_the_key,
                                      setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(reset_forgets_the_firmware_of_the_run_before, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_factory_gives_one_anchor_at_least, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(a_failed_making_leaves_nothing_behind, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(makes_a_thousand_devices, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(each_of_many_has_what_is_its_own, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(two_of_one_name_are_refused_and_none_is_made, setup_fleet,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, start_psa, NULL);
}
