#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/hooks.h"
#include "base/product.h"
#include "cli/overrides.h"
#include "cli/verbs.h"
#include "fleetsim/failure.h"
#include "fleetsim/ota.h"
#include "report/metrics.h"
#include "said.h"
#include "scenario/quantity.h"
#include "steps/manual.h"

#define STORY FLEETSIM_SOURCE_DIR "/scenarios/root-ca-rotation.yaml"

static struct said said;
static int walked;

/* Calls `each` with every verb and group below this one, and how it is reached: "pki make". */
static void walk(const struct args_verb *verb, const char *path,
                 void (*each)(const struct args_verb *verb, const char *path))
{
  char below[100];
  walked++;
  each(verb, path);
  for (size_t i = 0; verb->verbs != NULL && verb->verbs[i] != NULL; i++) {
    snprintf(below, sizeof below, "%s%s%s", path, path[0] == '\0' ? "" : " ", verb->verbs[i]->name);
    walk(verb->verbs[i], below, each);
  }
}

static void check_help(const struct args_verb *verb, const char *path)
{
  char words[120], wanted[120];
  snprintf(words, sizeof words, "%s --help", path);
  said_by(&cli_fleetsim, words, &said);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  assert_string_equal(said.err, "");
  snprintf(wanted, sizeof wanted, "usage: fleetsim %s", path);
  if (strstr(said.out, wanted) == NULL) fprintf(stderr, "'%s' is not in:\n%s", wanted, said.out);
  assert_non_null(strstr(said.out, wanted));
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    snprintf(wanted, sizeof wanted, "  --%s", o->name);
    assert_non_null(strstr(said.out, wanted));
  }
}

static void every_verb_explains_itself_and_all_its_options(void **state)
{
  (void) state;
  walk(&cli_fleetsim, "", check_help);
  assert_true(walked > 20);
}

static void check_table(const struct args_verb *verb, const char *path)
{
  assert_non_null(verb->usage);
  assert_true(verb->run != NULL || verb->verbs != NULL);
  size_t count = 0;
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    if (o->help == NULL || o->take == NULL || o->offset >= verb->size)
      fail_msg("%s: --%s is not whole", path, o->name);
    if ((o->value == NULL) != (o->take == args_flag))
      fail_msg("%s: --%s is a flag with a value, or none without", path, o->name);
    for (const struct args_option *p = verb->options; p != o; p++)
      if (strcmp(p->name, o->name) == 0) fail_msg("%s: --%s stands twice", path, o->name);
    count++;
  }
  assert_true(count <= ARGS_OPTIONS_MAX);
}

static void every_table_is_whole(void **state)
{
  (void) state;
  walk(&cli_fleetsim, "", check_table);
}

static void check_stray(const struct args_verb *verb, const char *path)
{
  char words[120];
  (void) verb;
  snprintf(words, sizeof words, "%s --no-such-option=secret", path);
  said_by(&cli_fleetsim, words, &said);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  assert_non_null(strstr(said.err, ": there is no option '--no-such-option'; --help lists them\n"));
  assert_null(strstr(said.err, "secret"));
}

static void no_verb_takes_what_it_does_not_know(void **state)
{
  (void) state;
  walk(&cli_fleetsim, "", check_stray);
}

static void say_too_many(const struct args_verb *verb, const char *path, char words[400])
{
  int used = snprintf(words, 400, "%s", path);
  for (size_t i = 0; i <= verb->operands_most; i++)
    used += snprintf(words + used, 400 - (size_t) used, " w%zu", i);
}

static void check_operands(const struct args_verb *verb, const char *path)
{
  char words[400], wanted[400];
  if (verb->run == NULL || verb->operands_most + 4 > SAID_WORDS_MAX) return;
  assert_non_null(verb->operands);
  say_too_many(verb, path, words);
  said_by(&cli_fleetsim, words, &said);
  snprintf(wanted, sizeof wanted, "fleetsim %s: 'w%zu' is one too many: %s\n", path,
           verb->operands_most, verb->operands);
  assert_string_equal(said.err, wanted);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  if (verb->operands_least == 0) return;
  said_by(&cli_fleetsim, path, &said);
  snprintf(wanted, sizeof wanted, "fleetsim %s: %s\n", path, verb->operands);
  assert_string_equal(said.err, wanted);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
}

static void every_verb_says_what_is_missing_and_names_what_is_too_much(void **state)
{
  (void) state;
  walk(&cli_fleetsim, "", check_operands);
}

static void check_takes_what_run_sets(void **state)
{
  (void) state;
  said_by(&cli_check, STORY " --set fleet.devices=50 --set seed=9 --set fleet.devices=51", &said);
  assert_string_equal(said.err, "");
  assert_int_equal(said.code, EXIT_CODE_PASS);
  assert_non_null(strstr(said.out, ": 51 devices, "));
  assert_non_null(strstr(said.out, "seed 9"));
  said_by(&cli_check, STORY " --set fleet.devcies=50", &said);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  assert_non_null(strstr(said.err, "fleet.devcies"));
  assert_string_equal(said.out, "");
}

/* --- What must be there ----------------------------------------------------------------------- */

static char work[64];

static int make_work(void **state)
{
  (void) state;
  snprintf(work, sizeof work, "/tmp/fleetsim-verbs-XXXXXX");
  return mkdtemp(work) != NULL ? 0 : -1;
}

static int remove_work(void **state)
{
  struct error error;
  (void) state;
  return files_remove(work, &error);
}

/* work/NAME.yaml: a fleet of two that connects and then does this step. */
static void write_story(const char *name, const char *step)
{
  char path[128], text[600];
  struct error error;
  snprintf(path, sizeof path, "%s/%s.yaml", work, name);
  int size = snprintf(text, sizeof text,
                      "name: story\nfleet: {devices: 2}\nota: {}\nphases:\n"
                      "  - name: first\n    do: [connect: {}]\n    until: online == 100%%\n"
                      "  - name: then\n    do: [%s]\n",
                      step);
  assert_int_equal(files_write(path, text, (size_t) size, 0644, &error), 0);
}

/* `check` of such a file. */
static void check_of(const char *step, const char *options, int code, const char *sentence)
{
  char words[400];
  write_story("story", step);
  snprintf(words, sizeof words, "check %s/story.yaml %s", work, options);
  said_by(&cli_fleetsim, words, &said);
  if (strstr(said.err, sentence) == NULL)
    fprintf(stderr, "'%s'\n is not in: %s", sentence, said.err);
  assert_non_null(strstr(said.err, sentence));
  assert_int_equal(said.code, code);
  assert_true((code == 0) == (said.out[0] != '\0'));
}

static void check_refuses_devices_that_the_fleet_does_not_have(void **state)
{
  (void) state;
  check_of("kick: {ids: [00000002]}", "", EXIT_CODE_PASS, "");
  check_of("kick: {ids: [00000002, 00000003]}", "", EXIT_CODE_USAGE,
           "story.yaml:9:10: no device of this fleet is called 00000003; its devices are 00000001 "
           "to 00000002, as a run makes it; one of your own is named by --fleet");
  check_of("revoke: {ids: [00000000]}", "", EXIT_CODE_USAGE, "is called 00000000; its devices are");
  check_of("shelf: {ids: [00000001, 00000001]}", "", EXIT_CODE_USAGE,
           "story.yaml:9:34: device 00000001 is named twice: once is enough");
  check_of("kick: {ids: [00000003]}", "--set fleet.devices=3", EXIT_CODE_PASS, "");
}

static void check_refuses_names_and_topics_that_are_not_the_devices_own(void **state)
{
  (void) state;
  check_of("kick: {ids: [SN-2]}", "--set fleet.names=SN-{index:01}", EXIT_CODE_USAGE,
           "no device of this fleet is called SN-2; its devices are SN-0 to SN-1, as a run makes");
  check_of("kick: {ids: [SN-1]}", "--set fleet.names=SN-{index}", EXIT_CODE_PASS, "");
  check_of("kick: {ids: [00000001]}", "--set topics.telemetry=x/{site}/{id}", EXIT_CODE_USAGE,
           "'x/{site}/{id}': device 00000001 has no {site}; {id}, {index} and {cn} all have");
  check_of("kick: {ids: [00000001]}", "--set topics.telemetry=x/{site}", EXIT_CODE_USAGE,
           "'x/{site}': device 00000001 has no {site}");
  check_of("kick: {ids: [00000001]}", "--set topics.control=x/{index}/", EXIT_CODE_PASS, "");
  check_of("kick: {ids: [00000001]}",
           "--set topics.control=x/{id}/ --set topics.telemetry=x/{id}/status", EXIT_CODE_USAGE,
           "'x/00000001/status' of device 00000001 is a topic of telemetry, and one of updates");
}

static void check_refuses_files_that_are_not_there(void **state)
{
  (void) state;
  check_of("ota.publish: {image: v2, file: /nowhere/v2.img}", "", EXIT_CODE_USAGE,
           "story.yaml:9:23: cannot read /nowhere/v2.img");
  check_of("publish-crl: {file: /nowhere/list.pem}", "", EXIT_CODE_USAGE,
           "story.yaml:9:10: cannot read /nowhere/list.pem");
}

static void check_asks_the_fleet_folder_that_a_run_will_have(void **state)
{
  char words[400], fleet[100];
  (void) state;
  snprintf(words, sizeof words, "pki make %s/lab --devices 2 --roots A,spare", work);
  said_by(&cli_fleetsim, words, &said);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  snprintf(fleet, sizeof fleet, "--fleet %s/lab", work);
  check_of("kick: {ids: [00000002]}", fleet, EXIT_CODE_PASS, "");
  check_of("kick: {ids: [00000007]}", fleet, EXIT_CODE_USAGE,
           "story.yaml:9:10: no device of this fleet is called 00000007; its devices are 00000001 "
           "to 00000002\n");
  snprintf(words, sizeof words, "%s --set fleet.devices=3", fleet);
  check_of("kick: {share: 50%}", words, EXIT_CODE_USAGE,
           "lab holds 2 devices and the scenario asks for 3");
  snprintf(words, sizeof words, "%s --set pki.roots=[A,C]", fleet);
  check_of("kick: {share: 50%}", words, EXIT_CODE_USAGE, "name 'C', which ");
  snprintf(words, sizeof words, "%s --set fleet.names=SN-{index}", fleet);
  check_of("kick: {share: 50%}", words, EXIT_CODE_USAGE,
           "'names' makes the fleet's device 0 'SN-0', and in ");
  check_of("kick: {share: 50%}", "--fleet /nowhere", EXIT_CODE_USAGE, "cannot find /nowhere");
}

/* A word mistyped must not leave results that the next try is refused for. */
static void refused_with(const char *options, int code, const char *sentence)
{
  char words[400], out[100];
  snprintf(out, sizeof out, "%s/out", work);
  snprintf(words, sizeof words, "run %s/story.yaml --out %s %s", work, out, options);
  said_by(&cli_fleetsim, words, &said);
  if (strstr(said.err, sentence) == NULL)
    fprintf(stderr, "'%s'\n is not in: %s", sentence, said.err);
  assert_non_null(strstr(said.err, sentence));
  assert_int_equal(said.code, code);
  assert_int_equal(access(out, F_OK), -1);
}

static void a_run_refused_for_what_it_was_given_makes_no_folder(void **state)
{
  char words[400];
  (void) state;
  write_story("story", "kick: {ids: [00000002]}");
  refused_with("--fleet /nowhere", EXIT_CODE_USAGE, "cannot find /nowhere");
  refused_with("--fleet /tmp", EXIT_CODE_USAGE, "is this a folder made by 'fleetsim pki make'?");
  snprintf(words, sizeof words, "--devices 3 --fleet %s/lab", work);
  refused_with(words, EXIT_CODE_USAGE, "holds 2 devices");
  refused_with("--devices 1", EXIT_CODE_USAGE, "is called 00000002");
  write_story("story", "ota.publish: {image: v2, file: /nowhere/v2.img}");
  refused_with("", EXIT_CODE_USAGE, "/nowhere/v2.img");
}

static void show_of(const char *class, const char *sentence)
{
  char words[400];
  snprintf(words, sizeof words,
           "image make %s/%s.img --size 8KiB --version 1.1.0 --counter 2 --class %s --fleet %s/lab",
           work, class, class, work);
  said_by(&cli_fleetsim, words, &said);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  snprintf(words, sizeof words, "image show %s/%s.img --fleet %s/lab", work, class, work);
  said_by(&cli_fleetsim, words, &said);
  assert_int_equal(said.code, EXIT_CODE_PASS);
  if (strstr(said.out, sentence) == NULL) fprintf(stderr, "'%s' is not in: %s", sentence, said.out);
  assert_non_null(strstr(said.out, sentence));
}

static void an_image_for_another_class_is_not_called_good(void **state)
{
  (void) state;
  show_of("1", "\ngood: whole, and signed with that key\n");
  assert_null(strstr(said.out, "only devices of class"));
  show_of("2", "\nwhole, and signed with that key\nonly devices of class 2 take it ('ota: {class: "
               "2}'); others, and 1 is the class of a fleet that names none, refuse it "
               "(wrong_class)\n");
}

static void a_set_without_its_value_is_refused_and_hides_a_password(void **state)
{
  (void) state;
  said_by(&cli_run, STORY " --set mqtts://me:secret@host:8883", &said);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  assert_string_equal(said.err,
                      "run: --set wants PATH=VALUE, not mqtts://***@host:8883; --help shows how\n");
}

static void overrides_end_at_their_limit(void **state)
{
  (void) state;
  struct overrides overrides = {.count = 0};
  struct error error;
  for (size_t i = 0; i < OVERRIDES_MAX; i++)
    assert_int_equal(overrides_add(&overrides, "seed", "1", &error), 0);
  assert_int_equal(overrides_add(&overrides, "seed", "1", &error), -1);
  assert_string_equal(error.text, "too many --set options");
  assert_int_equal(overrides.count, OVERRIDES_MAX);
}

static void a_verb_says_what_it_wants(void **state)
{
  (void) state;
  static const struct {
    const char *words, *sentence;
  } cases[] = {
      {"run", "fleetsim run: name one scenario file; 'fleetsim run --help' shows how\n"},
      {"pki make", "fleetsim pki make: give exactly one fleet folder; --help shows an example\n"},
      {"pki make f", "fleetsim pki make: --devices is missing; --help shows an example\n"},
      {"pki make f --devices 0",
       "fleetsim pki make: '0' is no number of devices: give a whole number from 1 to 1000000\n"},
      {"pki revoke f", "fleetsim pki revoke: --device is missing; --help shows an example\n"},
      {"image sign a b", "fleetsim image sign: 'b' is one too many: give exactly one file; --help "
                         "shows an example\n"},
      {"run f --out ''",
       "fleetsim run: --out wants DIR, and the text after it is empty; --help shows an example\n"},
      {"pki import f --csv x --columns ''",
       "fleetsim pki import: --columns wants id=NAME, key=NAME, "
       "certificate=NAME or chain=NAME, not ''\n"},
      {"report a b c", "fleetsim report: 'c' is one too many: name the folder of one run's "
                       "results, or two to compare; 'fleetsim report --help' shows how\n"},
      {"run f --summary-markdown x/junit.xml",
       "fleetsim run: --summary-markdown x/junit.xml would be written over a run's own junit.xml: "
       "choose another name\n"},
      {"report a --summary-markdown results.json",
       "fleetsim report: --summary-markdown results.json would be written over a run's own "
       "results.json: choose another name\n"},
      {"report a b --html",
       "fleetsim report: --html is of one run: name one folder, or leave the option out\n"},
      {"report a --json", "fleetsim report: --json and --anyway are of two runs: name both "
                          "folders; one run has its results.json for programs\n"},
      {"report a b --threshold 10x",
       "fleetsim report: '10x' is no --threshold: give a percentage from 0.1% to 1000%\n"},
      {"report a b --threshold nan",
       "fleetsim report: 'nan' is no --threshold: give a percentage from 0.1% to 1000%\n"},
      {"report a b --fail-on never",
       "fleetsim report: 'never' is no --fail-on: give worse, moved or unclear\n"},
      {"image sign a --out b", "fleetsim image sign: --version is missing; --help shows an "
                               "example\n"},
      {"image make f --size 5GiB",
       "fleetsim image make: an image has less than 4 GiB, and '5GiB' is more; name a smaller "
       "--size\n"},
      {"image sign a --size 1", "fleetsim image sign: --size is no option of 'sign'; --help lists "
                                "them\n"},
      {"calibrate compare a",
       "fleetsim calibrate compare: say 'fleetsim calibrate compare A B [--json FILE]'\n"},
      {"terminator f --main-port 0",
       "fleetsim terminator: '0' is no --main-port: give a whole number from 1 to 65535\n"},
      {"rnu", "fleetsim: there is no verb 'rnu'; 'fleetsim --help' lists them\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    said_by(&cli_fleetsim, cases[i].words, &said);
    assert_string_equal(said.err, cases[i].sentence);
    assert_int_equal(said.code, EXIT_CODE_USAGE);
  }
}

static const char *explained(const char *name)
{
  char words[120];
  snprintf(words, sizeof words, "explain %s", name);
  said_by(&cli_fleetsim, words, &said);
  if (said.code != EXIT_CODE_PASS) fail_msg("%s: %s", words, said.err);
  assert_non_null(strstr(said.out, name));
  return said.out;
}

static void explain_knows_every_name_that_a_user_meets(void **state)
{
  (void) state;
  for (int f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    assert_non_null(strstr(explained(device_failure_name((enum device_failure) f)), "To do: "));
  for (int m = 0; m < METRIC_COUNT; m++) explained(metric_name((enum metric) m));
  for (int q = 0; q < QUANTITY_COUNT; q++) explained(quantity_name((enum quantity) q));
  for (size_t i = 0; i < product_count(); i++)
    assert_non_null(strstr(explained(product_at(i)->word), "kinds: of a broker"));
  for (int h = 0; h < HOOK_COUNT; h++) explained(hook_key((enum hook_kind) h));
  for (int s = DEVICE_OTA_NONE + 1; s < DEVICE_OTA_STATUS_COUNT; s++)
    explained(device_ota_status_name((enum device_ota_status) s));
#define X(variable, key, line) explained(variable);
  HOOK_FACTS(X)
#undef X
#define X(variable, line) assert_non_null(strstr(explained(variable), line));
  SIGNING_FACTS(X)
#undef X
}

static void explain_says_what_a_step_does_and_what_each_key_of_it_means(void **state)
{
  (void) state;
  for (size_t k = 0; steps_kinds[k] != NULL; k++) {
    const char *text = explained(steps_kinds[k]->name);
    char begins[31];
    snprintf(begins, sizeof begins, "%s", steps_manual(steps_kinds[k]));
    if (strstr(text, begins) == NULL) fail_msg("%s: not '%s'", steps_kinds[k]->name, begins);
    for (const struct step_argument *a = steps_kinds[k]->arguments; a->key != NULL; a++) {
      char key[40];
      snprintf(key, sizeof key, "\n      %s: ", a->key);
      if (strstr(text, key) == NULL) fail_msg("%s: nothing of '%s'", steps_kinds[k]->name, a->key);
    }
  }
  assert_non_null(
      strstr(explained("present"), "within: the longest wait until the broker serves it (10s)"));
}

static void explain_takes_groups_and_ends_of_names(void **state)
{
  (void) state;
  assert_non_null(strstr(explained("revoke"), "revoke.unrefused"));
  assert_null(strstr(explained("revoke.refuse_ms"), "revoke.refuse_full_ms"));
  assert_non_null(strstr(explained("not_trusted"), "connect.tls.not_trusted"));
  assert_null(strstr(explained("connect.tls."), "connect.mqtt"));
  said_by(&cli_fleetsim, "explain connect.tsl", &said);
  assert_int_equal(said.code, EXIT_CODE_USAGE);
  assert_string_equal(
      said.err, "fleetsim explain: there is no step, quantity, metric, failure, status, hook or "
                "kind of broker 'connect.tsl': 'fleetsim explain' lists them all\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_verb_explains_itself_and_all_its_options),
      cmocka_unit_test(every_table_is_whole),
      cmocka_unit_test(no_verb_takes_what_it_does_not_know),
      cmocka_unit_test(every_verb_says_what_is_missing_and_names_what_is_too_much),
      cmocka_unit_test(check_takes_what_run_sets),
      cmocka_unit_test(check_refuses_devices_that_the_fleet_does_not_have),
      cmocka_unit_test(check_refuses_names_and_topics_that_are_not_the_devices_own),
      cmocka_unit_test(check_refuses_files_that_are_not_there),
      cmocka_unit_test(check_asks_the_fleet_folder_that_a_run_will_have),
      cmocka_unit_test(a_run_refused_for_what_it_was_given_makes_no_folder),
      cmocka_unit_test(an_image_for_another_class_is_not_called_good),
      cmocka_unit_test(a_set_without_its_value_is_refused_and_hides_a_password),
      cmocka_unit_test(overrides_end_at_their_limit),
      cmocka_unit_test(a_verb_says_what_it_wants),
      cmocka_unit_test(explain_knows_every_name_that_a_user_meets),
      cmocka_unit_test(explain_says_what_a_step_does_and_what_each_key_of_it_means),
      cmocka_unit_test(explain_takes_groups_and_ends_of_names),
  };
  return cmocka_run_group_tests(tests, make_work, remove_work);
}
