/* The language of scripts: every word of it as a step, and every refusal with its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gauntlet/script.h"

static char why[256];

static void reads(const char *text, char layer, struct script *out)
{
  if (script_parse(text, layer, out, why, sizeof why) != 0) fail_msg("'%s': %s", text, why);
}

static void refuses(const char *text, char layer, const char *sentence)
{
  struct script script;
  int result = script_parse(text, layer, &script, why, sizeof why);
  script_free(&script);
  if (result != -1) fail_msg("'%s' was read", text);
  if (strstr(why, sentence) == NULL) fail_msg("'%s': '%s', not '%s'", text, why, sentence);
}

static void each_word_is_a_step_where_it_belongs(void **state)
{
  (void) state;
  static const struct {
    const char *text, *where;
    enum script_verb verb;
  } steps[] = {
      {"hello", "W", SCRIPT_HELLO},         {"tls", "W", SCRIPT_TLS},
      {"send 00", "WMH", SCRIPT_SEND},      {"flood 2 00", "WMH", SCRIPT_FLOOD},
      {"wait 1ms", "WMH", SCRIPT_WAIT},     {"slowly 1ms", "WMH", SCRIPT_SLOWLY},
      {"close", "WMH", SCRIPT_CLOSE},       {"reset", "WMH", SCRIPT_RESET},
      {"silence", "WMH", SCRIPT_SILENCE},   {"connect", "M", SCRIPT_CONNECT},
      {"subscribe", "M", SCRIPT_SUBSCRIBE}, {"publish", "M", SCRIPT_PUBLISH},
      {"ping", "M", SCRIPT_PING},           {"polite", "M", SCRIPT_POLITE},
      {"request", "H", SCRIPT_REQUEST},     {"image", "H", SCRIPT_IMAGE},
  };
  assert_int_equal(sizeof steps / sizeof *steps, SCRIPT_VERB_COUNT);
  for (size_t i = 0; i < SCRIPT_VERB_COUNT; i++)
    for (const char *layer = "WMH"; *layer != '\0'; layer++) {
      struct script script;
      if (strchr(steps[i].where, *layer) == NULL) {
        refuses(steps[i].text, *layer, "is no step of");
        continue;
      }
      reads(steps[i].text, *layer, &script);
      assert_int_equal(script.count, 1);
      assert_int_equal(script.step[0].verb, steps[i].verb);
      assert_memory_equal(script_word(steps[i].verb), steps[i].text,
                          strlen(script_word(steps[i].verb)));
      script_free(&script);
    }
}

static void each_filter_is_read(void **state)
{
  (void) state;
  static const struct {
    const char *text;
    enum script_filter filter;
    uint32_t number, byte;
  } filters[] = {
      {"tls", SCRIPT_WHOLE, 0, 0},
      {"tls cut 600", SCRIPT_CUT, 600, 0},
      {"tls flip 3 17", SCRIPT_FLIP, 3, 17},
      {"tls drop 4", SCRIPT_DROP, 4, 0},
      {"tls twice 2", SCRIPT_TWICE, 2, 0},
      {"tls swap 1000000", SCRIPT_SWAP, 1000000, 0},
      {"tls finished", SCRIPT_FINISHED, 0, 0},
  };
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
    struct script script;
    reads(filters[i].text, 'W', &script);
    assert_int_equal(script.step[0].filter, filters[i].filter);
    assert_int_equal(script.step[0].number, filters[i].number);
    assert_int_equal(script.step[0].byte, filters[i].byte);
    script_free(&script);
  }
}

static void bytes_are_hex_texts_and_repeats(void **state)
{
  (void) state;
  struct script script;
  reads("send 16 Ff 3*0a \"a;b|\\r\\n\\t\\\"\\\\\\x00\\xC3\"\t07; close", 'W', &script);
  static const uint8_t wanted[] = {0x16, 0xff, 10,   10,  10,   'a', ';',  'b', '|',
                                   '\r', '\n', '\t', '"', '\\', 0,   0xc3, 7};
  assert_int_equal(script.count, 2);
  assert_int_equal(script.step[0].bytes.size, sizeof wanted);
  assert_memory_equal(script.step[0].bytes.data, wanted, sizeof wanted);
  assert_null(script.step[0].bytes5.data);
  script_free(&script);
}

static void mqtt_has_packet_ids_and_two_versions(void **state)
{
  (void) state;
  struct script script;
  reads("subscribe; send 90 03 ID 00 | 90 04 ID 00 ID; flood 7 aa | bb; polite without suback "
        "pingresp "
        "puback",
        'M', &script);
  const struct script_step *send = &script.step[1], *flood = &script.step[2];
  assert_int_equal(send->bytes.size, 5);
  assert_int_equal(send->bytes.ids, 1);
  assert_int_equal(send->bytes.id_at[0], 2);
  assert_int_equal(send->bytes5.size, 7);
  assert_int_equal(send->bytes5.ids, 2);
  assert_int_equal(send->bytes5.id_at[1], 5);
  assert_int_equal(flood->times, 7);
  assert_int_equal(flood->bytes.data[0], 0xaa);
  assert_int_equal(flood->bytes5.data[0], 0xbb);
  assert_int_equal(script.step[3].without,
                   SCRIPT_WITHOUT_SUBACK | SCRIPT_WITHOUT_PUBACK | SCRIPT_WITHOUT_PINGRESP);
  script_free(&script);
}

static void times_are_milliseconds_or_seconds(void **state)
{
  (void) state;
  struct script script;
  reads("wait 500ms; slowly 1ms; wait 5s; wait 600s; wait 600000ms", 'H', &script);
  static const uint32_t wanted[] = {500, 1, 5000, 600000, 600000};
  for (size_t i = 0; i < 5; i++) assert_int_equal(script.step[i].ms, wanted[i]);
  script_free(&script);
}

static void blanks_and_empty_steps_are_nothing(void **state)
{
  (void) state;
  struct script script;
  reads(" ;; hello ;\tsend  01 ; ", 'W', &script);
  assert_int_equal(script.count, 2);
  script_free(&script);
}

static void each_mistake_has_its_sentence(void **state)
{
  (void) state;
  static const struct {
    const char *text;
    char layer;
    const char *sentence;
  } mistakes[] = {
      {"", 'W', "no step at all"},
      {" ; ;", 'M', "no step at all"},
      {"helo", 'W', "'helo' is no step of the wire"},
      {"hello", 'M', "'hello' is no step of MQTT"},
      {"polite", 'H', "'polite' is no step of HTTPS"},
      {"send", 'W', "nothing to send: write bytes"},
      {"send |", 'M', "nothing to send"},
      {"send 01 |", 'M', "nothing to send"},
      {"send 01 | 02", 'W', "this is no MQTT"},
      {"send 01 | 02 | 03", 'M', "'send' has something behind it: '| 03'"},
      {"send 0", 'W', "'0' is no byte: write 1f, 1000*00, ID or \"text\""},
      {"send 012", 'W', "'012' is no byte"},
      {"send xy", 'W', "'xy' is no byte"},
      {"send ID", 'W', "'ID' is no byte"},
      {"send *00", 'W', "'*00' is no byte"},
      {"send 0*00", 'W', "'0*00' is no byte"},
      {"send -1*00", 'W', "more than 262144 bytes in one step: use flood"},
      {"send 2x*00", 'W', "'2x*00' is no byte"},
      {"send 262145*00", 'W', "more than 262144 bytes in one step: use flood"},
      {"send 262144*00 01", 'W', "more than 262144 bytes"},
      {"send ID ID ID ID ID", 'M', "more than 4 packet ids in one step"},
      {"send \"abc", 'W', "a text that has no end: close it with '\"'"},
      {"send \"a\\", 'W', "is no escape"},
      {"send \"\\q\"", 'W', "'\\q' is no escape: \\r \\n \\t \\\" \\\\ \\xHH"},
      {"send \"\\x4\"", 'W', "is no escape"},
      {"flood 00 01", 'W', "'00' is no count: write a number from 1 to 100000000"},
      {"flood", 'W', "'' is no count"},
      {"flood -3 01", 'W', "'-3' is no count"},
      {"flood 100000001 00", 'W', "is no count"},
      {"flood 99999999999999999999999 00", 'W', "is no count"},
      {"flood 3", 'W', "nothing to send"},
      {"wait", 'W', "'' is no time: write it like 500ms or 5s, up to 600s"},
      {"wait 5", 'W', "'5' is no time"},
      {"wait 0ms", 'W', "'0ms' is no time"},
      {"wait 601s", 'W', "'601s' is no time"},
      {"wait 600001ms", 'W', "is no time"},
      {"wait -1s", 'W', "'-1s' is no time"},
      {"wait 5 ms", 'W', "'5' is no time"},
      {"slowly 5m", 'W', "'5m' is no time"},
      {"close now", 'W', "'close' has something behind it: 'now'"},
      {"tls maybe", 'W', "'tls maybe' is unknown: cut, flip, drop, twice, swap or finished"},
      {"tls cut", 'W', "'' is no count of bytes: write a number from 1 to 1000000"},
      {"tls cut 0", 'W', "'0' is no count of bytes"},
      {"tls drop x", 'W', "'x' is no record"},
      {"tls flip 1", 'W', "'' is no byte: write a number from 1 to 20000"},
      {"tls flip 1 20001", 'W', "'20001' is no byte"},
      {"tls finished 3", 'W', "'tls' has something behind it: '3'"},
      {"polite with", 'M', "'polite' has something behind it: 'with'"},
      {"polite without", 'M', "without what? suback, puback or pingresp"},
      {"polite without tea", 'M', "'polite without tea' is unknown: suback, puback or pingresp"},
      {"close; send 01", 'W', "'send' cannot come after 'close'"},
      {"reset; close", 'W', "'close' cannot come after 'reset'"},
      {"silence; hello", 'W', "'hello' cannot come after 'silence'"},
      {"polite; close", 'M', "'close' cannot come after 'polite'"},
      {"tls; close", 'W', "'close' cannot come after 'tls'"},
      {"tls drop 1; close", 'W', "'close' cannot come after 'tls'"},
      {"tls cut 5; send 01", 'W', "'send' cannot come after 'tls'"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
    refuses(mistakes[i].text, mistakes[i].layer, mistakes[i].sentence);
}

static void there_is_a_limit_to_steps_and_words(void **state)
{
  (void) state;
  struct script script;
  char text[2048] = "";
  for (int i = 0; i < SCRIPT_STEPS_MAX; i++) strcat(text, "hello;");
  reads(text, 'W', &script);
  script_free(&script);
  strcat(text, "hello");
  refuses(text, 'W', "more than 24 steps");
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  refuses(text, 'W', "is no step of the wire");
  memcpy(text, "send ", 5);
  refuses(text, 'W', "is no byte");
}

static void a_cut_may_be_followed_by_an_end(void **state)
{
  (void) state;
  static const char *const texts[] = {"tls cut 5; close", "tls cut 5; reset", "tls cut 5; silence"};
  for (size_t i = 0; i < 3; i++) {
    struct script script;
    reads(texts[i], 'W', &script);
    assert_int_equal(script.count, 2);
    script_free(&script);
  }
}

static void a_script_begins_well_with_a_connack_that_lets_in(void **state)
{
  (void) state;
  static const struct {
    const char *text;
    bool well;
  } table[] = {
      {"polite without suback", true},
      {"slowly 1ms; polite", true},
      {"connect; send 20 02 00 00", true},
      {"connect; send 20 02 00 00 c0 00 | 20 03 00 00 00 c0 00", true},
      {"connect; send 20 03 00 00 00; silence", true}, /* for MQTT 5 alone */
      {"connect; send 20 03 00 00 00 | 20 02 00 00; polite", false},
      {"connect; send 20 02 00 05; polite", false},
      {"connect; send 20 02 02 00; polite", false},
      {"connect; send 20 03 00 87 00; polite", false},
      {"connect; send 20 05 00 00 02 7e 00; polite", false},
      {"connect; send 20 02 00; polite", false},
      {"connect; send d0 00 20 02 00 00; polite", false},
      {"connect; silence", false},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct script script;
    reads(table[i].text, 'M', &script);
    bool well = script_begins_well(&script);
    if (well != table[i].well) fail_msg("'%s': %d, not %d", table[i].text, well, !well);
    script_free(&script);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_word_is_a_step_where_it_belongs),
      cmocka_unit_test(each_filter_is_read),
      cmocka_unit_test(bytes_are_hex_texts_and_repeats),
      cmocka_unit_test(mqtt_has_packet_ids_and_two_versions),
      cmocka_unit_test(times_are_milliseconds_or_seconds),
      cmocka_unit_test(blanks_and_empty_steps_are_nothing),
      cmocka_unit_test(each_mistake_has_its_sentence),
      cmocka_unit_test(there_is_a_limit_to_steps_and_words),
      cmocka_unit_test(a_cut_may_be_followed_by_an_end),
      cmocka_unit_test(a_script_begins_well_with_a_connack_that_lets_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
