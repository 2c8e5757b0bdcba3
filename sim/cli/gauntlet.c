/* fleetsim gauntlet: a broker that lies in every way that is known, and which lies a client believed.
 * Exit code 1 says that a case of high severity was failed, 3 that nothing was proven. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/data.h"
#include "base/terminal.h"
#include "cli/gauntlet_line.h"
#include "cli/summary_file.h"
#include "cli/verbs.h"
#include "gauntlet/reports.h"
#include "gauntlet/session.h"

#define NAME_LENGTH_MAX 120u /* what a case has room for */

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

static int take_case(const struct args_option *option, char *value, void *to, struct error *error)
{
  struct gauntlet_names *names = to;
  if (value[0] == '\0')
    return error_set(error, EXIT_CODE_USAGE,
                     "--%s wants the id of a case, and the text after it is empty; 'fleetsim "
                     "gauntlet --list' names all of them",
                     option->name);
  if (names->count == GAUNTLET_NAMES_MAX)
    return error_set(error, EXIT_CODE_USAGE,
                     "at most %u --%s at a time; a pattern as '*-leaf' stands for many",
                     GAUNTLET_NAMES_MAX, option->name);
  names->at[names->count++] = value;
  return 0;
}

/* It goes into certificates, a command and an address. */
static int take_host_name(const struct args_option *option, char *value, void *to,
                          struct error *error)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  size_t length = strlen(value);
  if (length == 0 || length > NAME_LENGTH_MAX || strspn(value, letters) != length)
    return error_set(error, EXIT_CODE_USAGE,
                     "'%.80s' is no --%s: give a host name as in broker.lab, without port or "
                     "scheme",
                     value, option->name);
  return args_text(option, value, to, error);
}

static int take_severity(const struct args_option *option, char *value, void *to,
                         struct error *error)
{
  for (int severity = CASE_LOW; severity <= CASE_HIGH; severity++) {
    if (strcmp(value, case_severity_word((enum case_severity) severity)) != 0) continue;
    *(enum case_severity *) to = (enum case_severity) severity;
    return 0;
  }
  return error_set(error, EXIT_CODE_USAGE, "'%s' is no --%s: give high, medium or low", value,
                   option->name);
}

static void say_severities(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (int severity = CASE_HIGH; severity >= CASE_LOW; severity--)
    say(ctx, case_severity_word((enum case_severity) severity));
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
    {"case", "ID",
     "this case only, and the control (may be given several times); in a pattern as\n"
     "'leaf-*', * stands for any letters",
     take_case, TO(wanted)},
    {"tls", "VERSION", "in this version only: 1.2, 1.3", take_version, TO(versions),
     .words = say_tls_versions},
    {"layer", "WORD", "cases of this layer only: tls, mqtt, https", take_layer, TO(layers),
     .words = say_layers},
    {"severity", "WORD",
     "cases of this severity and above only: high, medium (and high), low (all)", take_severity,
     TO(severity), .words = say_severities},
    {"cases", "FILE", "cases of your own, beside those that came with the program", args_texts,
     TO(more), .most = ARGS_TEXTS_MAX},
    {"name", "HOST", "what the client calls its broker (default localhost); it must lead here",
     take_host_name, TO(name)},
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
    {"overwrite", NULL, "let go of an earlier gauntlet's results in that folder", args_flag,
     TO(overwrite)},
    {"summary-markdown", "FILE", "write the summary there too, in Markdown as pages of CI show it",
     summary_file_take, TO(summary)},
    {"list", NULL, "say what the cases are that these options leave, and try nothing", args_flag,
     TO(list)},
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

/* Who downloads is told a URL; everybody else speaks MQTT. Our own device does both. */
static bool downloads(const struct gauntlet_line *line)
{
  return line->https || (line->command != NULL && strstr(line->command, "{url}") != NULL);
}

static unsigned layers_of(const struct gauntlet_line *line)
{
  bool all = line->command == NULL && line->listen == NULL;
  if (all || line->layers != 0) return line->layers;
  return 1u << CASE_TLS | 1u << (downloads(line) ? CASE_HTTPS : CASE_MQTT);
}

struct gauntlet_options gauntlet_asked(const struct gauntlet_task *task)
{
  const struct gauntlet_line *line = task->line;
  return (struct gauntlet_options){
      .cases = task->cases,
      .wanted = line->wanted.at,
      .wanted_count = line->wanted.count,
      .versions = line->versions,
      .layers = layers_of(line),
      .severity = line->severity,
      .host = line->self           ? NULL
              : line->name != NULL ? line->name
                                   : "localhost",
      .command = line->command,
      .jobs = (unsigned) line->jobs,
      .linger_ms = (uint32_t) line->linger_s * 1000,
      .patience_ms = (uint32_t) line->patience_s * 1000,
  };
}

/* Of each case the first trial. */
static int list_cases(const struct gauntlet_task *task, struct error *error)
{
  struct report plan = {0};
  const struct gauntlet_options asked = gauntlet_asked(task);
  int result = gauntlet_plan(&asked, &plan, error);
  for (size_t i = 0; result == 0 && i < plan.count; i++) {
    const struct gauntlet_case *c = plan.result[i].c;
    if (i > 0 && c == plan.result[i - 1].c) continue;
    printf("%-5s %-6s %-6s %s\n      %s\n", case_layer_word(c->layer),
           case_severity_word(c->severity), case_demand_word(c->clients), c->id, c->why);
  }
  gauntlet_free(&plan);
  return result;
}

/* --- Telling ---------------------------------------------------------------------------------- */

/* Keeps it for the summary, too. */
static int write_report(struct gauntlet_task *task, json_t *tree, const char *below,
                        struct error *error)
{
  char folder[FILES_PATH_MAX];
  const char *out = task->out.folder;
  if (gauntlet_out_forget(&task->out, error) != 0) return -1;
  if (below[0] != '\0' &&
      (files_join(folder, out, below, error) != 0 || files_make_folder(folder, 0755, error) != 0))
    return -1;
  if (below[0] != '\0') out = folder;
  task->out.written = true; /* in part, if it fails */
  if (report_write(tree, out, error) != 0) return -1;
  if (json_array_append(task->told, tree) != 0)
    return error_set(error, EXIT_CODE_INTERNAL, "no memory for a summary");
  if (!task->line->quiet) fprintf(stderr, "results: %s\n", out);
  return 0;
}

int gauntlet_tell(struct gauntlet_task *task, struct report *report, const char *below,
                  struct error *error)
{
  const struct gauntlet_line *line = task->line;
  report->version = FLEETSIM_VERSION;
  report->standards = task->standards;
  report->protocol = line->self ? "both" : downloads(line) ? "https" : "mqtt";
  json_t *tree = report_json(report);
  if (tree == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a report");
  const struct report_extent extent = {terminal_paints(STDOUT_FILENO), line->verbose};
  report_print(tree, stdout, &extent);
  fflush(stdout);
  int result = write_report(task, tree, below, error);
  json_decref(tree);
  return result == 0 ? (int) report_exit_code(report) : -1;
}

/* --- Running ---------------------------------------------------------------------------------- */

static void show_progress(void *ctx, const struct report *report, size_t done)
{
  struct error error;
  struct gauntlet_task *task = ctx;
  (void) gauntlet_out_forget(&task->out,
                             &error); /* what it says is said when results are written */
  if (task->line->quiet || !isatty(STDERR_FILENO)) return;
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

static int run_gauntlet(struct gauntlet_task *task, struct error *error)
{
  char folder[FILES_PATH_MAX];
  struct report report = {0};
  struct gauntlet_options asked = gauntlet_asked(task);
  if (make_work_folder(folder, error) != 0) return -1;
  asked.folder = folder;
  asked.progress = show_progress;
  asked.ctx = task;
  int result = gauntlet_run(&asked, &report, error);
  if (result == 0) result = gauntlet_tell(task, &report, "", error);
  gauntlet_free(&report);
  (void) files_remove(folder, NULL);
  return result;
}

/* --- The line --------------------------------------------------------------------------------- */

static int check_target(const struct gauntlet_line *line, struct error *error)
{
  if (line->self + (line->command != NULL) + (line->listen != NULL) == 1) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "say who is to be tried: --self, --exec 'COMMAND' or --listen ADDR:PORT; "
                   "'fleetsim gauntlet --help' shows how");
}

/* An option of one kind of target says nothing of the others: whoever gives it means something. */
static int check_options(const struct gauntlet_line *line, struct error *error)
{
  const bool waits = line->listen != NULL;
  const struct {
    const char *name, *why;
    bool given;
  } stray[] = {
      {"https", "a command with {url} in it downloads", !waits && line->https},
      {"ports", "a command is told its port", !waits && line->ports != defaults.ports},
      {"cases-by-port", "a command is told its port", !waits && line->cases_by_port},
      {"allow-listen", "the others are served on loopback", !waits && line->allow_listen != NULL},
      {"keys", "a command is told {ca}, {cert} and {key}", !waits && line->keys != NULL},
      {"export", "a command is told {ca}, {cert} and {key}", !waits && line->export != NULL},
      {"power", "a command is started once for each case", !waits && line->power != NULL},
      {"absent", "a command has --patience", !waits && line->absent_s != defaults.absent_s},
      {"give-up", "a command has --patience", !waits && line->give_up_s != defaults.give_up_s},
  };
  for (size_t i = 0; i < sizeof stray / sizeof *stray; i++)
    if (stray[i].given)
      return error_set(error, EXIT_CODE_USAGE, "--%s is of --listen: %s; leave the option out",
                       stray[i].name, stray[i].why);
  if (waits && line->jobs != defaults.jobs)
    return error_set(
        error, EXIT_CODE_USAGE,
        "--jobs is not of --listen: devices come when they want; leave the option out");
  if (waits && line->linger_s != 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "--linger is not of --listen: a device is watched as long as it comes; leave "
                     "the option out");
  if (line->self && line->name != NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "--name is not of --self: the built-in device is told the name of each case; "
                     "leave the option out");
  return 0;
}

/* What a client does not speak cannot be tried on it. */
static int check_layers(const struct gauntlet_line *line, struct error *error)
{
  const unsigned mqtt = 1u << CASE_MQTT, https = 1u << CASE_HTTPS;
  if (line->self || (line->layers & (downloads(line) ? mqtt : https)) == 0) return 0;
  if (downloads(line))
    return error_set(error, EXIT_CODE_USAGE,
                     "--layer mqtt is of clients that speak MQTT, and this one downloads (%s)",
                     line->https ? "--https" : "{url} in its command");
  return error_set(error, EXIT_CODE_USAGE, "--layer https is of clients that download: %s",
                   line->listen != NULL ? "say --https as well"
                                        : "its command needs {url}, the address of the file");
}

/* A file of cases is somebody's work. */
static int check_summary(const struct gauntlet_line *line, struct error *error)
{
  struct stat summary, cases;
  if (stat(line->summary, &summary) != 0) return 0;
  for (size_t i = 0; i < line->more.count; i++)
    if (stat(line->more.at[i], &cases) == 0 && cases.st_dev == summary.st_dev &&
        cases.st_ino == summary.st_ino)
      return error_set(error, EXIT_CODE_USAGE,
                       "--summary-markdown %.200s would be written over the cases: choose another "
                       "name",
                       line->summary);
  return 0;
}

static int begin_summary(const struct gauntlet_line *line, struct error *error)
{
  if (line->summary == NULL) return 0;
  return check_summary(line, error) == 0 ? summary_file_begin(line->summary, "gauntlet", error)
                                         : -1;
}

static void end_summary(const struct gauntlet_task *task, int code, const struct error *error)
{
  struct error wrong;
  if (task->line->summary == NULL) return;
  if (code < 0)
    summary_file_end(task->line->summary, "gauntlet", NULL, false, error->text);
  else if (report_markdown_write(task->told, task->line->summary, &wrong) != 0)
    fprintf(stderr, "fleetsim gauntlet: %s; the results are whole without it\n", wrong.text);
}

static int try_client(struct gauntlet_task *task, struct error *error)
{
  const struct gauntlet_line *line = task->line;
  if (gauntlet_out_begin(&task->out, line->out, line->overwrite, error) != 0) return -1;
  int code = begin_summary(line, error);
  if (code == 0) {
    code = line->listen != NULL ? gauntlet_listen(task, error) : run_gauntlet(task, error);
    end_summary(task, code, error);
  }
  gauntlet_out_end(&task->out);
  return code;
}

static int gauntlet(const struct args *args, struct error *error)
{
  struct cases *cases = NULL;
  struct standards *standards = NULL;
  struct gauntlet_task task = {.line = args->given, .told = json_array()};
  int result = load_cases(task.line, &cases, error);
  if (result == 0) result = load_standards(&standards, error);
  task.cases = cases;
  task.standards = standards;
  if (result == 0 && task.line->list)
    result = list_cases(&task, error);
  else if (result == 0)
    result = check_target(task.line, error) == 0 && check_options(task.line, error) == 0 &&
                     check_layers(task.line, error) == 0
                 ? try_client(&task, error)
                 : -1;
  json_decref(task.told);
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
    .after =
        "\nexit codes: 1 a case of high severity was failed, 3 nothing was proven, or not all of "
        "high\nseverity; 0 else, also where a case of less severity was failed\n",
    .example =
        "fleetsim gauntlet --self\n"
        "fleetsim gauntlet --exec 'mosquitto_pub -h {host} -p {port} --cafile {ca} -t x -m y'",
    .operands = "it takes options only; a command is one word: --exec 'COMMAND'",
    .size = sizeof(struct gauntlet_line),
    .defaults = &defaults,
    .run = gauntlet,
};
