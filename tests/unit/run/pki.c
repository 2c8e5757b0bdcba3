/* The fleet's authorities (pki/pki.h, pki/crl.h) as lists of names and serials: what they make are
 * lines of text (papers.h), in the files and pages where the real ones lie. One folder at a time;
 * only roots that are not there and a want of room are refused. */
#define _POSIX_C_SOURCE 200809L
#include "pki/pki.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/identity.h"
#include "device/trust.h"
#include "fleetsim/nvm.h"
#include "papers.h"
#include "pki/crl.h"
#include "pki/expiry.h"
#include "pki/nvm_store.h"
#include "pki/renewals.h"

#define SERIALS_MAX 16
#define REVOKED_MAX 64
#define TEXT_MAX    4096
#define END_S       1893456000 /* 2030-01-01, of certificates */
#define BRIEF_END_S 1769904000 /* 2026-02-01 */

struct device {
  uint8_t page[DEVICE_NVM_PAGE_SIZE];
  char name[PKI_DEVICE_NAME];
  unsigned serials[SERIALS_MAX];
  char issuers[SERIALS_MAX][40];
  bool brief[SERIALS_MAX]; /* it ends early */
  size_t count;
};

struct revoked {
  unsigned serial;
  char issuer[40];
};

struct pki {
  char folder[FILES_PATH_MAX];
  struct pki_roots roots;
  struct device *devices;
  size_t device_count;
  unsigned serial; /* of the certificate made last; those of roots and intermediates are first */
  struct revoked revoked[REVOKED_MAX];
  size_t revoked_count;
  enum pki_lists factory_lists;
  unsigned strangers, kept[PKI_ROOTS_MAX]; /* made so far; that of each root, 0: none is kept */
};

/* --- The folder ------------------------------------------------------------------------------- */

int pki_create(const char *folder, const struct pki_roots *roots, struct pki **out,
               struct error *error)
{
  if (files_make_folder(folder, 0700, error) != 0) return -1;
  struct pki *pki = calloc(1, sizeof *pki);
  assert(pki != NULL);
  snprintf(pki->folder, sizeof pki->folder, "%s", folder);
  pki->roots = *roots;
  pki->serial = 100;
  *out = pki;
  return 0;
}

void pki_close(struct pki *pki)
{
  free(pki->devices);
  free(pki);
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
  return pki_has_root(pki, root);
}

int pki_begin(struct pki *pki, struct error *error)
{
  (void) pki, (void) error;
  return 0;
}

int pki_commit(struct pki *pki, struct error *error)
{
  (void) pki, (void) error;
  return 0;
}

int pki_check_listed(struct pki *pki, const struct pki_roots *roots, size_t count,
                     struct error *error)
{
  (void) pki, (void) roots, (void) count, (void) error;
  return 0;
}

static unsigned root_number(const struct pki *pki, const char *root)
{
  unsigned r = 0;
  while (r < pki->roots.count && strcmp(pki->roots.name[r], root) != 0) r++;
  return r;
}

static void anchor_line(const char *root, char out[48])
{
  snprintf(out, 48, "root %s", root);
}

int pki_anchor_id(const struct pki *pki, const char *root, uint8_t id[32])
{
  char line[48];
  (void) pki;
  anchor_line(root, line);
  papers_hash(line, strlen(line), id);
  return 0;
}

/* --- Devices ---------------------------------------------------------------------------------- */

static int nvm_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  memset(out, 0, size);
  return 0;
}

static int nvm_read(void *ctx, uint32_t offset, void *out, size_t size)
{
  memcpy(out, (uint8_t *) ctx + offset, size);
  return 0;
}

static int nvm_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
  memcpy((uint8_t *) ctx + offset, data, size);
  return 0;
}

int pki_nvm_read(const uint8_t *page, uint32_t offset, void *out, size_t size)
{
  memcpy(out, page + offset, size);
  return 0;
}

int pki_nvm_write(uint8_t *page, uint32_t offset, const void *data, size_t size)
{
  return nvm_write(page, offset, data, size);
}

struct device_host pki_nvm_host(uint8_t *page)
{
  return (struct device_host){
      .ctx = page, .random = nvm_random, .nvm_read = nvm_read, .nvm_write = nvm_write};
}

size_t pki_device_count(const struct pki *pki)
{
  return pki->device_count;
}

uint32_t pki_device_id(const struct pki *pki, size_t index)
{
  (void) pki;
  return (uint32_t) index + 1;
}

bool pki_find_device(const struct pki *pki, uint32_t id, size_t *index)
{
  *index = id - 1u;
  return id > 0 && id <= pki->device_count;
}

uint8_t *pki_device_page(struct pki *pki, size_t index)
{
  return pki->devices[index].page;
}

static size_t encode(const char *lines[], size_t count, uint8_t *out, size_t capacity)
{
  struct device_chain chain = {.count = (uint8_t) count};
  for (size_t i = 0; i < count; i++) {
    chain.certificate[i].der = (const uint8_t *) lines[i];
    chain.certificate[i].size = (uint16_t) strlen(lines[i]);
  }
  return device_chain_encode(&chain, out, capacity);
}

/* Of the certificate that the device got as its `number`th. */
static size_t make_chain(const struct pki *pki, size_t index, size_t number, uint8_t *out,
                         size_t capacity)
{
  const struct device *device = &pki->devices[index];
  char leaf[PAPERS_LINE], ca[PAPERS_LINE], root[40];
  const char *issuer = device->issuers[number];
  snprintf(root, sizeof root, "%.*s", (int) (strlen(issuer) - strlen("-devices")), issuer);
  snprintf(leaf, sizeof leaf, "leaf %s %u %s valid%s", device->name, device->serials[number],
           issuer, device->brief[number] ? " brief" : "");
  snprintf(ca, sizeof ca, "ca %s %u %s valid", issuer, 20 + root_number(pki, root), root);
  return encode((const char *[]){leaf, ca}, 2, out, capacity);
}

int pki_reissue(struct pki *pki, size_t index, const char *root, uint8_t *out, size_t capacity,
                size_t *size, struct error *error)
{
  struct device *device = &pki->devices[index];
  (void) error;
  assert(device->count < SERIALS_MAX);
  snprintf(device->issuers[device->count], sizeof device->issuers[0], "%s-devices", root);
  device->serials[device->count++] = ++pki->serial;
  *size = make_chain(pki, index, device->count - 1, out, capacity);
  return 0;
}

static void flash(struct pki *pki, size_t index, const char *root, const struct pki_roots *trusted,
                  const struct pki_naming *naming)
{
  struct device_host host = pki_nvm_host(pki->devices[index].page);
  struct device_nvm_identity identity = {.id = pki_device_id(pki, index)};
  if (naming != NULL) naming->name(naming->ctx, index, identity.name, NULL);
  device_nvm_name_identity(&identity);
  strcpy(pki->devices[index].name, identity.name);
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  size_t size;
  int failed = device_nvm_format(&host, &identity) != 0 ||
               pki_reissue(pki, index, root, bytes, sizeof bytes, &size, NULL) != 0 ||
               device_nvm_replace(&host, DEVICE_NVM_CERTIFICATE, bytes, size) != 0 ||
               pki_make_bundle_with_lists(pki, 1, trusted, pki->factory_lists, bytes, sizeof bytes,
                                          &size, NULL) != 0 ||
               device_nvm_replace(&host, DEVICE_NVM_TRUST, bytes, size) != 0;
  assert(!failed);
  (void) failed;
}

int pki_add_named_devices(struct pki *pki, size_t count, const struct pki_naming *naming,
                          const char *issuing_root, const struct pki_roots *trusted,
                          struct error *error)
{
  (void) error;
  pki->devices = calloc(count, sizeof *pki->devices);
  assert(pki->devices != NULL);
  pki->device_count = count;
  for (size_t i = 0; i < count; i++) flash(pki, i, issuing_root, trusted, naming);
  return 0;
}

uint16_t pki_chain_roots(const struct pki *pki, const uint8_t *chain, size_t size)
{
  struct device_chain parsed;
  struct papers papers = {0}, anchors = {0};
  char text[TEXT_MAX], anchor[40];
  size_t used = 0;
  if (device_chain_parse(chain, size, &parsed) != DEVICE_UPDATE_COMMITTED) return 0;
  for (uint8_t i = 0; i < parsed.count; i++)
    used += (size_t) snprintf(text + used, sizeof text - used, "%.*s\n",
                              (int) parsed.certificate[i].size,
                              (const char *) parsed.certificate[i].der);
  papers_read(text, used, &papers);
  used = 0;
  for (size_t r = 0; r < pki->roots.count; r++)
    used += (size_t) snprintf(text + used, sizeof text - used, "root %s\n", pki->roots.name[r]);
  papers_read(text, used, &anchors);
  const struct papers_question question = {.chain = &papers, .anchors = &anchors};
  if (papers_judge(&question, anchor) != PAPERS_GOOD) return 0;
  return (uint16_t) (1u << root_number(pki, anchor));
}

bool pki_chain_is_current(const uint8_t *chain, size_t size)
{
  struct device_chain parsed;
  return device_chain_parse(chain, size, &parsed) == DEVICE_UPDATE_COMMITTED;
}

/* A brief one has "brief" where others have their hosts. */
int64_t pki_chain_ends(const uint8_t *chain, size_t size)
{
  struct device_chain parsed;
  if (device_chain_parse(chain, size, &parsed) != DEVICE_UPDATE_COMMITTED) return 0;
  const char *leaf = (const char *) parsed.certificate[0].der;
  size_t length = parsed.certificate[0].size, word = strlen(" brief");
  bool brief = length > word && memcmp(leaf + length - word, " brief", word) == 0;
  return brief ? BRIEF_END_S : END_S;
}

/* --- Bundles ---------------------------------------------------------------------------------- */

void pki_set_factory_lists(struct pki *pki, enum pki_lists lists)
{
  pki->factory_lists = lists;
}

/* "crl A-brokers 1900000000 7 9"; whether it has an entry. */
static bool list_line(const struct pki *pki, const char *issuer, int64_t last_s, char *out,
                      size_t room)
{
  bool any = false;
  size_t used = (size_t) snprintf(out, room, "crl %s %lld", issuer, (long long) last_s);
  for (size_t i = 0; i < pki->revoked_count; i++) {
    if (strcmp(pki->revoked[i].issuer, issuer) != 0) continue;
    used += (size_t) snprintf(out + used, room - used, " %u", pki->revoked[i].serial);
    any = true;
  }
  return any;
}

int pki_make_bundle_with_lists(struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                               enum pki_lists lists, uint8_t *out, size_t capacity, size_t *size,
                               struct error *error)
{
  char roots[PKI_ROOTS_MAX][48], list[2 * PKI_ROOTS_MAX][PAPERS_LINE];
  struct device_trust_bundle bundle = {.version = version};
  (void) error;
  for (size_t r = 0; r < anchors->count; r++) {
    char issuer[40];
    anchor_line(anchors->name[r], roots[r]);
    bundle.anchor[bundle.anchor_count++] =
        (struct device_trust_der){(const uint8_t *) roots[r], (uint16_t) strlen(roots[r])};
    for (int i = 0; i < 2 && lists != PKI_LISTS_NONE && bundle.crl_count < DEVICE_CRLS_MAX; i++) {
      char *line = list[bundle.crl_count];
      snprintf(issuer, sizeof issuer, "%s%s", anchors->name[r], i == 0 ? "" : "-brokers");
      if (!list_line(pki, issuer, 1900000000, line, PAPERS_LINE) && lists == PKI_LISTS_USED)
        continue;
      bundle.crl[bundle.crl_count++] =
          (struct device_trust_der){(const uint8_t *) line, (uint16_t) strlen(line)};
    }
  }
  *size = device_trust_encode(&bundle, out, capacity - DEVICE_TRUST_SIGNATURE_SIZE);
  assert(*size > 0);
  memset(out + *size, 's', DEVICE_TRUST_SIGNATURE_SIZE);
  *size += DEVICE_TRUST_SIGNATURE_SIZE;
  return 0;
}

int pki_make_bundle(struct pki *pki, uint32_t version, const struct pki_roots *anchors,
                    uint8_t *out, size_t capacity, size_t *size, struct error *error)
{
  return pki_make_bundle_with_lists(pki, version, anchors, PKI_LISTS_NONE, out, capacity, size,
                                    error);
}

/* --- Files for brokers ------------------------------------------------------------------------ */

/* --- Files of the owner's: there are none in memory ------------------------------------------- */

int pki_write_request(struct pki *pki, size_t index, const char *path, struct error *error)
{
  (void) pki, (void) index;
  return error_set(error, EXIT_CODE_INTERNAL, "no request %s in a world without files", path);
}

int pki_renew_from(struct pki *pki, size_t index, const char *root, const char *path, uint8_t *out,
                   size_t capacity, size_t *size, struct error *error)
{
  (void) pki, (void) index, (void) root, (void) out, (void) capacity, (void) size;
  return error_set(error, EXIT_CODE_INTERNAL, "no file %s in a world without files", path);
}

/* A list is its name: new.csv has a new certificate for everybody, brief.csv one that ends early, held.csv the one that he holds, and
 * half.csv that for every second device. */
struct pki_renewals {
  bool has_held, has_new, brief;
};

int pki_renewals_open(struct pki *pki, const char *csv, struct pki_renewals **out,
                      struct error *error)
{
  const char *slash = strrchr(csv, '/'), *name = slash != NULL ? slash + 1 : csv;
  struct pki_renewals *list = calloc(1, sizeof *list);
  (void) pki;
  assert(list != NULL);
  list->has_held = strcmp(name, "held.csv") == 0 || strcmp(name, "half.csv") == 0;
  list->brief = strcmp(name, "brief.csv") == 0;
  list->has_new = list->brief || strcmp(name, "new.csv") == 0 || strcmp(name, "half.csv") == 0;
  *out = list;
  if (list->has_held || list->has_new) return 0;
  free(list);
  return error_set(error, EXIT_CODE_INTERNAL, "no list %s in a world without files", csv);
}

void pki_renewals_close(struct pki_renewals *renewals)
{
  free(renewals);
}

bool pki_renewals_has(const struct pki_renewals *renewals, size_t index)
{
  (void) renewals, (void) index;
  return true;
}

int pki_renewals_check(struct pki *pki, const struct pki_renewals *renewals, const char *root,
                       struct error *error)
{
  (void) pki, (void) renewals, (void) root, (void) error;
  return 0;
}

int pki_renewals_take(struct pki *pki, const struct pki_renewals *renewals, size_t index,
                      const char *root, uint8_t *out, size_t capacity, size_t *size,
                      struct error *error)
{
  struct device *device = &pki->devices[index];
  assert(device->count < SERIALS_MAX);
  device->brief[device->count] = renewals->brief;
  bool held = renewals->has_held && (!renewals->has_new || index % 2 == 0);
  if (!held) return pki_reissue(pki, index, root, out, capacity, size, error);
  *size = make_chain(pki, index, device->count - 1, out, capacity);
  return 0;
}

int pki_check_own_chain(const struct pki *pki, const struct pki_chain *chain, struct error *error)
{
  (void) pki;
  return error_set(error, EXIT_CODE_INTERNAL, "no file %s in a world without files", chain->own);
}

int pki_write_broker_chain(struct pki *pki, const struct pki_chain *chain,
                           const char *certificate_path, const char *key_path,
                           struct chain_prints *wanted, struct error *error)
{
  char text[TEXT_MAX];
  size_t used = (size_t) snprintf(text, sizeof text, "leaf %s %u %s-brokers %s %s", chain->host,
                                  ++pki->serial, chain->root,
                                  chain->leaf_expired ? "expired" : "valid", chain->host);
  for (size_t i = 0; chain->also[i] != NULL; i++)
    used += (size_t) snprintf(text + used, sizeof text - used, " %s", chain->also[i]);
  if (!chain->omit_intermediate)
    used += (size_t) snprintf(text + used, sizeof text - used, "\nca %s-brokers %u %s valid",
                              chain->root, 10 + root_number(pki, chain->root), chain->root);
  if (chain->cross[0] != '\0')
    used += (size_t) snprintf(text + used, sizeof text - used, "\nca %s %u %s %s", chain->root,
                              30 + root_number(pki, chain->root), chain->cross,
                              chain->cross_expired ? "expired" : "valid");
  used += (size_t) snprintf(text + used, sizeof text - used, "\n");
  wanted->count = 0;
  for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
    papers_hash(line, strcspn(line, "\n"), wanted->sha256[wanted->count++]);
  if (files_write(key_path, "key\n", 4, 0600, error) != 0) return -1;
  return files_write(certificate_path, text, used, 0644, error);
}

/* Of papers nobody reads when they end. */
void pki_each_expiry(const char *path, void (*each)(void *ctx, const struct pki_expiry *expiry),
                     void *ctx)
{
  (void) path, (void) each, (void) ctx;
}

void pki_each_own_expiry(const struct pki *pki,
                         void (*each)(void *ctx, const struct pki_expiry *expiry), void *ctx)
{
  (void) pki, (void) each, (void) ctx;
}

uint32_t pki_chain_bytes(const char *certificate_path)
{
  (void) certificate_path;
  return 1000;
}

int pki_write_client_ca(struct pki *pki, const struct pki_roots *roots, const char *path,
                        struct error *error)
{
  char text[TEXT_MAX];
  size_t used = 0;
  (void) pki;
  for (size_t r = 0; r < roots->count; r++)
    used += (size_t) snprintf(text + used, sizeof text - used, "root %s\n", roots->name[r]);
  return files_write(path, text, used, 0644, error);
}

/* Serials from 1000000 on are of nobody's. */
static int write_client(unsigned number, const char *root, const char *certificate_path,
                        const char *key_path, struct error *error)
{
  char text[TEXT_MAX];
  int used = snprintf(text, sizeof text, "leaf %s %u %s-devices valid\nca %s-devices 2 %s valid\n",
                      PKI_PROBE_NAME, 1000000 + number, root, root, root);
  if (files_write(key_path, "key\n", 4, 0600, error) != 0) return -1;
  return files_write(certificate_path, text, (size_t) used, 0644, error);
}

int pki_write_device_with(struct pki *pki, size_t index, const uint8_t *bytes, size_t size,
                          const char *certificate_path, const char *key_path, struct error *error)
{
  struct device_chain chain;
  char text[TEXT_MAX];
  size_t used = 0;
  (void) pki, (void) index;
  enum device_update parsed = device_chain_parse(bytes, size, &chain);
  assert(parsed == DEVICE_UPDATE_COMMITTED);
  (void) parsed;
  for (uint8_t i = 0; i < chain.count; i++)
    used +=
        (size_t) snprintf(text + used, sizeof text - used, "%.*s\n",
                          (int) chain.certificate[i].size, (const char *) chain.certificate[i].der);
  if (files_write(key_path, "key\n", 4, 0600, error) != 0) return -1;
  return files_write(certificate_path, text, used, 0644, error);
}

int pki_write_device(struct pki *pki, size_t index, const char *certificate_path,
                     const char *key_path, struct error *error)
{
  struct device_host host = pki_nvm_host(pki->devices[index].page);
  struct device_nvm_slot slot;
  int failed = device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &slot);
  assert(failed == 0);
  (void) failed;
  return pki_write_device_with(pki, index, pki->devices[index].page + slot.offset, slot.size,
                               certificate_path, key_path, error);
}

int pki_write_probe(struct pki *pki, const char *root, bool (*may)(void *ctx, size_t index),
                    void *ctx, const char *certificate_path, const char *key_path, size_t *whose,
                    struct error *error)
{
  (void) may, (void) ctx;
  *whose = PKI_NOBODY;
  return write_client(++pki->strangers, root, certificate_path, key_path, error);
}

int pki_write_stranger(struct pki *pki, const char *root, const char *certificate_path,
                       const char *key_path, struct error *error)
{
  unsigned *kept = &pki->kept[root_number(pki, root)];
  if (*kept == 0) *kept = ++pki->strangers;
  return write_client(*kept, root, certificate_path, key_path, error);
}

void pki_forget_strangers(struct pki *pki)
{
  memset(pki->kept, 0, sizeof pki->kept);
}

int pki_write_office_probe(struct pki *pki, const char *certificate_path, const char *key_path,
                           struct error *error)
{
  return write_client(++pki->strangers, "back-office", certificate_path, key_path, error);
}

/* --- Revocation ------------------------------------------------------------------------------- */

void pki_crl_history_ours(struct pki_crl_history *history)
{
  history->ours_since = 1;
}

void pki_crl_history_free(struct pki_crl_history *history)
{
  *history = (struct pki_crl_history){0};
}

int pki_check_revocable(struct pki *pki, size_t index, struct error *error)
{
  (void) pki, (void) index, (void) error;
  return 0;
}

static void revoke(struct pki *pki, unsigned serial, const char *issuer)
{
  assert(pki->revoked_count < REVOKED_MAX);
  struct revoked *row = &pki->revoked[pki->revoked_count++];
  row->serial = serial;
  snprintf(row->issuer, sizeof row->issuer, "%s", issuer);
}

static size_t unrevoke(struct pki *pki, unsigned serial)
{
  for (size_t i = 0; i < pki->revoked_count; i++) {
    if (pki->revoked[i].serial != serial) continue;
    pki->revoked[i] = pki->revoked[--pki->revoked_count];
    return 1;
  }
  return 0;
}

int pki_revoke_device(struct pki *pki, size_t index, bool all, enum pki_reason reason,
                      size_t *newly, struct error *error)
{
  struct device *device = &pki->devices[index];
  (void) reason, (void) error;
  size_t n = 0;
  for (size_t i = all ? 0 : device->count - 1; i < device->count; i++) {
    n += unrevoke(pki, device->serials[i]) == 0;
    revoke(pki, device->serials[i], device->issuers[i]);
  }
  if (newly != NULL) *newly = n;
  return 0;
}

int pki_unrevoke_device(struct pki *pki, size_t index, size_t *count, struct error *error)
{
  struct device *device = &pki->devices[index];
  size_t n = 0;
  (void) error;
  for (size_t i = 0; i < device->count; i++) n += unrevoke(pki, device->serials[i]);
  if (count != NULL) *count = n;
  return 0;
}

/* The paper of that part in the file. */
static struct paper find_part(enum pki_part part, const char *path)
{
  uint8_t *text = NULL;
  size_t size = 0;
  struct papers papers;
  int failed = files_read(path, TEXT_MAX, &text, &size, NULL);
  assert(failed == 0);
  (void) failed;
  papers_read((const char *) text, size, &papers);
  free(text);
  assert(papers.count > (size_t) part);
  return papers.of[part];
}

int pki_revoke_part(struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                    const char *path, struct error *error)
{
  struct paper paper = find_part(part, path);
  (void) chain, (void) error;
  revoke(pki, paper.serial, paper.issuer);
  return 0;
}

int pki_unrevoke_part(struct pki *pki, const struct pki_chain *chain, enum pki_part part,
                      const char *path, struct error *error)
{
  (void) chain, (void) error;
  (void) unrevoke(pki, find_part(part, path).serial);
  return 0;
}

int pki_write_crls(struct pki *pki, const struct pki_roots *roots,
                   const struct pki_crl_times *times, size_t filler, const char *path,
                   struct error *error)
{
  char text[TEXT_MAX], line[PAPERS_LINE], issuer[40];
  size_t used = 0;
  (void) filler;
  for (size_t r = 0; r < roots->count; r++)
    for (int i = 0; i < 2; i++) {
      snprintf(issuer, sizeof issuer, "%s%s", roots->name[r], i == 0 ? "" : "-devices");
      (void) list_line(pki, issuer, times->next_update, line, sizeof line);
      used += (size_t) snprintf(text + used, sizeof text - used, "%s\n", line);
    }
  return files_write(path, text, used, 0644, error);
}

static int read_list(const char *path, char out[TEXT_MAX], struct error *error)
{
  uint8_t *text = NULL;
  size_t size = 0;
  if (files_read(path, TEXT_MAX - 1, &text, &size, error) != 0) return -1;
  snprintf(out, TEXT_MAX, "%.*s", (int) size, (const char *) text);
  free(text);
  return 0;
}

static bool is_named(const char *list, unsigned serial)
{
  char word[16];
  snprintf(word, sizeof word, " %u", serial);
  const char *at = strstr(list, word);
  return at != NULL && (at[strlen(word)] == ' ' || at[strlen(word)] == '\n');
}

int pki_crls_name(struct pki *pki, const char *path, bool *names, size_t count, struct error *error)
{
  char list[TEXT_MAX];
  if (read_list(path, list, error) != 0) return -1;
  for (size_t i = 0; i < count; i++) {
    const struct device *device = &pki->devices[i];
    names[i] = is_named(list, device->serials[device->count - 1]);
  }
  return 0;
}

int pki_crls_name_former(struct pki *pki, const char *path,
                         void (*each)(void *ctx, const struct pki_former *former), void *ctx,
                         struct error *error)
{
  char list[TEXT_MAX];
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  if (read_list(path, list, error) != 0) return -1;
  for (size_t i = 0; i < pki->device_count; i++)
    for (size_t c = pki->devices[i].count - 1; c-- > 0;) {
      const struct device *device = &pki->devices[i];
      if (!is_named(list, device->serials[c])) continue;
      struct pki_former former = {.device = i, .chain = chain};
      former.size = make_chain(pki, i, c, chain, sizeof chain);
      each(ctx, &former);
    }
  return 0;
}
