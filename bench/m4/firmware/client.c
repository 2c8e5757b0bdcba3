/* The whole client on a Cortex-M4: device_builtin as every other body drives it, one publish of QoS
 * 1, and the end.
 *
 * Marks: `handshake` from START to the end of the step in which TLS is done; within it `tls_open`
 * until ClientHello has left and `server_flight` from then on. While the core sleeps no cycle
 * passes, so that waiting is in none of them.
 */
#include "device/client.h"
#include "board.h"
#include "m4/marks.h"

#define BROKER             "localhost" /* the name that its certificate must carry */
#define PAYLOAD            64u
#define RECEIVE            1460u /* a TCP segment */
#define LONGEST_NAP_MS     1000u
#define PROGRAM_MS_AT_MOST 120000u /* modelled; the slowest profile needs a tenth */

static const struct device_profile profile = {
    .name = "m4",
    .tls_min = 13,
    .tls_max = 13,
    .mqtt_version = 4,
    .clean_start = true,
    .keep_alive_s = 60,
    .tcp_timeout_ms = 20000,
    .handshake_timeout_ms = 20000,
    .connack_timeout_ms = 20000,
    .ack_timeout_ms = 20000,
    .byte_budget = 65536,
};
static const struct device_endpoint broker = {.host = BROKER};

/* The storage that a firmware sets aside at link time, and what the observer saw. */
static struct {
  struct device_client_whole device;
  uint8_t out[DEVICE_OUT_MIN];
  uint8_t in[RECEIVE];
  struct device_effects effects;
  bool secured, ready, acked, ended;
  enum device_failure failure;
} firmware;

static void observe(void *ctx, const struct device_note *note)
{
  (void) ctx;
  switch (note->kind) {
  case DEVICE_NOTE_STATE: m4_state(device_builtin.state_name(note->to)); break;
  case DEVICE_NOTE_HANDSHAKE: firmware.secured = true; break;
  case DEVICE_NOTE_READY: firmware.ready = true; break;
  case DEVICE_NOTE_ACKED: firmware.acked = true; break;
  case DEVICE_NOTE_ENDED:
    firmware.ended = true;
    firmware.failure = note->failure;
    break;
  default: break;
  }
}

static void step(struct device_event event)
{
  event.now_ms = m4_read(M4_TIME_MS);
  event.unix_s = (int64_t) m4_read(M4_UNIX_S);
  board_require(event.now_ms < PROGRAM_MS_AT_MOST,
                "the program did not end within two minutes of its own time");
  firmware.effects.out = firmware.out;
  firmware.effects.out_capacity = sizeof firmware.out;
  device_builtin.step(&firmware.device, &event, &firmware.effects);
  if (firmware.effects.out_size > 0) {
    m4_write(M4_SEND_FROM, (uint32_t) (uintptr_t) firmware.out);
    m4_write(M4_SEND, (uint32_t) firmware.effects.out_size);
  }
  if (firmware.effects.connect) m4_write(M4_OPEN, 1);
  if (firmware.effects.close) m4_write(M4_OPEN, 0);
}

/* Sleeps until the connection has news or the device wants to be woken, whichever is first. */
static void sleep_and_tick(void)
{
  uint64_t now = m4_read(M4_TIME_MS);
  uint64_t left = firmware.effects.deadline_ms > now ? firmware.effects.deadline_ms - now : 0;
  if (left > 0) m4_write(M4_WAIT_MS, (uint32_t) (left < LONGEST_NAP_MS ? left : LONGEST_NAP_MS));
  if (m4_read(M4_TIME_MS) >= firmware.effects.deadline_ms)
    step((struct device_event){.kind = DEVICE_TICK});
}

static void open_transport(void)
{
  step((struct device_event){.kind = DEVICE_START, .start = {.full_handshake = true}});
  while (!firmware.ended && m4_read(M4_LINK) == 1) sleep_and_tick();
  if (firmware.ended) return;
  if (m4_read(M4_LINK) == 2)
    step((struct device_event){.kind = DEVICE_OPENED});
  else
    step(
        (struct device_event){.kind = DEVICE_CLOSED, .closed = {.cause = DEVICE_FAIL_TCP_REFUSED}});
}

/* Feeds the device what has arrived, or waits for it. */
static void receive(void)
{
  m4_write(M4_RECEIVE_TO, (uint32_t) (uintptr_t) firmware.in);
  m4_write(M4_RECEIVE, sizeof firmware.in);
  uint32_t size = m4_read(M4_RECEIVE);
  if (size > 0)
    step((struct device_event){.kind = DEVICE_BYTES, .bytes = {.data = firmware.in, .size = size}});
  else if (m4_read(M4_LINK) != 2)
    step((struct device_event){.kind = DEVICE_CLOSED, .closed = {.cause = DEVICE_FAIL_TCP_CLOSED}});
  else
    sleep_and_tick();
}

static void handshake(void)
{
  m4_mark_begin("handshake");
  m4_mark_begin("tls_open");
  open_transport();
  m4_mark_end("tls_open");
  m4_mark_begin("server_flight");
  while (!firmware.ended && !firmware.secured) receive();
  m4_mark_end("server_flight");
  m4_mark_end("handshake");
}

static void publish(void)
{
  static const uint8_t payload[PAYLOAD] = {0};
  m4_mark_begin("publish");
  step((struct device_event){
      .kind = DEVICE_PUBLISH,
      .publish = {
          .topic = "telemetry", .payload = payload, .size = sizeof payload, .tag = 1, .qos = 1}});
  while (!firmware.ended && !firmware.acked) receive();
  m4_mark_end("publish");
}

static _Noreturn void fail(enum device_failure failure)
{
  board_print(device_failure_sentence(failure));
  board_print("\n");
  board_fail(device_failure_name(failure));
}

static void boot(void)
{
  struct device_config config = {
      .profile = &profile, .endpoints = &broker, .endpoint_count = 1, .host = board_host};
  config.host.observe = observe;
  m4_state("boot");
  m4_mark_begin("boot");
  int result = device_builtin.create(&firmware.device, &config);
  m4_mark_end("boot");
  if (result != 0) board_fail(device_failure_name((enum device_failure) - result));
}

int main(void)
{
  boot();
  handshake();
  while (!firmware.ended && !firmware.ready) receive();
  if (!firmware.ended) publish();
  if (!firmware.ended) step((struct device_event){.kind = DEVICE_STOP});
  device_builtin.destroy(&firmware.device);
  if (firmware.acked && firmware.failure == DEVICE_FAIL_SESSION_STOPPED) return 0;
  fail(firmware.failure);
}
