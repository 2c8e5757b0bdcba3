/* What a mosquitto is told and what it says: mosquitto.conf, its version, its log. A file
 * that cannot be written, or a mosquitto that cannot be asked, is a sentence of the set-up.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/internal.h"
#include "broker/mosquitto.h"

enum { VERSION_TIMEOUT_MS = 5000, TAIL_BYTES = 8192, TAIL_LINES = 3 };

static uint64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* The first line that `mosquitto -h` prints; "" at its end without one. 0, or an errno. A signal is
 * no reason to give up.
 */
static int first_line(int fd, char *line, size_t capacity)
{
  const uint64_t until_ms = now_ms() + VERSION_TIMEOUT_MS;
  size_t size = 0;
  while (size < capacity - 1 && memchr(line, '\n', size) == NULL) {
    uint64_t now = now_ms();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int n = poll(&ready, 1, now < until_ms ? (int) (until_ms - now) : 0);
    ssize_t got = n > 0 ? read(fd, line + size, capacity - 1 - size) : n;
    if (n == 0) return ETIMEDOUT;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    size += (size_t) got;
  }
  line[size] = '\0';
  line[strcspn(line, "\n")] = '\0';
  return 0;
}

/* What it writes to its standard error is not for our user: 2.1 says there that it is
   "terminating". */
static pid_t start_help(struct broker *broker, int output)
{
  char *arguments[] = {mosquitto_of(broker)->path, "-h", NULL}, *environment[] = {NULL};
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null < 0) return -errno;
  const struct child_options options = {.file = mosquitto_of(broker)->path,
                                        .arguments = arguments,
                                        .environment = environment,
                                        .output = output,
                                        .errors = null};
  pid_t pid = child_start(&options);
  close(null);
  return pid;
}

static int read_version(struct broker *broker, struct error *error)
{
  int ends[2];
  char line[128] = "";
  if (pipe2(ends, O_CLOEXEC) != 0)
    return error_set(error, EXIT_CODE_SETUP, "mosquitto cannot be asked for its version (%s)%s",
                     strerror(errno), error_remedy(errno));
  pid_t pid = start_help(broker, ends[1]);
  close(ends[1]);
  int status = pid > 0 ? first_line(ends[0], line, sizeof line) : -pid;
  close(ends[0]);
  if (pid > 0) {
    kill(pid, SIGKILL);
    (void) child_wait(pid);
  }
  if (status != 0)
    return error_set(error, EXIT_CODE_SETUP, "%s -h cannot be run to learn its version (%s)%s",
                     mosquitto_of(broker)->path, strerror(status), error_remedy(status));
  const char *number = strstr(line, "version ");
  if (number == NULL)
    return error_set(error, EXIT_CODE_SETUP,
                     "%s -h does not print its version: reinstall mosquitto",
                     mosquitto_of(broker)->path);
  snprintf(broker->version, sizeof broker->version, "mosquitto %s", number + strlen("version "));
  return 0;
}

/* "mosquitto 2.1.2" or later; anything else is older. */
static bool is_from_2_1_on(const char *version)
{
  static const char name[] = "mosquitto ";
  if (strncmp(version, name, sizeof name - 1) != 0) return false;
  char *end;
  unsigned long major = strtoul(version + sizeof name - 1, &end, 10);
  if (*end != '.') return false;
  return major > 2 || (major == 2 && strtoul(end + 1, NULL, 10) >= 1);
}

/* Where mosquitto 2.1 keeps the plugin that reads an ACL file: from there on `acl_file` is
 * deprecated, and gone in 3.0. 2.0 has no such plugin. Looked for where a PREFIX/sbin/mosquitto has
 * its libraries. */
static bool find_acl_plugin(const struct broker *broker, char out[FILES_PATH_MAX])
{
  static const char *const places[] = {"lib", "lib/*", "lib64"};
  char real[PATH_MAX], pattern[PATH_MAX + 64];
  bool found = false;
  if (!is_from_2_1_on(broker->version) || realpath(mosquitto_of(broker)->path, real) == NULL)
    return false;
  for (int up = 0; up < 2 && strrchr(real, '/') != NULL; up++) *strrchr(real, '/') = '\0';
  for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
    glob_t paths;
    snprintf(pattern, sizeof pattern, "%s/%s/mosquitto_acl_file.so", real, places[i]);
    found = glob(pattern, 0, NULL, &paths) == 0 && strlen(paths.gl_pathv[0]) < FILES_PATH_MAX;
    if (found) strcpy(out, paths.gl_pathv[0]);
    globfree(&paths);
  }
  return found;
}

int mosquitto_find(struct broker *broker, struct error *error)
{
  if (!files_find_executable("mosquitto", mosquitto_of(broker)->path))
    return error_set(error, EXIT_CODE_SETUP,
                     "mosquitto is not installed: apt-get install mosquitto");
  return read_version(broker, error);
}

/* mosquitto started as root would become another user, who cannot read the 0600 keys; and changing
 * the user would also clear the parent-death signal. */
static const char *own_user_name(void)
{
  const struct passwd *entry = getpwuid(geteuid());
  return entry == NULL ? "root" : entry->pw_name;
}

/* The only listener behind a terminator. Who reaches it went through there, and has the user name
   that it gave. */
static void write_socket(FILE *out)
{
  fprintf(out, "\nlistener 0 mqtt.sock\nmax_connections -1\n");
}

/* Who shows a certificate need not say its name again, but where names come with passwords. */
static const char *manners(const struct broker_config *config)
{
  if (config->anyone || config->certificate_free) return "";
  return config->accounts.count > 0 ? "require_certificate true\n"
                                    : "require_certificate true\nuse_identity_as_username true\n";
}

static void write_listener(FILE *out, const struct broker *broker, enum broker_listener listener)
{
  const struct broker_names *names = broker->ops->names;
  fprintf(out,
          "\nlistener %u 127.0.0.1\n"
          "max_connections -1\n"
          "tls_version tlsv1.%d\n"
          "cafile %s/%s\n"
          "certfile %s/%s\n"
          "keyfile %s/%s\n"
          "%s",
          broker->port[listener], broker->config.tls_min == 12 ? 2 : 3, broker->folder,
          names->material[BROKER_CLIENT_CA], broker->folder, names->chain[listener], broker->keys,
          names->key[listener], manners(&broker->config));
  if (broker->config.crl)
    fprintf(out, "crlfile %s/%s\n", broker->folder, names->material[BROKER_CRLS]);
}

/* restart_timeout: by default mosquitto waits up to 30 s before it tries a peer again, which is
 * longer than a rehearsal; 2.0.11 was seen to be back 2 s after a loss with "1 2" and after 6 s
 * with a plain "1". try_private: the peer learns that this is a bridge and sends nothing back that
 * came from it. */
static void write_bridge(FILE *out, const struct broker *broker)
{
  const struct broker_bridge *bridge = &broker->config.bridge;
  char filter[NAMES_TOPIC_MAX];
  if (bridge->peer == NULL) return;
  fprintf(out,
          "\nconnection %s\n"
          "address %s:%u\n"
          "remote_clientid %s\n"
          "local_clientid %s-here\n"
          "cleansession false\n"
          "try_private true\n"
          "notifications false\n"
          "keepalive_interval 5\n"
          "restart_timeout 1 2\n"
          "bridge_cafile %s\nbridge_certfile %s\nbridge_keyfile %s\n"
          "bridge_tls_version tlsv1.%d\n",
          bridge->name, bridge->peer->config.host, bridge->peer->port[BROKER_MAIN], bridge->name,
          bridge->name, bridge->ca_path, bridge->certificate_path, bridge->key_path,
          broker->config.tls_min == 12 ? 2 : 3);
  for (size_t i = 0; names_cover(broker->config.names, i, filter); i++)
    fprintf(out, "topic %s both 1\n", filter);
}

/* No queue limit: a dropped message would be booked as telemetry that the devices lost. autosave 0:
 * the sessions are saved when mosquitto ends, and a stall by a save in between would be booked as
 * latency. */
static void write_globals(FILE *out, const struct broker *broker)
{
  fprintf(out,
          "user %s\n"
          "allow_anonymous %s\n"
          "persistence true\n"
          "persistence_location %s/\n"
          "autosave_interval 0\n"
          "max_queued_messages 0\n"
          "max_inflight_messages 0\n"
          "set_tcp_nodelay true\n"
          "log_dest file %s/" MOSQUITTO_LOG "\n"
          "log_type error\nlog_type warning\nlog_type notice\nlog_type information\n"
          "connection_messages true\n"
          "log_timestamp true\n"
          "log_timestamp_format %%Y-%%m-%%dT%%H:%%M:%%S\n",
          own_user_name(),
          broker->config.anyone || broker->config.terminator != NULL ? "true" : "false",
          broker->folder, broker->folder);
  char plugin[FILES_PATH_MAX];
  if (find_acl_plugin(broker, plugin))
    fprintf(out, "global_plugin %s\nplugin_opt_acl_file %s/" MOSQUITTO_ACL "\n", plugin,
            broker->folder);
  else
    fprintf(out, "acl_file %s/" MOSQUITTO_ACL "\n", broker->folder);
  if (broker->config.accounts.count > 0)
    fprintf(out, "password_file %s/" MOSQUITTO_PASSWORDS "\n", broker->keys);
}

int mosquitto_write_files(const struct broker *broker, struct error *error)
{
  if (mosquitto_write_acl(broker, error) != 0 || mosquitto_write_passwords(broker, error) != 0)
    return -1;
  if (mosquitto_has_ids(broker) && mosquitto_write_ids(broker, error) != 0) return -1;
  char path[FILES_PATH_MAX];
  broker_file(broker, MOSQUITTO_CONF, path);
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  write_globals(out, broker);
  for (int l = 0; l < BROKER_LISTENERS && broker->config.terminator == NULL; l++)
    write_listener(out, broker, (enum broker_listener) l);
  if (broker->config.terminator != NULL) write_socket(out);
  write_bridge(out, broker);
  int status = fclose(out) == 0 ? files_write(path, text, size, 0600, error)
                                : error_set(error, EXIT_CODE_INTERNAL, "out of memory");
  free(text);
  return status;
}

static long log_size(const struct broker *broker)
{
  char path[FILES_PATH_MAX];
  struct stat st;
  broker_file(broker, MOSQUITTO_LOG, path);
  return stat(path, &st) == 0 ? (long) st.st_size : 0;
}

static const char *without_time(const char *line)
{
  return isdigit((unsigned char) line[0]) && strlen(line) > 21 && line[19] == ':' ? line + 21
                                                                                  : line;
}

void mosquitto_log_tail(const struct broker *broker, long start, char *out, size_t capacity)
{
  out[0] = '\0';
  char path[FILES_PATH_MAX], text[TAIL_BYTES + 1];
  broker_file(broker, MOSQUITTO_LOG, path);
  FILE *log = fopen(path, "re");
  if (log == NULL) return;
  long from = log_size(broker) - TAIL_BYTES;
  fseek(log, from > start ? from : start, SEEK_SET);
  text[fread(text, 1, TAIL_BYTES, log)] = '\0';
  fclose(log);

  const char *last[TAIL_LINES] = {"", "", ""}, *end = "";
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    end = without_time(line);
    if (strncmp(end, "Error: ", 7) != 0) continue;
    memmove(last, last + 1, sizeof last - sizeof last[0]);
    last[TAIL_LINES - 1] = end;
  }
  if (last[TAIL_LINES - 1][0] == '\0' && strncmp(end, "Warning: ", 9) == 0)
    last[TAIL_LINES - 1] = end;
  size_t used = 0;
  for (int i = 0; i < TAIL_LINES; i++) {
    if (last[i][0] == '\0' || used >= capacity) continue;
    used += (size_t) snprintf(out + used, capacity - used, "%s%s", used == 0 ? "" : "; ", last[i]);
  }
}

const char *mosquitto_reload_log(const struct broker *broker)
{
  return broker->config.terminator != NULL ? TERMINATOR_LOG : MOSQUITTO_LOG;
}

static bool begins_with(const char *text, const char *words)
{
  return strncmp(text, words, strlen(words)) == 0;
}

bool mosquitto_says_reloaded(const struct broker *broker, const char *line)
{
  const char *words = without_time(line);
  if (broker->config.terminator == NULL) return strcmp(words, "Reloading config.\n") == 0;
  return begins_with(words, "certificates, keys and ") || begins_with(words, "not reloaded: ");
}
