/* The proxy between real downloads and a real nginx, and between raw sockets. */
#define _GNU_SOURCE
#include "updates/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/fetch.h"
#include "relay/relay.h"
#include "server.h"

#define BLOCK 1024u

/* A device's download: it begins again where it was cut, and may be told the same bytes twice. */
struct download {
  struct site *site;
  struct fetch_transfer *transfer;
  uint8_t *data;
  size_t size;
  unsigned pieces, ended, cuts, *all_ended;
  enum device_ota_status cause;
  bool resumes;
};

struct site {
  struct server *server;
  struct proxy *proxy;
  struct fetch *fetch;
  uint64_t resent;
};

static void on_bytes(void *user, const uint8_t *data, size_t size)
{
  struct download *d = user;
  assert_true(d->size + size <= SERVER_FILE);
  memcpy(d->data + d->size, data, size);
  d->size += size;
  d->pieces++;
}

static void on_ended(void *user, enum device_ota_status cause);

static const struct fetch_handler handler = {on_bytes, on_ended};

static void begin(struct site *site, struct download *d, uint32_t offset)
{
  char url[DEVICE_OTA_URL_MAX];
  snprintf(url, sizeof url, "https://" SERVER_HOST ":%u/image.bin", proxy_port(site->proxy));
  struct fetch_request request = {
      .url = url, .offset = offset, .size_max = SERVER_FILE, .unix_s = (int64_t) time(NULL)};
  d->site = site;
  if (d->data == NULL) d->data = malloc(SERVER_FILE);
  assert_non_null(d->data);
  d->transfer = fetch_begin(site->fetch, &request, &handler, d);
  assert_non_null(d->transfer);
}

static void on_ended(void *user, enum device_ota_status cause)
{
  struct download *d = user;
  d->cause = cause;
  d->transfer = NULL;
  if (!d->resumes || cause == DEVICE_OTA_NONE) {
    d->ended++;
    if (d->all_ended != NULL) (*d->all_ended)++;
    return;
  }
  assert_int_equal(cause, DEVICE_OTA_SERVER_CUT);
  d->cuts++;
  d->site->resent += d->size % BLOCK;
  d->size -= d->size % BLOCK; /* a device keeps whole blocks */
  begin(d->site, d, (uint32_t) d->size);
}

static void on_closed(void *ctx)
{
  (*(unsigned *) ctx)++;
}

static struct site *open_site(struct server *server, uint16_t to_port)
{
  struct site *site = calloc(1, sizeof *site);
  struct error error = {.text = ""};
  struct proxy_config config = {.to_port = to_port, .connections = 1000, .seed = 7};
  char resolve[80];
  site->server = server;
  if (proxy_open(&server->loop, &config, &site->proxy, &error) != 0) fail_msg("%s", error.text);
  snprintf(resolve, sizeof resolve, SERVER_HOST ":%u:127.0.0.1", proxy_port(site->proxy));
  const char *const list[] = {resolve, NULL};
  struct fetch_config fetch = {.loop = &server->loop, .ca_path = server->ca_path, .resolve = list};
  site->fetch = fetch_open(&fetch, &error);
  if (site->fetch == NULL) fail_msg("%s", error.text);
  return site;
}

static void close_site(struct site *site)
{
  unsigned closed = 0;
  fetch_close(site->fetch, on_closed, &closed);
  proxy_close(site->proxy, on_closed, &closed);
  server_wait(site->server, &closed, 2);
  free(site);
}

static void set(struct site *site, struct proxy_fault fault)
{
  struct error error = {.text = ""};
  if (proxy_set(site->proxy, &fault, &error) != 0) fail_msg("%s", error.text);
}

static struct proxy_totals totals(const struct site *site)
{
  struct proxy_totals t;
  proxy_totals(site->proxy, &t);
  return t;
}

static void expect_image(struct download *d)
{
  if (d->cause != DEVICE_OTA_NONE) fail_msg("ended with '%s'", device_ota_status_name(d->cause));
  assert_int_equal(d->size, SERVER_FILE);
  assert_memory_equal(d->data, d->site->server->image, SERVER_FILE);
  free(d->data);
}

/* One download to its end; its wall time in milliseconds. */
static uint64_t get(struct site *site, struct download *d)
{
  uint64_t began = uv_hrtime();
  begin(site, d, 0);
  server_wait(site->server, &d->ended, 1);
  return (uv_hrtime() - began) / 1000000;
}

/* --- Downloads -------------------------------------------------------------------------------- */

static void passes_everything_on_and_counts_it(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download d = {0};
  get(site, &d);
  expect_image(&d);
  server_run_ms(server, 50); /* both ends close on their own time */
  struct proxy_totals t = totals(site);
  assert_int_equal(t.connections, 1);
  assert_int_equal(t.connections_peak_per_s, 1);
  assert_in_range(t.down, SERVER_FILE, SERVER_FILE + SERVER_FILE / 20);
  assert_in_range(t.up, 300, 4000);
  assert_int_equal(t.cut + t.refused + t.open + t.waiting, 0);
  close_site(site);
}

static void what_is_cut_is_resumed_to_the_same_bytes(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download d[50] = {0};
  unsigned ended = 0, cuts = 0;
  set(site, (struct proxy_fault){.cut_share = 0.5, .cut_after = 100000});
  for (size_t i = 0; i < 50; i++) {
    d[i].resumes = true;
    d[i].all_ended = &ended;
    begin(site, &d[i], 0);
  }
  server_wait(server, &ended, 50);
  for (size_t i = 0; i < 50; i++) {
    expect_image(&d[i]);
    cuts += d[i].cuts;
  }
  struct proxy_totals t = totals(site);
  assert_in_range(cuts, 10, 200);
  assert_int_equal(t.cut, cuts);
  assert_int_equal(t.connections, 50 + cuts);
  assert_true(site->resent < (uint64_t) cuts * BLOCK);
  close_site(site);
}

static void a_cut_of_open_connections_counts_from_now(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download d = {0};
  set(site, (struct proxy_fault){.bandwidth_per_s = 40000});
  begin(site, &d, 0);
  server_wait(server, &d.pieces, 1);
  set(site, (struct proxy_fault){.cut_share = 1, .cut_after = 1});
  server_wait(server, &d.ended, 1);
  assert_int_equal(d.cause, DEVICE_OTA_SERVER_CUT);
  assert_in_range(d.size, 1, SERVER_FILE - 1);
  free(d.data);
  close_site(site);
}

static void a_refused_connection_is_unreachable_until_it_is_mended(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download open = {0}, refused = {0}, mended = {0};
  uint16_t port = proxy_port(site->proxy);
  set(site, (struct proxy_fault){.bandwidth_per_s = 100000});
  begin(site, &open, 0);
  server_wait(server, &open.pieces, 1);
  set(site, (struct proxy_fault){.refuse = true});
  get(site, &refused);
  assert_int_equal(refused.cause, DEVICE_OTA_SERVER_UNREACHABLE);
  free(refused.data);
  server_wait(server, &open.ended, 1); /* refusing is for new ones */
  expect_image(&open);
  set(site, (struct proxy_fault){0});
  assert_int_equal(proxy_port(site->proxy), port);
  get(site, &mended);
  expect_image(&mended);
  close_site(site);
}

static void a_stalled_line_stands_still_and_goes_on(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download d = {0}, late = {0};
  set(site, (struct proxy_fault){.bandwidth_per_s = 200000});
  begin(site, &d, 0);
  server_wait(server, &d.pieces, 1);
  set(site, (struct proxy_fault){.stall = true});
  server_run_ms(server, 50); /* what the kernel had already */
  size_t before = d.size;
  uint64_t down = totals(site).down;
  begin(site, &late, 0);
  server_run_ms(server, 200);
  assert_int_equal(d.size, before);
  assert_int_equal(late.pieces, 0);
  assert_int_equal(totals(site).down, down);
  set(site, (struct proxy_fault){0});
  server_wait(server, &d.ended, 1);
  server_wait(server, &late.ended, 1);
  expect_image(&d);
  expect_image(&late);
  close_site(site);
}

/* The least that it must take; how long it takes on a busy machine is nobody's promise. */
static void latency_and_bandwidth_take_their_time(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download far = {0}, narrow = {0};
  set(site, (struct proxy_fault){.latency_ms = 50});
  uint64_t took = get(site, &far);
  expect_image(&far);
  if (took < 200)
    fail_msg("a handshake and a request over 50 ms each way took %u ms only", (unsigned) took);
  set(site, (struct proxy_fault){.bandwidth_per_s = 524288});
  took = get(site, &narrow);
  expect_image(&narrow);
  if (took < 400) fail_msg("256 KiB over 512 KiB/s took %u ms only", (unsigned) took);
  close_site(site);
}

static void closes_with_downloads_under_way(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct download d = {0};
  unsigned closed = 0;
  set(site, (struct proxy_fault){.bandwidth_per_s = 40000});
  begin(site, &d, 0);
  server_wait(server, &d.pieces, 1);
  proxy_close(site->proxy, on_closed, &closed);
  server_wait(server, &d.ended, 1);
  server_wait(server, &closed, 1);
  assert_int_equal(d.cause, DEVICE_OTA_SERVER_CUT);
  free(d.data);
  fetch_close(site->fetch, on_closed, &closed);
  server_wait(server, &closed, 2);
  free(site);
}

/* --- Raw sockets ------------------------------------------------------------------------------ */

/* Either end of a connection through the proxy. */
struct raw {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  uv_shutdown_t shutdown;
  char in[65536];
  uint64_t size;
  int status;
  unsigned connected, ended, closed, accepted;
};

static void on_raw_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct raw *raw = handle->data;
  *buffer = uv_buf_init(raw->in, sizeof raw->in);
}

static void on_raw_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  (void) buffer;
  struct raw *raw = stream->data;
  if (size > 0) raw->size += (uint64_t) size;
  if (size >= 0) return;
  raw->status = (int) size;
  raw->ended++;
  uv_read_stop(stream);
}

static void on_raw_connected(uv_connect_t *request, int status)
{
  struct raw *raw = request->data;
  assert_int_equal(status, 0);
  raw->connected++;
}

static void on_raw_accepted(uv_stream_t *listener, int status)
{
  struct raw *raw = listener->data;
  assert_int_equal(status, 0);
  uv_tcp_init(listener->loop, &raw->tcp);
  raw->tcp.data = raw;
  assert_int_equal(uv_accept(listener, (uv_stream_t *) &raw->tcp), 0);
  raw->accepted++;
}

static void on_raw_closed(uv_handle_t *handle)
{
  ((struct raw *) handle->data)->closed++;
}

static void raw_close(struct server *server, struct raw *raw)
{
  uv_close((uv_handle_t *) &raw->tcp, on_raw_closed);
  server_wait(server, &raw->closed, 1);
}

static void raw_read(struct raw *raw)
{
  assert_int_equal(uv_read_start((uv_stream_t *) &raw->tcp, on_raw_alloc, on_raw_read), 0);
}

static void raw_send(struct raw *raw, const char *data, size_t size)
{
  uv_buf_t buffer = uv_buf_init((char *) data, (unsigned) size);
  assert_int_equal(uv_try_write((uv_stream_t *) &raw->tcp, &buffer, 1), (int) size);
}

/* A pair of sockets with the proxy in between. */
struct pair {
  uv_tcp_t listener;
  struct site *site;
  struct raw client, server;
};

static void pair_up(struct server *server, struct pair *pair)
{
  struct sockaddr_in address;
  int size = sizeof address;
  memset(pair, 0, sizeof *pair);
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_init(&server->loop, &pair->listener);
  pair->listener.data = &pair->server;
  assert_int_equal(uv_tcp_bind(&pair->listener, (struct sockaddr *) &address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &pair->listener, 4, on_raw_accepted), 0);
  uv_tcp_getsockname(&pair->listener, (struct sockaddr *) &address, &size);
  pair->site = open_site(server, ntohs(address.sin_port));
  address.sin_port = htons(proxy_port(pair->site->proxy));
  uv_tcp_init(&server->loop, &pair->client.tcp);
  pair->client.tcp.data = pair->client.connect.data = &pair->client;
  uv_tcp_connect(&pair->client.connect, &pair->client.tcp, (struct sockaddr *) &address,
                 on_raw_connected);
  server_wait(server, &pair->client.connected, 1);
  server_wait(server, &pair->server.accepted, 1);
}

static void pair_down(struct server *server, struct pair *pair)
{
  raw_close(server, &pair->client);
  raw_close(server, &pair->server);
  uv_close((uv_handle_t *) &pair->listener, NULL);
  close_site(pair->site);
}

static void the_end_of_one_direction_leaves_the_other(void **state)
{
  static struct pair pair;
  struct server *server = *state;
  pair_up(server, &pair);
  raw_read(&pair.server);
  raw_read(&pair.client);
  raw_send(&pair.client, "question", 8);
  assert_int_equal(uv_shutdown(&pair.client.shutdown, (uv_stream_t *) &pair.client.tcp, NULL), 0);
  server_wait(server, &pair.server.ended, 1);
  assert_int_equal(pair.server.status, UV_EOF);
  assert_int_equal(pair.server.size, 8);
  assert_int_equal(pair.client.ended, 0);
  raw_send(&pair.server, "the answer", 10);
  assert_int_equal(uv_shutdown(&pair.server.shutdown, (uv_stream_t *) &pair.server.tcp, NULL), 0);
  server_wait(server, &pair.client.ended, 1);
  assert_int_equal(pair.client.status, UV_EOF);
  assert_int_equal(pair.client.size, 10);
  for (int i = 0; i < 100 && totals(pair.site).open > 0; i++) server_run_ms(server, 5);
  assert_int_equal(totals(pair.site).open, 0);
  pair_down(server, &pair);
}

static void a_reset_resets_the_other_side(void **state)
{
  static struct pair pair;
  struct server *server = *state;
  pair_up(server, &pair);
  raw_read(&pair.client);
  raw_read(&pair.server);
  assert_int_equal(uv_tcp_close_reset(&pair.server.tcp, on_raw_closed), 0);
  server_wait(server, &pair.client.ended, 1);
  assert_int_equal(pair.client.status, UV_ECONNRESET);
  raw_close(server, &pair.client);
  uv_close((uv_handle_t *) &pair.listener, NULL);
  close_site(pair.site);
}

/* What a deaf client does not take stays with the server, but for what the kernel and one
   connection's limit hold. */
static void a_side_that_takes_nothing_holds_the_other_back(void **state)
{
  static struct pair pair;
  static char flood[64u << 20];
  struct server *server = *state;
  pair_up(server, &pair);
  set(pair.site, (struct proxy_fault){.latency_ms = 1}); /* by way of the pipe */
  uv_buf_t buffer = uv_buf_init(flood, sizeof flood);
  assert_int_equal(uv_write(&pair.server.write, (uv_stream_t *) &pair.server.tcp, &buffer, 1, NULL),
                   0);
  for (int i = 0; i < 20; i++) {
    server_run_ms(server, 10);
    assert_true(totals(pair.site).waiting < RELAY_WAITING_MAX + 20000);
  }
  uint64_t held = totals(pair.site).down;
  assert_in_range(held, 1, sizeof flood / 2);
  server_run_ms(server, 50);
  assert_int_equal(totals(pair.site).down, held);
  raw_read(&pair.client);
  for (int i = 0; i < 2000 && pair.client.size < sizeof flood; i++) server_run_ms(server, 10);
  assert_int_equal(pair.client.size, sizeof flood);
  pair_down(server, &pair);
}

static void a_server_that_is_not_there_is_a_reset(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, 1);
  struct download d = {0};
  get(site, &d);
  assert_int_equal(d.cause, DEVICE_OTA_SERVER_CUT);
  assert_int_equal(totals(site).refused, 1);
  free(d.data);
  close_site(site);
}

static void says_so_when_its_port_is_in_use(void **state)
{
  struct server *server = *state;
  struct error error = {.text = ""};
  struct proxy *proxy = NULL;
  struct proxy_config config = {.to_port = 1, .port = nginx_port(server->nginx), .connections = 10};
  assert_int_equal(proxy_open(&server->loop, &config, &proxy, &error), -1);
  assert_int_equal(error.code, EXIT_CODE_SETUP);
  assert_non_null(strstr(error.text, "cannot listen on port"));
  server_run_ms(server, 10);
}

/* --- Without descriptors ---------------------------------------------------------------------- */

/* Takes every descriptor that this process may have; returns how many that were. */
static size_t take_all_descriptors(int *taken, size_t capacity)
{
  struct rlimit limit;
  int highest = open("/dev/null", O_RDONLY | O_CLOEXEC);
  size_t count = 0;
  assert_true(highest >= 0);
  taken[count++] = highest;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t) highest + 4;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (int fd; count < capacity && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0; count++)
    taken[count] = fd;
  assert_int_equal(errno, EMFILE);
  return count;
}

static void on_turn(uv_prepare_t *prepare)
{
  (*(unsigned *) prepare->data)++;
}

static void a_connection_that_there_is_no_descriptor_for_waits_and_nothing_spins(void **state)
{
  struct server *server = *state;
  struct site *site = open_site(server, nginx_port(server->nginx));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(proxy_port(site->proxy))};
  struct rlimit before;
  unsigned turns = 0;
  uv_prepare_t counter;
  int taken[64], client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  char byte;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  uv_prepare_init(&server->loop, &counter);
  counter.data = &turns;
  uv_prepare_start(&counter, on_turn);
  getrlimit(RLIMIT_NOFILE, &before);

  size_t count = take_all_descriptors(taken, sizeof taken / sizeof taken[0]);
  assert_int_equal(connect(client, (struct sockaddr *) &address, sizeof address), 0);
  server_run_ms(server, 350);
  assert_int_equal(totals(site).connections, 0);
  assert_int_equal(recv(client, &byte, 1, MSG_DONTWAIT), -1);
  assert_int_equal(errno, EAGAIN); /* it is open, and waits */
  assert_in_range(turns, 1, 100);

  for (size_t i = 0; i < count; i++) close(taken[i]);
  setrlimit(RLIMIT_NOFILE, &before);
  for (int i = 0; i < 100 && totals(site).connections == 0; i++) server_run_ms(server, 20);
  assert_int_equal(totals(site).connections, 1);
  close(client);
  uv_close((uv_handle_t *) &counter, NULL);
  close_site(site);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(passes_everything_on_and_counts_it),
      cmocka_unit_test(what_is_cut_is_resumed_to_the_same_bytes),
      cmocka_unit_test(a_cut_of_open_connections_counts_from_now),
      cmocka_unit_test(a_refused_connection_is_unreachable_until_it_is_mended),
      cmocka_unit_test(a_stalled_line_stands_still_and_goes_on),
      cmocka_unit_test(latency_and_bandwidth_take_their_time),
      cmocka_unit_test(closes_with_downloads_under_way),
      cmocka_unit_test(the_end_of_one_direction_leaves_the_other),
      cmocka_unit_test(a_reset_resets_the_other_side),
      cmocka_unit_test(a_side_that_takes_nothing_holds_the_other_back),
      cmocka_unit_test(a_server_that_is_not_there_is_a_reset),
      cmocka_unit_test(says_so_when_its_port_is_in_use),
      cmocka_unit_test(a_connection_that_there_is_no_descriptor_for_waits_and_nothing_spins),
  };
  return cmocka_run_group_tests(tests, server_up, server_down);
}
