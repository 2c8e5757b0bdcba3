#define _GNU_SOURCE
#include "lab/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "fleetsim/failure.h"

static json_t *cpu_model(void)
{
  char line[256];
  json_t *model = NULL;
  FILE *info = fopen("/proc/cpuinfo", "re");
  while (model == NULL && info != NULL && fgets(line, sizeof line, info) != NULL) {
    char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
    value[strcspn(value, "\n")] = '\0';
    model = json_string(value + 1 + strspn(value + 1, " "));
  }
  if (info != NULL) fclose(info);
  return model != NULL ? model : json_string("unknown");
}

static json_t *machine(void)
{
  struct utsname system = {.sysname = "unknown"};
  uname(&system);
  char kernel[2 * sizeof system.sysname + 1];
  snprintf(kernel, sizeof kernel, "%s %s", system.sysname, system.release);
  json_int_t memory_mib =
      (json_int_t) sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / (1024 * 1024);
  return json_pack("{s:o, s:I, s:I, s:s}", "cpu", cpu_model(), "cores",
                   (json_int_t) sysconf(_SC_NPROCESSORS_ONLN), "memory_mib", memory_mib, "kernel",
                   kernel);
}

/* As it is typed, whatever built program it ended in. */
static json_t *command(const struct options *options, int argc, char **argv)
{
  char text[1024];
  size_t used = (size_t) snprintf(text, sizeof text, "./fleetsim bench %s", options->bench);
  for (int i = 1; i < argc && used < sizeof text; i++)
    used += (size_t) snprintf(text + used, sizeof text - used, " %s", argv[i]);
  return json_string(text);
}

static json_t *now(void)
{
  char text[32];
  time_t seconds = time(NULL);
  struct tm utc;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
  return json_string(text);
}

json_t *report_begin(const struct options *options, int argc, char **argv)
{
  return json_pack("{s:s, s:o, s:o, s:I, s:I, s:o, s:{s:s}, s:{}}", "bench", options->bench,
                   "started", now(), "command", command(options, argc, argv), "rounds",
                   (json_int_t) options->rounds, "devices", (json_int_t) options->devices,
                   "machine", machine(), "versions", "fleetsim", FLEETSIM_VERSION, "failures");
}

void report_version(json_t *report, const char *name, const char *version)
{
  if (strncmp(name, "fleetsim", 8) == 0) name = "mbedtls";
  json_object_set_new(json_object_get(report, "versions"), name, json_string(version));
}

void report_failures(json_t *report, const char *kind, size_t count)
{
  json_t *failures = json_object_get(report, "failures");
  json_int_t before = json_integer_value(json_object_get(failures, kind));
  json_object_set_new(failures, kind, json_integer(before + (json_int_t) count));
}

/* The object at `key` of the report; made where it is not there. */
static json_t *object_at(json_t *report, const char *key)
{
  json_t *object = json_object_get(report, key);
  if (object != NULL) return object;
  json_object_set_new(report, key, json_object());
  return json_object_get(report, key);
}

void report_connections(json_t *report, const char *kind, size_t devices,
                        const struct subject_answer *answer)
{
  json_t *names = object_at(object_at(report, "failure_names"), kind),
         *waits = object_at(report, "longest_wait_ms");
  report_failures(report, kind, devices - answer->online);
  for (size_t i = 0; i < answer->failure_names; i++) {
    const struct subject_failure *failure = &answer->failure[i];
    json_int_t before = json_integer_value(json_object_get(names, failure->name));
    json_object_set_new(names, failure->name, json_integer(before + (json_int_t) failure->count));
  }
  if (answer->longest_wait_ms >= json_number_value(json_object_get(waits, kind)))
    json_object_set_new(waits, kind, json_real(answer->longest_wait_ms));
}

static int write_file(const json_t *report, const char *path, struct error *error)
{
  char *text = json_dumps(report, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  if (text == NULL) return error_set(error, EXIT_CODE_INTERNAL, "cannot put the results into JSON");
  size_t size = strlen(text);
  text[size++] = '\n'; /* in place of the zero */
  int status = files_write(path, text, size, 0644, error);
  free(text);
  return status;
}

/* a client that kept its sockets waiting so long has itself to blame first */
#define OWN_FAULT_MS 1000.0

static const char *sentence_of(const char *name)
{
  for (int i = 0; i < DEVICE_FAIL_COUNT; i++)
    if (strcmp(device_failure_name((enum device_failure) i), name) == 0)
      return device_failure_sentence((enum device_failure) i);
  return "";
}

/* Their names, and whose they are: a failure is the broker's unless the client itself was kept from
   running. */
static void tell_names(const json_t *report, const char *kind)
{
  const char *name;
  json_t *count;
  double wait_ms =
      json_number_value(json_object_get(json_object_get(report, "longest_wait_ms"), kind));
  json_object_foreach(json_object_get(json_object_get(report, "failure_names"), kind), name, count)
      fprintf(stderr, "  %8lld %s: %s\n", (long long) json_integer_value(count), name,
              sentence_of(name));
  if (json_object_get(json_object_get(report, "longest_wait_ms"), kind) != NULL)
    fprintf(stderr, "  the client itself kept its connections waiting for %.0f ms at most: %s\n",
            wait_ms,
            wait_ms >= OWN_FAULT_MS ? "this machine gave it no time to run"
                                    : "the time was lost at the broker");
}

/* How many connections failed; each kind with failures is named. */
static json_int_t tell_failures(json_t *report, const struct options *options)
{
  const char *kind;
  json_t *count;
  json_int_t total = 0;
  json_object_foreach(json_object_get(report, "failures"), kind, count)
  {
    total += json_integer_value(count);
    if (json_integer_value(count) == 0) continue;
    fprintf(stderr,
            "bench %s: %lld connections of %s did not come or stay online: its figures do not "
            "count; lower --rate or leave the machine to the bench\n",
            options->bench, (long long) json_integer_value(count), kind);
    tell_names(report, kind);
  }
  return total;
}

int report_end(json_t *report, const struct options *options, int status, const struct error *error)
{
  struct error own;
  if (status == 0 && options->json != NULL && write_file(report, options->json, &own) != 0) {
    status = -1;
    error = &own;
  }
  if (status != 0) fprintf(stderr, "bench %s: %s\n", options->bench, error->text);
  int code = status != 0                          ? (int) error->code
             : tell_failures(report, options) > 0 ? EXIT_CODE_FAIL
                                                  : EXIT_CODE_PASS;
  json_decref(report);
  return code;
}
