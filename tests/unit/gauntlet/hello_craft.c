#include "hello_craft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct craft_bytes {
  uint8_t data[CRAFT_MAX];
  size_t size;
};

static void put_bytes(struct craft_bytes *to, const void *data, size_t size)
{
  assert_true(size <= sizeof to->data - to->size);
  if (size > 0) memcpy(to->data + to->size, data, size);
  to->size += size;
}

static void put_number(struct craft_bytes *to, size_t bytes, size_t number)
{
  for (size_t i = bytes; i-- > 0;) {
    uint8_t byte = (uint8_t) (number >> (8 * i));
    put_bytes(to, &byte, 1);
  }
}

void craft_suites(struct craft *craft, size_t count, const uint16_t *suites)
{
  assert_true(count <= sizeof craft->suites / sizeof craft->suites[0]);
  memcpy(craft->suites, suites, count * sizeof suites[0]);
  craft->suite_count = count;
}

void craft_add_suite(struct craft *craft, uint16_t suite)
{
  craft->suites[craft->suite_count++] = suite;
}

void craft_set(struct craft *craft, uint16_t number, const void *data, size_t size)
{
  size_t at = 0;
  while (at < craft->extension_count && craft->extension[at].number != number) at++;
  assert_true(at < sizeof craft->extension / sizeof craft->extension[0]);
  assert_true(size <= sizeof craft->extension[at].data);
  if (at == craft->extension_count) craft->extension_count++;
  craft->extension[at].number = number;
  craft->extension[at].size = (uint16_t) size;
  if (size > 0) memcpy(craft->extension[at].data, data, size);
}

void craft_drop(struct craft *craft, uint16_t number)
{
  size_t kept = 0;
  for (size_t i = 0; i < craft->extension_count; i++)
    if (craft->extension[i].number != number) craft->extension[kept++] = craft->extension[i];
  assert_true(kept < craft->extension_count);
  craft->extension_count = kept;
}

void craft_set_numbers(struct craft *craft, uint16_t number, size_t length_bytes, size_t count,
                       const uint16_t *values)
{
  static struct craft_bytes list;
  list.size = 0;
  put_number(&list, length_bytes, 2 * count);
  for (size_t i = 0; i < count; i++) put_number(&list, 2, values[i]);
  craft_set(craft, number, list.data, list.size);
}

void craft_set_name(struct craft *craft, const char *name)
{
  static struct craft_bytes list;
  list.size = 0;
  put_number(&list, 2, strlen(name) + 3);
  put_number(&list, 1, 0);
  put_number(&list, 2, strlen(name));
  put_bytes(&list, name, strlen(name));
  craft_set(craft, 0, list.data, list.size);
}

void craft_modern(struct craft *craft)
{
  static const uint16_t suites[] = {0x1301, 0x1303, 0xc02b, 0xc02f, 0xcca9};
  static const uint16_t groups[] = {29, 23, 24}, schemes[] = {0x0403, 0x0804, 0x0807, 0x0401};
  static const uint16_t versions[] = {0x0304, 0x0303};
  static const uint8_t share[2 + 4 + 32] = {0, 36, 0, 29, 0, 32};
  memset(craft, 0, sizeof *craft);
  craft->record_version = 0x0301;
  craft->legacy_version = 0x0303;
  craft->session_id_size = 32;
  craft->compression_count = 1;
  craft_suites(craft, 5, suites);
  craft_set_name(craft, "broker.test");
  craft_set(craft, 23, NULL, 0);
  craft_set(craft, 0xff01, "\0", 1);
  craft_set_numbers(craft, 10, 2, 3, groups);
  craft_set(craft, 11, "\1\0", 2);
  craft_set(craft, 35, NULL, 0);
  craft_set_numbers(craft, 13, 2, 4, schemes);
  craft_set_numbers(craft, 43, 1, 2, versions);
  craft_set(craft, 45, "\1\1", 2);
  craft_set(craft, 51, share, sizeof share);
}

void craft_ancient(struct craft *craft)
{
  static const uint16_t suites[] = {0x002f, 0x00ff};
  memset(craft, 0, sizeof *craft);
  craft->record_version = 0x0300;
  craft->legacy_version = 0x0301;
  craft->compression_count = 1;
  craft_suites(craft, 2, suites);
}

static void put_extensions(struct craft_bytes *to, const struct craft *craft)
{
  size_t size = 0;
  if (craft->extension_count == 0) return;
  for (size_t i = 0; i < craft->extension_count; i++) size += 4u + craft->extension[i].size;
  put_number(to, 2, size);
  for (size_t i = 0; i < craft->extension_count; i++) {
    put_number(to, 2, craft->extension[i].number);
    put_number(to, 2, craft->extension[i].size);
    put_bytes(to, craft->extension[i].data, craft->extension[i].size);
  }
}

static void put_records(struct craft_bytes *to, uint16_t version, const struct craft_bytes *message,
                        size_t piece)
{
  for (size_t at = 0; at < message->size; at += piece) {
    size_t size = message->size - at < piece ? message->size - at : piece;
    put_number(to, 1, 22);
    put_number(to, 2, version);
    put_number(to, 2, size);
    put_bytes(to, message->data + at, size);
  }
}

size_t craft_wire(const struct craft *craft, size_t piece, uint8_t out[CRAFT_MAX])
{
  static struct craft_bytes body, message, wire;
  static const uint8_t zeros[32];
  body.size = message.size = wire.size = 0;
  put_number(&body, 2, craft->legacy_version);
  put_bytes(&body, zeros, 32);
  put_number(&body, 1, craft->session_id_size);
  for (size_t i = 0; i < craft->session_id_size; i++) put_number(&body, 1, i);
  put_number(&body, 2, 2 * craft->suite_count);
  for (size_t i = 0; i < craft->suite_count; i++) put_number(&body, 2, craft->suites[i]);
  put_number(&body, 1, craft->compression_count);
  put_bytes(&body, craft->compressions, craft->compression_count);
  put_extensions(&body, craft);
  put_number(&message, 1, 1);
  put_number(&message, 3, body.size);
  put_bytes(&message, body.data, body.size);
  put_records(&wire, craft->record_version, &message, piece);
  memcpy(out, wire.data, wire.size);
  return wire.size;
}

size_t craft_cut(const uint8_t *wire, size_t size, size_t piece, uint8_t out[CRAFT_MAX])
{
  static struct craft_bytes message, cut;
  message.size = cut.size = 0;
  put_bytes(&message, wire + 5, size - 5);
  put_records(&cut, (uint16_t) (wire[1] << 8 | wire[2]), &message, piece);
  memcpy(out, cut.data, cut.size);
  return cut.size;
}
