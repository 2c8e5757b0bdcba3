/* Expressions of gates and expectations: one comparison over a named quantity.
 *
 *     NAME [ "(" ARGUMENT ")" ] OP VALUE [ "of" SET ] [ "within" DURATION ]
 *     online >= 99.9%            trusting(B) >= 99.9% of online within 60s
 *     devices.lost == 0          handshake.wall_ms.p99 < 2s failures(connect.tls.expired) == 0
 *     online == 100% - 2         ota.refused == 15 per device
 *
 * OP is == != < <= > >=. VALUE is a number, a percentage, or a duration (compared in the quantity's
 * unit). SET is the name of another quantity; a percentage is of its value instead of the
 * quantity's own whole. "- N" after a percentage takes N devices off it. "N per device" is N times
 * the fleet.
 */
#ifndef FLEETSIM_EXPR_H
#define FLEETSIM_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum expr_op { EXPR_EQ, EXPR_NE, EXPR_LT, EXPR_LE, EXPR_GT, EXPR_GE };
enum expr_unit { EXPR_NUMBER, EXPR_PERCENT, EXPR_DURATION /* value in milliseconds */ };

struct expr {
  char text[160]; /* as written */
  char name[64];
  char argument[64]; /* "" : none */
  enum expr_op op;
  double value; /* EXPR_PERCENT: 0..100; per device: 100 for each */
  enum expr_unit unit;
  bool per_device;    /* a percentage of all */
  double less;        /* of a percentage: so many devices fewer */
  char of[32];        /* "" : the quantity's own whole */
  uint64_t within_ms; /* 0: at once */
};

/* A quantity as the run sees it now. `whole` is what a percentage is of, 0 when it has none. */
struct expr_quantity {
  double value;
  double whole;
  enum expr_unit unit; /* EXPR_DURATION: `value` is in milliseconds */
};

/* 0, or -1 for an unknown name (or argument). */
typedef int (*expr_lookup)(void *ctx, const char *name, const char *argument,
                           struct expr_quantity *out);

/* Parses; on failure returns -1 and a sentence without position, and `*column` (from 0) where it
   went wrong. */
int expr_parse(const char *text, struct expr *out, char *why, size_t why_size, size_t *column);

/* Evaluates; `observed` receives what was seen, e.g. "987 of 1000 (98.7%)", "1.4 s", "0",
 * "1.32 per device (66 of 50)". An unknown name is false and says so. A percentage of nothing (whole
 * 0) is false. One that something is to equal (or not) is of whole devices, rounded up as the shares
 * of steps are: 5% of 50 are 3. */
bool expr_eval(const struct expr *expr, expr_lookup lookup, void *ctx, char *observed,
               size_t observed_size);

#endif
