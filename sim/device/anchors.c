/* One parsed set for the whole program, counted by the handshakes that use it. A handshake that
 * stands on other anchors while it is in use parses a set of its own, and a set that cannot be
 * parsed is an error of that handshake only. */
#include "anchors.h"

#include <string.h>

#ifdef DEVICE_KEEP_ANCHORS
#define KEEP true
#else
#define KEEP false
#endif

/* All clients of a program belong to one thread (device_builtin). */
static struct {
  mbedtls_x509_crt list;
  unsigned handshakes; /* that use it now */
  unsigned clients;
  bool filled;
} shared;

static int parse_anchors(mbedtls_x509_crt *list, const struct device_trust_bundle *bundle)
{
  int error = 0;
  for (size_t i = 0; i < bundle->anchor_count && error == 0; i++)
    error = mbedtls_x509_crt_parse_der(list, bundle->anchor[i].der, bundle->anchor[i].size);
  return error;
}

static bool holds(const struct device_trust_bundle *bundle)
{
  const mbedtls_x509_crt *at = &shared.list;
  for (size_t i = 0; i < bundle->anchor_count; i++, at = at->next)
    if (at == NULL || at->raw.len != bundle->anchor[i].size ||
        memcmp(at->raw.p, bundle->anchor[i].der, at->raw.len) != 0)
      return false;
  return at == NULL;
}

static void clear(void)
{
  if (shared.filled) mbedtls_x509_crt_free(&shared.list);
  shared.filled = false;
}

static int fill(const struct device_trust_bundle *bundle)
{
  clear();
  mbedtls_x509_crt_init(&shared.list);
  int error = parse_anchors(&shared.list, bundle);
  if (error != 0) mbedtls_x509_crt_free(&shared.list);
  shared.filled = error == 0;
  return error;
}

int device_anchors_get(const struct device_trust_bundle *bundle, mbedtls_x509_crt *own,
                       mbedtls_x509_crt **out)
{
  bool same = shared.filled && holds(bundle);
  *out = own;
  if (!same && shared.handshakes > 0) return parse_anchors(own, bundle);
  int error = same ? 0 : fill(bundle);
  if (error != 0) return error;
  shared.handshakes++;
  *out = &shared.list;
  return 0;
}

void device_anchors_put(mbedtls_x509_crt *anchors, mbedtls_x509_crt *own)
{
  mbedtls_x509_crt_free(own);
  if (anchors != &shared.list) return;
  shared.handshakes--;
  if (shared.handshakes == 0 && !(KEEP && shared.clients > 0)) clear();
}

void device_anchors_attach(void)
{
  shared.clients++;
}

void device_anchors_detach(void)
{
  shared.clients--;
  if (shared.clients == 0 && shared.handshakes == 0) clear();
}
