/* A cursor goes over the text once; what does not fit is a sentence and the column at which it
 * stands. Evaluating prints what was seen as well, cut so that it never reads as the value that
 * was missed. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/expr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/units.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const char *const op_text[] = {[EXPR_EQ] = "==", [EXPR_NE] = "!=", [EXPR_LT] = "<",
                                      [EXPR_LE] = "<=", [EXPR_GT] = ">",  [EXPR_GE] = ">="};

/* Where the parser stands in `text`. */
struct cursor {
  const char *text;
  size_t at;
  char *why;
  size_t why_size;
};

static int wrong(struct cursor *c, size_t at, const char *sentence)
{
  c->at = at;
  snprintf(c->why, c->why_size, "%s", sentence);
  return -1;
}

static void skip_space(struct cursor *c)
{
  c->at += strspn(c->text + c->at, " \t");
}

/* Takes characters of `set` into out; -1 when there are none or too many. */
static int take_word(struct cursor *c, const char *set, char *out, size_t capacity)
{
  skip_space(c);
  size_t size = strspn(c->text + c->at, set);
  if (size == 0 || size >= capacity) return -1;
  memcpy(out, c->text + c->at, size);
  out[size] = '\0';
  c->at += size;
  return 0;
}

static int take_name(struct cursor *c, struct expr *out)
{
  if (take_word(c, NAME_CHARS, out->name, sizeof out->name) != 0)
    return wrong(c, c->at, "an expression begins with a name: write 'devices.lost == 0'");
  skip_space(c);
  if (c->text[c->at] != '(') return 0;
  size_t open = c->at++;
  if (take_word(c, NAME_CHARS, out->argument, sizeof out->argument) != 0)
    return wrong(c, c->at, "a name is missing between the brackets: write 'trusting(B) >= 99.9%'");
  skip_space(c);
  if (c->text[c->at] != ')')
    return wrong(c, open, "this bracket is not closed: write 'trusting(B) >= 99.9%'");
  c->at++;
  return 0;
}

static int take_op(struct cursor *c, struct expr *out)
{
  char word[4];
  skip_space(c);
  size_t start = c->at;
  if (take_word(c, "=!<>", word, sizeof word) == 0)
    for (size_t i = 0; i < sizeof op_text / sizeof *op_text; i++)
      if (strcmp(word, op_text[i]) == 0) {
        out->op = (enum expr_op) i;
        return 0;
      }
  return wrong(c, start,
               "a comparison is expected here, one of == != < <= > >=: write 'devices.lost == 0'");
}

/* "- 2" after a percentage, or nothing. */
static int take_less(struct cursor *c, struct expr *out)
{
  char word[16];
  skip_space(c);
  if (c->text[c->at] != '-') return 0;
  size_t start = c->at++;
  if (take_word(c, "0123456789", word, sizeof word) != 0)
    return wrong(c, start, "a number of devices is expected after '-': write '100% - 2'");
  out->less = strtod(word, NULL);
  return 0;
}

/* What is counted in bytes says so in its name. */
static int wrong_bytes(struct cursor *c, size_t at, uint64_t bytes)
{
  c->at = at;
  snprintf(c->why, c->why_size,
           "an expression has no sizes: metrics of bytes, as ota.bytes, are numbers: write '%llu'",
           (unsigned long long) bytes);
  return -1;
}

static int take_value(struct cursor *c, struct expr *out)
{
  char word[32];
  skip_space(c);
  size_t start = c->at;
  if (take_word(c, "-" NAME_CHARS "%", word, sizeof word) != 0)
    return wrong(
        c, start,
        "a value is expected here: write a number, a percentage (99.9%) or a duration (2s)");
  char *end = NULL, *less = strstr(word, "%-");
  if (less != NULL) c->at -= strlen(less + 1), less[1] = '\0'; /* written without blanks */
  size_t digits = strspn(word, "-0123456789.");
  if (word[digits] == '\0') {
    out->unit = EXPR_NUMBER;
    out->value = strtod(word, &end);
    if (*end == '\0') return 0;
    return wrong(c, start, "this is not a number: write '3' or '0.5'");
  }
  if (strchr(word, '%') != NULL) {
    double share = 0;
    out->unit = EXPR_PERCENT;
    if (units_share(word, &share, c->why, c->why_size) != 0) return c->at = start, -1;
    out->value = share * 100;
    return take_less(c, out);
  }
  uint64_t ms = 0, bytes = 0;
  if (units_bytes(word, &bytes, c->why, c->why_size) == 0) return wrong_bytes(c, start, bytes);
  out->unit = EXPR_DURATION;
  if (units_duration_ms(word, &ms, c->why, c->why_size) != 0) return c->at = start, -1;
  out->value = (double) ms;
  return 0;
}

static int take_within(struct cursor *c, struct expr *out)
{
  char word[32] = "";
  skip_space(c);
  size_t start = c->at;
  if (take_word(c, NAME_CHARS, word, sizeof word) != 0)
    return wrong(c, start, "a duration is expected after 'within': write 'within 60s'");
  if (units_duration_ms(word, &out->within_ms, c->why, c->why_size) != 0) return c->at = start, -1;
  if (out->within_ms == 0)
    return wrong(c, start, "'within' needs a time above zero: write 'within 60s'");
  return 0;
}

static int take_set(struct cursor *c, size_t start, struct expr *out)
{
  if (take_word(c, NAME_CHARS, out->of, sizeof out->of) != 0)
    return wrong(c, c->at,
                 "a set is expected after 'of': write 'of online', 'of awake' or 'of all'");
  if (out->unit == EXPR_PERCENT) return 0;
  return wrong(c, start, "'of' goes with a percentage: write 'trusting(B) >= 99.9% of online'");
}

static int take_per_device(struct cursor *c, size_t start, struct expr *out)
{
  char word[32];
  if (take_word(c, NAME_CHARS, word, sizeof word) != 0 || strcmp(word, "device") != 0)
    return wrong(c, start, "'per' goes with 'device': write 'ota.refused == 15 per device'");
  if (out->unit != EXPR_NUMBER)
    return wrong(c, start, "'per device' goes with a number: write 'ota.refused == 15 per device'");
  out->unit = EXPR_PERCENT;
  out->per_device = true;
  out->value *= 100;
  strcpy(out->of, "all");
  return 0;
}

/* What may follow the value: "of SET" or "per device", "within DURATION", each once and in this
   order. */
static int take_tail(struct cursor *c, struct expr *out)
{
  char word[32];
  for (int stage = 0;;) {
    skip_space(c);
    if (c->text[c->at] == '\0') return 0;
    size_t start = c->at;
    if (take_word(c, NAME_CHARS, word, sizeof word) != 0) word[0] = '\0';
    if (stage < 1 && strcmp(word, "of") == 0) {
      if (take_set(c, start, out) != 0) return -1;
      stage = 1;
    } else if (stage < 1 && strcmp(word, "per") == 0) {
      if (take_per_device(c, start, out) != 0) return -1;
      stage = 1;
    } else if (stage < 2 && strcmp(word, "within") == 0) {
      if (take_within(c, out) != 0) return -1;
      stage = 2;
    } else {
      return wrong(c, start,
                   "nothing but 'of SET' or 'per device' and then 'within DURATION' may follow the "
                   "value");
    }
  }
}

int expr_parse(const char *text, struct expr *out, char *why, size_t why_size, size_t *column)
{
  struct cursor c = {.text = text, .why = why, .why_size = why_size};
  memset(out, 0, sizeof *out);
  *column = 0;
  if (strlen(text) >= sizeof out->text)
    return wrong(&c, 0, "this expression is longer than 159 characters; split it into two");
  strcpy(out->text, text);
  int result = take_name(&c, out);
  if (result == 0) result = take_op(&c, out);
  if (result == 0) result = take_value(&c, out);
  if (result == 0) result = take_tail(&c, out);
  if (result != 0) *column = c.at;
  return result;
}

/* Shares are quotients of whole numbers: 100% of 3 must not fail by the last bit. */
static bool compare(enum expr_op op, double seen, double wanted)
{
  if (isnan(seen)) return false; /* no comparison holds for what has no value */
  double slack = 1e-9 * fmax(1, fmax(fabs(seen), fabs(wanted)));
  bool equal = fabs(seen - wanted) <= slack;
  switch (op) {
  case EXPR_EQ: return equal;
  case EXPR_NE: return !equal;
  case EXPR_LT: return !equal && seen < wanted;
  case EXPR_LE: return equal || seen < wanted;
  case EXPR_GT: return !equal && seen > wanted;
  case EXPR_GE: return equal || seen > wanted;
  }
  return false;
}

static void print_number(char *out, size_t size, double value)
{
  snprintf(out, size, floor(value) == value && fabs(value) < 1e15 ? "%.0f" : "%.6g", value);
}

/* Two decimals, cut and not rounded: 99.996% must not read as 100%. */
static double cut_percent(double percent)
{
  return floor(percent * 100 + 1e-6) / 100;
}

static bool eval_percent(const struct expr *expr, const struct expr_quantity *q, double whole,
                         char *observed, size_t size)
{
  char value[32], of[32];
  print_number(value, sizeof value, q->value);
  print_number(of, sizeof of, whole);
  if (!(whole > 0)) {
    snprintf(observed, size, "%s of nothing", value);
    return false;
  }
  if (expr->per_device)
    snprintf(observed, size, "%.4g per device (%s of %s)", q->value / whole, value, of);
  else
    snprintf(observed, size, "%s of %s (%.4g%%)", value, of, cut_percent(100 * q->value / whole));
  double wanted = expr->value / 100 * whole;
  bool equals = expr->op == EXPR_EQ || expr->op == EXPR_NE;
  if (equals && !expr->per_device) wanted = ceil(wanted - 1e-6);
  return compare(expr->op, q->value, wanted - expr->less);
}

static void print_plain(const struct expr *expr, const struct expr_quantity *q, char *observed,
                        size_t size)
{
  if (isnan(q->value))
    snprintf(observed, size, "no value");
  else if (q->unit != EXPR_DURATION && expr->unit != EXPR_DURATION)
    print_number(observed, size, q->value);
  else if (q->value >= 1000)
    snprintf(observed, size, "%.4g s", q->value / 1000);
  else
    snprintf(observed, size, "%.4g ms", q->value);
}

bool expr_eval(const struct expr *expr, expr_lookup lookup, void *ctx, char *observed,
               size_t observed_size)
{
  struct expr_quantity q = {0};
  if (lookup(ctx, expr->name, expr->argument, &q) != 0) {
    const char *open = expr->argument[0] != '\0' ? "(" : "",
               *close = expr->argument[0] != '\0' ? ")" : "";
    snprintf(observed, observed_size, "'%s%s%s%s' is not known", expr->name, open, expr->argument,
             close);
    return false;
  }
  if (expr->unit == EXPR_PERCENT) {
    struct expr_quantity set = {.value = q.whole};
    if (expr->of[0] != '\0' && lookup(ctx, expr->of, "", &set) != 0) {
      snprintf(observed, observed_size, "the set '%s' is not known", expr->of);
      return false;
    }
    return eval_percent(expr, &q, set.value, observed, observed_size);
  }
  print_plain(expr, &q, observed, observed_size);
  return compare(expr->op, q.value, expr->value);
}
