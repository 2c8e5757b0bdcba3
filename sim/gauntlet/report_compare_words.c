/* The words of a comparison that a terminal and a page of CI share. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gauntlet/report_compare.h"

const enum report_state report_compare_order[REPORT_ORDERS] = {REPORT_WORSE, REPORT_UNCLEAR,
                                                               REPORT_BETTER, REPORT_CHANGED};

const char *report_compare_loud(const json_t *tree, char out[16])
{
  const char *word = report_json_text(tree, "verdict");
  size_t i = 0;
  for (; i < 15 && word[i] != '\0'; i++)
    out[i] = (char) (word[i] >= 'a' && word[i] <= 'z' ? word[i] - 'a' + 'A' : word[i]);
  out[i] = '\0';
  return out;
}

/* "1 worse, 2 better", or that nothing changed. */
static size_t put_state_counts(const json_t *counts, char *out, size_t size)
{
  size_t used = 0;
  for (size_t s = 0; s < REPORT_ORDERS; s++) {
    const char *word = report_compare_word(report_compare_order[s]);
    double count = report_json_number(counts, word);
    if (count > 0 && used < size)
      used += (size_t) snprintf(out + used, size - used, "%s%.0f %s", used > 0 ? ", " : "", count,
                                word);
  }
  if (used > 0) return used;
  return (size_t) snprintf(out, size, "nothing that was tried in both went another way");
}

const char *report_compare_counts(const json_t *tree, char out[512])
{
  const char *alarm = report_json_text(tree, "alarm");
  size_t used = put_state_counts(json_object_get(tree, "counts"), out, 512);
  if (alarm[0] != '\0' && used < 512) snprintf(out + used, 512 - used, "; %s", alarm);
  text_trim(out);
  return out;
}

const char *report_compare_side(const json_t *side, char out[512])
{
  char score[32] = "";
  const json_t *points = json_object_get(side, "score");
  if (json_is_number(points))
    snprintf(score, sizeof score, ", score %.0f of 100", json_number_value(points));
  snprintf(out, 512, "%.200s: %.130s, begun %.40s%s", report_json_text(side, "folder"),
           report_json_text(side, "client"), report_json_text(side, "started"), score);
  text_trim(out);
  return out;
}

/* --- Pairs, those of a case as one ------------------------------------------------------------ */

static bool same_change(const json_t *a, const json_t *b)
{
  return report_json_says(a, "case", report_json_text(b, "case")) &&
         report_json_says(a, "change", report_json_text(b, "change"));
}

bool report_compare_row(const json_t *pairs, size_t *at, enum report_state state,
                        struct pair_row *row)
{
  size_t used = 0, count = json_array_size(pairs);
  while (*at < count &&
         !report_json_says(json_array_get(pairs, *at), "state", report_compare_word(state)))
    ++*at;
  if (*at == count) return false;
  *row = (struct pair_row){.pair = json_array_get(pairs, *at), .tls = "-"};
  for (; *at < count && same_change(row->pair, json_array_get(pairs, *at)); ++*at) {
    const char *tls = report_json_text(json_array_get(pairs, *at), "tls");
    if (tls[0] != '\0' && used < sizeof row->tls - 12)
      used += (size_t) snprintf(row->tls + used, sizeof row->tls - used, "%s%.8s",
                                used > 0 ? ", " : "", tls);
  }
  return true;
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void put_items(FILE *out, const char *before, const json_t *items)
{
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *item = json_array_get(items, i);
    const char *word =
        json_is_object(item) ? report_json_text(item, "group") : json_string_value(item);
    fprintf(out, "%s%s", i == 0 ? before : ", ", word != NULL ? word : "?");
  }
}

static void put_value(FILE *out, const json_t *value)
{
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  if (json_is_string(value))
    fputs(json_string_value(value), out);
  else
    fputs(json_is_null(value) || text == NULL ? "none" : text, out);
  free(text);
}

char *report_compare_fact(const json_t *fact)
{
  char *text = NULL;
  size_t size;
  const json_t *added = json_object_get(fact, "added"), *removed = json_object_get(fact, "removed");
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return NULL;
  if (json_array_size(added) + json_array_size(removed) > 0) {
    put_items(out, "now also ", added);
    put_items(out, json_array_size(added) > 0 ? "; no longer " : "no longer ", removed);
  } else if (json_is_array(json_object_get(fact, "b"))) {
    fputs("the same in another order", out);
  } else {
    put_value(out, json_object_get(fact, "b"));
    fputs(", was ", out);
    put_value(out, json_object_get(fact, "a"));
  }
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

const char *report_compare_finding(const json_t *finding)
{
  return report_json_says(finding, "in", "b") ? "stands out now" : "no longer so";
}
