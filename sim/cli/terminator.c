/* fleetsim terminator: the process before a mosquitto (terminator/terminator.h). The broker room
   starts it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/verbs.h"
#include "terminator/terminator.h"

enum { FOLDER = 1, TLS_MIN, MAIN_PORT, PROVE_PORT, CRL, OPERATOR, MOSQUITTO, ARGUMENTS };

static bool take_port(const char *text, uint16_t *port)
{
  char *end = NULL;
  unsigned long value = strtoul(text, &end, 10);
  *port = (uint16_t) value;
  return *end == '\0' && value >= 1 && value <= UINT16_MAX;
}

int verb_terminator(int argc, char **argv)
{
  struct terminator_config config;
  if (argc != ARGUMENTS) {
    fputs(
        "usage: fleetsim terminator FOLDER 12|13 MAIN-PORT PROVE-PORT crl|- OPERATOR|- "
        "MOSQUITTO\n\n"
        "A run starts this by itself where its scenario has 'broker: {terminator: {crl: live}}'.\n",
        stderr);
    return EXIT_CODE_USAGE;
  }
  config = (struct terminator_config){.folder = argv[FOLDER],
                                      .tls_min = strcmp(argv[TLS_MIN], "12") == 0 ? 12 : 13,
                                      .crl = strcmp(argv[CRL], "crl") == 0,
                                      .operator_name =
                                          strcmp(argv[OPERATOR], "-") == 0 ? NULL : argv[OPERATOR],
                                      .mosquitto = argv[MOSQUITTO]};
  if (!take_port(argv[MAIN_PORT], &config.port[0]) ||
      !take_port(argv[PROVE_PORT], &config.port[1])) {
    fputs("fleetsim terminator: a port is a number from 1 to 65535\n", stderr);
    return EXIT_CODE_USAGE;
  }
  return terminator_run(&config);
}
