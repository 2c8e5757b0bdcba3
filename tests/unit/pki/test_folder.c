#define _GNU_SOURCE
#include <sqlite3.h>

#include "fixture.h"
#include "pki/crl.h"

#include <ftw.h>

static unsigned keys_seen;

static int check_mode(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) ftw;
  const char *dot = strrchr(path, '.');
  bool secret = dot != NULL &&
                (strcmp(dot, ".key") == 0 || strcmp(dot, ".bin") == 0 || strcmp(dot, ".db") == 0);
  unsigned mode = (unsigned) (st->st_mode & 07777);
  if (type == FTW_D && mode != 0700) fail_msg("folder %s has mode %o", path, mode);
  if (secret && mode != 0600) fail_msg("%s has mode %o", path, mode);
  keys_seen += secret;
  return 0;
}

static void keys_are_0600_in_folders_of_0700_whatever_the_umask(void **state)
{
  struct fixture *f = *state;
  struct pki_roots roots = names("A", "B", NULL);
  mode_t before = umask(0);
  EXPECT_OK(pki_create(f->folder, &roots, &f->pki, &error));
  umask(before);
  keys_seen = 0;
  assert_int_equal(nftw(f->folder, check_mode, 8, FTW_PHYS), 0);
  assert_int_equal(
      keys_seen,
      2 * 3 + 2 + 3 +
          2); /* hierarchies, back office and update CA, update, image and operator, two stores */
}

static void refuse_mode(struct fixture *f, const char *path, mode_t loose, const char *mend)
{
  struct pki *again = NULL;
  unsigned right = mode_of(path);
  assert_int_equal(chmod(path, loose), 0);
  EXPECT_REFUSAL(pki_open(f->folder, &again, &error), EXIT_CODE_SETUP, mend);
  if (strstr(error.text, path) == NULL) fail_msg("%s is not in '%s'", path, error.text);
  assert_int_equal(chmod(path, (mode_t) right), 0);
}

static void refuses_what_others_can_read_and_names_the_chmod(void **state)
{
  struct fixture *f = *state;
  pki_close(f->pki);
  f->pki = NULL;
  refuse_mode(f, f->folder, 0750, "chmod 0700");
  refuse_mode(f, at(f, "ca"), 0701, "chmod 0700");
  refuse_mode(f, at(f, "ca/A-brokers.key"), 0640, "chmod 0600");
  refuse_mode(f, at(f, "update.key"), 0604, "chmod 0600");
  refuse_mode(f, at(f, "nvm.bin"), 0644, "chmod 0600");
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
}

static void opens_again_what_was_made(void **state)
{
  struct fixture *f = *state;
  pki_close(f->pki);
  f->pki = NULL;
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
  assert_int_equal(pki_roots(f->pki)->count, 3);
  assert_string_equal(pki_roots(f->pki)->name[2], "spare");
  assert_int_equal(pki_device_count(f->pki), 3);
}

static void refuses_a_second_user_of_the_folder(void **state)
{
  struct fixture *f = *state;
  struct pki *again = NULL;
  EXPECT_REFUSAL(pki_open(f->folder, &again, &error), EXIT_CODE_SETUP, "another fleetsim works on");
}

static void refuses_to_make_a_fleet_over_a_fleet(void **state)
{
  struct fixture *f = *state;
  struct pki *again = NULL;
  EXPECT_REFUSAL(pki_create(f->folder, pki_roots(f->pki), &again, &error), EXIT_CODE_USAGE,
                 "holds a fleet already");
}

static void says_what_is_wrong_with_a_folder_that_is_none(void **state)
{
  struct fixture *f = *state;
  struct pki *again = NULL;
  EXPECT_REFUSAL(pki_open(f->base, &again, &error), EXIT_CODE_USAGE, "fleetsim pki make");
  EXPECT_REFUSAL(pki_open(at(f, "nowhere"), &again, &error), EXIT_CODE_USAGE, "fleetsim pki make");
}

/* Closes the fleet, damages a file, and tells what pki_open says. */
static void open_after(struct fixture *f, const char *name, off_t size, const char *sentence)
{
  struct pki *again = NULL;
  pki_close(f->pki);
  f->pki = NULL;
  if (size < 0)
    assert_int_equal(unlink(at(f, name)), 0);
  else
    assert_int_equal(truncate(at(f, name), size), 0);
  EXPECT_REFUSAL(pki_open(f->folder, &again, &error), EXIT_CODE_SETUP, sentence);
}

static void says_that_the_registry_is_missing(void **state)
{
  open_after(*state, "registry.db", -1, "there is no registry");
}

static void says_that_the_registry_is_empty(void **state)
{
  open_after(*state, "registry.db", 0, "is not a fleet's registry");
}

static void change_registry(const struct fixture *f, const char *sql)
{
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(at(f, "registry.db"), &db), SQLITE_OK);
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
    fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  sqlite3_close(db);
}

static void an_id_or_a_page_of_64_bits_is_no_other_device(void **state)
{
  struct fixture *f = *state;
  const char *const changes[][2] = {{"UPDATE devices SET page = 4294967296 WHERE page = 0",
                                     "UPDATE devices SET page = 0 WHERE page = 4294967296"},
                                    {"UPDATE devices SET page = -1 WHERE page = 0",
                                     "UPDATE devices SET page = 0 WHERE page = -1"},
                                    {"UPDATE devices SET page = 'x' WHERE page = 0",
                                     "UPDATE devices SET page = 0 WHERE page = 'x'"},
                                    {"UPDATE devices SET id = 4294967297 WHERE id = 1",
                                     "UPDATE devices SET id = 1 WHERE id = 4294967297"}};
  pki_close(f->pki);
  f->pki = NULL;
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    change_registry(f, changes[i][0]);
    EXPECT_REFUSAL(pki_open(f->folder, &f->pki, &error), EXIT_CODE_SETUP,
                   "a device's id or page out of range");
    change_registry(f, changes[i][1]);
  }
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
}

static void ignore_row(void *ctx, const struct pki_revoked *row)
{
  (void) ctx, (void) row;
}

static void a_revocation_of_64_bits_is_of_nobody(void **state)
{
  struct fixture *f = *state;
  EXPECT_OK(pki_revoke_device(f->pki, 0, true, PKI_REASON_KEY_COMPROMISE, NULL, &error));
  pki_close(f->pki);
  f->pki = NULL;
  const char *const changes[] = {"UPDATE revoked SET device = 4294967297",
                                 "UPDATE revoked SET device = 1, reason = 300"};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    change_registry(f, changes[i]);
    EXPECT_OK(pki_open(f->folder, &f->pki, &error));
    EXPECT_REFUSAL(pki_each_revoked(f->pki, ignore_row, NULL, &error), EXIT_CODE_SETUP,
                   "out of range");
    pki_close(f->pki);
    f->pki = NULL;
  }
}

static void no_memory_for_a_database_is_no_damage(void **state)
{
  (void) state;
  EXPECT_REFUSAL(pki_registry_failed(NULL, &error), EXIT_CODE_INTERNAL,
                 "no memory for the fleet's registry");
}

static void says_that_the_registry_is_truncated(void **state)
{
  open_after(*state, "registry.db", 9000, "damaged");
}

static void says_that_the_pages_are_missing(void **state)
{
  open_after(*state, "nvm.bin", -1, "cannot open");
}

static void says_that_pages_are_lost(void **state)
{
  open_after(*state, "nvm.bin", 2 * DEVICE_NVM_PAGE_SIZE + 5, "pages are lost");
}

static void says_that_the_pages_are_of_an_older_kind(void **state)
{
  open_after(*state, "nvm.bin", 3 * 8192, "make the fleet anew");
}

static void mends_pages_that_an_interrupted_making_left(void **state)
{
  struct fixture *f = *state;
  open_after(f, "nvm.bin", 5 * DEVICE_NVM_PAGE_SIZE, "truncate -s 36864");
  assert_int_equal(truncate(at(f, "nvm.bin"), 36864), 0);
  EXPECT_OK(pki_open(f->folder, &f->pki, &error));
}

static void says_that_a_key_is_of_another_certificate(void **state)
{
  struct fixture *f = *state;
  struct pki *again = NULL;
  pki_close(f->pki);
  f->pki = NULL;
  assert_int_equal(rename(at(f, "ca/B.key"), at(f, "ca/A.key")), 0);
  EXPECT_REFUSAL(pki_open(f->folder, &again, &error), EXIT_CODE_SETUP, "is not the key of");
}

static void refuses_names_that_are_no_file_names(void **state)
{
  struct fixture *f = *state;
  const char *const bad[] = {"",       "../A",        "a b",       "A-brokers",
                             "A-by-B", "back-office", "update-ca", "-A"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct pki_roots roots = names("A", bad[i], NULL);
    EXPECT_REFUSAL(pki_create(f->folder, &roots, &f->pki, &error), EXIT_CODE_USAGE,
                   "cannot name a root");
  }
  struct pki_roots twice = names("A", "A", NULL);
  EXPECT_REFUSAL(pki_create(f->folder, &twice, &f->pki, &error), EXIT_CODE_USAGE, "named twice");
  assert_int_not_equal(access(f->folder, F_OK), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(keys_are_0600_in_folders_of_0700_whatever_the_umask,
                                      setup_folder, teardown),
      cmocka_unit_test_setup_teardown(refuses_what_others_can_read_and_names_the_chmod, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(opens_again_what_was_made, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(refuses_a_second_user_of_the_folder, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(refuses_to_make_a_fleet_over_a_fleet, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(says_what_is_wrong_with_a_folder_that_is_none, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(says_that_the_registry_is_missing, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(says_that_the_registry_is_empty, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(says_that_the_registry_is_truncated, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(an_id_or_a_page_of_64_bits_is_no_other_device, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_revocation_of_64_bits_is_of_nobody, setup_fleet, teardown),
      cmocka_unit_test(no_memory_for_a_database_is_no_damage),
      cmocka_unit_test_setup_teardown(says_that_the_pages_are_missing, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(says_that_pages_are_lost, setup_fleet, teardown),
      cmocka_unit_test_setup_teardown(says_that_the_pages_are_of_an_older_kind, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(mends_pages_that_an_interrupted_making_left, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(says_that_a_key_is_of_another_certificate, setup_fleet,
                                      teardown),
      cmocka_unit_test_setup_teardown(refuses_names_that_are_no_file_names, setup_folder, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
