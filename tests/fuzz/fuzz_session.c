/* A whole MQTT session: any bytes from the broker, in any pieces, while time passes and the
 * application goes on. The device writes whole packets that the broker can take, says once how each
 * attempt ended, and answers for each message. TLS is left out: its records are these bytes.
 *
 * The input: 1 byte {bit 0 MQTT 3.1.1, bit 1 clean start, bit 2 a will, bits 3-4 policy of
 * tickets, bit 5 the device borrows room, bit 6 and gets it two times of three}, then events of 1
 * byte kind, 2 bytes size and so many bytes. */
#include <stdalign.h>

#include "device/bytes.h"
#include "device/client.h"
#include "fleetsim/nvm.h"
#include "fuzz.h"

#define EVENTS_MAX 200u

enum event { BYTES, TICK, PUBLISH, SUBSCRIBE, CLOSED, STOP, KINDS };

static uint8_t page[DEVICE_NVM_PAGE_SIZE];
static alignas(max_align_t) uint8_t storage[sizeof(struct device_client_whole)];
static struct device_client *client = (struct device_client *) storage;
static unsigned attempts, ended, taken, answered;
static unsigned loans, asked_room;
static bool meagre;

/* --- What there is instead of TLS ------------------------------------------------------------- */

void device_tls_init(struct device_tls *tls)
{
  memset(tls, 0, sizeof *tls);
}

void device_tls_wake(struct device_tls *tls)
{
  (void) tls;
}

void device_tls_rest(struct device_tls *tls)
{
  (void) tls;
}

int device_tls_open(struct device_tls *tls, struct device_tls_handshake *handshake,
                    const struct device_tls_options *options)
{
  (void) handshake;
  require(options->host != NULL && options->peer != NULL, "says whom it means");
  tls->open = true;
  tls->error = 0;
  return 0;
}

int device_tls_handshake(struct device_tls *tls)
{
  require(tls->open, "shakes hands on an open connection");
  return 0;
}

int device_tls_read(struct device_tls *tls, uint8_t *data, size_t capacity)
{
  size_t size = tls->in_size < capacity ? tls->in_size : capacity;
  require(tls->open && capacity > 0, "reads where there is room");
  if (size == 0) return 0;
  memcpy(data, tls->in, size);
  tls->in += size;
  tls->in_size -= size;
  return (int) size;
}

/* Each call is one packet, or several: whole ones of a client. */
static void check_packets(const uint8_t *data, size_t size)
{
  while (size > 0) {
    size_t length = 0, at = 1;
    uint8_t type = data[0] >> 4;
    require(size >= 2 &&
                (type == 1 || (type >= 3 && type <= 8) || type == 10 || type == 12 || type == 14),
            "a packet that clients send");
    do require(at < size && at <= 4, "a length");
    while (length |= (size_t) (data[at] & 0x7f) << 7 * (at - 1), (data[at++] & 0x80) != 0);
    require(length <= size - at, "a whole packet");
    require(at + length <= DEVICE_SESSION_PACKET_MAX, "no packet is larger than planned");
    if (type == 3)
      require(at + length <= client->session.packet_maximum,
              "no message is larger than the broker takes");
    data += at + length;
    size -= at + length;
  }
}

int device_tls_write(struct device_tls *tls, const uint8_t *data, size_t size)
{
  require(tls->open && data != NULL && size > 0, "writes something, on an open connection");
  check_packets(data, size);
  if (size > tls->out_capacity - tls->out_size) return tls->error = DEVICE_TLS_FULL;
  memcpy(tls->out + tls->out_size, data, size);
  tls->out_size += size;
  return 0;
}

void device_tls_close(struct device_tls *tls)
{
  tls->open = false;
  tls->error = 0;
}

const mbedtls_x509_crt *device_tls_leaf(const struct device_tls *tls)
{
  (void) tls;
  return NULL;
}

void device_tls_settle(struct device_tls *tls)
{
  (void) tls;
}

bool device_tls_is_secured(const struct device_tls *tls)
{
  return tls->open;
}

void device_tls_notify(struct device_tls *tls)
{
  (void) tls;
}

void device_tls_credentials_changed(struct device_tls *tls)
{
  (void) tls;
}

uint8_t device_tls_version(const struct device_tls *tls)
{
  (void) tls;
  return 13;
}

/* The device around it
 * -----------------------------------------------------------------------------------------------*/

static int read_page(void *ctx, uint32_t offset, void *out, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "reads inside the page");
  memcpy(out, page + offset, size);
  return 0;
}

static int write_page(void *ctx, uint32_t offset, const void *data, size_t size)
{
  (void) ctx;
  require(size <= sizeof page && offset <= sizeof page - size, "writes inside the page");
  memcpy(page + offset, data, size);
  return 0;
}

static int some_random(void *ctx, uint8_t *out, size_t size)
{
  (void) ctx;
  memset(out, 0x40, size);
  return 0;
}

static uint32_t asked = 1000; /* tag of the message under way */
/* the device itself forbids it: at QoS 0 it says so, and does not take it */
static bool declined;

static void observe(void *ctx, const struct device_note *note)
{
  (void) ctx;
  if (note->kind == DEVICE_NOTE_ENDED) {
    require(note->failure > DEVICE_FAIL_NONE && note->failure < DEVICE_FAIL_COUNT,
            "an end has a name");
    ended++;
  }
  if ((note->kind == DEVICE_NOTE_ACKED || note->kind == DEVICE_NOTE_DENIED) && note->tag >= 1000)
    answered++;
  if (note->kind == DEVICE_NOTE_DENIED && note->declined && note->tag == asked) declined = true;
  if (note->kind == DEVICE_NOTE_MESSAGE)
    for (size_t i = 0; i < note->topic_size; i++)
      require(note->topic[i] != '\0', "a topic without a zero");
}

static uint64_t now_ms;

static struct device_effects step(struct device_event *event)
{
  static uint8_t out[DEVICE_OUT_MIN];
  struct device_effects effects = {.out = out, .out_capacity = sizeof out};
  event->now_ms = now_ms;
  event->unix_s = 1800000000;
  device_builtin.step(client, event, &effects);
  require(effects.out_size <= sizeof out, "what is sent fits");
  require(ended <= attempts && ended + 1 >= attempts, "each attempt ends once");
  require(ended < attempts || client->state == DEVICE_CLIENT_IDLE, "what is over is idle");
  require(client->rx_size <= DEVICE_SESSION_RECEIVE_MAX, "what is received fits");
  if (client->config.profile->borrows)
    require((client->rx_size > 0) == (client->buffer != NULL) &&
                (client->session.outbox.count > 0) == (client->session.outbox.room != NULL),
            "borrows no longer than it needs");
  return effects;
}

static void start_where_idle(void)
{
  if (client->state != DEVICE_CLIENT_IDLE) return;
  attempts++;
  require(step(&(struct device_event){.kind = DEVICE_START}).connect, "asks for a transport");
  (void) step(&(struct device_event){.kind = DEVICE_OPENED});
}

static void happen(enum event kind, const uint8_t *data, size_t size)
{
  struct device_event event = {.kind = DEVICE_TICK};
  char topic[40] = "telemetry";
  switch (kind) {
  case BYTES:
    event.kind = DEVICE_BYTES;
    event.bytes.data = data;
    event.bytes.size = size;
    break;
  case TICK: now_ms += 1 + size * 64; break;
  case PUBLISH:
  case SUBSCRIBE:
    if (size > 1) memset(topic, 'a' + data[1] % 26, 1 + data[1] % (sizeof topic - 1));
    event.kind = kind == PUBLISH ? DEVICE_PUBLISH : DEVICE_SUBSCRIBE;
    event.publish.topic = topic;
    event.publish.payload = data;
    event.publish.size = size;
    event.publish.tag = ++asked;
    event.publish.qos = size > 0 ? data[0] % 3 : 1;
    break;
  case CLOSED:
    event.kind = DEVICE_CLOSED;
    event.closed.cause = size > 0 && data[0] % 2 == 0 ? DEVICE_FAIL_NONE : DEVICE_FAIL_TCP_RESET;
    break;
  default: event.kind = DEVICE_STOP; break;
  }
  declined = false;
  bool accepted = step(&event).accepted;
  taken += accepted || declined;
  require(answered <= taken, "answers only for what it took");
}

/* Exact, so that a sanitizer sees what is written past it. */
static void *lend(void *ctx, size_t size)
{
  (void) ctx;
  require(loans < 2, "borrows two things at most");
  if (meagre && ++asked_room % 3 == 0) return NULL;
  void *room = malloc(size);
  require(room != NULL, "the machine has memory");
  memset(room, 0xa5, size);
  loans++;
  return room;
}

static void give_back(void *ctx, void *room, size_t size)
{
  (void) ctx;
  memset(room, 0x5a, size);
  free(room);
  loans--;
}

static void power_on(const struct device_profile *profile)
{
  static const struct device_endpoint endpoint = {.host = "broker.test"};
  const struct device_config config = {.profile = profile,
                                       .endpoints = &endpoint,
                                       .endpoint_count = 1,
                                       .host = {.random = some_random,
                                                .nvm_read = read_page,
                                                .nvm_write = write_page,
                                                .observe = observe,
                                                .lend = lend,
                                                .give_back = give_back}};
  memset(page, 0xff, sizeof page);
  require(device_nvm_format(&config.host, &(struct device_nvm_identity){.id = 7}) == 0,
          "the page is formatted");
  require(
      device_nvm_replace(&config.host, DEVICE_NVM_CERTIFICATE, (const uint8_t *) "a chain", 7) == 0,
      "has a chain");
  attempts = ended = taken = answered = 0;
  now_ms = 1000;
  require(device_builtin.create(client, &config) == 0, "the device boots");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  uint32_t head = fuzz_number(&in, 1);
  const struct device_profile profile = {.name = "fuzzed",
                                         .mqtt_version = (head & 1) != 0 ? 4 : 5,
                                         .borrows = (head & 32) != 0,
                                         .clean_start = (head & 2) != 0,
                                         .will = (head & 4) != 0,
                                         .resume = (enum device_resume)((head >> 3 & 3) % 3),
                                         .keep_alive_s = 5,
                                         .session_expiry_s = 60,
                                         .tcp_timeout_ms = 1000,
                                         .handshake_timeout_ms = 1000,
                                         .connack_timeout_ms = 1000,
                                         .ack_timeout_ms = 2000,
                                         .byte_budget = 4096};
  meagre = (head & 64) != 0;
  asked_room = loans = 0;
  power_on(&profile);
  for (unsigned events = 0; events < EVENTS_MAX && in.left >= 3; events++) {
    enum event kind = (enum event)(fuzz_number(&in, 1) % KINDS);
    size_t n = fuzz_number(&in, 2);
    const uint8_t *bytes = fuzz_take(&in, n, &n);
    start_where_idle();
    happen(kind, bytes, n);
  }
  device_builtin.destroy(client);
  require(loans == 0, "gives all back");
  return 0;
}
