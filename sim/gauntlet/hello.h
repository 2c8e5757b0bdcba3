/* A TLS ClientHello as it comes over the wire, and what it says of the client that sent it. It is
 * read as evidence, not as a server reads it: what is unusual is kept and told, only what has no
 * one meaning is refused. RFC 8446, 4.1.2; RFC 5246, 7.4.1.2.
 *
 *     while ((verdict = hello_read(data, size, &hello)) == 0) size += more bytes of the client;
 *     if (verdict < 0) puts(hello.why); else hello_stands_out(&hello, print_finding, NULL);
 *
 * A struct hello holds no pointers and may be copied; nothing here allocates but hello_json.
 */
#ifndef FLEETSIM_GAUNTLET_HELLO_H
#define FLEETSIM_GAUNTLET_HELLO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HELLO_MAX         16384u /* most bytes of the message, with its head of four */
#define HELLO_WIRE_MAX    20000u /* most bytes that it may take up with the heads of its records */
#define HELLO_NUMBERS     256u   /* of one list that are kept */
#define HELLO_EXTENSIONS  256u   /* most extensions; IANA has names for 70 */
#define HELLO_SHARES      32u    /* key shares that are kept */
#define HELLO_PROTOCOLS   16u    /* names of ALPN that are kept */
#define HELLO_PROTOCOL    40u    /* characters of one, with the zero; a longer one is cut */
#define HELLO_SERVER_NAME 256u   /* characters, with the zero */
#define HELLO_NAME        64u    /* of a suite, a group .., with the zero */
#define HELLO_JA3         33u    /* characters, with the zero */
#define HELLO_JA4         37u

/* symbol, word, sentence: why bytes are no ClientHello */
/* clang-format off */
#define HELLO_WRONGS(X) \
  X(NOTHING,    "",           "it is one, or may become one") \
  X(NOT_TLS,    "not-tls",    "these are no bytes of TLS") \
  X(PLAIN_MQTT, "plain-mqtt", "the client speaks MQTT without TLS") \
  X(PLAIN_TEXT, "plain-text", "the client sends text, such as HTTP, without TLS") \
  X(SSL2,       "ssl2",       "the client begins with a hello of SSL 2 (RFC 6176 forbids that)") \
  X(ALERT,      "alert",      "the client ends with an alert where a ClientHello is due") \
  X(MALFORMED,  "malformed",  "") \
  X(TOO_LARGE,  "too-large",  "it is larger than 16,384 bytes, or in too many pieces")
/* clang-format on */

enum hello_wrong {
#define X(symbol, word, sentence) HELLO_##symbol,
  HELLO_WRONGS(X)
#undef X
};

/* Values in the order in which they were sent; `more` of them had no room. */
struct hello_numbers {
  uint16_t count, more;
  uint16_t value[HELLO_NUMBERS];
};

/* Of lists whose values are single bytes. */
struct hello_bytes {
  uint8_t count, more;
  uint8_t value[16];
};

struct hello_extension {
  uint16_t number, size; /* bytes of its content */
};

struct hello_share {
  uint16_t group, size; /* bytes of the key */
};

/* Those whose content is looked into, or asked for; IANA's numbers. */
enum hello_extension_number {
  HELLO_SERVER_NAMES = 0,
  HELLO_MAX_FRAGMENT_LENGTH = 1,
  HELLO_STATUS_REQUEST = 5,
  HELLO_SUPPORTED_GROUPS = 10,
  HELLO_EC_POINT_FORMATS = 11,
  HELLO_SIGNATURE_ALGORITHMS = 13,
  HELLO_HEARTBEAT = 15,
  HELLO_ALPN = 16,
  HELLO_PADDING = 21,
  HELLO_ENCRYPT_THEN_MAC = 22,
  HELLO_EXTENDED_MASTER_SECRET = 23,
  HELLO_RECORD_SIZE_LIMIT = 28,
  HELLO_SESSION_TICKET = 35,
  HELLO_PRE_SHARED_KEY = 41,
  HELLO_EARLY_DATA = 42,
  HELLO_SUPPORTED_VERSIONS = 43,
  HELLO_COOKIE = 44,
  HELLO_PSK_KEY_EXCHANGE_MODES = 45,
  HELLO_CERTIFICATE_AUTHORITIES = 47,
  HELLO_POST_HANDSHAKE_AUTH = 49,
  HELLO_SIGNATURE_ALGORITHMS_CERT = 50,
  HELLO_KEY_SHARE = 51,
  HELLO_ENCRYPTED_CLIENT_HELLO = 0xfe0d,
  HELLO_RENEGOTIATION_INFO = 0xff01,
};

/* Suites that are none: a client says something by them (RFC 5746, RFC 7507). */
#define HELLO_RENEGOTIATION_SCSV 0x00ffu
#define HELLO_FALLBACK_SCSV      0x5600u

#define HELLO_SSL3  0x0300u
#define HELLO_TLS10 0x0301u
#define HELLO_TLS11 0x0302u
#define HELLO_TLS12 0x0303u
#define HELLO_TLS13 0x0304u

struct hello {
  enum hello_wrong wrong;
  char why[128]; /* a sentence for people; "" while nothing is wrong */

  uint16_t size;      /* bytes of the message, with its head */
  uint16_t wire_size; /* and with the heads of the records that it came in */
  uint16_t records;
  uint16_t record_version; /* of the first record: it says next to nothing */
  uint16_t legacy_version;
  uint8_t session_id_size;
  struct hello_bytes compressions;
  struct hello_numbers suites; /* all that was in the list, GREASE and SCSVs too */
  uint16_t extension_count;
  struct hello_extension extension[HELLO_EXTENSIONS]; /* in the order in which they were sent */

  /* What the client will speak. `highest` 0: no version that is known. `lowest` 0: not said, as of
     a client without supported_versions that offers suites of before TLS 1.2: only trials show. */
  uint16_t highest, lowest;
  struct hello_numbers versions; /* of supported_versions */

  char server_name[HELLO_SERVER_NAME]; /* "": none was sent; what is not printable is '?' */
  bool server_name_is_ip;              /* an address as text, which RFC 6066 forbids */
  uint16_t protocol_count, protocols_more;
  char protocol[HELLO_PROTOCOLS][HELLO_PROTOCOL]; /* of ALPN, printable as above */
  uint8_t protocol_ends[2];                       /* first and last byte of the first, as sent */

  struct hello_numbers groups, schemes, certificate_schemes;
  uint16_t share_count, shares_more;
  struct hello_share share[HELLO_SHARES];
  struct hello_bytes point_formats, psk_modes;

  struct hello_numbers psk_sizes; /* bytes of each identity of pre_shared_key */
  bool psk_is_last;               /* as it must be (RFC 8446, 4.2.11) */
  uint16_t max_fragment_size;     /* bytes; 0: not asked for, or by a number that is none */
  uint16_t record_size_limit;     /* 0: not asked for */
  uint16_t authorities;           /* names in certificate_authorities */
  uint8_t heartbeat;              /* 1: the peer may send requests, 2: it may not; 0: none */
  bool grease;                    /* numbers of RFC 8701 were among the lists */
};

/* Looks at all bytes that the client has sent so far, which may be more than its hello. 1: `out` is
 * filled, and out->wire_size of the bytes were it. 0: more bytes are needed. -1: it is none, as
 * out->wrong and out->why say, whatever follows. In the last two cases nothing else of `out` is to
 * be used. The client's random is not kept. */
int hello_read(const uint8_t *data, size_t size, struct hello *out);

/* "not-tls" .. */
const char *hello_wrong_word(enum hello_wrong wrong);

/* Bytes of that extension's content; -1: it was not sent. */
int hello_extension_size(const struct hello *hello, uint16_t number);
bool hello_has(const struct hello *hello, uint16_t extension);

/* It is in the list; one value more than once counts once. */
bool hello_lists(const struct hello_numbers *list, uint16_t value);

/* RFC 8701: a number that stands for nothing, so that servers learn to ignore what they do not
   know. */
bool hello_is_grease(uint16_t number);

/* --- Names (hello_names.c, hello_suites.c): IANA's, "GREASE", or 0x and four digits in `out`.
   Valid as long as `out`. ---------------------------------------------------------------------- */

const char *hello_suite_name(uint16_t suite, char out[HELLO_NAME]);
const char *hello_group_name(uint16_t group, char out[HELLO_NAME]);
const char *hello_scheme_name(uint16_t scheme, char out[HELLO_NAME]);
const char *hello_version_name(uint16_t version, char out[HELLO_NAME]);
const char *hello_extension_name(uint16_t extension, char out[HELLO_NAME]);
const char *hello_psk_mode_name(uint16_t mode, char out[HELLO_NAME]);
const char *hello_point_format_name(uint16_t format, char out[HELLO_NAME]);
const char *hello_compression_name(uint16_t method, char out[HELLO_NAME]);

/* Whether IANA, or a library that devices use, has a name for it; GREASE is no unknown one. */
bool hello_knows_extension(uint16_t extension);

/* --- What stands out (hello_findings.c) -------------------------------------------------------- */

enum hello_severity { HELLO_LOW, HELLO_MEDIUM, HELLO_HIGH };

struct hello_finding {
  enum hello_severity severity;
  const char *id;        /* stable: "rc4" */
  const char *reference; /* "RFC 7465", "CRIME; RFC 9325, 3.3" */
  /* without a full stop, with the reference: "offers RC4 suites (..): .. (RFC 7465)" */
  char sentence[400];
};

const char *hello_severity_word(enum hello_severity severity);

/* Calls `found` once for each finding, the gravest first; the finding is valid during the call.
   What is usual is none. */
void hello_stands_out(const struct hello *hello,
                      void (*found)(void *ctx, const struct hello_finding *finding), void *ctx);

/* --- Facts for people and programs (hello_facts.c, hello_json.c) ------------------------------- */

/* One screen of lines that begin with two blanks, at most 98 columns wide. */
void hello_print_facts(const struct hello *hello, FILE *out);

/* The same as an object, lists as names; to be released. Keys are only ever added. */
json_t *hello_json(const struct hello *hello);

/* Fingerprints that are widely known (hello_prints.c). False, and "" in `out`: a list was too long
   to be kept whole, or libcrypto has no such hash. */
bool hello_ja3(const struct hello *hello, char out[HELLO_JA3]);
bool hello_ja4(const struct hello *hello, char out[HELLO_JA4]);

#endif
