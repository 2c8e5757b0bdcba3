/* Stands for the device's TLS (device/tls.h) and for what it believes by signatures: the rest of
 * the client is the very one that firmware links. Records are a letter, two bytes of size, and what
 * they carry; certificates are lines of text (papers.h).
 *
 *     H host ->      <- C chain      F chain ->      D data <->      A alert, N end
 *
 * The broker's chain is judged as the client would: path to an anchor of its bundle, lists, name.
 * As in TLS 1.3 the device is done before the broker has judged its certificate. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "device/tls.h"

#include <assert.h>
#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/meter.h"
#include "device/anchors.h"
#include "device/identity.h"
#include "device/platform.h"
#include "device/signature.h"
#include "device/trust.h"
#include "papers.h"

#define ROOM 16384u

/* What stands behind an open device_tls: bytes that came and are not read. */
struct plain {
  uint8_t in[ROOM];
  size_t size;
  uint16_t left; /* of the data record at the front */
  char peer[64];
  mbedtls_x509_crt leaf;
  char leaf_line[PAPERS_LINE];
  bool shows; /* its certificate */
};

static const struct device_platform *acting;

void device_platform_enter(const struct device_platform *platform)
{
  acting = platform;
}

void device_platform_leave(void)
{
  acting = NULL;
}

static struct plain *plain_of(const struct device_tls *tls)
{
  return tls->ssl.p_bio;
}

/* --- Records ---------------------------------------------------------------------------------- */

static void take_in(struct device_tls *tls)
{
  struct plain *plain = plain_of(tls);
  if (tls->in_size == 0) return;
  assert(plain->size + tls->in_size <= ROOM);
  memcpy(plain->in + plain->size, tls->in, tls->in_size);
  plain->size += tls->in_size;
  tls->in_size = 0;
}

static void drop(struct plain *plain, size_t size)
{
  plain->size -= size;
  memmove(plain->in, plain->in + size, plain->size);
}

/* The type of the record at the front, if it is whole; 0: it is not. */
static char record_at(const struct plain *plain, uint16_t *size)
{
  if (plain->size < 3) return 0;
  *size = (uint16_t) (plain->in[1] << 8 | plain->in[2]);
  return plain->size >= 3u + *size ? (char) plain->in[0] : 0;
}

static int put(struct device_tls *tls, char type, const void *data, size_t size)
{
  if (tls->out_capacity - tls->out_size < size + 3) return tls->error = DEVICE_TLS_FULL;
  uint8_t *at = tls->out + tls->out_size;
  at[0] = (uint8_t) type;
  at[1] = (uint8_t) (size >> 8);
  at[2] = (uint8_t) size;
  if (size > 0) memcpy(at + 3, data, size);
  tls->out_size += size + 3;
  return 0;
}

/* --- What the device holds -------------------------------------------------------------------- */

static size_t read_slot(struct device_tls *tls, const struct device_host *host,
                        enum device_nvm_area area, uint8_t *out, size_t room)
{
  struct device_nvm_slot *slot = &tls->found[area];
  if (slot->size == 0 && device_nvm_find(host, area, slot) != 0) return 0;
  if (slot->size > room || host->nvm_read(host->ctx, slot->offset, out, slot->size) != 0) return 0;
  return slot->size;
}

static void add_line(char *text, size_t *used, const uint8_t *line, size_t size)
{
  memcpy(text + *used, line, size);
  *used += size;
  text[(*used)++] = '\n';
}

static size_t bundle_text(struct device_tls *tls, const struct device_host *host, char *text)
{
  uint8_t bytes[DEVICE_NVM_TRUST_MAX];
  struct device_trust_bundle bundle;
  size_t used = 0, size = read_slot(tls, host, DEVICE_NVM_TRUST, bytes, sizeof bytes);
  if (size == 0 || device_trust_parse(bytes, size, &bundle) != DEVICE_UPDATE_COMMITTED) return 0;
  for (uint8_t i = 0; i < bundle.anchor_count; i++)
    add_line(text, &used, bundle.anchor[i].der, bundle.anchor[i].size);
  for (uint8_t i = 0; i < bundle.crl_count; i++)
    add_line(text, &used, bundle.crl[i].der, bundle.crl[i].size);
  return used;
}

static size_t own_text(struct device_tls *tls, const struct device_host *host, char *text)
{
  uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX];
  struct device_chain chain;
  size_t used = 0, size = read_slot(tls, host, DEVICE_NVM_CERTIFICATE, bytes, sizeof bytes);
  if (size == 0 || device_chain_parse(bytes, size, &chain) != DEVICE_UPDATE_COMMITTED) return 0;
  for (uint8_t i = 0; i < chain.count; i++)
    add_line(text, &used, chain.certificate[i].der, chain.certificate[i].size);
  return used;
}

/* --- The handshake ---------------------------------------------------------------------------- */

void device_tls_init(struct device_tls *tls)
{
  memset(tls, 0, sizeof *tls);
}

int device_tls_open(struct device_tls *tls, struct device_tls_handshake *handshake,
                    const struct device_tls_options *options)
{
  struct plain *plain = calloc(1, sizeof *plain);
  assert(plain != NULL && strlen(options->peer) < sizeof plain->peer);
  tls->ssl.p_bio = plain;
  tls->handshake = handshake;
  handshake->revocation = options->profile->revocation;
  tls->open = true;
  tls->error = 0;
  strcpy(plain->peer, options->peer);
  plain->shows = !options->profile->no_certificate;
  return put(tls, 'H', plain->peer, strlen(plain->peer));
}

static uint32_t flags_of(enum papers_verdict verdict)
{
  switch (verdict) {
  case PAPERS_GOOD: return 0;
  case PAPERS_NOT_TRUSTED: return MBEDTLS_X509_BADCERT_NOT_TRUSTED;
  case PAPERS_REVOKED: return MBEDTLS_X509_BADCERT_REVOKED;
  case PAPERS_EXPIRED: return MBEDTLS_X509_BADCERT_EXPIRED;
  case PAPERS_NAME: return MBEDTLS_X509_BADCERT_CN_MISMATCH;
  case PAPERS_CRL: return MBEDTLS_X509_BADCRL_EXPIRED;
  }
  return MBEDTLS_X509_BADCERT_OTHER;
}

static int judge(struct device_tls *tls, const uint8_t *data, size_t size)
{
  struct plain *plain = plain_of(tls);
  struct papers chain, bundle;
  char text[DEVICE_NVM_TRUST_MAX + 64], anchor[48] = "root ";
  papers_read((const char *) data, size, &chain);
  papers_read(text, bundle_text(tls, acting->host, text), &bundle);
  const struct papers_question question = {
      .chain = &chain,
      .anchors = &bundle,
      .lists = tls->handshake->revocation == DEVICE_REVOCATION_OFF ? NULL : &bundle,
      .lists_required = tls->handshake->revocation == DEVICE_REVOCATION_REQUIRED,
      .host = plain->peer,
      .unix_s = acting->unix_s};
  tls->verdict.certificates = (uint8_t) chain.count;
  tls->verdict.flags = flags_of(papers_judge(&question, anchor + 5));
  if (tls->verdict.flags != 0) return tls->error = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
  tls->verdict.checked = true;
  papers_hash(anchor, strlen(anchor), tls->verdict.anchor_id);
  strcpy(plain->leaf_line, chain.of[0].line);
  plain->leaf.raw.p = (unsigned char *) plain->leaf_line;
  plain->leaf.raw.len = strlen(plain->leaf_line);
  return 0;
}

static int end_by(struct device_tls *tls, char type)
{
  tls->verdict.alert = type == 'A' ? plain_of(tls)->in[3] : 0;
  return tls->error = type == 'A'   ? MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
                      : type == 'N' ? MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY
                                    : MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
}

int device_tls_handshake(struct device_tls *tls)
{
  uint16_t size;
  char text[DEVICE_NVM_CERTIFICATE_MAX];
  take_in(tls);
  char type = record_at(plain_of(tls), &size);
  if (type == 0) return DEVICE_TLS_WANT;
  if (type != 'C') return end_by(tls, type);
  int error = judge(tls, plain_of(tls)->in + 3, size);
  drop(plain_of(tls), 3u + size);
  if (error != 0) {
    uint8_t alert = MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
    (void) put(tls, 'A', &alert, 1);
    return error;
  }
  if (!plain_of(tls)->shows) return put(tls, 'F', "", 0);
  crypto_meter_current()->sign++; /* by that the fleet knows that a chain was sent */
  return put(tls, 'F', text, own_text(tls, acting->host, text));
}

const mbedtls_x509_crt *device_tls_leaf(const struct device_tls *tls)
{
  return tls->verdict.checked ? &plain_of(tls)->leaf : NULL;
}

void device_tls_settle(struct device_tls *tls)
{
  tls->handshake = NULL;
}

void device_tls_wake(struct device_tls *tls)
{
  (void) tls;
}

void device_tls_rest(struct device_tls *tls)
{
  (void) tls;
}

bool device_tls_is_secured(const struct device_tls *tls)
{
  return tls->open && tls->handshake == NULL;
}

/* --- Data ------------------------------------------------------------------------------------- */

int device_tls_read(struct device_tls *tls, uint8_t *data, size_t capacity)
{
  struct plain *plain = plain_of(tls);
  uint16_t size;
  take_in(tls);
  if (plain->left == 0) {
    char type = record_at(plain, &size);
    if (type == 0) return 0;
    if (type != 'D') return end_by(tls, type);
    drop(plain, 3);
    plain->left = size;
  }
  size_t n = plain->left < capacity ? plain->left : capacity;
  memcpy(data, plain->in, n);
  drop(plain, n);
  plain->left = (uint16_t) (plain->left - n);
  return (int) n;
}

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  return tls->error != 0 ? tls->error : put(tls, 'D', data, size);
}

void device_tls_notify(struct device_tls *tls)
{
  if (device_tls_is_secured(tls)) (void) put(tls, 'N', NULL, 0);
}

void device_tls_close(struct device_tls *tls)
{
  if (!tls->open) return;
  free(tls->ssl.p_bio);
  tls->ssl.p_bio = NULL;
  tls->open = false;
  tls->error = 0;
  tls->handshake = NULL;
  memset(&tls->verdict, 0, sizeof tls->verdict);
}

void device_tls_credentials_changed(struct device_tls *tls)
{
  memset(tls->found, 0, sizeof tls->found);
}

uint8_t device_tls_version(const struct device_tls *tls)
{
  (void) tls;
  return 13;
}

/* There are no tickets. */
void device_tls_confirmed(struct device_tls *tls)
{
  (void) tls;
}

void device_tls_forget_ticket(struct device_tls *tls)
{
  (void) tls;
}

void device_tls_drop_ticket(struct device_tls *tls)
{
  (void) tls;
}

/* --- What is believed by a signature ---------------------------------------------------------- */

enum device_update device_trust_update(const struct device_host *host, const uint8_t update_key[65],
                                       enum device_revocation policy, uint32_t current,
                                       const uint8_t *data, size_t size, uint32_t *version)
{
  struct device_trust_bundle bundle;
  (void) update_key;
  *version = current;
  enum device_update update = device_trust_parse(data, size, &bundle);
  if (update != DEVICE_UPDATE_COMMITTED) return update;
  if (bundle.version == current && device_nvm_holds(host, DEVICE_NVM_TRUST, data, size) == 1)
    return DEVICE_UPDATE_SAME;
  if (bundle.version <= current) return DEVICE_UPDATE_OLDER;
  if (policy == DEVICE_REVOCATION_REQUIRED && bundle.crl_count == 0) return DEVICE_UPDATE_NO_CRL;
  if (device_nvm_replace(host, DEVICE_NVM_TRUST, data, size) != 0) return DEVICE_UPDATE_NVM_FAILED;
  *version = bundle.version;
  return DEVICE_UPDATE_COMMITTED;
}

enum device_update device_identity_update(const struct device_host *host,
                                          const struct device_nvm_identity *identity,
                                          const uint8_t *data, size_t size)
{
  struct device_chain chain;
  (void) identity;
  enum device_update update = device_chain_parse(data, size, &chain);
  if (update != DEVICE_UPDATE_COMMITTED) return update;
  if (device_nvm_holds(host, DEVICE_NVM_CERTIFICATE, data, size) == 1) return DEVICE_UPDATE_SAME;
  return device_nvm_replace(host, DEVICE_NVM_CERTIFICATE, data, size) == 0
             ? DEVICE_UPDATE_COMMITTED
             : DEVICE_UPDATE_NVM_FAILED;
}

void device_anchors_attach(void)
{
}

void device_anchors_detach(void)
{
}

psa_status_t psa_crypto_init(void)
{
  return PSA_SUCCESS;
}

void mbedtls_platform_zeroize(void *memory, size_t size)
{
  memset(memory, 0, size);
}
