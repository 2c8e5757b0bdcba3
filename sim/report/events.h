/* The stream of events of a run, and who is told: events.ndjson, a line per event, or the same lines
 * compressed (zst.h), and any number of sinks. The file is handed to the operating system at least once a second, so that a crash loses
 * little.
 */
#ifndef FLEETSIM_EVENTS_H
#define FLEETSIM_EVENTS_H

#include <stdio.h>

#include "base/error.h"
#include "base/files.h"
#include "report/digest.h"
#include "report/event.h"

#define EVENTS_FILE            "events.ndjson"
#define EVENTS_FILE_COMPRESSED "events.ndjson.zst"

struct events;

/* Is told of every event from events_attach on, on the thread that emits it. The event and its
 * texts are gone when `take` returns. The sink belongs to the caller and outlives the stream. */
struct events_sink {
  void (*take)(void *ctx, const struct event *event);
  void *ctx;
  struct events_sink *next; /* the stream's own */
};

/* Opens folder/events.ndjson for writing; folder NULL: no file, the sinks are all. */
int events_open(const char *folder, struct events **out, struct error *error);

/* The same with folder/events.ndjson.zst. */
int events_open_compressed(const char *folder, struct events **out, struct error *error);

/* The lines that a run has left in `folder`, from whichever file there is; `path` receives its name, "" if
 * there is none. To be closed; NULL with an error. */
FILE *events_read(const char *folder, char path[FILES_PATH_MAX], struct error *error);

/* Writes what is left; reports a full disk, and a file that was removed, replaced or changed
   meanwhile. Frees. */
int events_close(struct events *events, struct error *error);

/* Hands all lines over; -1: one of them is lost already, or the file is no longer the one that they
   went to. */
int events_check(struct events *events, struct error *error);

void events_attach(struct events *events, struct events_sink *sink);

/* What the devices of lines from here on are called; the names outlive the stream. Until then they
   are numbers. */
void events_name_devices(struct events *events, const struct names *names);

/* Tells everybody: the file first. */
void events_emit(struct events *events, const struct event *event);

/* How many lines were written so far, and the SHA-256 of them. -1: no file, or no memory. */
struct events_seal {
  uint64_t lines;
  char sha256[DIGEST_TEXT];
};
int events_seal(const struct events *events, struct events_seal *out);

/* Hands lines to the operating system; call once a second. */
void events_flush(struct events *events);

#endif
