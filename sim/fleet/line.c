/* A member's connection: the backend's own, or with the faults of its line before it. */
#include "fleet/line.h"

#include "fleet/population.h"
#include "fleet/serving.h"

void line_dial(struct member *m, const struct sockaddr_storage *to,
               const struct sockaddr_storage *from)
{
  if (m->faults == NULL)
    backend_connect(m->conn, to, from);
  else
    fault_connect(m->faults, to, from);
}

int line_send(struct member *m, const uint8_t *data, size_t size)
{
  return m->faults == NULL ? backend_send(m->conn, data, size) : fault_send(m->faults, data, size);
}

size_t line_backlog(const struct member *m)
{
  return m->faults == NULL ? backend_backlog(m->conn) : fault_backlog(m->faults);
}

void line_pause(struct member *m, bool paused)
{
  if (m->faults == NULL)
    backend_pause(m->conn, paused);
  else
    fault_pause(m->faults, paused);
}

void line_hang_up(struct member *m)
{
  if (m->faults == NULL)
    backend_close(m->conn);
  else
    fault_close(m->faults);
}

void line_break_off(struct member *m)
{
  if (m->faults == NULL)
    backend_reset(m->conn);
  else
    fault_close(m->faults);
}

/* --- Faults ----------------------------------------------------------------------------------- */

static const enum device_failure failures[] = {
    DEVICE_FAIL_TCP_REFUSED,     DEVICE_FAIL_TCP_RESET,    DEVICE_FAIL_TCP_CLOSED,
    DEVICE_FAIL_TCP_TIMEOUT,     DEVICE_FAIL_TLS_TIMEOUT,  DEVICE_FAIL_MQTT_TIMEOUT,
    DEVICE_FAIL_TLS_CLOSED,      DEVICE_FAIL_TLS_RESET,    DEVICE_FAIL_SESSION_CLOSED,
    DEVICE_FAIL_SESSION_RESET,   DEVICE_FAIL_SESSION_PING, DEVICE_FAIL_SESSION_ACK,
    DEVICE_FAIL_SESSION_BACKLOG,
};

struct failure_set line_failures(void)
{
  struct failure_set set = {0};
  for (size_t f = 0; f < sizeof failures / sizeof *failures; f++)
    failure_set_add(&set, failures[f]);
  return set;
}

bool line_foretells(const struct member *m, enum device_failure failure)
{
  if (m->faults == NULL) return false;
  const struct failure_set may = line_failures();
  return failure_set_has(&may, failure) && !fault_is_none(fault_get(m->faults));
}

void line_count_half_open(struct member *m)
{
  struct fleet *fleet = m->fleet;
  struct metrics *metrics = fleet->config.metrics;
  serving_witness(m);
  bool half_open = m->facts.online && m->faults != NULL && fault_get(m->faults)->black_hole;
  if (half_open == m->half_open) return;
  m->half_open = half_open;
  fleet->half_open += half_open ? 1u : (size_t) -1;
  metrics_set(metrics, METRIC_FLEET_HALF_OPEN, (double) fleet->half_open);
  if ((double) fleet->half_open > metrics_value(metrics, METRIC_FLEET_HALF_OPEN_MAX))
    metrics_set(metrics, METRIC_FLEET_HALF_OPEN_MAX, (double) fleet->half_open);
}

static void on_fault(void *user, enum fault_count what, uint64_t n)
{
  static const enum metric metrics[] = {[FAULT_CUT] = METRIC_FAULT_CUT,
                                        [FAULT_RESET] = METRIC_FAULT_RESET,
                                        [FAULT_REFUSED] = METRIC_FAULT_REFUSED,
                                        [FAULT_SWALLOWED] = METRIC_FAULT_SWALLOWED,
                                        [FAULT_DELAYED] = METRIC_FAULT_BYTES_DELAYED};
  const struct member *m = user;
  metrics_add(m->fleet->config.metrics, metrics[what], n);
}

int line_set_fault(struct member *m, const struct fault *fault)
{
  if (m->faults == NULL) {
    struct fault_owner owner = {
        .handler = m->fleet->handler, .user = m, .random = &m->random, .count = on_fault};
    m->faults = fault_create(m->fleet->config.backend, m->conn, &owner);
    if (m->faults == NULL) return -1;
    if (m->held != NULL) fault_pause(m->faults, true);
  }
  fault_set(m->faults, fault);
  line_count_half_open(m);
  return 0;
}
