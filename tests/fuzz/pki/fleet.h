/* A small fleet for targets of this room, made at run time so that no private key is ever
 * committed; and the refusal that each of them must be able to print. */
#ifndef FLEETSIM_FUZZ_FLEET_H
#define FLEETSIM_FUZZ_FLEET_H

#include "pki/internal.h"
#include "scratch.h"

static inline void fleet_must(int result, const struct error *error)
{
  if (result != 0) fprintf(stderr, "%s\n", error->text);
  require(result == 0, "what a target needs is made");
}

/* Two roots, A and B, and so many devices under A. */
static inline struct pki *fleet_make(const char *name, size_t devices)
{
  struct pki_roots roots = {.count = 2, .name = {"A", "B"}};
  struct pki *pki = NULL;
  struct error error = {.text = ""};
  fleet_must(pki_create(scratch_path(name), &roots, &pki, &error), &error);
  if (devices > 0) fleet_must(pki_add_devices(pki, devices, "A", &roots, &error), &error);
  return pki;
}

/* What import and CRLs say beside a verdict. */
static inline void fleet_hear(void *ctx, const char *warning)
{
  (void) ctx;
  require(warning[0] != '\0', "a warning has a sentence");
}

static inline void fleet_check_refusal(const struct error *error)
{
  require(error->code == EXIT_CODE_USAGE || error->code == EXIT_CODE_SETUP,
          "a file is refused, nothing of ours fails");
  require(error->text[0] != '\0' && memchr(error->text, '\0', sizeof error->text) != NULL,
          "a refusal has a sentence");
  require(strstr(error->text, "PRIVATE KEY") == NULL, "a refusal does not quote a key");
}

#endif
