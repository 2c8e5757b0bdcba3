/* fleetsim gauntlet --listen: real devices come to an address that nobody else is meant to reach, and
 * each has a report of its own. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "cli/gauntlet_line.h"
#include "gauntlet/guest_table.h"
#include "gauntlet/session.h"
#include "net/permit.h"
#include "report/painter.h"

static int take_address(const struct gauntlet_line *line, struct sockaddr_in *out,
                        struct error *error)
{
  char host[64];
  const char *colon = strrchr(line->listen, ':');
  char *end = NULL;
  unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
  snprintf(host, sizeof host, "%.*s", colon != NULL ? (int) (colon - line->listen) : 0,
           line->listen);
  *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
  if (port == 0 || port > 65535 || end == NULL || *end != '\0' ||
      inet_pton(AF_INET, host, &out->sin_addr) != 1)
    return error_set(
        error, EXIT_CODE_USAGE,
        "'%.80s' is no --listen: give an IPv4 address of this machine and a port, as in "
        "127.0.0.1:8883",
        line->listen);
  if (port + line->ports - 1 > 65535)
    return error_set(error, EXIT_CODE_USAGE,
                     "from port %lu on there are no %u ports up to 65535: give a lower port, or "
                     "fewer --ports",
                     port, (unsigned) line->ports);
  if (permit_is_loopback(host)) return 0;
  if (line->allow_listen != NULL && strcmp(line->allow_listen, host) == 0) return 0;
  return error_set(error, EXIT_CODE_SETUP,
                   "a hostile broker at %s could be reached by devices that are not yours to try: "
                   "if it is meant, say so twice, with --allow-listen %s as well",
                   host, host);
}

static void say_line(void *ctx, const char *text)
{
  (void) ctx;
  if (terminal_paints(STDERR_FILENO)) painter_clear(stderr);
  fprintf(stderr, "%s\n", text);
}

static bool shows_guests(const struct gauntlet_line *line)
{
  return !line->quiet && terminal_paints(STDERR_FILENO);
}

static void show_guests(void *ctx, const struct guest *guests, size_t count)
{
  char text[16384];
  struct error error;
  struct terminal terminal;
  struct gauntlet_task *task = ctx;
  (void) gauntlet_out_forget(&task->out,
                             &error); /* what it says is said when results are written */
  if (!shows_guests(task->line) || !terminal_look(STDERR_FILENO, &terminal) || !terminal.ready)
    return;
  size_t lines = guest_table(guests, count, terminal.columns, terminal.rows, text, sizeof text);
  painter_show(stderr, text, lines);
}

/* The folder of one of several devices. */
static void name_guest_folder(const struct guest *guest, size_t number, char *out, size_t size)
{
  const char *name = guest->name[0] != '\0' ? guest->name : guest->address;
  size_t n = 0;
  for (; name[n] != '\0' && n < 48 && n < size - 24; n++)
    out[n] = (char) (isalnum((unsigned char) name[n]) || (n > 0 && name[n] == '.') ? name[n] : '-');
  snprintf(out + n, size - n, "-%zu", number);
}

/* Each device has a report of its own; the exit code is that of the worst. */
static int tell_guests(struct gauntlet_task *task, struct session_outcome *outcome,
                       struct error *error)
{
  int worst = EXIT_CODE_PASS;
  for (size_t i = 0; i < outcome->count; i++) {
    struct guest *guest = &outcome->guest[i];
    char below[80] = "";
    if (outcome->count > 1) name_guest_folder(guest, i + 1, below, sizeof below);
    int code = gauntlet_tell(task, &guest->report, below, error);
    if (code < 0) return -1;
    if (code == EXIT_CODE_FAIL || worst == EXIT_CODE_PASS) worst = code;
  }
  return outcome->interrupted ? (int) EXIT_CODE_INTERRUPTED : worst;
}

int gauntlet_listen(struct gauntlet_task *task, struct error *error)
{
  const struct gauntlet_line *line = task->line;
  const struct gauntlet_options asked = gauntlet_asked(task);
  struct session_outcome *outcome = calloc(1, sizeof *outcome);
  struct session_options session = {
      .gauntlet = &asked,
      .ports = (unsigned) line->ports,
      .cases_by_port = line->cases_by_port,
      .keys = line->keys != NULL ? line->keys : "gauntlet.keys",
      .export = line->export,
      .power = line->power,
      .absent_ms = (uint32_t) line->absent_s * 1000,
      .give_up_ms = (uint32_t) line->give_up_s * 1000,
      .say = line->quiet ? NULL : say_line,
      .show = show_guests,
      .ctx = task,
  };
  if (outcome == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory");
  int result = take_address(line, &session.address, error);
  if (result == 0) result = session_run(&session, outcome, error);
  if (shows_guests(line)) painter_clear(stderr);
  if (result == 0) result = tell_guests(task, outcome, error);
  session_free(outcome);
  free(outcome);
  return result;
}
