/* fleetsim probe: what a broker can do and whether a device would get in, by some connections one
 * after the other. Exit code 0 says that one like that gets in, 3 that none does. */
#include "cli/asking.h"
#include "cli/verbs.h"

struct probe_line {
  struct asking_line asking;
  bool json;
};

#define TO(field) .offset = offsetof(struct probe_line, field)
static const struct args_option options[] = {
    {"ca", "FILE",
     "the roots that devices trust (PEM): one with these in its memory tries, and\n"
     "what it says of the broker's chain is what your devices will say",
     args_text, TO(asking.ca)},
    {"cert", "FILE", "a client's certificate, with its intermediates, as 'pki import' reads it",
     args_text, TO(asking.cert)},
    {"key", "FILE", "its key (default: in the same file)", args_text, TO(asking.key)},
    {"key-password-file", "FILE", "its first line is the passphrase of that key; mode 0600",
     args_text, TO(asking.key_password_file)},
    {"user", "NAME", "a user name", args_text, TO(asking.user)},
    {"password-file", "FILE", "its first line is the password; mode 0600", args_text,
     TO(asking.password_file)},
    {"client-id", "ID",
     "(default: fleetsim-probe) a session that the broker has under that id ends\n"
     "and is forgotten: name no device's that is at work",
     args_text, TO(asking.client_id)},
    {"server-name", "NAME", "what the certificate must carry, where that is not the URL's host",
     args_text, TO(asking.server_name)},
    {"alpn", "PROTOCOL", "to offer in TLS", args_text, TO(asking.alpn)},
    {"allow-target", "HOST", "permit that host beyond loopback", args_texts, TO(asking.targets),
     .most = ASKING_TARGETS_MAX},
    {"json", NULL, "for programs: one object, schema fleetsim-probe/1", args_flag, TO(json)},
    {0},
};
#undef TO

static int probe(const struct args *args, struct error *error)
{
  struct probe_line line = *(const struct probe_line *) args->given;
  struct asking asking;
  struct survey survey;
  enum device_failure why;
  const char *detail;
  line.asking.url = args->operand[0];
  int result = asking_open(&line.asking, &asking, error);
  if (result == 0) {
    result = survey_ask(&asking.question, &survey, error);
    if (result == 0 && line.json)
      asking_print_json(&asking, &survey, stdout);
    else if (result == 0)
      asking_print(&asking, &survey, stdout);
    if (result == 0 && !survey_lets_in(&survey, &why, &detail)) result = EXIT_CODE_SETUP;
    survey_release(&survey);
  }
  asking_close(&asking);
  return result;
}

const struct args_verb cli_probe = {
    .name = "probe",
    .line = "what a broker can do, without load: TLS, chain, tickets, MQTT, limits",
    .usage = "usage: fleetsim probe mqtts://HOST:PORT [options]\n\n",
    .options = options,
    .after = "\nexit codes: 0 a client like that gets in, 3 it does not\n",
    .example = "fleetsim probe mqtts://staging.example.com:8883 --ca roots.pem --cert "
               "one.crt --key one.key --allow-target staging.example.com",
    .operands_least = 1,
    .operands_most = 1,
    .operands = "name one broker by its URL; 'fleetsim probe --help' shows how",
    .size = sizeof(struct probe_line),
    .run = probe,
};
