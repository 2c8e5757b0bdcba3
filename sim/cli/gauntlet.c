/* fleetsim gauntlet: a broker that lies in every way that is known, and which lies a client believed.
 * Exit code 1 says that a case of high severity was failed, 3 that nothing was proven. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/data.h"
#include "base/files.h"
#include "base/terminal.h"
#include "cli/verbs.h"
#include "gauntlet/gauntlet.h"
#include "gauntlet/guest_table.h"
#include "gauntlet/reports.h"
#include "gauntlet/session.h"
#include "gauntlet/standards.h"
#include "net/permit.h"
#include "report/painter.h"

struct gauntlet_line {
  bool self, list, quiet, verbose;
  const char *command, *name, *out, *summary, *listen, *allow_listen, *keys, *export, *power;
  bool cases_by_port, https;
  uint64_t ports, absent_s, give_up_s;
  struct args_texts wanted, more;
  uint64_t jobs, patience_s, linger_s;
  unsigned versions, layers;
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

static int take_layer(const struct args_option *option, char *value, void *to, struct error *error)
{
  for (int layer = CASE_TLS; layer <= CASE_HTTPS; layer++) {
    if (strcmp(value, case_layer_word((enum case_layer) layer)) != 0) continue;
    *(unsigned *) to |= 1u << layer;
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE, "'%s' is no --%s: give tls, mqtt or https", value,
                   option->name);
}

static void say_layers(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (int layer = CASE_TLS; layer <= CASE_HTTPS; layer++)
    say(ctx, case_layer_word((enum case_layer) layer));
}

static void say_tls_versions(void (*say)(void *ctx, const char *word), void *ctx)
{
  say(ctx, "1.2");
  say(ctx, "1.3");
}

#define TO(field) .offset = offsetof(struct gauntlet_line, field)
static const struct args_option options[] = {
    {"self", NULL, "try the built-in device client", args_flag, TO(self)},
    {"exec", "COMMAND",
     "try this client, started by a shell once for each case, with {host} {port} {ca}\n"
     "{cert} {key} {id} {url} {out} {address} in it",
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
    {"https", NULL, "the devices download by HTTPS, instead of MQTT", args_flag, TO(https)},
    {"power", "COMMAND", "switches the device's power, with {on|off} in it, when it stays away",
     args_text, TO(power)},
    {"absent", "SECONDS", "how long a device may stay away before that (default 60)", args_number,
     TO(absent_s), .least = 1, .most = 86400},
    {"give-up", "SECONDS", "how long before the session ends (default 600)", args_number,
     TO(give_up_s), .least = 1, .most = 86400},
    {"case", "ID", "this case only, and the control (may be given several times)", args_texts,
     TO(wanted), .most = ARGS_TEXTS_MAX},
    {"tls", "VERSION", "in this version only: 1.2, 1.3", take_version, TO(versions),
     .words = say_tls_versions},
    {"layer", "WORD", "cases of this layer only: tls, mqtt, https", take_layer, TO(layers),
     .words = say_layers},
    {"cases", "FILE", "cases of your own, beside those that came with the program", args_texts,
     TO(more), .most = ARGS_TEXTS_MAX},
    {"name", "HOST", "what the client calls its broker (default localhost); it must lead here",
     args_text, TO(name)},
    {"jobs", "N", "clients at once (default 8)", args_number, TO(jobs), .least = 1,
     .most = GAUNTLET_JOBS_MAX},
    {"patience", "SECONDS", "how long a client has, in each case (default 10)", args_number,
     TO(patience_s), .least = 1, .most = 600},
    {"linger", "SECONDS",
     "how long it is watched after it has shown what it does, for what it does next\n"
     "(default: one that refuses until it ends or --patience is over, else 1)",
     args_number, TO(linger_s), .least = 1, .most = 600},
    {"out", "DIR",
     "folder for results.json, junit.xml and report.html\n(default out/gauntlet-TIMESTAMP)",
     args_text, TO(out)},
    {"summary-markdown", "FILE", "write the summary there too, in Markdown", args_text,
     TO(summary)},
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
  size_t before = cases->count;
  int result = cases_add(cases, path, why, sizeof why);
  if (result == 0 && cases->count > before) return 0;
  if (result == 0) snprintf(why, sizeof why, "it holds no case");
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

static int load_standards(struct standards **out, struct error *error)
{
  char path[FILES_PATH_MAX], why[512];
  if (data_path("certs/standards.txt", path, error) != 0) return -1;
  *out = standards_load(path, why, sizeof why);
  return *out != NULL ? 0 : error_set(error, EXIT_CODE_USAGE, "%s: %s", path, why);
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

/* Where results go: --out, or out/gauntlet-TIMESTAMP; a folder below it for each of several devices. */
static int make_out(const struct gauntlet_line *line, const char *below, char out[FILES_PATH_MAX],
                    struct error *error)
{
  char stamp[32], name[64] = "";
  size_t n = 0;
  time_t now = time(NULL);
  struct tm utc;
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
  for (const char *c = below; *c != '\0' && n < sizeof name - 1; c++)
    name[n++] = isalnum((unsigned char) *c) || *c == '.' || *c == '-' ? *c : '-';
  int size = line->out != NULL ? snprintf(out, FILES_PATH_MAX, "%s", line->out)
                               : snprintf(out, FILES_PATH_MAX, "out/gauntlet-%s", stamp);
  if (size >= FILES_PATH_MAX - 80)
    return error_set(error, EXIT_CODE_USAGE, "--out %.80s...: the path is too long", out);
  if (name[0] != '\0') snprintf(out + size, FILES_PATH_MAX - (size_t) size, "/%s", name);
  return files_make_folder(out, 0755, error);
}

/* The exit code of the report, which is printed and written; or -1. */
static int tell_report(const struct gauntlet_line *line, struct report *report, const char *below,
                       const struct standards *standards, struct error *error)
{
  char out[FILES_PATH_MAX];
  report->version = FLEETSIM_VERSION;
  report->standards = standards;
  json_t *tree = report_json(report);
  if (tree == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a report");
  const struct report_extent extent = {terminal_paints(STDOUT_FILENO), line->verbose};
  report_print(tree, stdout, &extent);
  fflush(stdout);
  int result = make_out(line, below, out, error);
  if (result == 0) result = report_write(tree, out, error);
  if (result == 0 && line->summary != NULL)
    result = report_markdown_write(tree, line->summary, error);
  json_decref(tree);
  if (result != 0) return -1;
  if (!line->quiet) fprintf(stderr, "results: %s\n", out);
  return (int) report_exit_code(report);
}

/* Who is told a URL downloads; everybody else speaks MQTT. Our own device does both. */
static unsigned layers_of(const struct gauntlet_line *line)
{
  bool downloads = line->https || (line->command != NULL && strstr(line->command, "{url}") != NULL);
  if (line->self || line->layers != 0) return line->layers;
  return 1u << CASE_TLS | 1u << (downloads ? CASE_HTTPS : CASE_MQTT);
}

static int run_gauntlet(const struct gauntlet_line *line, const struct cases *cases,
                        const struct standards *standards, struct error *error)
{
  char folder[FILES_PATH_MAX];
  struct report report = {0};
  if (make_work_folder(folder, error) != 0) return -1;
  const struct gauntlet_options asked = {
      .cases = cases,
      .wanted = line->wanted.at,
      .wanted_count = line->wanted.count,
      .versions = line->versions,
      .layers = layers_of(line),
      .host = line->self           ? NULL
              : line->name != NULL ? line->name
                                   : "localhost",
      .command = line->command,
      .folder = folder,
      .jobs = (unsigned) line->jobs,
      .linger_ms = (uint32_t) line->linger_s * 1000,
      .patience_ms = (uint32_t) line->patience_s * 1000,
      .progress = line->quiet || !isatty(STDERR_FILENO) ? NULL : show_progress,
  };
  int result = gauntlet_run(&asked, &report, error);
  if (result == 0) result = tell_report(line, &report, "", standards, error);
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
  if (terminal_paints(STDERR_FILENO)) painter_clear(stderr);
  fprintf(stderr, "%s\n", text);
}

static void show_guests(void *ctx, const struct guest *guests, size_t count)
{
  char text[16384];
  struct terminal terminal;
  (void) ctx;
  if (!terminal_look(STDERR_FILENO, &terminal) || !terminal.ready) return;
  size_t lines = guest_table(guests, count, terminal.columns, terminal.rows, text, sizeof text);
  painter_show(stderr, text, lines);
}

/* Each device has a report of its own; the exit code is that of the worst. */
static int tell_guests(const struct gauntlet_line *line, struct session_outcome *outcome,
                       const struct standards *standards, struct error *error)
{
  int worst = EXIT_CODE_PASS;
  for (size_t i = 0; i < outcome->count; i++) {
    struct guest *guest = &outcome->guest[i];
    char below[GUEST_NAME + 64] = "";
    if (outcome->count > 1)
      snprintf(below, sizeof below, "%s-%zu", guest->name[0] != '\0' ? guest->name : guest->address,
               i + 1);
    int code = tell_report(line, &guest->report, below, standards, error);
    if (code < 0) return -1;
    if (code == EXIT_CODE_FAIL || worst == EXIT_CODE_PASS) worst = code;
  }
  return outcome->interrupted ? (int) EXIT_CODE_INTERRUPTED : worst;
}

static int listen_gauntlet(const struct gauntlet_line *line, const struct cases *cases,
                           const struct standards *standards, struct error *error)
{
  struct session_outcome *outcome = calloc(1, sizeof *outcome);
  const struct gauntlet_options asked = {
      .cases = cases,
      .wanted = line->wanted.at,
      .wanted_count = line->wanted.count,
      .versions = line->versions,
      .layers = layers_of(line),
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
      .show = line->quiet || !terminal_paints(STDERR_FILENO) ? NULL : show_guests,
  };
  if (outcome == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory");
  int result = take_address(line, &session.address, error);
  if (result == 0) result = session_run(&session, outcome, error);
  if (session.show != NULL) painter_clear(stderr);
  if (result == 0) result = tell_guests(line, outcome, standards, error);
  session_free(outcome);
  free(outcome);
  return result;
}

static int gauntlet(const struct args *args, struct error *error)
{
  const struct gauntlet_line *line = args->given;
  struct cases *cases = NULL;
  struct standards *standards = NULL;
  int result = load_cases(line, &cases, error);
  if (result == 0) result = load_standards(&standards, error);
  if (result == 0 && line->list)
    list_cases(cases);
  else if (result == 0 && line->self + (line->command != NULL) + (line->listen != NULL) != 1)
    result = error_set(error, EXIT_CODE_USAGE,
                       "say who is to be tried: --self, --exec 'COMMAND' or --listen ADDR:PORT; "
                       "'fleetsim gauntlet --help' shows how");
  else if (result == 0 && line->listen != NULL)
    result = listen_gauntlet(line, cases, standards, error);
  else if (result == 0)
    result = run_gauntlet(line, cases, standards, error);
  free(standards);
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
