/* fleetsim man: the manual page, made of the tables that --help and the reading of lines are of, and
 * of the exit codes. What stands in no table is here. */
#include <assert.h>
#include <string.h>

#include "cli/roff.h"
#include "cli/verbs.h"
#include "cli/walk.h"

static const struct {
  const char *name, *text;
} variables[] =
    {
        {"PATH", "where mosquitto, and nginx for updates over HTTPS, are looked for."},
        {"TMPDIR", "where \"calibrate --check\" makes a folder for a while (default: /tmp)."},
        {"FLEETSIM_TIMING_PROFILES",
         "a folder of timing profiles in place of those that came with the program."},
        {"FLEETSIM_M4",
         "the emulator that \"calibrate\" runs, in place of the one beside the program."},
},
  files[] = {
      {"out/NAME-TIMESTAMP/", "what a run leaves unless --out names another folder: results.json, "
                              "junit.xml, events.ndjson, report.html and the logs of its brokers."},
      {"out/NAME-TIMESTAMP.keys/", "private keys and passwords of that run, for its owner alone."},
      {"../share/fleetsim/scenarios/",
       "from the folder of the program: scenarios to begin with, and "
       "README.md there, the grammar of scenarios on one page."},
      {"../share/fleetsim/profiles/", "timing profiles of a device's processor."},
};

static const char description[] =
    "fleetsim rehearses what happens to a fleet of IoT devices before it happens: certificates "
    "that "
    "are rotated and revoked, firmware updates, brokers that fail, networks that lose and delay. "
    "Thousands of devices, each with TLS, MQTT and flash of its own, act a scenario against a real "
    "broker; the end is a verdict, with every refusal by name and device.";
static const char scenarios[] =
    "A scenario is a file of YAML. Unless it says otherwise a run starts mosquitto by itself on "
    "this "
    "machine; nothing is sent to another machine that is not named in the scenario and on the "
    "command line both.";

static void describe_option(const struct args_option *option, FILE *out)
{
  fputs(".TP\n.B \\-\\-", out);
  roff_text(option->name, out);
  if (option->value != NULL) {
    fputs(" \\fI", out);
    roff_text(option->value, out);
    fputs("\\fR", out);
  }
  fputc('\n', out);
  roff_text(option->help, out);
  fputc('\n', out);
}

/* Lines as "usage: fleetsim run ..." up to the first empty one, without that word and what stands
 * below it; then what else the text says. */
static void print_usage(const char *usage, FILE *out)
{
  static const char label[] = "usage: ";
  const char *line = usage;
  for (; *line != '\n' && *line != '\0'; line += *line == '\n') {
    assert(strncmp(line, line == usage ? label : "       ", sizeof label - 1) == 0);
    line += sizeof label - 1;
    size_t size = strcspn(line, "\n");
    roff_lines(line, size, out);
    line += size;
  }
  roff_paragraphs(line, out);
}

static void describe_verb(const struct args_verb *verb, const char *path, FILE *out)
{
  if (verb->run == NULL) return;
  fputs(".SS ", out);
  roff_text(path, out);
  fputc('\n', out);
  roff_text(verb->line, out);
  fputs("\n.PP\n", out);
  print_usage(verb->usage, out);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++)
    describe_option(o, out);
  if (verb->after != NULL) roff_paragraphs(verb->after, out);
}

static void print_example(const struct args_verb *verb, const char *path, FILE *out)
{
  (void) path;
  if (verb->run == NULL) return;
  fputs(".PP\n", out);
  roff_lines(verb->example, strlen(verb->example), out);
}

static void print_term(const char *name, const char *text, FILE *out)
{
  fputs(".TP\n.B ", out);
  roff_text(name, out);
  fputc('\n', out);
  roff_text(text, out);
  fputc('\n', out);
}

static void print_lists(FILE *out)
{
  fputs(".SH EXIT STATUS\n", out);
#define X(symbol, number, sentence) print_term(#number, sentence ".", out);
  EXIT_CODES(X)
#undef X
  fputs(".SH ENVIRONMENT\n", out);
  for (size_t v = 0; v < sizeof variables / sizeof *variables; v++)
    print_term(variables[v].name, variables[v].text, out);
  fputs(".SH FILES\n", out);
  for (size_t f = 0; f < sizeof files / sizeof *files; f++)
    print_term(files[f].name, files[f].text, out);
}

static int print_page(const struct args *args, struct error *error)
{
  (void) args, (void) error;
  FILE *out = stdout;
  fputs(".TH FLEETSIM 1 " FLEETSIM_RELEASED " \"fleetsim " FLEETSIM_VERSION "\" \"User Commands\"\n"
        ".SH NAME\nfleetsim \\- rehearse what happens to an IoT fleet before it happens\n"
        ".SH SYNOPSIS\n.B fleetsim\n.I VERB\n[options]\n.br\n.B fleetsim\n.I VERB\n.B \\-\\-help\n"
        ".br\n.B fleetsim \\-\\-version\n.SH DESCRIPTION\n",
        out);
  roff_text(description, out);
  fputc('\n', out);
  roff_paragraphs(scenarios, out);
  fputs(".SH VERBS\n", out);
  walk_verbs(&cli_fleetsim, describe_verb, out);
  print_lists(out);
  fputs(".SH EXAMPLES\n", out);
  roff_text("The folder scenarios is a copy of the one that came with the program, for a run makes "
            "its folder out in the working one.",
            out);
  fputc('\n', out);
  walk_verbs(&cli_fleetsim, print_example, out);
  fputs(".SH SEE ALSO\n.BR mosquitto (8),\n.BR mosquitto.conf (5),\n.BR nginx (8)\n.PP\n", out);
  roff_text("'fleetsim explain' lists every step, quantity, metric, failure and hook with what it "
            "means and what to do.",
            out);
  fputc('\n', out);
  return EXIT_CODE_PASS;
}

const struct args_verb cli_manual = {
    .name = "man",
    .line = "the manual page, for man and troff",
    .usage =
        "usage: fleetsim man\n\n"
        "Prints the manual page: all verbs with their options, files and variables. Where it is "
        "installed\n"
        "'man fleetsim' shows it.\n",
    .example = "fleetsim man | man -l -",
    .operands = "say 'fleetsim man'",
    .run = print_page,
};
