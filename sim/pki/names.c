/* Rows of names and columns, with statements of their own, as those of what is revoked; and the two
 * places that a name comes from: a text of a list, and a field of a certificate. */
#include "pki/names.h"

#include <openssl/x509v3.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "pki/registry.h"

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS names(device INTEGER PRIMARY KEY REFERENCES devices(id), name TEXT "
    "NOT NULL UNIQUE);CREATE TABLE IF NOT EXISTS columns(device INTEGER NOT NULL REFERENCES "
    "devices(id), name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(device, name)) WITHOUT "
    "ROWID;";

enum statement { GET, FIND, ADD, ADD_COLUMN, COLUMNS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [GET] = "SELECT name FROM names WHERE device = ?1",
    [FIND] = "SELECT device FROM names WHERE name = ?1",
    [ADD] = "INSERT INTO names(device, name) VALUES(?1, ?2)",
    [ADD_COLUMN] = "INSERT INTO columns(device, name, value) VALUES(?1, ?2, ?3)",
    [COLUMNS] = "SELECT name, value FROM columns WHERE device = ?1 ORDER BY name",
};

struct pki_name_store {
  sqlite3 *db; /* the registry's */
  sqlite3_stmt *statement[STATEMENTS];
};

int pki_names_open(sqlite3 *db, struct pki_name_store **out, struct error *error)
{
  if (sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
    return pki_registry_failed(db, error);
  struct pki_name_store *store = calloc(1, sizeof *store);
  if (store == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for the registry");
  store->db = db;
  *out = store;
  return pki_registry_prepare(db, sql, STATEMENTS, store->statement, error);
}

void pki_names_close(struct pki_name_store *store)
{
  if (store == NULL) return;
  for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(store->statement[i]);
  free(store);
}

int pki_names_get(struct pki_name_store *store, uint32_t device, char out[PKI_DEVICE_NAME],
                  struct error *error)
{
  sqlite3_stmt *query = store->statement[GET];
  sqlite3_bind_int64(query, 1, device);
  int step = sqlite3_step(query), found = 0;
  if (step == SQLITE_ROW) {
    const char *name = (const char *) sqlite3_column_text(query, 0);
    if (name == NULL || name_check(name, NULL) != 0)
      found = pki_registry_row_damaged(store->db, "a device's name", error);
    else {
      strcpy(out, name);
      found = 1;
    }
  }
  return pki_registry_end(store->db, query, step, error) == 0 ? found : -1;
}

int pki_names_find(struct pki_name_store *store, const char *name, uint32_t *device,
                   struct error *error)
{
  sqlite3_stmt *query = store->statement[FIND];
  sqlite3_bind_text(query, 1, name, -1, SQLITE_STATIC);
  int step = sqlite3_step(query), found = 0;
  if (step == SQLITE_ROW)
    found = pki_registry_take_u32(query, 0, device)
                ? 1
                : pki_registry_row_damaged(store->db, "a name's device", error);
  return pki_registry_end(store->db, query, step, error) == 0 ? found : -1;
}

int pki_names_add(struct pki_name_store *store, uint32_t device, const char *name,
                  struct error *error)
{
  sqlite3_stmt *insert = store->statement[ADD];
  sqlite3_bind_int64(insert, 1, device);
  sqlite3_bind_text(insert, 2, name, -1, SQLITE_STATIC);
  return pki_registry_end(store->db, insert, sqlite3_step(insert), error);
}

int pki_names_add_column(struct pki_name_store *store, uint32_t device, const char *name,
                         const char *value, struct error *error)
{
  sqlite3_stmt *insert = store->statement[ADD_COLUMN];
  sqlite3_bind_int64(insert, 1, device);
  sqlite3_bind_text(insert, 2, name, -1, SQLITE_STATIC);
  sqlite3_bind_text(insert, 3, value, -1, SQLITE_STATIC);
  return pki_registry_end(store->db, insert, sqlite3_step(insert), error);
}

int pki_names_columns(struct pki_name_store *store, uint32_t device,
                      void (*each)(void *ctx, const char *name, const char *value), void *ctx,
                      struct error *error)
{
  sqlite3_stmt *query = store->statement[COLUMNS];
  sqlite3_bind_int64(query, 1, device);
  int step;
  while ((step = sqlite3_step(query)) == SQLITE_ROW) {
    const char *name = (const char *) sqlite3_column_text(query, 0);
    const char *value = (const char *) sqlite3_column_text(query, 1);
    if (name != NULL && value != NULL) each(ctx, name, value);
  }
  return pki_registry_end(store->db, query, step, error);
}

/* --- A name as a text ------------------------------------------------------------------------- */

bool pki_names_is_id(const char *name, uint32_t *id)
{
  if (strlen(name) != 8 || strspn(name, "0123456789abcdef") != 8) return false;
  *id = (uint32_t) strtoul(name, NULL, 16);
  return true;
}

bool pki_names_is_own_id(const char *name, uint32_t id)
{
  uint32_t other;
  return pki_names_is_id(name, &other) && other == id;
}

/* --- A name in a certificate ------------------------------------------------------------------ */

/* `more`: there is another one. */
static int take_string(const ASN1_STRING *string, bool more, const char *what,
                       char out[PKI_DEVICE_NAME], struct error *error)
{
  unsigned char *text = NULL;
  if (string == NULL || more)
    return error_set(error, EXIT_CODE_USAGE,
                     "the certificate has %s %s: take the device's name from elsewhere (--id-from)",
                     more ? "more than one" : "no", what);
  int size = ASN1_STRING_to_UTF8(&text, string);
  bool fits = size >= 0 && size <= PKI_DEVICE_NAME_MAX && memchr(text, 0, (size_t) size) == NULL;
  if (fits) {
    memcpy(out, text, (size_t) size);
    out[size] = '\0';
  }
  OPENSSL_free(text);
  if (fits) return name_check(out, error);
  return error_set(error, EXIT_CODE_USAGE,
                   "the certificate's %s is no name of a device: a text of 1 to %d characters is "
                   "one",
                   what, PKI_DEVICE_NAME_MAX);
}

static int from_subject(X509 *certificate, int nid, const char *what, char out[PKI_DEVICE_NAME],
                        struct error *error)
{
  const X509_NAME *subject = X509_get_subject_name(certificate);
  int first = X509_NAME_get_index_by_NID(subject, nid, -1);
  const ASN1_STRING *text =
      first < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first));
  bool more = first >= 0 && X509_NAME_get_index_by_NID(subject, nid, first) >= 0;
  return take_string(text, more, what, out, error);
}

static int from_alternative(X509 *certificate, int type, const char *what,
                            char out[PKI_DEVICE_NAME], struct error *error)
{
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  const ASN1_STRING *found = NULL;
  int count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    int kind;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
    if (kind != type) continue;
    found = value;
    count++;
  }
  int result = take_string(found, count > 1, what, out, error);
  GENERAL_NAMES_free(names);
  return result;
}

int pki_names_from(X509 *certificate, enum pki_id_from from, char out[PKI_DEVICE_NAME],
                   struct error *error)
{
  switch (from) {
  case PKI_ID_FROM_CN: return from_subject(certificate, NID_commonName, "CN", out, error);
  case PKI_ID_FROM_SERIAL:
    return from_subject(certificate, NID_serialNumber, "serialNumber in its subject", out, error);
  case PKI_ID_FROM_URI:
    return from_alternative(certificate, GEN_URI, "URI among its alternative names", out, error);
  default:
    return from_alternative(certificate, GEN_DNS, "DNS name among its alternative names", out,
                            error);
  }
}
