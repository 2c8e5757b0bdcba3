/* How a verb asks a broker what it can do: its options, from the line to a question of
 * survey/survey.h. */
#ifndef FLEETSIM_CLI_ASKING_H
#define FLEETSIM_CLI_ASKING_H

#include "cli/args.h"
#include "pki/contents.h"
#include "scenario/url.h"
#include "survey/survey.h"

#define ASKING_TARGETS_MAX 16
#define ASKING_CLIENT_ID   "fleetsim-probe" /* where the line gives none */

/* What a line gives; NULL: it is not given. */
struct asking_line {
  const char *url, *server_name, *alpn;
  const char *ca, *cert, *key;   /* paths */
  const char *key_password_file; /* its first line is the key's passphrase */
  const char *user, *password_file, *client_id;
  struct args_texts targets; /* hosts beyond loopback that may be sent to */
};

/* All that a question points to. */
struct asking {
  char host[URL_HOST_MAX];
  struct permit permit;
  struct pki_contents own;
  STACK_OF(X509) * anchors;
  char *password;
  size_t password_size;
  struct survey_question question;
};

/* Nothing is sent. Refuses a URL that is none (USAGE), a host that may not be sent to (SETUP), roots
 * and certificates that no device can load (USAGE). To be closed in any case. */
int asking_open(const struct asking_line *line, struct asking *out, struct error *error);
void asking_close(struct asking *asking);

/* What a person is told of an answer, on `out`. */
void asking_print(const struct asking *asking, const struct survey *survey, FILE *out);

/* The same as one JSON object, schema "fleetsim-probe/1". */
void asking_print_json(const struct asking *asking, const struct survey *survey, FILE *out);

#endif
