/* The command is a shell's, in a process group of its own, which ends with the trial, and so does what it
 * started and what has left the group: no process of one trial meets the next. What it prints
 * goes to a file of the trial; its last line, and whether a sanitizer or a signal ended it, is kept. */
#define _GNU_SOURCE
#include "gauntlet/command.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child/child.h"
#include "pki/certificate.h"
#include "pki/key.h"

enum { COMMAND_MAX = 8192, NOT_FOUND = 127, NOT_EXECUTABLE = 126, TAIL = 16384 };

struct started {
  struct trial *trial;
  struct child child;
  char ca[FILES_PATH_MAX], out[FILES_PATH_MAX], log[FILES_PATH_MAX];
  char line[COMMAND_MAX];
};

/* --- What the command says -------------------------------------------------------------------- */

static const char *const placeholders[] = {"host", "port", "ca",  "cert",   "key",
                                           "id",   "url",  "out", "address"};
enum { PORT = 1, URL = 6, OUT = 7, PLACEHOLDERS = sizeof placeholders / sizeof *placeholders };

/* The placeholder that begins at the brace; -1: it is none. */
static int placeholder_at(const char *brace, size_t *size)
{
  for (int i = 0; i < PLACEHOLDERS; i++) {
    size_t n = strlen(placeholders[i]);
    if (strncmp(brace + 1, placeholders[i], n) != 0 || brace[1 + n] != '}') continue;
    *size = n + 2;
    return i;
  }
  return -1;
}

/* {word} that is none of ours would reach the client as it stands: most likely a slip. */
static int check_command(const char *text, struct error *error)
{
  bool reaches = false;
  for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
    size_t size = 0, word = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
    if (at[1] == '{') {
      at++;
      continue;
    }
    int which = placeholder_at(at, &size);
    reaches |= which == PORT || which == URL;
    bool shell = at > text && at[-1] == '$';
    if (which < 0 && !shell && word > 0 && at[1 + word] == '}')
      return error_set(
          error, EXIT_CODE_USAGE,
          "'%.*s' is none of {host} {port} {ca} {cert} {key} {id} {url} {out} {address}; write "
          "{%.*s for a brace of your own",
          (int) word + 2, at, (int) word + 2, at);
  }
  if (reaches) return 0;
  return error_set(error, EXIT_CODE_USAGE,
                   "the command names no {port} (or {url}): each trial has a server on a port of "
                   "its own, as in 'mosquitto_pub -h {host} -p {port} --cafile {ca} -t x -m y'");
}

static int add_text(char line[COMMAND_MAX], size_t *used, const char *text, size_t size)
{
  if (size >= COMMAND_MAX - *used) return -1;
  memcpy(line + *used, text, size);
  *used += size;
  line[*used] = '\0';
  return 0;
}

static int fill_in(const char *text, const char *const values[PLACEHOLDERS], char line[COMMAND_MAX])
{
  size_t used = 0;
  line[0] = '\0';
  for (const char *at = text; *at != '\0';) {
    size_t size = 1;
    bool doubled = at[0] == '{' && at[1] == '{';
    int which = at[0] == '{' && !doubled ? placeholder_at(at, &size) : -1;
    const char *value = which >= 0 ? values[which] : at;
    if (add_text(line, &used, value, which >= 0 ? strlen(value) : 1) != 0) return -1;
    at += doubled ? 2 : size;
  }
  return 0;
}

/* Whether {out} is a word's end, so that it is the very file; "{out}.bin" is another. */
static bool names_file(const char *text)
{
  for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
    size_t size = 0;
    if (at[1] == '{')
      at++;
    else if (placeholder_at(at, &size) == OUT && strchr(" \t\n\"';|&)<>", at[size]) != NULL)
      return true; /* strchr finds the end of the text, too */
  }
  return false;
}

/* Paths go into the command as they are, within quotes of the user's or without: what a shell or a client
 * would take apart must not be in them. */
static int check_folder(const char *folder, struct error *error)
{
  bool plain = folder[0] != '-';
  for (const char *c = folder; *c != '\0'; c++) {
    bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
    plain &= word || (unsigned char) *c >= 0x80 || strchr("/._+,@%:-", *c) != NULL;
  }
  if (plain) return 0;
  return error_set(
      error, EXIT_CODE_SETUP,
      "the folder for what the command is given, '%.200s', has a character in its name "
      "that a shell would take apart: set TMPDIR to one of letters and digits",
      folder);
}

/* --- What it is given ------------------------------------------------------------------------- */

int command_prepare(struct command_setting *command, const struct credentials *credentials,
                    struct error *error)
{
  X509 *client = credentials->client;
  if (check_command(command->text, error) != 0 || check_folder(command->folder, error) != 0 ||
      files_join(command->certificate, command->folder, "client.crt", error) != 0 ||
      files_join(command->key, command->folder, "client.key", error) != 0)
    return -1;
  return pki_cert_write(command->certificate, &client, 1, error) != 0
             ? -1
             : pki_key_write_new(command->key, credentials->client_key, error);
}

static int write_anchors(const struct trial *trial, const char *path, struct error *error)
{
  X509 *anchors[CASE_NAMES_MAX];
  size_t count = trial_anchors(trial, anchors);
  return pki_cert_write(path, anchors, count, error);
}

static int name_files(struct started *started, struct error *error)
{
  const struct command_setting *command = started->trial->setting->client_setting;
  char name[64];
  const char *const suffix[] = {"ca.crt", "out", "log"};
  char *const to[] = {started->ca, started->out, started->log};
  for (size_t i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "%03zu.%s", started->trial->number, suffix[i]);
    if (files_join(to[i], command->folder, name, error) != 0) return -1;
  }
  (void) files_remove(started->out, NULL); /* of an earlier try */
  return write_anchors(started->trial, started->ca, error);
}

static int word_command(struct started *started, struct error *error)
{
  const struct trial *trial = started->trial;
  const struct command_setting *command = trial->setting->client_setting;
  char port[8], url[300];
  snprintf(port, sizeof port, "%u", trial->port);
  snprintf(url, sizeof url, "https://%s:%s/firmware.bin", trial->host, port);
  const char *const values[PLACEHOLDERS] = {
      trial->host,        port, started->ca,  command->certificate, command->key,
      CREDENTIALS_CLIENT, url,  started->out, "127.0.0.1"};
  if (fill_in(command->text, values, started->line) == 0) return 0;
  return error_set(error, EXIT_CODE_USAGE, "the command is longer than %d bytes", COMMAND_MAX);
}

/* --- Its end ---------------------------------------------------------------------------------- */

/* Printable, without the blanks at its ends. */
static void keep_last_line(const char *text, size_t size, char *out, size_t room)
{
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' '))
    size--;
  size_t from = size, n = 0;
  while (from > 0 && text[from - 1] != '\n') from--;
  for (; from < size && n + 1 < room; from++)
    out[n++] = text[from] >= 0x20 && text[from] < 0x7f ? text[from] : '?';
  out[n] = '\0';
}

static void read_log(struct started *started)
{
  struct observation *seen = &started->trial->result->seen;
  static const char *const marks[] = {"ERROR: AddressSanitizer",
                                      "runtime error:", "ERROR: LeakSanitizer",
                                      "ERROR: MemorySanitizer", "WARNING: ThreadSanitizer"};
  static char tail[TAIL + 1];
  int fd = open(started->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  off_t end = lseek(fd, 0, SEEK_END);
  ssize_t n = pread(fd, tail, TAIL, end > TAIL ? end - TAIL : 0);
  close(fd);
  if (n <= 0) return;
  tail[n] = '\0';
  keep_last_line(tail, (size_t) n, seen->said_last, sizeof seen->said_last);
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    seen->sanitizer |= memmem(tail, (size_t) n, marks[i], strlen(marks[i])) != NULL;
}

/* The file goes with the trial: one of a flood is large. */
static enum observation_file look_at_file(const struct started *started)
{
  const struct command_setting *command = started->trial->setting->client_setting;
  const struct trial_setting *setting = started->trial->setting;
  enum observation_file file = OBSERVATION_NOTHING;
  uint8_t *data = NULL;
  struct stat status;
  if (!names_file(command->text)) return OBSERVATION_UNNAMED;
  if (lstat(started->out, &status) != 0) return OBSERVATION_NOTHING;
  if (!S_ISREG(status.st_mode)) return OBSERVATION_UNNAMED; /* a folder, or a link to elsewhere */
  if (status.st_size > 0) file = OBSERVATION_OTHER;
  size_t size = 0;
  if ((size_t) status.st_size == setting->image_size && setting->image_size > 0 &&
      files_read(started->out, setting->image_size, &data, &size, NULL) == 0 &&
      size == setting->image_size && memcmp(data, setting->image, size) == 0)
    file = OBSERVATION_IMAGE;
  free(data);
  return file;
}

static bool is_crash(int signal_number)
{
  return signal_number == SIGSEGV || signal_number == SIGABRT || signal_number == SIGBUS ||
         signal_number == SIGILL || signal_number == SIGFPE;
}

static void on_command_closed(struct child *child)
{
  struct started *started = child->data;
  struct trial *trial = started->trial;
  free(started);
  trial->client = NULL;
  trial_client_gone(trial);
}

static void on_command_ended(struct child *child, int status, int signal_number)
{
  struct started *started = child->data;
  struct trial *trial = started->trial;
  struct observation *seen = &trial->result->seen;
  bool by_itself = !trial->ending;
  read_log(started);
  enum observation_file file = look_at_file(started);
  (void) files_remove(started->out, NULL);
  if (by_itself) {
    seen->file = file;
    seen->left = child->left;
    seen->status = status;
    seen->signal = signal_number;
    /* a shell says so of a program that a signal ended */
    if (is_crash(signal_number) || (status > 128 && is_crash(status - 128))) seen->sanitizer = true;
    trial_client_done(trial);
  }
  child_close(child, on_command_closed);
}

/* A client is told a name and finds its own way: it must lead here. */
static int check_way(const char *host, struct error *error)
{
  struct addrinfo *found = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  bool here = false;
  if (getaddrinfo(host, NULL, &hints, &found) == 0)
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
      here |= ((const struct sockaddr_in *) (const void *) at->ai_addr)->sin_addr.s_addr ==
              htonl(INADDR_LOOPBACK);
  if (found != NULL) freeaddrinfo(found);
  if (here) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "the name %s does not lead to 127.0.0.1 here: a line '127.0.0.1 %s' in "
                   "/etc/hosts does that",
                   host, host);
}

static int start_command(struct trial *trial, struct error *error)
{
  struct started *started = calloc(1, sizeof *started);
  if (started == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory for a command");
  const struct command_setting *command = trial->setting->client_setting;
  bool led = strstr(command->text, "{address}") != NULL; /* it needs no name that leads here */
  if (!led && check_way(trial->host, error) != 0) {
    free(started);
    return -1;
  }
  started->trial = trial;
  started->child.data = started;
  trial->client = started;
  int log = -1;
  if (name_files(started, error) != 0 || word_command(started, error) != 0 ||
      (log = files_create(started->log, 0600, error)) < 0) {
    free(started);
    return -1;
  }
  char *const arguments[] = {"sh", "-c", started->line, NULL};
  const struct child_options options = {
      .file = "/bin/sh", .arguments = arguments, .output = log, .group = true, .whole = true};
  int status = child_spawn(trial->setting->loop, &started->child, &options, on_command_ended);
  close(log);
  if (status == 0) return 0;
  free(started);
  return error_set(error, EXIT_CODE_SETUP, "the command cannot be started: %s",
                   uv_strerror(status));
}

static void stop_command(struct trial *trial)
{
  struct started *started = trial->client;
  if (started != NULL && started->child.alive) child_kill(&started->child, SIGKILL);
}

const struct trial_client command_client = {.start = start_command, .stop = stop_command};
