/* Any text as results.json: reprinted with the exit code that it holds, or refused with a
   sentence. */
#define _GNU_SOURCE
#include "report/results.h"

#include "scratch.h"

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
  int code = results_reprint(scratch, nowhere, size % 2 == 0, &error);
  require(code >= -1 && code <= 255, "an exit code, or a refusal");
  if (code == -1) {
    require(error.code != EXIT_CODE_PASS && error.text[0] != '\0', "a refusal has a sentence");
    require(memchr(error.text, '\0', sizeof error.text) != NULL, "which ends");
  }
  return 0;
}
