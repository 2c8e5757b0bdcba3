/* A few scripted devices in virtual time, for tests of what a fleet counts: each gets CONNACK as
 * soon as its transport opens, or ends as `outcome` tells. One file of a test program includes it.
 */
#ifndef FLEETSIM_TEST_FEW_H
#define FLEETSIM_TEST_FEW_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/names.h"
#include "fleet/fleet.h"

#define DEVICES 4
#include "clockwork.h"

struct puppet {
  struct device_host host;
  bool online;
};

static enum device_failure outcome; /* of every attempt */

/* What a live device does with PUBLISH and SUBSCRIBE; NULL: it takes none. */
static void (*request)(struct puppet *puppet, const struct device_event *event,
                       struct device_effects *fx);

static void say(const struct puppet *p, struct device_note note)
{
  p->host.observe(p->host.ctx, &note);
}

static size_t puppet_size(const struct device_profile *profile)
{
  (void) profile;
  return sizeof(struct puppet);
}

static int puppet_create(void *storage, const struct device_config *config)
{
  *(struct puppet *) storage = (struct puppet){.host = config->host};
  return 0;
}

static void puppet_end(struct puppet *p, enum device_failure failure)
{
  p->online = false;
  say(p,
      (struct device_note){.kind = DEVICE_NOTE_ENDED, .failure = failure, .chain_certificates = 1});
}

static void puppet_step(void *storage, const struct device_event *event, struct device_effects *fx)
{
  struct puppet *p = storage;
  fx->deadline_ms = DEVICE_NEVER;
  bool asks = event->kind == DEVICE_PUBLISH || event->kind == DEVICE_SUBSCRIBE;
  if (asks && p->online && request != NULL) request(p, event, fx);
  if (event->kind == DEVICE_CLOSED)
    puppet_end(p, p->online ? DEVICE_FAIL_SESSION_CLOSED : event->closed.cause);
  if (event->kind == DEVICE_START) fx->connect = true, fx->endpoint = event->start.endpoint;
  if (event->kind == DEVICE_STOP || (event->kind == DEVICE_OPENED && outcome != DEVICE_FAIL_NONE)) {
    fx->close = true;
    bool stopped = event->kind == DEVICE_STOP;
    puppet_end(p, !stopped    ? outcome
                  : p->online ? DEVICE_FAIL_SESSION_STOPPED
                              : DEVICE_FAIL_STOPPED);
  } else if (event->kind == DEVICE_OPENED) {
    p->online = true;
    say(p, (struct device_note){.kind = DEVICE_NOTE_HANDSHAKE});
    say(p, (struct device_note){.kind = DEVICE_NOTE_ONLINE});
  }
}

static void puppet_destroy(void *storage)
{
  (void) storage;
}

static uint32_t puppet_version(const void *storage)
{
  (void) storage;
  return 1;
}

static const struct device_ops puppet_ops = {.name = "puppet",
                                             .storage_size = puppet_size,
                                             .create = puppet_create,
                                             .step = puppet_step,
                                             .destroy = puppet_destroy,
                                             .trust_version = puppet_version};

struct world {
  struct backend backend;
  struct fleet *fleet;
  struct metrics *metrics;
  struct events *events;
  struct names *names;
  uint8_t page[1];
};

static uint8_t *page_of(void *pages, size_t index)
{
  (void) index;
  return ((struct world *) pages)->page;
}

static uint32_t id_of(void *pages, size_t index)
{
  (void) pages;
  return (uint32_t) index + 1;
}

static const struct names_templates *called = &names_usual;

static void describe(void *ctx, size_t index, struct template_values *out)
{
  char *name = ctx;
  snprintf(name, 9, "%08x", (unsigned) index + 1);
  out->id = name;
}

/* All devices are online. */
static const struct payload_texts *texts; /* of the run's telemetry */

static struct world *begin(void)
{
  char name[9];
  static const struct device_profile profile = {.name = "puppet"};
  struct world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  outcome = DEVICE_FAIL_NONE;
  request = NULL;
  w->backend.now_ms = 1000;
  w->metrics = metrics_create();
  assert_int_equal(events_open(NULL, &w->events, NULL), 0);
  assert_int_equal(names_create(called, DEVICES, describe, name, &w->names, NULL, NULL), 0);
  struct fleet_config config = {
      .backend = &w->backend,
      .names = w->names,
      .texts = texts,
      .ops = &puppet_ops,
      .profile = &profile,
      .place = {{.host = "a", .address_count = 1}},
      .place_count = 1,
      .prove = {.host = "a", .address_count = 1},
      .device_count = DEVICES,
      .page = page_of,
      .page_size = sizeof w->page,
      .id = id_of,
      .pages = w,
      .reconnect = {.kind = BACKOFF_FIXED, .base_ms = 1000, .cap_ms = 1000},
      .seed = 7,
      .metrics = w->metrics,
      .events = w->events};
  assert_int_equal(fleet_create(&config, &w->fleet, NULL), 0);
  fleet_connect(w->fleet, fleet_order(w->fleet), DEVICES, 1000, false);
  clockwork_pass(&w->backend, 100);
  return w;
}

static void on_closed(void *ctx)
{
  *(bool *) ctx = true;
}

static void end(struct world *w)
{
  bool closed = false;
  fleet_close(w->fleet, on_closed, &closed);
  assert_true(closed);
  assert_int_equal(events_close(w->events, NULL), 0);
  metrics_destroy(w->metrics);
  names_free(w->names);
  free(w);
}

#endif
