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
#include "base/memory.h"
#include "base/process.h"
#include "cli/verbs.h"
#include "fleetsim/device.h"

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
  if (argc > 1 && strcmp(argv[1], "--version") == 0) {
    print_version();
    return EXIT_CODE_PASS;
  }
  if (argc > 1 && strcmp(argv[1], "help") == 0) argv[1] = "--help";
  return args_run(&cli_fleetsim, argc, argv);
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
