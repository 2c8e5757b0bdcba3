/* One trial from its begin to its verdict, whatever its client does: it is over once, and its loop closes
 * clean. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "gauntlet/command.h"
#include "gauntlet/gauntlet.h"
#include "rig.h"

static const char text[] =
    "defaults\n cert root: ca=yes ku=keyCertSign,cRLSign\n cert spare: like=root\n"
    " cert stranger: like=root\n"
    " cert leaf: issuer=root ca=no eku=serverAuth ku=digitalSignature san=DNS:broker.test\n"
    " trusts: root spare\n sends: leaf\n host: broker.test\n clock: 2026-06-01\n tls: 1.2 1.3\n"
    " why: w\n expect: accept\n"
    "case good\n clients: accept\n control: yes\n"
    "case stranger\n clients: refuse\n flaw: trust\n cert leaf: issuer=stranger\n"
    " expect: connect.tls.bad_chain\n"
    "case nonsense\n groups: no-such-group\n"
    "case silence\n clients: refuse\n flaw: deadline\n wire: silence\n";

/* --- A client that dials and says nothing ----------------------------------------------------- */

enum { DIALS_MAX = 64 };

struct dialer {
  bool refuses; /* to be started */
  unsigned dials;
  int fd[DIALS_MAX];
  uv_timer_t gone;
};

static int start_dialer(struct trial *trial, struct error *error)
{
  struct dialer *dialer = trial->setting->client_setting;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  to.sin_port = htons(trial->port);
  if (dialer->refuses) return error_set(error, EXIT_CODE_SETUP, "it does not start");
  for (unsigned i = 0; i < dialer->dials; i++) {
    dialer->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(dialer->fd[i], (struct sockaddr *) &to, sizeof to), 0);
  }
  uv_timer_init(trial->setting->loop, &dialer->gone);
  dialer->gone.data = trial;
  return 0;
}

static void on_gone(uv_handle_t *handle)
{
  trial_client_gone(handle->data);
}

static void stop_dialer(struct trial *trial)
{
  struct dialer *dialer = trial->setting->client_setting;
  uv_close((uv_handle_t *) &dialer->gone, on_gone);
}

static const struct trial_client dialers = {.start = start_dialer, .stop = stop_dialer};

/* --- The stage -------------------------------------------------------------------------------- */

struct stage {
  uv_loop_t loop;
  struct cases *cases;
  struct credentials credentials;
  struct dialer dialer;
  struct command_setting command;
  char folder[64]; /* of a command; "" */
  struct trial_setting setting;
  struct trial trial;
  struct trial_result result;
  unsigned over;
};

static void on_trial_over(struct trial *trial)
{
  ((struct stage *) trial->ctx)->over++;
}

static void begin(struct stage *stage, const char *id, unsigned dials)
{
  struct error error = {0};
  memset(stage, 0, sizeof *stage);
  assert_int_equal(uv_loop_init(&stage->loop), 0);
  stage->cases = rig_cases(text);
  if (credentials_make(&stage->credentials, stage->cases, NULL, NULL, (int64_t) time(NULL),
                       &error) != 0)
    fail_msg("%s", error.text);
  stage->dialer.dials = dials;
  stage->setting = (struct trial_setting){.loop = &stage->loop,
                                          .credentials = &stage->credentials,
                                          .client = &dialers,
                                          .client_setting = &stage->dialer,
                                          .patience_ms = 300,
                                          .linger_ms = 100};
  stage->trial = (struct trial){.setting = &stage->setting,
                                .c = cases_find(stage->cases, id),
                                .tls = 13,
                                .result = &stage->result,
                                .over = on_trial_over,
                                .ctx = stage};
}

static void expect_end(struct stage *stage, enum verdict verdict, const char *sentence)
{
  uv_run(&stage->loop, UV_RUN_DEFAULT);
  assert_int_equal(stage->over, 1);
  if (stage->result.verdict != verdict || strstr(stage->result.why, sentence) == NULL)
    fail_msg("%s: %s, not %s: '%s'", stage->result.c->id, verdict_word(stage->result.verdict),
             verdict_word(verdict), stage->result.why);
  assert_int_equal(uv_loop_close(&stage->loop), 0);
  for (unsigned i = 0; i < stage->dialer.dials; i++) close(stage->dialer.fd[i]);
  if (stage->folder[0] != '\0') assert_int_equal(files_remove(stage->folder, NULL), 0);
  credentials_close(&stage->credentials);
  cases_free(stage->cases);
}

static void who_never_connects_has_shown_nothing(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "stranger", 0);
  uint64_t began = uv_hrtime();
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_NOT_SHOWN, "it never connected");
  assert_in_range((uv_hrtime() - began) / 1000000, 250, 2000);
}

static void who_connects_and_says_nothing_has_not_either(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "stranger", 3);
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_NOT_SHOWN, "no ClientHello");
  assert_int_equal(stage.result.seen.connections, 3);
  assert_int_equal(stage.result.seen.mute, 3);
}

static void who_sits_through_silence_has_failed(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "silence", 1);
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_FAIL, "it had not given up");
}

static void more_connections_than_there_is_room_for_are_closed(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "stranger", DIALS_MAX - 2);
  trial_start(&stage.trial);
  uint64_t until = uv_hrtime() + 100000000;
  while (uv_hrtime() < until) uv_run(&stage.loop, UV_RUN_NOWAIT);
  unsigned closed = 0;
  for (unsigned i = 0; i < stage.dialer.dials; i++) {
    char byte;
    closed += recv(stage.dialer.fd[i], &byte, 1, MSG_DONTWAIT) == 0;
  }
  assert_int_equal(closed, stage.dialer.dials - TRIAL_VISITS_MAX);
  expect_end(&stage, VERDICT_NOT_SHOWN, "no ClientHello");
  assert_int_equal(stage.result.seen.connections, TRIAL_VISITS_MAX);
}

static void a_trial_can_be_stopped_in_the_middle(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "silence", 2);
  stage.setting.patience_ms = 60000;
  trial_start(&stage.trial);
  for (int i = 0; i < 50; i++) uv_run(&stage.loop, UV_RUN_NOWAIT);
  trial_stop(&stage.trial);
  trial_stop(&stage.trial);
  expect_end(&stage, VERDICT_NOT_SHOWN, "ended in the middle of it");
}

static void a_client_that_does_not_start_is_skipped(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "stranger", 0);
  stage.dialer.refuses = true;
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_SKIPPED, "it does not start");
}

static void a_case_that_cannot_be_served_is_skipped(void **state)
{
  (void) state;
  struct stage stage;
  begin(&stage, "nonsense", 0);
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_SKIPPED, "OpenSSL does not serve it");
}

/* --- Commands --------------------------------------------------------------------------------- */

static const uint8_t image[] = "image";

/* None of them comes to the server: what they leave behind is looked at. */
static void begin_command(struct stage *stage, const char *line)
{
  struct error error = {0};
  begin(stage, "stranger", 0);
  snprintf(stage->folder, sizeof stage->folder, "/tmp/fleetsim-trial-XXXXXX");
  assert_non_null(mkdtemp(stage->folder));
  stage->command = (struct command_setting){.text = line, .folder = stage->folder};
  if (command_prepare(&stage->command, &stage->credentials, &error) != 0)
    fail_msg("%s", error.text);
  stage->setting.client = &command_client;
  stage->setting.client_setting = &stage->command;
  stage->setting.patience_ms = 10000;
  stage->setting.image = image;
  stage->setting.image_size = 5;
}

static void what_a_command_leaves_in_its_file_is_known(void **state)
{
  (void) state;
  static const struct {
    const char *text;
    enum observation_file file;
  } table[] = {
      {": {address} {port}", OBSERVATION_UNNAMED},
      {": {address} {port} {{out}", OBSERVATION_UNNAMED},
      {": {address} {port}; printf image >{out}.bin", OBSERVATION_UNNAMED},
      {": {address} {port}; mkdir {out}", OBSERVATION_UNNAMED},
      {": {address} {port} {out}", OBSERVATION_NOTHING},
      {": {address} {port} >{out}", OBSERVATION_NOTHING},
      {": {address} {port}; printf image >\"{out}\"", OBSERVATION_IMAGE},
      {": {address} {port}; printf imago >{out}", OBSERVATION_OTHER},
      {": {address} {port}; printf images >{out}; exit 3", OBSERVATION_OTHER},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct stage stage;
    begin_command(&stage, table[i].text);
    trial_start(&stage.trial);
    expect_end(&stage, VERDICT_NOT_SHOWN, "it never connected");
    if (stage.result.seen.file != table[i].file)
      fail_msg("'%s': %d, not %d", table[i].text, (int) stage.result.seen.file,
               (int) table[i].file);
  }
}

static void a_file_of_an_earlier_try_is_none_of_this_one(void **state)
{
  (void) state;
  struct stage stage;
  char path[96];
  begin_command(&stage, ": {address} {port} {out}");
  snprintf(path, sizeof path, "%s/000.out", stage.folder);
  assert_int_equal(files_write(path, image, 5, 0600, NULL), 0);
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_NOT_SHOWN, "it never connected");
  assert_int_equal(stage.result.seen.file, OBSERVATION_NOTHING);
}

/* Blank, quote, dollar: {ca} would be two words, or another. */
static void a_folder_that_a_shell_takes_apart_is_refused(void **state)
{
  (void) state;
  static const struct {
    const char *name;
    bool taken;
  } table[] = {
      {"a b", false}, {"a'b", false},  {"a\"b", false},       {"a$b", false},       {"a`b", false},
      {"a;b", false}, {"a*b", false},  {"a\\b", false},       {"a\nb", false},      {"a~b", false},
      {"A9_b", true}, {"a.b-c", true}, {"a+b,c@d%e:f", true}, {"b\xc3\xa4r", true},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    struct stage stage;
    struct error error = {0};
    char folder[128];
    begin_command(&stage, ": {address} {port}; cat \"{ca}\" {ca} >{out}");
    snprintf(folder, sizeof folder, "%s/%s", stage.folder, table[i].name);
    assert_int_equal(files_make_folder(folder, 0700, NULL), 0);
    stage.command.folder = folder;
    bool taken = command_prepare(&stage.command, &stage.credentials, &error) == 0;
    if (taken != table[i].taken) fail_msg("'%s': %d, '%s'", table[i].name, taken, error.text);
    if (!taken) assert_int_equal(error.code, EXIT_CODE_SETUP);
    if (!taken) assert_non_null(strstr(error.text, "set TMPDIR"));
    if (!taken) stage.command.folder = stage.folder;
    trial_start(&stage.trial);
    expect_end(&stage, VERDICT_NOT_SHOWN, "it never connected: it ended with exit code 0");
    assert_int_equal(stage.result.seen.file, OBSERVATION_OTHER);
  }
}

/* One goes into a session of its own, and what it does behind the command is seen for a while. */
static void no_process_of_a_trial_outlives_it(void **state)
{
  (void) state;
  struct stage stage;
  char path[96], *end;
  uint8_t *written;
  size_t size;
  begin_command(&stage, ": {address} {port}; setsid sh -c 'echo $$ >{out}.pid; exec sleep 600' &");
  snprintf(path, sizeof path, "%s/000.out.pid", stage.folder);
  trial_start(&stage.trial);
  uv_run(&stage.loop, UV_RUN_DEFAULT);
  assert_int_equal(files_read(path, 32, &written, &size, NULL), 0);
  long pid = strtol((const char *) written, &end, 10);
  assert_true(pid > 1 && *end == '\n');
  free(written);
  assert_int_equal(kill((pid_t) pid, 0), -1);
  assert_int_equal(stage.result.seen.left, 1);
  expect_end(
      &stage, VERDICT_NOT_SHOWN,
      "it never connected: it ended with exit code 0; 1 process that it left behind was ended");
}

static void what_a_client_does_behind_its_end_is_seen(void **state)
{
  (void) state;
  struct stage stage;
  begin_command(&stage, "setsid bash -c 'sleep 0.5; exec 3<>/dev/tcp/{address}/{port}' & exit 1");
  trial_start(&stage.trial);
  expect_end(&stage, VERDICT_NOT_SHOWN, "it connected, and sent no ClientHello");
  assert_int_equal(stage.result.seen.connections, 1);
  assert_int_equal(stage.result.seen.status, 1);
  assert_int_equal(stage.result.seen.left, 0);
}

/* --- A whole gauntlet ------------------------------------------------------------------------- */

static void our_own_device_passes_by_its_word_and_by_what_was_seen(void **state)
{
  (void) state;
  struct report report;
  struct error error = {0};
  struct cases *cases = rig_cases(text);
  const struct gauntlet_options options = {.cases = cases, .jobs = 4, .patience_ms = 5000};
  if (gauntlet_run(&options, &report, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(report.count, 8);
  for (size_t i = 0; i < report.count; i++) {
    const struct trial_result *r = &report.result[i];
    if (strcmp(r->c->id, "good") == 0) {
      if (r->verdict != VERDICT_PASS || !r->seen.asked) fail_msg("%s: %s", r->c->id, r->why);
      assert_true(r->seen.publishes >= 1);
    } else if (strcmp(r->c->id, "stranger") == 0) {
      assert_int_equal(r->conduct, CONDUCT_REFUSED);
      assert_int_equal(r->seen.application_bytes, 0);
    }
  }
  gauntlet_free(&report);
  cases_free(cases);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_never_connects_has_shown_nothing),
      cmocka_unit_test(who_connects_and_says_nothing_has_not_either),
      cmocka_unit_test(who_sits_through_silence_has_failed),
      cmocka_unit_test(more_connections_than_there_is_room_for_are_closed),
      cmocka_unit_test(a_trial_can_be_stopped_in_the_middle),
      cmocka_unit_test(a_client_that_does_not_start_is_skipped),
      cmocka_unit_test(a_case_that_cannot_be_served_is_skipped),
      cmocka_unit_test(what_a_command_leaves_in_its_file_is_known),
      cmocka_unit_test(a_file_of_an_earlier_try_is_none_of_this_one),
      cmocka_unit_test(a_folder_that_a_shell_takes_apart_is_refused),
      cmocka_unit_test(no_process_of_a_trial_outlives_it),
      cmocka_unit_test(what_a_client_does_behind_its_end_is_seen),
      cmocka_unit_test(our_own_device_passes_by_its_word_and_by_what_was_seen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
