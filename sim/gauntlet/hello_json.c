/* A hello for programs: every fact under a key of its own, numbers by their names. Keys are only
 * ever added. */
#include "base/memory.h"
#include "gauntlet/hello.h"

static void set_key(json_t *object, const char *key, json_t *value)
{
  if (value == NULL || json_object_set_new(object, key, value) != 0) memory_gone("a hello's facts");
}

static void append_to(json_t *array, json_t *value)
{
  if (value == NULL || json_array_append_new(array, value) != 0) memory_gone("a hello's facts");
}

static json_t *names_in(const struct hello_numbers *list,
                        const char *(*name_of)(uint16_t number, char out[HELLO_NAME]))
{
  char name[HELLO_NAME];
  json_t *out = json_array();
  for (size_t i = 0; i < list->count; i++)
    append_to(out, json_string(name_of(list->value[i], name)));
  return out;
}

static json_t *names_in_bytes(const struct hello_bytes *list,
                              const char *(*name_of)(uint16_t number, char out[HELLO_NAME]))
{
  char name[HELLO_NAME];
  json_t *out = json_array();
  for (size_t i = 0; i < list->count; i++)
    append_to(out, json_string(name_of(list->value[i], name)));
  return out;
}

static json_t *version_or_null(uint16_t version)
{
  char name[HELLO_NAME];
  return version == 0 ? json_null() : json_string(hello_version_name(version, name));
}

static json_t *number_or_null(unsigned number)
{
  return number == 0 ? json_null() : json_integer(number);
}

/* null: it was not sent. */
static json_t *size_or_null(const struct hello *hello, uint16_t extension)
{
  int size = hello_extension_size(hello, extension);
  return size < 0 ? json_null() : json_integer(size);
}

static json_t *text_or_null(const char *text)
{
  return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *protocols_of(const struct hello *hello)
{
  json_t *out = json_array();
  for (size_t i = 0; i < hello->protocol_count; i++)
    append_to(out, json_string(hello->protocol[i]));
  return out;
}

static json_t *shares_of(const struct hello *hello)
{
  char name[HELLO_NAME];
  json_t *out = json_array();
  for (size_t i = 0; i < hello->share_count; i++) {
    json_t *share = json_object();
    set_key(share, "group", json_string(hello_group_name(hello->share[i].group, name)));
    set_key(share, "bytes", json_integer(hello->share[i].size));
    append_to(out, share);
  }
  return out;
}

static json_t *psk_of(const struct hello *hello)
{
  json_t *out = json_array();
  for (size_t i = 0; i < hello->psk_sizes.count; i++)
    append_to(out, json_integer(hello->psk_sizes.value[i]));
  return out;
}

static json_t *extensions_of(const struct hello *hello, bool unknown_only)
{
  char name[HELLO_NAME];
  json_t *out = json_array();
  for (size_t i = 0; i < hello->extension_count; i++) {
    uint16_t number = hello->extension[i].number;
    if (!unknown_only || !hello_knows_extension(number))
      append_to(out, json_string(hello_extension_name(number, name)));
  }
  return out;
}

static const char *renegotiation_by(const struct hello *hello)
{
  if (hello_has(hello, HELLO_RENEGOTIATION_INFO)) return "extension";
  return hello_lists(&hello->suites, HELLO_RENEGOTIATION_SCSV) ? "scsv" : "";
}

static int left_out(const struct hello *hello)
{
  return hello->suites.more + hello->versions.more + hello->groups.more + hello->schemes.more +
         hello->certificate_schemes.more + hello->psk_sizes.more + hello->compressions.more +
         hello->point_formats.more + hello->psk_modes.more + hello->protocols_more +
         hello->shares_more;
}

static void set_frame(json_t *out, const struct hello *hello)
{
  char ja3[HELLO_JA3], ja4[HELLO_JA4];
  hello_ja3(hello, ja3);
  hello_ja4(hello, ja4);
  set_key(out, "bytes", json_integer(hello->wire_size));
  set_key(out, "message_bytes", json_integer(hello->size));
  set_key(out, "records", json_integer(hello->records));
  set_key(out, "ja3", text_or_null(ja3));
  set_key(out, "ja4", text_or_null(ja4));
  set_key(out, "record_version", version_or_null(hello->record_version));
  set_key(out, "legacy_version", version_or_null(hello->legacy_version));
  set_key(out, "versions", names_in(&hello->versions, hello_version_name));
  set_key(out, "highest", version_or_null(hello->highest));
  set_key(out, "lowest", version_or_null(hello->lowest));
  set_key(out, "grease", json_boolean(hello->grease));
}

static void set_lists(json_t *out, const struct hello *hello)
{
  set_key(out, "server_name", text_or_null(hello->server_name));
  set_key(out, "server_name_is_address", json_boolean(hello->server_name_is_ip));
  set_key(out, "protocols", protocols_of(hello));
  set_key(out, "suites", names_in(&hello->suites, hello_suite_name));
  set_key(out, "groups", names_in(&hello->groups, hello_group_name));
  set_key(out, "key_shares", shares_of(hello));
  set_key(out, "signature_algorithms", names_in(&hello->schemes, hello_scheme_name));
  set_key(out, "signature_algorithms_cert",
          names_in(&hello->certificate_schemes, hello_scheme_name));
  set_key(out, "compression_methods", names_in_bytes(&hello->compressions, hello_compression_name));
  set_key(out, "ec_point_formats", names_in_bytes(&hello->point_formats, hello_point_format_name));
  set_key(out, "extensions", extensions_of(hello, false));
  set_key(out, "unknown_extensions", extensions_of(hello, true));
  set_key(out, "left_out", json_integer(left_out(hello)));
}

static void set_resumption(json_t *out, const struct hello *hello)
{
  set_key(out, "session_id_bytes", json_integer(hello->session_id_size));
  set_key(out, "session_ticket_bytes", size_or_null(hello, HELLO_SESSION_TICKET));
  set_key(out, "psk_identity_bytes", psk_of(hello));
  set_key(out, "psk_key_exchange_modes", names_in_bytes(&hello->psk_modes, hello_psk_mode_name));
  set_key(out, "early_data", json_boolean(hello_has(hello, HELLO_EARLY_DATA)));
  set_key(out, "cookie_bytes", size_or_null(hello, HELLO_COOKIE));
}

static void set_promises(json_t *out, const struct hello *hello)
{
  set_key(out, "extended_master_secret",
          json_boolean(hello_has(hello, HELLO_EXTENDED_MASTER_SECRET)));
  set_key(out, "encrypt_then_mac", json_boolean(hello_has(hello, HELLO_ENCRYPT_THEN_MAC)));
  set_key(out, "renegotiation_info", text_or_null(renegotiation_by(hello)));
  set_key(out, "fallback", json_boolean(hello_lists(&hello->suites, HELLO_FALLBACK_SCSV)));
  set_key(out, "status_request", json_boolean(hello_has(hello, HELLO_STATUS_REQUEST)));
  set_key(out, "post_handshake_auth", json_boolean(hello_has(hello, HELLO_POST_HANDSHAKE_AUTH)));
  set_key(out, "max_fragment_length", number_or_null(hello->max_fragment_size));
  set_key(out, "record_size_limit", number_or_null(hello->record_size_limit));
  set_key(out, "certificate_authorities", json_integer(hello->authorities));
  set_key(out, "heartbeat", json_boolean(hello_has(hello, HELLO_HEARTBEAT)));
  set_key(out, "padding_bytes", size_or_null(hello, HELLO_PADDING));
  set_key(out, "encrypted_client_hello_bytes", size_or_null(hello, HELLO_ENCRYPTED_CLIENT_HELLO));
}

json_t *hello_json(const struct hello *hello)
{
  json_t *out = json_object();
  set_frame(out, hello);
  set_lists(out, hello);
  set_resumption(out, hello);
  set_promises(out, hello);
  return out;
}
