/* fleetsim pki revoke, unrevoke, crl: who is revoked, and the list that says so. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/pki_args.h"
#include "pki/crl.h"
#include "scenario/units.h"

#define NEXT_UPDATE_MS (7 * UINT64_C(86400000))
#define HOUR_S         3600
#define CRL_MARK       "-----BEGIN X509 CRL-----"

/* Opens the folder and finds the device that --device names. */
static int open_device(const struct pki_args *args, struct pki **pki, size_t *index,
                       struct error *error)
{
  const char *id = pki_args_need(args, PKI_ARG_DEVICE, error);
  if (id == NULL || pki_open(args->folder, pki, error) != 0) return -1;
  if (pki_args_device(*pki, id, index, error) == 0) return 0;
  pki_close(*pki);
  return -1;
}

static int run_revoke(const struct pki_args *args, struct error *error)
{
  struct pki *pki = NULL;
  size_t index, newly = 0;
  enum pki_reason reason = PKI_REASON_KEY_COMPROMISE;
  const char *text = args->value[PKI_ARG_REASON];
  if (text != NULL && pki_reason_parse(text, &reason, error) != 0) return -1;
  if (open_device(args, &pki, &index, error) != 0) return -1;
  bool all = args->value[PKI_ARG_CURRENT] == NULL;
  int result = pki_revoke_device(pki, index, all, reason, &newly, error);
  pki_close(pki);
  if (result != 0) return -1;
  printf("device %s: %zu certificate%s revoked (%s)%s; 'fleetsim pki crl' makes the list\n",
         args->value[PKI_ARG_DEVICE], newly, newly == 1 ? "" : "s", pki_reason_name(reason),
         newly == 0 ? ", what there is was revoked before" : "");
  return 0;
}

static int run_unrevoke(const struct pki_args *args, struct error *error)
{
  struct pki *pki = NULL;
  size_t index, count = 0;
  if (open_device(args, &pki, &index, error) != 0) return -1;
  int result = pki_unrevoke_device(pki, index, &count, error);
  pki_close(pki);
  if (result != 0) return -1;
  if (count == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "device %s is not revoked: there is nothing to take back",
                     args->value[PKI_ARG_DEVICE]);
  printf("device %s: the revocation of %zu certificate%s is taken back\n",
         args->value[PKI_ARG_DEVICE], count, count == 1 ? "" : "s");
  return 0;
}

/* "7d" from now, or "-1h" for a list that has expired. */
static int times_of(const struct pki_args *args, struct pki_crl_times *out, struct error *error)
{
  const char *text = args->value[PKI_ARG_NEXT_UPDATE];
  uint64_t ms = NEXT_UPDATE_MS;
  char why[200];
  bool past = text != NULL && text[0] == '-';
  if (text != NULL && units_duration_ms(text + past, &ms, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "--next-update: %s, or -1h for a list that has expired", why);
  if (ms > UINT64_C(3650) * 86400000)
    return error_set(error, EXIT_CODE_USAGE, "--next-update %s is out of range: at most 3650d",
                     text);
  int64_t now = (int64_t) time(NULL), offset = (int64_t) (ms / 1000);
  out->next_update = past ? now - offset : now + offset;
  out->this_update = out->next_update > now ? now : out->next_update - HOUR_S;
  return 0;
}

/* A new list goes over an old one, and over nothing else: a slip of the hand must not cost a
   key. */
static int check_out(const char *path, struct error *error)
{
  char start[sizeof CRL_MARK] = "";
  size_t size;
  if (access(path, F_OK) != 0 && errno == ENOENT) return 0;
  int fd = files_open(path, SIZE_MAX, &size, error);
  ssize_t got = fd < 0 ? 0 : read(fd, start, sizeof start - 1);
  if (fd >= 0) close(fd);
  if (got == sizeof start - 1 && strcmp(start, CRL_MARK) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s exists and holds no CRL: move it, or choose another --out", path);
}

/* Of an imported root there is no key here: its owner makes its list. */
static void roots_with_keys(const struct pki *pki, struct pki_roots *out)
{
  const struct pki_roots *all = pki_roots(pki);
  *out = (struct pki_roots){.count = 0};
  for (size_t i = 0; i < all->count; i++)
    if (pki_can_issue(pki, all->name[i])) strcpy(out->name[out->count++], all->name[i]);
}

static int run_crl(const struct pki_args *args, struct error *error)
{
  struct pki *pki = NULL;
  struct pki_crl_times times;
  struct pki_roots roots;
  size_t entries = 0;
  const char *out = pki_args_need(args, PKI_ARG_OUT, error), *some = args->value[PKI_ARG_ROOTS];
  const char *filler = args->value[PKI_ARG_ENTRIES];
  if (out == NULL || check_out(out, error) != 0 || times_of(args, &times, error) != 0) return -1;
  if (filler != NULL &&
      pki_args_number(filler, "number of entries", PKI_CRL_FILLER_MAX, &entries, error) != 0)
    return -1;
  if (some != NULL && pki_args_roots(some, &roots, error) != 0) return -1;
  if (pki_open(args->folder, &pki, error) != 0) return -1;
  if (some == NULL) roots_with_keys(pki, &roots);
  int result = pki_write_crls(pki, &roots, &times, entries, out, error);
  bool all = roots.count == pki_roots(pki)->count || some != NULL;
  pki_close(pki);
  if (result != 0) return -1;
  if (roots.count > 0)
    printf("%s: the CRLs of %zu root%s, their CAs for devices and the back office\n", out,
           roots.count, roots.count == 1 ? "" : "s");
  else
    printf("%s: the CRL of the back office\n", out);
  if (!all)
    printf(
        "the lists of the other roots and their CAs are to be had from whoever holds their keys\n");
  return 0;
}

const struct pki_command pki_command_revoke = {
    .name = "revoke",
    .line = "revoke a device's certificates",
    .help =
        "usage: fleetsim pki revoke FOLDER --device ID [options]\n\n"
        "  --device ID    whose certificates\n"
        "  --reason R     of RFC 5280: unspecified, keyCompromise (default), cACompromise, "
        "affiliationChanged,\n"
        "                 superseded, cessationOfOperation, certificateHold, privilegeWithdrawn, "
        "aACompromise\n"
        "  --current      only the certificate in force, not every one that the device ever got\n\n"
        "A broker knows of it when it has the new list: 'fleetsim pki crl'. A run on this folder "
        "takes all\n"
        "revocations back when it begins.\n\n"
        "example: fleetsim pki revoke fleets/lab --device 0000001f --reason keyCompromise\n",
    .allowed = 1u << PKI_ARG_DEVICE | 1u << PKI_ARG_REASON | 1u << PKI_ARG_CURRENT,
    .run = run_revoke,
};

const struct pki_command pki_command_unrevoke = {
    .name = "unrevoke",
    .line = "take that back, as a rehearsal may",
    .help = "usage: fleetsim pki unrevoke FOLDER --device ID\n\n"
            "  --device ID    whose certificates\n\n"
            "A real CA may do so for certificates on hold only (RFC 5280).\n\n"
            "example: fleetsim pki unrevoke fleets/lab --device 0000001f\n",
    .allowed = 1u << PKI_ARG_DEVICE,
    .run = run_unrevoke,
};

const struct pki_command pki_command_crl = {
    .name = "crl",
    .line = "the lists of revoked certificates, for a broker",
    .help = "usage: fleetsim pki crl FOLDER --out FILE [options]\n\n"
            "  --out FILE         PEM: one CRL for each issuer of device certificates and for the "
            "operator's\n"
            "  --next-update D    when the next list is due: 7d (default), 12h; -1h makes one that "
            "has expired\n"
            "  --roots A,B        only of these roots (default: all whose keys are here; the back "
            "office's is always made)\n"
            "  --entries N        so many entries of nobody more, up to 100000: how a broker bears "
            "a long list\n\n"
            "example: fleetsim pki crl fleets/lab --out crl.pem && kill -HUP $(pidof mosquitto)\n",
    .allowed =
        1u << PKI_ARG_OUT | 1u << PKI_ARG_NEXT_UPDATE | 1u << PKI_ARG_ROOTS | 1u << PKI_ARG_ENTRIES,
    .run = run_crl,
};
