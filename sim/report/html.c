/* report.html: one file for people, with all that it shows inside. The program writes no markup of
 * its own: between the two halves of the page (sim/report/page/, made one file when fleetsim is
 * built) it puts one JSON document, and the page's own code draws that. Names in it come from
 * users, so it is ASCII without a '<': nothing in it can end the element that it lies in. */
#include "report/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "fleetsim/ota.h"
#include "report/advice.h"
#include "report/results_json.h"

#define LESS_THAN "\\u003c" /* '<' in a JSON string; elsewhere JSON has none */

bool html_available(void)
{
  return html_head_size > 0;
}

/* --- What names mean, and what to do: as fleetsim explain says it ----------------------------- */

static json_t *failure_words(void)
{
  json_t *words = json_object();
  for (enum device_failure f = DEVICE_FAIL_NONE + 1; f < DEVICE_FAIL_COUNT; f++)
    words = results_json_with(
        words, device_failure_name(f),
        json_pack("{s:s, s:s}", "means", device_failure_sentence(f), "do", advice_of(f)));
  return words;
}

static json_t *metric_words(void)
{
  json_t *words = json_object();
  for (enum metric m = 0; m < METRIC_COUNT; m++)
    words = results_json_with(words, metric_name(m), json_string(metric_line(m)));
  return words;
}

static json_t *status_words(void)
{
  json_t *words = json_object();
  for (int s = DEVICE_OTA_NONE + 1; s < DEVICE_OTA_STATUS_COUNT; s++)
    words = results_json_with(words, device_ota_status_name((enum device_ota_status) s),
                              json_string(device_ota_status_sentence((enum device_ota_status) s)));
  return words;
}

/* --- The document, and the page around it ----------------------------------------------------- */

static json_t *words(void)
{
  return json_pack("{s:o, s:o, s:o}", "failures", failure_words(), "metrics", metric_words(),
                   "statuses", status_words());
}

/* NULL: of a run that goes on. */
static char *document_of(const json_t *tree)
{
  json_t *document = tree != NULL ? json_pack("{s:O, s:o}", "results", tree, "words", words())
                                  : json_pack("{s:b, s:o}", "live", true, "words", words());
  char *text = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
  json_decref(document);
  return text;
}

static size_t copy_part(char *at, const void *part, size_t size)
{
  memcpy(at, part, size);
  return size;
}

static size_t copy_escaped(char *at, const char *document)
{
  size_t size = 0;
  for (; *document != '\0'; document++)
    if (*document == '<')
      size += copy_part(at + size, LESS_THAN, strlen(LESS_THAN));
    else
      at[size++] = *document;
  return size;
}

static size_t escaped_size(const char *document)
{
  size_t size = strlen(document);
  for (; *document != '\0'; document++)
    if (*document == '<') size += strlen(LESS_THAN) - 1;
  return size;
}

/* malloc'd, or NULL. */
static char *page_around(const char *document, size_t *size)
{
  char *page = malloc(html_head_size + escaped_size(document) + html_tail_size + 1);
  if (page == NULL) return NULL;
  *size = copy_part(page, html_head, html_head_size);
  *size += copy_escaped(page + *size, document);
  *size += copy_part(page + *size, html_tail, html_tail_size);
  page[*size] = '\0';
  return page;
}

char *html_empty(size_t *size)
{
  if (!html_available()) return NULL;
  char *document = document_of(NULL);
  char *page = document != NULL ? page_around(document, size) : NULL;
  free(document);
  return page;
}

int html_write(const json_t *tree, const char *folder, struct error *error)
{
  char path[FILES_PATH_MAX];
  size_t size = 0;
  if (!html_available())
    return error_set(error, EXIT_CODE_SETUP,
                     "this fleetsim was built without the page: its charts come by npm, which was "
                     "not there: install npm, remove the build folder and build it anew");
  if (files_join(path, folder, HTML_FILE, error) != 0) return -1;
  char *document = document_of(tree);
  char *page = document != NULL ? page_around(document, &size) : NULL;
  free(document);
  int status = page != NULL
                   ? files_write(path, page, size, 0644, error)
                   : error_set(error, EXIT_CODE_INTERNAL, "not enough memory to write %s", path);
  free(page);
  return status;
}
