/* A fleet folder from its making to its closing. It is made into a folder that holds none of a
 * fleet's files, the registry last, and unmade if any of it fails; opening checks that nobody else
 * may read keys there, and that pages and rows fit together. */
#define _POSIX_C_SOURCE 200809L
#include "pki/pki.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "pki/names.h"
#include "pki/secret.h"

int64_t pki_now(void)
{
  return (int64_t) time(NULL);
}

static const char *const marks[] = {"ca", "registry.db", "nvm.bin", "update.key", "operator.key"};

static int check_unused(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX], registry[FILES_PATH_MAX];
  if (files_join(registry, folder, "registry.db", error) != 0) return -1;
  bool whole = access(registry, F_OK) == 0;
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
    if (files_join(path, folder, marks[i], error) != 0) return -1;
    if (access(path, F_OK) != 0) continue;
    if (whole)
      return error_set(error, EXIT_CODE_USAGE,
                       "%s holds a fleet already; choose another folder, or remove it first",
                       folder);
    return error_set(error, EXIT_CODE_USAGE,
                     "%s holds what is left of a fleet whose making was broken off (%s); remove "
                     "the folder, or choose another",
                     folder, path);
  }
  return 0;
}

static int make_folders(const char *folder, struct error *error)
{
  char ca[FILES_PATH_MAX];
  if (check_unused(folder, error) != 0 || files_join(ca, folder, "ca", error) != 0) return -1;
  if (files_make_folder(folder, 0700, error) != 0 || files_make_folder(ca, 0700, error) != 0)
    return -1;
  if (pki_secret_check_folder(folder, error) == 0) return 0;
  rmdir(ca);
  return -1;
}

/* The registry comes last: a folder without one is no fleet, whatever else an interrupted making
   left there. */
static int make_stores(const char *folder, const struct pki_roots *roots, struct error *error)
{
  char nvm[FILES_PATH_MAX], registry[FILES_PATH_MAX];
  struct pki_nvm_store store;
  if (files_join(nvm, folder, "nvm.bin", error) != 0 ||
      files_join(registry, folder, "registry.db", error) != 0)
    return -1;
  if (pki_nvm_create(nvm, &store, error) != 0) return -1;
  pki_nvm_close(&store);
  return pki_registry_create(registry, roots, error);
}

static void clear(const char *folder)
{
  char path[FILES_PATH_MAX];
  DIR *dir = opendir(folder);
  for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
       entry = readdir(dir))
    if (files_join(path, folder, entry->d_name, NULL) == 0) unlink(path);
  if (dir != NULL) closedir(dir);
}

/* A making that failed leaves nothing behind: the folder held none of these before. */
static void unmake(const char *folder)
{
  static const char *const files[] = {
      "registry.db", "registry.db-journal", "nvm.bin",      "update.key",   "update.pub",
      "image.key",   "image.pub",           "operator.key", "operator.crt", "operator-ca.crt"};
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, "ca", NULL) != 0) return;
  clear(path);
  rmdir(path);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    if (files_join(path, folder, files[i], NULL) == 0) unlink(path);
  rmdir(folder); /* unless it holds something else */
}

static int make_folder(const char *folder, const struct pki_roots *roots, int hierarchy_made,
                       struct pki **out, struct error *error)
{
  if (hierarchy_made == 0 && pki_office_make(folder, roots, error) == 0 &&
      make_stores(folder, roots, error) == 0 && pki_open(folder, out, error) == 0)
    return 0;
  unmake(folder);
  return error_wrap(error, "making a fleet in %s", folder);
}

int pki_create(const char *folder, const struct pki_roots *roots, struct pki **out,
               struct error *error)
{
  if (pki_roots_check_names(roots, error) != 0 || make_folders(folder, error) != 0) return -1;
  return make_folder(folder, roots, pki_roots_make(folder, roots, error), out, error);
}

int pki_create_foreign(const char *folder, const struct pki_foreign *foreign, size_t count,
                       struct pki **out, void (*warn)(void *ctx, const char *sentence), void *ctx,
                       struct error *error)
{
  struct pki_hierarchy read[PKI_ROOTS_MAX] = {0};
  struct pki_roots roots = {.count = count};
  for (size_t i = 0; i < count && i < PKI_ROOTS_MAX; i++)
    memcpy(roots.name[i], foreign[i].name, PKI_NAME_MAX);
  if (pki_roots_check_names(&roots, error) != 0 || check_unused(folder, error) != 0 ||
      pki_roots_read(foreign, count, read, warn, ctx, error) != 0)
    return -1;
  if (make_folders(folder, error) != 0) {
    pki_roots_release(read, count);
    return -1;
  }
  return make_folder(folder, &roots, pki_roots_adopt(folder, foreign, read, count, error), out,
                     error);
}

/* Before anybody is told to guard the keys in a folder that has none. */
static int check_mark(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, marks[0], error) != 0) return -1;
  if (access(folder, X_OK) != 0 || access(path, F_OK) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "there is no %s; is this a folder made by 'fleetsim pki make'?", path);
}

static int load_stores(struct pki *pki, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, pki->folder, "registry.db", error) != 0) return -1;
  if (access(path, F_OK) != 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "there is no registry %s; is this a folder made by 'fleetsim pki make'?",
                     path);
  if (pki_registry_open(path, &pki->registry, error) != 0 ||
      pki_registry_roots(pki->registry, &pki->roots, error) != 0 ||
      pki_devices_load(pki, error) != 0)
    return -1;
  if (files_join(path, pki->folder, "nvm.bin", error) != 0) return -1;
  return pki_nvm_open(path, pki->device_count, &pki->nvm, error);
}

static int check_pages(const struct pki *pki, struct error *error)
{
  char name[PKI_DEVICE_NAME];
  for (size_t i = 0; i < pki->device_count; i++)
    if (pki->devices[i].page >= pki->nvm.pages)
      return error_set(
          error, EXIT_CODE_SETUP,
          "the registry gives device %s page %u, but nvm.bin has %zu; restore both from one copy",
          pki_device_text(pki, pki->devices[i].id, name), (unsigned) pki->devices[i].page,
          pki->nvm.pages);
  return 0;
}

int pki_open(const char *folder, struct pki **out, struct error *error)
{
  if (strlen(folder) >= FILES_PATH_MAX)
    return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", folder);
  if (check_mark(folder, error) != 0 || pki_secret_check_folder(folder, error) != 0) return -1;
  struct pki *pki = calloc(1, sizeof *pki);
  if (pki == NULL)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for the fleet's registry");
  strcpy(pki->folder, folder);
  pki->nvm.fd = -1;
  if (load_stores(pki, error) != 0 || check_pages(pki, error) != 0 ||
      pki_roots_load(pki, error) != 0 || pki_office_load(pki, error) != 0) {
    pki_close(pki);
    return -1;
  }
  *out = pki;
  return 0;
}

void pki_close(struct pki *pki)
{
  if (pki == NULL) return;
  pki_registry_close(pki->registry);
  if (pki->nvm.fd >= 0) pki_nvm_close(&pki->nvm);
  pki_forget_strangers(pki);
  pki_roots_unload(pki);
  EVP_PKEY_free(pki->update_key);
  EVP_PKEY_free(pki->image_key);
  free(pki->devices);
  free(pki);
}

void pki_discard(struct pki *pki)
{
  char folder[FILES_PATH_MAX];
  strcpy(folder, pki->folder);
  pki_close(pki);
  unmake(folder);
}

const struct pki_roots *pki_roots(const struct pki *pki)
{
  return &pki->roots;
}

const char *pki_folder(const struct pki *pki)
{
  return pki->folder;
}

bool pki_can_issue(const struct pki *pki, const char *root)
{
  return pki_find_issuer(pki, root, NULL) != NULL;
}

size_t pki_device_count(const struct pki *pki)
{
  return pki->device_count;
}

uint32_t pki_device_id(const struct pki *pki, size_t index)
{
  assert(index < pki->device_count);
  return pki->devices[index].id;
}

bool pki_find_device(const struct pki *pki, uint32_t id, size_t *index)
{
  size_t low = 0, high = pki->device_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (pki->devices[middle].id < id)
      low = middle + 1;
    else
      high = middle;
  }
  *index = low;
  return low < pki->device_count && pki->devices[low].id == id;
}

int pki_device_name(const struct pki *pki, size_t index, char out[PKI_DEVICE_NAME],
                    struct error *error)
{
  assert(index < pki->device_count);
  uint32_t id = pki->devices[index].id;
  int found = pki_names_get(pki_registry_names(pki->registry), id, out, error);
  if (found == 0) device_id_text(id, out);
  return found < 0 ? -1 : 0;
}

const char *pki_device_text(const struct pki *pki, uint32_t id, char out[PKI_DEVICE_NAME])
{
  if (pki_names_get(pki_registry_names(pki->registry), id, out, NULL) != 1) device_id_text(id, out);
  return out;
}

int pki_find_name(const struct pki *pki, const char *name, size_t *index, struct error *error)
{
  struct pki_name_store *names = pki_registry_names(pki->registry);
  char own[PKI_DEVICE_NAME];
  uint32_t id;
  int found = pki_names_find(names, name, &id, error);
  if (found != 0) return found < 0 ? -1 : pki_find_device(pki, id, index);
  if (!pki_names_is_id(name, &id) || !pki_find_device(pki, id, index)) return 0;
  found = pki_names_get(names, id, own, error);
  return found < 0 ? -1 : found == 0; /* a device that has a name does not go by its id */
}

int pki_device_columns(const struct pki *pki, size_t index,
                       void (*each)(void *ctx, const char *name, const char *value), void *ctx,
                       struct error *error)
{
  assert(index < pki->device_count);
  return pki_names_columns(pki_registry_names(pki->registry), pki->devices[index].id, each, ctx,
                           error);
}

uint8_t *pki_device_page(struct pki *pki, size_t index)
{
  assert(index < pki->device_count);
  return pki_nvm_page(&pki->nvm, pki->devices[index].page);
}

int pki_begin(struct pki *pki, struct error *error)
{
  return pki_registry_begin(pki->registry, error);
}

int pki_commit(struct pki *pki, struct error *error)
{
  return pki_registry_commit(pki->registry, error);
}
