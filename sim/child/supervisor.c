/* One child, one state. The child may end, and the owner may stop or close, in every state. All of
 * them lead to settle(), which does nothing until both the child's handle and the probe are closed
 * and then decides from `again`, `failed` and `done` what is next.
 */
#define _GNU_SOURCE
#include "child/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/memory.h"
#include "child/ports.h"

enum { TERM_MS = 5000, PICKS = 3, WORDS = 400 };

/* A call of `done` that is to come. */
struct report {
  uv_timer_t handle;
  struct supervisor *s;
  supervisor_done done;
  void *ctx;
  bool failed;
  struct error error;
};

static void launch(struct supervisor *s);

static void release(struct supervisor *s)
{
  assert(s->held > 0);
  if (--s->held == 0 && s->closing && s->closed != NULL) s->closed(s->closed_ctx);
}

/* --- Who is told ------------------------------------------------------------------------------ */

static void on_report(uv_handle_t *handle)
{
  struct report *report = handle->data;
  struct supervisor *s = report->s;
  if (!s->closing || !s->kind->closes_silently)
    report->done(report->ctx, report->failed ? &report->error : NULL);
  free(report);
  release(s);
}

/* A handle's close callback comes with the loop's next turn and cannot be cancelled: exactly what
   is needed. */
static void tell(struct supervisor *s, const struct error *error)
{
  supervisor_done done = s->done;
  s->done = NULL;
  if (done == NULL) return;
  struct report *report = calloc(1, sizeof *report);
  if (report == NULL) memory_gone("what comes next at a server");
  *report = (struct report){.s = s, .done = done, .ctx = s->ctx, .failed = error != NULL};
  if (error != NULL) report->error = *error;
  s->held++;
  uv_timer_init(s->loop, &report->handle);
  report->handle.data = report;
  uv_close((uv_handle_t *) &report->handle, on_report);
}

static void finish(struct supervisor *s)
{
  tell(s, s->failed ? &s->error : NULL);
}

static void begin(struct supervisor *s, supervisor_done done, void *ctx)
{
  struct error interrupted;
  error_set(&interrupted, EXIT_CODE_INTERRUPTED, "%s", s->kind->interrupted);
  tell(s, &interrupted);
  s->done = done;
  s->ctx = ctx;
  s->failed = s->again = false;
}

/* --- How it ends ------------------------------------------------------------------------------ */

static void settle(struct supervisor *s)
{
  if (s->child_open || s->probing || s->closing) return;
  bool died = s->state == SUPERVISOR_RUNNING, again = s->again && !s->failed;
  s->state = SUPERVISOR_STOPPED;
  s->again = false;
  if (again) {
    launch(s);
    return;
  }
  finish(s);
  if (died) s->kind->died(s->kind->server, s->ended);
}

static void stop_probe(struct supervisor *s)
{
  if (!s->probing || s->probe_ending) return;
  s->probe_ending = true;
  s->kind->probe_stop(s->kind->server);
}

/* Whether another try with other ports may help: one that was picked was taken in the meantime. */
static bool pick_again(struct supervisor *s)
{
  const struct supervisor_server *kind = s->kind;
  bool picked = false;
  if (s->picks_left == 0) return false;
  s->picks_left--;
  for (size_t i = 0; i < kind->ports; i++) {
    if (kind->asked[i] != 0 || !ports_in_use(kind->port[i])) continue;
    if (ports_pick(kind->port, kind->ports, &kind->port[i], NULL) != 0) return false;
    picked = true;
  }
  return picked;
}

static void describe_end(struct supervisor *s, const char *words)
{
  const struct supervisor_server *kind = s->kind;
  const char *why = words[0] != '\0' ? words : kind->unexplained;
  if (s->exit_signal != 0)
    snprintf(s->ended, sizeof s->ended, "%s was ended by signal %d (%s)", kind->name,
             s->exit_signal, strsignal(s->exit_signal));
  else
    snprintf(s->ended, sizeof s->ended, "%s ended by itself with exit code %d%s%s", kind->name,
             s->exit_status, kind->unexplained != NULL ? ": " : "",
             kind->unexplained != NULL ? why : "");
}

static void ended_while_starting(struct supervisor *s, const char *words)
{
  s->state = SUPERVISOR_ENDING;
  s->again = pick_again(s);
  if (s->again || s->failed) return;
  s->failed = true;
  error_set(&s->error, EXIT_CODE_SETUP, "%s does not start: %s (all of it: %s/%s.log)",
            s->kind->name, words[0] == '\0' ? s->ended : words, s->kind->folder, s->kind->name);
}

static void on_child_closed(struct child *child)
{
  struct supervisor *s = child->data;
  s->child_open = false;
  settle(s);
  release(s);
}

static void on_exit_seen(struct child *child, int status, int signal_number)
{
  struct supervisor *s = child->data;
  char words[WORDS];
  uv_timer_stop(&s->kill_timer);
  s->exit_status = status;
  s->exit_signal = signal_number;
  if (!s->closing) {
    s->kind->log_words(s->kind->server, s->log_start, words, sizeof words);
    describe_end(s, words);
    if (s->state == SUPERVISOR_STARTING) ended_while_starting(s, words);
  }
  stop_probe(s);
  if (s->kind->gone != NULL) s->kind->gone(s->kind->server);
  child_close(child, on_child_closed);
}

/* --- How it begins ---------------------------------------------------------------------------- */

/* A server needs one descriptor or two for each of those whom it serves; the child inherits what
   this process may have. */
static void raise_file_limit(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_log(struct supervisor *s)
{
  char path[FILES_PATH_MAX + 64];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s.log", s->kind->folder, s->kind->name);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  s->log_start = fd >= 0 && fstat(fd, &st) == 0 ? (long) st.st_size : 0;
  return fd;
}

/* Its end is tied to ours by SIGKILL, which also ends a child that stands still. */
static int spawn(struct supervisor *s, char *const *command)
{
  int log = open_log(s);
  if (log < 0) return uv_translate_sys_error(errno);
  const struct child_options options = {
      .file = command[0], .arguments = command, .folder = s->kind->folder, .output = log};
  raise_file_limit();
  int status = child_spawn(s->loop, &s->child, &options, on_exit_seen);
  close(log);
  s->child_open = status == 0;
  s->held += s->child_open;
  return status;
}

static void launch(struct supervisor *s)
{
  char *const *command = s->kind->prepare(s->kind->server, &s->error);
  int status = command != NULL ? spawn(s, command) : 0;
  if (status != 0)
    error_set(&s->error, EXIT_CODE_SETUP, "cannot start %s: %s%s", s->kind->name,
              uv_strerror(status), error_remedy(-status));
  s->failed = !s->child_open;
  if (s->failed) {
    finish(s);
    return;
  }
  s->state = SUPERVISOR_STARTING;
  s->probing = true;
  s->probe_ending = false;
  s->held++;
  s->kind->probe(s->kind->server);
}

void supervisor_probed(struct supervisor *s, const char *sentence)
{
  assert(s->probing);
  s->probing = false;
  if (s->probe_ending || s->closing) {
    settle(s);
  } else if (sentence != NULL) {
    s->failed = true;
    error_set(&s->error, EXIT_CODE_SETUP, "%s", sentence);
    s->state = SUPERVISOR_ENDING;
    child_kill(&s->child, SIGKILL);
  } else {
    s->state = SUPERVISOR_RUNNING;
    s->has_been = true;
    if (s->kind->answers != NULL) s->kind->answers(s->kind->server);
    finish(s);
  }
  release(s);
}

/* --- The interface ---------------------------------------------------------------------------- */

void supervisor_init(struct supervisor *s, uv_loop_t *loop, const struct supervisor_server *kind)
{
  *s = (struct supervisor){.loop = loop, .kind = kind, .held = 1};
  uv_timer_init(loop, &s->kill_timer);
  s->kill_timer.data = s->child.data = s;
}

/* Ports that were given and are taken are an error; picked ones are picked anew. */
static int check_ports(struct supervisor *s)
{
  const struct supervisor_server *kind = s->kind;
  for (size_t i = 0; i < kind->ports; i++)
    if (kind->asked[i] != 0 && ports_in_use(kind->port[i]))
      return error_set(&s->error, EXIT_CODE_SETUP,
                       "port %u is already in use: end what listens there or set another port %s",
                       kind->port[i], kind->ports_where);
  (void) pick_again(s);
  return 0;
}

void supervisor_start(struct supervisor *s, supervisor_done done, void *ctx)
{
  assert(s->state == SUPERVISOR_STOPPED && s->done == NULL && !s->child_open && !s->closing);
  begin(s, done, ctx);
  s->picks_left = s->kind->ports_stay && s->has_been ? 0 : PICKS;
  s->failed = check_ports(s) != 0;
  if (s->failed)
    finish(s);
  else
    launch(s);
}

static void on_kill_timer(uv_timer_t *timer)
{
  child_kill(&((struct supervisor *) timer->data)->child, SIGKILL);
}

/* A child that stands still acts on SIGTERM only when it goes on. */
void supervisor_stop(struct supervisor *s, bool again, supervisor_done done, void *ctx)
{
  assert(!s->closing);
  begin(s, done, ctx);
  s->again = again;
  s->picks_left = 0;
  s->state = SUPERVISOR_ENDING;
  stop_probe(s);
  if (s->child.alive) {
    child_kill(&s->child, SIGTERM);
    child_kill(&s->child, SIGCONT);
    uv_timer_start(&s->kill_timer, on_kill_timer, TERM_MS, 0);
  }
  settle(s);
}

bool supervisor_is_up(const struct supervisor *s)
{
  return s->state == SUPERVISOR_RUNNING && s->child.alive;
}

void supervisor_kill(struct supervisor *s, supervisor_done done, void *ctx)
{
  assert(supervisor_is_up(s) && !s->closing);
  begin(s, done, ctx);
  s->state = SUPERVISOR_ENDING;
  child_kill(&s->child, SIGKILL);
}

static void on_timer_closed(uv_handle_t *handle)
{
  release(handle->data);
}

void supervisor_close(struct supervisor *s, void (*closed)(void *ctx), void *ctx)
{
  assert(!s->closing);
  begin(s, NULL, NULL);
  s->closing = true;
  s->closed = closed;
  s->closed_ctx = ctx;
  stop_probe(s);
  child_kill(&s->child, SIGKILL);
  uv_close((uv_handle_t *) &s->kill_timer, on_timer_closed);
}
