/* A command that fails or takes too long is told on stderr: the device then stays as it is, and that
 * nobody comes says so. */
#define _GNU_SOURCE
#include "gauntlet/power.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child/child.h"

enum { OFF_MS = 2000, COMMAND_MS = 30000, COMMAND_ROOM = 4096 };

enum power_stage { POWER_AT_REST, POWER_GOES_OFF, POWER_IS_OFF, POWER_GOES_ON };

struct power {
  uv_loop_t *loop;
  const char *command;
  enum power_stage stage;
  struct child child;
  bool running, closing, timer_closed;
  uv_timer_t timer;
};

static void free_if_closed(struct power *power)
{
  if (power->closing && power->timer_closed && !power->running) free(power);
}

static void say_trouble(const char *what, int status)
{
  fprintf(stderr, "fleetsim gauntlet: the command of --power %s (%d)\n", what, status);
}

static void run_command(struct power *power, const char *word);

static void on_power_timer(uv_timer_t *timer)
{
  struct power *power = timer->data;
  if (power->running) {
    child_kill(&power->child, SIGKILL);
    return;
  }
  power->stage = POWER_GOES_ON;
  run_command(power, "on");
}

static void on_power_child_closed(struct child *child)
{
  struct power *power = child->data;
  power->running = false;
  if (power->closing) {
    free_if_closed(power);
    return;
  }
  uv_timer_stop(&power->timer);
  if (power->stage == POWER_GOES_OFF) {
    power->stage = POWER_IS_OFF;
    uv_timer_start(&power->timer, on_power_timer, OFF_MS, 0);
  } else {
    power->stage = POWER_AT_REST;
  }
}

static void on_power_ended(struct child *child, int status, int signal_number)
{
  if (status != 0) say_trouble("failed with exit code", status);
  if (signal_number != 0) say_trouble("was ended by signal", signal_number);
  child_close(child, on_power_child_closed);
}

static void run_command(struct power *power, const char *word)
{
  char line[COMMAND_ROOM];
  const char *at = strstr(power->command, POWER_WORD);
  snprintf(line, sizeof line, "%.*s%s%s", (int) (at - power->command), power->command, word,
           at + strlen(POWER_WORD));
  char *const arguments[] = {"sh", "-c", line, NULL};
  const struct child_options options = {
      .file = "/bin/sh", .arguments = arguments, .output = -1, .group = true};
  power->child.data = power;
  int status = child_spawn(power->loop, &power->child, &options, on_power_ended);
  power->running = status == 0;
  if (status != 0) {
    say_trouble("cannot be started", status);
    power->stage = POWER_AT_REST;
    return;
  }
  uv_timer_start(&power->timer, on_power_timer, COMMAND_MS, 0);
}

int power_open(uv_loop_t *loop, const char *command, struct power **out, struct error *error)
{
  *out = NULL;
  if (command == NULL) return 0;
  if (strstr(command, POWER_WORD) == NULL || strlen(command) + 4 > COMMAND_ROOM)
    return error_set(error, EXIT_CODE_USAGE,
                     "--power '%.100s' does not say " POWER_WORD
                     ": write it like 'usbswitch {on|off} 3'",
                     command);
  struct power *power = calloc(1, sizeof *power);
  if (power == NULL) return error_set(error, EXIT_CODE_INTERNAL, "no memory");
  power->loop = loop;
  power->command = command;
  uv_timer_init(loop, &power->timer);
  power->timer.data = power;
  *out = power;
  return 0;
}

bool power_cycle(struct power *power)
{
  if (power == NULL || power->stage != POWER_AT_REST) return false;
  power->stage = POWER_GOES_OFF;
  run_command(power, "off");
  return power->running;
}

static void on_power_timer_closed(uv_handle_t *handle)
{
  struct power *power = handle->data;
  power->timer_closed = true;
  free_if_closed(power);
}

void power_close(struct power *power)
{
  if (power == NULL || power->closing) return;
  power->closing = true;
  if (power->running) child_kill(&power->child, SIGKILL);
  uv_close((uv_handle_t *) &power->timer, on_power_timer_closed);
}
