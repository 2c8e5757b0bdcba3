#define _GNU_SOURCE
#include "pki/names.h"

#include "base/name.h"
#include "device/identity.h"
#include "fixture.h"
#include "pki/name_list.h"

/* --- What is a name --------------------------------------------------------------------------- */

#define LONGEST "0123456789012345678901234567890123456789012345678901234567890123"

static void a_name_is_what_topics_json_paths_and_memory_can_carry(void **state)
{
  static const char *const good[] = {"1",
                                     "00000001",
                                     "SN 2026-000123",
                                     "AA:BB:CC:DD:EE:FF",
                                     "0f8fad5b-d9cb-469f-a165-70867728950e",
                                     "urn:dev:ops:32473-Refrigerator*5002",
                                     "a.b@c (d) {e} %s <f> & 'g'",
                                     LONGEST};
  static const struct {
    const char *name, *sentence;
  } bad[] = {
      {"", "the device has no name"},
      {LONGEST "4", "has 65 characters, and a device's name has at most 64"},
      {"spiffe://example.org/1", "its character number 8 cannot be in one (a topic and a path"},
      {"1.5E+10", "its character number 5 cannot be in one (in a topic it stands for any name)"},
      {"a#", "(in a topic it stands for any name)"},
      {"say \"a\"", "(a text of JSON ends or changes with it)"},
      {"a\\b", "(a text of JSON ends or changes with it)"},
      {"a\tb", "(a name is of printable ASCII characters)"},
      {"a\nb", "(a name is of printable ASCII characters)"},
      {"gr\xc3\xbcn", "(a name is of printable ASCII characters)"},
      {"$SYS", "one begins with no '$'"},
      {"..", "'.' (hidden files)"},
      {"--help", "'-' (options)"},
      {" a", "or blank"},
      {"a ", "ends with no blank"},
  };
  (void) state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) EXPECT_OK(name_check(good[i], &error));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    EXPECT_REFUSAL(name_check(bad[i].name, &error), EXIT_CODE_USAGE, bad[i].sentence);
}

static void put_attribute(X509 *certificate, const char *type, const char *text)
{
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), type, MBSTRING_UTF8,
                             (const uint8_t *) text, -1, -1, 0);
}

static void put_alternatives(X509 *certificate, const char *text)
{
  X509_EXTENSION *one = X509V3_EXT_conf(NULL, NULL, "subjectAltName", text);
  X509_add_ext(certificate, one, -1);
  X509_EXTENSION_free(one);
}

static void a_certificate_names_its_device_once(void **state)
{
  static const struct {
    const char *cn, *second, *serial, *alternatives;
    enum pki_id_from from;
    const char *wanted; /* the name, or part of the refusal */
  } cases[] = {
      {"a", NULL, "7", NULL, PKI_ID_FROM_CN, "a"},
      {"a", NULL, "7", NULL, PKI_ID_FROM_SERIAL, "7"},
      {"a", NULL, NULL, "URI:urn:x:1,DNS:b.example.com", PKI_ID_FROM_URI, "urn:x:1"},
      {"a", NULL, NULL, "URI:urn:x:1,DNS:b.example.com", PKI_ID_FROM_DNS, "b.example.com"},
      {LONGEST, NULL, NULL, NULL, PKI_ID_FROM_CN, LONGEST},
      {"a", "b", NULL, NULL, PKI_ID_FROM_CN, "has more than one CN: take the device's name from"},
      {NULL, NULL, "7", NULL, PKI_ID_FROM_CN, "has no CN"},
      {"a", NULL, NULL, NULL, PKI_ID_FROM_SERIAL, "has no serialNumber in its subject"},
      {"a", NULL, NULL, NULL, PKI_ID_FROM_URI, "has no URI among its alternative names"},
      {"a", NULL, NULL, "URI:urn:1", PKI_ID_FROM_DNS, "has no DNS name among its alternative"},
      {"a", NULL, NULL, "DNS:b,DNS:c", PKI_ID_FROM_DNS, "has more than one DNS name among its"},
      {"a", NULL, NULL, "URI:https://example.com/1", PKI_ID_FROM_URI, "a topic and a path"},
      {"a", NULL, NULL, "URI:urn:" LONGEST, PKI_ID_FROM_URI,
       "URI among its alternative names is no"},
      {"gr\xc3\xbcn", NULL, NULL, NULL, PKI_ID_FROM_CN, "printable ASCII"},
  };
  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    X509 *certificate = X509_new();
    char name[PKI_DEVICE_NAME] = "";
    if (cases[i].cn != NULL) put_attribute(certificate, "CN", cases[i].cn);
    if (cases[i].second != NULL) put_attribute(certificate, "CN", cases[i].second);
    if (cases[i].serial != NULL) put_attribute(certificate, "serialNumber", cases[i].serial);
    if (cases[i].alternatives != NULL) put_alternatives(certificate, cases[i].alternatives);
    error = (struct error){0};
    int result = pki_names_from(certificate, cases[i].from, name, &error);
    if (result == 0 ? strcmp(name, cases[i].wanted) != 0
                    : strstr(error.text, cases[i].wanted) == NULL)
      fail_msg("case %zu: '%s', not '%s'", i, result == 0 ? name : error.text, cases[i].wanted);
    X509_free(certificate);
  }
}

/* --- Who has it ------------------------------------------------------------------------------- */

/* A folder for devices whose certificates a fleet of ours has issued, by whatever name. */
struct town {
  struct fixture *f;
  struct pki *fresh;
};

static int setup_town(void **state)
{
  if (setup_fleet(state) != 0) return -1;
  device_platform_leave(); /* an import enters by itself */
  struct town *t = calloc(1, sizeof *t);
  t->f = *state;
  struct pki_foreign foreign[] = {{.name = "A", .path = at(t->f, "ca/A.crt")},
                                  {.name = "B", .path = at(t->f, "ca/B.crt")}};
  EXPECT_OK(pki_create_foreign(at(t->f, "../new"), foreign, 2, &t->fresh, NULL, NULL, &error));
  *state = t;
  return 0;
}

static int teardown_town(void **state)
{
  struct town *t = *state;
  void *fixture = t->f;
  pki_close(t->fresh);
  free(t);
  return teardown(&fixture);
}

/* FILE.pem has key, leaf of that CN, and its intermediate. */
static void mint(struct town *t, const char *file, const char *common_name)
{
  char path[64];
  struct pki_cert_spec spec = {.kind = PKI_CERT_CLIENT,
                               .subject = common_name,
                               .key = pki_key_generate(&error),
                               .issuer = &t->f->pki->hierarchy[0].devices,
                               .not_before = pki_now() - PKI_DAY_S,
                               .not_after = pki_now() + PKI_DAY_S};
  X509 *leaf = pki_cert_mint(&spec, &error);
  X509 *const chain[] = {leaf, t->f->pki->hierarchy[0].devices.certificate};
  snprintf(path, sizeof path, "%s.crt", file);
  EXPECT_OK(pki_cert_write(beside(t->f, path), chain, 2, &error));
  snprintf(path, sizeof path, "%s.key", file);
  EXPECT_OK(pki_key_replace(beside(t->f, path), spec.key, &error));
  X509_free(leaf);
  EVP_PKEY_free(spec.key);
}

static char warned[1024];

static void keep_warning(void *ctx, const char *sentence)
{
  (void) ctx;
  strncat(warned, sentence, sizeof warned - strlen(warned) - 1);
}

static int import_into(struct pki *pki, struct town *t, enum pki_id_from from, const char *list)
{
  struct pki_import how = {.trusted = names("A", "B", NULL), .id_from = from};
  write_text(beside(t->f, "list.csv"), list);
  warned[0] = '\0';
  return pki_import_devices(pki, beside(t->f, "list.csv"), &how, keep_warning, NULL, &error);
}

static void expect_name(struct town *t, size_t index, const char *wanted)
{
  char name[PKI_DEVICE_NAME];
  size_t found = 99;
  EXPECT_OK(pki_device_name(t->fresh, index, name, &error));
  assert_string_equal(name, wanted);
  assert_int_equal(pki_find_name(t->fresh, wanted, &found, &error), 1);
  assert_int_equal(found, index);
}

/* What its memory says it is called, and by what it will know a certificate for its own. */
static void expect_flashed(struct town *t, size_t index, const char *name, enum device_subject kind,
                           const char *subject)
{
  struct device_nvm_identity identity;
  const struct device_host host = pki_nvm_host(pki_device_page(t->fresh, index));
  assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
  assert_string_equal(identity.name, name);
  assert_int_equal(identity.subject_kind, kind);
  assert_string_equal(identity.subject, subject);
}

static void devices_go_by_their_names_in_the_order_of_the_list(void **state)
{
  struct town *t = *state;
  size_t index;
  mint(t, "1", "0f8fad5b-d9cb-469f-a165-70867728950e");
  mint(t, "2", "AA:BB:CC:DD:EE:FF");
  EXPECT_OK(
      import_into(t->fresh, t, PKI_ID_FROM_CN, "key,certificate\n2.key,2.crt\n1.key,1.crt\n"));
  assert_string_equal(warned, "");
  for (int again = 0; again < 2; again++) {
    assert_int_equal(pki_device_count(t->fresh), 2);
    expect_name(t, 0, "AA:BB:CC:DD:EE:FF");
    expect_name(t, 1, "0f8fad5b-d9cb-469f-a165-70867728950e");
    expect_flashed(t, 0, "AA:BB:CC:DD:EE:FF", DEVICE_SUBJECT_CN, "AA:BB:CC:DD:EE:FF");
    expect_flashed(t, 1, "0f8fad5b-d9cb-469f-a165-70867728950e", DEVICE_SUBJECT_CN,
                   "0f8fad5b-d9cb-469f-a165-70867728950e");
    assert_int_equal(pki_find_name(t->fresh, "aa:bb:cc:dd:ee:ff", &index, &error), 0);
    assert_int_equal(pki_find_name(t->fresh, "00000001", &index, &error), 0);
    pki_close(t->fresh);
    EXPECT_OK(pki_open(at(t->f, "../new"), &t->fresh, &error));
  }
}

static void a_name_of_the_list_need_not_be_the_cn_and_that_is_told(void **state)
{
  struct town *t = *state;
  mint(t, "1", "somebody");
  EXPECT_OK(import_into(t->fresh, t, PKI_ID_FROM_CSV, "SN-1,1.key,1.crt\n"));
  expect_name(t, 0, "SN-1");
  expect_flashed(t, 0, "SN-1", DEVICE_SUBJECT_CN, "somebody");
  if (strstr(warned, "1 device has a CN that is not its name") == NULL ||
      strstr(warned, "list.csv:1: 'somebody'") == NULL)
    fail_msg("%s", warned);
}

static void one_key_for_two_devices_is_told(void **state)
{
  struct town *t = *state;
  mint(t, "1", "SN-1");
  mint(t, "2", "SN-2");
  EXPECT_OK(import_into(t->fresh, t, PKI_ID_FROM_CSV,
                        "SN-1,1.key,1.crt\nSN-2,2.key,2.crt\nSN-3,1.key,1.crt\n"));
  if (strstr(warned, "1 device has the private key of a device before it") == NULL ||
      strstr(warned, "revokes both (the first: ") == NULL ||
      strstr(warned, "list.csv:3: 'SN-1')") == NULL)
    fail_msg("%s", warned);
}

static void an_id_whose_number_is_taken_is_a_name_still(void **state)
{
  struct town *t = *state;
  size_t index;
  mint(t, "1", "SN-1");
  mint(t, "2", "00000001");
  EXPECT_OK(
      import_into(t->fresh, t, PKI_ID_FROM_CN, "key,certificate\n1.key,1.crt\n2.key,2.crt\n"));
  expect_name(t, 0, "SN-1");
  expect_name(t, 1, "00000001");
  assert_int_equal(pki_device_id(t->fresh, 0), 1);
  assert_int_equal(pki_find_name(t->fresh, "00000002", &index, &error), 0);
}

static void a_name_is_given_once(void **state)
{
  struct town *t = *state;
  mint(t, "1", "SN-1");
  mint(t, "2", "00000001");
  EXPECT_REFUSAL(
      import_into(t->fresh, t, PKI_ID_FROM_CN, "certificate,key\n1.crt,1.key\n1.crt,1.key\n"),
      EXIT_CODE_USAGE, "list.csv:3: the device SN-1 is in the fleet already, or twice");
  EXPECT_OK(
      import_into(t->fresh, t, PKI_ID_FROM_CN, "certificate,key\n1.crt,1.key\n2.crt,2.key\n"));
  EXPECT_REFUSAL(import_into(t->fresh, t, PKI_ID_FROM_CN, "certificate,key\n2.crt,2.key\n"),
                 EXIT_CODE_USAGE, "list.csv:2: the device 00000001 is in the fleet already");
  EXPECT_REFUSAL(import_into(t->fresh, t, PKI_ID_FROM_CSV, "SN-1,2.key,2.crt\n"), EXIT_CODE_USAGE,
                 "list.csv:1: the device SN-1 is in the fleet already");
  assert_int_equal(pki_device_count(t->fresh), 2);
}

static void a_list_without_names_needs_to_be_told_where_they_are(void **state)
{
  struct town *t = *state;
  mint(t, "1", "SN-1");
  EXPECT_REFUSAL(import_into(t->fresh, t, PKI_ID_FROM_CSV, "certificate,key\n1.crt,1.key\n"),
                 EXIT_CODE_USAGE, "list.csv:1: the header names no column 'id'");
}

/* A device takes over MQTT what says of it what its first certificate said, and nothing else. */
static void a_new_certificate_names_the_device_as_the_first_did(void **state)
{
  struct town *t = *state;
  struct pki *pki = t->f->pki;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX], other[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = 0, other_size = 0, index = 0;
  struct device_nvm_identity identity;
  mint(t, "1", "SN-1");
  EXPECT_OK(import_into(pki, t, PKI_ID_FROM_CSV, "pump 7,1.key,1.crt\n"));
  assert_int_equal(pki_find_name(pki, "pump 7", &index, &error), 1);
  EXPECT_OK(pki_reissue(pki, index, "B", chain, sizeof chain, &size, &error));
  EXPECT_OK(pki_reissue(pki, 0, "B", other, sizeof other, &other_size, &error));
  struct device_host host = pki_nvm_host(pki_device_page(pki, index));
  assert_int_equal(device_nvm_read_identity(&host, &identity), 0);
  lend_time_and_entropy();
  enum device_update of_another = device_identity_update(&host, &identity, other, other_size),
                     own = device_identity_update(&host, &identity, chain, size);
  device_platform_leave();
  assert_int_equal(of_another, DEVICE_UPDATE_WRONG_KEY);
  assert_int_equal(own, DEVICE_UPDATE_COMMITTED);
}

/* --- What else is known ----------------------------------------------------------------------- */

static void list_column(void *ctx, const char *name, const char *value)
{
  snprintf((char *) ctx + strlen(ctx), 256 - strlen(ctx), "%s=%s/", name, value);
}

static void columns_that_are_no_files_are_kept(void **state)
{
  struct town *t = *state;
  char seen[256] = "";
  mint(t, "1", "SN-1");
  EXPECT_OK(import_into(t->fresh, t, PKI_ID_FROM_CN,
                        "id,site,key,certificate,note,chain\nx,\"7, here\",1.key,1.crt,,\n"));
  EXPECT_OK(pki_device_columns(t->fresh, 0, list_column, seen, &error));
  assert_string_equal(seen, "id=x/note=/site=7, here/");
}

static int name_from_list(void *ctx, size_t index, char out[PKI_DEVICE_NAME], struct error *refused)
{
  (void) refused;
  strcpy(out, ((const struct pki_name_list *) ctx)->name[index]);
  return 0;
}

static bool tell_from_list(void *ctx, size_t index, size_t column, const char **name,
                           const char **value)
{
  return pki_name_list_column(ctx, index, column, name, value);
}

/* As an import keeps them. */
static void a_fleet_that_is_made_by_a_list_keeps_its_columns_too(void **state)
{
  struct town *t = *state;
  const char text[] = "site,id,key,note\n\"7, here\",SN-1,k,\n8,SN-2,k,cold\n";
  char path[FILES_PATH_MAX], seen[256] = "";
  struct pki_name_list list;
  const struct pki_naming naming = {.name = name_from_list, .ctx = &list, .column = tell_from_list};
  const struct pki_roots trusted = *pki_roots(t->f->pki);
  size_t first = pki_device_count(t->f->pki);
  EXPECT_OK(files_join(path, t->f->folder, "names.csv", &error));
  EXPECT_OK(files_write(path, text, sizeof text - 1, 0600, &error));
  EXPECT_OK(pki_name_list_read(path, &list, &error));
  EXPECT_OK(
      pki_add_named_devices(t->f->pki, list.count, &naming, trusted.name[0], &trusted, &error));
  pki_name_list_free(&list);
  EXPECT_OK(pki_device_columns(t->f->pki, first, list_column, seen, &error));
  EXPECT_OK(pki_device_columns(t->f->pki, first + 1, list_column, seen, &error));
  assert_string_equal(seen, "id=SN-1/note=/site=7, here/id=SN-2/note=cold/site=8/");
}

int main(void)
{
#define IN_TOWN(test) cmocka_unit_test_setup_teardown(test, setup_town, teardown_town)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_is_what_topics_json_paths_and_memory_can_carry),
      cmocka_unit_test(a_certificate_names_its_device_once),
      IN_TOWN(devices_go_by_their_names_in_the_order_of_the_list),
      IN_TOWN(a_name_of_the_list_need_not_be_the_cn_and_that_is_told),
      IN_TOWN(one_key_for_two_devices_is_told),
      IN_TOWN(an_id_whose_number_is_taken_is_a_name_still),
      IN_TOWN(a_name_is_given_once),
      IN_TOWN(a_list_without_names_needs_to_be_told_where_they_are),
      IN_TOWN(a_new_certificate_names_the_device_as_the_first_did),
      IN_TOWN(columns_that_are_no_files_are_kept),
      IN_TOWN(a_fleet_that_is_made_by_a_list_keeps_its_columns_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
