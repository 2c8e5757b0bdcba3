/* Any bytes, decoded as either version of MQTT: the decoder stays inside the input and says the
   same twice. */
#include "device/mqtt.h"
#include "fuzz.h"

struct input {
  const uint8_t *data;
  size_t size;
};

static bool is_inside(const void *data, size_t size, const struct input *packet)
{
  const uintptr_t start = (uintptr_t) packet->data, at = (uintptr_t) data;
  if (size == 0) return true;
  return at >= start && at - start <= packet->size && size <= packet->size - (at - start);
}

static void check_pointers(const struct device_mqtt_packet *packet, const struct input *taken)
{
  const struct device_mqtt_publish *publish = &packet->publish;
  require(is_inside(publish->topic, publish->topic_size, taken), "topic is inside the packet");
  require(is_inside(publish->payload, publish->payload_size, taken),
          "payload is inside the packet");
  require(is_inside(packet->codes.data, packet->codes.size, taken), "codes are inside the packet");
  require(is_inside(packet->server_reference.data, packet->server_reference.size, taken),
          "server reference is inside the packet");
}

/* What was taken is a packet by itself: without the bytes behind it, it decodes to the same. */
static void check_again(const struct device_mqtt_packet *packet, const struct input *taken,
                        uint8_t version)
{
  struct device_mqtt_packet again;
  const int size = device_mqtt_decode(taken->data, taken->size, version, taken->size, &again);
  require(size == (int) taken->size, "the packet alone is taken whole");
  require(again.type == packet->type && again.packet_id == packet->packet_id &&
              again.reason == packet->reason,
          "the packet alone has the same type, id and reason");
  require(again.publish.topic == packet->publish.topic &&
              again.publish.payload == packet->publish.payload &&
              again.publish.payload_size == packet->publish.payload_size,
          "the packet alone has the same topic and payload");
  require(device_mqtt_decode(taken->data, taken->size - 1, version, taken->size, &again) ==
              DEVICE_MQTT_INCOMPLETE,
          "one byte less is incomplete");
}

/* A publish that was taken and encoded again without properties says the same. */
static void check_publish(const struct device_mqtt_publish *publish, size_t size, uint8_t version)
{
  struct device_mqtt_packet again;
  uint8_t *out = malloc(size);
  require(out != NULL, "there is memory");
  const size_t encoded = device_mqtt_encode_publish(out, size, version, publish);
  require(encoded > 0 && encoded <= size, "a publish without properties is not larger");
  require(device_mqtt_decode(out, encoded, version, encoded, &again) == (int) encoded,
          "our encoding is taken");
  require(again.publish.topic_size == publish->topic_size &&
              again.publish.payload_size == publish->payload_size &&
              memcmp(again.publish.topic, publish->topic, publish->topic_size) == 0,
          "our encoding says the same");
  free(out);
}

static void check(const struct input *input, uint8_t version)
{
  struct device_mqtt_packet packet;
  const int result = device_mqtt_decode(input->data, input->size, version, input->size, &packet);
  require(result >= DEVICE_MQTT_TOO_LARGE && result <= (int) input->size,
          "takes no more than there is");
  if (result <= 0) return;
  const struct input taken = {input->data, (size_t) result};
  check_pointers(&packet, &taken);
  check_again(&packet, &taken, version);
  if (packet.type == DEVICE_MQTT_PUBLISH) check_publish(&packet.publish, taken.size, version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const struct input input = {data, size};
  check(&input, 4);
  check(&input, 5);
  return 0;
}
