/* Which certificate a device holds and shows. The evidence is the bytes: of its memory, and of a
   handshake. */
#define _POSIX_C_SOURCE 200809L
#include "stage/chains.h"

#include <string.h>

#include "device/identity.h"
#include "fleetsim/nvm.h"
#include "pki/nvm_store.h"

/* FNV-1a. Nobody chooses the chains of a fleet to be alike. */
uint64_t stage_chain_mark(const uint8_t *chain, size_t size)
{
  uint64_t mark = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) mark = (mark ^ chain[i]) * 0x100000001b3u;
  return mark != 0 ? mark : 1;
}

/* Returns its size; 0: it holds none. */
static size_t chain_in_force(struct stage *stage, size_t index,
                             uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX])
{
  const struct device_host host = pki_nvm_host(pki_device_page(stage->pki, index));
  struct device_nvm_slot slot;
  if (device_nvm_find(&host, DEVICE_NVM_CERTIFICATE, &slot) != 0 ||
      host.nvm_read(host.ctx, slot.offset, chain, slot.size) != 0)
    return 0;
  return slot.size;
}

uint64_t stage_chain_in_force(struct stage *stage, size_t index)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = chain_in_force(stage, index, chain);
  return size > 0 ? stage_chain_mark(chain, size) : 0;
}

int64_t stage_chain_ends(struct stage *stage, size_t index)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = chain_in_force(stage, index, chain);
  return size > 0 ? pki_chain_ends(chain, size) : 0;
}

/* By what stands behind the leaf: to follow the signatures of a whole fleet would take its time. */
static uint64_t issuers_of(const uint8_t *chain, size_t size)
{
  struct device_chain parsed;
  if (device_chain_parse(chain, size, &parsed) != DEVICE_UPDATE_COMMITTED || parsed.count < 2)
    return 0;
  const uint8_t *first = parsed.certificate[1].der;
  return stage_chain_mark(first, size - (size_t) (first - chain));
}

struct stage_stand_in stage_stand_in_with(size_t device, const uint8_t *chain, size_t size)
{
  struct stage_stand_in out = {.device = (uint32_t) device};
  if (size == 0 || size > sizeof out.chain) return out;
  out.mark = stage_chain_mark(chain, size);
  out.issuers = issuers_of(chain, size);
  out.size = size;
  memcpy(out.chain, chain, size);
  return out;
}

struct stage_stand_in stage_stand_in(struct stage *stage, size_t device)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = chain_in_force(stage, device, chain);
  return stage_stand_in_with(device, chain, size);
}

bool stage_stands_in(struct stage *stage, const struct stage_stand_in *stand_in)
{
  return stand_in->mark != 0 && stage_chain_in_force(stage, stand_in->device) == stand_in->mark;
}

uint16_t stage_roots_in_force(struct stage *stage, size_t index)
{
  uint8_t chain[DEVICE_NVM_CERTIFICATE_MAX];
  size_t size = chain_in_force(stage, index, chain);
  return size > 0 ? stage_roots_of(stage, index, chain, size) : 0;
}

static bool is_same_leaf(const struct device_chain *one, const struct device_chain *other)
{
  return one->certificate[0].size == other->certificate[0].size &&
         memcmp(one->certificate[0].der, other->certificate[0].der, one->certificate[0].size) == 0;
}

bool stage_holds_leaf(struct stage *stage, size_t index, const char *root, const uint8_t *chain,
                      size_t size)
{
  const struct pki_roots *all = pki_roots(stage->pki);
  struct device_chain held, given;
  uint8_t in_force[DEVICE_NVM_CERTIFICATE_MAX];
  size_t held_size = chain_in_force(stage, index, in_force);
  if (held_size == 0 || device_chain_parse(in_force, held_size, &held) != DEVICE_UPDATE_COMMITTED ||
      device_chain_parse(chain, size, &given) != DEVICE_UPDATE_COMMITTED ||
      !is_same_leaf(&held, &given))
    return false;
  unsigned under = stage_roots_of(stage, index, in_force, held_size);
  for (size_t r = 0; r < all->count; r++)
    if (strcmp(all->name[r], root) == 0) return (under >> r & 1u) != 0;
  return false;
}

uint16_t stage_roots_trusted(const struct stage *stage)
{
  const struct pki_roots *all = pki_roots(stage->pki);
  uint16_t trusted = 0;
  for (size_t r = 0; r < all->count; r++)
    if (pki_roots_include(&stage->client_roots, all->name[r])) trusted |= (uint16_t) (1u << r);
  return trusted;
}

bool stage_is_trusted(const struct stage *stage, const struct stage_stand_in *stand_in)
{
  unsigned under = pki_chain_roots(stage->pki, stand_in->chain, stand_in->size);
  return (under & stage_roots_trusted(stage)) != 0;
}

/* A chain is followed once: two signatures cost as much as half a handshake, and devices come back
   again and again. */
uint16_t stage_roots_of(void *ctx, size_t index, const uint8_t *chain, size_t size)
{
  struct stage *stage = ctx;
  struct stage_identity *identity = &stage->identity[index];
  uint64_t mark = stage_chain_mark(chain, size);
  if (identity->seen != mark) identity->roots = pki_chain_roots(stage->pki, chain, size);
  identity->seen = mark;
  return identity->roots;
}
