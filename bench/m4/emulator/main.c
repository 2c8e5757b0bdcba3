/* fleetsim-m4: runs a firmware image on an emulated Cortex-M4 and says how many cycles it would
 * take.
 *
 * Unicorn, which does the emulation, is under the GPL. This is why fleetsim-m4 is an executable of
 * its own: nothing of it is linked into fleetsim, which only reads its JSON.
 *
 * Exit codes: 0 the image ended with 0; 1 it ended with another code, or left no mark that could be
 * reported; 2 usage, or an ELF that cannot be run; 3 the image never came to its end: a fault, a
 * runaway loop, a wait for too long.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/files.h"
#include "pki/nvm_order.h"
#include "report.h"

#define ELF_SIZE_MAX (256u * 1024u * 1024u)
#define NVM_SIZE_MAX (1024u * 1024u * 1024u)

struct arguments {
  const char *elf, *json, *nvm;
  size_t page;
  struct m4_settings settings;
};

static const char usage[] =
    "Runs a Cortex-M4 image and prints its modelled cycles as JSON.\n"
    "\n"
    "  fleetsim-m4 --elf MY.elf [options]      MY.elf is linked with bench/m4/marks.h\n"
    "\n"
    "  --json FILE           write the report there instead of to standard output\n"
    "  --clock HZ            of the core; 64000000\n"
    "  --seed N              of the entropy that the image reads; 1\n"
    "  --unix-s N            time of day at reset; this machine's\n"
    "  --connect HOST:PORT   where M4_OPEN connects to; on this machine only\n"
    "  --nvm FILE            its page --page (12288 bytes, from 0) is at M4_NVM; erased flash if "
    "not given\n"
    "  --page N              0\n"
    "  --cycle-limit N       the image must end within so many cycles; 4000000000\n"
    "  --idle-limit MS       and not wait for longer than this in all; 120000\n"
    "  --icache SHAPE        instruction cache BYTES[:LINE[:WAYS[:MISS_CYCLES]]]; none. 2048 means "
    "2048:16:2:3\n"
    "  --model NAME=CYCLES   sets a parameter of the cost model:\n";

static void print_usage(FILE *to)
{
  fputs(usage, to);
  for (size_t i = 0; i < m4_parameter_count; i++)
    fprintf(to, "        %-22s %2u  %s\n", m4_parameters[i].name,
            m4_model_get(&m4_model_default, &m4_parameters[i]), m4_parameters[i].sentence);
}

static int read_number(const char *option, const char *text, uint64_t low, uint64_t high,
                       uint64_t *out, struct error *error)
{
  char *end;
  const unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high)
    return error_set(error, EXIT_CODE_USAGE,
                     "--%s takes a whole number from %llu to %llu, not '%s'", option,
                     (unsigned long long) low, (unsigned long long) high, text);
  *out = value;
  return 0;
}

static int read_model(struct m4_model *model, const char *text, struct error *error)
{
  char name[64];
  uint64_t cycles = 0;
  const char *equals = strchr(text, '=');
  if (equals == NULL || (size_t) (equals - text) >= sizeof name)
    return error_set(error, EXIT_CODE_USAGE,
                     "--model takes NAME=CYCLES, such as divide=12, not '%s'", text);
  snprintf(name, sizeof name, "%.*s", (int) (equals - text), text);
  if (read_number("model NAME=", equals + 1, 0, 1000, &cycles, error) != 0) return -1;
  if (m4_model_set(model, name, (unsigned) cycles)) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "the cost model has no parameter '%s': --help lists them", name);
}

static int read_icache(struct m4_icache_shape *shape, const char *text, struct error *error)
{
  *shape = (struct m4_icache_shape){.line = 16, .ways = 2, .miss_cycles = 3};
  unsigned *const fields[] = {&shape->bytes, &shape->line, &shape->ways, &shape->miss_cycles};
  const char *at = text;
  for (size_t i = 0; i < sizeof fields / sizeof *fields && *at >= '0' && *at <= '9'; i++) {
    char *end;
    const unsigned long value = strtoul(at, &end, 10);
    *fields[i] = value <= M4_ICACHE_BYTES_MAX ? (unsigned) value : 0; /* 0 is refused as a shape */
    if (*end == '\0')
      return shape->bytes > 0
                 ? 0
                 : error_set(error, EXIT_CODE_USAGE, "--icache of no bytes: leave it out");
    if (*end != ':') break;
    at = end + 1;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "--icache takes BYTES[:LINE[:WAYS[:MISS_CYCLES]]], not '%s'", text);
}

enum option_code {
  OPTION_ELF = 1,
  OPTION_JSON,
  OPTION_CLOCK,
  OPTION_SEED,
  OPTION_UNIX_S,
  OPTION_CONNECT,
  OPTION_NVM,
  OPTION_PAGE,
  OPTION_CYCLE_LIMIT,
  OPTION_IDLE_LIMIT,
  OPTION_ICACHE,
  OPTION_MODEL,
  OPTION_HELP
};

static const struct option options[] = {
    {"elf", required_argument, NULL, OPTION_ELF},
    {"json", required_argument, NULL, OPTION_JSON},
    {"clock", required_argument, NULL, OPTION_CLOCK},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"unix-s", required_argument, NULL, OPTION_UNIX_S},
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"nvm", required_argument, NULL, OPTION_NVM},
    {"page", required_argument, NULL, OPTION_PAGE},
    {"cycle-limit", required_argument, NULL, OPTION_CYCLE_LIMIT},
    {"idle-limit", required_argument, NULL, OPTION_IDLE_LIMIT},
    {"icache", required_argument, NULL, OPTION_ICACHE},
    {"model", required_argument, NULL, OPTION_MODEL},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

/* 0, 1 to print the usage, or -1 with a sentence. */
static int take_option(struct arguments *a, int option, const char *text, struct error *error)
{
  struct m4_settings *s = &a->settings;
  uint64_t value = 0;
  int result = 0;
  switch (option) {
  case OPTION_ELF: a->elf = text; return 0;
  case OPTION_JSON: a->json = text; return 0;
  case OPTION_NVM: a->nvm = text; return 0;
  case OPTION_SEED: return read_number("seed", text, 0, UINT64_MAX, &s->seed, error);
  case OPTION_UNIX_S: return read_number("unix-s", text, 0, UINT32_MAX, &s->unix_s, error);
  case OPTION_CYCLE_LIMIT:
    return read_number("cycle-limit", text, 1, UINT64_MAX / 2, &s->cycle_limit, error);
  case OPTION_CONNECT: return m4_link_parse(&s->peer, text, error);
  case OPTION_ICACHE: return read_icache(&s->icache, text, error);
  case OPTION_MODEL: return read_model(&s->model, text, error);
  case OPTION_CLOCK:
    result = read_number("clock", text, 1000, 1000000000, &value, error);
    s->clock_hz = (double) value;
    return result;
  case OPTION_IDLE_LIMIT:
    result = read_number("idle-limit", text, 0, 86400000, &value, error);
    s->idle_limit_ms = (double) value;
    return result;
  case OPTION_PAGE:
    result = read_number("page", text, 0, NVM_SIZE_MAX / M4_NVM_SIZE - 1, &value, error);
    a->page = (size_t) value;
    return result;
  case OPTION_HELP: return 1;
  default:
    return error_set(error, EXIT_CODE_USAGE,
                     "that is not an option or its value is missing: see --help");
  }
}

static int read_arguments(struct arguments *a, int argc, char **argv, struct error *error)
{
  int option;
  opterr = 0;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    const int result = take_option(a, option, optarg, error);
    if (result == 1) return 1;
    if (result != 0 && option == '?') return error_wrap(error, "%s", argv[optind - 1]);
    if (result != 0) return -1;
  }
  if (optind < argc)
    return error_set(error, EXIT_CODE_USAGE, "'%s' belongs to no option: see --help", argv[optind]);
  if (a->elf == NULL)
    return error_set(error, EXIT_CODE_USAGE, "say which image to run: --elf MY.elf");
  return 0;
}

/* Page `page` of the file that holds the pages of all devices. */
static int read_nvm(struct arguments *a, struct error *error)
{
  memset(a->settings.nvm, 0xff, sizeof a->settings.nvm);
  if (a->nvm == NULL) return 0;
  FILE *file = fopen(a->nvm, "rb");
  if (file == NULL)
    return error_set(error, EXIT_CODE_USAGE, "cannot open %s, the file of --nvm", a->nvm);
  uint8_t page[M4_NVM_SIZE];
  const bool there = fseek(file, (long) (a->page * M4_NVM_SIZE), SEEK_SET) == 0 &&
                     fread(page, sizeof page, 1, file) == 1;
  fclose(file);
  if (there) nvm_order_device(page, a->settings.nvm);
  if (there) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s has no page %zu: its pages of %u bytes count from 0",
                   a->nvm, a->page, M4_NVM_SIZE);
}

static int load(const char *path, struct m4_image *image, char sha256[65], struct error *error)
{
  uint8_t *file = NULL, digest[32];
  size_t size = 0;
  if (files_read(path, ELF_SIZE_MAX, &file, &size, error) != 0) {
    error->code = EXIT_CODE_USAGE;
    return -1;
  }
  mbedtls_sha256(file, size, digest, 0);
  for (size_t i = 0; i < sizeof digest; i++) snprintf(sha256 + 2 * i, 3, "%02x", digest[i]);
  const int result = m4_image_load(image, file, size, path, error);
  free(file);
  return result;
}

static int say(const struct error *error)
{
  fprintf(stderr, "fleetsim-m4: %s\n", error->text);
  return (int) error->code;
}

/* What is wrong with an image that came to its end. */
static int judge(struct m4_run *run, struct error *error)
{
  if (m4_tally_finish(&run->tally, run->cycles, error) != 0) return -1;
  if (run->exited && run->exit_code != 0)
    return error_set(error, EXIT_CODE_FAIL, "the image ended with exit code %u", run->exit_code);
  if (run->exited && !m4_tally_any(&run->tally))
    return error_set(error, EXIT_CODE_FAIL,
                     "the image never wrote a mark: link bench/m4/marks.h and call m4_mark_begin; "
                     "the report has totals only");
  return 0;
}

static int run_and_report(const struct arguments *a, const struct m4_image *image,
                          const char *sha256)
{
  struct m4_run run;
  struct error failure, verdict, writing;
  const int ran = m4_machine_run(image, &a->settings, &run, &failure);
  const int judged = judge(&run, &verdict);
  const struct m4_report report = {a->elf,       sha256, image,
                                   &a->settings, &run,   ran != 0 ? failure.text : NULL};
  if (m4_report_write(&report, a->json, &writing) != 0) return say(&writing);
  if (ran != 0) return say(&failure);
  return judged != 0 ? say(&verdict) : 0;
}

int main(int argc, char **argv)
{
  struct arguments a = {.settings = {.model = m4_model_default,
                                     .clock_hz = 64e6,
                                     .seed = 1,
                                     .unix_s = (uint64_t) time(NULL),
                                     .cycle_limit = 4000000000u,
                                     .idle_limit_ms = 120000}};
  struct error error;
  struct m4_image image;
  char sha256[65];
  const int read = read_arguments(&a, argc, argv, &error);
  if (read == 1) {
    print_usage(stdout);
    return 0;
  }
  if (read != 0 || read_nvm(&a, &error) != 0 || load(a.elf, &image, sha256, &error) != 0)
    return say(&error);
  const int code = run_and_report(&a, &image, sha256);
  m4_image_free(&image);
  return code;
}
