/* What telemetry is made of: a text of the file, or of a file beside it, with places; and over the
 * whole plan what nobody can know where messages have no number to be told apart by. */
#define _POSIX_C_SOURCE 200809L
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/metrics.h"
#include "scenario/check.h"

#define FILE_SIGN '@' /* payload: '@uplink.json' */

/* --- One payload ------------------------------------------------------------------------------ */

/* How far the line is indented. */
static size_t indent_of(const struct doc *doc, size_t line)
{
  size_t at = 0, indent = 0;
  for (; line > 0 && at < doc->size; at++) line -= doc->text[at] == '\n';
  while (at + indent < doc->size && doc->text[at + indent] == ' ') indent++;
  return indent;
}

/* Of a block ('|') the text begins a line further down, and each of its lines behind the indentation
   of the first. */
static void mark_in_block(const struct doc *doc, const char *text, size_t at, yaml_mark_t *mark)
{
  size_t indent = indent_of(doc, ++mark->line), begins = 0;
  for (size_t i = 0; i < at; i++) {
    if (text[i] != '\n') continue;
    begins = i + 1;
    mark->line++;
  }
  mark->column = indent + at - begins;
}

static int fail_in_text(const struct take *t, const char *at, const char *text,
                        const struct payload_text_fault *fault)
{
  char path[DOC_PATH_MAX];
  snprintf(path, sizeof path, "%s.payload", at);
  const yaml_node_t *node = doc_find(t->doc, path, NULL, NULL);
  if (node == NULL || node->type != YAML_SCALAR_NODE ||
      node->data.scalar.style != YAML_LITERAL_SCALAR_STYLE)
    return doc_fail(t->doc, path, fault->at, t->error, fault->why);
  yaml_mark_t mark = node->start_mark;
  mark_in_block(t->doc, text, fault->at, &mark);
  return doc_fail_at(t->doc, &mark, path, t->error, fault->why);
}

/* "FILE:LINE:COLUMN: sentence" of the payload's own file. */
static int fail_in_file(const struct take *t, const char *file, const char *text,
                        const struct payload_text_fault *fault)
{
  size_t line = 1, column = 1;
  for (size_t i = 0; i < fault->at; i++) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n';
  }
  return error_set(t->error, EXIT_CODE_USAGE, "%.400s:%zu:%zu: %s", file, line, column, fault->why);
}

/* Beside the scenario, unless its path is absolute. */
static int name_file(const struct take *t, const char *at, const char *name,
                     char out[FILES_PATH_MAX])
{
  const char *slash = strrchr(t->doc->file, '/');
  int folder = name[0] == '/' || slash == NULL ? 0 : (int) (slash - t->doc->file) + 1;
  if (snprintf(out, FILES_PATH_MAX, "%.*s%s", folder, t->doc->file, name) < FILES_PATH_MAX)
    return 0;
  return take_fail(t, at, "payload", "the path '%.80s...' is too long", name);
}

/* The newline at its end is the editor's, not the device's. */
static int read_file(const struct take *t, const char *at, const char *file, char *out)
{
  uint8_t *data;
  size_t size;
  struct error error;
  if (files_read(file, PAYLOAD_MAX + 1, &data, &size, &error) != 0)
    return take_fail(t, at, "payload", "%s", error.text);
  if (size > 0 && data[size - 1] == '\n') size--;
  bool text = size <= PAYLOAD_MAX && memchr(data, '\0', size) == NULL;
  if (text) {
    memcpy(out, data, size);
    out[size] = '\0';
  }
  free(data);
  if (text) return 0;
  return take_fail(t, at, "payload", "%.200s is no text of at most %u bytes", file, PAYLOAD_MAX);
}

static int take_payload(const struct take *t, const char *at, const char *text, char *file,
                        struct payload_text *out)
{
  if (text[0] == FILE_SIGN)
    return name_file(t, at, text + 1, file) != 0 ? -1 : read_file(t, at, file, out->text);
  if (strlen(text) > PAYLOAD_MAX)
    return take_fail(t, at, "payload", "a payload has at most %u bytes, this one %zu", PAYLOAD_MAX,
                     strlen(text));
  strcpy(out->text, text);
  return 0;
}

static int take_places(const struct take *t, const char *at, const struct raw_telemetry *raw,
                       struct payload_text *out)
{
  const char *key = raw->seq_at != NULL ? "seq-at" : "time-at";
  if (take_text(t, at, "seq-at", raw->seq_at, out->seq_at, sizeof out->seq_at) != 0 ||
      take_text(t, at, "time-at", raw->time_at, out->time_at, sizeof out->time_at) != 0)
    return -1;
  if (out->text[0] == '\0' && (raw->seq_at != NULL || raw->time_at != NULL))
    return take_fail(t, at, key,
                     "the binary message has its own number and time: '%s' is for one with "
                     "'payload'",
                     key);
  return 0;
}

int check_payload(const struct take *t, const char *at, const struct raw_telemetry *raw,
                  struct payload_text *out)
{
  char file[FILES_PATH_MAX] = "";
  struct payload_text_fault fault;
  if (raw->payload != NULL && raw->bytes != NULL)
    return take_fail(t, at, "bytes",
                     "'bytes' is of the binary message; one with 'payload' has the size that it "
                     "has: leave 'bytes' out");
  if (raw->payload != NULL || raw->bytes != NULL) *out = (struct payload_text){.text = ""};
  if (raw->payload != NULL && take_payload(t, at, raw->payload, file, out) != 0) return -1;
  if (take_places(t, at, raw, out) != 0) return -1;
  if (raw->payload == NULL && out->text[0] == '\0') return 0;
  if (payload_text_check(out, &fault) == 0) return 0;
  if (strcmp(fault.of, "payload") != 0) return take_fail(t, at, fault.of, "%s", fault.why);
  return file[0] != '\0' ? fail_in_file(t, file, out->text, &fault)
                         : fail_in_text(t, at, out->text, &fault);
}

/* --- All of them ------------------------------------------------------------------------------ */

static bool is_same(const struct payload_text *a, const struct payload_text *b)
{
  return strcmp(a->text, b->text) == 0 && strcmp(a->seq_at, b->seq_at) == 0 &&
         strcmp(a->time_at, b->time_at) == 0;
}

/* PAYLOAD_TEXTS_MAX + 1: there are more. */
static size_t add_text(const struct scenario_telemetry *of, size_t count,
                       const struct payload_text *out[PAYLOAD_TEXTS_MAX])
{
  if (!of->on || of->payload.text[0] == '\0') return count;
  for (size_t i = 0; i < count && i < PAYLOAD_TEXTS_MAX; i++)
    if (is_same(out[i], &of->payload)) return count;
  if (count < PAYLOAD_TEXTS_MAX) out[count] = &of->payload;
  return count <= PAYLOAD_TEXTS_MAX ? count + 1 : count;
}

size_t scenario_payloads(const struct scenario *scenario,
                         const struct payload_text *out[PAYLOAD_TEXTS_MAX])
{
  size_t count = add_text(&scenario->telemetry, 0, out);
  for (size_t p = 0; p < scenario->phase_count; p++)
    for (size_t i = 0; i < scenario->phases[p].step_count; i++)
      count = add_text(&scenario->phases[p].steps[i].telemetry, count, out);
  return count;
}

static bool all_have(const struct scenario *scenario, bool time)
{
  const struct payload_text *text[PAYLOAD_TEXTS_MAX];
  size_t count = scenario_payloads(scenario, text);
  for (size_t i = 0; i < count && i < PAYLOAD_TEXTS_MAX; i++)
    if ((time ? text[i]->time_at : text[i]->seq_at)[0] == '\0') return false;
  return true;
}

bool scenario_is_numbered(const struct scenario *scenario)
{
  return all_have(scenario, false);
}

bool scenario_is_timed(const struct scenario *scenario)
{
  return all_have(scenario, true);
}

/* --- What they cannot tell -------------------------------------------------------------------- */

static int refuse_unknown(const struct take *t, const char *at, const struct expr *expr,
                          const struct scenario *scenario)
{
  char sentence[300];
  bool latency = strncmp(expr->name, "telemetry.latency_ms", 20) == 0;
  if (!scenario_is_numbered(scenario) && (latency || metrics_need_numbers(expr->name)))
    snprintf(sentence, sizeof sentence,
             "'%s' is not known in this run: a payload without 'seq-at' does not tell which "
             "messages arrived. Give it 'seq-at', or write of telemetry.acked, telemetry.unacked "
             "or telemetry.unnumbered",
             expr->name);
  else if (latency && !scenario_is_timed(scenario))
    snprintf(sentence, sizeof sentence,
             "'%s' is not known in this run: a payload without 'time-at' does not tell when it "
             "was sent",
             expr->name);
  else
    return 0;
  return doc_fail(t->doc, at, 0, t->error, sentence);
}

static int refuse_all_unknown(const struct take *t, const char *at, const struct expr *exprs,
                              size_t count, const struct scenario *scenario)
{
  char path[DOC_PATH_MAX];
  for (size_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%.200s[%zu]", at, i);
    if (refuse_unknown(t, path, &exprs[i], scenario) != 0) return -1;
  }
  return 0;
}

int check_payloads(const struct take *t, const struct scenario *scenario)
{
  const struct payload_text *text[PAYLOAD_TEXTS_MAX];
  char at[DOC_PATH_MAX];
  if (scenario_payloads(scenario, text) > PAYLOAD_TEXTS_MAX)
    return take_fail(t, "phases", "", "a run has at most %u different payloads of telemetry",
                     PAYLOAD_TEXTS_MAX);
  for (size_t p = 0; p < scenario->phase_count; p++) {
    const struct scenario_phase *phase = &scenario->phases[p];
    snprintf(at, sizeof at, "phases[%zu].until", p);
    if (phase->has_until && refuse_unknown(t, at, &phase->until, scenario) != 0) return -1;
    snprintf(at, sizeof at, "phases[%zu].expect", p);
    if (refuse_all_unknown(t, at, phase->expect, phase->expect_count, scenario) != 0) return -1;
  }
  if (scenario->has_brake && refuse_unknown(t, "brake.when", &scenario->brake_when, scenario) != 0)
    return -1;
  return refuse_all_unknown(t, "expect", scenario->expect, scenario->expect_count, scenario);
}
