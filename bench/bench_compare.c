/* No measurement: two JSON files of one bench side by side, what moved by more than noise. Exits with
   1 where a figure of ours is worse. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "lab/versus.h"

#define FILE_MAX (16u << 20)

struct line {
  const char *a, *b;
  double threshold;
  bool anyway;
};

static int print_help(void)
{
  puts(
      "usage: ./fleetsim bench compare A.json B.json [options]\n\n"
      "What moved from A to B, each written by one bench with --json: the medians of the rounds,\n"
      "and whether chance puts their ranks so far apart (Mann-Whitney, p <= 0.01; 5 rounds of "
      "each\n"
      "can tell). Exits with 1 where a figure of fleetsim is worse; those of the peers and of the\n"
      "floor tell how the machine was.\n\n"
      "  --threshold PERCENT  less than that is the same (default 10%)\n"
      "  --anyway             also of another machine, fleet or rate");
  return EXIT_CODE_PASS;
}

static int refuse(const char *sentence, const char *word)
{
  fprintf(stderr, "bench compare: %s%s\n", word, sentence);
  return EXIT_CODE_USAGE;
}

static bool read_percent(const char *text, double *out)
{
  char *end;
  double percent = strtod(text, &end);
  *out = percent / 100;
  return end != text && (*end == '\0' || strcmp(end, "%") == 0) && percent >= 0.1 &&
         percent <= 1000;
}

/* -1: go on; else the exit code. */
static int read_line(int argc, char **argv, struct line *line)
{
  static const struct option known[] = {{"threshold", required_argument, NULL, 't'},
                                        {"anyway", no_argument, NULL, 'a'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    if (option == 'h') return print_help();
    if (option == 'a') line->anyway = true;
    if (option == 't' && !read_percent(optarg, &line->threshold))
      return refuse(" is no --threshold: give a percentage from 0.1% to 1000%", optarg);
    if (option == '?')
      return refuse("an option is unknown or lacks its value; --help shows them", "");
  }
  if (argc - optind != 2)
    return refuse("name two files: ./fleetsim bench compare A.json B.json", "");
  line->a = argv[optind];
  line->b = argv[optind + 1];
  return -1;
}

static json_t *load(const char *path, struct error *error)
{
  uint8_t *data;
  size_t size;
  json_error_t where;
  if (files_read(path, FILE_MAX, &data, &size, error) != 0) return NULL;
  json_t *tree = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES, &where);
  free(data);
  if (tree == NULL)
    error_set(error, EXIT_CODE_USAGE, "%s:%d:%d: %s", path, where.line, where.column, where.text);
  return tree;
}

static void print_number(const json_t *row, const char *key)
{
  const json_t *value = json_object_get(row, key);
  if (json_is_number(value))
    printf(" %12.4g", json_number_value(value));
  else
    printf(" %12s", "-");
}

static void print_rows(const json_t *rows)
{
  printf("  %-36s %12s %12s %9s\n", "medians of rounds", "A", "B", "change");
  for (size_t r = 0; r < json_array_size(rows); r++) {
    const json_t *row = json_array_get(rows, r), *p = json_object_get(row, "p"),
                 *change = json_object_get(row, "change");
    const char *state = json_string_value(json_object_get(row, "state"));
    bool ours = json_is_true(json_object_get(row, "ours"));
    printf("%-2s%-36s", ours && strcmp(state, "worse") == 0 ? "x" : "",
           json_string_value(json_object_get(row, "name")));
    print_number(row, "a");
    print_number(row, "b");
    if (json_is_number(change))
      printf(" %+8.1f%%", 100 * json_number_value(change));
    else
      printf(" %9s", "-");
    printf("  %s", ours ? "" : "(peer) ");
    printf(json_is_number(p) ? "%s, p %.2g\n" : "%s\n", state, json_number_value(p));
  }
}

static int compare(const struct line *line, const json_t *a, const json_t *b, struct error *error)
{
  if (versus_alike(a, b, line->anyway, error) != 0) return -1;
  json_t *rows = versus_rows(a, b, line->threshold);
  if (json_array_size(rows) == 0) {
    json_decref(rows);
    return error_set(error, EXIT_CODE_USAGE, "A and B have no rounds of the same name");
  }
  bool worse = versus_alarms(rows);
  printf("%s  %s\n", worse ? "WORSE" : "OK", json_string_value(json_object_get(b, "bench")));
  print_rows(rows);
  json_decref(rows);
  return worse ? EXIT_CODE_FAIL : EXIT_CODE_PASS;
}

int main(int argc, char **argv)
{
  struct line line = {.threshold = 0.1};
  struct error error = {.code = EXIT_CODE_USAGE};
  int code = read_line(argc, argv, &line);
  if (code >= 0) return code;
  json_t *a = load(line.a, &error), *b = a != NULL ? load(line.b, &error) : NULL;
  code = b != NULL ? compare(&line, a, b, &error) : -1;
  if (code < 0) fprintf(stderr, "bench compare: %s\n", error.text);
  json_decref(a);
  json_decref(b);
  return code < 0 ? EXIT_CODE_USAGE : code;
}
