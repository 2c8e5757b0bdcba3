/* A hostile server (gauntlet/ambush.h) in memory: a port for each who is led there, and papers in place of
 * the case's certificates. It lies as some cases do: another host's leaf, an expired one, not a word;
 * whatever else it is asked for is a good chain, which devices believe. */
#define _POSIX_C_SOURCE 200809L
#include "gauntlet/ambush.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gauntlet/cases.h"
#include "wire.h"

#define FIRST_PORT 20000u
#define GUESTS     16u

struct call {
  struct ambush *ambush;
  struct wire *wire; /* NULL: nobody is there */
  size_t guest;
  bool asked, told; /* by it; the chain, to it */
  bool refused, gave;
};

struct ambush {
  struct ambush_setting as;
  char root[32];
  struct wire_port ports[GUESTS];
  struct call calls[GUESTS]; /* one at a time each */
};

static void conclude(struct call *call)
{
  struct ambush *ambush = call->ambush;
  bool refused = call->refused || call->told;
  call->wire = NULL;
  ambush->as.outcome(ambush->as.ctx,
                     &(struct ambush_outcome){.guest = call->guest,
                                              .result = call->gave ? AMBUSH_BELIEVED
                                                        : refused  ? AMBUSH_REFUSED
                                                                   : AMBUSH_UNCLEAR,
                                              .why = call->gave ? "it gave its CONNECT"
                                                     : refused  ? "it refused"
                                                                : "it was told nothing"});
}

static bool is_case(const struct call *call, const char *id)
{
  return strcmp(call->ambush->as.c->id, id) == 0;
}

static void show_chain(struct call *call)
{
  const struct ambush *ambush = call->ambush;
  char text[256];
  int size = snprintf(text + 3, sizeof text - 3,
                      "leaf hostile 90 %s-brokers %s %s\nca %s-brokers 91 %s valid\n", ambush->root,
                      is_case(call, "leaf-expired") ? "expired" : "valid",
                      is_case(call, "another-brokers-name") ? "other.test" : ambush->as.host,
                      ambush->root, ambush->root);
  text[0] = 'C';
  text[1] = (char) (size >> 8);
  text[2] = (char) size;
  wire_send(call->wire, (uint8_t *) text, (size_t) size + 3);
  call->told = true;
}

/* --- A port ----------------------------------------------------------------------------------- */

static void *on_call(void *ctx, struct wire *wire)
{
  struct call *call = ctx;
  *call = (struct call){.ambush = call->ambush, .wire = wire, .guest = call->guest};
  return call;
}

/* Records come whole, as the device's TLS makes them. */
static void on_said(void *session, const uint8_t *data, size_t size)
{
  struct call *call = session;
  for (size_t at = 0; at + 3 <= size; at += 3u + (size_t) (data[at + 1] << 8 | data[at + 2])) {
    if (data[at] == 'H' && !is_case(call, "silence-from-the-begin")) show_chain(call);
    if (data[at] == 'A') call->refused = true;
    if (data[at] == 'D') call->gave = true;
  }
}

static void on_hung_up(void *session)
{
  conclude(session);
}

/* --- gauntlet/ambush.h ------------------------------------------------------------------------ */

int ambush_try(const struct ambush_setting *setting, struct error *error)
{
  (void) setting, (void) error;
  return 0;
}

int ambush_open(const struct ambush_setting *setting, struct ambush **out, struct error *error)
{
  struct ambush *ambush = calloc(1, sizeof *ambush);
  (void) error;
  assert(ambush != NULL && setting->guests <= GUESTS);
  ambush->as = *setting;
  snprintf(ambush->root, sizeof ambush->root, "%s", setting->root);
  for (size_t i = 0; i < setting->guests; i++) {
    ambush->calls[i] = (struct call){.ambush = ambush, .guest = i};
    ambush->ports[i] =
        (struct wire_port){.port = (uint16_t) (FIRST_PORT + setting->first_guest + i),
                           .accept = on_call,
                           .bytes = on_said,
                           .closed = on_hung_up,
                           .ctx = &ambush->calls[i]};
    wire_listen(&ambush->ports[i]);
  }
  *out = ambush;
  return 0;
}

void ambush_address(const struct ambush *ambush, size_t guest, struct sockaddr_storage *to,
                    struct sockaddr_storage *from)
{
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(ambush->ports[guest].port)};
  *to = *from = (struct sockaddr_storage){0};
  memcpy(to, &address, sizeof address);
}

void ambush_close(struct ambush *ambush)
{
  for (size_t i = 0; i < ambush->as.guests; i++) {
    struct call *call = &ambush->calls[i];
    wire_ignore(&ambush->ports[i]);
    if (call->wire == NULL) continue;
    wire_end(call->wire, false);
    conclude(call);
  }
  free(ambush);
}
