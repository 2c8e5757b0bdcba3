/* Any bytes as a fleet's registry, also a sound database with rows that make no sense: the fleet
 * opens, and then every device has a page that can be read and whatever is known of it can be told,
 * or it is refused with a sentence.
 *
 * The input: 1 byte {bit 0 damage (fuzz.h) to the file, else to its rows}; of rows, until it is
 * used up: 1 byte {bits 0-3 which column, bits 4-5 which row, bits 6-7: 0 a number, 1 a text, 2
 * bytes, 3 nothing}, 1 byte size, so many bytes. */
#define _GNU_SOURCE
#include <sqlite3.h>

#include "fleet.h"
#include "pki/crl.h"

#define FILE_SIZE_MAX 262144u

static uint8_t good[FILE_SIZE_MAX], bytes[FILE_SIZE_MAX];
static size_t good_size;

static void begin(void)
{
  struct error error = {.text = ""};
  uint8_t *data = NULL;
  scratch_begin();
  struct pki *pki = fleet_make("fleet", 3);
  fleet_must(pki_revoke_device(pki, 1, true, PKI_REASON_KEY_COMPROMISE, NULL, &error), &error);
  pki_close(pki);
  fleet_must(
      files_read(scratch_path("fleet/registry.db"), FILE_SIZE_MAX, &data, &good_size, &error),
      &error);
  memcpy(good, data, good_size);
  free(data);
}

static void bind(sqlite3_stmt *statement, uint32_t kind, const uint8_t *value, size_t size)
{
  int64_t number = 0;
  for (size_t i = 0; i < size; i++) number = (int64_t) ((uint64_t) number << 8 | value[i]);
  switch (kind) {
  case 0: sqlite3_bind_int64(statement, 1, number); break;
  case 1:
    sqlite3_bind_text(statement, 1, (const char *) value, (int) size, SQLITE_TRANSIENT);
    break;
  case 2: sqlite3_bind_blob(statement, 1, value, (int) size, SQLITE_TRANSIENT); break;
  default: sqlite3_bind_null(statement, 1); break;
  }
}

static void damage_rows(struct fuzz_input *in)
{
  static const char *const columns[16] = {
      "roots SET name",          "roots SET ordinal",       "devices SET id",
      "devices SET page",        "devices SET csr",         "devices SET created",
      "certificates SET device", "certificates SET serial", "certificates SET issuer",
      "certificates SET state",  "certificates SET chain",  "certificates SET not_after",
      "revoked SET authority",   "revoked SET serial",      "revoked SET device",
      "revoked SET reason"};
  sqlite3 *db = NULL;
  char text[160];
  require(sqlite3_open_v2(scratch_path("fleet/registry.db"), &db, SQLITE_OPEN_READWRITE, NULL) ==
              SQLITE_OK,
          "opens");
  sqlite3_exec(db,
               "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA "
               "ignore_check_constraints = ON",
               NULL, NULL, NULL);
  while (in->left >= 2) {
    sqlite3_stmt *statement = NULL;
    uint32_t which = fuzz_number(in, 1);
    size_t size = fuzz_number(in, 1);
    const uint8_t *value = fuzz_take(in, size, &size);
    const char *column = columns[which & 15];
    int table = (int) strcspn(column, " ");
    snprintf(text, sizeof text,
             "UPDATE %s = ?1 WHERE rowid = (SELECT rowid FROM %.*s LIMIT 1 OFFSET %u)", column,
             table, column, (unsigned) (which >> 4 & 3));
    require(sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK,
            "the table has that column");
    bind(statement, which >> 6, value, size);
    (void) sqlite3_step(statement); /* a constraint may refuse it */
    sqlite3_finalize(statement);
  }
  sqlite3_close(db);
}

static void count_row(void *ctx, const struct pki_issued *row)
{
  require(row->serial_size <= sizeof row->serial &&
              memchr(row->issuer, '\0', sizeof row->issuer) != NULL,
          "a row");
  ++*(size_t *) ctx;
}

static void count_revoked(void *ctx, const struct pki_revoked *row)
{
  require(row->serial_size <= sizeof row->serial &&
              memchr(row->authority, '\0', sizeof row->authority) != NULL,
          "a row");
  ++*(size_t *) ctx;
}

static void look_at(struct pki *pki)
{
  struct error error = {.code = EXIT_CODE_PASS};
  struct pki_device_state state;
  size_t count = 0, index;
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < pki_device_count(pki); i++) {
    const uint8_t *page = pki_device_page(pki, i);
    for (size_t at = 0; at < DEVICE_NVM_PAGE_SIZE; at += 512) sum = (uint8_t) (sum + page[at]);
    require(pki_find_device(pki, pki_device_id(pki, i), &index) && index == i,
            "a device is found by its id");
    if (i > 0) require(pki_device_id(pki, i - 1) < pki_device_id(pki, i), "ids ascend");
    if (pki_device_look(pki, i, &state, &error) != 0) fleet_check_refusal(&error);
    if (pki_device_certificates(pki, i, count_row, &count, &error) != 0)
      fleet_check_refusal(&error);
  }
  for (size_t i = 1; i < pki_device_count(pki); i++)
    require(pki_device_page(pki, i) != pki_device_page(pki, i - 1), "each has a page of its own");
  if (pki_each_revoked(pki, count_revoked, &count, &error) != 0) fleet_check_refusal(&error);
  if (pki_certificate_count(pki, &count, &error) != 0) fleet_check_refusal(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  struct error error = {.code = EXIT_CODE_PASS};
  struct pki *pki = NULL;
  if (good_size == 0) begin();
  size_t left = good_size;
  memcpy(bytes, good, good_size);
  bool of_file = (fuzz_number(&in, 1) & 1) != 0;
  if (of_file) left = fuzz_damage(&in, bytes, good_size, sizeof bytes);
  (void) unlink(scratch_path("fleet/registry.db-journal"));
  (void) scratch_write("fleet/registry.db", bytes, left);
  if (!of_file) damage_rows(&in);
  if (pki_open(scratch_path("fleet"), &pki, &error) != 0) {
    fleet_check_refusal(&error);
    return 0;
  }
  look_at(pki);
  pki_close(pki);
  return 0;
}
