/* Any messages that a broker delivers to the back office: each is counted once, nothing of a device
 * that is not of the fleet is believed, and what is handed on is text that can be printed.
 *
 * The input: messages of 1 byte {bits 0-2 which topic, bits 3-4 which device, bit 5 the topic is
 * the payload's first bytes up to a zero, bit 6 the broker had kept it, bit 7 it is telemetry of the
 * mark and sequence number that these bytes begin with}, 2 bytes size and so many bytes. */
#include "base/payload.h"
#include "fleetsim/device.h"
#include "fuzz.h"
#include "office/internal.h"

enum { DEVICES = 3, MESSAGES_MAX = 200, MARK = 7 };

static struct office office;
static unsigned woken;

static uint64_t some_time(void *clock)
{
  (void) clock;
  return 1000000;
}

static void wake(void *ctx)
{
  (void) ctx;
  woken++;
}

static void describe(void *ctx, size_t index, struct template_values *out)
{
  static const char *const ids[DEVICES] = {"00000007", "0000002a", "ffffffff"};
  (void) ctx;
  out->id = ids[index];
}

static void begin(struct ledger *ledgers)
{
  static struct names *names; /* lives as long as the program */
  static bool begun;
  if (!begun) {
    require(names_create(&names_usual, DEVICES, describe, NULL, &names, NULL, NULL) == 0, "names");
    pthread_mutex_init(&office.mutex, NULL);
    office.config = (struct office_config){.device_count = DEVICES,
                                           .names = names,
                                           .telemetry = {.mark = MARK},
                                           .now_us = some_time,
                                           .wake = wake,
                                           .ota = true};
    office.event_limit = 64;
    begun = true;
  }
  office.ledgers = ledgers;
  office.tally = (struct office_tally){0};
  office.latency_count = 0;
  office.latencies_skipped = 0;
  require(blocks_open(&office.book, DEVICES), "there is memory");
}

static void end(void)
{
  for (size_t i = 0; i < DEVICES; i++) free(office.ledgers[i].words);
  free(office.events);
  office.events = NULL;
  office.event_first = office.event_count = office.event_capacity = 0;
  blocks_close(&office.book);
}

static void deliver(struct fuzz_input *in)
{
  static const char *const below[] = {"telemetry",  "trust/ack", "cert/ack", "status",
                                      "ota/status", "ota/get",   "",         "telemetry/x"};
  static const char *const devices[] = {"00000007", "0000002a", "ffffffff", "00000001"};
  char topic[200];
  uint32_t which = fuzz_number(in, 1);
  size_t size = fuzz_number(in, 2);
  const uint8_t *payload = fuzz_take(in, size, &size);
  snprintf(topic, sizeof topic, "private/%s/%s", devices[which >> 3 & 3], below[which & 7]);
  const uint8_t *zero = size > 0 ? memchr(payload, '\0', size) : NULL;
  if ((which & 32) != 0 && zero != NULL && (size_t) (zero - payload) < sizeof topic) {
    strcpy(topic, (const char *) payload);
    size -= (size_t) (zero + 1 - payload);
    payload = zero + 1;
  }
  uint8_t whole[64];
  if ((which & 128) != 0 && size >= 2) {
    payload_write(whole, sizeof whole,
                  &(struct payload){.mark = payload[0],
                                    .sequence = payload[1] % 16,
                                    .sender = payload_sender_of(devices[which >> 3 & 3])});
    payload = whole;
    size = sizeof whole;
  }
  inbox_message(&office, topic, payload, size, (which & 64) != 0);
}

static void check_events(void)
{
  struct office_event event;
  while (office_collect(&office, &event)) {
    require(event.index == SIZE_MAX || event.index < DEVICES, "a device of the fleet, or none");
    require(event.kind != OFFICE_TRUST_ACK || event.code < DEVICE_UPDATE_COUNT,
            "a word of the list");
    require(event.kind != OFFICE_OTA_STATUS || event.code < DEVICE_OTA_STATUS_COUNT,
            "a word of the other list");
    require(memchr(event.text, '\0', sizeof event.text) != NULL, "a text ends");
    require(memchr(event.topic, '\0', sizeof event.topic) != NULL, "a topic ends");
    for (const char *c = event.text; *c != '\0'; c++)
      require(*c >= ' ' && *c <= '~', "a text can be printed");
    for (const char *c = event.topic; *c != '\0'; c++)
      require(*c >= ' ' && *c <= '~', "a topic can be printed");
    require(event.kind == OFFICE_MESSAGE || event.index != SIZE_MAX,
            "only devices of the fleet are believed");
  }
}

static void check_blocks(void)
{
  struct blocks_want want;
  for (unsigned i = 0; i < DEVICES * 64 + 1; i++) {
    if (!blocks_next(&office.book, &want)) return;
    require(want.index < DEVICES, "a device of the fleet waits");
  }
  require(false, "each device waits for 64 blocks at most");
}

static void check_tally(uint64_t messages)
{
  struct office_tally tally;
  uint64_t arrived = 0;
  office_tally(&office, &tally);
  for (size_t i = 0; i < DEVICES; i++)
    for (size_t word = 0; word < office.ledgers[i].word_count; word++)
      arrived += (uint64_t) __builtin_popcountll(office.ledgers[i].words[word]);
  require(tally.delivered == arrived, "counts what is in the ledgers");
  require(tally.delivered + tally.duplicated + tally.strangers + tally.foreign + tally.beyond +
                  tally.altered + tally.block_requests <=
              messages,
          "counts no message twice");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  struct ledger ledgers[DEVICES] = {{.words = NULL}};
  uint64_t messages = 0;
  begin(ledgers);
  for (; messages < MESSAGES_MAX && in.left >= 3; messages++) deliver(&in);
  check_tally(messages);
  check_events();
  check_blocks();
  end();
  return 0;
}
