#define _GNU_SOURCE
#include "device/identity.h"
#include "fixture.h"
#include "pki/crl.h"

/* Two folders: `f` holds the fleet that exists already, at(f, "../new") the one that is made from
   its files. */
struct staging {
  struct fixture *f;
  struct pki *fresh;
};

static void export_device(struct fixture *f, size_t index, const char *name)
{
  char certificate[32], key[32];
  snprintf(certificate, sizeof certificate, "../%s.crt", name);
  snprintf(key, sizeof key, "../%s.pem", name);
  EXPECT_OK(pki_write_device(f->pki, index, at(f, certificate), at(f, key), &error));
}

static struct pki *foreign_fleet(struct fixture *f)
{
  struct pki *fresh = NULL;
  struct pki_foreign foreign[] = {{.name = "old", .path = at(f, "ca/A.crt")},
                                  {.name = "new", .path = at(f, "ca/B.crt")}};
  EXPECT_OK(pki_create_foreign(at(f, "../new"), foreign, 2, &fresh, NULL, NULL, &error));
  return fresh;
}

static int setup_staging(void **state)
{
  if (setup_fleet(state) != 0) return -1;
  device_platform_leave(); /* an import enters by itself */
  struct staging *s = calloc(1, sizeof *s);
  s->f = *state;
  export_device(s->f, 0, "one");
  export_device(s->f, 1, "two");
  s->fresh = foreign_fleet(s->f);
  *state = s;
  return 0;
}

static int teardown_staging(void **state)
{
  struct staging *s = *state;
  void *fixture = s->f;
  pki_close(s->fresh);
  free(s);
  return teardown(&fixture);
}

static int import(struct staging *s, const char *text)
{
  struct pki_import how = {.trusted = names("old", "new", NULL)};
  write_text(at(s->f, "../fleet.csv"), text);
  return pki_import_devices(s->fresh, at(s->f, "../fleet.csv"), &how, NULL, NULL, &error);
}

static void takes_devices_with_their_own_keys_and_certificates(void **state)
{
  struct staging *s = *state;
  EXPECT_OK(import(s, "id,key,certificate\n# two of them\n00000002, two.pem , "
                      "two.crt\r\n\n00000001,one.pem,one.crt\n"));
  assert_int_equal(pki_device_count(s->fresh), 2);
  for (size_t i = 0; i < 2; i++) {
    struct pki_device_state then, now;
    struct device_nvm_identity original, imported;
    struct device_host from = pki_nvm_host(pki_device_page(s->f->pki, i)),
                       to = pki_nvm_host(pki_device_page(s->fresh, i));
    EXPECT_OK(pki_device_look(s->f->pki, i, &then, &error));
    EXPECT_OK(pki_device_look(s->fresh, i, &now, &error));
    assert_int_equal(now.id, then.id);
    assert_memory_equal(now.certificate_id, then.certificate_id, 32);
    assert_int_equal(now.bundle_version, 1);
    assert_string_equal(now.anchor[0], "old");
    assert_int_equal(device_nvm_read_identity(&from, &original), 0);
    assert_int_equal(device_nvm_read_identity(&to, &imported), 0);
    assert_memory_equal(original.private_key, imported.private_key, 32);
  }
}

static void count_row(void *ctx, const struct pki_issued *row)
{
  assert_string_equal(row->issuer, "old");
  assert_true(row->imported);
  ++*(int *) ctx;
}

static void knows_which_root_issued_what_was_imported(void **state)
{
  struct staging *s = *state;
  int rows = 0;
  EXPECT_OK(import(s, "00000001,one.pem,one.crt\n"));
  EXPECT_OK(pki_device_certificates(s->fresh, 0, count_row, &rows, &error));
  assert_int_equal(rows, 1);
}

static void refuses_a_bad_line_and_changes_nothing(void **state)
{
  struct staging *s = *state;
  const struct {
    const char *line, *sentence;
  } cases[] = {
      {"00000003,two.pem,two.crt", "fleet.csv:2: the certificate"},
      {"00000002,one.pem,two.crt", "is not for the private key that belongs to it"},
      {"00000002,missing.pem,two.crt", "missing.pem"},
      {"00000002,two.pem,missing.crt", "missing.crt"},
      {"00000002,two.crt,two.crt", "holds no private key"},
      {"00000002,two.pem,two.pem", "holds no certificate"},
      {"00000002,two.pem", "fleet.csv:2: a line is 'id,key path,certificate path'"},
      {"00000002,two.pem,two.crt,", "fleet.csv:2: a line is 'id,key path,certificate path'"},
      {"2,two.pem,two.crt", "that of the certificate, '00000002', without its leading zeros"},
      {"00000001,one.pem,one.crt", "in the fleet already"},
      {"id,key,certificate", "key: No such file"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[256];
    struct stat st;
    snprintf(text, sizeof text, "00000001,one.pem,one.crt\n%s\n", cases[i].line);
    EXPECT_REFUSAL(import(s, text), EXIT_CODE_USAGE, cases[i].sentence);
    if (strstr(error.text, "fleet.csv:2: ") == NULL) fail_msg("no file:line in '%s'", error.text);
    assert_int_equal(pki_device_count(s->fresh), 0);
    assert_int_equal(stat(at(s->f, "../new/nvm.bin"), &st), 0);
    assert_int_equal(st.st_size, 0);
  }
  EXPECT_OK(import(s, "00000001,one.pem,one.crt\n")); /* and the fleet is as usable as before */
}

static void refuses_a_list_of_nobody(void **state)
{
  EXPECT_REFUSAL(import(*state, "# nobody\n"), EXIT_CODE_USAGE, "names no device");
}

static void issues_nothing_under_a_root_without_its_key(void **state)
{
  struct staging *s = *state;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  struct chain_prints written;
  size_t size = 0;
  struct pki_roots trusted = names("old", "new", NULL);
  struct pki_chain broker = {.root = "old", .host = "localhost"};
  EXPECT_OK(import(s, "00000001,one.pem,one.crt\n"));
  assert_false(pki_can_issue(s->fresh, "old"));
  EXPECT_REFUSAL(pki_reissue(s->fresh, 0, "old", chain, sizeof chain, &size, &error),
                 EXIT_CODE_USAGE, "nothing can be issued under root 'old'");
  EXPECT_REFUSAL(pki_add_devices(s->fresh, 1, "old", &trusted, &error), EXIT_CODE_USAGE,
                 "nothing can be issued");
  EXPECT_REFUSAL(pki_write_broker_chain(s->fresh, &broker, at(s->f, "../x"), at(s->f, "../y"),
                                        &written, &error),
                 EXIT_CODE_USAGE, "nothing can be issued");
}

static void reset_of_an_imported_fleet_gives_back_its_own_certificates(void **state)
{
  struct staging *s = *state;
  struct pki_device_state before, after;
  struct pki_roots trusted = names("old", "new", NULL);
  EXPECT_OK(import(s, "00000001,one.pem,one.crt\n"));
  EXPECT_OK(pki_device_look(s->fresh, 0, &before, &error));
  EXPECT_OK(pki_reset_devices(s->fresh, "new", &trusted, &error));
  EXPECT_OK(pki_device_look(s->fresh, 0, &after, &error));
  assert_memory_equal(&before, &after, sizeof before);
}

static void refuses_anchors_that_no_device_could_use(void **state)
{
  struct staging *s = *state;
  struct pki *third = NULL;
  struct pki_foreign intermediate[] = {{.name = "old", .path = at(s->f, "ca/A-brokers.crt")}};
  EXPECT_REFUSAL(
      pki_create_foreign(at(s->f, "../third"), intermediate, 1, &third, NULL, NULL, &error),
      EXIT_CODE_USAGE, "it is not self-signed");
  struct pki_foreign leaf[] = {{.name = "old", .path = at(s->f, "operator.crt")}};
  EXPECT_REFUSAL(pki_create_foreign(at(s->f, "../fourth"), leaf, 1, &third, NULL, NULL, &error),
                 EXIT_CODE_USAGE, "it is no CA certificate");
}

static void opens_an_imported_fleet_again(void **state)
{
  struct staging *s = *state;
  EXPECT_OK(import(s, "00000001,one.pem,one.crt\n00000002,two.pem,two.crt\n"));
  pki_close(s->fresh);
  s->fresh = NULL;
  EXPECT_OK(pki_open(at(s->f, "../new"), &s->fresh, &error));
  assert_int_equal(pki_device_count(s->fresh), 2);
}

/* --- Keys that the roots' owner gives ---------------------------------------------------------- */

/* `name` receives what the files hold, one after the other. */
static void join_files(struct fixture *f, const char *name, const char *first, const char *second)
{
  const char *const parts[] = {first, second};
  uint8_t all[8192];
  size_t size = 0;
  for (size_t i = 0; i < 2; i++) {
    uint8_t *part = NULL;
    size_t part_size = 0;
    if (parts[i] == NULL) continue;
    EXPECT_OK(files_read(at(f, parts[i]), sizeof all / 2, &part, &part_size, &error));
    memcpy(all + size, part, part_size);
    size += part_size;
    free(part);
  }
  EXPECT_OK(files_write(at(f, name), all, size, 0600, &error));
}

/* "old" with the key in `key`, "new" with none; device 1 of the other folder is in it. */
static int adopt_with(struct staging *s, const char *key)
{
  struct pki_import how = {.trusted = names("old", "new", NULL)};
  struct pki_foreign foreign[] = {
      {.name = "old", .path = at(s->f, "ca/A.crt"), .key_path = at(s->f, key)},
      {.name = "new", .path = at(s->f, "ca/B.crt")}};
  pki_close(s->fresh);
  s->fresh = NULL;
  write_text(beside(s->f, "fleet.csv"), "id,key,certificate\nSN-7,one.pem,one.crt\n");
  if (pki_create_foreign(beside(s->f, "keyed"), foreign, 2, &s->fresh, NULL, NULL, &error) != 0)
    return -1;
  EXPECT_OK(pki_import_devices(s->fresh, beside(s->f, "fleet.csv"), &how, NULL, NULL, &error));
  return 0;
}

/* As the device takes what comes for it over MQTT. */
static enum device_update put_in_force(struct pki *pki, const uint8_t *chain, size_t size)
{
  struct device_host host = pki_nvm_host(pki_device_page(pki, 0));
  struct device_nvm_identity identity;
  assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
  lend_time_and_entropy();
  enum device_update verdict = device_identity_update(&host, &identity, chain, size);
  device_platform_leave();
  return verdict;
}

/* What a rotation takes: a broker's chain, a device's, and who is revoked. */
static void expect_issuer(struct staging *s)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  struct chain_prints written;
  size_t size = 0, newly = 0;
  bool listed[1] = {false};
  struct pki_roots old = names("old", NULL, NULL);
  struct pki_crl_times times = {pki_now(), pki_now() + 1000};
  struct pki_chain broker = {.root = "old", .host = "localhost"};
  EXPECT_OK(pki_write_broker_chain(s->fresh, &broker, at(s->f, "../x"), at(s->f, "../y"), &written,
                                   &error));
  expect_verdict(verdict_of_files(s->f, at(s->f, "../x"), "A", X509_PURPOSE_SSL_SERVER), X509_V_OK);
  EXPECT_OK(pki_reissue(s->fresh, 0, "old", chain, sizeof chain, &size, &error));
  assert_int_equal(pki_chain_roots(s->fresh, chain, size), 1);
  assert_int_equal(put_in_force(s->fresh, chain, size), DEVICE_UPDATE_COMMITTED);
  EXPECT_OK(pki_write_device(s->fresh, 0, at(s->f, "../x"), at(s->f, "../y"), &error));
  expect_verdict(verdict_of_files(s->f, at(s->f, "../x"), "A", X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  EXPECT_OK(pki_revoke_device(s->fresh, 0, false, PKI_REASON_SUPERSEDED, &newly, &error));
  assert_int_equal(newly, 1);
  EXPECT_OK(pki_write_crls(s->fresh, &old, &times, 0, at(s->f, "../crl"), &error));
  EXPECT_OK(pki_crls_name(s->fresh, at(s->f, "../crl"), listed, 1, &error));
  assert_true(listed[0]);
}

static void issues_under_a_root_whose_key_is_given(void **state)
{
  struct staging *s = *state;
  EXPECT_OK(adopt_with(s, "ca/A.key"));
  assert_int_equal(mode_of(at(s->f, "../keyed/ca/old.key")), 0600);
  expect_issuer(s);
  assert_false(pki_can_issue(s->fresh, "new"));
}

static void crosses_an_imported_root_under_its_own_name(void **state)
{
  struct staging *s = *state;
  EXPECT_OK(adopt_with(s, "ca/A.key"));
  X509 *cross = pki_cert_read(at(s->f, "../keyed/ca/new-by-old.crt"), &error),
       *root = pki_cert_read(at(s->f, "ca/B.crt"), &error);
  assert_non_null(cross);
  assert_int_equal(X509_NAME_cmp(X509_get_subject_name(cross), X509_get_subject_name(root)), 0);
  X509_free(cross);
  X509_free(root);
}

static void issues_by_an_intermediate_whose_key_is_given(void **state)
{
  struct staging *s = *state;
  struct pki_chain crossed = {.root = "old", .cross = "new", .host = "localhost"};
  struct chain_prints written;
  join_files(s->f, "../issuer.pem", "ca/A-devices.key", "ca/A-devices.crt");
  EXPECT_OK(adopt_with(s, "../issuer.pem"));
  assert_int_equal(mode_of(at(s->f, "../keyed/ca/old-devices.key")), 0600);
  expect_issuer(s);
  EXPECT_REFUSAL(pki_write_broker_chain(s->fresh, &crossed, at(s->f, "../x"), at(s->f, "../y"),
                                        &written, &error),
                 EXIT_CODE_USAGE, "nothing can be issued under root 'new'");
  EXPECT_REFUSAL(
      pki_revoke_intermediate(s->fresh, "old", PKI_CRL_DEVICES, PKI_REASON_CA_COMPROMISE, &error),
      EXIT_CODE_USAGE, "root 'old' itself can sign nothing here");
}

static void revokes_what_was_imported_where_its_issuer_is_here(void **state)
{
  struct staging *s = *state;
  struct pki_roots old = names("old", NULL, NULL);
  join_files(s->f, "../issuer.pem", "ca/A-devices.key", "ca/A-devices.crt");
  EXPECT_OK(adopt_with(s, "../issuer.pem"));
  EXPECT_OK(pki_check_revocable(s->fresh, 0, &error));
  EXPECT_OK(pki_check_listed(s->fresh, &old, 1, &error));
  pki_close(s->fresh);
  s->fresh = NULL;
  EXPECT_OK(pki_open(at(s->f, "../keyed"), &s->fresh, &error));
  expect_issuer(s);
}

static void a_list_without_the_devices_own_issuer_is_told(void **state)
{
  struct staging *s = *state;
  struct pki_roots old = names("old", NULL, NULL), new = names("new", NULL, NULL);
  EXPECT_OK(adopt_with(s, "ca/A.key")); /* one.crt is of the other folder's A-devices */
  EXPECT_REFUSAL(pki_check_revocable(s->fresh, 0, &error), EXIT_CODE_USAGE,
                 "whose issuer's key is not here");
  EXPECT_REFUSAL(pki_check_listed(s->fresh, &old, 1, &error), EXIT_CODE_USAGE,
                 "device SN-7 is of the CA 'fleetsim A devices', whose key is not here");
  EXPECT_OK(pki_check_listed(s->fresh, &new, 1, &error));
}

static void refuses_keys_that_cannot_issue(void **state)
{
  struct staging *s = *state;
  join_files(s->f, "../stranger.pem", "ca/B-devices.key", "ca/B-devices.crt");
  join_files(s->f, "../alone.pem", "ca/A-devices.key", NULL);
  join_files(s->f, "../leaf.pem", "../one.pem", "../one.crt");
  const struct {
    const char *file, *sentence;
  } cases[] = {
      {"ca/B.key", "it is neither the root's own, nor that of a certificate in the same file"},
      {"../alone.pem", "put the certificate of the intermediate that it belongs to"},
      {"../stranger.pem", "is not one that the root itself issued"},
      {"../leaf.pem", "is not one that the root itself issued"},
      {"ca/A.crt", "holds no private key"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    error = (struct error){0};
    if (adopt_with(s, cases[i].file) == 0) fail_msg("%s was taken", cases[i].file);
    assert_int_equal(error.code, EXIT_CODE_USAGE);
    if (strstr(error.text, cases[i].sentence) == NULL)
      fail_msg("'%s' is not in '%s'", cases[i].sentence, error.text);
    assert_int_equal(access(at(s->f, "../keyed"), F_OK), -1);
  }
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, setup_staging, teardown_staging)
  const struct CMUnitTest tests[] = {
      STAGED(takes_devices_with_their_own_keys_and_certificates),
      STAGED(knows_which_root_issued_what_was_imported),
      STAGED(refuses_a_bad_line_and_changes_nothing),
      STAGED(refuses_a_list_of_nobody),
      STAGED(issues_nothing_under_a_root_without_its_key),
      STAGED(reset_of_an_imported_fleet_gives_back_its_own_certificates),
      STAGED(refuses_anchors_that_no_device_could_use),
      STAGED(opens_an_imported_fleet_again),
      STAGED(issues_under_a_root_whose_key_is_given),
      STAGED(crosses_an_imported_root_under_its_own_name),
      STAGED(issues_by_an_intermediate_whose_key_is_given),
      STAGED(revokes_what_was_imported_where_its_issuer_is_here),
      STAGED(a_list_without_the_devices_own_issuer_is_told),
      STAGED(refuses_keys_that_cannot_issue),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
