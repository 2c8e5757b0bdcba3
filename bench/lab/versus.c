/* Every bench keeps its rounds below "rounds_of", as lists of numbers under the names of kinds of
 * client, one or two levels down: what they are called is all that differs. */
#include "lab/versus.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lab/stats.h"
#include "report/shift.h"

/* --- Alike? ----------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "";
}

static int check_file(const json_t *file, const char *which, struct error *error)
{
  const char *kind;
  const json_t *count;
  if (text_of(file, "bench")[0] == '\0' || !json_is_object(json_object_get(file, "machine")))
    return error_set(error, EXIT_CODE_USAGE, "%s is no JSON file of './fleetsim bench NAME --json'",
                     which);
  json_object_foreach(json_object_get(file, "failures"), kind, count)
  {
    if (json_number_value(count) > 0)
      return error_set(
          error, EXIT_CODE_USAGE,
          "%s counts %.0f failed connections of %.40s: its figures do not count, measure "
          "again",
          which, json_number_value(count), kind);
  }
  if (json_object_size(json_object_get(file, "rounds_of")) == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s is of the bench '%.20s', which keeps no rounds that could be compared",
                     which, text_of(file, "bench"));
  return 0;
}

int versus_alike(const json_t *a, const json_t *b, bool anyway, struct error *error)
{
  static const struct {
    const char *part, *key, *words;
  } traits[] = {{NULL, "bench", "bench"},
                {NULL, "devices", "number of devices"},
                {NULL, "rate", "rate"},
                {"machine", "cpu", "processor"},
                {"machine", "cores", "number of cores"}};
  if (check_file(a, "A", error) != 0 || check_file(b, "B", error) != 0) return -1;
  for (size_t t = 0; t < sizeof traits / sizeof *traits; t++) {
    const char *part = traits[t].part;
    const json_t *one = json_object_get(part != NULL ? json_object_get(a, part) : a, traits[t].key),
                 *other =
                     json_object_get(part != NULL ? json_object_get(b, part) : b, traits[t].key);
    if (one == other || json_equal(one, other) || (anyway && t > 0)) continue;
    return error_set(error, EXIT_CODE_USAGE, "A and B are not alike: another %s%s", traits[t].words,
                     t > 0 ? "; --anyway compares them all the same" : "");
  }
  return 0;
}

/* --- Rows ------------------------------------------------------------------------------------- */

struct numbers {
  double at[STATS_ROUNDS_MAX];
  size_t count;
};

static bool read_numbers(const json_t *list, struct numbers *out)
{
  out->count = 0;
  for (size_t i = 0; i < json_array_size(list) && out->count < STATS_ROUNDS_MAX; i++)
    if (json_is_number(json_array_get(list, i)))
      out->at[out->count++] = json_number_value(json_array_get(list, i));
  return out->count > 0;
}

/* Rates: of messages, of bytes. All else is cost. */
static bool more_is_better(const char *bench, const char *name)
{
  return strcmp(bench, "publish") == 0 || strncmp(name, "mib_per_s", 9) == 0;
}

static const char *last_of(const char *name)
{
  const char *dot = strrchr(name, '.');
  return dot != NULL ? dot + 1 : name;
}

static bool is_ours(const char *name)
{
  static const char *const peers[] = {"openssl", "openssl_lean", "libmosquitto", "paho",
                                      "floor",   "floor_paced",  "curl",         "curl_reuse"};
  for (size_t p = 0; p < sizeof peers / sizeof *peers; p++)
    if (strcmp(last_of(name), peers[p]) == 0) return false;
  return true;
}

static json_t *number_or_null(double number)
{
  return isfinite(number) ? json_real(number) : json_null();
}

static void add_row(json_t *rows, const char *name, bool ours, bool rate, const struct numbers *a,
                    const struct numbers *b, double threshold)
{
  struct shift shift;
  const struct shift_side left = {.runs = a->at, .run_count = a->count},
                          right = {.runs = b->at, .run_count = b->count};
  shift_judge(&left, &right, &(struct shift_rule){.threshold = threshold, .less_is_worse = rate},
              &shift);
  json_array_append_new(rows,
                        json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:b}", "name", name, "a",
                                  number_or_null(shift.a), "b", number_or_null(shift.b), "change",
                                  number_or_null(shift.change), "p", number_or_null(shift.p),
                                  "state", shift_word(shift.state), "ours", ours));
}

/* Where both have as many rounds as the peer has. */
static bool read_ratio(const json_t *object, const char *ours, const char *peer,
                       struct numbers *out)
{
  struct numbers over, under;
  if (!read_numbers(json_object_get(object, ours), &over) ||
      !read_numbers(json_object_get(object, peer), &under) || over.count != under.count)
    return false;
  out->count = over.count;
  for (size_t i = 0; i < over.count; i++) out->at[i] = over.at[i] / under.at[i];
  return true;
}

static void add_ratios(json_t *rows, const char *bench, const char *path, const json_t *a,
                       const json_t *b, double threshold)
{
  static const char *const pairs[][2] = {{"fleetsim", "openssl"},
                                         {"fleetsim", "libmosquitto"},
                                         {"fleetsim", "floor"},
                                         {"fleetsim_300", "curl"}};
  for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
    char name[VERSUS_NAME];
    struct numbers left, right;
    if (!read_ratio(a, pairs[p][0], pairs[p][1], &left) ||
        !read_ratio(b, pairs[p][0], pairs[p][1], &right))
      continue;
    snprintf(name, sizeof name, "%s%s%s / %s", path, path[0] != '\0' ? "." : "", pairs[p][0],
             pairs[p][1]);
    add_row(rows, name, true, more_is_better(bench, path), &left, &right, threshold);
  }
}

/* An object of lists, or of such objects. */
static void add_level(json_t *rows, const char *bench, const char *path, const json_t *a,
                      const json_t *b, double threshold, unsigned depth)
{
  const char *key;
  const json_t *value;
  json_object_foreach((json_t *) a, key, value)
  {
    char name[VERSUS_NAME];
    struct numbers left, right;
    const json_t *other = json_object_get(b, key);
    snprintf(name, sizeof name, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
    if (json_is_object(value) && depth < 3)
      add_level(rows, bench, name, value, other, threshold, depth + 1);
    else if (read_numbers(value, &left) && read_numbers(other, &right))
      add_row(rows, name, is_ours(name), more_is_better(bench, name), &left, &right, threshold);
  }
  add_ratios(rows, bench, path, a, b, threshold);
}

json_t *versus_rows(const json_t *a, const json_t *b, double threshold)
{
  json_t *rows = json_array();
  add_level(rows, text_of(b, "bench"), "", json_object_get(a, "rounds_of"),
            json_object_get(b, "rounds_of"), threshold, 0);
  return rows;
}

bool versus_alarms(const json_t *rows)
{
  for (size_t r = 0; r < json_array_size(rows); r++) {
    const json_t *row = json_array_get(rows, r);
    if (json_is_true(json_object_get(row, "ours")) &&
        strcmp(text_of(row, "state"), shift_word(SHIFT_WORSE)) == 0)
      return true;
  }
  return false;
}
