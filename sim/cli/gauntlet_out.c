/* The folder is made, locked, looked through and written to once. Of several devices each has its
 * results in a folder below it, which are looked for too. */
#define _GNU_SOURCE
#include "cli/gauntlet_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gauntlet/report_json.h"

#define FOLDERS_MAX 1000u /* of gauntlets that begin in one second */
#define NAME_ROOM   80u   /* for a device's folder, and a file in it */

/* The verdict goes first. */
static const char *const written_files[] = {"results.json", "junit.xml", "report.html"};
#define WRITTEN_FILES (sizeof written_files / sizeof *written_files)

/* --- What lies there -------------------------------------------------------------------------- */

static bool has_file(const char *folder, const char *name)
{
  char path[FILES_PATH_MAX];
  struct stat st;
  return files_join(path, folder, name, NULL) == 0 && lstat(path, &st) == 0;
}

static bool holds_run(const char *folder)
{
  return has_file(folder, "events.ndjson") || has_file(folder, "events.ndjson.zst") ||
         (has_file(folder, "results.json") && !report_is_in(folder));
}

static bool holds_gauntlet(const char *folder)
{
  for (size_t f = 0; f < WRITTEN_FILES; f++)
    if (has_file(folder, written_files[f])) return true;
  return false;
}

static int forget_one(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  for (size_t f = 0; f < WRITTEN_FILES; f++)
    if (files_join(path, folder, written_files[f], error) != 0 || files_remove(path, error) != 0)
      return -1;
  return 0;
}

/* Goes through the results of several devices: counts them, or forgets them, and with them their
 * folders if nothing else is there. */
static int go_through_devices(const char *folder, bool forget, unsigned *count, struct error *error)
{
  int status = 0;
  DIR *list = opendir(folder);
  *count = 0;
  if (list == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "the folder %s cannot be read: %s; choose another one with --out", folder,
                     strerror(errno));
  for (struct dirent *entry; status == 0 && (entry = readdir(list)) != NULL;) {
    char path[FILES_PATH_MAX];
    if (entry->d_name[0] == '.' || files_join(path, folder, entry->d_name, NULL) != 0) continue;
    if (!report_is_in(path)) continue;
    ++*count;
    if (forget) status = forget_one(path, error);
    if (forget && status == 0) (void) rmdir(path);
  }
  closedir(list);
  return status;
}

static int look_for_earlier(struct gauntlet_out *out, bool overwrite, struct error *error)
{
  unsigned devices;
  if (holds_run(out->folder))
    return error_set(
        error, EXIT_CODE_USAGE,
        "%s holds a run (results.json, events.ndjson or the like), and a gauntlet lets "
        "go of none: choose another folder with --out",
        out->folder);
  if (go_through_devices(out->folder, false, &devices, error) != 0) return -1;
  out->earlier = holds_gauntlet(out->folder) || devices > 0;
  if (!out->earlier || overwrite) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "%s holds an earlier gauntlet (results.json, junit.xml or the like), which "
                   "would be lost: choose another folder with --out, or pass --overwrite",
                   out->folder);
}

int gauntlet_out_forget(struct gauntlet_out *out, struct error *error)
{
  unsigned devices;
  if (!out->earlier) return 0;
  if (forget_one(out->folder, error) != 0 ||
      go_through_devices(out->folder, true, &devices, error) != 0)
    return -1;
  out->earlier = false;
  return 0;
}

/* --- The folder ------------------------------------------------------------------------------- */

static int make_asked(struct gauntlet_out *out, const char *asked, struct error *error)
{
  struct stat st;
  if (strlen(asked) >= sizeof out->folder - NAME_ROOM)
    return error_set(error, EXIT_CODE_USAGE, "--out %.80s...: the path is too long", asked);
  strcpy(out->folder, asked);
  out->made = stat(asked, &st) != 0;
  if (files_make_folder(asked, 0755, error) == 0) return 0;
  return error_wrap(error, "--out");
}

static int make_stamped(struct gauntlet_out *out, struct error *error)
{
  char stamp[32];
  time_t now = time(NULL);
  struct tm utc;
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
  if (files_make_folder("out", 0755, error) != 0) return error_wrap(error, "without --out");
  out->made = true;
  for (unsigned nth = 1;; nth++) {
    int used = snprintf(out->folder, sizeof out->folder, "out/gauntlet-%s", stamp);
    if (nth > 1) snprintf(out->folder + used, sizeof out->folder - (size_t) used, "-%u", nth);
    if (mkdir(out->folder, 0755) == 0) return 0;
    if (errno != EEXIST || nth == FOLDERS_MAX)
      return error_set(error, EXIT_CODE_SETUP,
                       "cannot make the folder %s: %s; choose another one with --out", out->folder,
                       strerror(errno));
  }
}

/* It ends with this process, however that ends. NFS locks no folder: better no lock than no results
 * there. */
static int lock_folder(struct gauntlet_out *out, struct error *error)
{
  out->lock = open(out->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (out->lock < 0)
    return error_set(error, EXIT_CODE_SETUP,
                     "the folder %s cannot be opened: %s; choose another one with --out",
                     out->folder, strerror(errno));
  if (flock(out->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "another gauntlet or run is writing its results to %s: wait for its end, or "
                   "choose another folder with --out",
                   out->folder);
}

/* As results.json will be: beside it, and put in place. */
static int try_to_write(const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  if (files_join(path, folder, "results.json.try", error) == 0 &&
      files_write(path, "", 0, 0644, error) == 0)
    return files_remove(path, error);
  return error_wrap(error, "no results can be written to %.200s (choose another folder with --out)",
                    folder);
}

int gauntlet_out_begin(struct gauntlet_out *out, const char *asked, bool overwrite,
                       struct error *error)
{
  *out = (struct gauntlet_out){.lock = -1};
  int result = asked != NULL ? make_asked(out, asked, error) : make_stamped(out, error);
  if (result != 0) return -1;
  result = lock_folder(out, error);
  if (result == 0) result = look_for_earlier(out, overwrite, error);
  if (result == 0) result = try_to_write(out->folder, error);
  if (result != 0) gauntlet_out_end(out);
  return result;
}

void gauntlet_out_end(struct gauntlet_out *out)
{
  if (!out->written && out->made) (void) rmdir(out->folder);
  if (out->lock >= 0) close(out->lock);
  out->lock = -1;
}
