/* Places: the order in which a device tries them, the names that lead there, and who may send it
   elsewhere. */
#include "fleet/places.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "fleet/divert.h"
#include "fleet/population.h"

/* A state of its own: the list of a device does not depend on how often it has drawn a jitter
   before. */
void places_order(struct member *m)
{
  const struct fleet_config *config = &m->fleet->config;
  size_t n = config->place_count;
  uint64_t state = m->random ^ 0x706c61636573u;
  for (size_t i = 0; i < n; i++) m->order[i] = (uint8_t) i;
  for (size_t i = n; i > 1 && config->endpoints == FLEET_SHUFFLED; i--) {
    size_t j = random_next(&state) % i;
    uint8_t swap = m->order[i - 1];
    m->order[i - 1] = m->order[j];
    m->order[j] = swap;
  }
}

uint8_t places_endpoint(const struct member *m)
{
  return m->endpoint == FLEET_PROVE ? (uint8_t) m->fleet->config.place_count : m->place;
}

static const struct fleet_place *place_of(const struct member *m)
{
  const struct fleet_config *config = &m->fleet->config;
  return m->endpoint == FLEET_PROVE ? &config->prove : &config->place[m->place];
}

const struct sockaddr_storage *places_source(const struct member *m)
{
  const struct fleet *fleet = m->fleet;
  if (divert_from(m) != NULL) return divert_from(m);
  if (fleet->config.source_addresses == 0) return NULL;
  return &fleet->sources[population_number(m) % fleet->config.source_addresses];
}

bool places_ask(struct member *m)
{
  const struct fleet_place *place = place_of(m);
  if (place->address_count > 0 && place->delay_ms == 0) return true;
  m->name_at_ms = population_now_ms(m->fleet) + place->delay_ms;
  return false;
}

const struct sockaddr_storage *places_answer(struct member *m)
{
  const struct fleet_place *place = place_of(m);
  const struct sockaddr_storage *elsewhere = divert_to(m);
  if (elsewhere != NULL) m->facts.node = -1; /* it is none of the run's brokers */
  if (elsewhere != NULL) return elsewhere;
  if (place->address_count == 0) return NULL;
  size_t chosen =
      place->address_count == 1 ? 0 : (random_next(&m->random) >> 32) % place->address_count;
  m->facts.node = place->address[chosen].node;
  return &place->address[chosen].at;
}

/* --- Which servers speak ---------------------------------------------------------------------- */

static unsigned port_of(const struct sockaddr_storage *address)
{
  if (address->ss_family == AF_INET) return ntohs(((const struct sockaddr_in *) address)->sin_port);
  if (address->ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *) address)->sin6_port);
  return 0;
}

/* "host", or "host:port" where the name leads to that port. */
static bool is_called(const struct fleet_place *place, const char *word, size_t size)
{
  char text[300];
  size_t host = strlen(place->host);
  if (size == host && memcmp(word, place->host, host) == 0) return true;
  for (size_t a = 0; a < place->address_count; a++) {
    int n = snprintf(text, sizeof text, "%s:%u", place->host, port_of(&place->address[a].at));
    if (n > 0 && (size_t) n < sizeof text && (size_t) n == size && memcmp(word, text, size) == 0)
      return true;
  }
  return false;
}

/* The turn of another place than the present one that the word means; -1: it is on no list. */
static int find_turn(const struct member *m, const char *word, size_t size)
{
  const struct fleet_config *config = &m->fleet->config;
  for (size_t t = 0; t < config->place_count; t++)
    if (t != m->turn && is_called(&config->place[m->order[t]], word, size)) return (int) t;
  return -1;
}

/* MQTT 5, 3.2.2.3.16: a server reference may be several, with spaces between them. */
static int follow_reference(const struct member *m, const struct device_note *note)
{
  const char *next = note->server, *end = next + note->server_size;
  while (next < end) {
    const char *space = memchr(next, ' ', (size_t) (end - next)),
               *stop = space != NULL ? space : end;
    int turn = find_turn(m, next, (size_t) (stop - next));
    if (turn >= 0) return turn;
    next = space != NULL ? space + 1 : end;
  }
  return -1;
}

static bool is_moved(uint8_t code)
{
  return code == 0x9c || code == 0x9d; /* Use another server, Server moved */
}

static bool is_later(enum device_failure failure, uint8_t code)
{
  /* unavailable, busy, over quota or rate */
  bool busy = code == 0x88 || code == 0x89 || code == 0x97 || code == 0x9f;
  return failure == DEVICE_FAIL_MQTT_REFUSED_BUSY ||
         (failure == DEVICE_FAIL_SESSION_DISCONNECT && busy);
}

void places_turn(struct member *m, enum device_failure failure, const struct device_note *note)
{
  size_t n = m->fleet->config.place_count;
  bool planned = failure == DEVICE_FAIL_STOPPED || failure == DEVICE_FAIL_SESSION_STOPPED;
  if (m->endpoint != FLEET_MAIN || planned || is_later(failure, note->code)) return;
  int turn = is_moved(note->code) && note->server != NULL ? follow_reference(m, note) : -1;
  m->turn = (uint8_t) (turn >= 0 ? (size_t) turn : (m->turn + 1u) % n);
}
