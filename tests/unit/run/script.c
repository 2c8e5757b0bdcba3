/* Reads the script of a trace line by line; what it does not know ends the test. */
#define _POSIX_C_SOURCE 200809L
#include "script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "site.h"
#include "virtual.h"

struct happening {
  char who[32], what[64];
  bool quiet; /* it is tried until that broker is there */
};

static void unknown(const char *line)
{
  fprintf(stderr, "the script of a trace says '%s', which script.h does not know\n", line);
  abort();
}

static bool happen_to_looks(struct broker *broker, const char *what)
{
  char word[16], from[16];
  bool closes = strstr(what, ", and closes on others") != NULL;
  if (strcmp(what, "wants its own names") == 0)
    site_want_names(broker);
  else if (strcmp(what, "wants known names") == 0)
    site_want_known(broker);
  else if (strcmp(what, "wants ids that begin with names") == 0)
    site_want_beginnings(broker);
  else if (strcmp(what, "closes on unknown names") == 0)
    site_slam(broker);
  else if (strcmp(what, "says nothing") == 0)
    site_say_nothing(broker);
  else if (strcmp(what, "balances") == 0)
    site_balance(broker);
  else if (strcmp(what, "takes ids from certificates") == 0)
    site_take_ids(broker, false);
  else if (strcmp(what, "takes over at once") == 0)
    site_take_ids(broker, true);
  else if (strcmp(what, "shields sessions") == 0)
    site_shield(broker);
  else if (strcmp(what, "kicks all at once") == 0)
    site_kick_all(broker);
  else if (strcmp(what, "bans whom it kicks") == 0)
    site_ban(broker);
  else if (sscanf(what, "admits %15[0-9] a minute", word) == 1)
    site_limit(broker, strstr(what, "of one id") != NULL ? SITE_IDS : SITE_CERTIFICATES,
               (unsigned) strtoul(word, NULL, 10), closes);
  else if (sscanf(what, "takes %15[0-9] looks in %15[0-9]s", word, from) == 2)
    site_limit_looks(broker, (unsigned) strtoul(word, NULL, 10), (unsigned) strtoul(from, NULL, 10),
                     closes);
  else if (strcmp(what, "is busy") == 0)
    site_be_busy(broker);
  else if (sscanf(what, "holds %15s for expired", word) == 1 && strstr(what, "expired") != NULL)
    site_spurn(broker, word, false);
  else if (sscanf(what, "closes on %15s", word) == 1)
    site_spurn(broker, word, true);
  else if (sscanf(what, "is %15[0-9.]s slow for %15s", word, from) == 2)
    site_be_slow_for(broker, from, (uint64_t) (strtod(word, NULL) * 1e6));
  else
    return false;
  return true;
}

static bool happen_to_chains(struct broker *broker, const char *what)
{
  static const char *const words[] = {[SITE_INSTALLS_LEAF] = "installs the leaf",
                                      [SITE_INSTALLS_LEAF_BEFORE_OLD] =
                                          "installs the leaf before old certificates",
                                      [SITE_INSTALLS_MORE] = "installs more"};
  if (strcmp(what, "has one file for both listeners") == 0) {
    site_share_chain(broker);
    return true;
  }
  for (size_t i = 1; i < sizeof words / sizeof *words; i++) {
    if (strcmp(what, words[i]) != 0) continue;
    site_install(broker, (enum site_installs) i);
    return true;
  }
  return false;
}

static bool happen_to_broker(struct broker *broker, const char *what)
{
  char word[16], time[16], user[32];
  if (strcmp(what, "dies") == 0)
    site_die(broker);
  else if (strcmp(what, "freezes") == 0 || strcmp(what, "thaws") == 0)
    site_freeze(broker, what[0] == 'f');
  else if (strcmp(what, "refuses") == 0 || strcmp(what, "listens") == 0)
    site_refuse(broker, what[0] == 'r');
  else if (strcmp(what, "is deaf") == 0)
    site_go_deaf(broker);
  else if (strcmp(what, "cuts telemetry") == 0)
    site_cut_telemetry(broker);
  else if (strcmp(what, "drops telemetry") == 0)
    site_drop_telemetry(broker);
  else if (strcmp(what, "keeps its chain") == 0)
    site_keep_chain(broker);
  else if (strcmp(what, "keeps nothing") == 0)
    site_keep_nothing(broker);
  else if (strcmp(what, "does not start") == 0)
    site_fail_start(broker);
  else if (strcmp(what, "loses its list") == 0)
    site_forget_lists(broker);
  else if (strcmp(what, "trusts its first clients") == 0)
    site_restore_roots(broker, true);
  else if (strcmp(what, "restarts with its first clients") == 0)
    site_restore_roots(broker, false);
  else if (strcmp(what, "goes back to the list before") == 0)
    site_go_back(broker);
  else if (strcmp(what, "forgets its clients") == 0)
    site_forget_roots(broker);
  else if (strcmp(what, "has a machine without the list") == 0)
    site_be_forgetful(broker);
  else if (strcmp(what, "has a machine that keeps its list") == 0)
    site_lag(broker);
  else if (strcmp(what, "reads its first list only") == 0)
    site_read_first(broker);
  else if (strcmp(what, "forgets the back office") == 0)
    site_forget_office(broker);
  else if (sscanf(what, "has no list for %15s", word) == 1)
    site_be_listless(broker, word);
  else if (sscanf(what, "leaves %31s off its list", user) == 1 && strstr(what, "off") != NULL)
    site_omit(broker, user);
  else if (sscanf(what, "reads its %15s %15[0-9.]s late", word, time) == 2)
    site_read_late(broker,
                   strcmp(word, "list") == 0      ? SITE_LISTS
                   : strcmp(word, "clients") == 0 ? SITE_CLIENTS
                                                  : SITE_CHAINS,
                   (uint64_t) (strtod(time, NULL) * 1e6));
  else if (sscanf(what, "forgets the password of %31s", user) == 1)
    site_forget_password(broker, user);
  else if (strcmp(what, "knows all passwords") == 0)
    site_forget_password(broker, "");
  else if (sscanf(what, "trusts %15s as well", word) == 1)
    site_trust(broker, word);
  else if (sscanf(what, "serves %15s", word) == 1)
    site_serve(broker, word);
  else if (sscanf(what, "keeps its chain for %15s", word) == 1)
    site_split(broker, word);
  else
    return happen_to_chains(broker, what) || happen_to_looks(broker, what);
  return true;
}

static unsigned asks; /* that the run has not heard so far */

static void ask(const char *what)
{
  if (strcmp(what, "pause") == 0)
    asks |= ONLOOKER_ASKS_PAUSE;
  else if (strcmp(what, "go-on") == 0)
    asks |= ONLOOKER_ASKS_GO_ON;
  else if (strcmp(what, "abort") == 0)
    asks |= ONLOOKER_ASKS_ABORT;
  else
    unknown(what);
}

static unsigned asked(void *ctx)
{
  (void) ctx;
  unsigned all = asks;
  asks = 0;
  return all;
}

static unsigned wants_nothing(void *ctx, uint64_t now_ms)
{
  (void) ctx, (void) now_ms;
  return 0;
}

static void see_nothing(void *ctx, unsigned wants, const struct onlooker_view *view)
{
  (void) ctx, (void) wants, (void) view;
}

const struct onlooker *script_onlooker(void)
{
  static const struct onlooker onlooker = {
      .wants = wants_nothing, .look = see_nothing, .asked = asked};
  return &onlooker;
}

static void happen(void *ctx)
{
  struct happening *it = ctx;
  char time[16], hook[32];
  struct broker *broker = site_find(it->who);
  if (broker == NULL && it->quiet) {
    clock_in(100, happen, it);
    return;
  }
  if (!it->quiet) trace_say(it->who, "%s", it->what);
  if (strcmp(it->who, "Ctrl-C") == 0)
    virtual_interrupt();
  else if (strcmp(it->who, "page") == 0)
    ask(it->what);
  else if (strcmp(it->who, "Enter") == 0)
    virtual_answer();
  else if (strcmp(it->who, "hook") == 0 && sscanf(it->what, "%31s does nothing", hook) == 1)
    site_hook_does_nothing(hook);
  else if (sscanf(it->what, "loses its connection for %15[0-9.]s", time) == 1)
    site_cut_office((uint64_t) (strtod(time, NULL) * 1e6));
  else if (broker == NULL || !happen_to_broker(broker, it->what))
    unknown(it->what);
  free(it);
}

static void plan(const char *words, double at_s, bool quiet)
{
  struct happening *it = calloc(1, sizeof *it);
  assert(it != NULL);
  it->quiet = quiet;
  if (sscanf(words, "%31s %63[^\n]", it->who, it->what) < 1) unknown(words);
  clock_in((uint64_t) (at_s * 1e6), happen, it);
}

static void read_line(const char *line)
{
  char words[128], hook[32], name[32], time[16];
  if (sscanf(line, "# at %15[0-9.]s: %127[^\n]", time, words) == 2)
    plan(words, strtod(time, NULL), false);
  else if (sscanf(line, "# always: %127[^\n]", words) == 1)
    plan(words, 0, true);
  else if (sscanf(line, "# hook %31[^:]: fails", hook) == 1 && strstr(line, ": fails") != NULL)
    site_hook_fails(hook);
  else if (sscanf(line, "# hook %31[^:]: skips %31s", hook, name) == 2)
    site_hook_skips(hook, name);
  else if (sscanf(line, "# hook %31[^:]: does", hook) == 1)
    site_hook_does_nothing(hook);
  else if (strncmp(line, "# no terminal", 13) == 0)
    virtual_without_terminal();
}

void script_begin(const char *text)
{
  asks = 0;
  for (const char *line = text; line != NULL && *line == '#';) {
    char one[160];
    size_t size = strcspn(line, "\n");
    snprintf(one, sizeof one, "%.*s", (int) size, line);
    read_line(one);
    line = line[size] == '\n' ? line + size + 1 : NULL;
  }
}
