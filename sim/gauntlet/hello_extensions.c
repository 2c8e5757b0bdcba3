/* The extensions of a hello: each is noted with its size, and those that say something of a client
 * are read. One whose lengths do not fit together, or that comes twice, has no one meaning: the
 * hello is refused with the extension's name. */
#include <arpa/inet.h>
#include <string.h>

#include "gauntlet/hello_part.h"

static void copy_printable(char *out, size_t capacity, struct hello_part text)
{
  size_t size = text.left < capacity ? text.left : capacity - 1;
  for (size_t i = 0; i < size; i++)
    out[i] = text.at[i] >= 0x20 && text.at[i] < 0x7f ? (char) text.at[i] : '?';
  out[size] = '\0';
}

/* All of `content` is one list behind a length of so many bytes. */
static struct hello_part only_list(struct hello_part content, size_t length_bytes)
{
  struct hello_part list = hello_part_inner(&content, length_bytes);
  list.broken = content.broken || content.left > 0;
  return list;
}

static bool list_of_numbers(struct hello_part content, size_t length_bytes,
                            struct hello_numbers *out)
{
  struct hello_part list = only_list(content, length_bytes);
  return !list.broken && hello_part_numbers(list, out);
}

static bool list_of_bytes(struct hello_part content, struct hello_bytes *out)
{
  struct hello_part list = only_list(content, 1);
  return !list.broken && hello_part_bytes(list, out);
}

static bool is_address(const char *text)
{
  uint8_t address[16];
  return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* RFC 6066, 3: at most one name of a kind, and host names are the only kind that there is. */
static bool read_server_names(struct hello_part content, struct hello *out)
{
  struct hello_part list = only_list(content, 2);
  if (list.broken || list.left == 0) return false;
  while (list.left > 0) {
    bool is_host = hello_part_number(&list, 1) == 0;
    struct hello_part name = hello_part_inner(&list, 2);
    if (list.broken || name.left == 0 || (is_host && out->server_name[0] != '\0')) return false;
    if (is_host) copy_printable(out->server_name, sizeof out->server_name, name);
  }
  out->server_name_is_ip = is_address(out->server_name);
  return true;
}

static bool read_protocols(struct hello_part content, struct hello *out)
{
  struct hello_part list = only_list(content, 2);
  if (list.broken || list.left == 0) return false;
  while (list.left > 0) {
    struct hello_part name = hello_part_inner(&list, 1);
    if (list.broken || name.left == 0) return false;
    if (out->protocol_count == 0) {
      out->protocol_ends[0] = name.at[0];
      out->protocol_ends[1] = name.at[name.left - 1];
    }
    if (out->protocol_count < HELLO_PROTOCOLS)
      copy_printable(out->protocol[out->protocol_count++], HELLO_PROTOCOL, name);
    else
      out->protocols_more++;
  }
  return true;
}

static bool read_groups(struct hello_part content, struct hello *out)
{
  return list_of_numbers(content, 2, &out->groups);
}

static bool read_schemes(struct hello_part content, struct hello *out)
{
  return list_of_numbers(content, 2, &out->schemes);
}

static bool read_certificate_schemes(struct hello_part content, struct hello *out)
{
  return list_of_numbers(content, 2, &out->certificate_schemes);
}

static bool read_versions(struct hello_part content, struct hello *out)
{
  return list_of_numbers(content, 1, &out->versions);
}

static bool read_point_formats(struct hello_part content, struct hello *out)
{
  return list_of_bytes(content, &out->point_formats);
}

static bool read_psk_modes(struct hello_part content, struct hello *out)
{
  return list_of_bytes(content, &out->psk_modes);
}

/* An empty list is a client's wish to be asked again (RFC 8446, 4.2.8). */
static bool read_shares(struct hello_part content, struct hello *out)
{
  struct hello_part list = only_list(content, 2);
  if (list.broken) return false;
  while (list.left > 0) {
    uint16_t group = (uint16_t) hello_part_number(&list, 2);
    struct hello_part key = hello_part_inner(&list, 2);
    if (list.broken || key.left == 0) return false;
    if (out->share_count < HELLO_SHARES)
      out->share[out->share_count++] = (struct hello_share){group, (uint16_t) key.left};
    else
      out->shares_more++;
  }
  return true;
}

/* Identities with an age each, then as many binders. */
static bool read_psk(struct hello_part content, struct hello *out)
{
  struct hello_part identities = hello_part_inner(&content, 2);
  struct hello_part binders = only_list(content, 2);
  unsigned keys = 0, proofs = 0;
  if (content.broken || binders.broken || identities.left == 0) return false;
  for (; identities.left > 0; keys++) {
    struct hello_part identity = hello_part_inner(&identities, 2);
    hello_part_number(&identities, 4);
    if (identities.broken || identity.left == 0) return false;
    if (out->psk_sizes.count < HELLO_NUMBERS)
      out->psk_sizes.value[out->psk_sizes.count++] = (uint16_t) identity.left;
    else
      out->psk_sizes.more++;
  }
  for (; binders.left > 0; proofs++) {
    struct hello_part binder = hello_part_inner(&binders, 1);
    if (binders.broken || binder.left < 32) return false;
  }
  return keys == proofs;
}

static bool read_max_fragment(struct hello_part content, struct hello *out)
{
  uint32_t code = hello_part_number(&content, 1);
  if (code >= 1 && code <= 4) out->max_fragment_size = (uint16_t) (256u << code); /* RFC 6066, 4 */
  return !content.broken && content.left == 0;
}

static bool read_record_limit(struct hello_part content, struct hello *out)
{
  out->record_size_limit = (uint16_t) hello_part_number(&content, 2);
  return !content.broken && content.left == 0;
}

static bool read_authorities(struct hello_part content, struct hello *out)
{
  struct hello_part list = only_list(content, 2);
  if (list.broken || list.left == 0) return false;
  for (; list.left > 0; out->authorities++) {
    struct hello_part name = hello_part_inner(&list, 2);
    if (list.broken || name.left == 0) return false;
  }
  return true;
}

static bool read_heartbeat(struct hello_part content, struct hello *out)
{
  out->heartbeat = (uint8_t) hello_part_number(&content, 1);
  return !content.broken && content.left == 0;
}

static bool read_renegotiation(struct hello_part content, struct hello *out)
{
  (void) out;
  return !only_list(content, 1).broken;
}

static const struct {
  uint16_t number;
  bool (*read)(struct hello_part content, struct hello *out);
} readers[] = {
    {HELLO_SERVER_NAMES, read_server_names},
    {HELLO_MAX_FRAGMENT_LENGTH, read_max_fragment},
    {HELLO_SUPPORTED_GROUPS, read_groups},
    {HELLO_EC_POINT_FORMATS, read_point_formats},
    {HELLO_SIGNATURE_ALGORITHMS, read_schemes},
    {HELLO_HEARTBEAT, read_heartbeat},
    {HELLO_ALPN, read_protocols},
    {HELLO_RECORD_SIZE_LIMIT, read_record_limit},
    {HELLO_PRE_SHARED_KEY, read_psk},
    {HELLO_SUPPORTED_VERSIONS, read_versions},
    {HELLO_PSK_KEY_EXCHANGE_MODES, read_psk_modes},
    {HELLO_CERTIFICATE_AUTHORITIES, read_authorities},
    {HELLO_SIGNATURE_ALGORITHMS_CERT, read_certificate_schemes},
    {HELLO_KEY_SHARE, read_shares},
    {HELLO_RENEGOTIATION_INFO, read_renegotiation},
};

static bool read_content(uint16_t number, struct hello_part content, struct hello *out)
{
  for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
    if (readers[i].number == number) return readers[i].read(content, out);
  return true;
}

static bool refuse_extension(struct hello *out, uint16_t number, const char *why)
{
  char name[HELLO_NAME];
  snprintf(out->why, sizeof out->why, "its extension %s %s", hello_extension_name(number, name),
           why);
  return false;
}

static bool read_extension(struct hello_part *block, struct hello *out)
{
  if (block->left < 4) {
    snprintf(out->why, sizeof out->why, "it ends within the head of an extension");
    return false;
  }
  uint16_t number = (uint16_t) hello_part_number(block, 2);
  struct hello_part content = hello_part_inner(block, 2);
  if (block->broken) return refuse_extension(out, number, "ends behind the hello's end");
  if (hello_has(out, number)) return refuse_extension(out, number, "comes twice (RFC 8446, 4.2)");
  if (out->extension_count == HELLO_EXTENSIONS)
    return refuse_extension(out, number, "is one more than the 256 that are looked at");
  out->extension[out->extension_count++] =
      (struct hello_extension){number, (uint16_t) content.left};
  if (!read_content(number, content, out))
    return refuse_extension(out, number, "is malformed: its lengths do not fit together");
  if (number == HELLO_PRE_SHARED_KEY) out->psk_is_last = block->left == 0;
  return true;
}

bool hello_extensions_read(struct hello_part body, struct hello *out)
{
  struct hello_part block = only_list(body, 2);
  if (block.broken) {
    snprintf(out->why, sizeof out->why, "the length of its extensions is not what follows");
    return false;
  }
  while (block.left > 0)
    if (!read_extension(&block, out)) return false;
  return true;
}
