/* The stream of events and its file. A line that could not be written, and whatever somebody does to
 * the file meanwhile, is told once by events_check or events_close: the run goes on until then. */
#define _POSIX_C_SOURCE 200809L
#include "report/events.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "report/zst.h"

struct events {
  FILE *file; /* NULL: the sinks are all */
  struct events_sink *sinks;
  const struct names *names; /* of devices; NULL: nobody has said */
  int error;                 /* errno of the first line that could not be written, 0: none */
  struct stat made;
  uint64_t size; /* of all lines, or of what they were compressed to */
  bool compressed;
  uint64_t lines;
  struct digest *digest; /* of them */
  char path[FILES_PATH_MAX];
};

/* Appending: what somebody cuts off stays missing, and a later line leaves no hole that hides it. */
static int open_file(struct events *events, struct error *error)
{
  events->digest = digest_begin();
  int fd = events->digest != NULL
               ? files_create(events->path, 0644, error)
               : error_set(error, EXIT_CODE_SETUP, "not enough memory for the list of events");
  if (fd < 0) return -1;
  if (fcntl(fd, F_SETFL, O_APPEND) == 0 && fstat(fd, &events->made) == 0)
    events->file = events->compressed ? zst_write(fd, &events->size) : fdopen(fd, "a");
  if (events->file != NULL) return 0;
  close(fd);
  return error_set(error, EXIT_CODE_SETUP, "not enough memory for the list of events");
}

static int open_named(const char *folder, const char *name, bool compressed, struct events **out,
                      struct error *error)
{
  struct events *events = calloc(1, sizeof *events);
  if (events == NULL)
    return error_set(error, EXIT_CODE_SETUP, "not enough memory for the list of events");
  events->compressed = compressed;
  if (folder != NULL &&
      (files_join(events->path, folder, name, error) != 0 || open_file(events, error) != 0)) {
    digest_free(events->digest);
    free(events);
    return -1;
  }
  *out = events;
  return 0;
}

int events_open(const char *folder, struct events **out, struct error *error)
{
  return open_named(folder, EVENTS_FILE, false, out, error);
}

int events_open_compressed(const char *folder, struct events **out, struct error *error)
{
  return open_named(folder, EVENTS_FILE_COMPRESSED, true, out, error);
}

FILE *events_read(const char *folder, char path[FILES_PATH_MAX], struct error *error)
{
  size_t size;
  if (files_join(path, folder, EVENTS_FILE, error) != 0) return NULL;
  bool compressed = access(path, F_OK) != 0;
  if (compressed && files_join(path, folder, EVENTS_FILE_COMPRESSED, error) != 0) return NULL;
  if (compressed && access(path, F_OK) != 0) {
    path[0] = '\0';
    error_set(error, EXIT_CODE_USAGE, "%.200s holds no " EVENTS_FILE, folder);
    return NULL;
  }
  int fd = files_open(path, SIZE_MAX, &size, error);
  if (fd < 0) return NULL;
  FILE *file = compressed ? zst_read(fd) : fdopen(fd, "r");
  if (file != NULL) return file;
  close(fd);
  error_set(error, EXIT_CODE_INTERNAL, "not enough memory to read %s", path);
  return NULL;
}

/* What somebody has done to the file meanwhile, "" if nothing. A run without its list has no
   report. */
static const char *harm(const struct events *events)
{
  struct stat now;
  if (lstat(events->path, &now) != 0) return "it was removed while the run wrote it";
  if (now.st_dev != events->made.st_dev || now.st_ino != events->made.st_ino)
    return "another file was put in its place while the run wrote it";
  uint64_t size = (uint64_t) now.st_size;
  if (size < events->size) return "it was cut off while the run wrote it";
  return size > events->size ? "somebody else wrote into it during the run" : "";
}

static int tell(const struct events *events, struct error *error)
{
  if (events->file == NULL) return 0;
  const char *why = events->error == 0 ? harm(events) : "";
  if (*why != '\0')
    return error_set(error, EXIT_CODE_SETUP,
                     "%s is incomplete: %s; leave the folder alone until the run has ended",
                     events->path, why);
  if (events->error == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "%s is incomplete: %s; free some space or choose another folder with --out",
                   events->path, strerror(events->error));
}

int events_check(struct events *events, struct error *error)
{
  events_flush(events);
  return tell(events, error);
}

int events_close(struct events *events, struct error *error)
{
  events_flush(events);
  if (events->file != NULL && fclose(events->file) != 0 && events->error == 0)
    events->error = errno;
  int status = tell(events, error);
  digest_free(events->digest);
  free(events);
  return status;
}

void events_attach(struct events *events, struct events_sink *sink)
{
  assert(sink->take != NULL);
  sink->next = events->sinks;
  events->sinks = sink;
}

void events_name_devices(struct events *events, const struct names *names)
{
  events->names = names;
}

static void write_line(struct events *events, const struct event *event)
{
  char line[EVENT_LINE_MAX];
  size_t size = event_line(event, events->names, line);
  if (!events->compressed) events->size += size;
  events->lines++;
  digest_add(events->digest, line, size);
  if (fwrite(line, 1, size, events->file) != size && events->error == 0) events->error = errno;
}

void events_emit(struct events *events, const struct event *event)
{
  assert(event->kind < EVENT_KIND_COUNT);
  if (events->file != NULL) write_line(events, event);
  /* the other ends: whoever has called events_attach */
  for (struct events_sink *sink = events->sinks; sink != NULL; sink = sink->next)
    sink->take(sink->ctx, event);
}

int events_seal(const struct events *events, struct events_seal *out)
{
  out->lines = events->lines;
  return events->digest == NULL ? -1 : digest_text(events->digest, out->sha256);
}

void events_flush(struct events *events)
{
  if (events->file != NULL && fflush(events->file) != 0 && events->error == 0)
    events->error = errno;
}
