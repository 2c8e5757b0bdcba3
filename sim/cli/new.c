/* fleetsim new: a first scenario for a broker and a fleet that are there already. It looks at the
 * broker as one device of the list, writes what it saw, and says which commands come next; it makes
 * and imports nothing. What the line does not say is asked for where somebody sits at a terminal. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/files.h"
#include "base/product.h"
#include "base/secret.h"
#include "base/template.h"
#include "cli/asking.h"
#include "cli/new_story.h"
#include "cli/verbs.h"
#include "pki/certificate.h"
#include "pki/csv.h"

#define FILE_DEFAULT "first.yaml"
#define ANSWER_MAX   FILES_PATH_MAX

struct new_line {
  const char *broker, *csv, *password_file, *fleet, *topic, *server_name, *alpn, *kind;
  struct args_texts roots, targets;
  bool blind;
};

static void say_products(void (*say)(void *ctx, const char *word), void *ctx)
{
  for (size_t i = 0; i < product_count(); i++) say(ctx, product_at(i)->word);
}

#define TO(field) .offset = offsetof(struct new_line, field)
static const struct args_option options[] = {
    {"broker", "URL", "mqtts://HOST:PORT", args_text, TO(broker)},
    {"ca", "FILE",
     "the root that devices know the broker by (PEM); up to three times: the root in\n"
     "use, the one to move to, and one that is kept: a rotation takes all three",
     args_texts, TO(roots), .most = NEW_ROOTS},
    {"csv", "FILE",
     "the devices, as 'fleetsim pki import' takes them; of those that show no\n"
     "certificate: columns id and password or token (a file), and user where that is\n"
     "not the id",
     args_text, TO(csv)},
    {"kind", "KIND", "what stands there: mosquitto, rabbitmq, aedes or generic", args_text,
     TO(kind), .words = say_products},
    {"password-file", "FILE",
     "its first line is the passphrase of keys that are under one; mode 0600", args_text,
     TO(password_file)},
    {"fleet", "DIR", "where they will be imported to (default: fleets/ and FILE's name)", args_text,
     TO(fleet)},
    {"topic", "TEMPLATE", "where devices publish, as acme/v1/{id}/up", args_text, TO(topic)},
    {"server-name", "NAME", "what the certificate must carry, where that is not the URL's host",
     args_text, TO(server_name)},
    {"alpn", "PROTOCOL", "to offer in TLS", args_text, TO(alpn)},
    {"no-probe", NULL, "write it without a look at the broker", args_flag, TO(blind)},
    {"allow-target", "HOST", "permit a look at that host beyond loopback", args_texts, TO(targets),
     .most = ASKING_TARGETS_MAX},
    {0},
};
#undef TO

/* --- What the line does not say --------------------------------------------------------------- */

/* One line from the terminal; false: there is nobody, or he says nothing. */
static bool ask_for(const char *what, char answer[ANSWER_MAX])
{
  if (isatty(STDIN_FILENO) == 0) return false;
  fprintf(stderr, "%s: ", what);
  if (fgets(answer, ANSWER_MAX, stdin) == NULL) return false;
  answer[strcspn(answer, "\r\n")] = '\0';
  return answer[0] != '\0';
}

struct answers {
  char broker[ANSWER_MAX], ca[ANSWER_MAX], csv[ANSWER_MAX];
};

static int want(const char *option, const char *what, const char **value, char answer[ANSWER_MAX],
                struct error *error)
{
  if (*value != NULL) return 0;
  if (!ask_for(what, answer))
    return error_set(error, EXIT_CODE_USAGE, "--%s is missing: %s; --help shows an example", option,
                     what);
  *value = answer;
  return 0;
}

static int complete(struct new_line *line, struct answers *answers, struct error *error)
{
  const char *ca = line->roots.count > 0 ? line->roots.at[0] : NULL;
  if (want("broker", "the broker's address, mqtts://HOST:PORT", &line->broker, answers->broker,
           error) != 0 ||
      want("ca", "the file (PEM) of the root that devices know the broker by", &ca, answers->ca,
           error) != 0 ||
      want("csv", "the list (CSV) of the devices' keys and certificates", &line->csv, answers->csv,
           error) != 0)
    return -1;
  if (line->roots.count == 0) line->roots.at[line->roots.count++] = ca;
  return 0;
}

/* --- The list --------------------------------------------------------------------------------- */

struct listed {
  size_t devices;
  bool names;                                            /* it says what they are called */
  char certificate[FILES_PATH_MAX], key[FILES_PATH_MAX]; /* of the first; key empty: in one file */
  char first_id[PKI_CSV_CELL_MAX + 1];                   /* empty: its certificate's name is */
  /* devices that show none: templates over the list's columns .. */
  bool shows_none;
  char user[PKI_CSV_NAME_MAX + 3], password_column[PKI_CSV_NAME_MAX + 1],
      token_file[FILES_PATH_MAX];
  /* .. and what the first one says; of its password and the file with its token one is empty */
  char first_user[PKI_CSV_CELL_MAX + 1], first_password[PKI_CSV_CELL_MAX + 1];
  char first_token[FILES_PATH_MAX];
};

/* Paths are relative to the list. */
static int place(const char *list, const char *cell, char out[FILES_PATH_MAX], struct error *error)
{
  const char *slash = strrchr(list, '/');
  int folder = cell[0] == '/' || slash == NULL ? 0 : (int) (slash - list) + 1;
  if (snprintf(out, FILES_PATH_MAX, "%.*s%s", folder, list, cell) < FILES_PATH_MAX) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the path %.80s... is too long", cell);
}

/* The column that has one of these names, as it is written; -1: none. */
static int find_column(const struct pki_csv *csv, const char *const names[])
{
  for (size_t k = 0; names[k] != NULL; k++)
    for (size_t i = 0; i < csv->columns; i++)
      if (strcasecmp(csv->name[i], names[k]) == 0) return (int) i;
  return -1;
}

/* How the devices log in, and the first of them. A path of the list is relative to it. */
static int take_first_login(const struct pki_csv *csv, struct listed *out, struct error *error)
{
  static const char *const users[] = {"user", "username", "login", NULL},
                           *const passwords[] = {"password", "passwd", NULL},
                           *const tokens[] = {"token", "token-file", "token_file", NULL};
  int user = find_column(csv, users), password = find_column(csv, passwords),
      token = find_column(csv, tokens);
  const char *id = pki_csv_cell(csv, PKI_CSV_ID);
  if (id[0] == '\0' || (password < 0 && token < 0))
    return error_set(
        error, EXIT_CODE_USAGE,
        "%.200s:1: the list says neither where the devices' keys and certificates are "
        "(columns key and certificate) nor how they log in (columns id and password or "
        "token, and user where that is not the id)",
        csv->path);
  snprintf(out->user, sizeof out->user, "{%s}", user < 0 ? "id" : csv->name[user]);
  snprintf(out->first_id, sizeof out->first_id, "%s", id);
  snprintf(out->first_user, sizeof out->first_user, "%s", user < 0 ? id : csv->field[user]);
  if (password >= 0) {
    snprintf(out->password_column, sizeof out->password_column, "%s", csv->name[password]);
    snprintf(out->first_password, sizeof out->first_password, "%s", csv->field[password]);
    return 0;
  }
  char column[PKI_CSV_NAME_MAX + 3];
  snprintf(column, sizeof column, "{%s}", csv->name[token]);
  if (place(csv->path, csv->field[token], out->first_token, error) != 0) return -1;
  if (csv->field[token][0] != '/') return place(csv->path, column, out->token_file, error);
  snprintf(out->token_file, sizeof out->token_file, "%s", column);
  return 0;
}

static int take_first(const struct pki_csv *csv, struct listed *out, struct error *error)
{
  out->shows_none =
      csv->columns > 0 && csv->column[PKI_CSV_KEY] < 0 && csv->column[PKI_CSV_CERTIFICATE] < 0;
  if (out->shows_none) return take_first_login(csv, out, error);
  snprintf(out->first_id, sizeof out->first_id, "%s", pki_csv_cell(csv, PKI_CSV_ID));
  const char *key = pki_csv_cell(csv, PKI_CSV_KEY);
  const char *certificate = pki_csv_cell(csv, PKI_CSV_CERTIFICATE);
  if (certificate[0] == '\0') certificate = key, key = "";
  if (place(csv->path, certificate, out->certificate, error) != 0) return -1;
  return key[0] == '\0' ? 0 : place(csv->path, key, out->key, error);
}

static int count_devices(struct pki_csv *csv, struct listed *out, struct error *error)
{
  int more = 0;
  while ((more = pki_csv_next(csv, error)) > 0) {
    if (out->devices++ == 0 && take_first(csv, out, error) != 0) return -1;
    out->names = pki_csv_cell(csv, PKI_CSV_ID)[0] != '\0';
  }
  if (more < 0) return error_wrap(error, "%.200s:%zu", csv->path, csv->line);
  if (out->devices > 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "%.200s names no device", csv->path);
}

static int read_list(const char *path, struct listed *out, struct error *error)
{
  struct pki_csv csv;
  *out = (struct listed){.devices = 0};
  if (pki_csv_open(path, &csv, error) != 0) return -1;
  int result = pki_csv_begin_keyless(&csv, NULL, error);
  if (result == 0) result = count_devices(&csv, out, error);
  pki_csv_close(&csv);
  return result;
}

/* --- The broker ------------------------------------------------------------------------------- */

/* The look, told on stdout and kept for the file. */
static int look(const struct asking *asking, struct new_story *story, char **seen,
                struct error *error)
{
  struct survey survey;
  enum device_failure why;
  const char *detail;
  size_t size = 0;
  printf("looks as '%s', the list's first: a session that the broker has under that id ends\n",
         asking->question.visitor.client_id);
  fflush(stdout);
  int result = survey_ask(&asking->question, &survey, error);
  FILE *text = result == 0 ? open_memstream(seen, &size) : NULL;
  if (text != NULL) {
    asking_print(asking, &survey, text);
    (void) fclose(text);
    fputs(*seen, stdout);
    const struct survey_look *best = survey_best(&survey);
    story->tls_12 = best == &survey.tls[SURVEY_TLS_12];
    story->mqtt_4 = best != NULL && best->failure != DEVICE_FAIL_NONE && survey.has_old &&
                    survey.old.failure == DEVICE_FAIL_NONE;
    story->seen = *seen;
    story->lets_in = survey_lets_in(&survey, &why, &detail);
  }
  survey_release(&survey);
  return result;
}

/* Where the list has no ids a device's is its certificate's name. */
static void take_name(struct asking *asking, char name[PKI_CERT_TITLE])
{
  const STACK_OF(X509) *chain = asking->question.visitor.chain;
  if (sk_X509_num(chain) < 1) return;
  pki_cert_common_name(X509_get_subject_name(sk_X509_value(chain, 0)), name, PKI_CERT_TITLE);
  if (name[0] != '\0') asking->question.visitor.client_id = name;
}

static int ask_broker(const struct new_line *line, const struct listed *listed,
                      struct new_story *story, char **seen, struct error *error)
{
  struct asking asking;
  bool none = listed->shows_none;
  const struct asking_line words = {
      .url = line->broker,
      .server_name = line->server_name,
      .alpn = line->alpn,
      .ca = line->roots.at[0],
      .cert = none ? NULL : listed->certificate,
      .key = listed->key[0] != '\0' ? listed->key : NULL,
      .key_password_file = line->password_file,
      .user = none ? listed->first_user : NULL,
      .password_file = listed->first_token[0] != '\0' ? listed->first_token : NULL,
      .client_id = listed->first_id[0] != '\0' ? listed->first_id : NULL,
      .targets = line->targets};
  char name[PKI_CERT_TITLE] = "";
  int result = asking_open(&words, &asking, error);
  if (result == 0 && words.client_id == NULL) take_name(&asking, name);
  if (result == 0 && listed->first_password[0] != '\0')
    asking.question.visitor.login.password = listed->first_password;
  if (result == 0) result = look(&asking, story, seen, error);
  asking_close(&asking);
  return result;
}

/* --- The file --------------------------------------------------------------------------------- */

/* It stands in comments and between quotes. */
static int check_quotable(const char *option, const char *text, struct error *error)
{
  for (const char *c = text; c != NULL && *c != '\0'; c++)
    if ((unsigned char) *c < ' ' || *c == '"' || *c == '\\' || *c == '\x7f')
      return error_set(error, EXIT_CODE_USAGE,
                       "%s: a quote, a backslash or a control character cannot be written into a "
                       "scenario",
                       option);
  return 0;
}

static int check_topic(const char *topic, struct error *error)
{
  unsigned has;
  if (topic == NULL) return 0;
  if (template_check(topic, TEMPLATE_BIT(TEMPLATE_PLACES) - 1, &has, error) != 0)
    return error_wrap(error, "--topic");
  if (has != 0) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "--topic '%.80s' is the same for all devices: let {id} be in it", topic);
}

static int check_texts(const struct new_line *line, const char *file, struct error *error)
{
  for (size_t i = 0; i < line->roots.count; i++)
    if (check_quotable("--ca", line->roots.at[i], error) != 0) return -1;
  if (check_quotable("--csv", line->csv, error) != 0 ||
      check_quotable("--password-file", line->password_file, error) != 0 ||
      check_quotable("--fleet", line->fleet, error) != 0 ||
      check_quotable("--topic", line->topic, error) != 0 ||
      check_quotable("--alpn", line->alpn, error) != 0 ||
      check_quotable("the file's name", file, error) != 0)
    return -1;
  if (access(file, F_OK) == 0)
    return error_set(error, EXIT_CODE_USAGE,
                     "%s exists already and is not overwritten: name another file", file);
  return check_topic(line->topic, error);
}

/* fleets/STEM of STEM.yaml. */
static void name_folder(const char *file, char out[FILES_PATH_MAX])
{
  const char *slash = strrchr(file, '/'), *name = slash != NULL ? slash + 1 : file;
  const char *dot = strrchr(name, '.');
  int size = dot != NULL && dot != name ? (int) (dot - name) : (int) strlen(name);
  snprintf(out, FILES_PATH_MAX, "fleets/%.*s", size, name);
}

static int write_story(const struct new_story *story, struct error *error)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a scenario");
  new_story_write(story, out);
  (void) fclose(out);
  int result = files_write(story->file, text, size, 0644, error);
  free(text);
  return result;
}

static int write_for(const struct new_line *line, const struct listed *listed, const char *file,
                     struct error *error)
{
  char folder[FILES_PATH_MAX], host[URL_HOST_MAX], why[300], *seen = NULL;
  uint16_t port;
  if (url_split(line->broker, host, &port, why, sizeof why) != 0)
    return error_set(error, EXIT_CODE_USAGE, "the broker's url %s", why);
  name_folder(file, folder);
  struct new_story story = {.file = file,
                            .url = line->broker,
                            .host = host,
                            .port = port,
                            .server_name = line->server_name,
                            .alpn = line->alpn,
                            .csv = line->csv,
                            .password_file = line->password_file,
                            .names = listed->names,
                            .devices = listed->devices,
                            .fleet = line->fleet != NULL ? line->fleet : folder,
                            .topic = line->topic,
                            .kind = line->kind,
                            .lets_in = true};
  for (size_t i = 0; i < line->roots.count; i++) story.root[i] = line->roots.at[i];
  if (listed->shows_none) {
    story.user = listed->user;
    if (listed->token_file[0] != '\0') story.token_file = listed->token_file;
    if (listed->password_column[0] != '\0') story.password_column = listed->password_column;
  }
  int result = line->blind ? 0 : ask_broker(line, listed, &story, &seen, error);
  if (result == 0) result = write_story(&story, error);
  if (result == 0) new_story_tell(&story, stdout);
  free(seen);
  return result != 0 || story.lets_in ? result : EXIT_CODE_SETUP;
}

static int make_scenario(const struct args *args, struct error *error)
{
  struct new_line line = *(const struct new_line *) args->given;
  const char *file = args->operand_count > 0 ? args->operand[0] : FILE_DEFAULT;
  struct answers answers;
  static struct listed listed; /* 16 KiB of texts */
  if (line.kind != NULL && product_find(line.kind) == NULL)
    return error_set(error, EXIT_CODE_USAGE,
                     "--kind is mosquitto, rabbitmq, aedes or generic, not '%.40s'", line.kind);
  if (complete(&line, &answers, error) != 0 || check_texts(&line, file, error) != 0 ||
      read_list(line.csv, &listed, error) != 0)
    return -1;
  int result = write_for(&line, &listed, file, error);
  secret_wipe(&listed, sizeof listed);
  return result;
}

const struct args_verb cli_new = {
    .name = "new",
    .line = "a first scenario for your broker and your devices, with the commands that come next",
    .usage = "usage: fleetsim new [FILE.yaml] --broker URL --ca FILE --csv FILE [options]\n\n",
    .options = options,
    .after = "\nexit codes: 0 written, 3 written, but the broker does not let such a device in\n",
    .example = "fleetsim new first.yaml --broker mqtts://staging.example.com:8883 --ca root.pem "
               "--csv devices.csv --allow-target staging.example.com",
    .operand = "FILE",
    .operands_least = 0,
    .operands_most = 1,
    .operands = "name one file to write; 'fleetsim new --help' shows how",
    .size = sizeof(struct new_line),
    .run = make_scenario,
};
