/* fleetsim completion: the script by which a shell completes our lines, made of the tables that they
 * are read by, so that it knows each verb, option and word of a fixed set that the program knows. */
#include "cli/completion.h"

#include <string.h>

#include "cli/verbs.h"

static const struct {
  const char *name;
  void (*print)(const struct args_verb *root, FILE *out);
} shells[] = {
    {"bash", completion_bash},
    {"zsh", completion_zsh},
    {"fish", completion_fish},
};

enum completion_kind completion_kind(const char *value, args_words *words)
{
  static const struct {
    const char *value;
    enum completion_kind kind;
  } places[] = {{"FILE", COMPLETION_FILES},
                {"PATH", COMPLETION_FILES},
                {"TEMPLATE|FILE", COMPLETION_FILES},
                {"DIR", COMPLETION_FOLDERS},
                {"FOLDER", COMPLETION_FOLDERS}};
  if (words != NULL)
    return value != NULL && strchr(value, '=') != NULL ? COMPLETION_BEGINS : COMPLETION_WORDS;
  for (size_t p = 0; value != NULL && p < sizeof places / sizeof *places; p++)
    if (strcmp(value, places[p].value) == 0) return places[p].kind;
  return COMPLETION_NOTHING;
}

struct line_of_words {
  FILE *out;
  size_t count;
};

static void print_word(void *ctx, const char *word)
{
  struct line_of_words *line = ctx;
  fprintf(line->out, "%s%s", line->count++ == 0 ? "" : " ", word);
}

void completion_print_words(args_words *words, FILE *out)
{
  struct line_of_words line = {.out = out};
  words(print_word, &line); /* of the verb that takes them */
}

void completion_print_text(const char *text, const char *special, const char *quote, FILE *out)
{
  for (; *text != '\0'; text++)
    if (*text == '\'')
      fputs(quote, out);
    else if (*text == '\n')
      fputc(' ', out);
    else
      fprintf(out, "%s%c", strchr(special, *text) != NULL ? "\\" : "", *text);
}

static void say_shells(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (size_t s = 0; s < sizeof shells / sizeof *shells; s++) say(ctx, shells[s].name);
}

static int complete_for(const struct args *args, struct error *error)
{
  for (size_t s = 0; s < sizeof shells / sizeof *shells; s++) {
    if (strcmp(args->operand[0], shells[s].name) != 0) continue;
    shells[s].print(&cli_fleetsim, stdout); /* one of the table above */
    return EXIT_CODE_PASS;
  }
  return error_set(error, EXIT_CODE_USAGE,
                   "there is no completion for '%.40s': say bash, zsh or fish", args->operand[0]);
}

const struct args_verb cli_completion = {
    .name = "completion",
    .line = "a script that completes verbs, options and names in bash, zsh or fish",
    .usage = "usage: fleetsim completion bash|zsh|fish\n\n"
             "Prints the script, for a shell that is told to read it. 'cmake --install' and the "
             "package put it where\n"
             "shells look by themselves.\n",
    .example = "eval \"$(fleetsim completion bash)\"\n"
               "fleetsim completion zsh >~/.zfunc/_fleetsim\n"
               "fleetsim completion fish >~/.config/fish/completions/fleetsim.fish",
    .operands_least = 1,
    .operands_most = 1,
    .operands = "name one shell: bash, zsh or fish",
    .operand_words = say_shells,
    .run = complete_for,
};
