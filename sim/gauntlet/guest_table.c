/* Lines are cut at the terminal's edge; what came from a device is printable already. */
#include "gauntlet/guest_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct table {
  char *out;
  size_t size, used, lines;
  unsigned columns;
};

static void add_line(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct table *table, const char *format, ...)
{
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  int n = snprintf(table->out + table->used, table->size - table->used, "%.*s\n",
                   (int) table->columns - 1, line);
  if (n < 0 || (size_t) n >= table->size - table->used) return;
  table->used += (size_t) n;
  table->lines++;
}

static void count_verdicts(const struct guest *guest, unsigned of[VERDICT_COUNT])
{
  memset(of, 0, VERDICT_COUNT * sizeof *of);
  for (size_t i = 0; i < guest->at && i < guest->report.count; i++)
    of[guest->report.result[i].verdict]++;
}

static const struct trial_result *last_of(const struct guest *guest)
{
  for (size_t i = guest->at; i > 0; i--)
    if (guest->report.result[i - 1].seen.connections > 0) return &guest->report.result[i - 1];
  return NULL;
}

static void add_guest(struct table *table, const struct guest *guest)
{
  unsigned of[VERDICT_COUNT];
  count_verdicts(guest, of);
  const struct trial_result *last = last_of(guest);
  const char *who = guest->name[0] != '\0' ? guest->name : guest->address;
  size_t count = guest->report.count, done = guest->at < count ? guest->at : count;
  add_line(table, "%-20.40s %zu of %zu: %u passed, %u failed, %u not shown%s%s", who, done, count,
           of[VERDICT_PASS] + of[VERDICT_WARN], of[VERDICT_FAIL], of[VERDICT_NOT_SHOWN],
           guest_is_through(guest) ? ", through" : "",
           guest->mixed[0] != '\0' ? "; TWO DEVICES?" : "");
  if (guest_is_through(guest)) {
    add_line(table, "  may be switched off");
    return;
  }
  const struct trial_result *now = &guest->report.result[guest->at];
  add_line(table, "  %s%s %s, TLS 1.%u%s%s%s%s", guest->at >= count ? "once more, " : "",
           guest->open > 0 ? "on:" : "next:", now->c->id, now->tls - 10u,
           last != NULL ? "; last " : "", last != NULL ? verdict_word(last->verdict) : "",
           last != NULL ? ": " : "", last != NULL ? last->c->id : "");
}

size_t guest_table(const struct guest *guests, size_t count, unsigned columns, unsigned rows,
                   char *out, size_t size)
{
  struct table table = {.out = out, .size = size, .columns = columns < 500 ? columns : 500};
  size_t fit = rows > 4 ? (rows - 2) / 2 : 1, devices = 0;
  unsigned silent = 0;
  if (size > 0) out[0] = '\0';
  for (size_t i = 0; i < count; i++) {
    silent += guests[i].silent;
    if (guests[i].has_come && devices++ < fit) add_guest(&table, &guests[i]);
  }
  if (devices == 0) add_line(&table, "waiting for the first device");
  if (devices > fit) add_line(&table, "and %zu more devices", devices - fit);
  if (silent > 0) add_line(&table, "not counted: %u without a ClientHello", silent);
  return table.lines;
}
