#define _GNU_SOURCE
#include "rig.h"

#include "broker/internal.h"

/* An HTTP server that gives each connection the same answer, or none, and keeps the request. */
struct http {
  uv_tcp_t listener, client;
  uv_write_t write;
  const char *answer;
  char request[4096];
  size_t size;
  bool client_open, answered;
  uint16_t port;
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct http *http = handle->data;
  *buffer =
      uv_buf_init(http->request + http->size, (unsigned) (sizeof http->request - 1 - http->size));
}

static void on_written(uv_write_t *write, int status)
{
  (void) status;
  uv_close((uv_handle_t *) write->handle, NULL);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  (void) buffer;
  struct http *http = stream->data;
  if (size < 0) {
    if (!uv_is_closing((uv_handle_t *) stream)) uv_close((uv_handle_t *) stream, NULL);
    return;
  }
  http->size += (size_t) size;
  if (http->answer == NULL || http->answered || strchr(http->request, '}') == NULL) return;
  http->answered = true;
  uv_buf_t answer = uv_buf_init((char *) (uintptr_t) http->answer, (unsigned) strlen(http->answer));
  uv_write(&http->write, stream, &answer, 1, on_written);
}

static void on_connection(uv_stream_t *listener, int status)
{
  struct http *http = listener->data;
  assert_int_equal(status, 0);
  uv_tcp_init(listener->loop, &http->client);
  http->client.data = http;
  http->client_open = true;
  assert_int_equal(uv_accept(listener, (uv_stream_t *) &http->client), 0);
  uv_read_start((uv_stream_t *) &http->client, on_alloc, on_read);
}

static void http_open(struct rig *rig, struct http *http, const char *answer)
{
  struct sockaddr_in address;
  int size = sizeof address;
  memset(http, 0, sizeof *http);
  http->answer = answer;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_init(&rig->loop, &http->listener);
  http->listener.data = http;
  assert_int_equal(uv_tcp_bind(&http->listener, (struct sockaddr *) &address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &http->listener, 4, on_connection), 0);
  uv_tcp_getsockname(&http->listener, (struct sockaddr *) &address, &size);
  http->port = (uint16_t) (address.sin_port << 8 | address.sin_port >> 8);
}

static void http_close(struct rig *rig, struct http *http)
{
  uv_close((uv_handle_t *) &http->listener, NULL);
  if (http->client_open && !uv_is_closing((uv_handle_t *) &http->client))
    uv_close((uv_handle_t *) &http->client, NULL);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
}

static void open_remote(struct rig *rig, struct broker_hooks hooks, uint32_t timeout_ms)
{
  struct broker_config config = rig_config(rig);
  struct error error;
  config.kind = BROKER_KIND_REMOTE;
  config.port[BROKER_MAIN] = 1;
  config.hooks = hooks;
  config.hook_timeout_ms = timeout_ms;
  if (broker_open(&rig->loop, &config, &rig->broker, &error) != 0) fail_msg("%s", error.text);
}

static void write_file(struct rig *rig, const char *name, const char *text)
{
  char path[FILES_PATH_MAX];
  struct error error;
  broker_file(rig->broker, name, path);
  if (files_write(path, text, strlen(text), 0600, &error) != 0) fail_msg("%s", error.text);
}

static void read_back(struct rig *rig, const char *name, char out[2048])
{
  char path[FILES_PATH_MAX];
  broker_file(rig->broker, name, path);
  FILE *file = fopen(path, "r");
  if (file == NULL) fail_msg("%s was not written", path);
  out[fread(out, 1, 2047, file)] = '\0';
  fclose(file);
}

static void a_command_gets_the_facts_in_its_environment(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  char text[2048], expected[1200];
  open_remote(rig,
              (struct broker_hooks){.of[HOOK_PRESENT] =
                                        "echo \"$FLEETSIM_ACTION $FLEETSIM_LISTENER $FLEETSIM_CERT "
                                        "$FLEETSIM_KEY $FLEETSIM_CLIENT_CA\""},
              0);
  write_file(rig, "prove.key", "a key\n");
  broker_presented(rig->broker, BROKER_PROVE, rig_on_done, &done);
  rig_succeeds(rig, &done);
  read_back(rig, "hooks.log", text);
  const char *folder = rig->broker_folder;
  snprintf(expected, sizeof expected, "present prove %s/prove.crt %s/prove.key %s/clients.crt\n",
           folder, folder, folder);
  assert_string_equal(text, expected);
}

static void a_chain_whose_key_the_broker_has_comes_without_one(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  char text[2048];
  open_remote(rig, (struct broker_hooks){.of[HOOK_PRESENT] = "echo \"key: [$FLEETSIM_KEY]\""}, 0);
  broker_presented(rig->broker, BROKER_MAIN, rig_on_done, &done);
  rig_succeeds(rig, &done);
  read_back(rig, "hooks.log", text);
  assert_string_equal(text, "key: []\n");
}

/* --- A command that signs --------------------------------------------------------------------- */

static void sign(struct rig *rig, const char *command, uint32_t timeout_ms, struct outcome *done)
{
  char request[FILES_PATH_MAX], answer[FILES_PATH_MAX];
  open_remote(rig, (struct broker_hooks){0}, 0);
  write_file(rig, "request", "a request\n");
  write_file(rig, "answer", "of an earlier run, and longer than what comes\n");
  broker_file(rig->broker, "request", request);
  broker_file(rig->broker, "answer", answer);
  const struct broker_signing signing = {.command = command,
                                         .request = request,
                                         .answer = answer,
                                         .device = "SN-7",
                                         .timeout_ms = timeout_ms};
  broker_sign(rig->broker, &signing, rig_on_done, done);
  rig_wait(rig, &done->calls, 1);
}

static void a_signing_command_reads_the_request_and_its_output_is_kept(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  char text[2048];
  sign(rig, "cat; cat \"$FLEETSIM_CSR\"; echo \"of $FLEETSIM_DEVICE\"; echo aloud >&2", 0, &done);
  if (done.failed) fail_msg("%s", done.error.text);
  read_back(rig, "answer", text);
  assert_string_equal(text, "a request\na request\nof SN-7\n");
  read_back(rig, "hooks.log", text);
  assert_string_equal(text, "aloud\n");
}

/* The variables of ours that an environment printed by env has, each in the table of `names`. */
static void check_variables(const char *text, const char *const names[], size_t count)
{
  size_t found = 0;
  for (const char *at = text; (at = strstr(at, "FLEETSIM_")) != NULL; at++) {
    if (at != text && at[-1] != '\n') continue; /* in a value */
    bool known = false;
    for (size_t i = 0; i < count; i++)
      known |= strncmp(at, names[i], strlen(names[i])) == 0 && at[strlen(names[i])] == '=';
    if (!known) fail_msg("no table has the variable %.30s", at);
    found++;
  }
  assert_int_equal(found, count);
}

#define PRINT_OURS "env | grep ^FLEETSIM_"

static void the_table_of_a_signing_command_has_the_variables_that_it_gets(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  char text[2048];
#define X(variable, line) variable,
  static const char *const names[] = {SIGNING_FACTS(X)};
#undef X
  sign(rig, PRINT_OURS, 0, &done);
  read_back(rig, "answer", text);
  check_variables(text, names, sizeof names / sizeof *names);
}

static void the_table_of_hooks_has_the_variables_that_they_get(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  char text[2048];
#define X(variable, key, line) variable,
  static const char *const names[] = {HOOK_FACTS(X)};
#undef X
  open_remote(rig, (struct broker_hooks){.of[HOOK_RELOAD] = PRINT_OURS}, 0);
  broker_reload(rig->broker, rig_on_done, &done);
  rig_succeeds(rig, &done);
  read_back(rig, "hooks.log", text);
  check_variables(text, names, sizeof names / sizeof *names);
}

static void a_signing_command_that_fails_is_an_error_by_the_devices_name(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  sign(rig, "cat; exit 3", 0, &done);
  rig_fails(rig, &done, "the signing command ended with exit code 3 for device SN-7");
  assert_int_equal(done.error.code, EXIT_CODE_FAIL);
}

static void a_signing_command_has_its_time(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  sign(rig, "sleep 60", 200, &done);
  rig_fails(rig, &done, "the signing command did not end within 0.2 s and was killed for device");
}

static void what_the_caller_has_set_of_ours_does_not_reach_a_command(void **state)
{
  struct rig *rig = *state;
  struct outcome kicked = {0}, reloaded = {0};
  char text[2048];
  setenv("FLEETSIM_DEVICE", "stale", 1);
  setenv("FLEETSIM_ACTION", "stale", 1);
  setenv("FLEETSIM_TOMORROW", "stale", 1);
  setenv("NOT_OURS", "stays", 1);
  open_remote(
      rig,
      (struct broker_hooks){
          .of[HOOK_KICK] =
              "echo \"$FLEETSIM_ACTION $FLEETSIM_DEVICE\"; env | grep -E \"FLEETSIM|NOT_OURS\"",
          .of[HOOK_RELOAD] = "echo \"[$FLEETSIM_DEVICE]\""},
      0);
  broker_kick(rig->broker, &(struct broker_kick){.client_id = "0000002a"}, rig_on_done, &kicked);
  rig_succeeds(rig, &kicked);
  broker_reload(rig->broker, rig_on_done, &reloaded);
  rig_succeeds(rig, &reloaded);
  read_back(rig, "hooks.log", text);
  assert_non_null(strstr(text, "kick 0000002a\n"));
  assert_non_null(strstr(text, "[]\n"));
  assert_non_null(strstr(text, "NOT_OURS=stays"));
  assert_null(strstr(text, "stale"));
  unsetenv("FLEETSIM_DEVICE");
  unsetenv("FLEETSIM_ACTION");
  unsetenv("FLEETSIM_TOMORROW");
}

static void a_command_that_fails_is_an_error_with_its_exit_code(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  open_remote(rig, (struct broker_hooks){.of[HOOK_RELOAD] = "exit 7"}, 0);
  broker_reload(rig->broker, rig_on_done, &done);
  rig_fails(rig, &done, "'reload'");
  rig_fails(rig, &done, "exit code 7");
  rig_fails(rig, &done, "/hooks.log");
  assert_int_equal(done.error.code, EXIT_CODE_SETUP);
}

static void a_command_that_hangs_is_killed_with_what_it_started(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  char text[2048];
  open_remote(rig, (struct broker_hooks){.of[HOOK_RESTART] = "sleep 600 & echo $!; wait"}, 300);
  broker_restart(rig->broker, rig_on_done, &done);
  rig_fails(rig, &done, "did not end within 0.3 s");
  read_back(rig, "hooks.log", text);
  pid_t grandchild = (pid_t) atoi(text);
  assert_true(grandchild > 1);
  assert_true(rig_gone(grandchild));
}

static void closing_ends_a_command_that_runs(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  open_remote(rig, (struct broker_hooks){.of[HOOK_RESTART] = "sleep 600"}, 0);
  broker_restart(rig->broker, rig_on_done, &done);
  rig_close_broker(rig);
  assert_int_equal(done.calls, 1);
  assert_int_equal(done.error.code, EXIT_CODE_INTERRUPTED);
}

static void a_missing_hook_is_named(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  open_remote(rig, (struct broker_hooks){0}, 0);
  broker_clients_trusted(rig->broker, rig_on_done, &done);
  rig_fails(rig, &done, "no hook 'trust-clients'");
}

static void post(struct rig *rig, const char *answer, struct http *http, struct outcome *done)
{
  char url[64];
  http_open(rig, http, answer);
  snprintf(url, sizeof url, "http://127.0.0.1:%u/reload", http->port);
  open_remote(rig, (struct broker_hooks){.of[HOOK_RELOAD] = url}, 1000);
  broker_reload(rig->broker, rig_on_done, done);
  rig_wait(rig, &done->calls, 1);
  http_close(rig, http);
}

static void a_url_gets_the_facts_as_json_and_200_is_success(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  struct http http;
  post(rig, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &http, &done);
  rig_succeeds(rig, &done);
  assert_non_null(strstr(http.request, "POST /reload "));
  assert_non_null(strstr(http.request, "Content-Type: application/json"));
  assert_non_null(strstr(http.request, "\"action\":\"reload\""));
  assert_non_null(strstr(http.request, "/main.crt\""));
  assert_null(strstr(http.request, "PRIVATE KEY"));
}

static void nothing_of_a_url_goes_to_the_proxy_of_the_environment(void **state)
{
  static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy",
                                      "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};
  struct rig *rig = *state;
  struct outcome done = {0};
  struct http http, proxy;
  char url[64];
  http_open(rig, &proxy, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  snprintf(url, sizeof url, "http://127.0.0.1:%u/", proxy.port);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) setenv(names[i], url, 1);
  post(rig, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &http, &done);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
  rig_succeeds(rig, &done);
  assert_non_null(strstr(http.request, "POST /reload "));
  assert_false(proxy.client_open);
  http_close(rig, &proxy);
}

static void status_500_is_an_error_with_what_the_server_said(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  struct http http;
  post(rig, "HTTP/1.1 500 Oops\r\nContent-Length: 8\r\n\r\nno quota", &http, &done);
  rig_fails(rig, &done, "HTTP status 500 (no quota): mend the URL");
}

static void a_server_that_never_answers_meets_the_deadline(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  struct http http;
  post(rig, NULL, &http, &done);
  rig_fails(rig, &done, "was not answered");
}

static void closing_ends_a_request_under_way(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  struct http http;
  char url[64];
  http_open(rig, &http, NULL);
  snprintf(url, sizeof url, "http://127.0.0.1:%u/", http.port);
  open_remote(rig, (struct broker_hooks){.of[HOOK_RELOAD] = url}, 0);
  broker_reload(rig->broker, rig_on_done, &done);
  while (http.size == 0) uv_run(&rig->loop, UV_RUN_ONCE);
  rig_close_broker(rig);
  assert_int_equal(done.calls, 1);
  assert_int_equal(done.error.code, EXIT_CODE_INTERRUPTED);
  http_close(rig, &http);
}

static void a_remote_broker_is_reached_on_each_listener_it_has(void **state)
{
  struct rig *rig = *state;
  struct outcome done = {0};
  struct http server;
  struct error error;
  struct broker_config config = rig_config(rig);
  http_open(rig, &server, NULL);
  config.kind = BROKER_KIND_REMOTE;
  config.port[BROKER_MAIN] = server.port;
  assert_int_equal(broker_open(&rig->loop, &config, &rig->broker, &error), 0);
  broker_start(rig->broker, rig_on_done, &done);
  rig_succeeds(rig, &done);
  assert_true(server.client_open);
  http_close(rig, &server);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
  const struct CMUnitTest tests[] = {
      T(a_command_gets_the_facts_in_its_environment),
      T(a_chain_whose_key_the_broker_has_comes_without_one),
      T(a_signing_command_reads_the_request_and_its_output_is_kept),
      T(a_signing_command_that_fails_is_an_error_by_the_devices_name),
      T(a_signing_command_has_its_time),
      T(the_table_of_a_signing_command_has_the_variables_that_it_gets),
      T(the_table_of_hooks_has_the_variables_that_they_get),
      T(what_the_caller_has_set_of_ours_does_not_reach_a_command),
      T(nothing_of_a_url_goes_to_the_proxy_of_the_environment),
      T(a_command_that_fails_is_an_error_with_its_exit_code),
      T(a_command_that_hangs_is_killed_with_what_it_started),
      T(closing_ends_a_command_that_runs),
      T(a_missing_hook_is_named),
      T(a_url_gets_the_facts_as_json_and_200_is_success),
      T(status_500_is_an_error_with_what_the_server_said),
      T(a_server_that_never_answers_meets_the_deadline),
      T(closing_ends_a_request_under_way),
      T(a_remote_broker_is_reached_on_each_listener_it_has),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
