#define _POSIX_C_SOURCE 200809L
#include "report/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "fleetsim/device.h"

#define LINE_SIZE 2048u

struct events {
  FILE *file;
  int error; /* errno of the first line that could not be written, 0: none */
  struct stat made;
  off_t size; /* of all lines */
  char path[FILES_PATH_MAX];
};

int events_open(const char *folder, struct events **out, struct error *error)
{
  struct events *events = calloc(1, sizeof *events);
  if (events == NULL)
    return error_set(error, EXIT_CODE_SETUP, "not enough memory for the list of events");
  if (files_join(events->path, folder, "events.ndjson", error) != 0) {
    free(events);
    return -1;
  }
  int fd = files_create(events->path, 0644, error);
  /* appending: what somebody cuts off stays missing, and a later line leaves no hole that hides
     it */
  if (fd >= 0 && fcntl(fd, F_SETFL, O_APPEND) == 0 && fstat(fd, &events->made) == 0)
    events->file = fdopen(fd, "a");
  if (events->file == NULL) {
    if (fd >= 0) close(fd);
    if (fd >= 0) error_set(error, EXIT_CODE_SETUP, "not enough memory for the list of events");
    free(events);
    return -1;
  }
  *out = events;
  return 0;
}

/* What somebody has done to the file meanwhile, "" if nothing. A run without its list has no
   report. */
static const char *harm(const struct events *events)
{
  struct stat now;
  if (lstat(events->path, &now) != 0) return "it was removed while the run wrote it";
  if (now.st_dev != events->made.st_dev || now.st_ino != events->made.st_ino)
    return "another file was put in its place while the run wrote it";
  if (now.st_size < events->size) return "it was cut off while the run wrote it";
  return now.st_size > events->size ? "somebody else wrote into it during the run" : "";
}

static int tell(const struct events *events, struct error *error)
{
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
  if (fclose(events->file) != 0 && events->error == 0) events->error = errno;
  int status = tell(events, error);
  free(events);
  return status;
}

/* Appends to a line of LINE_SIZE bytes; false when it does not fit. */
static bool append(char *line, size_t *used, const char *format, va_list args)
{
  int n = vsnprintf(line + *used, LINE_SIZE - *used, format, args);
  if (n < 0 || (size_t) n >= LINE_SIZE - *used) return false;
  *used += (size_t) n;
  return true;
}

static bool append_text(char *line, size_t *used, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  bool fits = append(line, used, format, args);
  va_end(args);
  return fits;
}

static bool append_head(char *line, size_t *used, double t_s, uint32_t device, const char *name)
{
  char id[DEVICE_ID_TEXT];
  if (!append_text(line, used, "{\"t\": %.6f", t_s)) return false;
  device_id_text(device, id);
  if (device != 0 && !append_text(line, used, ", \"device\": \"%s\"", id)) return false;
  return append_text(line, used, ", \"event\": \"%s\"", name);
}

void events_add(struct events *events, double t_s, uint32_t device, const char *name,
                const char *more, ...)
{
  char line[LINE_SIZE];
  size_t used = 0;
  if (!append_head(line, &used, t_s, device, name)) return;
  size_t head = used;
  va_list args;
  va_start(args, more);
  /* members that do not fit are left out as a whole: half of them would be no JSON */
  if (more != NULL &&
      !(append_text(line, &used, ", ") && append(line, &used, more, args) && used < LINE_SIZE - 3))
    used = head;
  va_end(args);
  memcpy(line + used, "}\n", 2);
  events->size += (off_t) used + 2;
  if (fwrite(line, 1, used + 2, events->file) != used + 2 && events->error == 0)
    events->error = errno;
}

void events_flush(struct events *events)
{
  if (fflush(events->file) != 0 && events->error == 0) events->error = errno;
}
