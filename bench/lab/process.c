/* A command from its start to its end, by wait4, which tells its cost. A signal that asks for the
 * bench's end ends the command too.
 */
#define _GNU_SOURCE
#include "lab/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child/child.h"
#include "lab/lab.h"

static double seconds(struct timeval time)
{
  return (double) time.tv_sec + (double) time.tv_usec / 1e6;
}

/* By its name as a shell finds it, or by its path. A negative code of libuv. */
static pid_t start(char *const *arguments, int out, bool quiet)
{
  char file[FILES_PATH_MAX];
  bool is_path = strchr(arguments[0], '/') != NULL;
  if (!is_path && !files_find_executable(arguments[0], file)) return UV_ENOENT;
  const struct child_options options = {.file = is_path ? arguments[0] : file,
                                        .arguments = arguments,
                                        .output = out,
                                        .errors = quiet ? out : STDERR_FILENO,
                                        .keeps_umask = true};
  return child_start(&options);
}

int process_memory(pid_t pid, struct process_memory *out)
{
  char path[48], line[128];
  *out = (struct process_memory){0};
  snprintf(path, sizeof path, "/proc/%d/status", (int) pid);
  FILE *status = fopen(path, "re");
  if (status == NULL) return -1;
  while (fgets(line, sizeof line, status) != NULL) {
    sscanf(line, "RssAnon: %lf", &out->anonymous_kib);
    sscanf(line, "VmRSS: %lf", &out->resident_kib);
  }
  fclose(status);
  return out->resident_kib > 0 ? 0 : -1; /* it has ended, and nobody has waited for it */
}

/* Its end, with a look at it now and then. */
static int await_end(pid_t pid, const struct process_watch *watch, int *status, struct rusage *used)
{
  double every_s = watch != NULL ? watch->every_s : 0.1;
  struct timespec pause = {.tv_sec = (time_t) every_s,
                           .tv_nsec = (long) ((every_s - (double) (time_t) every_s) * 1e9)};
  uint64_t began = uv_hrtime();
  for (pid_t ended; (ended = wait4(pid, status, watch != NULL ? WNOHANG : 0, used)) <= 0;) {
    if (ended < 0 && errno != EINTR) return -1;
    if (lab_interrupted(NULL) != 0) kill(pid, SIGTERM);
    if (watch == NULL) continue;
    nanosleep(&pause, NULL); /* first: what has just been started is not there whole */
    watch->look(watch->ctx, pid, (double) (uv_hrtime() - began) / 1e9);
  }
  return 0;
}

int process_run(char *const *arguments, const char *out_path, bool quiet,
                const struct process_watch *watch, struct process_cost *out, struct error *error)
{
  struct rusage used = {.ru_maxrss = 0};
  int status = 0;
  int fd = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot write %s: %s", out_path, strerror(errno));
  uint64_t began = uv_hrtime();
  pid_t pid = start(arguments, fd, quiet);
  close(fd);
  if (pid == UV_ENOENT || pid == UV_EACCES)
    return error_set(error, EXIT_CODE_SETUP, "%s could not be run: is it installed, or built?",
                     arguments[0]);
  if (pid < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot start a process: %s", strerror(-pid));
  if (await_end(pid, watch, &status, &used) != 0)
    return error_set(error, EXIT_CODE_INTERNAL, "cannot wait for %s: %s", arguments[0],
                     strerror(errno));
  if (lab_interrupted(error) != 0) return -1;
  if (WIFSIGNALED(status))
    return error_set(error, EXIT_CODE_SETUP, "%s was ended by signal %d (%s)", arguments[0],
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
  *out = (struct process_cost){.wall_s = (double) (uv_hrtime() - began) / 1e9,
                               .cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime),
                               .rss_mib = (double) used.ru_maxrss / 1024,
                               .exit_code = WEXITSTATUS(status)};
  return 0;
}

int process_beside(const char *name, char out[FILES_PATH_MAX], struct error *error)
{
  char self[FILES_PATH_MAX];
  ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
  self[size < 0 ? 0 : size] = '\0';
  char *slash = strrchr(self, '/');
  if (slash == NULL)
    return error_set(error, EXIT_CODE_SETUP, "cannot read /proc/self/exe: is /proc mounted?");
  if (name[0] == '\0') {
    strcpy(out, self);
    return 0;
  }
  *slash = '\0';
  if (files_join(out, self, name, error) != 0) return -1;
  if (access(out, X_OK) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "there is no %s: build it, or use ./fleetsim bench",
                   out);
}
