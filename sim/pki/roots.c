/* Roots, their intermediates and a cross-certificate for every ordered pair: made together, or
 * adopted from files of others without their keys, and loaded again. Names are checked first, for
 * they become names of files and of words in scenarios. */
#define _POSIX_C_SOURCE 200809L
#include "internal.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/contents.h"
#include "pki/vet.h"

#define ROOT_YEARS     20
#define ISSUING_YEARS  10
#define CROSS_YEARS    5
#define COMMON_NAME_OF "fleetsim "

static bool is_reserved(const char *name)
{
  size_t size = strlen(name);
  const char *const endings[] = {"-brokers", "-devices", "-expired", "back-office", "update-ca"};
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    size_t n = strlen(endings[i]);
    if (size >= n && strcmp(name + size - n, endings[i]) == 0) return true;
  }
  return strstr(name, "-by-") != NULL;
}

static int check_name(const char *name, struct error *error)
{
  size_t plain = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
  if (plain == 0 || name[plain] != '\0' || name[0] == '-')
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' cannot name a root: use letters, digits, '-' and '_'", name);
  if (is_reserved(name))
    return error_set(error, EXIT_CODE_USAGE,
                     "'%s' cannot name a root: a file of the fleet folder would have that name",
                     name);
  return 0;
}

int pki_roots_check_names(const struct pki_roots *roots, struct error *error)
{
  if (roots->count == 0 || roots->count > PKI_ROOTS_MAX)
    return error_set(error, EXIT_CODE_USAGE, "a fleet has 1 to %d roots, not %zu", PKI_ROOTS_MAX,
                     roots->count);
  for (size_t i = 0; i < roots->count; i++) {
    if (check_name(roots->name[i], error) != 0) return -1;
    for (size_t k = 0; k < i; k++)
      if (strcmp(roots->name[i], roots->name[k]) == 0)
        return error_set(error, EXIT_CODE_USAGE, "the root '%s' is named twice", roots->name[i]);
  }
  return 0;
}

static int ca_path(char out[FILES_PATH_MAX], const char *folder, const char *root,
                   const char *ending, struct error *error)
{
  char name[4 * PKI_NAME_MAX];
  snprintf(name, sizeof name, "ca/%s%s", root, ending);
  return files_join(out, folder, name, error);
}

int pki_cross_path(const struct pki *pki, const char *subject, const char *issuer, bool expired,
                   char out[FILES_PATH_MAX], struct error *error)
{
  char name[3 * PKI_NAME_MAX];
  snprintf(name, sizeof name, "%s-by-%s%s", subject, issuer, expired ? "-expired" : "");
  return ca_path(out, pki->folder, name, ".crt", error);
}

void pki_authority_release(struct pki_authority *authority)
{
  X509_free(authority->certificate);
  EVP_PKEY_free(authority->key);
  *authority = (struct pki_authority){0};
}

/* What tells a root, an issuing intermediate and the like apart. */
struct plan {
  const char *root, *ending; /* ca/ROOT ENDING .crt; CN "fleetsim [root ]ROOT[ ...]" */
  const char *subject;
  enum pki_cert_kind kind;
  const struct pki_authority *issuer;
  int years;
};

static int make_authority(const char *folder, const struct plan *plan, struct pki_authority *out,
                          struct error *error)
{
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX], ending[32];
  snprintf(ending, sizeof ending, "%s.crt", plan->ending);
  if (ca_path(certificate, folder, plan->root, ending, error) != 0) return -1;
  snprintf(ending, sizeof ending, "%s.key", plan->ending);
  if (ca_path(key, folder, plan->root, ending, error) != 0) return -1;
  if ((out->key = pki_key_generate(error)) == NULL) return -1;
  struct pki_cert_spec spec = {.kind = plan->kind,
                               .subject = plan->subject,
                               .key = out->key,
                               .issuer = plan->issuer,
                               .not_before = pki_now() - PKI_DAY_S,
                               .not_after = pki_now() + plan->years * PKI_YEAR_S};
  if ((out->certificate = pki_cert_mint(&spec, error)) == NULL) return -1;
  if (pki_key_write_new(key, out->key, error) != 0) return -1;
  return pki_cert_write(certificate, &out->certificate, 1, error);
}

int pki_authority_make(const char *folder, const char *name, const char *subject, int years,
                       struct pki_authority *out, struct error *error)
{
  struct plan plan = {name, "", subject, PKI_CERT_CA, NULL, years};
  return make_authority(folder, &plan, out, error);
}

/* Under a root that has a key. */
static int make_intermediates(const char *folder, const char *root, struct pki_hierarchy *out,
                              struct error *error)
{
  char subject[64];
  struct plan plan = {root, "-brokers", subject, PKI_CERT_ISSUING, &out->root, ISSUING_YEARS};
  snprintf(subject, sizeof subject, COMMON_NAME_OF "%s brokers", root);
  if (make_authority(folder, &plan, &out->brokers, error) != 0) return -1;

  plan.ending = "-devices";
  snprintf(subject, sizeof subject, COMMON_NAME_OF "%s devices", root);
  return make_authority(folder, &plan, &out->devices, error);
}

static int make_hierarchy(const char *folder, const char *root, struct pki_hierarchy *out,
                          struct error *error)
{
  char subject[64];
  struct plan plan = {root, "", subject, PKI_CERT_CA, NULL, ROOT_YEARS};
  snprintf(subject, sizeof subject, COMMON_NAME_OF "root %s", root);
  if (make_authority(folder, &plan, &out->root, error) != 0) return -1;
  return make_intermediates(folder, root, out, error);
}

/* The subject's name and key under another issuer: chains that end at the subject can go on to the
   issuer. */
static int write_cross(const char *path, const struct pki_authority *subject,
                       const struct pki_authority *issuer, int64_t not_before, int64_t not_after,
                       struct error *error)
{
  char common_name[72];
  pki_cert_common_name(X509_get_subject_name(subject->certificate), common_name,
                       sizeof common_name);
  struct pki_cert_spec spec = {.kind = PKI_CERT_CA,
                               .subject = common_name,
                               .like = subject->certificate,
                               .key = subject->key != NULL ? subject->key
                                                           : X509_get0_pubkey(subject->certificate),
                               .issuer = issuer,
                               .not_before = not_before,
                               .not_after = not_after};
  X509 *cross = pki_cert_mint(&spec, error);
  int result = cross == NULL ? -1 : pki_cert_write(path, &cross, 1, error);
  X509_free(cross);
  return result;
}

static int make_crosses(const char *folder, const struct pki_roots *roots,
                        const struct pki_hierarchy *made, struct error *error)
{
  for (size_t s = 0; s < roots->count; s++) {
    for (size_t i = 0; i < roots->count; i++) {
      char path[FILES_PATH_MAX], name[3 * PKI_NAME_MAX];
      if (s == i || made[i].root.key == NULL) continue;
      snprintf(name, sizeof name, "%s-by-%s", roots->name[s], roots->name[i]);
      if (ca_path(path, folder, name, ".crt", error) != 0) return -1;
      if (write_cross(path, &made[s].root, &made[i].root, pki_now() - PKI_DAY_S,
                      pki_now() + CROSS_YEARS * PKI_YEAR_S, error) != 0)
        return -1;
    }
  }
  return 0;
}

static void unload(struct pki_hierarchy *hierarchy)
{
  pki_authority_release(&hierarchy->root);
  pki_authority_release(&hierarchy->brokers);
  pki_authority_release(&hierarchy->devices);
}

int pki_roots_make(const char *folder, const struct pki_roots *roots, struct error *error)
{
  struct pki_hierarchy made[PKI_ROOTS_MAX] = {0};
  int result = 0;
  for (size_t i = 0; i < roots->count && result == 0; i++)
    result = make_hierarchy(folder, roots->name[i], &made[i], error);
  if (result == 0) result = make_crosses(folder, roots, made, error);
  for (size_t i = 0; i < roots->count; i++) unload(&made[i]);
  return result;
}

int pki_cross_make_expired(const struct pki *pki, const char *subject, const char *issuer,
                           struct error *error)
{
  char path[FILES_PATH_MAX];
  const struct pki_hierarchy *of = pki_find_root(pki, subject, error),
                             *by = pki_find_root_key(pki, issuer, error);
  if (of == NULL || by == NULL || pki_cross_path(pki, subject, issuer, true, path, error) != 0)
    return -1;
  return write_cross(path, &of->root, &by->root, pki_now() - 2 * PKI_YEAR_S, pki_now() - PKI_DAY_S,
                     error);
}

void pki_roots_release(struct pki_hierarchy *read, size_t count)
{
  for (size_t i = 0; i < count; i++) unload(&read[i]);
}

/* The same anchor twice is no second anchor: devices count them before they take a bundle. A root
 * that was issued anew for its key is lost with that key as the one before. */
static int check_twin_roots(const struct pki_foreign *foreign, const struct pki_hierarchy *read,
                            size_t at, struct error *error)
{
  X509 *last = read[at].root.certificate;
  for (size_t i = 0; i < at; i++)
    if (EVP_PKEY_eq(X509_get0_pubkey(read[i].root.certificate), X509_get0_pubkey(last)) == 1)
      return error_set(error, EXIT_CODE_USAGE,
                       "the roots '%s' (%s) and '%s' (%s) are %s: both anchors are one key, and a "
                       "device wants two; name another file",
                       foreign[i].name, foreign[i].path, foreign[at].name, foreign[at].path,
                       X509_cmp(read[i].root.certificate, last) == 0 ? "the same certificate"
                                                                     : "certificates of one key");
  return 0;
}

/* libcrypto looks for an issuer by its name, and by the key's identifier where there is one. */
static void look_at_names(const struct pki_foreign *foreign, const struct pki_hierarchy *read,
                          size_t at, void (*warn)(void *, const char *), void *ctx)
{
  char sentence[2 * FILES_PATH_MAX + 500];
  X509 *last = read[at].root.certificate;
  for (size_t i = 0; warn != NULL && i < at; i++) {
    X509 *one = read[i].root.certificate;
    bool told_apart =
        X509_get0_subject_key_id(one) != NULL && X509_get0_subject_key_id(last) != NULL;
    if (told_apart || X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(last)) != 0)
      continue;
    snprintf(
        sentence, sizeof sentence,
        "the roots '%s' (%s) and '%s' (%s) have one name and no key identifiers: the operator, "
        "and brokers that use OpenSSL, may take one for the other and find what is under it "
        "not trusted; have one issued anew with another name, or both with identifiers",
        foreign[i].name, foreign[i].path, foreign[at].name, foreign[at].path);
    warn(ctx, sentence);
  }
}

/* The one certificate of a file, in any form that pki/contents.h knows; a key is passed over. */
static X509 *read_root(const char *path, struct error *error)
{
  struct pki_contents contents;
  if (pki_contents_read(path, PKI_WANT_CERTIFICATES, NULL, &contents, error) != 0) return NULL;
  X509 *root = NULL;
  if (sk_X509_num(contents.certificates) == 1)
    root = sk_X509_pop(contents.certificates);
  else
    error_set(error, EXIT_CODE_USAGE,
              "%s holds %d certificates, and one belongs here: leave only the root", path,
              sk_X509_num(contents.certificates));
  pki_contents_free(&contents);
  return root;
}

static int read_foreign(const struct pki_foreign *foreign, struct pki_hierarchy *out,
                        void (*warn)(void *ctx, const char *sentence), void *ctx,
                        struct error *error)
{
  out->root.certificate = read_root(foreign->path, error);
  if (out->root.certificate == NULL) return error_wrap(error, "root '%s'", foreign->name);
  if (pki_vet_root(out->root.certificate, foreign->name, foreign->path, warn, ctx, error) != 0)
    return -1;
  return foreign->key_path == NULL ? 0 : pki_ca_key_read(foreign, out, error);
}

int pki_roots_read(const struct pki_foreign *foreign, size_t count, struct pki_hierarchy *read,
                   void (*warn)(void *ctx, const char *sentence), void *ctx, struct error *error)
{
  int result = pki_vet_begin(error);
  if (result != 0) return -1;
  for (size_t i = 0; i < count && result == 0; i++) {
    result = read_foreign(&foreign[i], &read[i], warn, ctx, error);
    if (result == 0) result = check_twin_roots(foreign, read, i, error);
    if (result == 0) look_at_names(foreign, read, i, warn, ctx);
  }
  pki_vet_end();
  if (result != 0) pki_roots_release(read, count);
  return result;
}

static int write_authority(const char *folder, const char *root, const char *ending,
                           const struct pki_authority *authority, struct error *error)
{
  char path[FILES_PATH_MAX], name[48];
  snprintf(name, sizeof name, "%s.crt", ending);
  if (ca_path(path, folder, root, name, error) != 0 ||
      pki_cert_write(path, &authority->certificate, 1, error) != 0)
    return -1;
  if (authority->key == NULL) return 0;
  snprintf(name, sizeof name, "%s.key", ending);
  if (ca_path(path, folder, root, name, error) != 0) return -1;
  return pki_key_write_new(path, authority->key, error);
}

static int adopt_root(const char *folder, const char *name, struct pki_hierarchy *root,
                      struct error *error)
{
  if (write_authority(folder, name, "", &root->root, error) != 0) return -1;
  if (root->root.key != NULL) return make_intermediates(folder, name, root, error);
  if (root->devices.key == NULL) return 0;
  return write_authority(folder, name, "-devices", &root->devices, error);
}

int pki_roots_adopt(const char *folder, const struct pki_foreign *foreign,
                    struct pki_hierarchy *read, size_t count, struct error *error)
{
  struct pki_roots roots = {.count = count};
  int result = 0;
  for (size_t i = 0; i < count && result == 0; i++) {
    memcpy(roots.name[i], foreign[i].name, PKI_NAME_MAX);
    result = adopt_root(folder, foreign[i].name, &read[i], error);
  }
  if (result == 0) result = make_crosses(folder, &roots, read, error);
  pki_roots_release(read, count);
  return result;
}

static bool exists(const char *path)
{
  return access(path, F_OK) == 0;
}

static int load_authority(const char *folder, const char *root, const char *ending,
                          struct pki_authority *out, struct error *error)
{
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX], name[48];
  snprintf(name, sizeof name, "%s.crt", ending);
  if (ca_path(certificate, folder, root, name, error) != 0) return -1;
  snprintf(name, sizeof name, "%s.key", ending);
  if (ca_path(key, folder, root, name, error) != 0) return -1;
  if ((out->certificate = pki_cert_read(certificate, error)) == NULL) return -1;
  if (!exists(key)) return 0;
  if ((out->key = pki_key_read(key, error)) == NULL) return -1;
  if (EVP_PKEY_eq(X509_get0_pubkey(out->certificate), out->key) == 1) return 0;
  return error_set(error, EXIT_CODE_SETUP, "%s is not the key of %s; restore both from one copy",
                   key, certificate);
}

/* Of an imported root there are none, or the one that its owner gave, which is both. */
static int load_intermediates(const char *folder, const char *root, struct pki_hierarchy *out,
                              struct error *error)
{
  char path[FILES_PATH_MAX];
  if (ca_path(path, folder, root, "-devices.crt", error) != 0) return -1;
  if (out->root.key == NULL && !exists(path)) return 0;
  if (load_authority(folder, root, "-devices", &out->devices, error) != 0 ||
      ca_path(path, folder, root, "-brokers.crt", error) != 0)
    return -1;
  if (out->root.key != NULL || exists(path))
    return load_authority(folder, root, "-brokers", &out->brokers, error);
  out->brokers = out->devices;
  X509_up_ref(out->brokers.certificate);
  if (out->brokers.key != NULL) EVP_PKEY_up_ref(out->brokers.key);
  return 0;
}

int pki_roots_load(struct pki *pki, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (load_authority(pki->folder, "back-office", "", &pki->back_office, error) != 0 ||
      ca_path(path, pki->folder, "update-ca", ".crt", error) != 0)
    return -1;
  if (exists(path) && load_authority(pki->folder, "update-ca", "", &pki->update_ca, error) != 0)
    return -1;
  for (size_t i = 0; i < pki->roots.count; i++) {
    struct pki_hierarchy *hierarchy = &pki->hierarchy[i];
    const char *name = pki->roots.name[i];
    if (load_authority(pki->folder, name, "", &hierarchy->root, error) != 0 ||
        load_intermediates(pki->folder, name, hierarchy, error) != 0)
      return -1;
  }
  return 0;
}

void pki_roots_unload(struct pki *pki)
{
  pki_authority_release(&pki->back_office);
  pki_authority_release(&pki->update_ca);
  for (size_t i = 0; i < PKI_ROOTS_MAX; i++) unload(&pki->hierarchy[i]);
}

const struct pki_hierarchy *pki_find_root(const struct pki *pki, const char *name,
                                          struct error *error)
{
  char known[PKI_ROOTS_MAX * (PKI_NAME_MAX + 2)] = "";
  for (size_t i = 0; i < pki->roots.count; i++) {
    if (strcmp(pki->roots.name[i], name) == 0) return &pki->hierarchy[i];
    snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i == 0 ? "" : ", ",
             pki->roots.name[i]);
  }
  error_set(error, EXIT_CODE_USAGE, "the fleet has no root '%s'; its roots are: %s", name, known);
  return NULL;
}

const struct pki_hierarchy *pki_find_issuer(const struct pki *pki, const char *name,
                                            struct error *error)
{
  const struct pki_hierarchy *found = pki_find_root(pki, name, error);
  if (found == NULL || (found->devices.key != NULL && found->brokers.key != NULL)) return found;
  error_set(error, EXIT_CODE_USAGE,
            "nothing can be issued under root '%s': the fleet folder holds its certificate but not "
            "its keys; use a root that was made here or whose key was imported (pki import "
            "--ca-keys), or let its owner issue the certificate",
            name);
  return NULL;
}

const struct pki_hierarchy *pki_find_root_key(const struct pki *pki, const char *name,
                                              struct error *error)
{
  const struct pki_hierarchy *found = pki_find_issuer(pki, name, error);
  if (found == NULL || found->root.key != NULL) return found;
  error_set(error, EXIT_CODE_USAGE,
            "root '%s' itself can sign nothing here (cross-certificates, the revocation of its "
            "intermediates): the fleet folder holds the key of an intermediate under it; import "
            "the root's own (pki import --ca-keys)",
            name);
  return NULL;
}
