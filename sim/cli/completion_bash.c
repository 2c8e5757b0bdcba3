/* Completion for bash: one function. It follows the line's first words to a verb, and then asks the
 * case of that verb, or of its option before the cursor, what may stand there. */
#include "cli/completion.h"
#include "cli/walk.h"

static void bash_case(const struct args_verb *verb, const char *path, FILE *out)
{
  (void) verb;
  fprintf(out, "    \"%s\")", path);
}

/* Every verb but the root leads on. */
static void print_step(const struct args_verb *verb, const char *path, FILE *out)
{
  if (verb->line == NULL) return;
  bash_case(verb, path, out);
  fputs(" verb=$path ;;\n", out);
}

static void bash_offer(const char *value, args_words *words, FILE *out)
{
  static const char *const kinds[] = {[COMPLETION_NOTHING] = "nothing",
                                      [COMPLETION_FILES] = "files",
                                      [COMPLETION_FOLDERS] = "folders"};
  enum completion_kind kind = completion_kind(value, words);
  if (kind != COMPLETION_WORDS && kind != COMPLETION_BEGINS) {
    fprintf(out, " kind=%s ;;\n", kinds[kind]);
    return;
  }
  fputs(" words='", out);
  completion_print_words(words, out);
  fputs("' ;;\n", out);
}

/* A value that may be left out is not waited for. */
static void print_values(const struct args_verb *verb, const char *path, FILE *out)
{
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++) {
    if (o->value == NULL || o->is_value != NULL) continue;
    fprintf(out, "  \"%s --%s\")", path, o->name);
    bash_offer(o->value, o->words, out);
  }
}

static void print_options(const struct args_verb *verb, const char *path, FILE *out)
{
  bash_case(verb, path, out);
  fputs(" words='", out);
  for (const struct args_option *o = verb->options; o != NULL && o->name != NULL; o++)
    fprintf(out, "--%s ", o->name);
  fprintf(out, "--help%s' ;;\n", verb->line == NULL ? " --version" : "");
}

static void print_operands(const struct args_verb *verb, const char *path, FILE *out)
{
  bash_case(verb, path, out);
  if (walk_count(verb) == 0) {
    bash_offer(verb->operand, verb->operand_words, out);
    return;
  }
  fputs(" words='", out);
  for (size_t v = 0; verb->verbs[v] != NULL; v++)
    if (verb->verbs[v]->line != NULL) fprintf(out, "%s ", verb->verbs[v]->name);
  if (verb->operand_words != NULL) completion_print_words(verb->operand_words, out);
  fputs("' ;;\n", out);
}

void completion_bash(const struct args_verb *root, FILE *out)
{
  fputs("# bash completion of fleetsim, as 'fleetsim completion bash' prints it\n"
        "_fleetsim() {\n"
        "  local cursor=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "  local verb=fleetsim path words= kind= i\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    path=\"$verb ${COMP_WORDS[i]}\"\n"
        "    case $path in\n",
        out);
  walk_verbs(root, print_step, out);
  fputs("    *) break ;;\n"
        "    esac\n"
        "  done\n"
        "  # bash parts '--out=x' into three words\n"
        "  if [[ $cursor == = ]]; then\n"
        "    cursor=\n"
        "  elif [[ $option == = ]]; then\n"
        "    option=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "  fi\n"
        "  case \"$verb $option\" in\n",
        out);
  walk_verbs(root, print_values, out);
  fputs("  *) kind=none ;;\n"
        "  esac\n"
        "  if [[ $kind == none && $cursor == -* ]]; then\n"
        "    case $verb in\n",
        out);
  walk_verbs(root, print_options, out);
  fputs("    esac\n"
        "  elif [[ $kind == none ]]; then\n"
        "    case $verb in\n",
        out);
  walk_verbs(root, print_operands, out);
  fputs("    esac\n"
        "  fi\n"
        "  COMPREPLY=()\n"
        "  if [[ $kind == files || $kind == folders ]]; then\n"
        "    compopt -o filenames 2>/dev/null\n"
        "    [[ $kind == files ]] && kind=-f || kind=-d\n"
        "    mapfile -t COMPREPLY < <(compgen \"$kind\" -- \"$cursor\")\n"
        "  elif [[ -n $words ]]; then\n"
        "    [[ $words == *= ]] && compopt -o nospace 2>/dev/null\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cursor\")\n"
        "  fi\n"
        "}\n"
        "complete -F _fleetsim fleetsim\n",
        out);
}
