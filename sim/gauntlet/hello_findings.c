/* What stands out in a hello, as a table: each row has what is said of it, and a look that tells
 * whether it holds and by which of the client's own offers. What two ends can only agree on when
 * both offer it is judged here by the client's offer alone: whoever answers it may take it. */
#include <assert.h>
#include <string.h>

#include "gauntlet/hello.h"
#include "gauntlet/hello_suites.h"

enum {
  NAMED = 2, /* offers that are named; the others are counted */
  ONE_SEGMENT =
      1400,          /* bytes that one Ethernet frame carries behind its heads, tunnels' included */
  SHARES_NORMAL = 2, /* a hybrid of two key exchanges, and its plain half */
};

/* Offers that a row is about, as a part of its sentence. */
struct offers {
  unsigned count;
  char text[HELLO_NAME * (NAMED + 1)];
};

static void add_offer(struct offers *offers, const char *name)
{
  size_t size = strlen(offers->text);
  if (offers->count++ < NAMED)
    snprintf(offers->text + size, sizeof offers->text - size, "%s%s", size > 0 ? ", " : "", name);
}

/* --- Versions --------------------------------------------------------------------------------- */

static bool offers_13(const struct hello *hello)
{
  return hello->highest == HELLO_TLS13;
}

/* TLS 1.2 or older. */
static bool offers_below_13(const struct hello *hello)
{
  return hello->highest != 0 && hello->lowest < HELLO_TLS13;
}

static bool offers_12(const struct hello *hello)
{
  return hello->highest >= HELLO_TLS12 && hello->lowest <= HELLO_TLS12;
}

static bool in_versions(const struct hello *hello, uint16_t version)
{
  if (hello_has(hello, HELLO_SUPPORTED_VERSIONS)) return hello_lists(&hello->versions, version);
  return hello->highest == version;
}

static bool look_for_ssl3(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return in_versions(hello, HELLO_SSL3) || (hello->highest != 0 && hello->highest < HELLO_SSL3);
}

static bool look_for_old_tls(const struct hello *hello, unsigned of, struct offers *offers)
{
  char name[HELLO_NAME];
  (void) of;
  for (uint16_t version = HELLO_TLS10; version <= HELLO_TLS11; version++)
    if (in_versions(hello, version)) add_offer(offers, hello_version_name(version, name));
  return offers->count > 0;
}

/* --- Suites ----------------------------------------------------------------------------------- */

/* A suite of a version that the client does not speak is never chosen. */
static unsigned traits_in_use(const struct hello *hello, uint16_t suite)
{
  unsigned traits = hello_suite_traits(suite);
  bool used = (traits & HELLO_SUITE_TLS13) != 0 ? offers_13(hello) : offers_below_13(hello);
  return used && (traits & HELLO_SUITE_SIGNAL) == 0 ? traits : 0;
}

static bool look_for_suites(const struct hello *hello, unsigned trait, struct offers *offers)
{
  char name[HELLO_NAME];
  for (size_t i = 0; i < hello->suites.count; i++)
    if ((traits_in_use(hello, hello->suites.value[i]) & trait) != 0)
      add_offer(offers, hello_suite_name(hello->suites.value[i], name));
  return offers->count > 0;
}

/* Of those that go with TLS 1.2. */
static bool look_for_only_cbc(const struct hello *hello, unsigned of, struct offers *offers)
{
  bool any = false;
  (void) of, (void) offers;
  for (size_t i = 0; i < hello->suites.count; i++) {
    unsigned traits = traits_in_use(hello, hello->suites.value[i]);
    if (traits == 0 || (traits & HELLO_SUITE_TLS13) != 0) continue;
    if ((traits & HELLO_SUITE_CBC) == 0) return false;
    any = true;
  }
  return any;
}

static bool look_for_fallback(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return hello_lists(&hello->suites, HELLO_FALLBACK_SCSV);
}

/* --- Signatures and groups -------------------------------------------------------------------- */

/* `hash` is the upper byte of a scheme, as in TLS 1.2. What is taken of a handshake and what of a
   chain are two lists. */
static bool look_for_schemes(const struct hello *hello, unsigned hash, struct offers *offers)
{
  const struct hello_numbers *more = &hello->certificate_schemes;
  char name[HELLO_NAME];
  for (size_t i = 0; i < hello->schemes.count; i++)
    if (hello->schemes.value[i] >> 8 == (int) hash)
      add_offer(offers, hello_scheme_name(hello->schemes.value[i], name));
  for (size_t i = 0; i < more->count; i++)
    if (more->value[i] >> 8 == (int) hash && !hello_lists(&hello->schemes, more->value[i]))
      add_offer(offers, hello_scheme_name(more->value[i], name));
  return offers->count > 0;
}

static bool look_for_no_schemes(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return offers_12(hello) && !hello_has(hello, HELLO_SIGNATURE_ALGORITHMS);
}

/* Curves of less than 224 bits: sect163k1 to sect193r2, secp160k1 to secp192r1. */
static bool is_weak_curve(uint16_t group)
{
  return (group >= 1 && group <= 5) || (group >= 15 && group <= 19);
}

static bool is_finite_field(uint16_t group)
{
  return group >= 256 && group <= 511; /* RFC 7919, 2 */
}

static bool name_groups(const struct hello *hello, bool (*is_one)(uint16_t group),
                        struct offers *offers)
{
  char name[HELLO_NAME];
  for (size_t i = 0; i < hello->groups.count; i++)
    if (is_one(hello->groups.value[i]) && !hello_is_grease(hello->groups.value[i]))
      add_offer(offers, hello_group_name(hello->groups.value[i], name));
  return offers->count > 0;
}

static bool look_for_weak_curves(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of;
  return name_groups(hello, is_weak_curve, offers);
}

static bool look_for_finite_fields(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of;
  return name_groups(hello, is_finite_field, offers);
}

/* --- Key shares ------------------------------------------------------------------------------- */

static unsigned real_shares(const struct hello *hello)
{
  unsigned count = hello->shares_more;
  for (size_t i = 0; i < hello->share_count; i++)
    if (!hello_is_grease(hello->share[i].group)) count++;
  return count;
}

static bool look_for_no_share(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return offers_13(hello) && real_shares(hello) == 0;
}

static bool look_for_many_shares(const struct hello *hello, unsigned of, struct offers *offers)
{
  char name[HELLO_NAME];
  (void) of;
  if (!offers_13(hello) || real_shares(hello) <= SHARES_NORMAL) return false;
  for (size_t i = 0; i < hello->share_count; i++)
    if (!hello_is_grease(hello->share[i].group))
      add_offer(offers, hello_group_name(hello->share[i].group, name));
  return true;
}

static bool look_for_stray_share(const struct hello *hello, unsigned of, struct offers *offers)
{
  char name[HELLO_NAME];
  (void) of;
  for (size_t i = 0; i < hello->share_count && hello->groups.more == 0; i++)
    if (!hello_lists(&hello->groups, hello->share[i].group))
      add_offer(offers, hello_group_name(hello->share[i].group, name));
  return offers->count > 0;
}

/* --- Extensions ------------------------------------------------------------------------------- */

static bool look_for_extension(const struct hello *hello, unsigned number, struct offers *offers)
{
  (void) offers;
  return hello_has(hello, (uint16_t) number);
}

static bool look_for_no_name(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return hello->server_name[0] == '\0';
}

static bool look_for_address(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of;
  if (hello->server_name_is_ip) add_offer(offers, hello->server_name);
  return hello->server_name_is_ip;
}

static bool look_for_no_master_secret(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return offers_below_13(hello) && !hello_has(hello, HELLO_EXTENDED_MASTER_SECRET);
}

static bool look_for_no_renegotiation(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return offers_below_13(hello) && !hello_has(hello, HELLO_RENEGOTIATION_INFO) &&
         !hello_lists(&hello->suites, HELLO_RENEGOTIATION_SCSV);
}

static bool look_for_compression(const struct hello *hello, unsigned of, struct offers *offers)
{
  char name[HELLO_NAME];
  (void) of;
  for (size_t i = 0; i < hello->compressions.count; i++)
    if (hello->compressions.value[i] != 0)
      add_offer(offers, hello_compression_name(hello->compressions.value[i], name));
  return offers->count > 0;
}

/* --- Resumption, size ------------------------------------------------------------------------- */

static bool look_for_ticket(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return hello_extension_size(hello, HELLO_SESSION_TICKET) > 0;
}

/* With TLS 1.3 or with a ticket a session id is only for show (RFC 8446, D.4; RFC 5077, 3.4). */
static bool look_for_session(const struct hello *hello, unsigned of, struct offers *offers)
{
  return !offers_13(hello) && hello->session_id_size > 0 && !look_for_ticket(hello, of, offers);
}

static bool look_for_late_psk(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  return hello_has(hello, HELLO_PRE_SHARED_KEY) && !hello->psk_is_last;
}

static bool look_for_psk_alone(const struct hello *hello, unsigned of, struct offers *offers)
{
  (void) of, (void) offers;
  for (size_t i = 0; i < hello->psk_modes.count; i++)
    if (hello->psk_modes.value[i] == 0) return true;
  return false;
}

static bool look_for_large(const struct hello *hello, unsigned of, struct offers *offers)
{
  char size[HELLO_NAME];
  (void) of;
  if (hello->wire_size <= ONE_SEGMENT) return false;
  snprintf(size, sizeof size, "%u bytes", hello->wire_size);
  add_offer(offers, size);
  return true;
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct standout {
  enum hello_severity severity;
  const char *id, *what, *why, *reference;
  bool (*holds)(const struct hello *hello, unsigned of,
                struct offers *offers); /* one of the above */
  unsigned of;                          /* its second argument */
} standouts[] = {
    {HELLO_HIGH, "ssl3", "offers SSL 3.0", "what it encrypts can be read", "POODLE; RFC 7568",
     look_for_ssl3, 0},
    {HELLO_HIGH, "null-suites", "offers suites that encrypt nothing",
     "whoever is on the way may read all", "RFC 9325, 4.1", look_for_suites, HELLO_SUITE_NULL},
    {HELLO_HIGH, "anonymous-suites", "offers suites without a server certificate",
     "anybody on the way may answer as the server", "RFC 5246, F.1.1.1", look_for_suites,
     HELLO_SUITE_ANONYMOUS},
    {HELLO_HIGH, "export-suites", "offers suites of less than 112 bits",
     "their keys can be tried out", "FREAK; RFC 9325, 4.1", look_for_suites, HELLO_SUITE_EXPORT},
    {HELLO_MEDIUM, "old-tls", "offers an old version of TLS", "both are withdrawn", "RFC 8996",
     look_for_old_tls, 0},
    {HELLO_MEDIUM, "fallback", "tries again with an older version than its best",
     "whoever spoils its first attempts chooses the version", "RFC 7507", look_for_fallback, 0},
    {HELLO_MEDIUM, "rc4", "offers RC4 suites", "what is sent often can be guessed", "RFC 7465",
     look_for_suites, HELLO_SUITE_RC4},
    {HELLO_MEDIUM, "rsa-key-exchange", "offers RSA key exchange",
     "who gets the server's key one day can read what was recorded before", "RFC 9325, 4.1",
     look_for_suites, HELLO_SUITE_RSA},
    {HELLO_MEDIUM, "static-dh", "offers static Diffie-Hellman",
     "who gets the server's key one day can read what was recorded before", "RFC 9325, 4.1",
     look_for_suites, HELLO_SUITE_STATIC_DH},
    {HELLO_MEDIUM, "static-ecdh", "offers static ECDH",
     "it has no forward secrecy, and a server that does not check points gives its key away",
     "RFC 9325, 4.1", look_for_suites, HELLO_SUITE_STATIC_ECDH},
    {HELLO_MEDIUM, "only-cbc", "offers CBC suites only for TLS 1.2 and older",
     "it takes care to withstand padding oracles with them", "Lucky 13; RFC 9325, 4.2",
     look_for_only_cbc, 0},
    {HELLO_MEDIUM, "compression", "offers to compress",
     "the size of what is sent gives secrets away", "CRIME; RFC 9325, 3.3", look_for_compression,
     0},
    {HELLO_MEDIUM, "md5-signatures", "takes signatures over MD5", "two texts can share one",
     "SLOTH; RFC 9155", look_for_schemes, 1},
    {HELLO_MEDIUM, "sha1-signatures", "takes signatures over SHA-1", "two texts can share one",
     "RFC 9155", look_for_schemes, 2},
    {HELLO_MEDIUM, "no-signature-algorithms", "does not say which signatures it takes",
     "in TLS 1.2 that stands for SHA-1", "RFC 9155, 2", look_for_no_schemes, 0},
    {HELLO_MEDIUM, "weak-curves", "offers curves of less than 224 bits", "they are withdrawn",
     "RFC 8422, 5.1.1", look_for_weak_curves, 0},
    {HELLO_MEDIUM, "no-extended-master-secret", "has no extended_master_secret for TLS 1.2",
     "one server can have two of its sessions share their keys", "triple handshake; RFC 7627",
     look_for_no_master_secret, 0},
    {HELLO_MEDIUM, "no-renegotiation-info", "has no renegotiation_info for TLS 1.2",
     "a session can be put behind somebody else's first words", "RFC 5746, 3.4",
     look_for_no_renegotiation, 0},
    {HELLO_MEDIUM, "stray-key-share", "has a key share for a group that it does not offer",
     "a server may end the connection for that", "RFC 8446, 4.2.8", look_for_stray_share, 0},
    {HELLO_MEDIUM, "psk-not-last", "sends pre_shared_key before other extensions",
     "a server ends the connection for that", "RFC 8446, 4.2.11", look_for_late_psk, 0},
    {HELLO_LOW, "address-as-name", "sends an address as the server's name",
     "that is not allowed, and servers may refuse it", "RFC 6066, 3", look_for_address, 0},
    {HELLO_LOW, "no-server-name", "does not say which server it means",
     "a client that was given a name and does not send it may not check it either", "RFC 6066, 3",
     look_for_no_name, 0},
    {HELLO_LOW, "3des", "offers 3DES suites", "long sessions give plaintext away",
     "SWEET32; RFC 9325, 4.1", look_for_suites, HELLO_SUITE_3DES},
    {HELLO_LOW, "dhe-suites", "offers Diffie-Hellman over a finite field in TLS 1.2",
     "the server alone chooses the group, and it may be a weak one", "RFC 9325, 4.1",
     look_for_suites, HELLO_SUITE_DHE},
    {HELLO_LOW, "finite-field-groups", "offers finite-field groups",
     "they cost a device far more than a curve, and nobody needs them", "RFC 7919",
     look_for_finite_fields, 0},
    {HELLO_LOW, "sha224-signatures", "takes signatures over SHA-224", "TLS has withdrawn it",
     "RFC 8446, B.3.1.3", look_for_schemes, 3},
    {HELLO_LOW, "heartbeat", "offers heartbeats", "nobody needs them over TCP",
     "Heartbleed; RFC 6520", look_for_extension, HELLO_HEARTBEAT},
    {HELLO_LOW, "early-data", "sends early data",
     "whoever recorded it can have it delivered once more", "RFC 8446, 8", look_for_extension,
     HELLO_EARLY_DATA},
    {HELLO_LOW, "psk-alone", "takes a resumption without a new key exchange",
     "it has no forward secrecy", "RFC 8446, 2.2", look_for_psk_alone, 0},
    {HELLO_LOW, "resumes-by-psk", "resumes a session by a pre-shared key",
     "the server shows no certificate then", "RFC 8446, 2.2", look_for_extension,
     HELLO_PRE_SHARED_KEY},
    {HELLO_LOW, "resumes-by-ticket", "resumes a session by a ticket",
     "the server shows no certificate then", "RFC 5077", look_for_ticket, 0},
    {HELLO_LOW, "resumes-by-id", "resumes a session by its id",
     "the server shows no certificate then", "RFC 5246, 7.3", look_for_session, 0},
    {HELLO_LOW, "no-key-share", "has no key share", "it is asked again, for one more round trip",
     "RFC 8446, 4.1.4", look_for_no_share, 0},
    {HELLO_LOW, "many-key-shares", "has more than two key shares",
     "each costs a device a key, and one is used", "RFC 8446, 4.2.8", look_for_many_shares, 0},
    {HELLO_LOW, "large-hello", "is larger than one segment",
     "it is lost if either half is, and some boxes on the way take it for broken", "RFC 9293, 3.7",
     look_for_large, 0},
};

const char *hello_severity_word(enum hello_severity severity)
{
  static const char *const words[] = {"low", "medium", "high"};
  assert((size_t) severity < sizeof words / sizeof words[0]);
  return words[severity];
}

static void word_finding(const struct standout *row, const struct offers *offers,
                         struct hello_finding *out)
{
  char more[32] = "";
  if (offers->count > NAMED) snprintf(more, sizeof more, " and %u more", offers->count - NAMED);
  *out = (struct hello_finding){.severity = row->severity, .id = row->id};
  out->reference = row->reference;
  snprintf(out->sentence, sizeof out->sentence, "%s%s%s%s%s: %s (%s)", row->what,
           offers->count > 0 ? " (" : "", offers->text, more, offers->count > 0 ? ")" : "",
           row->why, row->reference);
}

void hello_stands_out(const struct hello *hello,
                      void (*found)(void *ctx, const struct hello_finding *finding), void *ctx)
{
  for (size_t i = 0; i < sizeof standouts / sizeof standouts[0]; i++) {
    struct offers offers = {.count = 0};
    struct hello_finding finding;
    if (!standouts[i].holds(hello, standouts[i].of, &offers)) continue;
    word_finding(&standouts[i], &offers, &finding);
    found(ctx, &finding);
  }
}
