/* fleetsim pki crl: the lists of who is revoked, of every CA whose key is here, in one PEM file for
 * a broker. It goes over an old list and over nothing else. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/pki_args.h"
#include "cli/verbs.h"
#include "pki/crl.h"
#include "scenario/units.h"

#define NEXT_UPDATE_MS (7 * UINT64_C(86400000))
#define HOUR_S         3600
#define CRL_MARK       "-----BEGIN X509 CRL-----"

struct crl_line {
  const char *out, *next_update;
  struct pki_roots roots;
  uint64_t entries;
};

#define TO(field) .offset = offsetof(struct crl_line, field)
static const struct args_option options[] = {
    {"out", "FILE", "PEM: one CRL for each issuer of device certificates and for the operator's",
     args_text, TO(out), .needed = true},
    {"next-update", "D",
     "when the next list is due: 7d (default), 12h; -1h makes one that has expired", args_text,
     TO(next_update)},
    {"roots", "A,B",
     "only of these roots (default: all whose keys are here; the back office's is always made)",
     pki_args_take_roots, TO(roots)},
    {"entries", "N", "so many entries of nobody more, up to 100000: how a broker bears a long list",
     args_number, TO(entries), .what = "number of entries", .least = 1, .most = PKI_CRL_FILLER_MAX},
    {0},
};
#undef TO

/* "7d" from now, or "-1h" for a list that has expired. */
static int times_of(const char *text, struct pki_crl_times *out, struct error *error)
{
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

static void print_list(const char *out, size_t roots, bool all)
{
  if (roots > 0)
    printf("%s: the CRLs of %zu root%s, their CAs for devices and the back office\n", out, roots,
           roots == 1 ? "" : "s");
  else
    printf("%s: the CRL of the back office\n", out);
  if (!all)
    printf(
        "the lists of the other roots and their CAs are to be had from whoever holds their keys\n");
}

static int make_list(const struct args *args, struct error *error)
{
  const struct crl_line *line = args->given;
  struct pki *pki = NULL;
  struct pki_crl_times times;
  struct pki_roots roots = line->roots;
  if (check_out(line->out, error) != 0 || times_of(line->next_update, &times, error) != 0 ||
      pki_open(args->operand[0], &pki, error) != 0)
    return -1;
  if (line->roots.count == 0) roots_with_keys(pki, &roots);
  int result = pki_write_crls(pki, &roots, &times, (size_t) line->entries, line->out, error);
  bool all = roots.count == pki_roots(pki)->count || line->roots.count > 0;
  pki_close(pki);
  if (result == 0) print_list(line->out, roots.count, all);
  return result;
}

const struct args_verb cli_pki_crl = {
    .name = "crl",
    .line = "the lists of revoked certificates, for a broker",
    .usage = "usage: fleetsim pki crl FOLDER --out FILE [options]\n\n",
    .options = options,
    .example = "fleetsim pki crl fleets/lab --out crl.pem && kill -HUP $(pidof mosquitto)",
    PKI_VERB,
    .size = sizeof(struct crl_line),
    .run = make_list,
};
