/* fleetsim pki export: what other tools need of a fleet. The only way by which a key leaves its
   folder. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "cli/pki_args.h"
#include "cli/verbs.h"
#include "fleetsim/nvm.h"

struct export_line {
  const char *what, *out, *root, *cross, *host, *device;
  struct pki_roots roots;
  uint64_t version; /* 0: not given */
};

static void say_kinds(void (*say)(void *ctx, const char *word), void *ctx);

#define TO(field) .offset = offsetof(struct export_line, field)
static const struct args_option options[] = {
    {"what", "KIND",
     "client-ca: the CA file by which a broker verifies devices and the operator; [--roots]\n"
     "broker-chain: PATH.crt and PATH.key (0600) of a broker; --root, --host [--cross]\n"
     "bundle: a signed trust bundle; --version [--roots]\n"
     "device: PATH.crt and PATH.key (0600) of a device; --device",
     args_text, TO(what), .needed = true, .words = say_kinds},
    {"out", "PATH", "where it goes; nothing there is overwritten", args_text, TO(out),
     .needed = true},
    {"roots", "A,B", "of a client-ca or a bundle (default: all)", pki_args_take_roots, TO(roots)},
    {"root", "B", "that the broker's chain ends at", args_text, TO(root)},
    {"host", "NAME", "that the broker's certificate is for", args_text, TO(host)},
    {"cross", "A",
     "a cross-certificate, so that devices that trust this root can follow the chain too",
     args_text, TO(cross)},
    {"version", "N", "of the bundle: a device takes none that is not above its own", args_number,
     TO(version), .what = "version", .least = 1, .most = UINT32_MAX},
    {"device", "ID", "whose identity", args_text, TO(device)},
    {0},
};
#undef TO

static int suffixed(char out[FILES_PATH_MAX], const char *path, const char *suffix,
                    struct error *error)
{
  if (snprintf(out, FILES_PATH_MAX, "%s%s", path, suffix) < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", path);
}

/* A slip of the hand must not put an export over a CA's key. */
static int refuse_to_overwrite(const char *path, struct error *error)
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
  return refuse_to_overwrite(certificate, error) != 0 ? -1 : refuse_to_overwrite(key, error);
}

static const struct pki_roots *roots_of(const struct pki *pki, const struct export_line *line)
{
  return line->roots.count > 0 ? &line->roots : pki_roots(pki);
}

/* Of an option that some kinds want. */
static const char *need(const char *value, const char *name, struct error *error)
{
  if (value == NULL)
    error_set(error, EXIT_CODE_USAGE, "--%s is missing; --help shows an example", name);
  return value;
}

static int export_client_ca(struct pki *pki, const struct export_line *line, const char *out,
                            struct error *error)
{
  const struct pki_roots *roots = roots_of(pki, line);
  if (pki_write_client_ca(pki, roots, out, error) != 0) return -1;
  printf("%s: %zu root%s and the back office's CA\n", out, roots->count,
         roots->count == 1 ? "" : "s");
  return 0;
}

static int export_broker_chain(struct pki *pki, const struct export_line *line, const char *out,
                               struct error *error)
{
  struct pki_chain chain = {.host = need(line->host, "host", error)};
  const char *root = need(line->root, "root", error), *cross = line->cross;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  struct chain_prints written;
  if (chain.host == NULL || root == NULL || pair_of(out, certificate, key, error) != 0) return -1;
  snprintf(chain.root, sizeof chain.root, "%s", root);
  snprintf(chain.cross, sizeof chain.cross, "%s", cross == NULL ? "" : cross);
  if (pki_write_broker_chain(pki, &chain, certificate, key, &written, error) != 0) return -1;
  printf("%s, %s: a broker named %s under root %s%s%s; sha256 ", certificate, key, chain.host,
         chain.root, cross == NULL ? "" : ", cross-certified by ", chain.cross);
  char text[2 * sizeof written.sha256[0] + 1];
  text_hex(written.sha256[0], sizeof written.sha256[0], text);
  printf("%s\n", text);
  return 0;
}

static int export_bundle(struct pki *pki, const struct export_line *line, const char *out,
                         struct error *error)
{
  const struct pki_roots *roots = roots_of(pki, line);
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t size = 0;
  if (need(line->version == 0 ? NULL : "", "version", error) == NULL ||
      pki_make_bundle(pki, (uint32_t) line->version, roots, bundle, sizeof bundle, &size, error) !=
          0 ||
      files_write(out, bundle, size, 0644, error) != 0)
    return -1;
  printf("%s: trust bundle version %u with %zu anchors, %zu bytes\n", out, (unsigned) line->version,
         roots->count, size);
  return 0;
}

static int export_device(struct pki *pki, const struct export_line *line, const char *out,
                         struct error *error)
{
  size_t index;
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX];
  const char *id = need(line->device, "device", error);
  if (id == NULL || pki_args_device(pki, id, &index, error) != 0 ||
      pair_of(out, certificate, key, error) != 0 ||
      pki_write_device(pki, index, certificate, key, error) != 0)
    return -1;
  printf("%s, %s: device %s\n", certificate, key, id);
  return 0;
}

static const struct {
  const char *name;
  int (*run)(struct pki *pki, const struct export_line *line, const char *out, struct error *error);
} kinds[] = {
    {"client-ca", export_client_ca},
    {"broker-chain", export_broker_chain},
    {"bundle", export_bundle},
    {"device", export_device},
};

static void say_kinds(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) say(ctx, kinds[i].name);
}

static int export_what(const struct args *args, struct error *error)
{
  const struct export_line *line = args->given;
  if (refuse_to_overwrite(line->out, error) != 0) return -1;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    struct pki *pki = NULL;
    if (strcmp(line->what, kinds[i].name) != 0) continue;
    if (pki_open(args->operand[0], &pki, error) != 0) return -1;
    int result = kinds[i].run(pki, line, line->out, error); /* export_client_ca and its like */
    pki_close(pki);
    return result;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "--what %s is unknown: use client-ca, broker-chain, bundle or device",
                   line->what);
}

const struct args_verb cli_pki_export = {
    .name = "export",
    .line = "CA files, broker chains, trust bundles and device identities for other tools",
    .usage = "usage: fleetsim pki export FOLDER --what KIND --out PATH [options]\n\n",
    .options = options,
    .example = "fleetsim pki export fleets/lab --what device --device 00000001 --out one\n"
               "mosquitto_pub -h localhost -p 8883 --cafile fleets/lab/operator-ca.crt --cert "
               "one.crt \\\n"
               "  --key one.key -i 00000001 -t private/00000001/telemetry -m hello",
    PKI_VERB,
    .size = sizeof(struct export_line),
    .run = export_what,
};
