/* The page holds the identity, the anchors as a bundle that no back office signed (a device that
 * boots believes its memory), and the chain. Then the body: a socket, poll, and the device's events
 * in their order until it is online or has ended. */
#define _GNU_SOURCE
#include "survey/specimen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/secret.h"
#include "device/identity.h"
#include "device/trust.h"
#include "net/blocking.h"
#include "net/failure.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/nvm_store.h"

enum { OUT_ROOM = 16384, IN_ROOM = 4096, KEEP_ALIVE_S = 30, DAY_S = 86400 };

struct specimen {
  uint8_t page[DEVICE_NVM_PAGE_SIZE]; /* first, as the memory that its host reads and writes */
  struct device_profile profile;
  struct device_endpoint endpoint;
  struct device_naming naming;
  const char *alpn[2];
  const struct login *login;
  const struct survey_place *place;
  struct survey_trial *out;
  void *device;
  int fd;
  uint64_t deadline_ms;
  bool online, ended;
};

/* --- What its body lends it ------------------------------------------------------------------- */

static int tell_password(void *ctx, uint8_t out[DEVICE_PASSWORD_MAX])
{
  const struct specimen *specimen = ctx;
  const char *password = specimen->login->password;
  size_t size = password != NULL ? strlen(password) : 0;
  if (password == NULL || size > DEVICE_PASSWORD_MAX) return -1;
  memcpy(out, password, size);
  return (int) size;
}

static void observe(void *ctx, const struct device_note *note)
{
  struct specimen *specimen = ctx;
  struct survey_trial *out = specimen->out;
  if (note->kind == DEVICE_NOTE_HANDSHAKE) {
    out->secured = true;
    out->certificates = note->chain_certificates;
    if (note->anchor_id != NULL) memcpy(out->anchor, note->anchor_id, sizeof out->anchor);
  }
  if (note->kind == DEVICE_NOTE_ONLINE) specimen->online = true;
  if (note->kind != DEVICE_NOTE_ENDED) return;
  specimen->ended = true;
  if (specimen->online) return;
  out->failure = note->failure;
  out->alert = note->alert;
  out->code = note->code;
  if (note->chain_certificates > 0) out->certificates = note->chain_certificates;
}

/* --- Its memory ------------------------------------------------------------------------------- */

static int put_identity(struct device_host *host, EVP_PKEY *key, struct error *error)
{
  struct device_nvm_identity identity = {.id = 1, .name = "fleetsim-probe"};
  EVP_PKEY *own = key != NULL ? NULL : pki_key_generate(error);
  if (key == NULL && own == NULL) return -1;
  int result = pki_key_scalar(key != NULL ? key : own, identity.private_key, error);
  EVP_PKEY_free(own);
  if (result == 0 && device_nvm_format(host, &identity) != 0)
    result = error_set(error, EXIT_CODE_INTERNAL, "a device's memory cannot be made");
  secret_wipe(&identity, sizeof identity);
  return result;
}

/* A device holds two anchors at least: the second of a single one is a CA that signs nothing. */
static X509 *make_filler(struct error *error)
{
  EVP_PKEY *key = pki_key_generate(error);
  int64_t now = (int64_t) time(NULL);
  const struct pki_cert_spec spec = {.kind = PKI_CERT_CA,
                                     .subject = "fleetsim probe: no broker",
                                     .key = key,
                                     .not_before = now - DAY_S,
                                     .not_after = now + DAY_S};
  X509 *filler = key != NULL ? pki_cert_mint(&spec, error) : NULL;
  EVP_PKEY_free(key);
  return filler;
}

static int encode_trust(STACK_OF(X509) * anchors, uint8_t *out, size_t capacity, size_t *size)
{
  struct device_trust_bundle bundle = {.version = 1};
  uint8_t *der[DEVICE_ANCHORS_MAX] = {NULL};
  bool fits = sk_X509_num(anchors) <= (int) DEVICE_ANCHORS_MAX;
  for (int i = 0; fits && i < sk_X509_num(anchors); i++) {
    int length = i2d_X509(sk_X509_value(anchors, i), &der[i]);
    fits = length > 0 && length <= UINT16_MAX;
    if (!fits) break;
    bundle.anchor[i] = (struct device_trust_der){der[i], (uint16_t) length};
    bundle.anchor_count++;
  }
  *size = fits ? device_trust_encode(&bundle, out, capacity - DEVICE_TRUST_SIGNATURE_SIZE) : 0;
  for (size_t i = 0; i < DEVICE_ANCHORS_MAX; i++) OPENSSL_free(der[i]);
  if (*size == 0) return -1;
  memset(out + *size, 0, DEVICE_TRUST_SIGNATURE_SIZE);
  *size += DEVICE_TRUST_SIGNATURE_SIZE;
  return 0;
}

static int put_trust(struct device_host *host, STACK_OF(X509) * anchors, struct error *error)
{
  uint8_t bundle[DEVICE_NVM_TRUST_MAX];
  size_t size = 0;
  STACK_OF(X509) *all = sk_X509_dup(anchors);
  X509 *filler = sk_X509_num(anchors) == 1 ? make_filler(error) : NULL;
  if (all == NULL) memory_gone("trust anchors");
  if (filler != NULL) sk_X509_push(all, filler);
  int result = sk_X509_num(all) < 2 ? -1 : encode_trust(all, bundle, sizeof bundle, &size);
  if (result == 0) result = device_nvm_replace(host, DEVICE_NVM_TRUST, bundle, size);
  if (result != 0 && sk_X509_num(all) >= 2)
    error_set(
        error, EXIT_CODE_USAGE,
        "a device's memory holds no more than %u roots of %u bytes in all: name fewer of them",
        DEVICE_ANCHORS_MAX - 1, DEVICE_NVM_TRUST_MAX);
  X509_free(filler);
  sk_X509_free(all);
  return result;
}

static int put_chain(struct device_host *host, STACK_OF(X509) * chain, struct error *error)
{
  uint8_t bytes[DEVICE_NVM_CERTIFICATE_MAX];
  struct device_chain encoded = {0};
  uint8_t *der[DEVICE_CHAIN_MAX] = {NULL};
  bool fits = sk_X509_num(chain) <= (int) DEVICE_CHAIN_MAX;
  for (int i = 0; fits && i < sk_X509_num(chain); i++) {
    int length = i2d_X509(sk_X509_value(chain, i), &der[i]);
    fits = length > 0 && length <= UINT16_MAX;
    if (!fits) break;
    encoded.certificate[i].der = der[i];
    encoded.certificate[i].size = (uint16_t) length;
    encoded.count++;
  }
  size_t size = fits ? device_chain_encode(&encoded, bytes, sizeof bytes) : 0;
  for (size_t i = 0; i < DEVICE_CHAIN_MAX; i++) OPENSSL_free(der[i]);
  if (size > 0 && device_nvm_replace(host, DEVICE_NVM_CERTIFICATE, bytes, size) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "a device's memory holds a chain of no more than %u certificates and %u bytes",
                   DEVICE_CHAIN_MAX, DEVICE_NVM_CERTIFICATE_MAX);
}

/* --- Its body --------------------------------------------------------------------------------- */

static void step(struct specimen *specimen, struct device_event *event)
{
  uint8_t out[OUT_ROOM];
  struct device_effects effects = {.out = out, .out_capacity = sizeof out};
  event->now_ms = blocking_now_ms();
  event->unix_s = (int64_t) time(NULL);
  device_builtin.step(specimen->device, event, &effects);
  specimen->deadline_ms = effects.deadline_ms;
  for (size_t sent = 0; specimen->fd >= 0 && sent < effects.out_size;) {
    ssize_t n =
        send(specimen->fd, out + sent, effects.out_size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
      sent += (size_t) n;
    else if (!blocking_await(specimen->fd, POLLOUT, event->now_ms + SURVEY_MS))
      return;
    else if (errno != EAGAIN && errno != EINTR)
      return; /* what is read next says why */
  }
}

static void tell(struct specimen *specimen, enum device_event_kind kind)
{
  step(specimen, &(struct device_event){.kind = kind});
}

static void tell_closed(struct specimen *specimen, enum device_failure cause)
{
  struct device_event event = {.kind = DEVICE_CLOSED, .closed = {cause}};
  step(specimen, &event);
}

/* One turn: what has come, or that it is late. */
static void take_turn(struct specimen *specimen)
{
  uint8_t data[IN_ROOM];
  if (!blocking_await(specimen->fd, POLLIN, specimen->deadline_ms)) {
    tell(specimen, DEVICE_TICK);
    return;
  }
  ssize_t n = recv(specimen->fd, data, sizeof data, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    tell_closed(specimen, n == 0 ? DEVICE_FAIL_NONE : net_failure(errno));
    return;
  }
  specimen->out->bytes_in += (unsigned) n;
  struct device_event event = {.kind = DEVICE_BYTES, .bytes = {data, (size_t) n}};
  step(specimen, &event);
}

static void connect_once(struct specimen *specimen)
{
  const struct survey_place *place = specimen->place;
  struct blocking_place at = {.size = 0};
  uint64_t until_ms = blocking_now_ms() + SURVEY_MS;
  tell(specimen, DEVICE_TICK);
  tell(specimen, DEVICE_START);
  enum device_failure failure =
      blocking_connect(place->host, place->port, place->permit, until_ms, &specimen->fd, &at);
  if (failure != DEVICE_FAIL_NONE) {
    snprintf(specimen->out->detail, sizeof specimen->out->detail, "%s", at.detail);
    tell_closed(specimen, failure);
    specimen->out->failure = failure; /* of a name that is not found devices know nothing */
    return;
  }
  tell(specimen, DEVICE_OPENED);
  while (!specimen->ended && !specimen->online) take_turn(specimen);
  if (specimen->online && !specimen->ended) tell(specimen, DEVICE_STOP);
  close(specimen->fd);
}

static void build(struct specimen *specimen, const struct survey_visitor *visitor)
{
  const struct survey_place *place = specimen->place;
  specimen->alpn[0] = place->alpn;
  specimen->profile = (struct device_profile){
      .name = "probe",
      .tls_min = visitor->tls,
      .tls_max = visitor->tls,
      .mqtt_version = visitor->mqtt,
      .alpn = place->alpn != NULL ? specimen->alpn : NULL,
      .clean_start = true,
      .no_certificate = visitor->key == NULL,
      .keep_alive_s = KEEP_ALIVE_S,
      .tcp_timeout_ms = SURVEY_MS,
      .handshake_timeout_ms = SURVEY_MS,
      .connack_timeout_ms = SURVEY_MS,
      .ack_timeout_ms = SURVEY_MS,
      .byte_budget = 65536,
  };
  specimen->endpoint.host = place->server_name != NULL ? place->server_name : place->host;
  specimen->naming =
      (struct device_naming){.client_id = visitor->client_id, .user = visitor->login.user};
  specimen->login = &visitor->login;
  specimen->fd = -1;
}

static int boot(struct specimen *specimen, const struct device_host *host, struct error *error)
{
  const struct device_config config = {.profile = &specimen->profile,
                                       .endpoints = &specimen->endpoint,
                                       .endpoint_count = 1,
                                       .host = *host,
                                       .naming = &specimen->naming};
  specimen->device = calloc(1, device_builtin.storage_size(&specimen->profile));
  if (specimen->device == NULL) memory_gone("a device");
  int failure = device_builtin.create(specimen->device, &config);
  if (failure == 0) return 0;
  return error_set(error, EXIT_CODE_INTERNAL, "a device does not start: %s",
                   device_failure_sentence((enum device_failure) - failure));
}

int survey_try(const struct survey_place *place, const struct survey_visitor *visitor,
               STACK_OF(X509) * anchors, struct survey_trial *out, struct error *error)
{
  struct specimen *specimen = calloc(1, sizeof *specimen);
  if (specimen == NULL) memory_gone("a device");
  struct device_host host = pki_nvm_host(specimen->page);
  host.observe = observe;
  host.password = tell_password;
  *out = (struct survey_trial){.tls = visitor->tls, .mqtt = visitor->mqtt};
  specimen->place = place;
  specimen->out = out;
  build(specimen, visitor);
  int result = put_identity(&host, visitor->key, error);
  if (result == 0) result = put_trust(&host, anchors, error);
  if (result == 0 && visitor->key != NULL) result = put_chain(&host, visitor->chain, error);
  if (result == 0) result = boot(specimen, &host, error);
  if (result == 0) {
    connect_once(specimen);
    device_builtin.destroy(specimen->device);
  }
  free(specimen->device);
  secret_wipe(specimen, sizeof *specimen);
  free(specimen);
  return result;
}
