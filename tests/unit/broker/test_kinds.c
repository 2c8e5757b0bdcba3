/* Every kind of broker keeps the contract of broker/kind.h: it is whole, each operation ends once
 * and from the loop, what was written is served, and nothing is left of it when it is closed. A new
 * kind needs a line in `set_up`, which says what it stands on here, and passes all of this. One
 * that runs a program is skipped where the program is not installed.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <dirent.h>
#include <sys/stat.h>

#include "broker/hosted.h"
#include "broker/internal.h"

/* --- What each kind stands on ----------------------------------------------------------------- */

static struct broker *elsewhere; /* what a remote one leads to: a mosquitto of the test's */
static char hooks[HOOK_COUNT][3 * FILES_PATH_MAX];

static bool set_up_mosquitto(struct rig *rig, struct broker_config *config)
{
  char path[FILES_PATH_MAX];
  (void) rig;
  (void) config;
  return files_find_executable("mosquitto", path);
}

static void set_hook(struct broker_config *config, enum hook_kind kind, const char *command)
{
  snprintf(hooks[kind], sizeof hooks[kind], "cd '%s' && %s", elsewhere->folder, command);
  config->hooks.of[kind] = hooks[kind];
}

static bool set_up_remote(struct rig *rig, struct broker_config *config)
{
  char reload[64];
  if (!set_up_mosquitto(rig, config)) return false;
  rig_start_broker(rig);
  elsewhere = rig->broker;
  rig->broker = NULL;
  snprintf(rig->broker_folder, sizeof rig->broker_folder, "%s/ours", rig->folder);
  config->kind = BROKER_KIND_REMOTE;
  for (int l = 0; l < BROKER_LISTENERS; l++)
    config->port[l] = broker_port(elsewhere, (enum broker_listener) l);
  snprintf(reload, sizeof reload, "kill -HUP %d", (int) hosted_of(elsewhere)->server.child.pid);
  set_hook(config, HOOK_PRESENT,
           "cp \"$FLEETSIM_CERT\" $FLEETSIM_LISTENER.crt && "
           "cp \"$FLEETSIM_KEY\" $FLEETSIM_LISTENER.key");
  set_hook(config, HOOK_TRUST_CLIENTS, "cp \"$FLEETSIM_CLIENT_CA\" clients.crt");
  set_hook(config, HOOK_RELOAD, reload);
  set_hook(config, HOOK_RESTART, "true");
  set_hook(config, HOOK_PUBLISH_CRL, "true");
  set_hook(config, HOOK_KICK, "test \"$FLEETSIM_DEVICE\" = 00000001");
  return true;
}

/* Fills in what the kind needs beside rig_config's; false: its program is not installed. */
static bool (*const set_up[BROKER_KINDS_COUNT])(struct rig *rig, struct broker_config *config) = {
    [BROKER_KIND_MOSQUITTO] = set_up_mosquitto, [BROKER_KIND_REMOTE] = set_up_remote};

static const struct broker_ops *const kinds[] = {
#define X(symbol, name, word, traits) &broker_##name,
    BROKER_KINDS(X)
#undef X
};

static const char *const titles[] = {
#define X(symbol, name, word, traits) #name,
    BROKER_KINDS(X)
#undef X
};

/* Plays `body` once for each kind, on a rig of its own with the kind's broker opened. */
static void with_each_kind(void (*body)(struct rig *rig))
{
  for (int k = 0; k < BROKER_KINDS_COUNT; k++) {
    void *state = NULL;
    if (set_up[k] == NULL) fail_msg("this test does not know how to set up %s", titles[k]);
    assert_int_equal(rig_up(&state), 0);
    struct rig *rig = state;
    struct broker_config config = rig_config(rig);
    struct error error;
    config.kind = (enum broker_kind) k;
    if (!set_up[k](rig, &config)) {
      print_message("%s is not installed\n", titles[k]);
      assert_int_equal(rig_down(&state), 0);
      continue;
    }
    print_message("%s\n", titles[k]);
    if (broker_open(&rig->loop, &config, &rig->broker, &error) != 0) fail_msg("%s", error.text);
    body(rig);
    if (rig->broker != NULL) rig_close_broker(rig);
    rig->broker = elsewhere;
    elsewhere = NULL;
    assert_int_equal(rig->deaths, 0);
    assert_int_equal(rig_down(&state), 0);
  }
}

/* --- The table -------------------------------------------------------------------------------- */

static void has_name(const char *kind, const char *const *earlier, size_t count, const char *name)
{
  if (name == NULL || name[0] == '\0' || strlen(name) >= BROKER_FILE_NAME_MAX - 1 ||
      strchr(name, '/') != NULL)
    fail_msg("%s: file %zu has no name, or one that is too long", kind, count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(earlier[i], name) == 0) fail_msg("%s: two of its files are called %s", kind, name);
}

static void every_kind_has_a_name_for_each_file(void **state)
{
  (void) state;
  for (int k = 0; k < BROKER_KINDS_COUNT; k++) {
    const struct broker_names *names = kinds[k]->names;
    const char *all[2 * BROKER_LISTENERS + BROKER_MATERIALS + 5];
    size_t count = 0;
    for (int l = 0; l < BROKER_LISTENERS; l++) {
      all[count++] = names->chain[l];
      all[count++] = names->key[l];
    }
    for (int m = 0; m < BROKER_MATERIALS; m++) all[count++] = names->material[m];
    all[count++] = names->probe_chain;
    all[count++] = names->probe_key;
    all[count++] = names->device_chain;
    all[count++] = names->device_key;
    all[count++] = kinds[k]->log;
    for (size_t i = 0; i < count; i++) has_name(titles[k], all, i, all[i]);
  }
}

static void every_kind_does_what_its_traits_say(void **state)
{
  (void) state;
  for (int k = 0; k < BROKER_KINDS_COUNT; k++) {
    const struct broker_ops *ops = kinds[k];
    enum broker_kind kind = (enum broker_kind) k;
    bool owned = broker_kind_is(kind, BROKER_OWNED), hooked = broker_kind_is(kind, BROKER_HOOKED);
    if (ops->open == NULL || ops->running == NULL || ops->start == NULL || ops->stop == NULL ||
        ops->restart == NULL || ops->reload == NULL || ops->kick == NULL)
      fail_msg("%s lacks an operation that each kind has", titles[k]);
    if (owned != (ops->kill != NULL) || owned != (ops->freeze != NULL) ||
        owned != (ops->thaw != NULL) || owned != (ops->close != NULL))
      fail_msg("%s can be killed, frozen and closed if it is owned, and only then", titles[k]);
    if (owned != (broker_kind_word(kind) != NULL))
      fail_msg("%s has a word in a scenario if it is owned, and only then", titles[k]);
    if (hooked &&
        (ops->presented == NULL || ops->clients_trusted == NULL || ops->crl_published == NULL))
      fail_msg("%s has hooks for new files, and does not call them", titles[k]);
    if (owned && hooked) fail_msg("%s cannot be owned and hooked", titles[k]);
  }
}

/* --- Its life --------------------------------------------------------------------------------- */

static void give_files(struct rig *rig, const char *root, struct chain_prints *main_leaf)
{
  static const struct pki_roots both = {2, {"A", "B"}};
  struct chain_prints prove_leaf;
  rig_present(rig, BROKER_MAIN, root, main_leaf);
  rig_present(rig, BROKER_PROVE, "B", &prove_leaf);
  rig_trust_clients(rig, &both);
}

/* `done` has not come from inside the call, comes, and does not come again. */
static void ends_once(struct rig *rig, struct outcome *outcome, const char *what)
{
  if (outcome->calls != 0) fail_msg("%s: done comes from inside the call", what);
  rig_succeeds(rig, outcome);
  rig_pass(rig, 10);
  if (outcome->calls != 1) fail_msg("%s: done comes %u times", what, outcome->calls);
  memset(outcome, 0, sizeof *outcome);
}

static void does(struct rig *rig, broker_operation *operation, const char *what)
{
  struct outcome outcome = {0};
  operation(rig->broker, rig_on_done, &outcome);
  ends_once(rig, &outcome, what);
}

static void kick(struct rig *rig)
{
  char certificate[400], key[400];
  struct outcome outcome = {0};
  snprintf(certificate, sizeof certificate, "%s/operator.crt", rig->pki_folder);
  snprintf(key, sizeof key, "%s/operator.key", rig->pki_folder);
  broker_kick(rig->broker,
              &(struct broker_kick){
                  .client_id = "00000001", .certificate_path = certificate, .key_path = key},
              rig_on_done, &outcome);
  ends_once(rig, &outcome, "kick");
}

static void live(struct rig *rig)
{
  struct chain_prints leaf;
  struct outcome outcome = {0};
  give_files(rig, "A", &leaf);
  does(rig, broker_start, "start");
  assert_true(broker_running(rig->broker));
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    broker_presented(rig->broker, (enum broker_listener) l, rig_on_done, &outcome);
    ends_once(rig, &outcome, "presented");
  }
  does(rig, broker_clients_trusted, "clients_trusted");
  does(rig, broker_crl_published, "crl_published");
  does(rig, broker_reload, "reload");
  does(rig, broker_restart, "restart");
  kick(rig);
  if (broker_is(rig->broker, BROKER_OWNED)) {
    does(rig, broker_freeze, "freeze");
    assert_true(broker_running(rig->broker));
    does(rig, broker_thaw, "thaw");
    does(rig, broker_kill, "kill");
    assert_false(broker_running(rig->broker));
    does(rig, broker_start, "start");
  }
  does(rig, broker_stop, "stop");
  assert_int_equal(broker_running(rig->broker), !broker_is(rig->broker, BROKER_OWNED));
}

static void every_operation_ends_once_and_from_the_loop(void **state)
{
  (void) state;
  with_each_kind(live);
}

static void await_leaf(struct rig *rig, const struct chain_prints *leaf)
{
  for (int i = 0; i < 200; i++) {
    struct outcome seen = {0};
    broker_probe(rig->broker, &(struct broker_look){BROKER_MAIN, NULL, 0, 0}, rig_on_seen, &seen);
    rig_succeeds(rig, &seen);
    if (chain_prints_serve(&seen.seen.chain, leaf)) return;
    rig_pause_ms(20);
  }
  fail_msg("the new leaf is not served after 4 s");
}

static bool takes(struct rig *rig, size_t device)
{
  char certificate[400], key[400];
  struct outcome asked = {0};
  snprintf(certificate, sizeof certificate, "%s/%zu.crt", rig->folder, device);
  snprintf(key, sizeof key, "%s/%zu.key", rig->folder, device);
  const struct broker_client client = {
      .client_id = "somebody", .certificate_path = certificate, .key_path = key};
  broker_try_client(rig->broker, &client, rig_on_seen, &asked);
  rig_succeeds(rig, &asked);
  return asked.seen.takes;
}

static void serve(struct rig *rig)
{
  static const struct pki_roots only_a = {1, {"A"}};
  struct chain_prints first, second;
  struct outcome presented = {0};
  give_files(rig, "A", &first);
  does(rig, broker_start, "start");
  if (broker_is(rig->broker, BROKER_FRESH)) await_leaf(rig, &first);
  assert_true(takes(rig, 0));

  rig_present(rig, BROKER_MAIN, "B", &second);
  broker_presented(rig->broker, BROKER_MAIN, rig_on_done, &presented);
  ends_once(rig, &presented, "presented");
  does(rig, broker_reload, "reload");
  await_leaf(rig, &second);

  /* devices are under B */
  rig_trust_clients(rig, &only_a);
  does(rig, broker_clients_trusted, "clients_trusted");
  if (broker_is(rig->broker, BROKER_HOOKED)) /* whose hook 'restart' does nothing here */
    return;
  does(rig, broker_trusts_at_start_only(rig->broker) ? broker_restart : broker_reload, "apply");
  assert_false(takes(rig, 0));
}

static void what_is_written_and_told_is_served_and_trusted(void **state)
{
  (void) state;
  with_each_kind(serve);
}

/* --- Its folder ------------------------------------------------------------------------------- */

static void is_in_folder(const struct rig *rig, const char *path)
{
  size_t size = strlen(rig->broker_folder);
  if (strncmp(path, rig->broker_folder, size) != 0 || path[size] != '/')
    fail_msg("%s is not in %s", path, rig->broker_folder);
}

static void opened(struct rig *rig)
{
  struct stat st;
  char path[FILES_PATH_MAX];
  assert_int_equal(stat(rig->broker_folder, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  DIR *folder = opendir(rig->broker_folder);
  size_t entries = 0;
  while (readdir(folder) != NULL) entries++;
  closedir(folder);
  assert_int_equal(entries, 2); /* . and .. */
  for (int l = 0; l < BROKER_LISTENERS; l++) {
    struct broker_pair files = broker_chain_place(rig->broker, (enum broker_listener) l);
    is_in_folder(rig, files.certificate);
    is_in_folder(rig, files.key);
    assert_true(broker_port(rig->broker, (enum broker_listener) l) != 0);
    assert_true(broker_address(rig->broker, (enum broker_listener) l)[0] != '\0');
  }
  for (int m = 0; m < BROKER_MATERIALS; m++) {
    broker_place(rig->broker, (enum broker_material) m, path);
    is_in_folder(rig, path);
  }
  assert_true(broker_version(rig->broker)[0] != '\0');
  assert_true(broker_name(rig->broker)[0] != '\0');
}

static void opening_makes_a_folder_and_writes_nothing_into_it(void **state)
{
  (void) state;
  with_each_kind(opened);
}

/* --- Its end ---------------------------------------------------------------------------------- */

static void close_while_it_starts(struct rig *rig)
{
  struct chain_prints leaf;
  struct outcome started = {0};
  give_files(rig, "A", &leaf);
  broker_start(rig->broker, rig_on_done, &started);
  rig_close_broker(rig);
  assert_int_equal(started.calls, 1);
  assert_true(started.failed);
  assert_int_equal(started.error.code, EXIT_CODE_INTERRUPTED);
}

static void closing_interrupts_a_start(void **state)
{
  (void) state;
  with_each_kind(close_while_it_starts);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_has_a_name_for_each_file),
      cmocka_unit_test(every_kind_does_what_its_traits_say),
      cmocka_unit_test(every_operation_ends_once_and_from_the_loop),
      cmocka_unit_test(what_is_written_and_told_is_served_and_trusted),
      cmocka_unit_test(opening_makes_a_folder_and_writes_nothing_into_it),
      cmocka_unit_test(closing_interrupts_a_start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
