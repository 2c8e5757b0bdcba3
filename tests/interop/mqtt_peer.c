#define _GNU_SOURCE

#include "mqtt_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in loopback(uint16_t port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static uint16_t free_port(void)
{
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = bind(probe, (struct sockaddr *) &address, sizeof address) == 0 &&
                     getsockname(probe, (struct sockaddr *) &address, &size) == 0;
  close(probe);
  return bound ? ntohs(address.sin_port) : 0;
}

static int connect_to(uint16_t port)
{
  const struct sockaddr_in address = loopback(port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof address) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

/* Debian keeps the broker where only root's PATH looks. Ends with this process. */
static _Noreturn void become(char *const *argv)
{
  char path[256];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  execvp(argv[0], argv);
  snprintf(path, sizeof path, "/usr/sbin/%s", argv[0]);
  execv(path, argv);
  fprintf(stderr, "cannot run %s: install the packages mosquitto and mosquitto-clients\n", argv[0]);
  _exit(127);
}

static int write_config(const struct mqtt_broker *broker, char *path, size_t capacity)
{
  snprintf(path, capacity, "%s/mosquitto.conf", broker->folder);
  FILE *file = fopen(path, "w");
  if (file == NULL) return -1;
  fprintf(file, "listener %u 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n",
          broker->port);
  return fclose(file);
}

int mqtt_broker_start(struct mqtt_broker *broker)
{
  char config[96];
  broker->pid = 0;
  snprintf(broker->folder, sizeof broker->folder, "%s", "/tmp/fleetsim-mqtt-XXXXXX");
  broker->port = free_port();
  if (mkdtemp(broker->folder) == NULL || write_config(broker, config, sizeof config) != 0)
    return -1;
  broker->pid = fork();
  if (broker->pid == 0) become((char *[]){(char[]){"mosquitto"}, (char[]){"-c"}, config, NULL});
  for (int waited_ms = 0; waited_ms < MQTT_PEER_WAIT_MS; waited_ms += 20) {
    const int probe = connect_to(broker->port);
    if (probe >= 0) return close(probe);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  }
  fprintf(stderr, "mosquitto did not listen on 127.0.0.1:%u within %d ms\n", broker->port,
          MQTT_PEER_WAIT_MS);
  mqtt_broker_stop(broker);
  return -1;
}

void mqtt_broker_stop(struct mqtt_broker *broker)
{
  char config[96];
  if (broker->pid <= 0) return;
  kill(broker->pid, SIGTERM);
  waitpid(broker->pid, NULL, 0);
  broker->pid = 0;
  snprintf(config, sizeof config, "%s/mosquitto.conf", broker->folder);
  unlink(config);
  rmdir(broker->folder);
}

#define ARGUMENTS_MAX 32

static _Noreturn void run_child(const struct mqtt_broker *broker, const char *program,
                                const char *const *arguments, int in, int out)
{
  char port[8];
  const char *argv[ARGUMENTS_MAX + 1] = {program, "-h", "127.0.0.1", "-p", port};
  snprintf(port, sizeof port, "%u", broker->port);
  for (size_t i = 5; i < ARGUMENTS_MAX && *arguments != NULL; i++) argv[i] = *arguments++;
  if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) _exit(126);
  become((char *const *) (uintptr_t) argv);
}

static size_t read_all(int fd, uint8_t *output, size_t capacity)
{
  size_t size = 0;
  for (;;) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, MQTT_PEER_WAIT_MS) <= 0)
      fail_msg("a mosquitto client printed nothing for too long");
    const ssize_t got = read(fd, output + size, capacity - size);
    if (got <= 0) return size;
    size += (size_t) got;
  }
}

size_t mqtt_broker_run(const struct mqtt_broker *broker, const char *program,
                       const char *const *arguments, struct device_mqtt_bytes input,
                       uint8_t *output, size_t capacity)
{
  int in[2], out[2], status = 0;
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) run_child(broker, program, arguments, in[0], out[1]);
  close(in[0]);
  close(out[1]);
  if (input.size > 0) assert_int_equal(write(in[1], input.data, input.size), (int) input.size);
  close(in[1]);
  const size_t size = read_all(out[0], output, capacity);
  close(out[0]);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (status != 0) fail_msg("%s ended with wait status %d", program, status);
  return size;
}

void mqtt_client_open(struct mqtt_client *client, const struct mqtt_broker *broker, uint8_t version)
{
  client->socket = connect_to(broker->port);
  client->version = version;
  client->used = client->taken = 0;
  if (client->socket < 0)
    fail_msg("cannot connect to 127.0.0.1:%u: %s", broker->port, strerror(errno));
}

void mqtt_client_close(struct mqtt_client *client)
{
  close(client->socket);
}

void mqtt_client_send(struct mqtt_client *client, size_t size)
{
  assert_true(size > 0);
  assert_int_equal(send(client->socket, client->out, size, MSG_NOSIGNAL), (int) size);
}

static size_t receive(struct mqtt_client *client)
{
  struct pollfd wait = {.fd = client->socket, .events = POLLIN};
  if (poll(&wait, 1, MQTT_PEER_WAIT_MS) <= 0)
    fail_msg("the broker said nothing for %d ms", MQTT_PEER_WAIT_MS);
  const ssize_t got =
      recv(client->socket, client->in + client->used, MQTT_PEER_BYTES - client->used, 0);
  return got > 0 ? (size_t) got : 0;
}

struct device_mqtt_packet mqtt_client_expect(struct mqtt_client *client, enum device_mqtt_type type)
{
  struct device_mqtt_packet packet;
  memmove(client->in, client->in + client->taken, client->used - client->taken);
  client->used -= client->taken;
  client->taken = 0;
  for (;;) {
    const int taken =
        device_mqtt_decode(client->in, client->used, client->version, MQTT_PEER_BYTES, &packet);
    if (taken < 0)
      fail_msg("our decoder says %d to a packet that starts with %02x", taken, client->in[0]);
    client->taken = (size_t) taken;
    if (taken > 0) break;
    const size_t got = receive(client);
    if (got == 0) fail_msg("the broker closed; expected packet type %d", (int) type);
    client->used += got;
  }
  if (packet.type != type) fail_msg("packet type %d, expected %d", (int) packet.type, (int) type);
  return packet;
}

void mqtt_client_expect_end(struct mqtt_client *client)
{
  assert_int_equal(client->used, client->taken);
  assert_int_equal(receive(client), 0);
}
