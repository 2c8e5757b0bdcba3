/* A failure on the host side: what to do, in a sentence, and the exit code it leads to.
 *
 *     if (broker_start(&broker, &config, &error) != 0) return error_wrap(&error, "broker '%s'",
 *     name);
 */
#ifndef FLEETSIM_ERROR_H
#define FLEETSIM_ERROR_H

/* The contract's exit codes: symbol, number, when. */
/* clang-format off */
#define EXIT_CODES(X) \
  X(PASS,          0, "all expectations met") \
  X(FAIL,          1, "an expectation or gate failed") \
  X(USAGE,         2, "usage or scenario error") \
  X(SETUP,         3, "set-up failed: a broker cannot be reached, a limit is too low") \
  X(INTERNAL,      4, "internal error: a fault of fleetsim") \
  X(INTERRUPTED, 130, "interrupted")
/* clang-format on */

enum exit_code {
#define X(symbol, number, sentence) EXIT_CODE_##symbol = (number),
  EXIT_CODES(X)
#undef X
};

struct error {
  enum exit_code code;
  char text[1024];
};

/* Sets code and sentence, in which the user and password of a URL are masked; always returns -1, so
 * that it can be returned. `e` may be NULL. Control characters, which may come from what is quoted,
 * are taken out: a sentence is one line and leaves a terminal alone. */
int error_set(struct error *e, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What to do about an errno of want: ": raise the limit of open files (ulimit -n)"; "" for any
   other. */
const char *error_remedy(int system_error);

/* Puts "context: " before the sentence; always returns -1. */
int error_wrap(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
