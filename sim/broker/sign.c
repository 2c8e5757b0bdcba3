/* A command that signs: a shell in a process group of its own, with the request as its input and a
 * file for what it prints. It is ended when its time is over or the broker is closed; whether what it
 * printed is a certificate is for the caller to see. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "broker/internal.h"

enum { SIGN_MS = 60000, FACTS = 2 };

struct signing {
  struct task task;
  struct child process;
  uv_timer_t deadline;
  unsigned open; /* handles */
  uint32_t timeout_ms;
  bool failed, timed_out;
  char device[80];
  struct error error;
  broker_done done;
  void *ctx;
};

static void finish_signing(struct signing *signing)
{
  struct broker *broker = signing->task.broker;
  broker_task_end(&signing->task);
  signing->done(signing->ctx, signing->failed ? &signing->error : NULL);
  free(signing);
  broker_release(broker);
}

static void on_signing_part_closed(struct signing *signing)
{
  if (--signing->open == 0) finish_signing(signing);
}

static void on_signing_timer_closed(uv_handle_t *handle)
{
  on_signing_part_closed(handle->data);
}

static void on_signer_closed(struct child *process)
{
  on_signing_part_closed(process->data);
}

static void fail(struct signing *signing, int code, const char *how)
{
  char log[FILES_PATH_MAX];
  if (signing->failed) return;
  broker_file(signing->task.broker, "hooks.log", log);
  signing->failed = true;
  error_set(&signing->error, code,
            "the signing command %s for device %s: mend the command; what it said is in %s", how,
            signing->device, log);
}

static void on_ended(struct child *process, int status, int signal_number)
{
  struct signing *signing = process->data;
  char how[80] = "";
  if (signing->timed_out)
    snprintf(how, sizeof how, "did not end within %.3g s and was killed",
             signing->timeout_ms / 1000.0);
  else if (signal_number != 0)
    snprintf(how, sizeof how, "was ended by signal %d", signal_number);
  else if (status != 0)
    snprintf(how, sizeof how, "ended with exit code %d", status);
  if (how[0] != '\0') fail(signing, EXIT_CODE_FAIL, how);
  child_close(&signing->process, on_signer_closed);
  uv_close((uv_handle_t *) &signing->deadline, on_signing_timer_closed);
}

static void on_late(uv_timer_t *timer)
{
  struct signing *signing = timer->data;
  signing->timed_out = true;
  child_kill(&signing->process, SIGKILL);
}

static void cancel(struct task *task)
{
  struct signing *signing = (struct signing *) task;
  signing->failed = true;
  error_set(&signing->error, EXIT_CODE_INTERRUPTED, "the signing command was stopped");
  child_kill(&signing->process, SIGKILL);
}

/* Its three descriptors; -1: one could not be opened, and none is. */
struct ends {
  int input, output, errors;
};

static void close_ends(const struct ends *ends)
{
  if (ends->input >= 0) close(ends->input);
  if (ends->output >= 0) close(ends->output);
  if (ends->errors >= 0) close(ends->errors);
}

static int open_ends(struct broker *broker, const struct broker_signing *what, struct ends *out)
{
  char log[FILES_PATH_MAX];
  broker_file(broker, "hooks.log", log);
  out->input = open(what->request, O_RDONLY | O_CLOEXEC);
  out->output = open(what->answer, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  out->errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (out->input >= 0 && out->output >= 0 && out->errors >= 0) return 0;
  int status = -errno;
  close_ends(out);
  return status;
}

static int start(struct signing *signing, const struct broker_signing *what)
{
#define X(name, line) {.variable = (name)},
  struct hook_fact facts[FACTS] = {SIGNING_FACTS(X)};
#undef X
  struct ends ends;
  snprintf(facts[0].value, sizeof facts[0].value, "%s", what->device);
  snprintf(facts[1].value, sizeof facts[1].value, "%s", what->request);
  int status = open_ends(signing->task.broker, what, &ends);
  if (status != 0) return status;
  char *text = strdup(what->command);
  if (text == NULL) memory_gone("a signing command");
  char *arguments[] = {"/bin/sh", "-c", text, NULL};
  char **environment = hook_environment(facts, FACTS);
  const struct child_options options = {.file = "/bin/sh",
                                        .arguments = arguments,
                                        .environment = environment,
                                        .input = ends.input,
                                        .output = ends.output,
                                        .errors = ends.errors,
                                        .group = true,
                                        .keeps_umask = true};
  status = child_spawn(signing->task.broker->loop, &signing->process, &options, on_ended);
  hook_environment_free(environment, FACTS);
  free(text);
  close_ends(&ends);
  return status;
}

void broker_sign(struct broker *broker, const struct broker_signing *what, broker_done done,
                 void *ctx)
{
  struct signing *signing = calloc(1, sizeof *signing);
  if (signing == NULL) memory_gone("a signing command");
  signing->timeout_ms = what->timeout_ms != 0 ? what->timeout_ms : SIGN_MS;
  signing->done = done;
  signing->ctx = ctx;
  snprintf(signing->device, sizeof signing->device, "%s", what->device);
  broker_task_begin(broker, &signing->task, cancel);
  uv_timer_init(broker->loop, &signing->deadline);
  int status = start(signing, what);
  signing->process.data = signing->deadline.data = signing;
  signing->open = status == 0 ? 2 : 1;
  if (status == 0) {
    uv_timer_start(&signing->deadline, on_late, signing->timeout_ms, 0);
    return;
  }
  char how[200];
  snprintf(how, sizeof how, "cannot be started: %s%s", uv_strerror(status), error_remedy(-status));
  fail(signing, EXIT_CODE_SETUP, how);
  uv_close((uv_handle_t *) &signing->deadline, on_signing_timer_closed);
}
