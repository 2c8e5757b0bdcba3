/* The file's lines are sorted by their names and sought by each device's; one device without a password
 * ends the run before it begins, as it would be refused for that and nothing else. */
#define _POSIX_C_SOURCE 200809L
#include "stage/logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/secret.h"
#include "base/template.h"
#include "base/text.h"
#include "base/token.h"
#include "stage/device_names.h"

#define FILE_MAX       (64u << 20)
#define KEY_MAX        65536u
#define OPERATOR_USER  "operator"
#define OPERATOR_BYTES 24u /* of a password that a run draws for a broker of its own */

struct line {
  const char *name, *password;
  size_t number;
};

/* A password that is a token, and what was said in CONNECT. */
struct token_file {
  char *path;
  int64_t end_s, said_end_s;
  uint32_t serial, said_serial; /* how many there were before it */
  uint64_t print;               /* print_of the one in hand */
  bool renews;
};

struct stage_logins {
  char *text; /* of password-file; lines point into it */
  size_t text_size;
  struct line *lines;
  size_t line_count;
  size_t count;                       /* of devices that have theirs */
  char **user, **password;            /* per device, each malloc'd */
  struct token_file *token;           /* per device; NULL: they are none */
  char *operator;                     /* of operator.password-file */
  char drawn[2 * OPERATOR_BYTES + 1]; /* where the broker is the run's own */
};

static int no_memory(struct stage *stage)
{
  return error_set(&stage->error, EXIT_CODE_SETUP, "not enough memory for the devices' passwords");
}

static void forget(char *secret)
{
  if (secret != NULL) secret_wipe(secret, strlen(secret));
  free(secret);
}

/* The sentence is about what stands there in the scenario. */
static int refuse(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  return error_wrap(&stage->error, "%s:%d:%d", scenario->file, scenario->credentials.line,
                    scenario->credentials.column);
}

/* --- The file --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
  return strcmp(((const struct line *) a)->name, ((const struct line *) b)->name);
}

/* Takes the quotes off a field, "" in them is one (RFC 4180). False: they do not end. */
static bool unquote(char **field)
{
  char *from = *field, *to = *field;
  if (*from != '"') return true;
  from++;
  for (; *from != '\0'; *to++ = *from++) {
    if (*from != '"') continue;
    if (from[1] == '"')
      from++;
    else
      break;
  }
  bool ends = *from == '"' && from[1] == '\0';
  *to = '\0';
  return ends;
}

/* "NAME,PASSWORD"; the password is all that comes behind the first comma. */
static int take_line(struct stage *stage, char *text, size_t number, struct line *out)
{
  const char *path = stage->scenario->credentials.password;
  char *comma = text[0] == '"' ? strstr(text, "\",") : strchr(text, ',');
  if (comma != NULL && text[0] == '"') comma++;
  char *password = comma != NULL ? comma + 1 : NULL;
  if (comma != NULL) *comma = '\0';
  char *name = text;
  if (comma == NULL || !unquote(&name) || !unquote(&password) || name[0] == '\0')
    return error_set(&stage->error, EXIT_CODE_USAGE, "%s:%zu: this is no 'NAME,PASSWORD'", path,
                     number);
  if (password[0] == '\0' || strlen(password) > LOGIN_PASSWORD_MAX)
    return error_set(&stage->error, EXIT_CODE_USAGE,
                     "%s:%zu: the password of %s is empty, or longer than %u bytes", path, number,
                     name, LOGIN_PASSWORD_MAX);
  *out = (struct line){name, password, number};
  return 0;
}

static bool is_header(const char *text)
{
  return strcmp(text, "name,password") == 0 || strcmp(text, "id,password") == 0;
}

static int take_lines(struct stage *stage, struct stage_logins *logins)
{
  static const char mark[] = "\xef\xbb\xbf";
  char *rest = logins->text;
  if (strncmp(rest, mark, 3) == 0) rest += 3;
  for (size_t number = 1; *rest != '\0'; number++) {
    char *text = rest, *end = rest + strcspn(rest, "\r\n");
    rest = end + (end[0] == '\r' && end[1] == '\n' ? 2 : end[0] != '\0');
    *end = '\0';
    if (*text == '\0' || *text == '#' || (number == 1 && is_header(text))) continue;
    if (take_line(stage, text, number, &logins->lines[logins->line_count]) != 0) return -1;
    logins->line_count++;
  }
  qsort(logins->lines, logins->line_count, sizeof *logins->lines, by_name);
  for (size_t i = 1; i < logins->line_count; i++)
    if (by_name(&logins->lines[i - 1], &logins->lines[i]) == 0)
      return error_set(&stage->error, EXIT_CODE_USAGE, "%s: lines %zu and %zu are both of %s",
                       stage->scenario->credentials.password, logins->lines[i - 1].number,
                       logins->lines[i].number, logins->lines[i].name);
  return 0;
}

static int read_file(struct stage *stage, struct stage_logins *logins)
{
  size_t most = 1;
  if (secret_read(stage->scenario->credentials.password, "passwords", FILE_MAX, &logins->text,
                  &logins->text_size, &stage->error) != 0)
    return -1;
  for (const char *c = logins->text; *c != '\0'; c++) most += *c == '\n' || *c == '\r';
  logins->lines = calloc(most, sizeof *logins->lines);
  return logins->lines == NULL ? no_memory(stage) : take_lines(stage, logins);
}

/* --- The operator ----------------------------------------------------------------------------- */

static int refuse_operator(struct stage *stage)
{
  const struct scenario_operator *op = &stage->scenario->operator;
  return error_wrap(&stage->error, "%s:%d:%d", stage->scenario->file, op->line, op->column);
}

static int check_key(struct stage *stage, const char *path)
{
  size_t size;
  int fd = files_open(path, KEY_MAX, &size, &stage->error);
  if (fd < 0) return -1;
  int result = secret_check_mode(fd, path, "the private key", &stage->error);
  close(fd);
  return result;
}

/* The file's first line. */
static int read_operator(struct stage *stage, struct stage_logins *logins)
{
  const struct scenario_operator *op = &stage->scenario->operator;
  size_t size;
  if (op->key[0] != '\0' && check_key(stage, op->key) != 0) return refuse_operator(stage);
  if (op->password_file[0] == '\0') return 0;
  int result = secret_read(op->password_file, "the password", LOGIN_PASSWORD_MAX + 2,
                           &logins->operator, & size, &stage->error);
  if (result == 0) logins->operator[strcspn(logins->operator, "\r\n")] = '\0';
  if (result == 0 && logins->operator[0] != '\0') return 0;
  if (result == 0)
    error_set(&stage->error, EXIT_CODE_USAGE, "%s has no password in its first line",
              op->password_file);
  return refuse_operator(stage);
}

static bool is_own(const struct stage *stage)
{
  return scenario_broker_is(stage->scenario, BROKER_OWNED);
}

int stage_draw_operator(struct stage *stage)
{
  uint8_t random[OPERATOR_BYTES];
  if (stage->logins == NULL || !is_own(stage)) return 0;
  if (world_random(stage->world, random, sizeof random, &stage->error) != 0) return -1;
  text_hex(random, sizeof random, stage->logins->drawn);
  secret_wipe(random, sizeof random);
  return 0;
}

struct login stage_operator_login(const struct stage *stage)
{
  const struct stage_logins *logins = stage->logins;
  const struct scenario_operator *op = &stage->scenario->operator;
  if (logins == NULL) return (struct login){NULL, NULL};
  if (logins->drawn[0] != '\0') return (struct login){OPERATOR_USER, logins->drawn};
  if (op->user[0] == '\0') return (struct login){NULL, NULL};
  return (struct login){op->user, logins->operator};
}

/* --- Each device's ---------------------------------------------------------------------------- */

static const char *line_of(const struct stage_logins *logins, const char *name)
{
  const struct line *found = logins->line_count == 0
                                 ? NULL
                                 : bsearch(&(struct line){.name = name}, logins->lines,
                                           logins->line_count, sizeof *logins->lines, by_name);
  return found != NULL ? found->password : NULL;
}

struct column_wanted {
  const char *name;
  char *value; /* malloc'd; NULL: there is none */
};

static void take_column(void *ctx, const char *name, const char *value)
{
  struct column_wanted *wanted = ctx;
  if (strcmp(name, wanted->name) == 0 && wanted->value == NULL) wanted->value = strdup(value);
}

static int take_from_column(struct stage *stage, size_t device, const char *name, char **out)
{
  struct column_wanted wanted = {.name = stage->scenario->credentials.password};
  if (pki_device_columns(stage->pki, device, take_column, &wanted, &stage->error) != 0) return -1;
  *out = wanted.value;
  if (wanted.value != NULL && wanted.value[0] != '\0' && strlen(wanted.value) <= LOGIN_PASSWORD_MAX)
    return 0;
  error_set(&stage->error, EXIT_CODE_USAGE,
            "the fleet folder has no password of device %s in a column '%s': import the fleet from "
            "a list that has such a column",
            name, wanted.name);
  return refuse(stage);
}

static int take_from_file(struct stage *stage, const char *name, char **out)
{
  const char *found = line_of(stage->logins, name);
  if (found != NULL) return (*out = strdup(found)) != NULL ? 0 : no_memory(stage);
  error_set(&stage->error, EXIT_CODE_USAGE,
            "%s has no password of device %s: add a line '%s,PASSWORD'",
            stage->scenario->credentials.password, name, name);
  return refuse(stage);
}

/* FNV-1a: most others are told from it without a look at their texts. */
static uint64_t print_of(const char *text)
{
  uint64_t print = 0xcbf29ce484222325u;
  for (; *text != '\0'; text++) print = (print ^ (uint8_t) *text) * 0x100000001b3u;
  return print;
}

/* The file's first line. */
static int read_token(const char *path, char **out, struct error *error)
{
  size_t size;
  if (secret_read(path, "a token", LOGIN_PASSWORD_MAX + 2, out, &size, error) != 0) return -1;
  (*out)[strcspn(*out, "\r\n")] = '\0';
  if ((*out)[0] != '\0' && strlen(*out) <= LOGIN_PASSWORD_MAX) return 0;
  forget(*out);
  *out = NULL;
  error_set(error, EXIT_CODE_USAGE, "%s has no token of 1 to %u bytes in its first line", path,
            LOGIN_PASSWORD_MAX);
  return -1;
}

static int take_token(struct stage *stage, const struct template_values *values, size_t device)
{
  struct stage_logins *logins = stage->logins;
  struct token_file *token = &logins->token[device];
  char path[FILES_PATH_MAX];
  int size = template_expand(stage->scenario->credentials.password, values, path, sizeof path);
  if (size <= 0)
    error_set(&stage->error, EXIT_CODE_USAGE,
              "the path of device %s's token is empty or too long, or a column of it is missing",
              values->id);
  else if ((token->path = strdup(path)) == NULL)
    return no_memory(stage);
  else if (read_token(path, &logins->password[device], &stage->error) == 0) {
    token->end_s = token_end_s(logins->password[device]);
    token->print = print_of(logins->password[device]);
    return 0;
  }
  return refuse(stage);
}

static int expand(struct stage *stage, const char *from, const struct template_values *values,
                  size_t most, const char *what, char **out)
{
  char text[LOGIN_PASSWORD_MAX + 1];
  size_t lacking = 0;
  int size = template_expand(from, values, text, most + 1);
  if (size > 0) *out = strdup(text);
  secret_wipe(text, sizeof text);
  if (size > 0) return *out != NULL ? 0 : no_memory(stage);
  const char *place = size == TEMPLATE_LACKS ? template_lacking(from, values, &lacking) : "";
  if (lacking > 0)
    error_set(
        &stage->error, EXIT_CODE_USAGE,
        "the %s of device %s has a place %.*s, and the device has nothing for it: some are of "
        "no cohort, and a word other than {id}, {cn}, {index} and {cohort} is a column of the "
        "list that the fleet was made or imported from",
        what, values->id, (int) lacking, place);
  else
    error_set(&stage->error, EXIT_CODE_USAGE,
              "the %s of device %s is empty, or longer than %zu bytes", what, values->id, most);
  return refuse(stage);
}

static int give(void *ctx, size_t device, const struct template_values *values)
{
  struct stage *stage = ctx;
  struct stage_logins *logins = stage->logins;
  const struct scenario_credentials *of = &stage->scenario->credentials;
  logins->count = device + 1;
  if (expand(stage, of->user, values, LOGIN_USER_MAX, "user name", &logins->user[device]) != 0)
    return -1;
  char **password = &logins->password[device];
  switch (of->secret) {
  case SCENARIO_SECRET_NONE: return 0;
  case SCENARIO_SECRET_TEMPLATE:
    return expand(stage, of->password, values, LOGIN_PASSWORD_MAX, "password", password);
  case SCENARIO_SECRET_FILE: return take_from_file(stage, values->id, password);
  case SCENARIO_SECRET_COLUMN: return take_from_column(stage, device, values->id, password);
  case SCENARIO_SECRET_TOKEN: return take_token(stage, values, device);
  }
  return 0;
}

static int by_text(const void *a, const void *b)
{
  return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* mosquitto's file of passwords has a name in each line, before a ':'; its list of rights a line
   "user NAME". */
static int check_own(struct stage *stage)
{
  struct stage_logins *logins = stage->logins;
  size_t n = logins->count, twice = n;
  const char **sorted = calloc(n + 1, sizeof *sorted);
  if (sorted == NULL) return no_memory(stage);
  for (size_t i = 0; i < n; i++) sorted[i] = logins->user[i];
  qsort(sorted, n, sizeof *sorted, by_text);
  for (size_t i = 1; i < n && twice == n; i++)
    if (strcmp(sorted[i - 1], sorted[i]) == 0) twice = i;
  const char *same = twice < n ? sorted[twice] : NULL, *odd = NULL;
  for (size_t i = 0; i < n && odd == NULL; i++)
    if (strpbrk(logins->user[i], ": \t\r\n") != NULL || logins->user[i][0] == '#' ||
        strcmp(logins->user[i], OPERATOR_USER) == 0)
      odd = logins->user[i];
  if (same != NULL)
    error_set(&stage->error, EXIT_CODE_USAGE,
              "two devices have the user name '%s', and a local broker knows them apart by it: let "
              "{id} or {index} be in fleet.credentials.user",
              same);
  else if (odd != NULL)
    error_set(&stage->error, EXIT_CODE_USAGE,
              "a local mosquitto takes no user name '%s': no ':', space or '#' at its beginning, "
              "and '" OPERATOR_USER "' is the back office",
              odd);
  free(sorted);
  return same != NULL || odd != NULL ? refuse(stage) : 0;
}

/* --- From the start to the end ---------------------------------------------------------------- */

int stage_read_secrets(struct stage *stage)
{
  const struct scenario *scenario = stage->scenario;
  const struct scenario_credentials *of = &scenario->credentials;
  const struct scenario_operator *op = &scenario->operator;
  if (of->user[0] == '\0' && op->user[0] == '\0' && op->key[0] == '\0') return 0;
  stage->logins = calloc(1, sizeof *stage->logins);
  if (stage->logins == NULL) return no_memory(stage);
  if (read_operator(stage, stage->logins) != 0) return -1;
  if (of->secret == SCENARIO_SECRET_FILE && read_file(stage, stage->logins) != 0)
    return refuse(stage);
  if (of->secret != SCENARIO_SECRET_COLUMN || stage->options->fleet != NULL) return 0;
  error_set(&stage->error, EXIT_CODE_USAGE,
            "'password-column' is of a fleet that was imported: name it with --fleet DIR");
  return refuse(stage);
}

int stage_give_logins(struct stage *stage)
{
  struct stage_logins *logins = stage->logins;
  size_t n = stage->scenario->devices;
  if (logins == NULL || stage->scenario->credentials.user[0] == '\0') return 0;
  logins->user = calloc(n, sizeof *logins->user);
  logins->password = calloc(n, sizeof *logins->password);
  bool tokens = stage->scenario->credentials.secret == SCENARIO_SECRET_TOKEN;
  if (tokens) logins->token = calloc(n, sizeof *logins->token);
  if (logins->user == NULL || logins->password == NULL || (tokens && logins->token == NULL))
    return no_memory(stage);
  if (stage_describe_devices(stage, n, give, stage) != 0) return -1;
  if (!is_own(stage)) return 0;
  return check_own(stage);
}

void stage_forget_logins(struct stage *stage)
{
  struct stage_logins *logins = stage->logins;
  if (logins == NULL) return;
  for (size_t i = 0; i < logins->count; i++) {
    forget(logins->password[i]);
    free(logins->user[i]);
    if (logins->token != NULL) free(logins->token[i].path);
  }
  forget(logins->operator);
  if (logins->text != NULL) secret_wipe(logins->text, logins->text_size);
  free(logins->text);
  free(logins->lines);
  free(logins->user);
  free(logins->password);
  free(logins->token);
  secret_wipe(logins, sizeof *logins);
  free(logins);
  stage->logins = NULL;
}

/* --- Who asks --------------------------------------------------------------------------------- */

struct login stage_login(const struct stage *stage, size_t index)
{
  const struct stage_logins *logins = stage->logins;
  if (logins == NULL || logins->count == 0) return (struct login){NULL, NULL};
  return (struct login){logins->user[index], logins->password[index]};
}

struct stage_token stage_token(const struct stage *stage, size_t index)
{
  const struct token_file *token = &stage->logins->token[index];
  return (struct stage_token){.path = token->path,
                              .end_s = token->end_s,
                              .said_end_s = token->said_end_s,
                              .said_newest = token->said_serial == token->serial,
                              .renews = token->renews};
}

/* Another device has it in hand, and from a file of its own. */
static bool has_another(const struct stage_logins *logins, size_t index, const char *text)
{
  uint64_t print = print_of(text);
  for (size_t i = 0; i < logins->count; i++)
    if (i != index && logins->token[i].print == print && strcmp(logins->password[i], text) == 0 &&
        strcmp(logins->token[i].path, logins->token[index].path) != 0)
      return true;
  return false;
}

int stage_renew_token(struct stage *stage, size_t index, struct error *error)
{
  struct stage_logins *logins = stage->logins;
  struct token_file *token = &logins->token[index];
  char *now;
  if (read_token(token->path, &now, error) != 0) return -1;
  if (strcmp(now, logins->password[index]) == 0) {
    forget(now);
    return 0;
  }
  token->renews = token_renews(now, logins->password[index]) && !has_another(logins, index, now);
  token->print = print_of(now);
  forget(logins->password[index]);
  logins->password[index] = now;
  token->end_s = token_end_s(now);
  token->serial++;
  return 1;
}

static struct login login_of(const struct stage_whose *whose, size_t number)
{
  return stage_login(whose->stage, whose->devices != NULL ? whose->devices[number] : number);
}

static const char *user_of(void *whose, size_t number)
{
  return login_of(whose, number).user;
}

/* Not of clones, which have a fleet of their own. */
static void note_said(const struct stage_whose *whose, size_t number)
{
  struct stage_logins *logins = whose->stage->logins;
  if (logins->token == NULL || whose->devices != NULL) return;
  logins->token[number].said_end_s = logins->token[number].end_s;
  logins->token[number].said_serial = logins->token[number].serial;
}

static int password_of(void *of, size_t number, uint8_t out[DEVICE_PASSWORD_MAX])
{
  const struct stage_whose *whose = of;
  const char *password = login_of(whose, number).password;
  if (password == NULL) return -1;
  note_said(whose, number);
  size_t size = strlen(password);
  memcpy(out, password, size);
  return (int) size;
}

struct fleet_logins stage_fleet_logins(struct stage_whose *whose)
{
  if (whose->stage->scenario->credentials.user[0] == '\0')
    return (struct fleet_logins){.user = NULL};
  return (struct fleet_logins){.user = user_of, .password = password_of, .ctx = whose};
}

/* The operator comes first. */
static void get_account(void *ctx, size_t index, struct broker_account *out)
{
  struct stage *stage = ctx;
  *out = (struct broker_account){.login = stage_operator_login(stage)};
  if (index == 0) return;
  struct names_device names = names_of(stage->names, index - 1);
  *out = (struct broker_account){
      .login = stage_login(stage, index - 1), .root = names.root, .telemetry = names.telemetry};
}

struct broker_accounts stage_accounts(struct stage *stage)
{
  if (stage->scenario->credentials.user[0] == '\0') return (struct broker_accounts){.count = 0};
  return (struct broker_accounts){
      .count = stage->scenario->devices + 1, .get = get_account, .ctx = stage};
}
