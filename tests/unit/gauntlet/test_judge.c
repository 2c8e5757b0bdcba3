/* What was seen, in which case, is what conduct and which verdict: one line each. Nobody passes who has
 * not been shown the lie. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gauntlet/judge.h"
#include "rig.h"

/* --- Cases ------------------------------------------------------------------------------------ */

static const char text[] =
    "defaults\n cert root: ca=yes\n cert leaf: issuer=root\n trusts: root\n sends: leaf\n"
    " host: broker.test\n clock: 2026\n tls: 1.3\n why: w\n severity: high\n"
    " expect: connect.tls.untrusted flags=0x8\n"
    "case good\n clients: accept\n control: yes\n expect: accept\n"
    "case chain\n clients: refuse\n flaw: trust\n"
    "case decided\n clients: refuse\n flaw: time\n policy: no clock\n expect: accept\n"
    "case taste\n clients: either\n"
    "case proof\n clients: refuse\n flaw: possession\n signs-with: root\n"
    "case finished\n clients: refuse\n flaw: integrity\n wire: tls finished\n"
    "case dropped\n clients: refuse\n flaw: order\n wire: tls drop 4\n"
    "case cut\n clients: refuse\n flaw: deadline\n wire: tls cut 60\n"
    "case flood\n clients: refuse\n flaw: flood\n wire: hello; flood 9 00; silence\n"
    "case ssh\n clients: refuse\n flaw: integrity\n wire: send \"SSH\"; silence\n"
    "case closed\n clients: either\n wire: hello; close\n"
    "case slow\n clients: accept\n wire: slowly 1ms; tls\n"
    "case connack\n clients: refuse\n flaw: mqtt\n mqtt: connect; send 20 02 00 05; polite\n"
    "case five\n clients: refuse\n flaw: mqtt\n mqtt-version: 5\n"
    " mqtt: connect; send 20 03 00 87 00; polite\n"
    "case mute\n clients: refuse\n flaw: deadline\n mqtt: polite without pingresp\n"
    "case torrent\n clients: refuse\n flaw: flood\n mqtt: connect; flood 9 00; silence\n"
    "case image\n clients: refuse\n flaw: download\n https: request; send \"x\"; close\n"
    "case stuck\n clients: refuse\n flaw: download deadline\n https: request; silence\n"
    "case whole\n clients: accept\n https: request; image\n"
    "case moved\n clients: refuse\n flaw: download\n"
    " https: request; send \"HTTP/1.1 302 Found\\r\\nLocation: /\\r\\n\\r\\n\"; close\n"
    "case page\n clients: refuse\n flaw: download\n"
    " https: request; send \"HTTP/1.1 404 No\\r\\n\\r\\n\" 9*aa; close\n"
    "case parts\n clients: refuse\n flaw: download\n"
    " https: request; send \"HTTP/1.1 200 OK\\r\\n\\r\\n\"; flood 9 aa; silence\n"
    "case heads\n clients: refuse\n flaw: download\n"
    " https: request; send \"HTTP/1.1 200 OK\\r\\n\"; flood 9 \"X: y\\r\\n\"; silence\n";

static struct cases *cases;

static int read_cases(void **state)
{
  (void) state;
  cases = rig_cases(text);
  return 0;
}

static int free_cases(void **state)
{
  (void) state;
  cases_free(cases);
  return 0;
}

/* --- Observations ----------------------------------------------------------------------------- */

#define CAME         .connections = 1
#define HELLO        CAME, .has_hello = true
#define SAID         HELLO, .said = true
#define SHAKEN       SAID, .shaken = true
#define CONNECT      HELLO, .shaken = true, .application_bytes = 30, .asked = true, .mqtt = 4
#define BYTES        SHAKEN, .application_bytes = 30
#define ASKED        BYTES, .asked = true, .mqtt = 4
#define CLOSED       .end = OBSERVATION_CLIENT
#define RESET        .end = OBSERVATION_RESET
#define ALERT(n)     .alerted = true, .alert = (n)
#define REQUEST      BYTES, .requests = 1
#define LEAVES(what) .file = OBSERVATION_##what
#define EXITS(n)     .watched = true, .ended = true, .status = (n)

static const struct {
  const char *story, *c;
  struct observation seen;
  enum conduct conduct;
  enum verdict verdict;
} table[] = {
    /* who shows nothing passes nothing */
    {"never came", "chain", {0}, CONDUCT_NONE, VERDICT_NOT_SHOWN},
    {"never came", "ssh", {0}, CONDUCT_NONE, VERDICT_NOT_SHOWN},
    {"has no hello", "chain", {CAME, CLOSED}, CONDUCT_NONE, VERDICT_NOT_SHOWN},
    {"has no hello", "cut", {CAME, .said = true, CLOSED}, CONDUCT_NONE, VERDICT_NOT_SHOWN},
    {"has no hello", "connack", {CAME, .said = true, CLOSED}, CONDUCT_NONE, VERDICT_NOT_SHOWN},
    {"left before the chain", "chain", {HELLO, CLOSED}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"left before the record",
     "dropped",
     {HELLO, .begun = true, CLOSED},
     CONDUCT_UNCLEAR,
     VERDICT_NOT_SHOWN},
    {"left before Finished",
     "finished",
     {HELLO, .begun = true, RESET},
     CONDUCT_UNCLEAR,
     VERDICT_NOT_SHOWN},
    {"left with its hello", "flood", {HELLO, CLOSED}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"left with its hello", "cut", {HELLO, CLOSED}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"left with its hello", "slow", {HELLO, CLOSED}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"left before CONNECT",
     "connack",
     {HELLO, .shaken = true, CLOSED},
     CONDUCT_UNCLEAR,
     VERDICT_NOT_SHOWN},
    {"left before CONNACK", "connack", {CONNECT, CLOSED}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"said goodbye before it was owed",
     "mute",
     {ASKED, .said_goodbye = true, CLOSED},
     CONDUCT_UNCLEAR,
     VERDICT_NOT_SHOWN},
    {"never asked for the image", "image", {SHAKEN, EXITS(1)}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"has nothing in common",
     "chain",
     {HELLO, .unserved = true, CLOSED},
     CONDUCT_UNSERVED,
     VERDICT_NOT_OFFERED},
    {"got a sound Finished",
     "finished",
     {CONNECT, .unserved = true, CLOSED},
     CONDUCT_UNSERVED,
     VERDICT_NOT_OFFERED},

    /* TLS */
    {"refuses by alert", "chain", {SAID, ALERT(48), CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"refuses by alert at ServerHello",
     "chain",
     {HELLO, ALERT(70), CLOSED},
     CONDUCT_REFUSED,
     VERDICT_PASS},
    {"closes", "chain", {SAID, CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"resets", "chain", {SAID, RESET}, CONDUCT_REFUSED, VERDICT_PASS},
    {"shakes hands and closes", "chain", {SHAKEN, CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"gives one byte",
     "chain",
     {SHAKEN, .application_bytes = 1, CLOSED},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"gives its CONNECT", "chain", {ASKED}, CONDUCT_ACCEPTED, VERDICT_FAIL},
    {"gives it, and an alert behind",
     "chain",
     {ASKED, ALERT(48), CLOSED},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"sits there", "chain", {SAID}, CONDUCT_HUNG, VERDICT_PASS},
    {"sits there, shaken", "chain", {SHAKEN}, CONDUCT_HUNG, VERDICT_PASS},
    {"sits there before the record", "dropped", {HELLO}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"goes on where the key is wrong",
     "proof",
     {SAID, .went_on = true, CLOSED},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"goes on where the chain is",
     "chain",
     {SAID, .went_on = true, CLOSED},
     CONDUCT_REFUSED,
     VERDICT_PASS},
    {"takes a wrong Finished", "finished", {BYTES}, CONDUCT_ACCEPTED, VERDICT_FAIL},
    {"notices it", "finished", {SAID, ALERT(51), CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"waits for ever", "cut", {SAID}, CONDUCT_HUNG, VERDICT_FAIL},
    {"gives up", "cut", {SAID, CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"leaves in the flood", "flood", {HELLO, .begun = true, RESET}, CONDUCT_REFUSED, VERDICT_PASS},
    {"drinks the flood", "flood", {HELLO, .begun = true}, CONDUCT_HUNG, VERDICT_FAIL},
    {"has been greeted, and says nothing",
     "ssh",
     {CAME, .said = true, CLOSED},
     CONDUCT_REFUSED,
     VERDICT_PASS},
    {"is sent away", "closed", {SAID, .end = OBSERVATION_SERVER}, CONDUCT_REFUSED, VERDICT_PASS},
    {"waits", "closed", {SAID}, CONDUCT_HUNG, VERDICT_NOT_SHOWN},

    /* what is good, what is a matter of taste, what was decided */
    {"gets in", "good", {ASKED}, CONDUCT_ACCEPTED, VERDICT_PASS},
    {"does not", "good", {SAID, ALERT(48), CLOSED}, CONDUCT_REFUSED, VERDICT_FAIL},
    {"does nothing", "good", {SHAKEN}, CONDUCT_HUNG, VERDICT_FAIL},
    {"gets in", "slow", {ASKED}, CONDUCT_ACCEPTED, VERDICT_PASS},
    {"has no patience", "slow", {HELLO, .begun = true, CLOSED}, CONDUCT_REFUSED, VERDICT_FAIL},
    {"gets in", "taste", {ASKED}, CONDUCT_ACCEPTED, VERDICT_PASS},
    {"refuses", "taste", {SAID, ALERT(48), CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"does neither", "taste", {SAID}, CONDUCT_HUNG, VERDICT_NOT_SHOWN},
    {"gets in", "decided", {ASKED}, CONDUCT_ACCEPTED, VERDICT_FAIL},

    {"is interrupted", "good", {SHAKEN, .cut_short = true}, CONDUCT_HUNG, VERDICT_NOT_SHOWN},
    {"is interrupted", "cut", {SAID, .cut_short = true}, CONDUCT_HUNG, VERDICT_NOT_SHOWN},
    {"is interrupted too late",
     "chain",
     {BYTES, .cut_short = true},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},

    /* MQTT */
    {"leaves", "connack", {ASKED, CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"goes on",
     "connack",
     {ASKED, .went_on = true, .publishes = 1, CLOSED},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"publishes after it",
     "connack",
     {ASKED, .publishes_after_refusal = 1, CLOSED},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"stays and says nothing", "connack", {ASKED}, CONDUCT_HUNG, VERDICT_NOT_SHOWN},
    {"speaks 3.1.1", "five", {ASKED, CLOSED}, CONDUCT_REFUSED, VERDICT_NOT_OFFERED},
    {"misses the answer", "mute", {ASKED, .went_on = true, CLOSED}, CONDUCT_REFUSED, VERDICT_PASS},
    {"misses it, and says so",
     "mute",
     {ASKED, .said_goodbye = true, .goodbye = 0x8d, CLOSED},
     CONDUCT_REFUSED,
     VERDICT_PASS},
    {"never misses it", "mute", {ASKED, .went_on = true}, CONDUCT_HUNG, VERDICT_FAIL},
    {"leaves in the flood",
     "torrent",
     {CONNECT, .begun = true, RESET},
     CONDUCT_REFUSED,
     VERDICT_PASS},

    /* downloads */
    {"knows that it is none", "image", {REQUEST, EXITS(1)}, CONDUCT_REFUSED, VERDICT_PASS},
    {"dies of it", "image", {REQUEST, EXITS(0), .signal = 6}, CONDUCT_REFUSED, VERDICT_PASS},
    {"is content", "image", {REQUEST, EXITS(0)}, CONDUCT_ACCEPTED, VERDICT_FAIL},
    {"asks without TLS",
     "image",
     {HELLO, .plain_requests = 1, EXITS(1)},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"waits for ever", "stuck", {REQUEST, .watched = true}, CONDUCT_HUNG, VERDICT_FAIL},
    {"has closed and waits for ever",
     "stuck",
     {REQUEST, .watched = true, CLOSED},
     CONDUCT_HUNG,
     VERDICT_FAIL},
    {"gives up, and nobody sees how",
     "stuck",
     {REQUEST, CLOSED},
     CONDUCT_UNCLEAR,
     VERDICT_NOT_SHOWN},
    {"waits for ever, far away", "stuck", {REQUEST}, CONDUCT_HUNG, VERDICT_FAIL},
    {"has it", "whole", {REQUEST, EXITS(0)}, CONDUCT_ACCEPTED, VERDICT_PASS},
    {"does not take it", "whole", {REQUEST, EXITS(22)}, CONDUCT_REFUSED, VERDICT_FAIL},

    /* .. and what they leave in the file that the command names */
    {"left nothing", "moved", {REQUEST, EXITS(0), LEAVES(NOTHING)}, CONDUCT_REFUSED, VERDICT_PASS},
    {"left a page", "moved", {REQUEST, EXITS(0), LEAVES(OTHER)}, CONDUCT_REFUSED, VERDICT_PASS},
    {"got it from there",
     "moved",
     {REQUEST, EXITS(0), LEAVES(IMAGE)},
     CONDUCT_ACCEPTED,
     VERDICT_FAIL},
    {"names no file", "moved", {REQUEST, EXITS(0)}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"names no file", "heads", {REQUEST, EXITS(0)}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"names no file", "stuck", {REQUEST, EXITS(0)}, CONDUCT_UNCLEAR, VERDICT_NOT_SHOWN},
    {"says that it failed", "moved", {REQUEST, EXITS(47)}, CONDUCT_REFUSED, VERDICT_PASS},
    {"names no file", "page", {REQUEST, EXITS(0)}, CONDUCT_ACCEPTED, VERDICT_FAIL},
    {"names no file", "parts", {REQUEST, EXITS(0)}, CONDUCT_ACCEPTED, VERDICT_FAIL},
    {"keeps the page", "page", {REQUEST, EXITS(0), LEAVES(OTHER)}, CONDUCT_ACCEPTED, VERDICT_FAIL},
    {"keeps a part and says so",
     "parts",
     {REQUEST, EXITS(18), LEAVES(OTHER)},
     CONDUCT_REFUSED,
     VERDICT_PASS},
    {"keeps nothing", "page", {REQUEST, EXITS(0), LEAVES(NOTHING)}, CONDUCT_REFUSED, VERDICT_PASS},
    {"has it", "whole", {REQUEST, EXITS(0), LEAVES(IMAGE)}, CONDUCT_ACCEPTED, VERDICT_PASS},
    {"has none", "whole", {REQUEST, EXITS(0), LEAVES(NOTHING)}, CONDUCT_REFUSED, VERDICT_FAIL},

    /* crashes are failures whatever they were before */
    {"crashes", "chain", {SAID, ALERT(48), .sanitizer = true}, CONDUCT_REFUSED, VERDICT_FAIL},
};

static void each_observation_has_its_verdict(void **state)
{
  unsigned wrong = 0;
  (void) state;
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct trial_result result = {
        .c = cases_find(cases, table[i].c), .tls = 13, .seen = table[i].seen};
    assert_non_null(result.c);
    judge_trial(&result, false);
    bool right = result.conduct == table[i].conduct && result.verdict == table[i].verdict;
    if (!right)
      print_error("%s: a client that %s is '%s', %s (%s), not '%s', %s\n", table[i].c,
                  table[i].story, conduct_word(result.conduct), verdict_word(result.verdict),
                  result.why, conduct_word(table[i].conduct), verdict_word(table[i].verdict));
    if (result.why[0] == '\0') print_error("%s: %s: no sentence\n", table[i].c, table[i].story);
    wrong += !right || result.why[0] == '\0';
  }
  assert_int_equal(wrong, 0);
}

static void what_was_skipped_stays_skipped(void **state)
{
  (void) state;
  struct trial_result result = {.c = cases_find(cases, "chain"),
                                .tls = 13,
                                .verdict = VERDICT_SKIPPED,
                                .why = "no port",
                                .seen = {ASKED}};
  judge_trial(&result, false);
  assert_int_equal(result.verdict, VERDICT_SKIPPED);
  assert_string_equal(result.why, "no port");
}

/* --- Our own device --------------------------------------------------------------------------- */

#define SAYS(word) .watched = true, .ended = true, .failure = word

static const struct {
  const char *story, *c;
  struct observation seen;
  enum verdict verdict;
} own[] = {
    {"refuses as it should",
     "chain",
     {SAID, ALERT(48), CLOSED, SAYS("connect.tls.untrusted"), .flags = 8},
     VERDICT_PASS},
    {"says that it refused, and the server saw CONNECT",
     "chain",
     {ASKED, CLOSED, SAYS("connect.tls.untrusted"), .flags = 8},
     VERDICT_FAIL},
    {"refuses for another reason",
     "chain",
     {SAID, SAYS("connect.tls.timeout"), .flags = 8},
     VERDICT_FAIL},
    {"refuses with other flags",
     "chain",
     {SAID, SAYS("connect.tls.untrusted"), .flags = 9},
     VERDICT_FAIL},
    {"has not ended",
     "chain",
     {SAID, .watched = true, .failure = "connect.tls.untrusted"},
     VERDICT_FAIL},
    {"accepts", "chain", {ASKED, SAYS("accept")}, VERDICT_FAIL},
    {"is interrupted", "chain", {SAID, .cut_short = true}, VERDICT_NOT_SHOWN},
    {"gets in", "good", {ASKED, SAYS("accept")}, VERDICT_PASS},
    {"says that it got in, and nobody saw it", "good", {SHAKEN, SAYS("accept")}, VERDICT_FAIL},
    {"never came", "good", {SAYS("accept")}, VERDICT_FAIL},
    {"does what was decided", "decided", {ASKED, SAYS("accept")}, VERDICT_WARN},
    {"crashes", "good", {ASKED, SAYS("accept"), .sanitizer = true}, VERDICT_FAIL},
};

static void our_device_is_held_to_the_letter(void **state)
{
  unsigned wrong = 0;
  (void) state;
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    struct trial_result result = {.c = cases_find(cases, own[i].c), .tls = 13, .seen = own[i].seen};
    judge_trial(&result, true);
    if (result.verdict == own[i].verdict) continue;
    wrong++;
    print_error("%s: a device that %s: %s (%s), not %s\n", own[i].c, own[i].story,
                verdict_word(result.verdict), result.why, verdict_word(own[i].verdict));
  }
  assert_int_equal(wrong, 0);
}

/* --- Adding up -------------------------------------------------------------------------------- */

static const struct observation nothing = {.first_ms = -1, .last_ms = -1, .took_ms = -1};

/* In any order. */
static void a_byte_on_any_connection_counts(void **state)
{
  (void) state;
  const struct observation calls[] = {
      {CAME, CLOSED},  {SAID, ALERT(48), CLOSED},
      {HELLO, CLOSED}, {SHAKEN, .application_bytes = 1, CLOSED},
      {SAID, CLOSED},
  };
  enum { COUNT = 5 };
  for (size_t first = 0; first < COUNT; first++) {
    struct trial_result result = {.c = cases_find(cases, "chain"), .tls = 13, .seen = nothing};
    for (size_t i = 0; i < COUNT; i++) judge_add(&result.seen, &calls[(first + i) % COUNT]);
    judge_trial(&result, false);
    assert_int_equal(result.verdict, VERDICT_FAIL);
    assert_int_equal(result.seen.connections, COUNT);
    assert_int_equal(result.seen.mute, 1);
    assert_int_equal(result.seen.application_bytes, 1);
  }
}

static void of_several_connections_the_one_that_came_furthest_is_told(void **state)
{
  (void) state;
  struct observation all = nothing;
  judge_add(&all, &(struct observation){CAME, .first_ms = 5, CLOSED});
  judge_add(&all, &(struct observation){SAID, ALERT(42), .first_ms = 90, CLOSED});
  judge_add(&all, &(struct observation){HELLO, .first_ms = 700, RESET});
  assert_true(all.said && all.alerted && all.alert == 42);
  assert_int_equal(all.end, OBSERVATION_CLIENT);
  assert_int_equal((int) all.first_ms, 5);
  assert_int_equal((int) all.last_ms, 700);
  assert_int_equal(all.connections, 3);
}

static void what_is_known_of_the_process_is_not_lost(void **state)
{
  (void) state;
  struct observation all = nothing;
  all.watched = all.ended = all.cut_short = true;
  all.status = 3;
  strcpy(all.failure, "connect.tls.untrusted");
  judge_add(&all, &(struct observation){BYTES});
  assert_true(all.watched && all.ended && all.cut_short);
  assert_int_equal(all.status, 3);
  assert_string_equal(all.failure, "connect.tls.untrusted");
}

static void there_is_enough_when_nothing_more_can_come(void **state)
{
  (void) state;
  static const struct {
    const char *c;
    struct observation seen;
    bool enough;
  } stories[] = {
      {"chain", {CAME}, false},
      {"chain", {HELLO, CLOSED}, false},
      {"chain", {SAID, CLOSED}, true},
      {"chain", {HELLO, ALERT(70)}, true},
      {"chain", {HELLO, .unserved = true}, true},
      {"chain", {BYTES}, true},
      {"flood", {HELLO, .begun = true, CLOSED}, true},
      {"finished", {HELLO, .begun = true, CLOSED}, false},
  };
  for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
    struct trial_result result = {.c = cases_find(cases, stories[i].c), .seen = stories[i].seen};
    if (judge_has_enough(&result) != stories[i].enough)
      fail_msg("story %zu, %s: %d", i, stories[i].c, !stories[i].enough);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_observation_has_its_verdict),
      cmocka_unit_test(what_was_skipped_stays_skipped),
      cmocka_unit_test(our_device_is_held_to_the_letter),
      cmocka_unit_test(a_byte_on_any_connection_counts),
      cmocka_unit_test(of_several_connections_the_one_that_came_furthest_is_told),
      cmocka_unit_test(what_is_known_of_the_process_is_not_lost),
      cmocka_unit_test(there_is_enough_when_nothing_more_can_come),
  };
  return cmocka_run_group_tests(tests, read_cases, free_cases);
}
