/* Two arrays that are kept packed: removing an entry moves those behind it forward. They are
 * small, and the order of sending is the order in memory. A message that does not fit is not
 * taken, and the application is told. */
#include "outbox.h"

#include <string.h>

static bool has_room(struct device_outbox *outbox)
{
  const struct device_host *lender = outbox->lender;
  if (outbox->room == NULL) outbox->room = lender->lend(lender->ctx, sizeof *outbox->room);
  return outbox->room != NULL;
}

static void give_back(struct device_outbox *outbox)
{
  const struct device_host *lender = outbox->lender;
  if (lender == NULL || outbox->room == NULL) return;
  lender->give_back(lender->ctx, outbox->room, sizeof *outbox->room);
  outbox->room = NULL;
}

bool device_outbox_add(struct device_outbox *outbox, const struct device_outbox_message *message)
{
  size_t reserved_entries = message->internal ? 0 : DEVICE_OUTBOX_RESERVED_ENTRIES;
  size_t reserved_bytes = message->internal ? 0 : DEVICE_OUTBOX_RESERVED_BYTES;
  size_t room = DEVICE_OUTBOX_BYTES - outbox->used;
  if (outbox->count + reserved_entries >= DEVICE_OUTBOX_ENTRIES) return false;
  if (message->topic_size > room || message->payload_size > room - message->topic_size)
    return false;
  if (room - message->topic_size - message->payload_size < reserved_bytes) return false;
  if (!has_room(outbox)) return false;

  uint8_t *bytes = outbox->room->bytes + outbox->used;
  memcpy(bytes, message->topic, message->topic_size);
  if (message->payload_size > 0)
    memcpy(bytes + message->topic_size, message->payload, message->payload_size);
  outbox->room->entry[outbox->count] = (struct device_outbox_entry){
      .tag = message->tag,
      .topic_size = (uint16_t) message->topic_size,
      .payload_size = (uint16_t) message->payload_size,
      .qos = message->qos,
      .phase = DEVICE_OUTBOX_QUEUED,
      .internal = message->internal,
      .once = message->once,
  };
  outbox->used = (uint16_t) (outbox->used + message->topic_size + message->payload_size);
  outbox->count++;
  return true;
}

static size_t entry_size(const struct device_outbox_entry *entry)
{
  return (size_t) entry->topic_size + entry->payload_size;
}

static size_t offset_of(const struct device_outbox *outbox, size_t index)
{
  size_t offset = 0;
  for (size_t i = 0; i < index; i++) offset += entry_size(&outbox->room->entry[i]);
  return offset;
}

void device_outbox_remove(struct device_outbox *outbox, size_t index)
{
  size_t offset = offset_of(outbox, index);
  size_t size = entry_size(&outbox->room->entry[index]);
  memmove(outbox->room->bytes + offset, outbox->room->bytes + offset + size,
          outbox->used - offset - size);
  memmove(&outbox->room->entry[index], &outbox->room->entry[index + 1],
          (outbox->count - index - 1) * sizeof outbox->room->entry[0]);
  outbox->used = (uint16_t) (outbox->used - size);
  outbox->count--;
  if (outbox->count == 0) give_back(outbox);
}

void device_outbox_clear(struct device_outbox *outbox)
{
  outbox->count = 0;
  outbox->used = 0;
  give_back(outbox);
}

const uint8_t *device_outbox_bytes(const struct device_outbox *outbox, size_t index)
{
  return outbox->room->bytes + offset_of(outbox, index);
}

int device_outbox_find(const struct device_outbox *outbox, uint16_t packet_id)
{
  for (int i = 0; i < outbox->count; i++)
    if (outbox->room->entry[i].packet_id == packet_id) return i;
  return -1;
}

bool device_outbox_holds(const struct device_outbox *outbox, uint32_t tag)
{
  for (size_t i = 0; i < outbox->count; i++)
    if (outbox->room->entry[i].internal && outbox->room->entry[i].tag == tag) return true;
  return false;
}

void device_outbox_rewind(struct device_outbox *outbox, bool session_present)
{
  for (size_t i = outbox->count; i > 0; i--)
    if (outbox->room->entry[i - 1].once) device_outbox_remove(outbox, i - 1);
  for (size_t i = 0; i < outbox->count; i++) {
    struct device_outbox_entry *entry = &outbox->room->entry[i];
    bool broker_has_it =
        entry->phase == DEVICE_OUTBOX_RELEASED || entry->phase == DEVICE_OUTBOX_RECEIVED;
    entry->phase = broker_has_it && session_present ? DEVICE_OUTBOX_RECEIVED : DEVICE_OUTBOX_QUEUED;
    /* a broker that forgot the packet id must not take the new delivery for a duplicate of the old
       one */
    if (entry->qos == 2 && !session_present) entry->packet_id = 0;
  }
}
