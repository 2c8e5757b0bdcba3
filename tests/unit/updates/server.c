#define _GNU_SOURCE
#include "server.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

struct peer {
  uv_tcp_t tcp;
  uv_write_t write;
  struct server *server;
  char in[2048];
  bool answered;
};

/* --- The upstream ----------------------------------------------------------------------------- */

static void on_peer_closed(uv_handle_t *handle)
{
  struct peer *peer = handle->data;
  peer->server->peers--;
  free(peer);
}

static void peer_close(struct peer *peer)
{
  if (!uv_is_closing((uv_handle_t *) &peer->tcp))
    uv_close((uv_handle_t *) &peer->tcp, on_peer_closed);
}

static void on_written(uv_write_t *write, int status)
{
  static char more[] = "1000\r\n"; /* a chunk of 4096 bytes */
  static char chunk[6 + 4096 + 2];
  struct peer *peer = write->data;
  if (status != 0 || !peer->server->endless) {
    peer_close(peer);
    return;
  }
  memset(chunk, 'x', sizeof chunk);
  memcpy(chunk, more, 6);
  memcpy(chunk + 6 + 4096, "\r\n", 2);
  uv_buf_t buffer = uv_buf_init(chunk, sizeof chunk);
  uv_write(&peer->write, (uv_stream_t *) &peer->tcp, &buffer, 1, on_written);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
  (void) suggested;
  struct peer *peer = handle->data;
  *buffer = uv_buf_init(peer->in, sizeof peer->in);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
  (void) buffer;
  struct peer *peer = stream->data;
  if (size < 0) {
    peer_close(peer);
    return;
  }
  if (peer->answered || peer->server->silent) return;
  peer->answered = true;
  uv_buf_t answer =
      uv_buf_init((char *) peer->server->answer, (unsigned) strlen(peer->server->answer));
  uv_write(&peer->write, stream, &answer, 1, on_written);
}

static void on_connection(uv_stream_t *listener, int status)
{
  struct server *server = listener->data;
  struct peer *peer = calloc(1, sizeof *peer);
  assert_int_equal(status, 0);
  assert_non_null(peer);
  peer->server = server;
  uv_tcp_init(&server->loop, &peer->tcp);
  peer->tcp.data = peer->write.data = peer;
  server->peers++;
  assert_int_equal(uv_accept(listener, (uv_stream_t *) &peer->tcp), 0);
  uv_read_start((uv_stream_t *) &peer->tcp, on_alloc, on_read);
}

static void upstream_up(struct server *server)
{
  struct sockaddr_in address;
  int size = sizeof address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_init(&server->loop, &server->upstream);
  server->upstream.data = server;
  assert_int_equal(uv_tcp_bind(&server->upstream, (struct sockaddr *) &address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &server->upstream, 64, on_connection), 0);
  uv_tcp_getsockname(&server->upstream, (struct sockaddr *) &address, &size);
  server->upstream_port = ntohs(address.sin_port);
}

/* --- nginx ------------------------------------------------------------------------------------ */

static const char *at(const struct server *server, const char *name)
{
  static char path[4][FILES_PATH_MAX];
  static unsigned next;
  char *out = path[next++ % 4];
  assert_int_equal(nginx_path(server->nginx, name, out), 0);
  return out;
}

static void write_files(struct server *server)
{
  struct error error;
  char rules[2048];
  uint64_t random = 7;
  server->image = malloc(SERVER_FILE);
  assert_non_null(server->image);
  for (size_t i = 0; i < SERVER_FILE; i++) server->image[i] = (uint8_t) random_next(&random);
  assert_int_equal(
      files_write(at(server, "files/image.bin"), server->image, SERVER_FILE, 0600, &error), 0);
  assert_int_equal(files_write(at(server, "files/empty.bin"), "", 0, 0600, &error), 0);
  int size = snprintf(
      rules, sizeof rules,
      "location = /once { return 302 /image.bin; }\n"
      "location = /loop { return 302 /loop; }\n"
      "location = /hop4 { return 302 /hop3; }\n"
      "location = /hop3 { return 302 /hop2; }\n"
      "location = /hop2 { return 302 /once; }\n"
      "location = /plain { return 302 http://%s:%u/image.bin; }\n"
      "location = /nowhere { return 302; }\n"
      "location = /busy { return 503; }\n"
      "location = /no-ranges { alias files/image.bin; max_ranges 0; }\n"
      "location = /wrong-start { add_header Content-Range 'bytes 7-9/10'; return 206 abc; }\n"
      "location = /slow { alias files/image.bin; limit_rate 1k; }\n"
      "location = /raw { proxy_pass http://127.0.0.1:%u; proxy_buffering off; proxy_http_version "
      "1.1; }\n",
      SERVER_HOST, server->upstream_port, server->upstream_port);
  assert_int_equal(files_write(at(server, "rules.conf"), rules, (size_t) size, 0600, &error), 0);
}

struct started {
  unsigned calls;
  bool failed;
  struct error error;
};

static void on_started(void *ctx, const struct error *error)
{
  struct started *started = ctx;
  started->calls++;
  started->failed = error != NULL;
  if (error != NULL) started->error = *error;
}

static void nginx_up(struct server *server)
{
  struct error error = {.text = ""};
  struct started started = {0};
  struct nginx_config config = {
      .folder = server->nginx_folder, .host = SERVER_HOST, .ca_path = server->ca_path};
  struct pki_chain chain = {.host = SERVER_HOST};
  if (nginx_open(&server->loop, &config, &server->nginx, &error) != 0) fail_msg("%s", error.text);
  if (pki_write_update_chain(server->pki, &chain, at(server, "server.crt"),
                             at(server, "server.key"), server->ca_path, &error) != 0)
    fail_msg("%s", error.text);
  write_files(server);
  nginx_start(server->nginx, on_started, &started);
  server_wait(server, &started.calls, 1);
  if (started.failed) fail_msg("%s", started.error.text);
}

int server_up(void **state)
{
  static const struct pki_roots roots = {1, {"A"}};
  struct server *server = calloc(1, sizeof *server);
  struct error error = {.text = ""};
  const char *tmp = getenv("TMPDIR");
  snprintf(server->folder, sizeof server->folder, "%s/fleetsim-net-XXXXXX",
           tmp == NULL || strlen(tmp) > 64 ? "/tmp" : tmp);
  if (mkdtemp(server->folder) == NULL) return -1;
  snprintf(server->pki_folder, sizeof server->pki_folder, "%s/fleet", server->folder);
  snprintf(server->nginx_folder, sizeof server->nginx_folder, "%s/the update server",
           server->folder);
  if (pki_create(server->pki_folder, &roots, &server->pki, &error) != 0) fail_msg("%s", error.text);
  uv_loop_init(&server->loop);
  upstream_up(server);
  nginx_up(server);
  *state = server;
  return 0;
}

static void on_closed(void *ctx)
{
  (*(unsigned *) ctx)++;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st, (void) type, (void) ftw;
  return remove(path);
}

int server_down(void **state)
{
  struct server *server = *state;
  unsigned closed = 0;
  nginx_close(server->nginx, on_closed, &closed);
  server_wait(server, &closed, 1);
  uv_close((uv_handle_t *) &server->upstream, NULL);
  pki_close(server->pki);
  server_run_ms(server, 10);
  int busy = uv_loop_close(&server->loop);
  if (busy != 0) uv_print_all_handles(&server->loop, stderr);
  nftw(server->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(server->image);
  free(server);
  return busy;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void on_beat(uv_timer_t *timer)
{
  /* only so that uv_run comes back: what ends a wait may happen in a timer, before it polls */
  (void) timer;
}

static bool run_until(struct server *server, const unsigned *counter, unsigned least, uint64_t ms)
{
  uv_timer_t beat;
  uv_timer_init(&server->loop, &beat);
  uv_timer_start(&beat, on_beat, 1, 5);
  uv_update_time(&server->loop);
  uint64_t end_ms = uv_now(&server->loop) + ms;
  while (uv_now(&server->loop) < end_ms && (counter == NULL || *counter < least))
    uv_run(&server->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *) &beat, NULL);
  uv_run(&server->loop, UV_RUN_NOWAIT);
  return counter != NULL && *counter >= least;
}

void server_wait(struct server *server, const unsigned *counter, unsigned least)
{
  if (!run_until(server, counter, least, SERVER_WAIT_S * 1000))
    fail_msg("waited %d s: got %u of %u", SERVER_WAIT_S, *counter, least);
}

void server_run_ms(struct server *server, uint64_t ms)
{
  run_until(server, NULL, 0, ms);
}
