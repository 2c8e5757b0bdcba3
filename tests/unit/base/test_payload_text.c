/* Payloads in the words of a user: what may be written, what is written, and what is read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/payload_text.h"

#define BEGAN_MS 1795000000000

static const struct payload_sender sender = {.began_unix_ms = BEGAN_MS, .name = "SN-2026-000007"};
static const struct payload_sender other = {.began_unix_ms = BEGAN_MS, .name = "SN-2026-000008"};
static const struct payload seventh = {.mark = 0xa1b2c3d4, .sequence = 7, .sent_us = 12345678};

static struct payload_text text_of(const char *text, const char *seq_at, const char *time_at)
{
  struct payload_text out = {.text = ""};
  snprintf(out.text, sizeof out.text, "%s", text);
  snprintf(out.seq_at, sizeof out.seq_at, "%s", seq_at);
  snprintf(out.time_at, sizeof out.time_at, "%s", time_at);
  return out;
}

static const char *written(const struct payload_text *text, const struct payload *payload)
{
  static char out[PAYLOAD_MAX + 1];
  out[payload_text_write(text, &sender, payload, (uint8_t *) out)] = '\0';
  return out;
}

#define ISSUE "{\"meta\":{\"seq\":{seq},\"t\":{unix_ms}},\"temp\":{random:18.0..24.0}}"

/* 0xa1b2c3d4 % 800719925 = 310687541, and 100000000 more. */
#define RUN "410687541"

static void a_message_is_the_text_with_its_places_filled_in(void **state)
{
  (void) state;
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"{\"s\":{seq}}", "{\"s\":" RUN "0000007}"},
      {"{unix_ms}", "1795000012345"},
      {"{id} {counter}", "SN-2026-000007 7"},
      {"{}{ seq }{\"a\":1}}{{id}}{7}", "{}{ seq }{\"a\":1}}{SN-2026-000007}{7}"},
      {"{random:5..6", "{random:5..6"},
      {"{", "{"},
      {"}{", "}{"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct payload_text text = text_of(cases[i].text, "", "");
    struct payload_text_fault fault;
    if (payload_text_check(&text, &fault) != 0) fail_msg("%s: %s", cases[i].text, fault.why);
    assert_string_equal(written(&text, &seventh), cases[i].message);
  }
}

static void chance_keeps_to_its_range_reaches_its_ends_and_can_be_thrown_again(void **state)
{
  (void) state;
  struct payload_text text = text_of("{random:-1.5..2}", "", "");
  bool low = false, high = false;
  for (uint32_t n = 1; n < 2000; n++) {
    double value;
    char more, again[PAYLOAD_MAX + 1];
    struct payload payload = {.mark = 1, .sequence = n};
    snprintf(again, sizeof again, "%s", written(&text, &payload));
    assert_string_equal(again, written(&text, &payload));
    assert_int_equal(sscanf(again, "%lf%c", &value, &more), 1);
    assert_non_null(strchr(again, '.'));
    assert_true(value >= -1.5 && value <= 2);
    low = low || strcmp(again, "-1.5") == 0;
    high = high || strcmp(again, "2.0") == 0;
  }
  assert_true(low && high);
}

static void what_cannot_be_filled_in_is_refused_at_its_character(void **state)
{
  (void) state;
  static const struct {
    const char *text;
    size_t at;
    const char *why;
  } cases[] = {
      {"{\"a\":{sequence}}", 5, "{seq}"},
      {"{seq:4}", 0, "only {random:A..B}"},
      {"x{random}", 1, "two numbers"},
      {"{random:5}", 0, "two numbers"},
      {"{random:5..5}", 0, "two numbers"},
      {"{random:6..5}", 0, "two numbers"},
      {"{random:1.0000001..2}", 0, "6 decimals"},
      {"{random:a..b}", 0, "two numbers"},
      {"{random:1..2..3}", 0, "two numbers"},
      {"{random:1..9999999999999999}", 0, "two numbers"},
      {"", 0, "no bytes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct payload_text text = text_of(cases[i].text, "", "");
    struct payload_text_fault fault;
    if (payload_text_check(&text, &fault) == 0) fail_msg("taken: %s", cases[i].text);
    assert_string_equal(fault.of, "payload");
    assert_int_equal(fault.at, cases[i].at);
    if (strstr(fault.why, cases[i].why) == NULL) fail_msg("%s: %s", cases[i].text, fault.why);
  }
}

static void the_longest_message_fits_a_device(void **state)
{
  (void) state;
  struct payload_text text = text_of("{id}{seq}", "", "");
  struct payload_text_fault fault;
  memset(text.text + strlen(text.text), 'x', PAYLOAD_MAX - 80 - strlen("{id}{seq}"));
  assert_int_equal(payload_text_check(&text, &fault), 0);
  memset(text.text, 'x', PAYLOAD_MAX);
  assert_int_equal(payload_text_check(&text, &fault), 0);
  memcpy(text.text, "{id}", 4);
  assert_int_equal(payload_text_check(&text, &fault), -1);
  assert_non_null(strstr(fault.why, "1084 bytes"));
}

static void a_place_that_does_not_lead_to_the_number_is_refused(void **state)
{
  (void) state;
  static const struct {
    const char *text, *seq_at, *time_at, *of, *why;
  } cases[] = {
      {ISSUE, "$.meta.sequence", "", "seq-at", "does not lead to {seq}"},
      {ISSUE, "$.meta.t", "", "seq-at", "does not lead to {seq}"},
      {ISSUE, "$.meta.seq", "$.temp", "time-at", "does not lead to {unix_ms}"},
      {ISSUE, "$.meta[", "", "seq-at", "behind '['"},
      {ISSUE, "$meta", "", "seq-at", "a step of a path"},
      {ISSUE, "$..seq", "", "seq-at", "a key is missing"},
      {"seq={seq}", "$.seq", "", "seq-at", "JSON"},
      {"seq={seq}", "sequence=", "", "seq-at", "does not lead to {seq}"},
      {"t={unix_ms}", "t=", "", "seq-at", "no {seq}"},
      {"s={seq}", "s=", "t=", "time-at", "no {unix_ms}"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct payload_text text = text_of(cases[i].text, cases[i].seq_at, cases[i].time_at);
    struct payload_text_fault fault;
    if (payload_text_check(&text, &fault) == 0) fail_msg("taken: %s", cases[i].seq_at);
    assert_string_equal(fault.of, cases[i].of);
    if (strstr(fault.why, cases[i].why) == NULL) fail_msg("%s: %s", cases[i].seq_at, fault.why);
  }
}

/* Each of them with every place that there is. */
static const struct {
  const char *text, *seq_at, *time_at;
} readable[] = {
    {ISSUE, "$.meta.seq", "$.meta.t"},
    {"{\"v\":[{\"n\":\"{seq}\"},{unix_ms}],\"odd key\":{\"c\":{counter}},\"r\":{random:0..9}}",
     "$.v[0].n", "$['v'][1]"},
    {"<m seq=\"{seq}\" t=\"{unix_ms}\" of=\"{id}\"/>", "seq=\"", "t=\""},
    {"{seq};{unix_ms};{random:-5..5.00}\n", "", ""},
};

static enum payload_reading read_by(const struct payload_texts *texts,
                                    const struct payload_sender *of, const char *data, size_t size,
                                    struct payload *out)
{
  return payload_text_read(texts, of, (const uint8_t *) data, size, out);
}

static void what_was_written_is_read(void **state)
{
  (void) state;
  for (size_t i = 0; i + 1 < sizeof readable / sizeof *readable; i++) {
    struct payload_text text = text_of(readable[i].text, readable[i].seq_at, readable[i].time_at);
    struct payload_text_fault fault;
    struct payload_texts texts = {.mark = seventh.mark, .text = {&text}, .count = 1};
    struct payload read;
    if (payload_text_check(&text, &fault) != 0) fail_msg("%s: %s", text.text, fault.why);
    const char *message = written(&text, &seventh);
    assert_int_equal(read_by(&texts, &sender, message, strlen(message), &read), PAYLOAD_WHOLE);
    assert_int_equal(read.mark, seventh.mark);
    assert_int_equal(read.sequence, 7);
    assert_int_equal(read.sent_us, 12345000);
    text.time_at[0] = '\0';
    assert_int_equal(read_by(&texts, &sender, message, strlen(message), &read), PAYLOAD_WHOLE);
    assert_true(read.sent_us == PAYLOAD_UNTIMED);
    text.seq_at[0] = '\0';
    assert_int_not_equal(read_by(&texts, &sender, message, strlen(message), &read), PAYLOAD_WHOLE);
  }
}

/* A digit of the sequence number or of the time makes another message, which this one device may
 * have sent; the books tell. */
static void every_other_byte_of_it_counts(void **state)
{
  (void) state;
  struct payload_text text = text_of(ISSUE, "$.meta.seq", "$.meta.t");
  struct payload_texts texts = {.mark = seventh.mark, .text = {&text}, .count = 1};
  char message[PAYLOAD_MAX + 2];
  struct payload read;
  snprintf(message, sizeof message, "%s", written(&text, &seventh));
  size_t size = strlen(message), numbers = strlen("{\"meta\":{\"seq\":" RUN);
  for (size_t i = 0; i < size; i++) {
    bool time = i >= numbers + 12 && i < numbers + 25;
    bool run = i >= numbers - 9 && i < numbers;
    message[i] ^= 1;
    enum payload_reading reading = read_by(&texts, &sender, message, size, &read);
    if (run && reading == PAYLOAD_WHOLE)
      assert_int_not_equal(read.mark, seventh.mark); /* of another run */
    else if (!time && !run && reading != PAYLOAD_ALTERED)
      fail_msg("byte %zu of %s: %d", i, message, reading);
    message[i] ^= 1;
  }
  for (size_t cut = numbers; cut < size; cut++)
    assert_int_equal(read_by(&texts, &sender, message, cut, &read), PAYLOAD_ALTERED);
  for (size_t cut = 0; cut < numbers; cut++)
    assert_int_equal(read_by(&texts, &sender, message, cut, &read), PAYLOAD_NONE);
  message[size] = ' ';
  assert_int_equal(read_by(&texts, &sender, message, size + 1, &read), PAYLOAD_ALTERED);
}

static void a_message_of_another_device_is_none_of_this_one(void **state)
{
  (void) state;
  struct payload_text text = text_of("{id} n={seq}", "n=", "");
  struct payload_texts texts = {.mark = seventh.mark, .text = {&text}, .count = 1};
  struct payload read;
  const char *message = written(&text, &seventh);
  assert_int_equal(read_by(&texts, &other, message, strlen(message), &read), PAYLOAD_ALTERED);
}

static void another_run_is_told_from_this_one_and_from_its_clones(void **state)
{
  (void) state;
  struct payload_text text = text_of(ISSUE, "$.meta.seq", "");
  struct payload_texts texts = {
      .mark = seventh.mark, .clones_mark = seventh.mark ^ 1, .text = {&text}, .count = 1};
  struct payload clones = seventh, foreign = seventh, read;
  clones.mark ^= 1;
  foreign.mark ^= 2;
  const char *message = written(&text, &clones);
  assert_int_equal(read_by(&texts, &sender, message, strlen(message), &read), PAYLOAD_WHOLE);
  assert_int_equal(read.mark, clones.mark);
  message = written(&text, &foreign);
  assert_int_equal(read_by(&texts, &sender, message, strlen(message), &read), PAYLOAD_WHOLE);
  assert_int_not_equal(read.mark, seventh.mark);
  assert_int_not_equal(read.mark, clones.mark);
  uint8_t binary[64];
  foreign.sender = payload_sender_of(sender.name);
  payload_write(binary, sizeof binary, &foreign);
  assert_int_equal(payload_text_read(&texts, &sender, binary, sizeof binary, &read), PAYLOAD_WHOLE);
  assert_int_equal(read.mark, foreign.mark);
}

/* As a broker delivers it that lets a retained message go. */
static void a_message_of_no_bytes_is_none(void **state)
{
  (void) state;
  struct payload_text path = text_of(ISSUE, "$.meta.seq", "$.meta.t"),
                      words = text_of("n={seq}", "n=", "");
  struct payload_texts texts = {.mark = seventh.mark, .text = {&path, &words}, .count = 2};
  struct payload read;
  assert_int_equal(payload_text_read(&texts, &sender, NULL, 0, &read), PAYLOAD_NONE);
}

/* Of a run whose plan changes its telemetry. */
static void each_of_several_texts_is_read_and_the_binary_one_too(void **state)
{
  (void) state;
  struct payload_text first = text_of(ISSUE, "$.meta.seq", ""),
                      second = text_of("{\"meta\":{\"seq\":{seq}},\"v\":2}", "$.meta.seq", ""),
                      third = text_of("n={seq}", "n=", "");
  struct payload_texts texts = {
      .mark = seventh.mark, .text = {&first, &second, &third}, .count = 3};
  struct payload read;
  for (size_t i = 0; i < texts.count; i++) {
    const char *message = written(texts.text[i], &seventh);
    assert_int_equal(read_by(&texts, &sender, message, strlen(message), &read), PAYLOAD_WHOLE);
    assert_int_equal(read.mark, seventh.mark);
    assert_int_equal(read.sequence, 7);
  }
  uint8_t binary[64];
  struct payload own = seventh;
  own.sender = payload_sender_of(sender.name);
  payload_write(binary, sizeof binary, &own);
  assert_int_equal(payload_text_read(&texts, &sender, binary, sizeof binary, &read), PAYLOAD_WHOLE);
  binary[20] ^= 1;
  assert_int_equal(payload_text_read(&texts, &sender, binary, sizeof binary, &read),
                   PAYLOAD_ALTERED);
}

/* 2^53 is where JavaScript's numbers end. */
static void the_number_of_any_run_is_one_that_every_reader_keeps(void **state)
{
  (void) state;
  struct payload_text text = text_of("{seq}", "", "");
  static const uint32_t marks[] = {0, 1, 800719924, 800719925, UINT32_MAX};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    struct payload payload = {.mark = marks[i], .sequence = UINT32_MAX};
    unsigned long long number;
    assert_int_equal(sscanf(written(&text, &payload), "%llu", &number), 1);
    assert_true(number <= 9007199254740992ull);
    assert_int_equal(strlen(written(&text, &payload)), 16);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_the_text_with_its_places_filled_in),
      cmocka_unit_test(chance_keeps_to_its_range_reaches_its_ends_and_can_be_thrown_again),
      cmocka_unit_test(what_cannot_be_filled_in_is_refused_at_its_character),
      cmocka_unit_test(the_longest_message_fits_a_device),
      cmocka_unit_test(a_place_that_does_not_lead_to_the_number_is_refused),
      cmocka_unit_test(what_was_written_is_read),
      cmocka_unit_test(every_other_byte_of_it_counts),
      cmocka_unit_test(a_message_of_another_device_is_none_of_this_one),
      cmocka_unit_test(another_run_is_told_from_this_one_and_from_its_clones),
      cmocka_unit_test(a_message_of_no_bytes_is_none),
      cmocka_unit_test(each_of_several_texts_is_read_and_the_binary_one_too),
      cmocka_unit_test(the_number_of_any_run_is_one_that_every_reader_keeps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
