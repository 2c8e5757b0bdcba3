/* The gates' side of this process: their ports, one child process for each, orders to it and its
 * end. A gate that ends by itself is told; what fails here is a sentence of the set-up.
 */
#define _GNU_SOURCE
#include "broker/front.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/gate.h"
#include "child/child.h"

#define OWN_DESCRIPTORS 256u /* of a gate, beside its connections and who waits */

struct gate_process {
  struct front *front;
  pid_t pid;
  int control, listeners[FRONT_LISTENERS]; /* -1: not open */
  uv_poll_t end;
};

struct front {
  struct front_config config;
  struct gate_shared *shared;
  struct gate_process gates[FRONT_GATES_MAX];
  size_t count, open; /* gates; handles */
  uint16_t port[FRONT_LISTENERS];
  /* bound and silent: the ports stay ours while nobody listens; -1: not open */
  int reserved[FRONT_LISTENERS];
  void (*closed)(void *ctx);
  void *ctx;
};

/* --- The child -------------------------------------------------------------------------------- */

static _Noreturn void be_gate(const struct front *front, const struct gate_process *gate,
                              int control)
{
  struct gate_config config = {.control = control,
                               .timeout_ms = front->config.timeout_ms,
                               .rate = front->config.rate / (double) front->count,
                               .waiting_max = FRONT_WAITING_MAX / front->count,
                               .shared = front->shared};
  int kept[FRONT_LISTENERS + 1] = {control};
  memcpy(config.listeners, gate->listeners, sizeof config.listeners);
  memcpy(config.port, front->port, sizeof config.port);
  memcpy(kept + 1, gate->listeners, sizeof config.listeners);
  signal(SIGINT, SIG_IGN); /* Ctrl-C is the parent's matter */
  signal(SIGQUIT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "fleetsim-gate");
  child_close_others(kept, FRONT_LISTENERS + 1);
  gate_run(&config);
}

/* --- The parent ------------------------------------------------------------------------------- */

static int fail_front(struct error *error, const char *what)
{
  return error_set(
      error, EXIT_CODE_SETUP,
      "the gate before the broker (broker.handshake-timeout, broker.handshakes) cannot %s: %s",
      what, strerror(errno));
}

static void release_front(struct front *front)
{
  if (front->open > 0) return;
  munmap(front->shared, sizeof *front->shared);
  if (front->closed != NULL) front->closed(front->ctx);
  free(front);
}

static void on_end_closed(uv_handle_t *handle)
{
  struct gate_process *gate = handle->data;
  close(gate->control);
  gate->front->open--;
  release_front(gate->front);
}

static void on_end(uv_poll_t *poll, int status, int events)
{
  (void) status, (void) events;
  struct gate_process *gate = poll->data;
  uv_poll_stop(poll);
  if (gate->front->config.died != NULL) gate->front->config.died(gate->front->config.ctx);
}

static void close_listeners(struct gate_process *gate)
{
  for (int l = 0; l < FRONT_LISTENERS; l++) {
    if (gate->listeners[l] >= 0) close(gate->listeners[l]);
    gate->listeners[l] = -1;
  }
}

static int start_gate(struct front *front, uv_loop_t *loop, struct gate_process *gate,
                      struct error *error)
{
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_front(error, "be spoken to");
  gate->pid = child_fork();
  if (gate->pid == 0) be_gate(front, gate, ends[1]);
  close(ends[1]);
  if (gate->pid < 0) {
    errno = -gate->pid;
    close(ends[0]);
    return fail_front(error, "be started");
  }
  gate->control = ends[0];
  gate->end.data = gate;
  front->open++;
  uv_poll_init(loop, &gate->end, gate->control);
  uv_poll_start(&gate->end, UV_READABLE, on_end);
  close_listeners(gate);
  return 0;
}

/* A connection has two descriptors in its gate, who waits one; no gate has exactly its share of
   those who come. */
static size_t gates_for(size_t connections)
{
  struct rlimit limit;
  size_t most = 1024;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) most = (size_t) limit.rlim_max;
  size_t needed = 2 * (connections + connections / 8) + FRONT_WAITING_MAX;
  size_t room = most > 2 * OWN_DESCRIPTORS ? most - OWN_DESCRIPTORS : OWN_DESCRIPTORS;
  size_t count = (needed + room - 1) / room;
  return count < FRONT_GATES_MAX ? count : FRONT_GATES_MAX;
}

static int reserve(uint16_t *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
      bind(fd, (struct sockaddr *) &address, size) == 0 &&
      getsockname(fd, (struct sockaddr *) &address, &size) == 0) {
    *port = ntohs(address.sin_port);
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

static int start_all(struct front *front, uv_loop_t *loop, struct error *error)
{
  for (int l = 0; l < FRONT_LISTENERS; l++) {
    front->reserved[l] = reserve(&front->port[l]);
    if (front->reserved[l] < 0) return fail_front(error, "have a port of 127.0.0.1");
  }
  /* all listen before the first one is at work, so that none of them has all who come */
  for (size_t g = 0; g < front->count; g++)
    for (int l = 0; l < FRONT_LISTENERS; l++) {
      front->gates[g].listeners[l] = gate_listen(&front->port[l]);
      if (front->gates[g].listeners[l] < 0) return fail_front(error, "listen on 127.0.0.1");
    }
  for (size_t g = 0; g < front->count; g++)
    if (start_gate(front, loop, &front->gates[g], error) != 0) return -1;
  return 0;
}

int front_open(uv_loop_t *loop, const struct front_config *config,
               const uint16_t ports[FRONT_LISTENERS], struct front **out, struct error *error)
{
  struct front *front = calloc(1, sizeof *front);
  void *shared =
      mmap(NULL, sizeof *front->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (front == NULL || shared == MAP_FAILED) {
    free(front);
    return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  }
  front->config = *config;
  front->shared = shared;
  front->count = gates_for(config->connections);
  for (int l = 0; l < FRONT_LISTENERS; l++) front->reserved[l] = -1;
  for (size_t g = 0; g < front->count; g++)
    front->gates[g] = (struct gate_process){.front = front, .control = -1, .listeners = {-1, -1}};
  front_move(front, ports);
  /* before: where it fails, gates that have started keep it until their handles are closed */
  *out = front;
  if (start_all(front, loop, error) == 0) return 0;
  front_close(front, NULL, NULL);
  return -1;
}

void front_move(struct front *front, const uint16_t ports[FRONT_LISTENERS])
{
  for (int l = 0; l < FRONT_LISTENERS; l++) atomic_store(&front->shared->target[l], ports[l]);
}

uint16_t front_port(const struct front *front, int listener)
{
  return front->port[listener];
}

uint64_t front_timed_out(const struct front *front)
{
  return atomic_load(&front->shared->timed_out);
}

size_t front_waiting(const struct front *front)
{
  return atomic_load(&front->shared->waiting);
}

static void order_all(struct front *front, char order)
{
  for (size_t g = 0; g < front->count; g++)
    (void) !send(front->gates[g].control, &order, 1,
                 MSG_NOSIGNAL); /* the end of one that is gone is told */
}

void front_drop(struct front *front)
{
  order_all(front, GATE_DROP);
}

void front_resume(struct front *front)
{
  order_all(front, GATE_RESUME);
}

/* At most a second: who cannot be killed, or be waited for, ends with us at the latest. */
static void reap(pid_t pid)
{
  for (int turn = 0; turn < 1000; turn++) {
    pid_t gone = waitpid(pid, NULL, WNOHANG);
    if (gone == pid || (gone < 0 && errno != EINTR)) return;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

void front_close(struct front *front, void (*closed)(void *ctx), void *ctx)
{
  front->closed = closed;
  front->ctx = ctx;
  for (int l = 0; l < FRONT_LISTENERS; l++)
    if (front->reserved[l] >= 0) close(front->reserved[l]);
  for (size_t g = 0; g < front->count; g++) {
    struct gate_process *gate = &front->gates[g];
    close_listeners(gate);
    if (gate->control < 0) continue;
    kill(gate->pid, SIGKILL);
    reap(gate->pid);
    uv_close((uv_handle_t *) &gate->end, on_end_closed);
  }
  if (front->open == 0) release_front(front);
}
