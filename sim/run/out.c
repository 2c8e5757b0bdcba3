#define _XOPEN_SOURCE 700
#include "run/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

/* What a run leaves in its folder, the verdict first; and with its own fleet `fleet`, with a step
 * compromise `clones`. Brokers of several nodes are broker-NAME. */
static const char *const left_by_runs[] = {
    "results.json", "results.json.part", "junit.xml", "junit.xml.part", "events.ndjson",
    "clones",       "updates",           "broker"};
static const char broker_prefix[] = "broker-";

static bool is_of_a_run(const struct run *run, const char *name)
{
  for (size_t i = 0; i < sizeof left_by_runs / sizeof *left_by_runs; i++)
    if (strcmp(name, left_by_runs[i]) == 0) return true;
  if (strncmp(name, broker_prefix, sizeof broker_prefix - 1) == 0) return true;
  return run->options->fleet == NULL &&
         strcmp(name, "fleet") == 0; /* with --fleet it may be that one */
}

static int cannot(struct run *run, const char *what)
{
  bool full = errno == EMFILE || errno == ENFILE;
  return error_set(&run->error, EXIT_CODE_SETUP, "the folder %s cannot be %s: %s; %s",
                   run->options->out, what, strerror(errno),
                   full ? "raise the limit (ulimit -n)" : "choose another one with --out");
}

static int check_mode(struct run *run)
{
  struct stat st;
  if (fstat(run->out_fd, &st) != 0) return cannot(run, "looked at");
  if ((st.st_mode & S_IWOTH) == 0 || (st.st_mode & S_ISVTX) != 0) return 0;
  return error_set(&run->error, EXIT_CODE_SETUP,
                   "everybody can write to the folder %s (mode %04o), and keys and a verdict are "
                   "to lie there: chmod o-w it, or choose another one with --out",
                   run->options->out, (unsigned) st.st_mode & 07777);
}

/* The lock is on the folder itself and ends with this process, however that ends. */
static int lock(struct run *run)
{
  run->out_fd = open(run->options->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (run->out_fd < 0) return cannot(run, "opened");
  if (flock(run->out_fd, LOCK_EX | LOCK_NB) == 0) return 0;
  /* NFS locks no folder: better no lock than no results there */
  if (errno != EWOULDBLOCK) return 0;
  return error_set(&run->error, EXIT_CODE_SETUP,
                   "another run is writing its results to %s: wait for its end, or choose another "
                   "folder with --out",
                   run->options->out);
}

/* Goes through what earlier runs have left: counts it, or removes it. -1: it cannot be read, or
   removed. */
static int go_through(struct run *run, bool remove_it, unsigned *count)
{
  char path[FILES_PATH_MAX];
  int status = 0;
  *count = 0;
  DIR *folder = opendir(run->options->out);
  if (folder == NULL) return cannot(run, "read");
  struct dirent *entry;
  while (errno = 0, status == 0 && (entry = readdir(folder)) != NULL) {
    if (!is_of_a_run(run, entry->d_name)) continue;
    ++*count;
    if (remove_it && (files_join(path, run->options->out, entry->d_name, &run->error) != 0 ||
                      files_remove(path, &run->error) != 0))
      status = -1;
  }
  if (status == 0 && errno != 0) status = cannot(run, "read");
  closedir(folder);
  return status;
}

int run_out_open(struct run *run)
{
  unsigned found;
  if (files_make_folder(run->options->out, 0755, &run->error) != 0 || lock(run) != 0 ||
      check_mode(run) != 0 || go_through(run, false, &found) != 0)
    return -1;
  run->out_taken = true;
  run->out_holds_earlier = found > 0;
  if (found == 0 || run->options->overwrite) return 0;
  return error_set(&run->error, EXIT_CODE_USAGE,
                   "%s holds an earlier run (results.json, events.ndjson, fleet or the like), "
                   "which would be lost: choose another folder with --out, or pass --overwrite",
                   run->options->out);
}

static int new_id(struct run *run)
{
  uint8_t bytes[(sizeof run->results.run_id - 1) / 2];
  int status = uv_random(NULL, NULL, bytes, sizeof bytes, 0, NULL);
  if (status != 0)
    return error_set(&run->error, EXIT_CODE_SETUP, "no random bytes: %s", uv_strerror(status));
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(run->results.run_id + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}

/* The verdict goes first: whoever looks in the meantime must not take it for ours. */
static int clear(struct run *run)
{
  char path[FILES_PATH_MAX];
  unsigned removed;
  if (files_join(path, run->options->out, left_by_runs[0], &run->error) != 0 ||
      files_remove(path, &run->error) != 0)
    return -1;
  return go_through(run, true, &removed);
}

int run_out_begin(struct run *run)
{
  if (run->out_holds_earlier && clear(run) != 0) return -1;
  if (new_id(run) != 0 || events_open(run->options->out, &run->events, &run->error) != 0) return -1;
  run_emit(run, (struct event){.kind = EVENT_RUN, .run = {run->results.run_id}});
  events_flush(run->events);
  return 0;
}

void run_out_begin_refused(struct run *run)
{
  struct error refusal = run->error;
  if (!run->out_taken || run->out_holds_earlier || run->events != NULL) return;
  if (run_out_begin(run) == 0) run->error = refusal;
}

void run_out_close(struct run *run)
{
  if (run->out_fd >= 0) close(run->out_fd);
}
