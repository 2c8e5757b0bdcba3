/* paho_pub HOST PORT CA CERT KEY ID [--insecure name|all]: paho.mqtt.c as a client that the gauntlet
   is tried on. Its own paho_c_pub tries again for ever, and cannot do without the chain: this one
   connects once, publishes one message at QoS 1, and ends with 0; with 1 when it does not come to
   that, and a line of why. --insecure name: `verify` off, after which no name is compared; all:
   `enableServerCertAuth` off as well. Never installed. */
#define _POSIX_C_SOURCE 200809L
#include <MQTTAsync.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_S 5

struct publisher {
  MQTTAsync client;
  char topic[128];
};

/* From one of paho's own threads. */
static void finish(int code, const char *why)
{
  fprintf(stderr, "paho.mqtt.c: %s\n", why);
  _exit(code);
}

static void has_failed(void *context, MQTTAsync_failureData *data)
{
  (void) context;
  finish(1, data && data->message ? data->message : "no connection, and it does not say why");
}

static void is_lost(void *context, char *cause)
{
  (void) context;
  finish(1, cause ? cause : "the connection was lost");
}

static void has_arrived(void *context, MQTTAsync_successData *data)
{
  (void) context;
  (void) data;
  finish(0, "published");
}

static void has_published(void *context, MQTTAsync_successData *data)
{
  struct publisher *publisher = context;
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  (void) data;
  options.onSuccess = has_arrived;
  if (MQTTAsync_disconnect(publisher->client, &options) != MQTTASYNC_SUCCESS)
    has_arrived(NULL, NULL);
}

static void is_connected(void *context, MQTTAsync_successData *data)
{
  struct publisher *publisher = context;
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  (void) data;
  options.context = publisher;
  options.onSuccess = has_published;
  options.onFailure = has_failed;
  if (MQTTAsync_send(publisher->client, publisher->topic, 5, "hello", 1, 0, &options) !=
      MQTTASYNC_SUCCESS)
    finish(1, "cannot publish");
}

static int connect_once(struct publisher *publisher, char **files, const char *insecure)
{
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
  ssl.trustStore = files[0];
  ssl.keyStore = files[1];
  ssl.privateKey = files[2];
  ssl.verify = !*insecure;
  ssl.enableServerCertAuth = strcmp(insecure, "all") != 0;
  options.ssl = &ssl;
  options.context = publisher;
  options.onSuccess = is_connected;
  options.onFailure = has_failed;
  options.MQTTVersion = MQTTVERSION_3_1_1; /* else a refusal is followed by a try with 3.1 */
  options.connectTimeout = DEADLINE_S;
  return MQTTAsync_connect(publisher->client, &options);
}

static int say_version(void)
{
  for (MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo(); info->name; info++)
    if (strcmp(info->name, "Version") == 0) printf("paho.mqtt.c %s\n", info->value);
  return 0;
}

int main(int argc, char **argv)
{
  struct publisher publisher = {0};
  char uri[256];
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return say_version();
  if (argc != 7 && (argc != 9 || strcmp(argv[7], "--insecure") != 0)) return 2;
  snprintf(uri, sizeof uri, "ssl://%s:%s", argv[1], argv[2]);
  snprintf(publisher.topic, sizeof publisher.topic, "gauntlet/%s", argv[6]);
  if (MQTTAsync_create(&publisher.client, uri, argv[6], MQTTCLIENT_PERSISTENCE_NONE, NULL) !=
          MQTTASYNC_SUCCESS ||
      MQTTAsync_setConnectionLostCallback(publisher.client, &publisher, is_lost) !=
          MQTTASYNC_SUCCESS ||
      connect_once(&publisher, argv + 3, argc == 9 ? argv[8] : "") != MQTTASYNC_SUCCESS)
    finish(1, "cannot begin");
  sleep(2 * DEADLINE_S);
  finish(1, "the deadline has passed");
}
