#define _GNU_SOURCE
#include "fixture.h"

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
  struct pki_foreign foreign[] = {{"old", at(f, "ca/A.crt")}, {"new", at(f, "ca/B.crt")}};
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
      {"00000002,one.pem,two.crt", "is not for the private key of this line"},
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
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX], fingerprint[32];
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
                                        fingerprint, &error),
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
  struct pki_foreign intermediate[] = {{"old", at(s->f, "ca/A-brokers.crt")}};
  EXPECT_REFUSAL(
      pki_create_foreign(at(s->f, "../third"), intermediate, 1, &third, NULL, NULL, &error),
      EXIT_CODE_USAGE, "it is not self-signed");
  struct pki_foreign leaf[] = {{"old", at(s->f, "operator.crt")}};
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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
