/* Downloads from a real nginx over real TLS on loopback. */
#define _GNU_SOURCE
#include "net/fetch.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../updates/server.h"

#define YEAR_S (365 * (int64_t) 86400)
#define MANY   200

/* One transfer, and what its owner was told. */
struct download {
  struct fetch *fetch;
  struct fetch_transfer *transfer;
  uint8_t *data;
  size_t size, capacity;
  unsigned pieces, ended, *all_ended;
  enum device_ota_status cause;
  size_t abort_at; /* bytes; 0: never */
  bool pause_first;
};

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  struct download *d = user;
  assert_int_equal(d->ended, 0);
  assert_non_null(d->transfer);
  assert_true(d->size + size <= d->capacity);
  memcpy(d->data + d->size, data, size);
  d->size += size;
  d->pieces++;
  if (d->pause_first && d->pieces == 1) fetch_pause(d->transfer, true);
  if (d->abort_at == 0 || d->size < d->abort_at) return;
  struct fetch_transfer *transfer = d->transfer;
  d->transfer = NULL;
  fetch_abort(transfer);
}

static void on_ended(void *user, enum device_ota_status cause)
{
  struct download *d = user;
  d->ended++;
  d->cause = cause;
  d->transfer = NULL;
  if (d->all_ended != NULL) (*d->all_ended)++;
}

static const struct fetch_handler handler = {on_bytes, on_ended};

static void on_closed(void *ctx)
{
  (*(unsigned *) ctx)++;
}

struct resolve {
  char text[3][80];
  const char *list[4];
};

static struct resolve resolve_of(const struct server *server)
{
  struct resolve r = {0};
  snprintf(r.text[0], sizeof r.text[0], SERVER_HOST ":%u:127.0.0.1", nginx_port(server->nginx));
  snprintf(r.text[1], sizeof r.text[1], "other.test:%u:127.0.0.1", nginx_port(server->nginx));
  snprintf(r.text[2], sizeof r.text[2], SERVER_HOST ":%u:127.0.0.1", server->upstream_port);
  return r;
}

static struct fetch *open_with(struct server *server, struct fetch_config config)
{
  struct error error = {.text = ""};
  struct resolve r = resolve_of(server);
  for (size_t i = 0; i < 3; i++) r.list[i] = r.text[i];
  config.loop = &server->loop;
  config.resolve = r.list;
  if (config.ca_path == NULL) config.ca_path = server->ca_path;
  struct fetch *fetch = fetch_open(&config, &error);
  if (fetch == NULL) fail_msg("%s", error.text);
  return fetch;
}

static void close_fetch(struct server *server, struct fetch *fetch)
{
  unsigned closed = 0;
  fetch_close(fetch, on_closed, &closed);
  server_wait(server, &closed, 1);
}

static void begin_at(struct server *server, struct fetch *fetch, struct download *d,
                     const char *host, const char *path, struct fetch_request request)
{
  char url[DEVICE_OTA_URL_MAX];
  snprintf(url, sizeof url, "https://%s:%u%s", host, nginx_port(server->nginx), path);
  if (request.url == NULL) request.url = url;
  if (request.size_max == 0) request.size_max = SERVER_FILE;
  if (request.unix_s == 0) request.unix_s = (int64_t) time(NULL);
  d->fetch = fetch;
  d->capacity = (size_t) request.size_max + 1;
  d->data = malloc(d->capacity);
  assert_non_null(d->data);
  d->transfer = fetch_begin(fetch, &request, &handler, d);
  assert_non_null(d->transfer);
}

/* One download and its end, by a fetch of its own. */
static struct download get_by(struct server *server, struct fetch_config config, const char *host,
                              const char *path, struct fetch_request request)
{
  struct download d = {0};
  struct fetch *fetch = open_with(server, config);
  begin_at(server, fetch, &d, host, path, request);
  assert_int_equal(d.ended, 0);
  server_wait(server, &d.ended, 1);
  close_fetch(server, fetch);
  assert_int_equal(d.ended, 1);
  return d;
}

static void expect_cause(const struct download *d, enum device_ota_status wanted)
{
  if (d->cause != wanted)
    fail_msg("ended with '%s' after %zu bytes, not with '%s'", device_ota_status_name(d->cause),
             d->size, device_ota_status_name(wanted));
}

static void expect_refusal(struct server *server, const char *path, uint32_t offset,
                           enum device_ota_status wanted)
{
  struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, path,
                             (struct fetch_request){.offset = offset});
  expect_cause(&d, wanted);
  assert_int_equal(d.size, 0);
  free(d.data);
}

static void expect_image(const struct server *server, const struct download *d, size_t offset)
{
  expect_cause(d, DEVICE_OTA_NONE);
  assert_int_equal(d->size, SERVER_FILE - offset);
  assert_memory_equal(d->data, server->image + offset, d->size);
}

/* --- What works ------------------------------------------------------------------------------- */

static void a_file_arrives_whole(void **state)
{
  struct server *server = *state;
  struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/image.bin",
                             (struct fetch_request){0});
  expect_image(server, &d, 0);
  free(d.data);
}

static void an_empty_file_ends_without_a_byte(void **state)
{
  expect_refusal(*state, "/empty.bin", 0, DEVICE_OTA_NONE);
}

static void a_range_begins_where_it_was_asked_to(void **state)
{
  struct server *server = *state;
  const uint32_t offsets[] = {1, 4096, SERVER_FILE - 1};
  for (size_t i = 0; i < 3; i++) {
    struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/image.bin",
                               (struct fetch_request){.offset = offsets[i]});
    expect_image(server, &d, offsets[i]);
    free(d.data);
  }
}

static void three_redirects_are_followed(void **state)
{
  struct server *server = *state;
  struct download d =
      get_by(server, (struct fetch_config){0}, SERVER_HOST, "/hop3", (struct fetch_request){0});
  expect_image(server, &d, 0);
  free(d.data);
}

static void requests_bytes_and_peaks_are_counted(void **state)
{
  struct server *server = *state;
  struct download d = {0};
  struct fetch_totals totals;
  struct fetch *fetch = open_with(server, (struct fetch_config){0});
  begin_at(server, fetch, &d, SERVER_HOST, "/once", (struct fetch_request){0});
  fetch_totals(fetch, &totals);
  assert_int_equal(totals.begun, 1);
  assert_int_equal(totals.waiting + totals.under_way, 1);
  server_wait(server, &d.ended, 1);
  fetch_totals(fetch, &totals);
  assert_int_equal(totals.ended, 1);
  assert_int_equal(totals.requests, 2);
  assert_int_equal(totals.bytes, SERVER_FILE);
  assert_in_range(totals.requests_peak_per_s, 1, 2);
  assert_in_range(totals.bytes_peak_per_s, SERVER_FILE / 3, SERVER_FILE);
  assert_int_equal(totals.waiting + totals.under_way, 0);
  close_fetch(server, fetch);
  free(d.data);
}

static void the_source_address_is_the_one_that_was_given(void **state)
{
  struct server *server = *state;
  struct sockaddr_storage from = {0};
  struct error error;
  char path[FILES_PATH_MAX];
  uint8_t *log = NULL;
  size_t size = 0;
  assert_int_equal(uv_ip4_addr("127.0.3.7", 0, (struct sockaddr_in *) &from), 0);
  struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/image.bin",
                             (struct fetch_request){.from = &from});
  expect_image(server, &d, 0);
  assert_int_equal(nginx_path(server->nginx, "access.log", path), 0);
  for (int i = 0; i < 100; i++) { /* nginx writes its line when the connection is done with */
    free(log);
    assert_int_equal(files_read(path, 1u << 20, &log, &size, &error), 0);
    if (strstr((char *) log, " 127.0.3.7 ") != NULL) break;
    server_run_ms(server, 20);
  }
  assert_non_null(strstr((char *) log, " 127.0.3.7 \"GET /image.bin HTTP/1.1\" 200 262144 "));
  free(log);
  free(d.data);
}

/* --- Whom it trusts --------------------------------------------------------------------------- */

static void the_certificate_must_lead_to_the_update_ca(void **state)
{
  struct server *server = *state;
  char root[FILES_PATH_MAX];
  snprintf(root, sizeof root, "%s/ca/A.crt", server->pki_folder);
  struct download d = get_by(server, (struct fetch_config){.ca_path = root}, SERVER_HOST,
                             "/image.bin", (struct fetch_request){0});
  expect_cause(&d, DEVICE_OTA_SERVER_NOT_TRUSTED);
  assert_int_equal(d.size, 0);
  free(d.data);
}

static void the_certificate_must_carry_the_name(void **state)
{
  struct server *server = *state;
  struct download d = get_by(server, (struct fetch_config){0}, "other.test", "/image.bin",
                             (struct fetch_request){0});
  expect_cause(&d, DEVICE_OTA_SERVER_NOT_TRUSTED);
  free(d.data);
  d = get_by(server, (struct fetch_config){0}, "127.0.0.1", "/image.bin",
             (struct fetch_request){0});
  expect_cause(&d, DEVICE_OTA_SERVER_NOT_TRUSTED);
  free(d.data);
}

/* On one fetch, so that what one clock has made of the CAs is not another's. */
static void validity_is_judged_by_the_clock_of_the_device(void **state)
{
  struct server *server = *state;
  const int64_t now = (int64_t) time(NULL),
                clocks[] = {now, now + 30 * YEAR_S, now - YEAR_S, 1, now};
  const enum device_ota_status wanted[] = {DEVICE_OTA_NONE, DEVICE_OTA_SERVER_NOT_TRUSTED,
                                           DEVICE_OTA_SERVER_NOT_TRUSTED,
                                           DEVICE_OTA_SERVER_NOT_TRUSTED, DEVICE_OTA_NONE};
  struct fetch *fetch = open_with(server, (struct fetch_config){0});
  struct download d[5] = {0};
  for (size_t i = 0; i < 5; i++)
    begin_at(server, fetch, &d[i], SERVER_HOST, "/image.bin",
             (struct fetch_request){.unix_s = clocks[i]});
  for (size_t i = 0; i < 5; i++) {
    server_wait(server, &d[i].ended, 1);
    expect_cause(&d[i], wanted[i]);
    free(d[i].data);
  }
  close_fetch(server, fetch);
}

static void a_file_without_a_ca_is_refused_with_a_sentence(void **state)
{
  struct server *server = *state;
  char path[FILES_PATH_MAX];
  struct error error = {.text = ""};
  assert_int_equal(nginx_path(server->nginx, "files/image.bin", path), 0);
  struct fetch_config config = {.loop = &server->loop, .ca_path = path};
  assert_null(fetch_open(&config, &error));
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "holds no CA certificate in PEM"));
  server_run_ms(server, 10);
}

/* --- What servers do -------------------------------------------------------------------------- */

static void a_status_that_is_no_success_is_said(void **state)
{
  expect_refusal(*state, "/missing.bin", 0, DEVICE_OTA_SERVER_STATUS);
  expect_refusal(*state, "/busy", 0, DEVICE_OTA_SERVER_STATUS);
  expect_refusal(*state, "/busy", 4096, DEVICE_OTA_SERVER_STATUS);
  expect_refusal(*state, "/nowhere", 0, DEVICE_OTA_SERVER_STATUS);
  expect_refusal(*state, "/image.bin", SERVER_FILE + 1, DEVICE_OTA_SERVER_STATUS);
}

static void a_range_that_is_not_served_is_said(void **state)
{
  expect_refusal(*state, "/no-ranges", 4096, DEVICE_OTA_SERVER_RANGE);
  expect_refusal(*state, "/wrong-start", 4096, DEVICE_OTA_SERVER_RANGE);
  expect_refusal(*state, "/wrong-start", 0, DEVICE_OTA_SERVER_RANGE);
}

static void redirects_end_after_three_and_at_https(void **state)
{
  struct server *server = *state;
  expect_refusal(server, "/loop", 0, DEVICE_OTA_SERVER_REDIRECTS);
  expect_refusal(server, "/hop4", 0, DEVICE_OTA_SERVER_REDIRECTS);
  expect_refusal(server, "/plain", 0, DEVICE_OTA_SERVER_REDIRECTS);
}

static void nothing_but_https_is_spoken(void **state)
{
  struct server *server = *state;
  struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/",
                             (struct fetch_request){.url = "http://" SERVER_HOST "/image.bin"});
  expect_cause(&d, DEVICE_OTA_SERVER_UNREACHABLE);
  free(d.data);
  d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/",
             (struct fetch_request){.url = "file:///etc/passwd"});
  expect_cause(&d, DEVICE_OTA_SERVER_UNREACHABLE);
  free(d.data);
}

static void nobody_listening_is_unreachable(void **state)
{
  struct server *server = *state;
  struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/",
                             (struct fetch_request){.url = "https://127.0.0.1:1/image.bin"});
  expect_cause(&d, DEVICE_OTA_SERVER_UNREACHABLE);
  free(d.data);
}

static void more_than_was_wanted_is_handed_over_by_one_byte(void **state)
{
  struct server *server = *state;
  struct download d = get_by(server, (struct fetch_config){0}, SERVER_HOST, "/image.bin",
                             (struct fetch_request){.size_max = 1000});
  expect_cause(&d, DEVICE_OTA_ENDLESS);
  assert_int_equal(d.size, 1001);
  assert_memory_equal(d.data, server->image, d.size);
  free(d.data);
}

static struct download get_raw(struct server *server, const char *answer,
                               struct fetch_config config)
{
  server->answer = answer;
  struct download d =
      get_by(server, config, SERVER_HOST, "/raw", (struct fetch_request){.size_max = 100000});
  server->endless = server->silent = false;
  return d;
}

static void an_answer_without_end_ends_at_the_limit(void **state)
{
  struct server *server = *state;
  server->endless = true;
  struct download d = get_raw(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                              (struct fetch_config){0});
  expect_cause(&d, DEVICE_OTA_ENDLESS);
  assert_int_equal(d.size, 100001);
  free(d.data);
}

static void an_answer_that_breaks_off_is_cut(void **state)
{
  struct download d = get_raw(*state, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nonly so much",
                              (struct fetch_config){0});
  expect_cause(&d, DEVICE_OTA_SERVER_CUT);
  assert_int_equal(d.size, 12);
  free(d.data);
}

static void silence_and_slowness_have_their_limits(void **state)
{
  struct server *server = *state;
  server->silent = true;
  struct download d = get_raw(server, "", (struct fetch_config){.total_ms = 300});
  expect_cause(&d, DEVICE_OTA_SERVER_TIMEOUT);
  free(d.data);
  d = get_by(server, (struct fetch_config){.slow_s = 1, .slow_bytes_per_s = 100000}, SERVER_HOST,
             "/slow", (struct fetch_request){0});
  expect_cause(&d, DEVICE_OTA_SERVER_TIMEOUT);
  free(d.data);
}

/* The upstream speaks no TLS: it waits for ever for the end of a request. */
static void a_handshake_without_an_answer_has_its_limit(void **state)
{
  struct server *server = *state;
  char url[80];
  snprintf(url, sizeof url, "https://" SERVER_HOST ":%u/", server->upstream_port);
  server->silent = true;
  struct download d = get_by(server, (struct fetch_config){.connect_ms = 300}, SERVER_HOST, "/",
                             (struct fetch_request){.url = url});
  server->silent = false;
  expect_cause(&d, DEVICE_OTA_SERVER_TIMEOUT);
  free(d.data);
}

/* --- Pausing and aborting --------------------------------------------------------------------- */

static void a_paused_transfer_goes_on_where_it_was(void **state)
{
  struct server *server = *state;
  struct download d = {.pause_first = true};
  struct fetch *fetch = open_with(server, (struct fetch_config){0});
  begin_at(server, fetch, &d, SERVER_HOST, "/image.bin", (struct fetch_request){0});
  server_wait(server, &d.pieces, 1);
  server_run_ms(server, 100);
  assert_int_equal(d.pieces, 1);
  fetch_pause(d.transfer, false);
  assert_int_equal(d.pieces, 1);
  server_wait(server, &d.ended, 1);
  expect_image(server, &d, 0);
  close_fetch(server, fetch);
  free(d.data);
}

/* Before it began, after 1, 2, 5, ... ms, and in the middle of its bytes: nothing comes
   afterwards. */
static void nothing_follows_an_abort(void **state)
{
  struct server *server = *state;
  struct fetch_totals totals;
  struct fetch *fetch = open_with(server, (struct fetch_config){0});
  const uint64_t after_ms[] = {0, 1, 2, 5, 10, 20};
  for (size_t i = 0; i < sizeof after_ms / sizeof *after_ms; i++) {
    struct download d = {0};
    begin_at(server, fetch, &d, SERVER_HOST, "/slow", (struct fetch_request){0});
    if (after_ms[i] > 0) server_run_ms(server, after_ms[i]);
    fetch_abort(d.transfer);
    d.transfer = NULL; /* on_bytes would fail */
    server_run_ms(server, 30);
    assert_int_equal(d.ended, 0);
    free(d.data);
  }
  struct download d = {.abort_at = 100000};
  begin_at(server, fetch, &d, SERVER_HOST, "/image.bin", (struct fetch_request){0});
  server_run_ms(server, 100);
  assert_null(d.transfer);
  assert_int_equal(d.ended, 0);
  assert_in_range(d.size, 100000, 150000);
  free(d.data);
  fetch_totals(fetch, &totals);
  assert_int_equal(totals.aborted, 7);
  assert_int_equal(totals.under_way + totals.waiting, 0);
  close_fetch(server, fetch);
}

static void a_paused_transfer_can_be_aborted(void **state)
{
  struct server *server = *state;
  struct download d = {.pause_first = true};
  struct fetch *fetch = open_with(server, (struct fetch_config){0});
  begin_at(server, fetch, &d, SERVER_HOST, "/image.bin", (struct fetch_request){0});
  server_wait(server, &d.pieces, 1);
  server_run_ms(server, 20);
  fetch_pause(d.transfer, false);
  fetch_abort(d.transfer);
  d.transfer = NULL;
  server_run_ms(server, 30);
  assert_int_equal(d.ended, 0);
  close_fetch(server, fetch);
  free(d.data);
}

static void closing_aborts_what_is_under_way_and_what_waits(void **state)
{
  struct server *server = *state;
  struct download d[3] = {0};
  struct fetch *fetch = open_with(server, (struct fetch_config){.at_once = 2});
  for (size_t i = 0; i < 3; i++)
    begin_at(server, fetch, &d[i], SERVER_HOST, "/slow", (struct fetch_request){0});
  server_wait(server, &d[0].pieces, 1);
  close_fetch(server, fetch);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(d[i].ended, 0);
    free(d[i].data);
  }
  assert_int_equal(d[2].pieces, 0);
}

/* What a transfer's owner does with others from inside its bytes. */
struct meddler {
  struct server *server;
  struct fetch *fetch;
  struct download victim, newcomer;
  unsigned calls, closed;
  bool closes;
};

static void on_meddling_bytes(void *user, const uint8_t *data, size_t size)
{
  struct meddler *m = user;
  (void) data, (void) size;
  if (m->calls++ > 0) return;
  if (m->closes) {
    fetch_close(m->fetch, on_closed, &m->closed);
    return;
  }
  struct fetch_transfer *transfer = m->victim.transfer;
  m->victim.transfer = NULL;
  fetch_abort(transfer);
  begin_at(m->server, m->fetch, &m->newcomer, SERVER_HOST, "/image.bin", (struct fetch_request){0});
}

static void on_meddling_ended(void *user, enum device_ota_status cause)
{
  (void) user, (void) cause;
}

static void meddle(struct server *server, struct meddler *m)
{
  static const struct fetch_handler meddling = {on_meddling_bytes, on_meddling_ended};
  char url[DEVICE_OTA_URL_MAX];
  snprintf(url, sizeof url, "https://" SERVER_HOST ":%u/image.bin", nginx_port(server->nginx));
  struct fetch_request request = {
      .url = url, .size_max = SERVER_FILE, .unix_s = (int64_t) time(NULL)};
  m->server = server;
  m->fetch = open_with(server, (struct fetch_config){0});
  begin_at(server, m->fetch, &m->victim, SERVER_HOST, "/slow", (struct fetch_request){0});
  server_wait(server, &m->victim.pieces, 1);
  assert_non_null(fetch_begin(m->fetch, &request, &meddling, m));
  server_wait(server, &m->calls, 1);
}

static void others_can_begin_and_end_from_inside_bytes(void **state)
{
  struct server *server = *state;
  struct meddler m = {.closes = false};
  meddle(server, &m);
  server_wait(server, &m.newcomer.ended, 1);
  expect_image(server, &m.newcomer, 0);
  server_run_ms(server, 50);
  assert_int_equal(m.victim.ended, 0);
  close_fetch(server, m.fetch);
  free(m.victim.data);
  free(m.newcomer.data);
}

static void all_can_be_closed_from_inside_bytes(void **state)
{
  struct server *server = *state;
  struct meddler m = {.closes = true};
  meddle(server, &m);
  server_wait(server, &m.closed, 1);
  assert_int_equal(m.victim.ended, 0);
  free(m.victim.data);
}

/* --- Many ------------------------------------------------------------------------------------- */

static void two_hundred_at_once_all_arrive_whole(void **state)
{
  struct server *server = *state;
  static struct download d[MANY];
  unsigned ended = 0;
  struct fetch *fetch = open_with(server, (struct fetch_config){0});
  struct fetch_totals totals;
  memset(d, 0, sizeof d);
  for (size_t i = 0; i < MANY; i++) {
    d[i].all_ended = &ended;
    begin_at(server, fetch, &d[i], SERVER_HOST, "/image.bin",
             (struct fetch_request){.offset = (uint32_t) i});
  }
  server_wait(server, &ended, MANY);
  fetch_totals(fetch, &totals);
  assert_int_equal(totals.requests, MANY);
  for (size_t i = 0; i < MANY; i++) {
    expect_image(server, &d[i], i);
    free(d[i].data);
  }
  close_fetch(server, fetch);
}

static void more_than_fit_wait_for_their_turn(void **state)
{
  struct server *server = *state;
  struct download d[9] = {0};
  unsigned ended = 0;
  struct fetch *fetch = open_with(server, (struct fetch_config){.at_once = 2});
  struct fetch_totals totals;
  for (size_t i = 0; i < 9; i++) {
    d[i].all_ended = &ended;
    d[i].pause_first = i < 2;
    begin_at(server, fetch, &d[i], SERVER_HOST, "/image.bin", (struct fetch_request){0});
  }
  server_wait(server, &d[0].pieces, 1);
  server_wait(server, &d[1].pieces, 1);
  fetch_totals(fetch, &totals);
  assert_int_equal(totals.under_way, 2);
  assert_int_equal(totals.waiting, 7);
  for (size_t i = 0; i < 2; i++) fetch_pause(d[i].transfer, false);
  server_wait(server, &ended, 9);
  for (size_t i = 0; i < 9; i++) {
    expect_image(server, &d[i], 0);
    free(d[i].data);
  }
  close_fetch(server, fetch);
}

int main(void)
{
  /* as every program that opens a backend does: servers here write to who has left */
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_arrives_whole),
      cmocka_unit_test(an_empty_file_ends_without_a_byte),
      cmocka_unit_test(a_range_begins_where_it_was_asked_to),
      cmocka_unit_test(three_redirects_are_followed),
      cmocka_unit_test(requests_bytes_and_peaks_are_counted),
      cmocka_unit_test(the_source_address_is_the_one_that_was_given),
      cmocka_unit_test(the_certificate_must_lead_to_the_update_ca),
      cmocka_unit_test(the_certificate_must_carry_the_name),
      cmocka_unit_test(validity_is_judged_by_the_clock_of_the_device),
      cmocka_unit_test(a_file_without_a_ca_is_refused_with_a_sentence),
      cmocka_unit_test(a_status_that_is_no_success_is_said),
      cmocka_unit_test(a_range_that_is_not_served_is_said),
      cmocka_unit_test(redirects_end_after_three_and_at_https),
      cmocka_unit_test(nothing_but_https_is_spoken),
      cmocka_unit_test(nobody_listening_is_unreachable),
      cmocka_unit_test(more_than_was_wanted_is_handed_over_by_one_byte),
      cmocka_unit_test(an_answer_without_end_ends_at_the_limit),
      cmocka_unit_test(an_answer_that_breaks_off_is_cut),
      cmocka_unit_test(silence_and_slowness_have_their_limits),
      cmocka_unit_test(a_handshake_without_an_answer_has_its_limit),
      cmocka_unit_test(a_paused_transfer_goes_on_where_it_was),
      cmocka_unit_test(nothing_follows_an_abort),
      cmocka_unit_test(a_paused_transfer_can_be_aborted),
      cmocka_unit_test(closing_aborts_what_is_under_way_and_what_waits),
      cmocka_unit_test(others_can_begin_and_end_from_inside_bytes),
      cmocka_unit_test(all_can_be_closed_from_inside_bytes),
      cmocka_unit_test(two_hundred_at_once_all_arrive_whole),
      cmocka_unit_test(more_than_fit_wait_for_their_turn),
  };
  return cmocka_run_group_tests(tests, server_up, server_down);
}
