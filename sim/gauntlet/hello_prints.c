/* Fingerprints by which others know TLS clients: JA3 (Salesforce, 2017, BSD 3-Clause) and JA4
 * (FoxIO, 2023: of its family that one alone is BSD 3-Clause and free of patents). Both are written
 * from their description: a text of the hello's numbers without GREASE, and its hash. */
#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gauntlet/hello.h"

/* All lists of a hello at their longest, six characters a number. */
struct print_text {
  char text[4 * 6 * HELLO_NUMBERS];
  size_t size;
};

__attribute__((format(printf, 2, 3))) static void add_text(struct print_text *to,
                                                           const char *format, ...)
{
  va_list args;
  va_start(args, format);
  int size = vsnprintf(to->text + to->size, sizeof to->text - to->size, format, args);
  va_end(args);
  to->size += (size_t) size;
  assert(to->size < sizeof to->text);
}

/* The first `bytes` of its hash in hexadecimal. */
static bool hash_text(const struct print_text *text, const EVP_MD *kind, size_t bytes, char *out)
{
  uint8_t result[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  out[0] = '\0';
  if (EVP_Digest(text->text, text->size, result, &size, kind, NULL) != 1) return false;
  assert(size >= bytes);
  text_hex(result, bytes, out);
  return true;
}

/* What both leave out of every list, and whether a hello was kept whole. */
static struct hello_numbers without_grease(const struct hello_numbers *list)
{
  struct hello_numbers out = {.count = 0};
  for (size_t i = 0; i < list->count; i++)
    if (!hello_is_grease(list->value[i])) out.value[out.count++] = list->value[i];
  return out;
}

static struct hello_numbers extensions_without_grease(const struct hello *hello)
{
  struct hello_numbers out = {.count = 0};
  for (size_t i = 0; i < hello->extension_count; i++)
    if (!hello_is_grease(hello->extension[i].number))
      out.value[out.count++] = hello->extension[i].number;
  return out;
}

/* --- JA3 -------------------------------------------------------------------------------------- */

static void add_decimals(struct print_text *to, const struct hello_numbers *list)
{
  add_text(to, ",");
  for (size_t i = 0; i < list->count; i++) add_text(to, i > 0 ? "-%u" : "%u", list->value[i]);
}

bool hello_ja3(const struct hello *hello, char out[HELLO_JA3])
{
  struct print_text text = {.size = 0};
  struct hello_numbers suites = without_grease(&hello->suites);
  struct hello_numbers extensions = extensions_without_grease(hello);
  struct hello_numbers groups = without_grease(&hello->groups);
  out[0] = '\0';
  if (hello->suites.more > 0 || hello->groups.more > 0 || hello->point_formats.more > 0)
    return false;
  add_text(&text, "%u", hello->legacy_version);
  add_decimals(&text, &suites);
  add_decimals(&text, &extensions);
  add_decimals(&text, &groups);
  add_text(&text, ",");
  for (size_t i = 0; i < hello->point_formats.count; i++)
    add_text(&text, i > 0 ? "-%u" : "%u", hello->point_formats.value[i]);
  return hash_text(&text, EVP_md5(), 16, out);
}

/* --- JA4 -------------------------------------------------------------------------------------- */

static const char *ja4_version(const struct hello *hello)
{
  static const char *const names[] = {"s3", "10", "11", "12", "13"};
  uint16_t version = hello->legacy_version;
  if (hello_has(hello, HELLO_SUPPORTED_VERSIONS)) version = hello->highest;
  if (version < HELLO_SSL3 || version > HELLO_TLS13) return "00";
  return names[version - HELLO_SSL3];
}

/* First and last character of the first protocol; of one that is no text, of its bytes in
   hexadecimal. */
static void ja4_protocol(const struct hello *hello, char out[3])
{
  uint8_t first = hello->protocol_ends[0], last = hello->protocol_ends[1];
  char hex[5];
  snprintf(out, 3, "00");
  if (hello->protocol_count == 0) return;
  text_hex(hello->protocol_ends, 2, hex);
  bool is_text = first < 0x80 && last < 0x80 && isalnum(first) && isalnum(last);
  out[0] = is_text ? (char) first : hex[0];
  out[1] = is_text ? (char) last : hex[3];
}

static int by_value(const void *a, const void *b)
{
  return *(const uint16_t *) a - *(const uint16_t *) b;
}

static void add_hex(struct print_text *to, const struct hello_numbers *list)
{
  for (size_t i = 0; i < list->count; i++) add_text(to, i > 0 ? ",%04x" : "%04x", list->value[i]);
}

/* The name and the protocols that are asked for change from server to server. */
static void drop_of_server(struct hello_numbers *extensions)
{
  size_t kept = 0;
  for (size_t i = 0; i < extensions->count; i++)
    if (extensions->value[i] != HELLO_SERVER_NAMES && extensions->value[i] != HELLO_ALPN)
      extensions->value[kept++] = extensions->value[i];
  extensions->count = (uint16_t) kept;
}

/* Twelve digits of the hash of a text; zeros for one that is empty. */
static bool ja4_hash(const struct print_text *text, char out[13])
{
  snprintf(out, 13, "000000000000");
  return text->size == 0 || hash_text(text, EVP_sha256(), 6, out);
}

bool hello_ja4(const struct hello *hello, char out[HELLO_JA4])
{
  struct print_text of_suites = {.size = 0}, of_extensions = {.size = 0};
  struct hello_numbers suites = without_grease(&hello->suites);
  struct hello_numbers extensions = extensions_without_grease(hello);
  struct hello_numbers schemes = without_grease(&hello->schemes);
  unsigned suite_count = suites.count < 99 ? suites.count : 99;
  unsigned extension_count = extensions.count < 99 ? extensions.count : 99;
  char protocol[3], first[13], second[13];
  drop_of_server(&extensions);
  qsort(suites.value, suites.count, sizeof suites.value[0], by_value);
  qsort(extensions.value, extensions.count, sizeof extensions.value[0], by_value);
  add_hex(&of_suites, &suites);
  add_hex(&of_extensions, &extensions);
  if (schemes.count > 0) add_text(&of_extensions, "_");
  add_hex(&of_extensions, &schemes);
  ja4_protocol(hello, protocol);
  out[0] = '\0';
  if (hello->suites.more > 0 || hello->schemes.more > 0 || !ja4_hash(&of_suites, first) ||
      !ja4_hash(&of_extensions, second))
    return false;
  snprintf(out, HELLO_JA4, "t%s%c%02u%02u%s_%s_%s", ja4_version(hello),
           hello_has(hello, HELLO_SERVER_NAMES) ? 'd' : 'i', suite_count, extension_count, protocol,
           first, second);
  return true;
}
