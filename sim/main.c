/* fleetsim: rehearse what happens to an IoT fleet before it happens. */
#define _POSIX_C_SOURCE 200809L
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>
#include <yaml.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/mask.h"
#include "base/memory.h"
#include "base/process.h"
#include "cli/verbs.h"
#include "fleetsim/device.h"

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *line;
} verbs[] = {
    {"run", verb_run, "rehearse a scenario: verdict, results.json, exit code"},
    {"check", verb_check, "validate a scenario and print its timetable, without running it"},
    {"report", verb_report, "print the summary of an earlier run again"},
    {"pki", verb_pki, "make, show, export and import certificate hierarchies and fleets"},
    {"image", verb_image, "make, sign, show and corrupt firmware images in MCUboot's format"},
    {"terminator", verb_terminator, NULL}, /* a run starts it: broker.terminator */
    {"calibrate", verb_calibrate,
     "list, show, compare, check and make timing profiles of a device's processor"},
};

static void print_help(FILE *out)
{
  fprintf(out, "fleetsim rehearses what happens to an IoT fleet before it happens.\n\n"
               "usage: fleetsim VERB [options]\n\n");
  for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++)
    if (verbs[v].line != NULL) fprintf(out, "  %-10s %s\n", verbs[v].name, verbs[v].line);
  fprintf(
      out,
      "\n  fleetsim VERB --help    options and an example\n"
      "  fleetsim --version      ours and every library's\n\n"
      "example: ./fleetsim run scenarios/root-ca-rotation.yaml\n\n"
      "exit codes: 0 all expectations met, 1 an expectation failed, 2 usage or scenario error,\n"
      "            3 set-up failed, 4 internal error, 130 interrupted\n");
}

static void print_version(void)
{
  printf("fleetsim %s\n", FLEETSIM_VERSION);
  printf("  Mbed TLS %s\n", device_builtin.tls_library);
  printf("  libuv %s\n", uv_version_string());
  printf("  %s\n", OpenSSL_version(OPENSSL_VERSION));
  printf("  libcurl %s\n", curl_version_info(CURLVERSION_NOW)->version);
  printf("  SQLite %s\n", sqlite3_libversion());
  printf("  jansson %s\n", JANSSON_VERSION);
  printf("  libyaml %s\n", yaml_get_version_string());
}

static int run_verb(int argc, char **argv)
{
  environment_begin();
  if (argc < 2) {
    print_help(stderr);
    return EXIT_CODE_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    print_help(stdout);
    return EXIT_CODE_PASS;
  }
  if (strcmp(argv[1], "--version") == 0) {
    print_version();
    return EXIT_CODE_PASS;
  }
  for (size_t v = 0; v < sizeof verbs / sizeof verbs[0]; v++)
    if (strcmp(argv[1], verbs[v].name) == 0) return verbs[v].run(argc - 1, argv + 1);
  char shown[200];
  fprintf(stderr, "fleetsim: there is no verb '%s'; 'fleetsim --help' lists them\n",
          mask_url(argv[1], shown, sizeof shown));
  return EXIT_CODE_USAGE;
}

/* Of an earlier write that failed no errno is left: the pipe itself is asked. */
static bool reader_has_gone(void)
{
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
  struct stat st;
  bool is_pipe = fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
  return is_pipe && poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

/* Whoever sends our words to a file and gets half of them must not read a 0. A pipe's reader that
 * has gone has read what he wanted. */
static int close_output(int code)
{
  errno = 0;
  bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
  if (!failed || errno == EPIPE || reader_has_gone()) return code;
  fprintf(stderr,
          "fleetsim: what was printed is not whole: standard output cannot be written%s%s; give it "
          "room\n",
          errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
  return code != EXIT_CODE_PASS ? code : EXIT_CODE_SETUP;
}

int main(int argc, char **argv)
{
  int failed = process_prepare();
  if (failed != 0) return EXIT_CODE_SETUP; /* there is nobody to tell */
  /* where it could not begin for want of memory, its next call would be a crash */
  if (OPENSSL_init_crypto(0, NULL) != 1 || OSSL_LIB_CTX_get0_global_default() == NULL)
    memory_gone("libcrypto");
  /* the exit code is the verdict, whether or not somebody reads to the end */
  signal(SIGPIPE, SIG_IGN);
  return close_output(run_verb(argc, argv));
}
