/* fleetsim terminator: the process before a mosquitto (terminator/terminator.h). The broker room
 * starts it, with a line that nobody types: what cannot be taken is a fault of ours, and said all
 * the same. */
#include "terminator/terminator.h"
#include "cli/verbs.h"

#include <string.h>

struct terminator_line {
  const char *keys, *operator_name, *mosquitto;
  uint64_t tls_min, main_port, prove_port;
  bool crl, roster;
};

static void say_versions(void (*say)(void *ctx, const char *word), void *ctx)
{
  say(ctx, "12");
  say(ctx, "13");
}

#define TO(field) .offset = offsetof(struct terminator_line, field)
#define PORT      .least = 1, .most = UINT16_MAX, .needed = true
static const struct args_option options[] = {
    {"main-port", "PORT", "where it listens on 127.0.0.1", args_number, TO(main_port), PORT},
    {"prove-port", "PORT", "the same, for full handshakes", args_number, TO(prove_port), PORT},
    {"keys", "FOLDER", "where main.key, prove.key and tickets.key are (default: FOLDER)", args_text,
     TO(keys)},
    {"mosquitto", "FILE", "the program before which it stands", args_text, TO(mosquitto),
     .needed = true},
    {"tls-min", "12|13", "the lowest version of TLS (default: 13)", args_number, TO(tls_min),
     .least = 12, .most = 13, .words = say_versions},
    {"crl", NULL, "clients are checked against crl.pem", args_flag, TO(crl)},
    {"ids", NULL, "client ids are those of the file ids, not the CNs", args_flag, TO(roster)},
    {"operator", "CN", "who may connect under any client id", args_text, TO(operator_name)},
    {0},
};
#undef TO
#undef PORT

static int terminate(const struct args *args, struct error *error)
{
  const struct terminator_line *line = args->given;
  (void) error;
  const struct terminator_config config = {
      .folder = args->operand[0],
      .keys = line->keys,
      .port = {(uint16_t) line->main_port, (uint16_t) line->prove_port},
      .tls_min = (uint8_t) line->tls_min,
      .crl = line->crl,
      .roster = line->roster,
      .operator_name = line->operator_name,
      .mosquitto = line->mosquitto};
  return terminator_run(&config);
}

const struct args_verb cli_terminator = {
    .name = "terminator",
    .usage = "usage: fleetsim terminator FOLDER --main-port PORT --prove-port PORT --mosquitto "
             "FILE [options]\n\n"
             "A run starts this by itself where its scenario has 'broker: {terminator: {crl: "
             "live}}'.\n\n",
    .options = options,
    .example = "fleetsim terminator front --main-port 8883 --prove-port 8884 --mosquitto "
               "/usr/sbin/mosquitto",
    .operand = "FOLDER",
    .operands_least = 1,
    .operands_most = 1,
    .operands = "name one folder; 'fleetsim terminator --help' shows how",
    .size = sizeof(struct terminator_line),
    .defaults = &(const struct terminator_line){.tls_min = 13},
    .run = terminate,
};
