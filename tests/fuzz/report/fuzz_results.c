/* Any text as results.json, with an end record that vouches for it: reprinted with the exit code that
   it holds, or refused with a sentence. */
#define _GNU_SOURCE
#include "report/results.h"

#include <jansson.h>

#include "report/digest.h"
#include "scratch.h"

/* What the run that wrote it would have put behind its events, of which there are none. */
static void vouch(const uint8_t *data, size_t size)
{
  char results[DIGEST_TEXT], events[DIGEST_TEXT];
  json_t *tree = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, NULL);
  require(digest_of(data, size, results) == 0 && digest_of("", 0, events) == 0, "there are hashes");
  json_t *end =
      json_pack("{s:s, s:O*, s:O*, s:O*, s:i, s:s, s:I, s:I, s:s}", "event", "end", "run_id",
                json_object_get(tree, "run_id"), "verdict", json_object_get(tree, "verdict"),
                "exit_code", json_object_get(tree, "exit_code"), "events", 0, "events_sha256",
                events, "phases", (json_int_t) json_array_size(json_object_get(tree, "phases")),
                "expectations", (json_int_t) json_array_size(json_object_get(tree, "expectations")),
                "results_sha256", results);
  char *line = end == NULL ? NULL : json_dumps(end, JSON_COMPACT);
  require(line != NULL, "there is an end record");
  size_t length = strlen(line);
  line[length] = '\n'; /* in place of the zero */
  (void) scratch_write("events.ndjson", (const uint8_t *) line, length + 1);
  free(line);
  json_decref(end);
  json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static FILE *nowhere;
  if (nowhere == NULL) {
    scratch_begin();
    nowhere = fopen("/dev/null", "w");
    require(nowhere != NULL, "there is a place to print to");
  }
  struct error error = {.code = EXIT_CODE_PASS};
  (void) scratch_write("results.json", data, size);
  vouch(data, size);
  int code = results_reprint(scratch, nowhere, size % 2 == 0, &error);
  require(code >= -1 && code <= 255, "an exit code, or a refusal");
  if (code == -1) {
    require(error.code != EXIT_CODE_PASS && error.text[0] != '\0', "a refusal has a sentence");
    require(memchr(error.text, '\0', sizeof error.text) != NULL, "which ends");
  }
  return 0;
}
