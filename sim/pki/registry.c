/* Prepared statements, made when the registry is opened, each reset after its use whatever came of
 * it. Errors of SQLite are told with its words and what to do; a row that cannot be as we wrote it
 * is called damaged. */
#define _POSIX_C_SOURCE 200809L
#include "pki/registry.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "pki/names.h"
#include "pki/revoked.h"
#include "pki/secret.h"

#define APPLICATION_ID "1179866957" /* "FSPM": the file is ours */
#define BUSY_MS        2000

static const char schema[] =
    "PRAGMA application_id = " APPLICATION_ID
    ";PRAGMA user_version = 1;CREATE TABLE roots(ordinal INTEGER PRIMARY KEY, name TEXT NOT NULL "
    "UNIQUE);CREATE TABLE devices(id INTEGER PRIMARY KEY, page INTEGER NOT NULL UNIQUE, csr BLOB "
    "NOT NULL, created INTEGER NOT NULL);CREATE TABLE certificates(number INTEGER PRIMARY KEY, "
    "device INTEGER NOT NULL REFERENCES devices(id), serial BLOB NOT NULL, issuer TEXT NOT NULL, "
    "not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, issued INTEGER NOT NULL, state TEXT "
    "NOT NULL, chain BLOB NOT NULL);CREATE INDEX certificates_of_device ON certificates(device);";

enum statement {
  ROOTS,
  DEVICES,
  ADD_DEVICE,
  ADD_CERTIFICATE,
  CSR,
  FIRST_CHAIN,
  CERTIFICATES,
  CHAINS,
  OF_SERIAL,
  CERTIFICATE_COUNT,
  STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [ROOTS] = "SELECT name FROM roots ORDER BY ordinal",
    [DEVICES] = "SELECT id, page FROM devices ORDER BY id",
    [ADD_DEVICE] = "INSERT INTO devices(id, page, csr, created) VALUES(?1, ?2, ?3, ?4)",
    [ADD_CERTIFICATE] = "INSERT INTO certificates(device, serial, issuer, not_before, not_after, "
                        "issued, state, chain) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [CSR] = "SELECT csr FROM devices WHERE id = ?1",
    [FIRST_CHAIN] = "SELECT chain FROM certificates WHERE device = ?1 AND (?2 IS NULL OR issuer = "
                    "?2) ORDER BY number LIMIT 1",
    [CERTIFICATES] = "SELECT serial, issuer, not_before, not_after, issued, state, chain FROM "
                     "certificates WHERE device = ?1 ORDER BY number",
    [CHAINS] = "SELECT device, chain FROM certificates WHERE device IN (SELECT device FROM "
               "certificates GROUP BY device HAVING count(*) > 1) ORDER BY number DESC",
    [OF_SERIAL] = "SELECT device, chain FROM certificates WHERE serial = ?1 ORDER BY number",
    [CERTIFICATE_COUNT] = "SELECT count(*) FROM certificates",
};

struct pki_registry {
  sqlite3 *db;
  sqlite3_stmt *statement[STATEMENTS];
  struct pki_revoked_store *revoked;
  struct pki_name_store *names;
  bool has_serials; /* their index */
};

int pki_registry_failed(sqlite3 *db, struct error *error)
{
  int code = sqlite3_errcode(db); /* of no database: that there is no memory for one */
  if (db == NULL || (code & 0xff) == SQLITE_NOMEM)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for the fleet's registry");
  const char *path = sqlite3_db_filename(db, "main");
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR)
    return error_set(
        error, EXIT_CODE_SETUP,
        "the registry %s is damaged (%s); restore it from a copy, or make the fleet anew",
        path == NULL ? "" : path, sqlite3_errmsg(db));
  return error_set(error, EXIT_CODE_SETUP,
                   "the registry %s cannot be used: %s; check free space and other programs",
                   path == NULL ? "" : path, sqlite3_errmsg(db));
}

int pki_registry_prepare(sqlite3 *db, const char *const *text, size_t count, sqlite3_stmt **out,
                         struct error *error)
{
  for (size_t i = 0; i < count; i++)
    if (sqlite3_prepare_v3(db, text[i], -1, SQLITE_PREPARE_PERSISTENT, &out[i], NULL) != SQLITE_OK)
      return pki_registry_failed(db, error);
  return 0;
}

int pki_registry_row_damaged(sqlite3 *db, const char *what, struct error *error)
{
  const char *path = sqlite3_db_filename(db, "main");
  return error_set(error, EXIT_CODE_SETUP,
                   "the registry %s is damaged: it holds %s out of range; restore it from a copy, "
                   "or make the fleet anew",
                   path == NULL ? "" : path, what);
}

bool pki_registry_take_u32(sqlite3_stmt *query, int column, uint32_t *out)
{
  sqlite3_int64 value = sqlite3_column_int64(query, column);
  *out = (uint32_t) value;
  return sqlite3_column_type(query, column) == SQLITE_INTEGER && value >= 0 && value <= UINT32_MAX;
}

static int run_sql(sqlite3 *db, const char *text, struct error *error)
{
  return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : pki_registry_failed(db, error);
}

static int add_roots(sqlite3 *db, const struct pki_roots *roots, struct error *error)
{
  sqlite3_stmt *insert = NULL;
  int code =
      sqlite3_prepare_v2(db, "INSERT INTO roots(ordinal, name) VALUES(?1, ?2)", -1, &insert, NULL);
  for (size_t i = 0; i < roots->count && code == SQLITE_OK; i++) {
    sqlite3_bind_int64(insert, 1, (sqlite3_int64) i);
    sqlite3_bind_text(insert, 2, roots->name[i], -1, SQLITE_STATIC);
    code = sqlite3_step(insert) == SQLITE_DONE ? sqlite3_reset(insert) : sqlite3_errcode(db);
  }
  int result = code == SQLITE_OK ? 0 : pki_registry_failed(db, error);
  sqlite3_finalize(insert);
  return result;
}

int pki_registry_create(const char *path, const struct pki_roots *roots, struct error *error)
{
  int fd = pki_secret_create(path, error);
  if (fd < 0) return -1;
  close(fd); /* SQLite gives its journal the mode of the database file */
  sqlite3 *db = NULL;
  int result;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
    result = pki_registry_failed(db, error);
  else
    result = run_sql(db, "BEGIN", error);
  if (result == 0) result = run_sql(db, schema, error);
  if (result == 0) result = add_roots(db, roots, error);
  if (result == 0) result = run_sql(db, "COMMIT", error);
  sqlite3_close(db);
  return result;
}

static int check_ours(sqlite3 *db, const char *path, struct error *error)
{
  sqlite3_stmt *query = NULL;
  if (sqlite3_prepare_v2(db,
                         "SELECT application_id = " APPLICATION_ID " FROM pragma_application_id",
                         -1, &query, NULL) != SQLITE_OK)
    return pki_registry_failed(db, error);
  int ours = sqlite3_step(query) == SQLITE_ROW && sqlite3_column_int(query, 0) == 1;
  sqlite3_finalize(query);
  if (ours) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%s is not a fleet's registry; restore it from a copy, or make the fleet anew",
                   path);
}

int pki_registry_open(const char *path, struct pki_registry **out, struct error *error)
{
  struct pki_registry *registry = calloc(1, sizeof *registry);
  if (registry == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for the registry");
  int result;
  if (sqlite3_open_v2(path, &registry->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
    result = pki_registry_failed(registry->db, error);
  else
    result = check_ours(registry->db, path, error);
  if (result == 0) sqlite3_busy_timeout(registry->db, BUSY_MS);
  if (result == 0)
    result = pki_registry_prepare(registry->db, sql, STATEMENTS, registry->statement, error);
  if (result == 0) result = pki_revoked_open(registry->db, &registry->revoked, error);
  if (result == 0) result = pki_names_open(registry->db, &registry->names, error);
  if (result == 0)
    *out = registry;
  else
    pki_registry_close(registry);
  return result;
}

void pki_registry_close(struct pki_registry *registry)
{
  if (registry == NULL) return;
  for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(registry->statement[i]);
  pki_revoked_close(registry->revoked);
  pki_names_close(registry->names);
  sqlite3_close(registry->db);
  free(registry);
}

struct pki_revoked_store *pki_registry_revoked(struct pki_registry *registry)
{
  return registry->revoked;
}

struct pki_name_store *pki_registry_names(struct pki_registry *registry)
{
  return registry->names;
}

int pki_registry_begin(struct pki_registry *registry, struct error *error)
{
  return run_sql(registry->db, "BEGIN IMMEDIATE", error);
}

int pki_registry_commit(struct pki_registry *registry, struct error *error)
{
  if (run_sql(registry->db, "COMMIT", error) == 0) return 0;
  pki_registry_rollback(registry);
  return -1;
}

void pki_registry_rollback(struct pki_registry *registry)
{
  if (!sqlite3_get_autocommit(registry->db))
    sqlite3_exec(registry->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Ends a statement's use, whatever came of it; `last` is what its last step said. */
int pki_registry_end(sqlite3 *db, sqlite3_stmt *statement, int last, struct error *error)
{
  int result = last == SQLITE_DONE || last == SQLITE_ROW ? 0 : pki_registry_failed(db, error);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return result;
}

int pki_registry_roots(struct pki_registry *registry, struct pki_roots *out, struct error *error)
{
  sqlite3_stmt *query = registry->statement[ROOTS];
  int step;
  memset(out, 0, sizeof *out);
  while ((step = sqlite3_step(query)) == SQLITE_ROW && out->count < PKI_ROOTS_MAX) {
    const char *name = (const char *) sqlite3_column_text(query, 0);
    if (name == NULL || strlen(name) >= PKI_NAME_MAX) break;
    strcpy(out->name[out->count++], name);
  }
  if (pki_registry_end(registry->db, query, step, error) != 0) return -1;
  if (step == SQLITE_DONE && out->count > 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the registry names no roots, or too many; make the fleet anew");
}

static int grow(struct pki_device **devices, size_t count, size_t *capacity, struct error *error)
{
  if (count < *capacity) return 0;
  size_t larger = *capacity == 0 ? 1024 : *capacity * 2;
  struct pki_device *moved = realloc(*devices, larger * sizeof *moved);
  if (moved == NULL) {
    error_set(error, EXIT_CODE_INTERNAL, "no memory for a list of %zu devices", larger);
    return -1;
  }
  *devices = moved;
  *capacity = larger;
  return 0;
}

int pki_registry_devices(struct pki_registry *registry, struct pki_device **out, size_t *count,
                         struct error *error)
{
  sqlite3_stmt *query = registry->statement[DEVICES];
  struct pki_device *devices = NULL;
  size_t found = 0, capacity = 0;
  int step, result = 0;
  while ((step = sqlite3_step(query)) == SQLITE_ROW &&
         (result = grow(&devices, found, &capacity, error)) == 0) {
    struct pki_device *device = &devices[found++];
    if (!pki_registry_take_u32(query, 0, &device->id) ||
        !pki_registry_take_u32(query, 1, &device->page)) {
      result = pki_registry_row_damaged(registry->db, "a device's id or page", error);
      break;
    }
  }
  if (pki_registry_end(registry->db, query, step, error) != 0 || result != 0) {
    free(devices);
    return -1;
  }
  *out = devices;
  *count = found;
  return 0;
}

int pki_registry_add_device(struct pki_registry *registry, struct pki_device device,
                            const uint8_t *csr, size_t size, int64_t created, struct error *error)
{
  sqlite3_stmt *insert = registry->statement[ADD_DEVICE];
  sqlite3_bind_int64(insert, 1, device.id);
  sqlite3_bind_int64(insert, 2, device.page);
  sqlite3_bind_blob(insert, 3, csr, (int) size, SQLITE_STATIC);
  sqlite3_bind_int64(insert, 4, created);
  return pki_registry_end(registry->db, insert, sqlite3_step(insert), error);
}

int pki_registry_add_certificate(struct pki_registry *registry,
                                 const struct pki_registry_certificate *certificate,
                                 struct error *error)
{
  sqlite3_stmt *insert = registry->statement[ADD_CERTIFICATE];
  const struct pki_issued *row = &certificate->row;
  sqlite3_bind_int64(insert, 1, certificate->device);
  sqlite3_bind_blob(insert, 2, row->serial, row->serial_size, SQLITE_STATIC);
  sqlite3_bind_text(insert, 3, row->issuer, -1, SQLITE_STATIC);
  sqlite3_bind_int64(insert, 4, row->not_before);
  sqlite3_bind_int64(insert, 5, row->not_after);
  sqlite3_bind_int64(insert, 6, row->issued);
  sqlite3_bind_text(insert, 7, row->imported ? "imported" : "issued", -1, SQLITE_STATIC);
  sqlite3_bind_blob(insert, 8, certificate->chain, (int) certificate->chain_size, SQLITE_STATIC);
  return pki_registry_end(registry->db, insert, sqlite3_step(insert), error);
}

/* Copies the blob in column 0 of the current row. */
static int take_blob(sqlite3_stmt *query, uint8_t *out, size_t capacity, size_t *size,
                     struct error *error)
{
  *size = (size_t) sqlite3_column_bytes(query, 0);
  if (*size == 0 || *size > capacity)
    return error_set(error, EXIT_CODE_SETUP,
                     "a row of the registry has %zu bytes where 1 to %zu belong; restore it", *size,
                     capacity);
  memcpy(out, sqlite3_column_blob(query, 0), *size);
  return 0;
}

bool pki_registry_has_device(struct pki_registry *registry, uint32_t device)
{
  sqlite3_stmt *query = registry->statement[CSR];
  sqlite3_bind_int64(query, 1, device);
  int step = sqlite3_step(query);
  pki_registry_end(registry->db, query, step, NULL);
  return step == SQLITE_ROW;
}

int pki_registry_csr(struct pki_registry *registry, uint32_t device, uint8_t *out, size_t capacity,
                     size_t *size, struct error *error)
{
  sqlite3_stmt *query = registry->statement[CSR];
  sqlite3_bind_int64(query, 1, device);
  int step = sqlite3_step(query), result = -1;
  if (step == SQLITE_ROW) result = take_blob(query, out, capacity, size, error);
  if (step == SQLITE_DONE) error_set(error, EXIT_CODE_SETUP, "the registry holds no such device");
  return pki_registry_end(registry->db, query, step, error) == 0 ? result : -1;
}

int pki_registry_first_chain(struct pki_registry *registry, uint32_t device, const char *issuer,
                             uint8_t *out, size_t capacity, size_t *size, struct error *error)
{
  sqlite3_stmt *query = registry->statement[FIRST_CHAIN];
  sqlite3_bind_int64(query, 1, device);
  sqlite3_bind_text(query, 2, issuer, -1, SQLITE_STATIC); /* NULL binds NULL */
  int step = sqlite3_step(query), result = 0;
  if (step == SQLITE_ROW) result = take_blob(query, out, capacity, size, error) == 0 ? 1 : -1;
  return pki_registry_end(registry->db, query, step, error) == 0 ? result : -1;
}

static void take_issued(sqlite3_stmt *query, struct pki_issued *row)
{
  memset(row, 0, sizeof *row);
  size_t serial = (size_t) sqlite3_column_bytes(query, 0);
  if (serial > sizeof row->serial) serial = sizeof row->serial;
  if (serial > 0) memcpy(row->serial, sqlite3_column_blob(query, 0), serial);
  row->serial_size = (uint8_t) serial;
  const char *issuer = (const char *) sqlite3_column_text(query, 1);
  if (issuer != NULL) strncpy(row->issuer, issuer, sizeof row->issuer - 1);
  row->not_before = sqlite3_column_int64(query, 2);
  row->not_after = sqlite3_column_int64(query, 3);
  row->issued = sqlite3_column_int64(query, 4);
  const char *state = (const char *) sqlite3_column_text(query, 5);
  row->imported = state != NULL && strcmp(state, "imported") == 0;
}

int pki_registry_each_chain(struct pki_registry *registry, uint32_t device,
                            void (*each)(void *ctx, const struct pki_issued *row,
                                         const uint8_t *chain, size_t size),
                            void *ctx, struct error *error)
{
  sqlite3_stmt *query = registry->statement[CERTIFICATES];
  sqlite3_bind_int64(query, 1, device);
  int step;
  while ((step = sqlite3_step(query)) == SQLITE_ROW) {
    struct pki_issued row;
    take_issued(query, &row);
    each(ctx, &row, sqlite3_column_blob(query, 6), (size_t) sqlite3_column_bytes(query, 6));
  }
  return pki_registry_end(registry->db, query, step, error);
}

/* Somebody who does not ask for the chain. */
struct row_reader {
  void (*each)(void *ctx, const struct pki_issued *row);
  void *ctx;
};

static void hand_row(void *ctx, const struct pki_issued *row, const uint8_t *chain, size_t size)
{
  const struct row_reader *reader = ctx;
  (void) chain, (void) size;
  reader->each(reader->ctx, row);
}

int pki_registry_certificates(struct pki_registry *registry, uint32_t device,
                              void (*each)(void *ctx, const struct pki_issued *row), void *ctx,
                              struct error *error)
{
  struct row_reader reader = {each, ctx};
  return pki_registry_each_chain(registry, device, hand_row, &reader, error);
}

typedef void each_chain(void *ctx, uint32_t device, const uint8_t *chain, size_t size);

static int hand_chains(struct pki_registry *registry, sqlite3_stmt *query, each_chain *each,
                       void *ctx, struct error *error)
{
  int step;
  while ((step = sqlite3_step(query)) == SQLITE_ROW) {
    uint32_t device;
    if (pki_registry_take_u32(query, 0, &device))
      each(ctx, device, sqlite3_column_blob(query, 1), (size_t) sqlite3_column_bytes(query, 1));
  }
  return pki_registry_end(registry->db, query, step, error);
}

int pki_registry_chains(struct pki_registry *registry,
                        void (*each)(void *ctx, uint32_t device, const uint8_t *chain, size_t size),
                        void *ctx, struct error *error)
{
  return hand_chains(registry, registry->statement[CHAINS], each, ctx, error);
}

int pki_registry_of_serial(struct pki_registry *registry, const uint8_t *serial, size_t serial_size,
                           void (*each)(void *ctx, uint32_t device, const uint8_t *chain,
                                        size_t size),
                           void *ctx, struct error *error)
{
  if (!registry->has_serials &&
      run_sql(registry->db,
              "CREATE INDEX IF NOT EXISTS certificates_of_serial ON certificates(serial)",
              error) != 0)
    return -1;
  registry->has_serials = true;
  sqlite3_bind_blob(registry->statement[OF_SERIAL], 1, serial, (int) serial_size, SQLITE_STATIC);
  return hand_chains(registry, registry->statement[OF_SERIAL], each, ctx, error);
}

int pki_registry_certificate_count(struct pki_registry *registry, size_t *count,
                                   struct error *error)
{
  sqlite3_stmt *query = registry->statement[CERTIFICATE_COUNT];
  int step = sqlite3_step(query);
  *count = step == SQLITE_ROW ? (size_t) sqlite3_column_int64(query, 0) : 0;
  return pki_registry_end(registry->db, query, step, error);
}
