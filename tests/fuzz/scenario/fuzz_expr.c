/* Any text as an expression, judged over quantities that the text chooses too: a refusal points
 * into the text; two operators that are each other's opposite never agree, and a percentage of
 * nothing never holds.
 *
 * The input: 3 bytes {the quantity's kind and value, its whole}, then the text. */
#define _GNU_SOURCE
#include <math.h>

#include "fuzz.h"
#include "scenario/expr.h"

struct world {
  struct expr_quantity quantity;
  bool known;
};

static int look_up(void *ctx, const char *name, const char *argument, struct expr_quantity *out)
{
  const struct world *world = ctx;
  require(strnlen(name, 64) < 64 && strnlen(argument, 64) < 64, "names end");
  *out = world->quantity;
  return world->known ? 0 : -1;
}

static void check_refusal(const char *text, const char *why, size_t why_size, size_t column)
{
  require(why[0] != '\0' && memchr(why, '\0', why_size) != NULL,
          "a refusal has a sentence, which ends");
  require(column <= strlen(text), "a refusal points into the text");
}

static void check_eval(struct expr *expr, struct world *world)
{
  char observed[96], again[96];
  bool holds = expr_eval(expr, look_up, world, observed, sizeof observed);
  require(observed[0] != '\0' && memchr(observed, '\0', sizeof observed) != NULL,
          "what was observed is said");
  if (!world->known) require(!holds, "what is not known does not hold");
  if (expr->unit == EXPR_PERCENT && !(world->quantity.whole > 0) && expr->of[0] == '\0')
    require(!holds, "a percentage of nothing does not hold");
  static const enum expr_op opposite[] = {
      [EXPR_EQ] = EXPR_NE, [EXPR_NE] = EXPR_EQ, [EXPR_LT] = EXPR_GE,
      [EXPR_LE] = EXPR_GT, [EXPR_GT] = EXPR_LE, [EXPR_GE] = EXPR_LT};
  expr->op = opposite[expr->op];
  bool other = expr_eval(expr, look_up, world, again, sizeof again);
  require(!(holds && other), "two opposites do not both hold");
  require(strcmp(observed, again) == 0, "what is observed does not depend on what was wanted");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct fuzz_input in = {data, size};
  struct expr expr;
  struct world world;
  char text[256], why[256] = "";
  size_t column = 0, length;
  uint32_t kind = fuzz_number(&in, 1), value = fuzz_number(&in, 1), whole = fuzz_number(&in, 1);
  const uint8_t *from = fuzz_take(&in, sizeof text - 1, &length);
  if (length > 0) memcpy(text, from, length);
  text[length] = '\0';
  world = (struct world){
      .known = (kind & 4) == 0,
      .quantity = {.value =
                       (kind & 8) != 0 ? NAN : (double) value * ((kind & 16) != 0 ? 1e12 : 0.5),
                   .whole = (double) whole,
                   .unit = (kind & 1) != 0 ? EXPR_DURATION : EXPR_NUMBER}};
  if (expr_parse(text, &expr, why, sizeof why, &column) != 0) {
    check_refusal(text, why, sizeof why, column);
    return 0;
  }
  require(strcmp(expr.text, text) == 0 && expr.name[0] != '\0', "an expression keeps its words");
  require(isfinite(expr.value), "a value is a number");
  check_eval(&expr, &world);
  return 0;
}
