#define _GNU_SOURCE
#include "peer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MQTT_CONNECT     0x10
#define MQTT_PUBLISH     0x30
#define MQTT_QOS_1       0x02
#define MQTT_CLEAN_START 0x02

_Static_assert(CLIENT_PAYLOAD + PEER_TOPIC_SIZE + 6 <= PEER_PACKET_MAX, "a PUBLISH fits");
_Static_assert(PEER_PACKET_MAX - 2 < 128, "one byte tells a packet's length");

/* Not snprintf: a topic is made for every message, and must not be what is measured. */
struct peer_id peer_id(size_t index)
{
  struct peer_id id;
  size_t left = index + 1;
  for (size_t at = 8; at-- > 0; left >>= 4) id.text[at] = "0123456789abcdef"[left & 0xf];
  id.text[8] = '\0';
  return id;
}

void peer_topic(size_t index, char out[PEER_TOPIC_SIZE])
{
  struct peer_id id = peer_id(index);
  memcpy(out, "private/", 8);
  memcpy(out + 8, id.text, 8);
  memcpy(out + 16, "/telemetry", sizeof "/telemetry");
}

void peer_path(const struct client_config *config, const char *name, const char *suffix,
               char out[PEER_PATH_MAX])
{
  int size = snprintf(out, PEER_PATH_MAX, "%s/%s%s", config->peers, name, suffix);
  if (size < 0 || size >= PEER_PATH_MAX) abort();
}

static int can_read(const struct client_config *config, const char *name, const char *suffix,
                    struct error *error)
{
  char path[PEER_PATH_MAX];
  peer_path(config, name, suffix, path);
  if (access(path, R_OK) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s cannot be read: %zu devices need ca.crt and each its ID.crt and ID.key",
                   path, config->devices);
}

int peer_check(const struct client_config *config, struct error *error)
{
  if (strlen(config->peers) > PEER_PATH_MAX - 32)
    return error_set(error, EXIT_CODE_USAGE, "--peers %s: use a path of at most %d bytes",
                     config->peers, PEER_PATH_MAX - 32);
  if (can_read(config, "ca", ".crt", error) != 0) return -1;
  for (size_t i = 0; i < config->devices; i++)
    if (can_read(config, peer_id(i).text, ".crt", error) != 0 ||
        can_read(config, peer_id(i).text, ".key", error) != 0)
      return -1;
  return 0;
}

/* Appends one object's DER, which the caller made, to the identity's. */
static int append(struct peer_identity *identity, size_t *used, const uint8_t *der, int size,
                  uint16_t *size_out)
{
  if (size <= 0 || size > UINT16_MAX) return -1;
  uint8_t *grown = realloc(identity->der, *used + (size_t) size);
  if (grown == NULL) return -1;
  memcpy(grown + *used, der, (size_t) size);
  identity->der = grown;
  *used += (size_t) size;
  *size_out = (uint16_t) size;
  return 0;
}

static int append_certificate(struct peer_identity *identity, size_t *used, X509 *certificate)
{
  uint8_t *der = NULL;
  int status = -1;
  int size = i2d_X509(certificate, &der);
  if (identity->certificates < PEER_CHAIN_MAX)
    status = append(identity, used, der, size, &identity->certificate_size[identity->certificates]);
  if (status == 0) identity->certificates++;
  OPENSSL_free(der);
  return status;
}

static int read_chain(const char *path, struct peer_identity *identity, size_t *used)
{
  FILE *file = fopen(path, "re");
  if (file == NULL) return -1;
  int status = 0;
  X509 *certificate;
  while (status == 0 && (certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
    status = append_certificate(identity, used, certificate);
    X509_free(certificate);
  }
  fclose(file);
  return status == 0 && identity->certificates > 0 ? 0 : -1;
}

static int read_key(const char *path, struct peer_identity *identity, size_t *used)
{
  FILE *file = fopen(path, "re");
  if (file == NULL) return -1;
  EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
  fclose(file);
  if (key == NULL) return -1;
  uint8_t *der = NULL;
  int size = i2d_PrivateKey(key, &der);
  int status = append(identity, used, der, size, &identity->key_size);
  if (size > 0) OPENSSL_clear_free(der, (size_t) size);
  EVP_PKEY_free(key);
  return status;
}

int peer_identities(const struct client_config *config, struct peer_identity **out,
                    struct error *error)
{
  char path[PEER_PATH_MAX];
  if (peer_check(config, error) != 0) return -1;
  struct peer_identity *all = calloc(config->devices, sizeof *all);
  if (all == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "not enough memory for %zu identities: use fewer devices", config->devices);
  *out = all;
  for (size_t i = 0; i < config->devices; i++) {
    size_t used = 0;
    peer_path(config, peer_id(i).text, ".crt", path);
    if (read_chain(path, &all[i], &used) != 0)
      return error_set(error, EXIT_CODE_USAGE, "%s must hold 1 to %d certificates in PEM", path,
                       PEER_CHAIN_MAX);
    peer_path(config, peer_id(i).text, ".key", path);
    if (read_key(path, &all[i], &used) != 0)
      return error_set(error, EXIT_CODE_USAGE, "%s must hold a private key in PEM, not encrypted",
                       path);
  }
  return 0;
}

static size_t put_text(uint8_t *out, const char *text)
{
  size_t size = strlen(text);
  out[0] = (uint8_t) (size >> 8);
  out[1] = (uint8_t) size;
  memcpy(out + 2, text, size);
  return size + 2;
}

size_t peer_write_connect(size_t index, uint8_t out[PEER_PACKET_MAX])
{
  size_t size = 2;
  size += put_text(out + size, "MQTT");
  out[size++] = 4; /* MQTT 3.1.1 */
  out[size++] = MQTT_CLEAN_START;
  out[size++] = CLIENT_KEEP_ALIVE_S >> 8;
  out[size++] = CLIENT_KEEP_ALIVE_S & 0xff;
  size += put_text(out + size, peer_id(index).text);
  out[0] = MQTT_CONNECT;
  out[1] = (uint8_t) (size - 2);
  return size;
}

size_t peer_write_publish(size_t index, uint16_t packet_id, uint8_t out[PEER_PACKET_MAX])
{
  char topic[PEER_TOPIC_SIZE];
  peer_topic(index, topic);
  size_t size = 2 + put_text(out + 2, topic);
  if (packet_id != 0) {
    out[size++] = (uint8_t) (packet_id >> 8);
    out[size++] = (uint8_t) packet_id;
  }
  memset(out + size, 'x', CLIENT_PAYLOAD);
  size += CLIENT_PAYLOAD;
  out[0] = packet_id != 0 ? MQTT_PUBLISH | MQTT_QOS_1 : MQTT_PUBLISH;
  out[1] = (uint8_t) (size - 2);
  return size;
}
