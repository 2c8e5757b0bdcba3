/* Completion for zsh: a function a verb, which has its options and operands for _arguments; that of
 * a group hands on to that of the verb that was named. */
#include "cli/completion.h"
#include "cli/walk.h"

#define QUOTE "'\\''"

/* "_fleetsim_pki_make" of "fleetsim pki make" */
static void print_function(const char *path, FILE *out)
{
  fputc('_', out);
  for (; *path != '\0'; path++) fputc(*path == ' ' ? '_' : *path, out);
}

/* What _arguments wants behind the name of a value. */
static void print_action(const char *value, args_words *words, FILE *out)
{
  static const char *const actions[] = {[COMPLETION_NOTHING] = " ",
                                        [COMPLETION_FILES] = "_files",
                                        [COMPLETION_FOLDERS] = "_files -/"};
  enum completion_kind kind = completion_kind(value, words);
  fputc(':', out);
  if (kind != COMPLETION_WORDS && kind != COMPLETION_BEGINS) {
    fputs(actions[kind], out);
    return;
  }
  fputs(kind == COMPLETION_BEGINS ? "{compadd -S \"\" -- " : "(", out);
  completion_print_words(words, out);
  fputc(kind == COMPLETION_BEGINS ? '}' : ')', out);
}

static void print_one_option(const struct args_option *option, FILE *out)
{
  fprintf(out, " \\\n    '%s--%s%s[", option->value == NULL ? "" : "*", option->name,
          option->value == NULL      ? ""
          : option->is_value != NULL ? "=-"
                                     : "=");
  completion_print_text(option->help, "[]:\\", QUOTE, out);
  fputc(']', out);
  if (option->value != NULL) {
    fprintf(out, "%s", option->is_value != NULL ? "::" : ":");
    completion_print_text(option->value, "[]:\\", QUOTE, out);
    print_action(option->value, option->words, out);
  }
  fputc('\'', out);
}

static void print_arguments(const struct args_verb *verb, FILE *out)
{
  fputs("  _arguments", out);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++)
    print_one_option(o, out);
  if (verb->line == NULL) fputs(" \\\n    '--version[ours and every library" QUOTE "s]'", out);
  fputs(" \\\n    '--help[options and an example]'", out);
  if (completion_kind(verb->operand, verb->operand_words) != COMPLETION_NOTHING) {
    fprintf(out, " \\\n    '*:%s", verb->operand != NULL ? verb->operand : "NAME");
    print_action(verb->operand, verb->operand_words, out);
    fputc('\'', out);
  }
  fputc('\n', out);
}

/* The names of its verbs, and the way to what was named. */
static void print_choice(const struct args_verb *verb, const char *path, FILE *out)
{
  fputs("  local -a verbs\n  verbs=(\n", out);
  for (size_t v = 0; verb->verbs[v] != NULL; v++) {
    if (verb->verbs[v]->line == NULL) continue;
    fprintf(out, "    '%s:", verb->verbs[v]->name);
    completion_print_text(verb->verbs[v]->line, "\\:", QUOTE, out);
    fputs("'\n", out);
  }
  fputs("  )\n"
        "  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n"
        "    _describe verb verbs\n"
        "    return\n"
        "  fi\n"
        "  local verb=$words[2]\n"
        "  if ((CURRENT > 2 && $+functions[",
        out);
  print_function(path, out);
  fputs("_$verb])); then\n"
        "    shift words\n"
        "    ((CURRENT--))\n    ",
        out);
  print_function(path, out);
  fputs("_$verb\n"
        "    return\n"
        "  fi\n",
        out);
}

static void zsh_verb(const struct args_verb *verb, const char *path, FILE *out)
{
  print_function(path, out);
  fputs("() {\n", out);
  if (walk_count(verb) > 0) print_choice(verb, path, out);
  print_arguments(verb, out);
  fputs("}\n", out);
}

void completion_zsh(const struct args_verb *root, FILE *out)
{
  fprintf(
      out,
      "#compdef fleetsim\n# zsh completion of fleetsim, as 'fleetsim completion zsh' prints it\n");
  walk_verbs(root, zsh_verb, out);
  fputs("_fleetsim \"$@\"\n", out);
}
