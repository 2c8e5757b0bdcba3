/* A list of the kinds of settings in use, each counted by its connections. Its first entry is
 * static, so that a program with one profile takes nothing from the heap for it. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS /* what is the device's own: the library only has setters that add */
#include "tls_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <mbedtls/platform.h>

struct settings {
  mbedtls_ssl_config config; /* the first member: by its address they are given back */
  unsigned connections;
  struct settings *next;
};

/* All clients of a program belong to one thread (device_builtin). */
static struct settings first;

static void strip_device(mbedtls_ssl_config *out, const mbedtls_ssl_config *of)
{
  memcpy(out, of, sizeof *out); /* with its padding, which the library has set to 0 */
  out->key_cert = NULL;
  out->ca_chain = NULL;
  out->ca_crl = NULL;
  out->f_vrfy = NULL;
  out->p_vrfy = NULL;
}

/* Padding counts too: that is never wrong, at worst a kind more. */
static bool is_same(const void *a, const void *b)
{
  return memcmp(a, b, sizeof(mbedtls_ssl_config)) == 0;
}

static struct settings *find_kind(const mbedtls_ssl_config *stripped)
{
  struct settings *at = &first;
  while (at != NULL && (at->connections == 0 || !is_same(&at->config, stripped))) at = at->next;
  return at;
}

static struct settings *add_kind(const mbedtls_ssl_config *stripped)
{
  struct settings *free_one = first.connections == 0 ? &first : mbedtls_calloc(1, sizeof first);
  if (free_one == NULL) return NULL;
  memcpy(&free_one->config, stripped, sizeof *stripped);
  if (free_one == &first) return free_one;
  free_one->next = first.next;
  first.next = free_one;
  return free_one;
}

const mbedtls_ssl_config *device_tls_settings_get(const mbedtls_ssl_config *of)
{
  mbedtls_ssl_config stripped;
  strip_device(&stripped, of);
  struct settings *settings = find_kind(&stripped);
  if (settings == NULL) settings = add_kind(&stripped);
  if (settings == NULL) return NULL;
  settings->connections++;
  return &settings->config;
}

void device_tls_settings_put(const mbedtls_ssl_config *settings)
{
  struct settings *of = (struct settings *) (uintptr_t) settings;
  if (settings == NULL || --of->connections > 0 || of == &first) return;
  struct settings *before = &first;
  while (before->next != of) before = before->next;
  before->next = of->next;
  mbedtls_free(of);
}
