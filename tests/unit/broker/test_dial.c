/* Where a name may lead. "Beyond this machine" is ::ffff:127.0.0.1 here: no loopback by our rule,
 * and whoever connects to it all the same is seen by the listener at 127.0.0.1, not by somebody
 * else's machine. */
#define _GNU_SOURCE
#include "rig.h"

#include "resolver.h"

#include "broker/dial.h"

struct listener {
  uv_tcp_t tcp, client;
  unsigned taken;
  uint16_t port;
  char from[INET_ADDRSTRLEN];
  char to[INET_ADDRSTRLEN]; /* who came last */
};

static void on_connection(uv_stream_t *stream, int status)
{
  struct listener *listener = stream->data;
  assert_int_equal(status, 0);
  listener->taken++;
  uv_tcp_init(stream->loop, &listener->client);
  uv_accept(stream, (uv_stream_t *) &listener->client);
  struct sockaddr_in peer;
  int size = sizeof peer;
  uv_tcp_getpeername(&listener->client, (struct sockaddr *) &peer, &size);
  uv_ip4_name(&peer, listener->from, sizeof listener->from);
  uv_tcp_getsockname(&listener->client, (struct sockaddr *) &peer, &size);
  uv_ip4_name(&peer, listener->to, sizeof listener->to);
  uv_close((uv_handle_t *) &listener->client, NULL);
}

static const char *listen_at = "127.0.0.1";

static void listen_on(struct rig *rig, struct listener *listener)
{
  struct sockaddr_in address;
  int size = sizeof address;
  *listener = (struct listener){.taken = 0};
  uv_ip4_addr(listen_at, 0, &address);
  uv_tcp_init(&rig->loop, &listener->tcp);
  listener->tcp.data = listener;
  assert_int_equal(uv_tcp_bind(&listener->tcp, (struct sockaddr *) &address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *) &listener->tcp, 4, on_connection), 0);
  uv_tcp_getsockname(&listener->tcp, (struct sockaddr *) &address, &size);
  listener->port = ntohs(address.sin_port);
}

struct attempt {
  struct dial dial; /* first */
  unsigned ended, closed;
  int status;
};

static void on_event(struct dial *dial, int status)
{
  struct attempt *attempt = (struct attempt *) dial;
  attempt->ended++;
  attempt->status = status;
}

static void on_closed(struct dial *dial)
{
  ((struct attempt *) dial)->closed++;
}

static unsigned turn;

/* How dialing this name ends; the listener is closed, and can be asked. */
static int dial_from(struct rig *rig, const struct permit *permit, const char *const *addresses,
                     const char *from, struct listener *listener)
{
  struct attempt attempt = {.ended = 0};
  resolver_answer = addresses;
  listen_on(rig, listener);
  dial_start(&attempt.dial, &rig->loop, permit, "localhost", listener->port, from, turn, 300, 0,
             on_event);
  rig_wait(rig, &attempt.ended, 1);
  dial_close(&attempt.dial, on_closed);
  rig_wait(rig, &attempt.closed, 1);
  for (int i = 0; i < 20; i++) {
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    rig_pause_ms(2);
  }
  uv_close((uv_handle_t *) &listener->tcp, NULL);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
  return attempt.status;
}

/* The same, and how many connections the listener has taken. */
static int dialed(struct rig *rig, const struct permit *permit, const char *const *addresses,
                  unsigned *taken)
{
  struct listener listener;
  int status = dial_from(rig, permit, addresses, NULL, &listener);
  *taken = listener.taken;
  return status;
}

static void comes_from_the_address_that_it_is_given(void **state)
{
  static const char *const here[] = {"127.0.0.1", NULL};
  struct listener listener;
  assert_int_equal(dial_from(*state, NULL, here, "127.0.0.3", &listener), 0);
  assert_string_equal(listener.from, "127.0.0.3");
  /* of another family it is of no use */
  assert_int_equal(dial_from(*state, NULL, here, "::1", &listener), 0);
  assert_string_equal(listener.from, "127.0.0.1");
}

/* Several machines of one name. */
static void begins_with_each_address_in_turn(void **state)
{
  static const char *const name[] = {"127.0.0.2", "127.0.0.3", NULL};
  static const char *const met[] = {"127.0.0.2", "127.0.0.3", "127.0.0.2"};
  struct listener listener;
  listen_at = "0.0.0.0";
  for (turn = 0; turn < 3; turn++) {
    assert_int_equal(dial_from(*state, NULL, name, NULL, &listener), 0);
    assert_string_equal(listener.to, met[turn]);
  }
  turn = 0;
  listen_at = "127.0.0.1";
}

static void comes_round_to_the_first_address(void **state)
{
  unsigned taken;
  turn = 1; /* nothing listens at 127.0.0.2 */
  assert_int_equal(
      dialed(*state, NULL, (const char *const[]){"127.0.0.1", "127.0.0.2", NULL}, &taken), 0);
  assert_int_equal(taken, 1);
  assert_int_equal(
      dialed(*state, NULL, (const char *const[]){"127.0.0.2", "127.0.0.3", NULL}, &taken),
      UV_ECONNREFUSED);
  turn = 0;
}

static void an_address_beyond_loopback_gets_nothing(void **state)
{
  unsigned taken;
  assert_int_equal(dialed(*state, NULL, (const char *const[]){"::ffff:127.0.0.1", NULL}, &taken),
                   UV_EPERM);
  assert_int_equal(taken, 0);
}

static void the_second_address_of_a_name_is_judged_like_the_first(void **state)
{
  unsigned taken;
  /* nothing listens at 127.0.0.2 */
  assert_int_equal(
      dialed(*state, NULL, (const char *const[]){"127.0.0.2", "::ffff:127.0.0.1", NULL}, &taken),
      UV_ECONNREFUSED);
  assert_int_equal(taken, 0);
  assert_int_equal(
      dialed(*state, NULL, (const char *const[]){"::ffff:127.0.0.1", "127.0.0.1", NULL}, &taken),
      0);
  assert_int_equal(taken, 1);
}

static void a_host_that_both_have_named_gets_them_all(void **state)
{
  static const char *const hosts[] = {"localhost"};
  const struct permit permit = {hosts, 1};
  unsigned taken;
  assert_int_equal(
      dialed(*state, &permit, (const char *const[]){"127.0.0.2", "::ffff:127.0.0.1", NULL}, &taken),
      0);
  assert_int_equal(taken, 1);
}

/* What calls a hook. */
static void ask(struct broker *broker, enum hook_kind kind, struct outcome *done)
{
  switch (kind) {
  case HOOK_PRESENT: broker_presented(broker, BROKER_MAIN, rig_on_done, done); return;
  case HOOK_TRUST_CLIENTS: broker_clients_trusted(broker, rig_on_done, done); return;
  case HOOK_RELOAD: broker_reload(broker, rig_on_done, done); return;
  case HOOK_RESTART: broker_restart(broker, rig_on_done, done); return;
  case HOOK_PUBLISH_CRL: broker_crl_published(broker, rig_on_done, done); return;
  case HOOK_KICK:
    broker_kick(broker, &(struct broker_kick){.client_id = "1"}, rig_on_done, done);
    return;
  case HOOK_RENEW_TOKEN: broker_renew_token(broker, "1", "token", rig_on_done, done); return;
  case HOOK_COUNT: break;
  }
  fail_msg("nothing calls the hook '%s'", hook_key(kind));
}

/* Each is called, by its name, and none of them reaches anybody there. */
static void no_hook_sends_anything_to_where_its_name_should_not_lead(void **state)
{
  struct rig *rig = *state;
  struct listener listener;
  struct error error;
  char url[80];
  struct broker_config config = rig_config(rig);
  listen_on(rig, &listener);
  snprintf(url, sizeof url, "http://somewhere.example:%u/", listener.port);
  resolver_answer = (const char *const[]){"127.0.0.2", "::ffff:127.0.0.1", NULL};
  config.kind = BROKER_KIND_REMOTE;
  config.port[BROKER_MAIN] = 1;
  config.hook_timeout_ms = 2000;
  for (int h = 0; h < HOOK_COUNT; h++) config.hooks.of[h] = url;
  assert_int_equal(broker_open(&rig->loop, &config, &rig->broker, &error), 0);
  for (int h = 0; h < HOOK_COUNT; h++) {
    struct outcome done = {0};
    char words[64];
    ask(rig->broker, (enum hook_kind) h, &done);
    rig_fails(rig, &done, "somewhere.example leads beyond this machine");
    assert_int_equal(done.error.code, EXIT_CODE_SETUP);
    snprintf(words, sizeof words, "the hook '%s'", hook_key((enum hook_kind) h));
    assert_non_null(strstr(done.error.text, words));
  }
  assert_int_equal(listener.taken, 0);
  uv_close((uv_handle_t *) &listener.tcp, NULL);
  uv_run(&rig->loop, UV_RUN_NOWAIT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
  const struct CMUnitTest tests[] = {
      T(comes_from_the_address_that_it_is_given),
      T(begins_with_each_address_in_turn),
      T(comes_round_to_the_first_address),
      T(an_address_beyond_loopback_gets_nothing),
      T(the_second_address_of_a_name_is_judged_like_the_first),
      T(a_host_that_both_have_named_gets_them_all),
      T(no_hook_sends_anything_to_where_its_name_should_not_lead),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
