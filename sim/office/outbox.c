/* Messages to devices in the order in which they were pushed, a window of them on the way. A lost
 * connection brings those that were not acknowledged back to the front, so nothing is lost and an
 * update may come twice, which devices are made for. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "office/internal.h"

enum { BLOCK_ROOM = WINDOW / 2 }; /* blocks on their way at a time: at most 512 KiB of them */

static void append(struct outbox *box, struct parcel *parcel)
{
  parcel->next = NULL;
  parcel->previous = box->last;
  *(box->last != NULL ? &box->last->next : &box->first) = parcel;
  box->last = parcel;
  box->waiting++;
}

static void prepend(struct outbox *box, struct parcel *parcel)
{
  parcel->previous = NULL;
  parcel->next = box->first;
  *(box->first != NULL ? &box->first->previous : &box->last) = parcel;
  box->first = parcel;
  box->waiting++;
}

static struct parcel *take_first(struct outbox *box)
{
  struct parcel *parcel = box->first;
  box->first = parcel->next;
  *(box->first != NULL ? &box->first->previous : &box->last) = NULL;
  box->waiting--;
  return parcel;
}

struct parcel *outbox_take(struct office *op)
{
  struct outbox *box = &op->outbox;
  if (box->first == NULL || box->flying >= WINDOW) return NULL;
  struct flight *flight = calloc(1, sizeof *flight);
  if (flight == NULL) return NULL;
  struct parcel *parcel = take_first(box);
  *flight = (struct flight){.next = box->flights, .op = op, .parcel = parcel};
  if (box->flights != NULL) box->flights->previous = flight;
  box->flights = flight;
  parcel->flight = flight;
  box->flying++;
  return parcel;
}

/* The parcel leaves its flight; the flight stays until paho has called back. */
static struct parcel *unload(struct outbox *box, struct flight *flight)
{
  struct parcel *parcel = flight->parcel;
  if (parcel == NULL) return NULL;
  flight->parcel = NULL;
  parcel->flight = NULL;
  box->flying--;
  return parcel;
}

void outbox_landed(struct flight *flight, bool acknowledged)
{
  struct office *op = flight->op;
  struct outbox *box = &op->outbox;
  pthread_mutex_lock(&op->mutex);
  struct parcel *parcel = unload(box, flight);
  if (acknowledged) {
    op->cut_short = 0;
    op->cut_size = 0;
  }
  bool gone = parcel != NULL && (acknowledged || parcel->qos == 0);
  if (parcel != NULL && !gone) prepend(box, parcel);
  bool hungry = op->book.count > 0 && box->waiting + box->flying == BLOCK_ROOM / 2;
  *(flight->previous != NULL ? &flight->previous->next : &box->flights) = flight->next;
  if (flight->next != NULL) flight->next->previous = flight->previous;
  pthread_mutex_unlock(&op->mutex);
  free(flight);
  if (gone) free(parcel);
  if (hungry) op->config.wake(op->config.ctx);
}

/* The list of flights has the youngest first, so that prepending each keeps the order. */
void outbox_recall(struct office *op)
{
  for (struct flight *flight = op->outbox.flights; flight != NULL; flight = flight->next) {
    struct parcel *parcel = unload(&op->outbox, flight);
    if (parcel != NULL && parcel->qos > 0) prepend(&op->outbox, parcel);
    if (parcel != NULL && parcel->qos == 0) free(parcel);
  }
}

size_t outbox_largest(const struct office *op)
{
  size_t largest = 0;
  for (const struct flight *flight = op->outbox.flights; flight != NULL; flight = flight->next)
    if (flight->parcel != NULL && flight->parcel->size > largest) largest = flight->parcel->size;
  return largest;
}

void outbox_free(struct office *op)
{
  outbox_recall(op);
  while (op->outbox.first != NULL) free(take_first(&op->outbox));
  for (struct flight *flight = op->outbox.flights, *next; flight != NULL; flight = next) {
    next = flight->next;
    free(flight);
  }
}

static int push(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                const struct parcel *kind, struct error *error)
{
  assert(index < op->config.device_count);
  struct parcel *parcel = malloc(sizeof *parcel + size);
  if (parcel == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  int n = snprintf(parcel->topic, sizeof parcel->topic, "%s%s",
                   names_of(op->config.names, index).root, suffix);
  assert(n > 0 && n < (int) sizeof parcel->topic);
  (void) n;
  parcel->flight = NULL;
  parcel->qos = kind->qos;
  parcel->retain = kind->retain;
  parcel->size = size;
  if (size > 0) memcpy(parcel->data, data, size);

  pthread_mutex_lock(&op->mutex);
  bool room = op->outbox.waiting + op->outbox.flying < OFFICE_PENDING_MAX;
  if (room) append(&op->outbox, parcel);
  pthread_mutex_unlock(&op->mutex);
  if (!room) {
    free(parcel);
    return error_set(
        error, EXIT_CODE_SETUP,
        "%u messages wait for the broker already: check that it is up, or push in smaller waves",
        OFFICE_PENDING_MAX);
  }
  link_pump(op);
  return 0;
}

int office_push(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error)
{
  return push(op, index, suffix, data, size, &(struct parcel){.qos = 1}, error);
}

int office_keep(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error)
{
  return push(op, index, suffix, data, size, &(struct parcel){.qos = 1, .retain = true}, error);
}

int office_send(struct office *op, size_t index, const char *suffix, const void *data, size_t size,
                struct error *error)
{
  return push(op, index, suffix, data, size, &(struct parcel){.qos = 0}, error);
}

size_t office_block_room(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  size_t pending = op->outbox.waiting + op->outbox.flying;
  size_t room = op->state == LINK_UP && pending < BLOCK_ROOM ? BLOCK_ROOM - pending : 0;
  pthread_mutex_unlock(&op->mutex);
  return room;
}

bool office_next_block(struct office *op, struct blocks_want *out)
{
  pthread_mutex_lock(&op->mutex);
  bool any = blocks_next(&op->book, out);
  pthread_mutex_unlock(&op->mutex);
  return any;
}

size_t office_pending(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  size_t pending = op->outbox.waiting + op->outbox.flying;
  pthread_mutex_unlock(&op->mutex);
  return pending;
}
