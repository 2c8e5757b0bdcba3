#include "lab/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *left, const void *right)
{
  double a = *(const double *) left, b = *(const double *) right;
  return (a > b) - (a < b);
}

double stats_median(const double *values, size_t count)
{
  double sorted[STATS_ROUNDS_MAX];
  assert(count <= STATS_ROUNDS_MAX);
  if (count == 0) return NAN;
  memcpy(sorted, values, count * sizeof *values);
  qsort(sorted, count, sizeof *sorted, ascending);
  return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

double stats_slope(const double *x, const double *y, size_t count)
{
  double mean_x = 0, mean_y = 0, together = 0, spread = 0;
  for (size_t i = 0; i < count; i++) {
    mean_x += x[i] / (double) count;
    mean_y += y[i] / (double) count;
  }
  for (size_t i = 0; i < count; i++) {
    together += (x[i] - mean_x) * (y[i] - mean_y);
    spread += (x[i] - mean_x) * (x[i] - mean_x);
  }
  return spread > 0 ? together / spread : (double) NAN;
}

static size_t find(const struct stats *stats, const char *name)
{
  size_t i = 0;
  while (i < stats->names && strcmp(stats->of[i].name, name) != 0) i++;
  return i;
}

void stats_add(struct stats *stats, const char *name, double value)
{
  size_t i = find(stats, name);
  assert(i < STATS_NAMES_MAX);
  if (i == stats->names) stats->of[stats->names++].name = name;
  assert(stats->of[i].rounds < STATS_ROUNDS_MAX);
  stats->of[i].round[stats->of[i].rounds++] = value;
}

double stats_median_of(const struct stats *stats, const char *name)
{
  size_t i = find(stats, name);
  return i == stats->names ? NAN : stats_median(stats->of[i].round, stats->of[i].rounds);
}

double stats_min_of(const struct stats *stats, const char *name)
{
  size_t i = find(stats, name);
  double least = NAN;
  for (size_t r = 0; i < stats->names && r < stats->of[i].rounds; r++)
    least = fmin(least, stats->of[i].round[r]);
  return least;
}

double stats_max_of(const struct stats *stats, const char *name)
{
  size_t i = find(stats, name);
  double most = NAN;
  for (size_t r = 0; i < stats->names && r < stats->of[i].rounds; r++)
    most = fmax(most, stats->of[i].round[r]);
  return most;
}

json_t *stats_medians(const struct stats *stats)
{
  json_t *out = json_object();
  for (size_t i = 0; i < stats->names; i++)
    json_object_set_new(out, stats->of[i].name,
                        json_real(stats_median(stats->of[i].round, stats->of[i].rounds)));
  return out;
}

json_t *stats_rounds(const struct stats *stats)
{
  json_t *out = json_object();
  for (size_t i = 0; i < stats->names; i++) {
    json_t *rounds = json_array();
    for (size_t r = 0; r < stats->of[i].rounds; r++)
      json_array_append_new(rounds, json_real(stats->of[i].round[r]));
    json_object_set_new(out, stats->of[i].name, rounds);
  }
  return out;
}

double stats_ratio_of(const struct stats *stats, const char *name, const char *other)
{
  double ratio[STATS_ROUNDS_MAX];
  size_t over = find(stats, name), under = find(stats, other), count = 0;
  if (over == stats->names || under == stats->names) return NAN;
  for (; count < stats->of[over].rounds && count < stats->of[under].rounds; count++)
    ratio[count] = stats->of[over].round[count] / stats->of[under].round[count];
  return stats_median(ratio, count);
}

json_t *stats_ratio(const struct stats *stats, const char *name, const char *other)
{
  return json_real(stats_ratio_of(stats, name, other)); /* json_real(NAN) is NULL */
}
