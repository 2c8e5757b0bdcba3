/* A device is called what it was flashed as: the pages are asked, not the registry. One that cannot be
 * read goes by the digits of its id; it will not boot, and says so. */
#define _POSIX_C_SOURCE 200809L
#include "stage/device_names.h"

#include "fleetsim/nvm.h"
#include "pki/nvm_store.h"

struct asked {
  struct pki *pki;
  const uint32_t *devices; /* NULL: as they stand */
  struct device_nvm_identity identity;
};

static void wipe_key(struct device_nvm_identity *identity)
{
  volatile uint8_t *key = identity->private_key;
  for (size_t i = 0; i < sizeof identity->private_key; i++) key[i] = 0;
}

/* names_create (base/names.h) calls it, once for each device. */
static void describe(void *ctx, size_t index, struct template_values *out)
{
  struct asked *asked = ctx;
  struct device_nvm_identity *identity = &asked->identity;
  size_t device = asked->devices != NULL ? asked->devices[index] : index;
  const struct device_host host = pki_nvm_host(pki_device_page(asked->pki, device));
  bool whole = device_nvm_read_identity(&host, identity) == 0;
  wipe_key(identity);
  if (!whole) {
    *identity = (struct device_nvm_identity){.id = pki_device_id(asked->pki, device)};
    device_nvm_name_identity(identity);
  }
  out->number = pki_device_id(asked->pki, device);
  out->id = identity->name;
  out->cn = identity->subject_kind == DEVICE_SUBJECT_CN ? identity->subject : identity->name;
  out->cohort = "";
}

const char *stage_device_text(const struct stage *stage, size_t index, char out[NAMES_TEXT])
{
  return names_text(stage->names, stage->ids[index], out);
}

int stage_name_devices(struct stage *stage, const uint32_t *devices, size_t count,
                       struct names **out)
{
  struct asked asked = {.pki = stage->pki, .devices = devices};
  return names_create(&names_usual, count, describe, &asked, out, &stage->error);
}

/* names_create calls it: numbers begin at 1, and are what a device goes by (pki_add_devices). */
static void foretell(void *ctx, size_t index, struct template_values *out)
{
  struct device_nvm_identity *identity = ctx;
  *identity = (struct device_nvm_identity){.id = (uint32_t) index + 1};
  device_nvm_name_identity(identity);
  out->number = identity->id;
  out->id = out->cn = identity->name;
  out->cohort = "";
}

int stage_foretell_names(struct stage *stage, struct names **out)
{
  struct device_nvm_identity identity;
  return names_create(&names_usual, stage->scenario->devices, foretell, &identity, out,
                      &stage->error);
}

int stage_describe_devices(struct stage *stage, size_t count,
                           int (*each)(void *ctx, size_t index,
                                       const struct template_values *values),
                           void *ctx)
{
  struct asked asked = {.pki = stage->pki};
  int result = 0;
  for (size_t i = 0; i < count && result == 0; i++) {
    struct template_values values = {.index = i};
    describe(&asked, i, &values);
    result = each(ctx, i, &values);
  }
  return result;
}
