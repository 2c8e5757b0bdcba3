/* Telemetry in the words of a user, and any bytes in its place: nothing is taken for a message of the
 * run but what the run would have written itself.
 *
 * The input: 1 byte {bit 0: 0 bytes that a broker delivered, 1 a text of a scenario and its two
 * places, each of 1 byte size and so many bytes, the last one the text}. */
#include "base/payload_text.h"
#include "fuzz.h"

enum { MARK = 7, SEQUENCE = 12 };

static const struct payload_sender sender = {.began_unix_ms = 1795000000000, .name = "SN-7"};

/* The first two are alike up to their last byte; the third one's time nobody reads. */
static const struct payload_text texts[] = {
    {"{\"meta\":{\"seq\":{seq},\"t\":{unix_ms}},\"temp\":{random:18.0..24.0}}", "$.meta.seq",
     "$.meta.t"},
    {"{\"meta\":{\"seq\":{seq},\"t\":{unix_ms}},\"temp\":{random:18.0..24.0}}\n", "$.meta.seq",
     "$.meta.t"},
    {"{id} n={seq} c={counter} at={unix_ms}", "n=", ""},
};

static const struct payload_texts run = {
    .mark = MARK, .clones_mark = MARK ^ 1, .text = {&texts[0], &texts[1], &texts[2]}, .count = 3};

/* Byte by byte, where the time is known. */
static bool would_write(const struct payload *payload, const uint8_t *data, size_t size)
{
  uint8_t message[PAYLOAD_MAX];
  struct payload binary;
  if (payload_read(data, size, payload_sender_of(sender.name), &binary) == PAYLOAD_WHOLE)
    return binary.mark == payload->mark;
  for (size_t i = 0; i < run.count; i++)
    if (payload_text_write(&texts[i], &sender, payload, message) == size &&
        memcmp(message, data, size) == 0)
      return true;
  return false;
}

static void read_bytes(const uint8_t *data, size_t size)
{
  struct payload payload;
  enum payload_reading reading = payload_text_read(&run, &sender, data, size, &payload);
  bool ours = payload.mark == MARK || payload.mark == (MARK ^ 1);
  bool known = ours && payload.sent_us != PAYLOAD_UNTIMED;
  require(reading != PAYLOAD_ALTERED || ours || size >= 4, "what is altered has a mark");
  if (reading == PAYLOAD_WHOLE && known && payload.sent_us < UINT64_C(1) << 50)
    require(would_write(&payload, data, size), "what is whole is what was sent");
}

static void take_place(struct fuzz_input *in, char out[PAYLOAD_PLACE_MAX])
{
  size_t size = fuzz_number(in, 1);
  const uint8_t *from =
      fuzz_take(in, size < PAYLOAD_PLACE_MAX ? size : PAYLOAD_PLACE_MAX - 1, &size);
  memcpy(out, from, size);
}

static void try_text(struct fuzz_input *in)
{
  struct payload_text text = {.text = ""};
  struct payload_text_fault fault = {.of = ""};
  uint8_t message[PAYLOAD_MAX];
  size_t size;
  take_place(in, text.seq_at);
  take_place(in, text.time_at);
  const uint8_t *from = fuzz_take(in, PAYLOAD_MAX, &size);
  memcpy(text.text, from, size);
  if (payload_text_check(&text, &fault) != 0) {
    require(fault.at <= strlen(text.text) && fault.why[0] != '\0', "says what is wrong, and where");
    return;
  }
  const struct payload sent = {.mark = MARK, .sequence = SEQUENCE, .sent_us = 5000};
  const struct payload_texts one = {.mark = MARK, .text = {&text}, .count = 1};
  struct payload read;
  size = payload_text_write(&text, &sender, &sent, message);
  if (payload_text_read(&one, &sender, message, size, &read) == PAYLOAD_WHOLE && read.mark == MARK)
    require(read.sequence == SEQUENCE, "is the message that was sent");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  if ((fuzz_number(&in, 1) & 1) == 0)
    read_bytes(in.at, in.left);
  else
    try_text(&in);
  return 0;
}
