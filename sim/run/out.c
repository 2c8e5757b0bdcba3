/* The lock on the folder, the list of what runs leave in it, and the order in which an earlier run
 * goes: verdict first, so that nobody takes it for ours. What is not ours in a folder is never
 * touched; a folder that cannot be used is refused before anything is written. */
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
#include "run/keys.h"
#include "stage/wait.h"

/* What a run leaves in its folder, the verdicts first; and of an older version `fleet`, with a step
 * compromise `clones`. Brokers of several nodes are broker-NAME. */
static const char *const left_by_runs[] = {
    "results.json",   "report.html",      "junit.xml",     "results.json.part",
    "junit.xml.part", "report.html.part", "events.ndjson", "events.ndjson.zst",
    "clones",         "updates",          "broker"};
#define VERDICTS 3u
static const char broker_prefix[] = "broker-";

static bool is_of_a_run(const struct stage *stage, const char *name)
{
  for (size_t i = 0; i < sizeof left_by_runs / sizeof *left_by_runs; i++)
    if (strcmp(name, left_by_runs[i]) == 0) return true;
  if (strncmp(name, broker_prefix, sizeof broker_prefix - 1) == 0) return true;
  return stage->options->fleet == NULL &&
         strcmp(name, "fleet") == 0; /* with --fleet it may be that one */
}

static int cannot(struct stage *stage, const char *what)
{
  bool full = errno == EMFILE || errno == ENFILE;
  return error_set(&stage->error, EXIT_CODE_SETUP, "the folder %s cannot be %s: %s; %s",
                   stage->options->out, what, strerror(errno),
                   full ? "raise the limit (ulimit -n)" : "choose another one with --out");
}

static int check_mode(struct stage *stage)
{
  struct stat st;
  if (fstat(stage->out_fd, &st) != 0) return cannot(stage, "looked at");
  if ((st.st_mode & S_IWOTH) == 0 || (st.st_mode & S_ISVTX) != 0) return 0;
  return error_set(&stage->error, EXIT_CODE_SETUP,
                   "everybody can write to the folder %s (mode %04o), and keys and a verdict are "
                   "to lie there: chmod o-w it, or choose another one with --out",
                   stage->options->out, (unsigned) st.st_mode & 07777);
}

/* The lock is on the folder itself and ends with this process, however that ends. */
static int lock(struct stage *stage)
{
  stage->out_fd = open(stage->options->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (stage->out_fd < 0) return cannot(stage, "opened");
  if (flock(stage->out_fd, LOCK_EX | LOCK_NB) == 0) return 0;
  /* NFS locks no folder: better no lock than no results there */
  if (errno != EWOULDBLOCK) return 0;
  return error_set(&stage->error, EXIT_CODE_SETUP,
                   "another run is writing its results to %s: wait for its end, or choose another "
                   "folder with --out",
                   stage->options->out);
}

/* Goes through what earlier runs have left: counts it, or removes it. -1: it cannot be read, or
   removed. */
static int go_through(struct stage *stage, bool remove_it, unsigned *count)
{
  char path[FILES_PATH_MAX];
  int status = 0;
  *count = 0;
  DIR *folder = opendir(stage->options->out);
  if (folder == NULL) return cannot(stage, "read");
  struct dirent *entry;
  while (errno = 0, status == 0 && (entry = readdir(folder)) != NULL) {
    if (!is_of_a_run(stage, entry->d_name)) continue;
    ++*count;
    if (remove_it && (files_join(path, stage->options->out, entry->d_name, &stage->error) != 0 ||
                      files_remove(path, &stage->error) != 0))
      status = -1;
  }
  if (status == 0 && errno != 0) status = cannot(stage, "read");
  closedir(folder);
  return status;
}

/* Results among a fleet's keys would be taken for a fleet, and the keys for results. */
static int check_fleet(struct stage *stage)
{
  struct stat fleet, out;
  if (stage->options->fleet == NULL || stat(stage->options->fleet, &fleet) != 0 ||
      stat(stage->options->out, &out) != 0 || fleet.st_dev != out.st_dev ||
      fleet.st_ino != out.st_ino)
    return 0;
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s is the folder of the fleet, where its keys lie: choose another one with "
                   "--out",
                   stage->options->out);
}

int run_out_open(struct stage *stage)
{
  unsigned found;
  if (check_fleet(stage) != 0 || files_make_folder(stage->options->out, 0755, &stage->error) != 0 ||
      lock(stage) != 0 || check_mode(stage) != 0 || go_through(stage, false, &found) != 0)
    return -1;
  stage->out_holds_earlier = found > 0;
  if (found == 0 || stage->options->overwrite) {
    stage->out_taken = run_keys_find(stage) == 0;
    return stage->out_taken ? 0 : -1;
  }
  return error_set(&stage->error, EXIT_CODE_USAGE,
                   "%s holds an earlier run (results.json, events.ndjson, fleet or the like), "
                   "which would be lost: choose another folder with --out, or pass --overwrite",
                   stage->options->out);
}

static int new_id(struct stage *stage)
{
  uint8_t bytes[(sizeof stage->results.run_id - 1) / 2];
  if (world_random(stage->world, bytes, sizeof bytes, &stage->error) != 0) return -1;
  for (size_t i = 0; i < sizeof bytes; i++)
    snprintf(stage->results.run_id + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}

/* The verdict goes first: whoever looks in the meantime must not take it for ours. */
static int clear(struct stage *stage)
{
  char path[FILES_PATH_MAX];
  unsigned removed;
  for (size_t v = 0; v < VERDICTS; v++)
    if (files_join(path, stage->options->out, left_by_runs[v], &stage->error) != 0 ||
        files_remove(path, &stage->error) != 0)
      return -1;
  return go_through(stage, true, &removed);
}

static int open_events(struct stage *stage)
{
  const struct stage_options *options = stage->options;
  return options->compressed ? events_open_compressed(options->out, &stage->events, &stage->error)
                             : events_open(options->out, &stage->events, &stage->error);
}

int run_out_begin(struct stage *stage)
{
  if (new_id(stage) != 0 || run_keys_begin(stage) != 0) return -1;
  if (stage->out_holds_earlier && clear(stage) != 0) return -1;
  if (open_events(stage) != 0) return -1;
  stage_emit(stage, (struct event){.kind = EVENT_RUN,
                                   .run = {stage->results.run_id, stage->scenario->name,
                                           stage->scenario->devices, stage->results.started}});
  events_flush(stage->events);
  return 0;
}

void run_out_begin_refused(struct stage *stage)
{
  struct error refusal = stage->error;
  if (!stage->out_taken || stage->out_holds_earlier || stage->events != NULL) return;
  if (run_out_begin(stage) == 0) stage->error = refusal;
}

void run_out_close(struct stage *stage)
{
  if (stage->keys_fd >= 0) close(stage->keys_fd);
  if (stage->out_fd >= 0) close(stage->out_fd);
}
