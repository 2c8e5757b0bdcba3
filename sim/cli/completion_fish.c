/* Completion for fish: a line for each verb, option and operand, each under the condition that the
 * command line has come to its verb. */
#include <string.h>

#include "cli/completion.h"
#include "cli/walk.h"

#define SPECIAL "\\"
#define QUOTE   "\\'"

/* "pki make" of "fleetsim pki make", "" of "fleetsim" */
static const char *below(const char *path)
{
  const char *blank = strchr(path, ' ');
  return blank == NULL ? "" : blank + 1;
}

static void fish_path(const struct args_verb *verb, const char *path, FILE *out)
{
  if (verb->line != NULL) fprintf(out, " '%s'", below(path));
}

/* Up to where what is offered begins. */
static void print_condition(const char *path, FILE *out)
{
  fprintf(out, "complete -c %.*s -n '__fleetsim_at \"%s\"'", (int) strcspn(path, " "), path,
          below(path));
}

static void print_description(const char *text, FILE *out)
{
  fputs(" -d '", out);
  completion_print_text(text, SPECIAL, QUOTE, out);
  fputs("'\n", out);
}

/* `only` is for what takes nothing but what is offered. */
static void fish_offer(const char *value, args_words *words, const char *only, FILE *out)
{
  switch (completion_kind(value, words)) {
  case COMPLETION_FILES: fputs(" -F", out); break;
  case COMPLETION_FOLDERS: fprintf(out, "%s -a '(__fish_complete_directories)'", only); break;
  case COMPLETION_WORDS:
  case COMPLETION_BEGINS: /* fish itself puts no blank behind a '=' */
    fprintf(out, "%s -a '", only);
    completion_print_words(words, out);
    fputc('\'', out);
    break;
  case COMPLETION_NOTHING: fputs(only, out); break;
  }
}

static void fish_option(const struct args_option *option, const char *path, FILE *out)
{
  print_condition(path, out);
  fprintf(out, " -l %s", option->name);
  if (option->value != NULL && option->is_value == NULL) {
    fputs(" -r", out);
    fish_offer(option->value, option->words, " -f", out);
  }
  print_description(option->help, out);
}

static void fish_verb(const struct args_verb *verb, const char *path, FILE *out)
{
  for (size_t v = 0; verb->verbs != NULL && verb->verbs[v] != NULL; v++) {
    if (verb->verbs[v]->line == NULL) continue;
    print_condition(path, out);
    fprintf(out, " -a %s", verb->verbs[v]->name);
    print_description(verb->verbs[v]->line, out);
  }
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++)
    fish_option(o, path, out);
  print_condition(path, out);
  fputs(" -l help -d 'options and an example'\n", out);
  if (completion_kind(verb->operand, verb->operand_words) == COMPLETION_NOTHING) return;
  print_condition(path, out);
  fish_offer(verb->operand, verb->operand_words, "", out);
  fputc('\n', out);
}

void completion_fish(const struct args_verb *root, FILE *out)
{
  fputs("# fish completion of fleetsim, as 'fleetsim completion fish' prints it\n"
        "function __fleetsim_at\n"
        "  set -l verb\n"
        "  for word in (commandline -opc)[2..]\n"
        "    contains -- (string join ' ' $verb $word)",
        out);
  walk_verbs(root, fish_path, out);
  fprintf(
      out,
      "\n"
      "    or break\n"
      "    set verb $verb $word\n"
      "  end\n"
      "  test \"$verb\" = \"$argv\"\n"
      "end\n"
      "complete -c fleetsim -f\n"
      "complete -c fleetsim -n '__fleetsim_at \"\"' -l version -d 'ours and every library\\'s'\n");
  walk_verbs(root, fish_verb, out);
}
