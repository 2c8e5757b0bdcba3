/* A fleet in a fresh folder below $TMPDIR, removed at the end; and OpenSSL's own opinion on
   certificates. */
#ifndef FLEETSIM_TEST_PKI_FIXTURE_H
#define FLEETSIM_TEST_PKI_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "device/platform.h"
#include "pki/internal.h"

#define EXPECT_OK(call)                                      \
  do {                                                       \
    struct error *seen_ = &error;                            \
    seen_->text[0] = '\0';                                   \
    if ((call) != 0) fail_msg("%s: %s", #call, seen_->text); \
  } while (0)

#define EXPECT_REFUSAL(call, exit_code_, part)                                                   \
  do {                                                                                           \
    error = (struct error){0};                                                                   \
    if ((call) == 0) fail_msg("%s passed", #call);                                               \
    if (error.code != (exit_code_))                                                              \
      fail_msg("exit code %d, not %d: %s", error.code, (exit_code_), error.text);                \
    if (strstr(error.text, (part)) == NULL) fail_msg("'%s' is not in '%s'", (part), error.text); \
  } while (0)

static struct error error;

struct fixture {
  char base[128], folder[160];
  struct pki *pki;
};

static inline struct pki_roots names(const char *a, const char *b, const char *c)
{
  struct pki_roots roots = {0};
  const char *const all[] = {a, b, c};
  for (size_t i = 0; i < 3 && all[i] != NULL; i++) strcpy(roots.name[roots.count++], all[i]);
  return roots;
}

/* The device library's trust and identity checks take time and entropy from here. */
static inline void lend_time_and_entropy(void)
{
  static struct device_host host;
  static struct device_platform platform;
  host = pki_nvm_host(NULL);
  platform = (struct device_platform){.host = &host, .unix_s = pki_now()};
  device_platform_leave();
  device_platform_enter(&platform);
}

static inline int setup_folder(void **state)
{
  lend_time_and_entropy();
  struct fixture *f = calloc(1, sizeof *f);
  const char *tmp = getenv("TMPDIR");
  snprintf(f->base, sizeof f->base, "%s/fleetsim-pki-XXXXXX",
           tmp == NULL || strlen(tmp) > 64 ? "/tmp" : tmp);
  if (mkdtemp(f->base) == NULL) return -1;
  snprintf(f->folder, sizeof f->folder, "%s/fleet", f->base);
  *state = f;
  return 0;
}

static inline int setup_fleet(void **state)
{
  if (setup_folder(state) != 0) return -1;
  struct fixture *f = *state;
  struct pki_roots roots = names("A", "B", "spare"), trusted = names("A", "spare", NULL);
  EXPECT_OK(pki_create(f->folder, &roots, &f->pki, &error));
  EXPECT_OK(pki_add_devices(f->pki, 3, "A", &trusted, &error));
  return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st, (void) type, (void) ftw;
  return remove(path);
}

static inline int teardown(void **state)
{
  struct fixture *f = *state;
  pki_close(f->pki);
  nftw(f->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(f);
  return 0;
}

/* A path below the fleet folder, and one beside it; valid until the fourth call after. */
static inline const char *at(const struct fixture *f, const char *name)
{
  static char path[4][FILES_PATH_MAX];
  static unsigned next;
  char *out = path[next++ % 4];
  snprintf(out, FILES_PATH_MAX, "%s/%s", f->folder, name);
  return out;
}

static inline const char *beside(const struct fixture *f, const char *name)
{
  static char path[4][FILES_PATH_MAX];
  static unsigned next;
  char *out = path[next++ % 4];
  snprintf(out, FILES_PATH_MAX, "%s/%s", f->base, name);
  return out;
}

static inline unsigned mode_of(const char *path)
{
  struct stat st;
  if (stat(path, &st) != 0) fail_msg("no file %s", path);
  return (unsigned) (st.st_mode & 07777);
}

static inline void write_text(const char *path, const char *text)
{
  EXPECT_OK(files_write(path, text, strlen(text), 0600, &error));
}

/* What OpenSSL says of the chain (leaf first) with one trusted root: X509_V_OK or its error. */
static inline int verdict(STACK_OF(X509) * chain, X509 *root, int purpose)
{
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  X509_STORE_add_cert(store, root);
  X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain);
  X509_STORE_CTX_set_purpose(ctx, purpose);
  X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
  int passed = X509_verify_cert(ctx), code = X509_STORE_CTX_get_error(ctx);
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  return passed == 1 ? X509_V_OK : code;
}

static inline int verdict_of_files(const struct fixture *f, const char *chain_path,
                                   const char *root, int purpose)
{
  char root_path[FILES_PATH_MAX];
  snprintf(root_path, sizeof root_path, "%s/ca/%s.crt", f->folder, root);
  STACK_OF(X509) *chain = pki_cert_read_all(chain_path, 8, &error);
  X509 *trusted = pki_cert_read(root_path, &error);
  if (chain == NULL || trusted == NULL) fail_msg("%s", error.text);
  int code = verdict(chain, trusted, purpose);
  sk_X509_pop_free(chain, X509_free);
  X509_free(trusted);
  return code;
}

static inline void expect_verdict(int seen, int wanted)
{
  if (seen != wanted)
    fail_msg("OpenSSL says '%s', not '%s'", X509_verify_cert_error_string(seen),
             X509_verify_cert_error_string(wanted));
}

#endif
