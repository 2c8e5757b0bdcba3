/* Where a run may send: every host of a scenario, each hook's too, is refused before any name is
 * looked up, and every name that passes is looked up before anything is sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage/allowed.h"
#include "world/world.h"

static struct scenario_target far_target = {"far.example"};
static const char *const far_word[] = {"far.example"};

/* --- A world of which only names are asked ---------------------------------------------------- */

/* IPv4 addresses that every name has. */
static const char *resolver_answer[2];
static unsigned resolver_asked;

static size_t resolve(struct world *world, const char *host, uint16_t port,
                      struct sockaddr_storage *out, size_t room, const char **why)
{
  (void) world;
  (void) host;
  (void) port;
  size_t count = 0;
  *why = "Name or service not known";
  resolver_asked++;
  for (; count < 2 && count < room && resolver_answer[count] != NULL; count++) {
    struct sockaddr_in *address = (struct sockaddr_in *) (void *) &out[count];
    memset(&out[count], 0, sizeof out[count]);
    address->sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, resolver_answer[count], &address->sin_addr), 1);
  }
  return count;
}

static const struct world_ops ops = {.resolve = resolve};
static struct world names = {&ops};

/* --- The set ---------------------------------------------------------------------------------- */

struct set {
  struct stage *stage;
  struct scenario *scenario;
  struct stage_options options;
};

static int set_up(void **state)
{
  struct set *set = calloc(1, sizeof *set);
  assert_non_null(set);
  set->stage = calloc(1, sizeof *set->stage);
  set->scenario = calloc(1, sizeof *set->scenario);
  assert_true(set->stage != NULL && set->scenario != NULL);
  set->stage->scenario = set->scenario;
  set->stage->options = &set->options;
  set->scenario->targets = &far_target;
  set->scenario->node_count = 1;
  strcpy(set->scenario->nodes[0].host, "localhost");
  set->stage->world = &names;
  resolver_answer[0] = "127.0.0.1";
  resolver_answer[1] = NULL;
  resolver_asked = 0;
  *state = set;
  return 0;
}

static int tear_down(void **state)
{
  struct set *set = *state;
  free(set->stage);
  free(set->scenario);
  free(set);
  return 0;
}

static void is_refused(struct set *set, const char *what, const char *words)
{
  set->stage->permit.count = 0;
  if (stage_check_allowed(set->stage) == 0) fail_msg("%s was allowed", what);
  const struct error *error = &set->stage->error;
  if (error->code != EXIT_CODE_SETUP)
    fail_msg("%s: exit code %d of '%s'", what, error->code, error->text);
  if (strstr(error->text, words) == NULL)
    fail_msg("%s: '%s' does not say '%s'", what, error->text, words);
}

static void is_allowed(struct set *set, const char *what)
{
  set->stage->permit.count = 0;
  if (stage_check_allowed(set->stage) != 0) fail_msg("%s: %s", what, set->stage->error.text);
}

/* Also where the broker itself is at hand, whose name would be looked up. */
static void no_hook_beyond_loopback_is_allowed_by_one_word_alone_and_no_name_is_looked_up(
    void **state)
{
  struct set *set = *state;
  for (int h = 0; h < HOOK_COUNT; h++) {
    const char *key = hook_key((enum hook_kind) h);
    strcpy(set->scenario->hook[h], "https://far.example:1/x");
    is_refused(set, key, "nothing was sent: far.example is not this machine");

    set->options.allowed_targets = far_word; /* the command line's word */
    set->options.allowed_count = 1;
    is_refused(set, key, "name it in the scenario's targets: list and pass");

    set->scenario->target_count = 1; /* the file's word */
    set->options.allowed_count = 0;
    is_refused(set, key, "(done) and pass --allow-target far.example");
    assert_int_equal(resolver_asked, 0);

    set->options.allowed_count = 1;
    is_allowed(set, key);
    assert_int_equal(resolver_asked, 1); /* localhost; who is named may be anywhere */
    resolver_asked = 0;
    set->options.allowed_count = set->scenario->target_count = 0;
    set->scenario->hook[h][0] = '\0';
  }
}

static void no_hook_may_lead_beyond_loopback_by_its_address(void **state)
{
  struct set *set = *state;
  strcpy(set->scenario->nodes[0].host, "far.example"); /* named by both: not looked up */
  set->options.allowed_targets = far_word;
  set->options.allowed_count = set->scenario->target_count = 1;
  resolver_answer[1] = "192.0.2.1";
  for (int h = 0; h < HOOK_COUNT; h++) {
    const char *key = hook_key((enum hook_kind) h);
    strcpy(set->scenario->hook[h], "http://localhost:1/x");
    is_refused(set, key, "localhost leads to 192.0.2.1, which is not this machine");
    set->scenario->hook[h][0] = '\0';
  }
}

static void a_command_is_its_authors_affair(void **state)
{
  struct set *set = *state;
  for (int h = 0; h < HOOK_COUNT; h++) strcpy(set->scenario->hook[h], "curl https://far.example/");
  is_allowed(set, "a command");
}

static void every_address_of_the_broker_is_asked_for(void **state)
{
  struct set *set = *state;
  set->scenario->node_count = 2;
  strcpy(set->scenario->nodes[1].host, "second.example");
  is_refused(set, "the second address", "second.example is not this machine");
  set->scenario->node_count = 1;
  strcpy(set->scenario->prove_host, "prove.example");
  is_refused(set, "the prove-url", "prove.example is not this machine");
  assert_int_equal(resolver_asked, 0);
}

/* A root of debootstrap, which many an image of a container is made of, has no /etc/hosts. */
static void where_localhost_has_no_address_nothing_begins_and_the_line_that_lacks_is_told(
    void **state)
{
  struct set *set = *state;
  const char *sentence = "cannot find the address of localhost: Name or service not known; add the "
                         "line '127.0.0.1 localhost' to /etc/hosts";
  struct sockaddr_storage at;
  resolver_answer[0] = NULL;
  is_refused(set, "a broker at localhost", sentence);
  assert_int_equal(stage_resolve(set->stage, "localhost", 8883, &at), -1);
  assert_string_equal(set->stage->error.text, sentence);
}

static void a_name_elsewhere_without_an_address_is_for_devices_to_find_out(void **state)
{
  struct set *set = *state;
  struct sockaddr_storage at;
  resolver_answer[0] = NULL;
  strcpy(set->scenario->nodes[0].host, "far.example");
  set->options.allowed_targets = far_word;
  set->options.allowed_count = set->scenario->target_count = 1;
  is_allowed(set, "a name that leads nowhere");
  assert_int_equal(stage_resolve(set->stage, "far.example", 8883, &at), -1);
  assert_string_equal(set->stage->error.text,
                      "cannot find the address of far.example: Name or service not known");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(no_hook_beyond_loopback_is_allowed_by_one_word_alone_and_no_name_is_looked_up),
      T(no_hook_may_lead_beyond_loopback_by_its_address),
      T(a_command_is_its_authors_affair),
      T(every_address_of_the_broker_is_asked_for),
      T(where_localhost_has_no_address_nothing_begins_and_the_line_that_lacks_is_told),
      T(a_name_elsewhere_without_an_address_is_for_devices_to_find_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
