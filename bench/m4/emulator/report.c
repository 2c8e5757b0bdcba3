#include "report.h"

#include <jansson.h>

static json_t *number(uint64_t value)
{
  return json_integer((json_int_t) value);
}

static json_t *model(const struct m4_report *report)
{
  json_t *out = json_object();
  const struct m4_icache_shape *cache = &report->settings->icache;
  for (size_t i = 0; i < m4_parameter_count; i++)
    json_object_set_new(out, m4_parameters[i].name,
                        number(m4_model_get(&report->settings->model, &m4_parameters[i])));
  json_t *icache = json_null();
  if (cache->bytes > 0)
    icache = json_pack("{s:o, s:o, s:o, s:o, s:o}", "bytes", number(cache->bytes), "line",
                       number(cache->line), "ways", number(cache->ways), "miss_cycles",
                       number(cache->miss_cycles), "misses", number(report->run->icache_misses));
  json_object_set_new(out, "icache", icache);
  return out;
}

static json_t *marks(const struct m4_tally *tally)
{
  json_t *out = json_object();
  for (size_t i = 0; i < tally->mark_count; i++) {
    const struct m4_mark *mark = &tally->marks[i];
    const double mean = mark->count > 0 ? (double) mark->cycles / (double) mark->count : 0;
    json_object_set_new(out, mark->name,
                        json_pack("{s:o, s:o, s:f, s:o, s:o, s:o, s:o}", "count",
                                  number(mark->count), "cycles", number(mark->cycles),
                                  "mean_cycles", mean, "min_cycles", number(mark->min),
                                  "max_cycles", number(mark->max), "sent", number(mark->sent),
                                  "received", number(mark->received)));
  }
  return out;
}

static json_t *states(const struct m4_tally *tally)
{
  json_t *out = json_object();
  for (size_t i = 0; i < tally->state_count; i++) {
    const struct m4_state *state = &tally->states[i];
    json_object_set_new(out, state->name,
                        json_pack("{s:o, s:o}", "entered", number(state->entered), "cycles",
                                  number(state->cycles)));
  }
  return out;
}

static json_t *memory(const struct m4_report *report)
{
  const struct m4_run *run = report->run;
  return json_pack("{s:o, s:o, s:o, s:o}", "rom_bytes", number(report->image->rom_bytes),
                   "ram_static_bytes", number(report->image->ram_bytes), "heap_peak_bytes",
                   run->heap_told ? number(run->heap_peak_bytes) : json_null(), "stack_peak_bytes",
                   number(run->stack_peak_bytes));
}

static json_t *build(const struct m4_report *report)
{
  const struct m4_run *run = report->run;
  json_t *out = json_pack("{s:s, s:s, s:s, s:f, s:o, s:o, s:o, s:f}", "schema", "fleetsim-m4/1",
                          "elf", report->elf, "elf_sha256", report->elf_sha256, "clock_hz",
                          report->settings->clock_hz, "instructions", number(run->instructions),
                          "cycles", number(run->cycles), "unclassified", number(run->unclassified),
                          "idle_ms", run->idle_ms);
  if (out == NULL) return NULL; /* a name that is not UTF-8 */
  json_object_set_new(out, "exit_code", run->exited ? number(run->exit_code) : json_null());
  json_object_set_new(out, "failure",
                      report->failure != NULL ? json_string(report->failure) : json_null());
  json_object_set_new(out, "model", model(report));
  json_object_set_new(out, "marks", marks(&run->tally));
  json_object_set_new(out, "states", states(&run->tally));
  json_object_set_new(out, "memory", memory(report));
  return out;
}

int m4_report_write(const struct m4_report *report, const char *path, struct error *error)
{
  const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(12);
  json_t *out = build(report);
  if (out == NULL)
    return error_set(error, EXIT_CODE_USAGE, "the image's path is not UTF-8: rename it");
  const int result =
      path != NULL ? json_dump_file(out, path, flags) : json_dumpf(out, stdout, flags);
  json_decref(out);
  if (path == NULL && puts("") < 0)
    return error_set(error, EXIT_CODE_SETUP, "cannot write to standard output");
  if (result == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP, "cannot write the report to %s: does its folder exist?",
                   path != NULL ? path : "standard output");
}
