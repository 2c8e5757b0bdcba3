/* Each source's connections are visits of the gauntlet, under the certificates of the test's fleet. */
#define _GNU_SOURCE
#include "hostile.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gauntlet/visit.h"
#include "relay/listener.h"

struct source {
  struct hostile *server;
  struct visit *visit;
  struct hostile_seen seen;
};

struct hostile {
  uv_loop_t *loop;
  struct listener listener;
  uint16_t port;
  struct cases *cases;
  struct act act[HOSTILE_COUNT];
  enum hostile_manner manner[HOSTILE_SOURCES];
  struct source source[HOSTILE_SOURCES];
};

static const struct {
  const char *name, *script;
} manners[] = {
#define X(symbol, name, script) {name, script},
    HOSTILE_MANNERS(X)
#undef X
};

const char *hostile_name(enum hostile_manner manner)
{
  return manners[manner].name;
}

/* --- Visits ----------------------------------------------------------------------------------- */

static uint64_t stamp(double ms)
{
  return ms < 0 ? 0 : (uint64_t) ms;
}

/* A visit counts from 0 on the loop's clock. */
static void take_over(struct source *source, const struct observation *seen)
{
  source->seen.pings = seen->pings;
  source->seen.accepted_ms = stamp(seen->first_ms);
  source->seen.secured_ms = stamp(seen->shaken_ms);
  source->seen.connack_ms = stamp(seen->connack_ms);
  source->seen.owed_ms = stamp(seen->owed_ms);
  source->seen.ended_ms = stamp(seen->ended_ms);
}

static void on_visit_over(void *ctx, const struct observation *seen)
{
  struct source *source = ctx;
  take_over(source, seen);
  source->visit = NULL;
}

static const struct visit_handler handler = {.ended = on_visit_over};

static size_t source_of(int fd)
{
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  assert_int_equal(getpeername(fd, (struct sockaddr *) &from, &size), 0);
  size_t source = (ntohl(from.sin_addr.s_addr) & 255u) - 1;
  assert_true(source < HOSTILE_SOURCES);
  return source;
}

static void on_connection(void *ctx, int fd)
{
  struct hostile *server = ctx;
  size_t at = source_of(fd);
  struct source *source = &server->source[at];
  assert_null(source->visit);
  source->seen = (struct hostile_seen){.connections = source->seen.connections + 1};
  source->visit =
      visit_open(server->loop, fd, &server->act[server->manner[at]], 0, &handler, source);
  assert_non_null(source->visit);
}

/* --- Server ----------------------------------------------------------------------------------- */

static struct cases *write_cases(void)
{
  char text[4096], why[256];
  int size = snprintf(text, sizeof text,
                      "defaults\n cert a: ca=yes\n trusts: a\n sends: a\n host: broker.test\n"
                      " clock: 2026\n tls: 1.3\n why: w\n expect: accept\n");
  for (size_t i = 0; i < HOSTILE_COUNT; i++)
    size +=
        snprintf(text + size, sizeof text - (size_t) size, "case %zu\n%s\n", i, manners[i].script);
  struct cases *cases = cases_parse(text, why, sizeof why);
  if (cases == NULL) fail_msg("%s", why);
  return cases;
}

/* As the gauntlet makes it, but for whose certificate it is and whom it lets in. */
static void make_act(struct act *act, const struct gauntlet_case *c, const char *certificate,
                     const char *key, const char *clients)
{
  struct error error = {0};
  if (act_open(act, c, 13, NULL, &error) != 0) fail_msg("%s", error.text);
  assert_int_equal(SSL_CTX_use_certificate_chain_file(act->context, certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(act->context, key, SSL_FILETYPE_PEM), 1);
  assert_int_equal(SSL_CTX_load_verify_locations(act->context, clients, NULL), 1);
  SSL_CTX_set_verify(act->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

struct hostile *hostile_open(uv_loop_t *loop, const char *certificate, const char *key,
                             const char *clients, const enum hostile_manner manner[HOSTILE_SOURCES])
{
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct hostile *server = calloc(1, sizeof *server);
  assert_non_null(server);
  server->loop = loop;
  server->cases = write_cases();
  for (size_t i = 0; i < HOSTILE_COUNT; i++)
    make_act(&server->act[i], server->cases->item[i], certificate, key, clients);
  memcpy(server->manner, manner, sizeof server->manner);
  int fd = listener_bind(&any);
  assert_true(fd >= 0 && listen(fd, 256) == 0);
  assert_int_equal(listener_open(&server->listener, loop, fd, on_connection, server), 0);
  server->port = ntohs(any.sin_port);
  return server;
}

uint16_t hostile_port(const struct hostile *server)
{
  return server->port;
}

const struct hostile_seen *hostile_seen(struct hostile *server, size_t source)
{
  struct source *from = &server->source[source];
  if (from->visit != NULL) take_over(from, visit_seen(from->visit));
  return &from->seen;
}

void hostile_close(struct hostile *server)
{
  for (size_t i = 0; i < HOSTILE_SOURCES; i++)
    if (server->source[i].visit != NULL) visit_close(server->source[i].visit);
  listener_close(&server->listener, NULL);
}

void hostile_free(struct hostile *server)
{
  for (size_t i = 0; i < HOSTILE_COUNT; i++) act_close(&server->act[i]);
  cases_free(server->cases);
  free(server);
}
