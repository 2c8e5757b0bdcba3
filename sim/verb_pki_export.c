/* fleetsim pki export: what other tools need of a fleet. The only way by which a key leaves its
   folder. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "fleetsim/nvm.h"
#include "verb_pki.h"

static int suffixed(char out[FILES_PATH_MAX], const char *path, const char *suffix,
                    struct error *error)
{
  if (snprintf(out, FILES_PATH_MAX, "%s%s", path, suffix) < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", path);
}

/* A slip of the hand must not put an export over a CA's key. */
static int refuse_existing(const char *path, struct error *error)
{
  if (access(path, F_OK) != 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s exists already and is not overwritten; move it or choose another --out",
                   path);
}

/* PATH.crt and PATH.key, neither of which may exist. */
static int pair_of(const char *out, char certificate[FILES_PATH_MAX], char key[FILES_PATH_MAX],
                   struct error *error)
{
  if (suffixed(certificate, out, ".crt", error) != 0 || suffixed(key, out, ".key", error) != 0)
    return -1;
  return refuse_existing(certificate, error) != 0 ? -1 : refuse_existing(key, error);
}

static int roots_of(const struct pki *pki, const struct pki_args *args, struct pki_roots *out,
                    struct error *error)
{
  if (args->value[PKI_ARG_ROOTS] != NULL)
    return pki_args_roots(args->value[PKI_ARG_ROOTS], out, error);
  *out = *pki_roots(pki);
  return 0;
}

static int export_client_ca(struct pki *pki, const struct pki_args *args, const char *out,
                            struct error *error)
{
  struct pki_roots roots;
  if (roots_of(pki, args, &roots, error) != 0 || pki_write_client_ca(pki, &roots, out, error) != 0)
    return -1;
  printf("%s: %zu root%s and the back office's CA\n", out, roots.count,
         roots.count == 1 ? "" : "s");
  return 0;
}

static int export_broker_chain(struct pki *pki, const struct pki_args *args, const char *out,
                               struct error *error)
{
  struct pki_chain chain = {.host = pki_args_need(args, PKI_ARG_HOST, error)};
  const char *root = pki_args_need(args, PKI_ARG_ROOT, error), *cross = args->value[PKI_ARG_CROSS];
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  uint8_t fingerprint[32];
  if (chain.host == NULL || root == NULL || pair_of(out, certificate, key, error) != 0) return -1;
  snprintf(chain.root, sizeof chain.root, "%s", root);
  snprintf(chain.cross, sizeof chain.cross, "%s", cross == NULL ? "" : cross);
  if (pki_write_broker_chain(pki, &chain, certificate, key, fingerprint, error) != 0) return -1;
  printf("%s, %s: a broker named %s under root %s%s%s; sha256 ", certificate, key, chain.host,
         chain.root, cross == NULL ? "" : ", cross-certified by ", chain.cross);
  for (size_t i = 0; i < sizeof fingerprint; i++) printf("%02x", fingerprint[i]);
  printf("\n");
  return 0;
}

static int export_bundle(struct pki *pki, const struct pki_args *args, const char *out,
                         struct error *error)
{
  struct pki_roots roots;
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t version, size = 0;
  const char *text = pki_args_need(args, PKI_ARG_VERSION, error);
  if (text == NULL || pki_args_number(text, "version", UINT32_MAX, &version, error) != 0 ||
      roots_of(pki, args, &roots, error) != 0 ||
      pki_make_bundle(pki, (uint32_t) version, &roots, bundle, sizeof bundle, &size, error) != 0 ||
      files_write(out, bundle, size, 0644, error) != 0)
    return -1;
  printf("%s: trust bundle version %zu with %zu anchors, %zu bytes\n", out, version, roots.count,
         size);
  return 0;
}

static int export_device(struct pki *pki, const struct pki_args *args, const char *out,
                         struct error *error)
{
  size_t index;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  const char *id = pki_args_need(args, PKI_ARG_DEVICE, error);
  if (id == NULL || pki_args_device(pki, id, &index, error) != 0 ||
      pair_of(out, certificate, key, error) != 0 ||
      pki_write_device(pki, index, certificate, key, error) != 0)
    return -1;
  printf("%s, %s: device %s\n", certificate, key, id);
  return 0;
}

static const struct {
  const char *name;
  int (*run)(struct pki *pki, const struct pki_args *args, const char *out, struct error *error);
} kinds[] = {
    {"client-ca", export_client_ca},
    {"broker-chain", export_broker_chain},
    {"bundle", export_bundle},
    {"device", export_device},
};

static int run_export(const struct pki_args *args, struct error *error)
{
  const char *what = pki_args_need(args, PKI_ARG_WHAT, error);
  const char *out = what == NULL ? NULL : pki_args_need(args, PKI_ARG_OUT, error);
  if (out == NULL || refuse_existing(out, error) != 0) return -1;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    struct pki *pki = NULL;
    if (strcmp(what, kinds[i].name) != 0) continue;
    if (pki_open(args->folder, &pki, error) != 0) return -1;
    int result = kinds[i].run(pki, args, out, error);
    pki_close(pki);
    return result;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "--what %s is unknown: use client-ca, broker-chain, bundle or device", what);
}

const struct pki_command pki_command_export = {
    .name = "export",
    .line = "CA files, broker chains, trust bundles and device identities for other tools",
    .help =
        "usage: fleetsim pki export FOLDER --what KIND --out PATH [options]\n\n"
        "  --what client-ca     the CA file by which a broker verifies devices and the operator; "
        "--roots A,B\n"
        "                       (default: all)\n"
        "  --what broker-chain  PATH.crt and PATH.key (0600) of a broker; --root B --host NAME "
        "[--cross A]\n"
        "  --what bundle        a signed trust bundle; --version N [--roots A,B] (default: all)\n"
        "  --what device        PATH.crt and PATH.key (0600) of a device; --device ID\n\n"
        "example: fleetsim pki export fleets/lab --what device --device 00000001 --out one\n"
        "         mosquitto_pub -h localhost -p 8883 --cafile fleets/lab/operator-ca.crt --cert "
        "one.crt \\\n"
        "                       --key one.key -i 00000001 -t private/00000001/telemetry -m hello\n",
    .allowed = 1u << PKI_ARG_WHAT | 1u << PKI_ARG_OUT | 1u << PKI_ARG_ROOTS | 1u << PKI_ARG_ROOT |
               1u << PKI_ARG_CROSS | 1u << PKI_ARG_HOST | 1u << PKI_ARG_VERSION |
               1u << PKI_ARG_DEVICE,
    .run = run_export,
};
