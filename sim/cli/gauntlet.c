/* fleetsim gauntlet: a broker that lies in every way that is known, and which lies a client believed.
 * Exit code 1 says that a case of high severity was failed, 3 that nothing was proven. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/data.h"
#include "base/files.h"
#include "cli/verbs.h"
#include "gauntlet/gauntlet.h"
#include "gauntlet/session.h"
#include "net/permit.h"

struct gauntlet_line {
  bool self, list, quiet, verbose;
  const char *command, *name, *out, *listen, *allow_listen, *keys, *export, *power;
  bool cases_by_port;
  uint64_t ports, absent_s, give_up_s;
  struct args_texts wanted, more;
  uint64_t jobs, patience_s;
  unsigned versions;
};

static const struct gauntlet_line defaults = {
    .jobs = 8, .patience_s = 10, .ports = 1, .absent_s = 60, .give_up_s = 600};

static int take_version(const struct args_option *option, char *value, void *to,
                        struct error *error)
{
  static const char *const words[] = {"1.0", "1.1", "1.2", "1.3"};
  for (unsigned i = 0; i < 4; i++) {
    if (strcmp(value, words[i]) != 0) continue;
    *(unsigned *) to |= 1u << (10 + i);
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE, "'%s' is no --%s: give 1.0, 1.1, 1.2 or 1.3", value,
                   option->name);
}

static void say_versions(void (*say)(void *ctx, const char *word), void *ctx)
{
  say(ctx, "1.2");
  say(ctx, "1.3");
}

#define TO(field) .offset = offsetof(struct gauntlet_line, field)
static const struct args_option options[] = {
    {"self", NULL, "try the built-in device client", args_flag, TO(self)},
    {"exec", "COMMAND",
     "try this client, started by a shell once for each case, with {host} {port} {ca}\n"
     "{cert} {key} {id} {url} {out} in it",
     args_text, TO(command)},
    {"listen", "ADDR:PORT", "wait there for real devices, which come by themselves", args_text,
     TO(listen)},
    {"allow-listen", "ADDR", "permit that address beyond loopback to --listen", args_text,
     TO(allow_listen)},
    {"keys", "DIR", "folder of the roots that devices hold (default gauntlet.keys)", args_text,
     TO(keys)},
    {"export", "DIR", "write there what a device is given once: roots, name, address, port",
     args_text, TO(export)},
    {"ports", "N", "so many ports from PORT on: devices behind one address are told apart",
     args_number, TO(ports), .least = 1, .most = SESSION_PORTS_MAX},
    {"cases-by-port", NULL, "each port shows one case, and always the same", args_flag,
     TO(cases_by_port)},
    {"power", "COMMAND", "switches the device's power, with {on|off} in it, when it stays away",
     args_text, TO(power)},
    {"absent", "SECONDS", "how long a device may stay away before that (default 60)", args_number,
     TO(absent_s), .least = 1, .most = 86400},
    {"give-up", "SECONDS", "how long before the session ends (default 600)", args_number,
     TO(give_up_s), .least = 1, .most = 86400},
    {"case", "ID", "this case only, and the control (may be given several times)", args_texts,
     TO(wanted), .most = ARGS_TEXTS_MAX},
    {"tls", "VERSION", "in this version only: 1.2, 1.3", take_version, TO(versions),
     .words = say_versions},
    {"cases", "FILE", "cases of your own, beside those that came with the program", args_texts,
     TO(more), .most = ARGS_TEXTS_MAX},
    {"name", "HOST", "what the client calls its broker (default localhost); it must lead here",
     args_text, TO(name)},
    {"jobs", "N", "clients at once (default 8)", args_number, TO(jobs), .least = 1,
     .most = GAUNTLET_JOBS_MAX},
    {"patience", "SECONDS", "how long a client has, in each case (default 10)", args_number,
     TO(patience_s), .least = 1, .most = 600},
    {"out", "DIR", "folder for results.json, junit.xml and report.html", args_text, TO(out)},
    {"list", NULL, "say what the cases are, and try nothing", args_flag, TO(list)},
    {"quiet", NULL, "no progress", args_flag, TO(quiet)},
    {"verbose", NULL, "every trial, not only those that need attention", args_flag, TO(verbose)},
    {0},
};
#undef TO

/* --- Cases ------------------------------------------------------------------------------------ */

static int add_cases(struct cases *cases, const char *path, struct error *error)
{
  char why[512];
  if (cases_add(cases, path, why, sizeof why) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%s: %s", path, why);
}

static int load_cases(const struct gauntlet_line *line, struct cases **out, struct error *error)
{
  static const char *const ours[] = {"certs/chains.txt", "certs/manners.txt"};
  char path[FILES_PATH_MAX];
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for cases");
  for (size_t i = 0; i < 2; i++)
    if (data_path(ours[i], path, error) != 0 || add_cases(*out, path, error) != 0) return -1;
  for (size_t i = 0; i < line->more.count; i++)
    if (add_cases(*out, line->more.at[i], error) != 0) return -1;
  return 0;
}

static void list_cases(const struct cases *cases)
{
  for (size_t i = 0; i < cases->count; i++) {
    const struct gauntlet_case *c = cases->item[i];
    printf("%-5s %-6s %-6s %s\n      %s\n", case_layer_word(c->layer),
           case_severity_word(c->severity), case_demand_word(c->clients), c->id, c->why);
  }
}

/* --- Running ---------------------------------------------------------------------------------- */

static void show_progress(void *ctx, const struct report *report, size_t done)
{
  (void) ctx;
  fprintf(stderr, "\r%zu of %zu", done, report->count);
  if (done == report->count) fputs("\r                    \r", stderr);
}

static int make_work_folder(char out[FILES_PATH_MAX], struct error *error)
{
  const char *tmp = getenv("TMPDIR");
  snprintf(out, FILES_PATH_MAX, "%s/fleetsim-gauntlet-XXXXXX", tmp != NULL ? tmp : "/tmp");
  if (mkdtemp(out) != NULL) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "no folder can be made in %s: set TMPDIR to one that can",
                   tmp != NULL ? tmp : "/tmp");
}

static void print_report(const struct report *report, bool verbose)
{
  for (size_t i = 0; i < report->count; i++) {
    const struct trial_result *r = &report->result[i];
    if (!verbose && r->verdict == VERDICT_PASS) continue;
    printf("%d %-6s %s TLS 1.%d: %s [%d]\n", (int) r->verdict, case_severity_word(r->c->severity),
           r->c->id, r->tls - 10, r->why, (int) r->conduct);
  }
}

static int run_gauntlet(const struct gauntlet_line *line, const struct cases *cases,
                        struct error *error)
{
  char folder[FILES_PATH_MAX];
  struct report report = {0};
  if (make_work_folder(folder, error) != 0) return -1;
  const struct gauntlet_options asked = {
      .cases = cases,
      .wanted = line->wanted.at,
      .wanted_count = line->wanted.count,
      .versions = line->versions,
      .host = line->self           ? NULL
              : line->name != NULL ? line->name
                                   : "localhost",
      .command = line->command,
      .folder = folder,
      .jobs = (unsigned) line->jobs,
      .patience_ms = (uint32_t) line->patience_s * 1000,
      .progress = line->quiet || !isatty(STDERR_FILENO) ? NULL : show_progress,
  };
  int result = gauntlet_run(&asked, &report, error);
  if (result == 0) print_report(&report, line->verbose);
  if (result == 0) printf("%zu trials in %.1f s\n", report.count, report.duration_s);
  gauntlet_free(&report);
  (void) files_remove(folder, NULL);
  return result;
}

/* --- Listening -------------------------------------------------------------------------------- */

static int take_address(const struct gauntlet_line *line, struct sockaddr_in *out,
                        struct error *error)
{
  char host[64];
  const char *colon = strrchr(line->listen, ':');
  char *end = NULL;
  unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
  snprintf(host, sizeof host, "%.*s", colon != NULL ? (int) (colon - line->listen) : 0,
           line->listen);
  *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
  if (port == 0 || port + line->ports - 1 > 65535 || end == NULL || *end != '\0' ||
      inet_pton(AF_INET, host, &out->sin_addr) != 1)
    return error_set(
        error, EXIT_CODE_USAGE,
        "'%.80s' is no --listen: give an IPv4 address of this machine and a port, as in "
        "127.0.0.1:8883",
        line->listen);
  if (permit_is_loopback(host)) return 0;
  if (line->allow_listen != NULL && strcmp(line->allow_listen, host) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "a hostile broker at %s could be reached by devices that are not yours to try: "
                   "if it is meant, say so twice, with --allow-listen %s as well",
                   host, host);
}

static void say_line(void *ctx, const char *text)
{
  (void) ctx;
  fprintf(stderr, "%s\n", text);
}

static enum exit_code report_guests(const struct session_outcome *outcome, bool verbose)
{
  enum exit_code worst = EXIT_CODE_PASS;
  for (size_t i = 0; i < outcome->count; i++) {
    printf("%s (%s)\n", outcome->guest[i].report.client, outcome->guest[i].address);
    print_report(&outcome->guest[i].report, verbose);
  }
  return outcome->interrupted ? EXIT_CODE_INTERRUPTED : worst;
}

static int listen_gauntlet(const struct gauntlet_line *line, const struct cases *cases,
                           struct error *error)
{
  struct session_outcome *outcome = calloc(1, sizeof *outcome);
  const struct gauntlet_options asked = {
      .cases = cases,
      .wanted = line->wanted.at,
      .wanted_count = line->wanted.count,
      .versions = line->versions,
      .host = line->name != NULL ? line->name : "localhost",
      .patience_ms = (uint32_t) line->patience_s * 1000,
  };
  struct session_options session = {
      .gauntlet = &asked,
      .ports = (unsigned) line->ports,
      .cases_by_port = line->cases_by_port,
      .keys = line->keys != NULL ? line->keys : "gauntlet.keys",
      .export = line->export,
      .power = line->power,
      .absent_ms = (uint32_t) line->absent_s * 1000,
      .give_up_ms = (uint32_t) line->give_up_s * 1000,
      .say = line->quiet ? NULL : say_line,
  };
  if (outcome == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory");
  int result = take_address(line, &session.address, error);
  if (result == 0) result = session_run(&session, outcome, error);
  if (result == 0) result = (int) report_guests(outcome, line->verbose);
  session_free(outcome);
  free(outcome);
  return result;
}

static int gauntlet(const struct args *args, struct error *error)
{
  const struct gauntlet_line *line = args->given;
  struct cases *cases = NULL;
  int result = load_cases(line, &cases, error);
  if (result == 0 && line->list)
    list_cases(cases);
  else if (result == 0 && line->self + (line->command != NULL) + (line->listen != NULL) != 1)
    result = error_set(error, EXIT_CODE_USAGE,
                       "say who is to be tried: --self, --exec 'COMMAND' or --listen ADDR:PORT; "
                       "'fleetsim gauntlet --help' shows how");
  else if (result == 0 && line->listen != NULL)
    result = listen_gauntlet(line, cases, error);
  else if (result == 0)
    result = run_gauntlet(line, cases, error);
  cases_free(cases);
  return result;
}

const struct args_verb cli_gauntlet = {
    .name = "gauntlet",
    .line = "a broker that lies in every known way, and which lies a client believed",
    .usage =
        "usage: fleetsim gauntlet --self | --exec 'COMMAND' | --listen ADDR:PORT [options]\n\n",
    .options = options,
    .after = "\nexit codes: 1 a case of high severity was failed, 3 nothing was proven\n",
    .example =
        "fleetsim gauntlet --self\n"
        "fleetsim gauntlet --exec 'mosquitto_pub -h {host} -p {port} --cafile {ca} -t x -m y'",
    .operands = "it takes options only; a command is one word: --exec 'COMMAND'",
    .size = sizeof(struct gauntlet_line),
    .defaults = &defaults,
    .run = gauntlet,
};
