/* Rows of revoked certificates, numbers of CRLs and leaves of brokers, in the registry's database
 * and with statements of their own. To revoke twice changes nothing and is told by the count. */
#include "pki/revoked.h"

#include <stdlib.h>
#include <string.h>

#include "pki/registry.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS revoked(number INTEGER PRIMARY KEY, authority TEXT NOT NULL, "
    "serial BLOB NOT NULL, reason INTEGER NOT NULL, revoked INTEGER NOT NULL, device INTEGER "
    "REFERENCES devices(id), UNIQUE(authority, serial));CREATE INDEX IF NOT EXISTS "
    "revoked_of_device ON revoked(device);CREATE TABLE IF NOT EXISTS crls(authority TEXT PRIMARY "
    "KEY, number INTEGER NOT NULL);CREATE TABLE IF NOT EXISTS brokers(number INTEGER PRIMARY KEY, "
    "root TEXT NOT NULL, serial BLOB NOT NULL);";

enum statement {
  ADD,
  DROP,
  DROP_DEVICE,
  CLEAR,
  EACH,
  COUNT_UP,
  NUMBER,
  NOTE_BROKER,
  LAST_BROKER,
  STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [ADD] = "INSERT OR IGNORE INTO revoked(authority, serial, reason, revoked, device) VALUES(?1, "
            "?2, ?3, ?4, ?5)",
    [DROP] = "DELETE FROM revoked WHERE authority = ?1 AND serial = ?2",
    [DROP_DEVICE] = "DELETE FROM revoked WHERE device = ?1",
    [CLEAR] = "DELETE FROM revoked",
    [EACH] = "SELECT authority, serial, reason, revoked, device FROM revoked WHERE ?1 IS NULL OR "
             "authority = ?1 ORDER BY number",
    [COUNT_UP] = "INSERT INTO crls(authority, number) VALUES(?1, 1) ON CONFLICT(authority) DO "
                 "UPDATE SET number = number + 1",
    [NUMBER] = "SELECT number FROM crls WHERE authority = ?1",
    [NOTE_BROKER] = "INSERT INTO brokers(root, serial) VALUES(?1, ?2)",
    [LAST_BROKER] = "SELECT serial FROM brokers WHERE root = ?1 ORDER BY number DESC LIMIT 1",
};

struct pki_revoked_store {
  sqlite3 *db; /* the registry's */
  sqlite3_stmt *statement[STATEMENTS];
};

int pki_revoked_open(sqlite3 *db, struct pki_revoked_store **out, struct error *error)
{
  if (sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
    return pki_registry_failed(db, error);
  struct pki_revoked_store *store = calloc(1, sizeof *store);
  if (store == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for the registry");
  store->db = db;
  *out = store;
  return pki_registry_prepare(db, sql, STATEMENTS, store->statement, error);
}

void pki_revoked_close(struct pki_revoked_store *store)
{
  if (store == NULL) return;
  for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(store->statement[i]);
  free(store);
}

/* Runs a bound statement that gives no rows. How many rows it changed, or -1. */
static int change(struct pki_revoked_store *store, sqlite3_stmt *statement, struct error *error)
{
  int step = sqlite3_step(statement), changed = sqlite3_changes(store->db);
  return pki_registry_end(store->db, statement, step, error) == 0 ? changed : -1;
}

int pki_revoked_add(struct pki_revoked_store *store, const struct pki_revoked *row,
                    struct error *error)
{
  sqlite3_stmt *insert = store->statement[ADD];
  sqlite3_bind_text(insert, 1, row->authority, -1, SQLITE_STATIC);
  sqlite3_bind_blob(insert, 2, row->serial, row->serial_size, SQLITE_STATIC);
  sqlite3_bind_int(insert, 3, (int) row->reason);
  sqlite3_bind_int64(insert, 4, row->when);
  if (row->of_device) sqlite3_bind_int64(insert, 5, row->device); /* else NULL */
  return change(store, insert, error);
}

int pki_revoked_drop_device(struct pki_revoked_store *store, uint32_t device, struct error *error)
{
  sqlite3_bind_int64(store->statement[DROP_DEVICE], 1, device);
  return change(store, store->statement[DROP_DEVICE], error);
}

int pki_revoked_drop(struct pki_revoked_store *store, const struct pki_revoked *row,
                     struct error *error)
{
  sqlite3_bind_text(store->statement[DROP], 1, row->authority, -1, SQLITE_STATIC);
  sqlite3_bind_blob(store->statement[DROP], 2, row->serial, row->serial_size, SQLITE_STATIC);
  return change(store, store->statement[DROP], error);
}

int pki_revoked_clear(struct pki_revoked_store *store, struct error *error)
{
  return change(store, store->statement[CLEAR], error);
}

static uint8_t take_column_serial(sqlite3_stmt *query, int column, uint8_t out[20])
{
  int size = sqlite3_column_bytes(query, column);
  if (size > 20) size = 20;
  if (size > 0) memcpy(out, sqlite3_column_blob(query, column), (size_t) size);
  return (uint8_t) size;
}

static bool take_revoked(sqlite3_stmt *query, struct pki_revoked *row)
{
  memset(row, 0, sizeof *row);
  const char *authority = (const char *) sqlite3_column_text(query, 0);
  if (authority != NULL) strncpy(row->authority, authority, sizeof row->authority - 1);
  row->serial_size = take_column_serial(query, 1, row->serial);
  uint32_t reason;
  bool whole = pki_registry_take_u32(query, 2, &reason) && reason <= PKI_REASON_AA_COMPROMISE;
  row->reason = (enum pki_reason) reason;
  row->when = sqlite3_column_int64(query, 3);
  row->of_device = sqlite3_column_type(query, 4) != SQLITE_NULL;
  return whole && (!row->of_device || pki_registry_take_u32(query, 4, &row->device));
}

int pki_revoked_each(struct pki_revoked_store *store, const char *authority,
                     void (*each)(void *ctx, const struct pki_revoked *row), void *ctx,
                     struct error *error)
{
  sqlite3_stmt *query = store->statement[EACH];
  sqlite3_bind_text(query, 1, authority, -1, SQLITE_STATIC); /* NULL binds NULL */
  int step;
  while ((step = sqlite3_step(query)) == SQLITE_ROW) {
    struct pki_revoked row;
    if (!take_revoked(query, &row)) {
      pki_registry_end(store->db, query, step, NULL);
      return pki_registry_row_damaged(store->db, "a revocation's device or reason", error);
    }
    each(ctx, &row);
  }
  return pki_registry_end(store->db, query, step, error);
}

int pki_revoked_next_crl(struct pki_revoked_store *store, const char *authority, int64_t *number,
                         struct error *error)
{
  sqlite3_stmt *query = store->statement[NUMBER];
  sqlite3_bind_text(store->statement[COUNT_UP], 1, authority, -1, SQLITE_STATIC);
  if (change(store, store->statement[COUNT_UP], error) < 0) return -1;
  sqlite3_bind_text(query, 1, authority, -1, SQLITE_STATIC);
  int step = sqlite3_step(query);
  bool whole = step == SQLITE_ROW && sqlite3_column_type(query, 0) == SQLITE_INTEGER;
  *number = whole ? sqlite3_column_int64(query, 0) : 0;
  if (pki_registry_end(store->db, query, step, error) != 0) return -1;
  return *number > 0 ? 0 : pki_registry_row_damaged(store->db, "a CRL's number", error);
}

int pki_revoked_note_broker(struct pki_revoked_store *store, const char *root,
                            const uint8_t *serial, size_t size, struct error *error)
{
  sqlite3_stmt *insert = store->statement[NOTE_BROKER];
  sqlite3_bind_text(insert, 1, root, -1, SQLITE_STATIC);
  sqlite3_bind_blob(insert, 2, serial, (int) size, SQLITE_STATIC);
  return change(store, insert, error) < 0 ? -1 : 0;
}

int pki_revoked_last_broker(struct pki_revoked_store *store, const char *root, uint8_t serial[20],
                            uint8_t *size, struct error *error)
{
  sqlite3_stmt *query = store->statement[LAST_BROKER];
  sqlite3_bind_text(query, 1, root, -1, SQLITE_STATIC);
  int step = sqlite3_step(query);
  if (step == SQLITE_ROW) *size = take_column_serial(query, 0, serial);
  return pki_registry_end(store->db, query, step, error) != 0 ? -1 : step == SQLITE_ROW;
}
