/* The client under test: a command goes in, a line of JSON comes out, each with a deadline. What it
 * does not say in time, or its end, is a sentence.
 */
#define _GNU_SOURCE
#include "lab/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child/child.h"
#include "lab/process.h"

#define PROGRAM    "bench_client"
#define LINE_SIZE  4096
#define OPEN_S     120.0 /* reads thousands of certificates */
#define PATIENCE_S 90.0  /* beyond a command's plan: the client itself gives stragglers 60 s */
#define LEAST_RATE 10.0  /* connects a second that a broker takes on the busiest machine */

static int spawn(struct subject *subject, const char *program, char *const *arguments,
                 struct error *error)
{
  int commands[2], answers[2];
  if (pipe2(commands, O_CLOEXEC) != 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot make a pipe: %s", strerror(errno));
  if (pipe2(answers, O_CLOEXEC) != 0) {
    close(commands[0]);
    close(commands[1]);
    return error_set(error, EXIT_CODE_SETUP, "cannot make a pipe: %s", strerror(errno));
  }
  const struct child_options options = {.file = program,
                                        .arguments = arguments,
                                        .input = commands[0],
                                        .output = answers[1],
                                        .errors = STDERR_FILENO,
                                        .keeps_umask = true};
  pid_t pid = child_start(&options);
  close(commands[0]);
  close(answers[1]);
  subject->commands = commands[1];
  subject->answers = answers[0];
  subject->pid = pid;
  if (pid > 0) return 0;
  close(commands[1]);
  close(answers[0]);
  subject->pid = 0;
  return error_set(error, EXIT_CODE_SETUP, "cannot start a process: %s", strerror(-pid));
}

static int describe_end(struct subject *subject, const char *asked, struct error *error)
{
  if (lab_interrupted(error) != 0) return -1;
  int status = child_wait(subject->pid);
  subject->pid = 0;
  close(subject->commands);
  close(subject->answers);
  if (WIFSIGNALED(status))
    return error_set(error, EXIT_CODE_INTERNAL, "the client %s was ended by signal %d (%s) at '%s'",
                     subject->kind, WTERMSIG(status), strsignal(WTERMSIG(status)), asked);
  return error_set(error, EXIT_CODE_SETUP,
                   "the client %s ended with exit code %d at '%s': it says why above",
                   subject->kind, WEXITSTATUS(status), asked);
}

static double now_s(void)
{
  return (double) uv_hrtime() / 1e9;
}

/* False at the deadline, and when a signal asked for the end. Other signals, as of a child's end,
   are no reason. */
static bool await_bytes(int fd, double until_s)
{
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  for (double left_s; (left_s = until_s - now_s()) > 0;) {
    int count = poll(&ready, 1, (int) (left_s * 1000) + 1);
    if (count == 1) return true;
    if (count < 0 && (errno != EINTR || lab_interrupted(NULL) != 0)) return false;
  }
  return false;
}

/* Reads one line; the client says nothing more before the next command. */
static int read_line(struct subject *subject, const char *asked, double within_s,
                     char line[LINE_SIZE], struct error *error)
{
  double until_s = now_s() + within_s;
  size_t held = 0;
  while (held == 0 || line[held - 1] != '\n') {
    if (!await_bytes(subject->answers, until_s)) {
      if (lab_interrupted(error) != 0) return -1;
      return error_set(error, EXIT_CODE_INTERNAL, "the client %s did not answer '%s' within %.0f s",
                       subject->kind, asked, within_s);
    }
    ssize_t size = read(subject->answers, line + held, LINE_SIZE - 1 - held);
    if (size <= 0) return describe_end(subject, asked, error);
    held += (size_t) size;
  }
  line[held] = '\0';
  return 0;
}

/* A distribution that only a paced kind tells. */
static struct subject_times times_of(const json_t *answer, const char *key)
{
  const json_t *of = json_object_get(answer, key);
  return (struct subject_times){.p50 = json_number_value(json_object_get(of, "p50")),
                                .p99 = json_number_value(json_object_get(of, "p99")),
                                .max = json_number_value(json_object_get(of, "max"))};
}

static void take_failures(const json_t *json, struct subject_answer *answer)
{
  const char *name;
  json_t *count;
  answer->failure_names = 0;
  json_object_foreach(json_object_get(json, "failures"), name, count)
  {
    if (answer->failure_names == SUBJECT_FAILURES_MAX) break;
    struct subject_failure *failure = &answer->failure[answer->failure_names++];
    snprintf(failure->name, sizeof failure->name, "%s", name);
    failure->count = (size_t) json_integer_value(count);
  }
}

static int read_answer(struct subject *subject, const char *asked, double within_s,
                       struct subject_answer *answer, struct error *error)
{
  char line[LINE_SIZE];
  const char *version = "";
  json_error_t wrong;
  json_int_t online, failed, lost, messages, cpu_us, wall_us, remembered = 0, computed = 0;
  if (read_line(subject, asked, within_s, line, error) != 0) return -1;
  json_t *json = json_loads(line, 0, &wrong);
  int status = json_unpack_ex(
      json, &wrong, 0, "{s:I, s:I, s:I, s:I, s:I, s:I, s:F, s:s, s?I, s?I}", "online", &online,
      "failed", &failed, "lost", &lost, "messages", &messages, "cpu_us", &cpu_us, "wall_us",
      &wall_us, "anonymous_kib", &answer->anonymous_kib, "version", &version,
      "verifications_remembered", &remembered, "verifications_computed", &computed);
  if (status != 0) {
    error_set(error, EXIT_CODE_INTERNAL, "the client %s answers '%s' with %.200s (%s)",
              subject->kind, asked, line, wrong.text);
  } else {
    answer->online = (size_t) online, answer->failed = (size_t) failed,
    answer->lost = (size_t) lost;
    answer->messages = (uint64_t) messages, answer->cpu_us = (uint64_t) cpu_us,
    answer->wall_us = (uint64_t) wall_us;
    answer->remembered = (uint64_t) remembered, answer->computed = (uint64_t) computed;
    answer->device_ms = times_of(json, "device_ms"),
    answer->lateness_ms = times_of(json, "lateness_ms");
    answer->longest_wait_ms = json_number_value(json_object_get(json, "longest_wait_ms"));
    take_failures(json, answer);
    snprintf(answer->version, sizeof answer->version, "%s", version);
  }
  json_decref(json);
  return status;
}

int subject_start(struct subject *subject, const struct lab *lab, const char *kind, size_t devices,
                  struct subject_answer *answer, struct error *error)
{
  char program[FILES_PATH_MAX], port[8], count[24];
  snprintf(port, sizeof port, "%u",
           subject->port != 0 ? subject->port : broker_port(lab->broker, BROKER_MAIN));
  snprintf(count, sizeof count, "%zu", devices);
  const char *arguments[] = {PROGRAM,   "--kind",    kind,     "--fleet", lab->fleet,
                             "--peers", lab->peers,  "--host", LAB_HOST,  "--port",
                             port,      "--devices", count,    NULL};
  subject->kind = kind;
  if (process_beside(PROGRAM, program, error) != 0 ||
      spawn(subject, program, (char *const *) arguments, error) != 0)
    return -1;
  return read_answer(subject, "open", OPEN_S, answer, error);
}

static int ask(struct subject *subject, const char *command, double within_s,
               struct subject_answer *answer, struct error *error)
{
  size_t size = strlen(command);
  char line[128];
  snprintf(line, sizeof line, "%s\n", command);
  if (write(subject->commands, line, size + 1) != (ssize_t) (size + 1))
    return describe_end(subject, command, error);
  return read_answer(subject, command, within_s, answer, error);
}

int subject_connect(struct subject *subject, size_t count, double rate, size_t at_most,
                    struct subject_answer *answer, struct error *error)
{
  char command[96];
  snprintf(command, sizeof command, "connect %zu %g %zu", count, rate, at_most);
  double least = at_most > 0 && rate > LEAST_RATE ? LEAST_RATE : rate;
  return ask(subject, command, (double) count / least + PATIENCE_S, answer, error);
}

int subject_idle(struct subject *subject, double seconds, struct subject_answer *answer,
                 struct error *error)
{
  char command[96];
  snprintf(command, sizeof command, "idle %g", seconds);
  return ask(subject, command, seconds + PATIENCE_S, answer, error);
}

int subject_publish(struct subject *subject, int qos, double seconds, struct subject_answer *answer,
                    struct error *error)
{
  char command[96];
  snprintf(command, sizeof command, "publish %d %g", qos, seconds);
  return ask(subject, command, seconds + PATIENCE_S, answer, error);
}

void subject_end(struct subject *subject)
{
  if (subject->pid == 0) return;
  kill(subject->pid, SIGKILL);
  (void) child_wait(subject->pid);
  close(subject->commands);
  close(subject->answers);
  subject->pid = 0;
}
