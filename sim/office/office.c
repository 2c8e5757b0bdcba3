/* Begin and end of the back office: locks, queues, and the thread that looks after the connection
 * several times a second. It connects again by itself; why it cannot is kept for whoever asks. */
#define _POSIX_C_SOURCE 200809L
#include "office/office.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "office/internal.h"

enum { ROUND_MS = 200, EVENTS_MIN = 4096 };

static void *keep(void *ctx)
{
  struct office *op = ctx;
  pthread_mutex_lock(&op->mutex);
  while (!op->stopping) {
    pthread_mutex_unlock(&op->mutex);
    link_keep(op);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ROUND_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&op->mutex);
    if (!op->stopping) pthread_cond_timedwait(&op->changed, &op->mutex, &until);
  }
  pthread_mutex_unlock(&op->mutex);
  return NULL;
}

static void init_locks(struct office *op)
{
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&op->mutex, NULL);
  pthread_cond_init(&op->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

static void release(struct office *op)
{
  outbox_free(op);
  for (size_t i = 0; i < op->config.device_count; i++) free(op->ledgers[i].words);
  free(op->ledgers);
  blocks_close(&op->book);
  free(op->events);
  pthread_cond_destroy(&op->changed);
  pthread_mutex_destroy(&op->mutex);
  free(op);
}

int office_start(const struct office_config *config, struct office **out, struct error *error)
{
  assert(config->telemetry.mark != 0 && config->now_us != NULL && config->wake != NULL &&
         config->other_count <= OFFICE_OTHERS_MAX);
  struct office *op = calloc(1, sizeof *op);
  struct ledger *ledgers = calloc(config->device_count + 1, sizeof *ledgers);
  if (op == NULL || ledgers == NULL) {
    free(op);
    free(ledgers);
    return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  }
  op->config = *config;
  if (op->config.client_id == NULL) op->config.client_id = "operator";
  op->ledgers = ledgers;
  op->forgotten = !config->earlier;
  op->event_limit = EVENTS_MIN + (config->trespass ? 16
                                  : config->ota    ? 8
                                                   : 2) *
                                     config->device_count;
  init_locks(op);
  bool booked = !config->ota || blocks_open(&op->book, config->device_count);
  if (!booked) error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  if (!booked || link_open(op, error) != 0) {
    release(op);
    return -1;
  }
  if (pthread_create(&op->keeper, NULL, keep, op) != 0) {
    link_close(op);
    release(op);
    return error_set(error, EXIT_CODE_SETUP,
                     "cannot start the operator's thread: raise the limit of processes");
  }
  *out = op;
  return 0;
}

void office_stop(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  op->stopping = true;
  pthread_cond_broadcast(&op->changed);
  pthread_mutex_unlock(&op->mutex);
  pthread_join(op->keeper, NULL);
  link_close(op);
  release(op);
}

bool office_connected(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  bool up = op->state == LINK_UP;
  pthread_mutex_unlock(&op->mutex);
  return up;
}

void office_failure(struct office *op, struct office_failure *out)
{
  pthread_mutex_lock(&op->mutex);
  *out = op->failure;
  pthread_mutex_unlock(&op->mutex);
}

void office_return(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  op->returning = op->at != 0;
  pthread_cond_broadcast(&op->changed);
  pthread_mutex_unlock(&op->mutex);
}

bool office_is_home(struct office *op)
{
  pthread_mutex_lock(&op->mutex);
  bool home = op->state == LINK_UP && op->at == 0;
  pthread_mutex_unlock(&op->mutex);
  return home;
}
