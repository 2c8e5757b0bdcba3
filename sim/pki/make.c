/* Devices of the fleet's own making, a batch at a time. Who they are is decided first and in order;
 * keys, certificates and signing requests, which take nine tenths of the time and ask for nothing
 * of each other, are made by two threads; then each gets its page and its rows, in order again.
 * Where no second thread is to be had, one does it all. */
#include "internal.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "pki/names.h"

#define BATCH     256
#define ALONE_MAX 16 /* a thread costs as much as a device or two */

/* Devices to be added: their first id and page, and how they are called (NULL: by their id). */
struct addition {
  const struct pki_naming *naming;
  const char *root;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t bundle_size;
  uint32_t first_id, first_page;
};

/* One of a batch. */
struct made {
  struct pki_newcomer newcomer;
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
};

/* Those of a batch that one thread makes. It reads `pki`, and changes nothing there. */
struct share {
  const struct pki *pki;
  const char *root;
  struct made *made;
  size_t count;
  EVP_PKEY_CTX *generator;
  int result;
  struct error error;
};

/* ---- what both threads do ---- */

static int make_one(struct share *share, struct made *made)
{
  struct pki_newcomer *newcomer = &made->newcomer;
  newcomer->key = pki_key_generate_next(share->generator, &share->error);
  if (newcomer->key == NULL) return -1;
  const struct pki_subject subject = {.name = newcomer->name, .key = newcomer->key};
  newcomer->leaf = pki_issue(share->pki, share->root, &subject, made->chain, sizeof made->chain,
                             &newcomer->chain_size, &newcomer->row, &share->error);
  if (newcomer->leaf == NULL) return -1;
  newcomer->chain = made->chain;
  return pki_devices_request(newcomer, &share->error);
}

static void *make_share(void *ctx)
{
  struct share *share = ctx;
  share->result = 0;
  for (size_t i = 0; i < share->count && share->result == 0; i++)
    share->result = make_one(share, &share->made[i]);
  return NULL;
}

static int make_shares(struct share share[2], struct error *error)
{
  pthread_t thread;
  bool shared = share[1].count > 0 && pthread_create(&thread, NULL, make_share, &share[1]) == 0;
  make_share(&share[0]);
  if (shared)
    pthread_join(thread, NULL);
  else
    make_share(&share[1]);
  for (size_t i = 0; i < 2; i++)
    if (share[i].result != 0) {
      if (error != NULL) *error = share[i].error;
      return -1;
    }
  return 0;
}

/* ---- before and after ---- */

static int name_newcomer(const struct addition *addition, uint32_t index,
                         struct pki_newcomer *newcomer, struct error *error)
{
  const struct pki_naming *naming = addition->naming;
  newcomer->id = addition->first_id + index;
  newcomer->bundle = addition->bundle;
  newcomer->bundle_size = addition->bundle_size;
  if (naming == NULL) {
    device_id_text(newcomer->id, newcomer->name);
    return 0;
  }
  /* name_list.c's, of pki_make.c */
  if (naming->name(naming->ctx, index, newcomer->name, error) != 0) return -1;
  return name_check(newcomer->name, error);
}

/* One that its maker named may have the name of another, of the same batch too. */
static int refuse_taken(struct pki *pki, const struct addition *addition,
                        const struct pki_newcomer *newcomer, struct error *error)
{
  int taken = addition->naming == NULL ? 0 : pki_newcomer_is_taken(pki, newcomer->name, error);
  return taken <= 0
             ? taken
             : error_set(error, EXIT_CODE_USAGE, "there is a device %s already", newcomer->name);
}

static int keep_columns_of(struct pki *pki, const struct pki_naming *naming, uint32_t index,
                           uint32_t id, struct error *error)
{
  const char *name, *value;
  int result = 0;
  if (naming == NULL || naming->column == NULL) return 0;
  /* name_list.c's, of pki_make.c */
  for (size_t c = 0; result == 0 && naming->column(naming->ctx, index, c, &name, &value); c++)
    if (value != NULL)
      result = pki_names_add_column(pki_registry_names(pki->registry), id, name, value, error);
  return result;
}

static int enter_one(struct pki *pki, const struct addition *addition, uint32_t index,
                     const struct pki_newcomer *newcomer, struct error *error)
{
  if (refuse_taken(pki, addition, newcomer, error) != 0 ||
      pki_devices_enter(pki, newcomer, addition->first_page + index, error) != 0)
    return -1;
  return keep_columns_of(pki, addition->naming, index, newcomer->id, error);
}

static void forget(struct made *made, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    OPENSSL_free(made[i].newcomer.csr);
    X509_free(made[i].newcomer.leaf);
    EVP_PKEY_free(made[i].newcomer.key);
    made[i].newcomer = (struct pki_newcomer){0};
  }
}

static int add_batch(struct pki *pki, const struct addition *addition, uint32_t first,
                     struct share share[2], struct error *error)
{
  struct made *made = share[0].made;
  size_t count = share[0].count + share[1].count;
  int result = 0;
  for (uint32_t i = 0; i < count && result == 0; i++)
    result = name_newcomer(addition, first + i, &made[i].newcomer, error);
  if (result == 0) result = make_shares(share, error);
  for (uint32_t i = 0; i < count && result == 0; i++)
    result = enter_one(pki, addition, first + i, &made[i].newcomer, error);
  forget(made, count);
  return result;
}

static int add_all(struct pki *pki, const struct addition *addition, size_t count,
                   struct error *error)
{
  struct made *made = calloc(BATCH, sizeof *made);
  struct share share[2] = {{.pki = pki, .root = addition->root, .made = made},
                           {.pki = pki, .root = addition->root}};
  int result = 0;
  if (made == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for new devices");
  for (size_t i = 0; i < 2 && result == 0; i++)
    result = (share[i].generator = pki_key_generator(error)) != NULL ? 0 : -1;
  for (size_t first = 0, batch; first < count && result == 0; first += batch) {
    batch = count - first < BATCH ? count - first : BATCH;
    share[1].count = batch > ALONE_MAX ? batch / 2 : 0;
    share[0].count = batch - share[1].count;
    share[1].made = made + share[0].count;
    result = add_batch(pki, addition, (uint32_t) first, share, error);
  }
  for (size_t i = 0; i < 2; i++) EVP_PKEY_CTX_free(share[i].generator);
  free(made);
  return result;
}

int pki_add_devices(struct pki *pki, size_t count, const char *issuing_root,
                    const struct pki_roots *trusted, struct error *error)
{
  return pki_add_named_devices(pki, count, NULL, issuing_root, trusted, error);
}

int pki_add_named_devices(struct pki *pki, size_t count, const struct pki_naming *naming,
                          const char *issuing_root, const struct pki_roots *trusted,
                          struct error *error)
{
  uint32_t first_page = (uint32_t) pki->device_count;
  uint32_t highest = first_page == 0 ? 0 : pki->devices[first_page - 1].id;
  struct addition addition = {
      .naming = naming, .root = issuing_root, .first_id = highest + 1, .first_page = first_page};
  if (pki_find_issuer(pki, issuing_root, error) == NULL) return -1;
  if (pki_factory_bundle(pki, trusted, addition.bundle, &addition.bundle_size, error) != 0)
    return -1;
  if (count > UINT32_MAX - highest)
    return error_set(error, EXIT_CODE_USAGE,
                     "cannot add %zu devices: the folder has no numbers left for them", count);
  if (pki_devices_begin(pki, count, error) != 0) return -1;
  return pki_devices_end(pki, add_all(pki, &addition, count, error), error);
}
