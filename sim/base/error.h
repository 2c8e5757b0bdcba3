/* A failure on the host side: what to do, in a sentence, and the exit code it leads to.
 *
 *     if (broker_start(&broker, &config, &error) != 0) return error_wrap(&error, "broker '%s'",
 *     name);
 */
#ifndef FLEETSIM_ERROR_H
#define FLEETSIM_ERROR_H

/* The contract's exit codes. */
enum exit_code {
  EXIT_CODE_PASS = 0,
  EXIT_CODE_FAIL = 1,     /* an expectation or gate failed */
  EXIT_CODE_USAGE = 2,    /* usage error or invalid scenario */
  EXIT_CODE_SETUP = 3,    /* the world is not ready: broker not reachable, limits too low */
  EXIT_CODE_INTERNAL = 4, /* a fault of ours */
  EXIT_CODE_INTERRUPTED = 130,
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
