/* careless: an MQTT client over TLS that is strict, and can be told which of its checks to lack, to
   see that a hostile broker finds out just that. Never installed.

     careless --host H --port P --ca FILE [--cert FILE --key FILE] [--id ID] [--address A]
              [--skip CHECK]... [--pin FILE] [--trust-connack] [--no-deadline] [--timeout S]
              [--tls 1.0|1.1|1.2|1.3] [--mqtt 4|5] [--qos 0|1] [--subscribe] [--ping]

   It connects once, publishes one message, and says in one line why it ended. Exit code 0: published;
   1: it refused the server's certificate; 2: usage; 3: no connection, TLS or MQTT, or too late; 4: the
   server refused it. CHECK is one of judge.c. --pin FILE is a client that trusts one intermediate and
   no root; where there is no FILE, it keeps there the first that it sees under --ca. */
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "talk.h"

#define USAGE          2
#define DEADLINE_S     5
#define DEADLINE_MAX_S 3600

struct careless {
  struct judge judge;
  struct line line;
  struct talk talk;
  const char *pin;
  unsigned deadline_s; /* 0: none */
};

/* Options ---------------------------------------------------------------------------------------*/

static bool set_number(unsigned *out, const char *text, unsigned least, unsigned most)
{
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  *out = (unsigned) number;
  return *text && !*end && number >= least && number <= most;
}

static bool set_tls(struct judge *judge, const char *text)
{
  static const char *const texts[] = {"1.0", "1.1", "1.2", "1.3"};
  for (int i = 0; i < 4; i++) {
    if (strcmp(text, texts[i]) != 0) continue;
    judge->least_tls = judge->most_tls = TLS1_VERSION + i;
    return true;
  }
  return false;
}

static bool add_skip(struct judge *judge, const char *name)
{
  unsigned check = judge_check_named(name);
  judge->skips |= check;
  return check != 0;
}

static const struct option options[] = {
    {"host", 1, NULL, 'h'},      {"port", 1, NULL, 'p'},        {"ca", 1, NULL, 'a'},
    {"cert", 1, NULL, 'c'},      {"key", 1, NULL, 'k'},         {"id", 1, NULL, 'i'},
    {"address", 1, NULL, 'A'},   {"skip", 1, NULL, 's'},        {"pin", 1, NULL, 'P'},
    {"timeout", 1, NULL, 't'},   {"no-deadline", 0, NULL, 'T'}, {"tls", 1, NULL, 'v'},
    {"mqtt", 1, NULL, 'm'},      {"qos", 1, NULL, 'q'},         {"trust-connack", 0, NULL, 'r'},
    {"subscribe", 0, NULL, 'S'}, {"ping", 0, NULL, 'G'},        {NULL, 0, NULL, 0},
};

static bool set_option(struct careless *c, int key, const char *value)
{
  switch (key) {
  case 'h': c->judge.host = value; return true;
  case 'p': c->line.port = value; return true;
  case 'a': c->judge.anchors = value; return true;
  case 'c': c->line.certificate = value; return true;
  case 'k': c->line.key = value; return true;
  case 'i': c->talk.id = value; return strlen(value) <= TALK_ID_MAX;
  case 'A': c->line.address = value; return true;
  case 's': return add_skip(&c->judge, value);
  case 'P': c->pin = value; return true;
  case 't': return set_number(&c->deadline_s, value, 1, DEADLINE_MAX_S);
  case 'T': c->deadline_s = 0; return true;
  case 'v': return set_tls(&c->judge, value);
  case 'm': return set_number(&c->talk.version, value, 4, 5);
  case 'q': return set_number(&c->talk.qos, value, 0, 1);
  case 'r': c->talk.trusts_connack = true; return true;
  case 'S': c->talk.subscribes = true; return true;
  case 'G': c->talk.pings = true; return true;
  default: return false;
  }
}

/* 0, or USAGE with a line said. */
static int set_options(struct careless *c, int argc, char **argv)
{
  int key, place;
  while ((key = getopt_long(argc, argv, "", options, &place)) != -1) {
    if (key == '?') return USAGE;
    if (set_option(c, key, optarg)) continue;
    fprintf(stderr, "careless: --%s does not take '%s'\n", options[place].name, optarg);
    return USAGE;
  }
  if (!c->line.address) c->line.address = c->judge.host;
  bool is_whole = c->judge.host && c->line.port && c->judge.anchors && optind == argc;
  if (is_whole && !c->line.certificate == !c->line.key) return 0;
  fputs("careless: it takes --host, --port and --ca, and --cert with --key\n", stderr);
  return USAGE;
}

/* A run -----------------------------------------------------------------------------------------*/

static void give_up(int number)
{
  static const char said[] = "careless: the deadline has passed\n";
  (void) number;
  ssize_t unused = write(STDERR_FILENO, said, sizeof said - 1);
  (void) unused;
  _exit(LINE_FAILED);
}

static enum line_end run(struct careless *c)
{
  bool is_first = c->pin && access(c->pin, F_OK) != 0;
  c->judge.pin = is_first ? NULL : c->pin;
  enum line_end end = line_open(&c->line);
  if (end == LINE_OK && is_first && judge_keep_issuer(c->line.ssl, c->pin) != 0)
    end = line_fail(&c->line, LINE_FAILED, "cannot keep an intermediate in %s", c->pin);
  if (end == LINE_OK) end = talk_through(&c->talk);
  line_close(&c->line, end);
  return end;
}

int main(int argc, char **argv)
{
  struct careless c = {.talk = {.id = "careless", .version = 4, .qos = 1},
                       .deadline_s = DEADLINE_S};
  c.line.judge = &c.judge;
  c.talk.line = &c.line;
  if (set_options(&c, argc, argv) != 0) return USAGE;
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, give_up);
  alarm(c.deadline_s); /* 0 sets none */
  enum line_end end = run(&c);
  fprintf(stderr, "careless: %s\n", end == LINE_OK ? "published" : c.line.said);
  return (int) end;
}
