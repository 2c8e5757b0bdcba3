/* The figures of a summary, a part a function: what there is to say of devices, messages,
   updates, times. A part of what did not happen prints nothing. */
#include <stdarg.h>
#include <string.h>

#include "base/product.h"
#include "base/text.h"
#include "fleetsim/ota.h"
#include "report/screen.h"
#include "report/summary.h"

/* bytes: what a device's buffer for TLS records has unless the scenario says more */
#define RECORD_USUAL  4096
#define NAMES_SHOWN   3u
#define NAMES_COLUMNS 31u /* of as many ids, beside the failure's own columns */

static void append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *format, ...)
{
  size_t used = strlen(text);
  va_list args;
  va_start(args, format);
  vsnprintf(text + used, size - used, format, args);
  va_end(args);
}

static double value_of(const json_t *tree, const char *name)
{
  return results_json_number(json_object_get(json_object_get(tree, "metrics"), name), "value");
}

static void print_handshakes(const json_t *tree, FILE *out)
{
  double verified = value_of(tree, "crypto.verify"),
         remembered = value_of(tree, "crypto.verify_remembered");
  bool native = strcmp(results_json_text(json_object_get(tree, "fleet"), "crypto"), "native") == 0;
  char checks[64] = "";
  if (native)
    snprintf(checks, sizeof checks, "; %.0f verifications, native crypto", verified);
  else if (verified > 0)
    snprintf(checks, sizeof checks, "; %.0f verifications, %.0f remembered", verified, remembered);
  screen_line(out, "  handshakes   %.0f full, %.0f resumed%s", value_of(tree, "handshake.full"),
              value_of(tree, "handshake.resumed"), checks);
}

/* " 00000a00 00000a01 ...", of the first devices; false: too long to stand beside something */
bool summary_few_names(const json_t *devices, char names[SCREEN_CELL])
{
  size_t count = json_array_size(devices);
  names[0] = '\0';
  for (size_t i = 0; i < count && i < NAMES_SHOWN; i++) {
    const char *name = json_string_value(json_array_get(devices, i));
    append(names, SCREEN_CELL, " %.64s", name != NULL ? name : "");
  }
  if (count > NAMES_SHOWN) append(names, SCREEN_CELL, " ...");
  return text_columns(names) <= NAMES_COLUMNS;
}

/* "428 of the lost acknowledged by a broker, 25 refused": only what there is. */
static void print_missing(const json_t *tree, FILE *out)
{
  static const char *const kinds[][2] = {
      {"telemetry.lost_acked", "of the lost acknowledged by a broker"},
      {"telemetry.refused", "refused"},
      {"telemetry.declined", "of the refused not sent"},
      {"telemetry.skipped", "not taken by a device"},
      {"telemetry.unawaited", "of revoked devices missing"},
      {"telemetry.foreign", "of another run"},
      {"telemetry.altered", "cut short or altered on their way"},
      {"telemetry.unaccounted", "DO NOT ADD UP"}};
  char text[SCREEN_TEXT] = "";
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
    if (value_of(tree, kinds[k][0]) > 0)
      append(text, sizeof text, "%s%.0f %s", text[0] != '\0' ? ", " : "",
             value_of(tree, kinds[k][0]), kinds[k][1]);
  screen_paragraph(out, 15, text);
}

/* A broker that drops what it forbids says nothing of it: whose messages they were is all there
   is. */
static void print_losers(const json_t *telemetry, FILE *out)
{
  double devices = results_json_number(telemetry, "lost_by");
  char names[SCREEN_CELL], text[SCREEN_TEXT] = "";
  if (devices <= 0) return;
  (void) summary_few_names(json_object_get(telemetry, "lost_first_devices"), names);
  append(text, sizeof text, "lost by %.0f device%s:%s", devices, devices > 1 ? "s" : "", names);
  screen_paragraph(out, 15, text);
}

/* What is not known is said, not printed as a number. */
static void print_telemetry(const json_t *tree, FILE *out)
{
  const json_t *telemetry = json_object_get(tree, "telemetry");
  double sent = value_of(tree, "telemetry.sent");
  if (json_is_false(json_object_get(telemetry, "numbered"))) {
    screen_line(out,
                "  telemetry    %.0f sent, %.0f acknowledged, %.0f not; what arrived is not known",
                sent, value_of(tree, "telemetry.acked"), value_of(tree, "telemetry.unacked"));
    char text[SCREEN_TEXT] = "";
    if (!results_json_unheard(tree))
      append(text, sizeof text,
             "a payload has no seq-at: %.0f messages came to the back office, whichever they are; ",
             value_of(tree, "telemetry.unnumbered"));
    if (sent > 0 || !results_json_unheard(tree))
      append(text, sizeof text,
             "those of QoS 0 count as acknowledged when they are handed to the connection");
    if (text[0] != '\0') screen_paragraph(out, 15, text);
  } else
    screen_line(out, "  telemetry    %.0f sent, %.0f delivered, %.0f lost, %.0f duplicated", sent,
                value_of(tree, "telemetry.delivered"), value_of(tree, "telemetry.lost"),
                value_of(tree, "telemetry.duplicated"));
  if (sent > 0 && !results_json_unheard(tree) && json_is_false(json_object_get(telemetry, "timed")))
    screen_line(out, "               their latency is not known: a payload has no time-at");
  print_missing(tree, out);
  print_losers(telemetry, out);
}

static void print_tokens(const json_t *tree, FILE *out)
{
  double renewed = value_of(tree, "token.renewed"), refused = value_of(tree, "token.refused"),
         let_in = value_of(tree, "token.expired_accepts"),
         overstayed = value_of(tree, "token.overstayed"),
         unrenewed = value_of(tree, "token.unrenewed");
  if (renewed + unrenewed + refused + let_in + overstayed == 0) return;
  screen_line(out, "  tokens       %.0f renewed; %.0f refused, of which %.0f were over", renewed,
              refused, value_of(tree, "token.expired_refused"));
  if (unrenewed > 0)
    screen_line(out, "               the hook was called in vain %.0f time%s", unrenewed,
                unrenewed == 1 ? "" : "s");
  if (let_in + overstayed > 0)
    screen_line(
        out, "               over and let in all the same %.0f; sessions that outlive theirs %.0f",
        let_in, overstayed);
}

/* Where it matters: messages are missing, or it is away still. */
static void print_office(const json_t *tree, FILE *out)
{
  double away_s = value_of(tree, "operator.away_s"), losses = value_of(tree, "operator.losses");
  bool online = value_of(tree, "operator.online") > 0;
  bool told =
      !online || value_of(tree, "telemetry.lost") > 0 || value_of(tree, "operator.unforetold") > 0;
  if (losses == 0 || !told) return;
  screen_line(out, "  back office  away for %.1f s in all, lost its broker %.0f time%s%s", away_s,
              losses, losses == 1 ? "" : "s", online ? "" : "; away at the end");
}

void summary_figures(const json_t *tree, FILE *out)
{
  const json_t *accounting = json_object_get(tree, "accounting");
  if (!json_is_object(accounting)) return;
  screen_line(out, "  devices      %.0f online, %.0f lost, %.0f on the shelf; lowest online %.0f",
              value_of(tree, "fleet.online"), value_of(tree, "devices.lost"),
              value_of(tree, "fleet.shelved"), value_of(tree, "fleet.online_min"));
  screen_line(out, "  connections  %.0f attempts = %.0f ok + %.0f failed + %.0f open%s",
              results_json_number(accounting, "attempts"), results_json_number(accounting, "ok"),
              results_json_number(accounting, "failed"), results_json_number(accounting, "open"),
              json_is_true(json_object_get(accounting, "closed")) ? "" : "  DOES NOT ADD UP");
  print_handshakes(tree, out);
  print_telemetry(tree, out);
  print_office(tree, out);
  print_tokens(tree, out);
  if (value_of(tree, "trespass.attempts") > 0)
    screen_line(
        out,
        "  trespass     %.0f attempts, %.0f refused by name, %.0f by closing, %.0f came through",
        value_of(tree, "trespass.attempts"), value_of(tree, "trespass.denied"),
        value_of(tree, "trespass.closed"), value_of(tree, "trespass.delivered"));
  if (value_of(tree, "mitm.attempts") > 0)
    screen_line(out,
                "  mitm         %.0f connections, %.0f refused, %.0f showed nothing; %.0f believed",
                value_of(tree, "mitm.attempts"), value_of(tree, "mitm.refused"),
                value_of(tree, "mitm.unserved") + value_of(tree, "mitm.unclear"),
                value_of(tree, "mitm.believed") + value_of(tree, "mitm.accepted"));
}

/* A failure, or what a metric counts. */
static bool has_been(const json_t *tree, const char *name)
{
  return json_is_object(json_object_get(json_object_get(tree, "failures"), name)) ||
         value_of(tree, name) > 0;
}

/* What of these figures is this kind's way, whatever the fleet does. It explains and judges
   nothing. */
void summary_kind(const json_t *tree, FILE *out)
{
  const json_t *broker = json_object_get(tree, "broker");
  const struct product *product = product_find(results_json_text(broker, "kind"));
  if (product == NULL) return;
  screen_line(out, "  broker       %s %s, says the scenario", product->word,
              results_json_text(broker, "version"));
  for (const struct product_fact *fact = product->facts; fact->line != NULL; fact++)
    if (has_been(tree, fact->when)) screen_paragraph(out, 15, fact->line);
}

static const char *milliseconds(double ms, char out[24])
{
  if (ms >= 10000)
    snprintf(out, 24, "%.1f s", ms / 1000);
  else
    snprintf(out, 24, ms < 10 ? "%.2f ms" : "%.0f ms", ms);
  return out;
}

/* "never" is an answer: a session that nobody has ended has no time. */
void summary_revocation(const json_t *tree, FILE *out)
{
  const json_t *cut = json_object_get(json_object_get(tree, "metrics"), "revoke.cut_ms");
  double ended = results_json_number(cut, "count"), uncut = value_of(tree, "revoke.uncut");
  double hit = value_of(tree, "revoke.collateral"), revoked = value_of(tree, "revoke.revoked");
  char text[24];
  if (ended + uncut + hit + revoked + value_of(tree, "revoke.refusals") == 0) return;
  screen_line(
      out,
      "  revocation   %.0f revoked, refused %.0f times, let in %.0f times; %.0f others refused",
      revoked, value_of(tree, "revoke.refusals"), value_of(tree, "revoke.accepts"), hit);
  if (value_of(tree, "revoke.unrefused") > 0)
    screen_line(out, "               %.0f of them are let in still",
                value_of(tree, "revoke.unrefused"));
  if (ended > 0)
    screen_line(out, "               of their sessions %.0f ended after at most %s, %.0f never",
                ended, milliseconds(results_json_number(cut, "max"), text), uncut);
  else if (uncut > 0)
    screen_line(out, "               their %.0f open sessions never ended", uncut);
}

/* "wave 1: 7 of 10 updated, 3 refused": what there was of it. */
static void print_wave(size_t number, const json_t *wave, FILE *out)
{
  static const char *const kinds[][2] = {{"refused", "refused"},
                                         {"rolled_back", "rolled back"},
                                         {"cancelled", "called off"},
                                         {"open", "open"}};
  char text[200] = "";
  append(text, sizeof text, "wave %zu: %.0f of %.0f updated", number,
         results_json_number(wave, "confirmed"), results_json_number(wave, "devices"));
  for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
    double n = results_json_number(wave, kinds[k][0]);
    if (n > 0) append(text, sizeof text, ", %.0f %s", n, kinds[k][1]);
  }
  screen_line(out, "               %s", text);
}

static void print_rollout(const json_t *rollout, FILE *out)
{
  const json_t *waves = json_object_get(rollout, "waves");
  const char *criterion = results_json_text(rollout, "criterion");
  char why[120] = "";
  if (criterion[0] != '\0') snprintf(why, sizeof why, " at %.95s", criterion);
  screen_line(out, "  rollout      %.24s: %s%s; %.0f offered, %.0f not",
              results_json_text(rollout, "image"), results_json_text(rollout, "state"), why,
              results_json_number(rollout, "offered"), results_json_number(rollout, "untouched"));
  for (size_t w = 0; w < json_array_size(waves); w++) {
    const json_t *wave = json_array_get(waves, w);
    if (results_json_number(wave, "offered") > 0) print_wave(w + 1, wave, out);
  }
  if (json_is_true(json_object_get(rollout, "aborted")))
    screen_line(out, "               stopped with %.0f open, of which %.0f went on",
                results_json_number(rollout, "open_when_stopped"),
                results_json_number(rollout, "touched_after"));
}

/* How updates ended that did not end well: "refused as bad_signature 10, self_test 3". */
static void print_endings(const json_t *statuses, FILE *out)
{
  char text[SCREEN_TEXT] = "";
  const char *name;
  json_t *status;
  json_object_foreach((json_t *) statuses, name, status)
  {
    int code = device_ota_status_find(name, strlen(name));
    if (code < 0 || (!device_ota_is_refusal((enum device_ota_status) code) &&
                     !device_ota_is_rolled_back((enum device_ota_status) code)))
      continue;
    append(text, sizeof text, "%s %.0f, ", name, results_json_number(status, "count"));
  }
  if (text[0] == '\0') return;
  text[strlen(text) - 2] = '\0';
  char whole[SCREEN_TEXT + 32];
  snprintf(whole, sizeof whole, "updates failed as: %s", text);
  screen_paragraph(out, 15, whole);
}

/* `bricked` is told also when it is 0. */
void summary_ota(const json_t *tree, FILE *out)
{
  const json_t *ota = json_object_get(tree, "ota"), *rollouts = json_object_get(ota, "rollout");
  if (!json_is_object(ota)) return;
  screen_line(
      out,
      "  updates      %.0f offered, %.0f updated, %.0f refused, %.0f rolled back, %.0f bricked",
      value_of(tree, "ota.offered"), value_of(tree, "ota.updated"), value_of(tree, "ota.refused"),
      value_of(tree, "ota.rolled_back"), value_of(tree, "ota.bricked"));
  screen_line(out, "               %.1f MiB received, %.1f KiB of it again; %.0f power cuts",
              value_of(tree, "ota.bytes") / 1048576, value_of(tree, "ota.resent_bytes") / 1024,
              value_of(tree, "ota.power_cuts"));
  if (value_of(tree, "ota.disagree") > 0)
    screen_line(out, "x              %.0f devices did something else than they report",
                value_of(tree, "ota.disagree"));
  for (size_t r = 0; r < json_array_size(rollouts); r++)
    print_rollout(json_array_get(rollouts, r), out);
  print_endings(json_object_get(ota, "statuses"), out);
}

/* "full-jitter 1s-60s": base and cap where the policy has them. */
static const char *policy_words(const json_t *storm, char out[48])
{
  const char *policy = results_json_text(storm, "policy");
  double base = results_json_number(storm, "base_ms") / 1000,
         cap = results_json_number(storm, "cap_ms") / 1000;
  if (strcmp(policy, "immediate") == 0)
    snprintf(out, 48, "%.20s", policy);
  else if (strcmp(policy, "fixed") == 0)
    snprintf(out, 48, "%.20s %.4gs", policy, base);
  else
    snprintf(out, 48, "%.20s %.4gs-%.4gs", policy, base, cap);
  return out;
}

static const char *back_after(const json_t *storm, const char *key, char out[16])
{
  const json_t *ms = json_object_get(storm, key);
  snprintf(out, 16, json_is_number(ms) ? "%.1fs" : "never", json_number_value(ms) / 1000);
  return out;
}

void summary_storms(const json_t *tree, FILE *out)
{
  const json_t *storms = json_object_get(tree, "storms");
  char words[48], p50[16], p90[16], p99[16], all[16];
  if (json_array_size(storms) == 0) return;
  screen_line(out, "  %-22s %6s %6s %6s %6s %6s %7s %8s", "storm: came back after", "50%", "90%",
              "99%", "100%", "online", "peak/s", "wasted");
  for (size_t i = 0; i < json_array_size(storms); i++) {
    const json_t *storm = json_array_get(storms, i);
    bool whole = results_json_number(storm, "online") >= results_json_number(storm, "devices");
    screen_line(out, "%-2s%-22.22s %6s %6s %6s %6s %6.0f %7.0f %8.0f", whole ? "" : "x",
                policy_words(storm, words), back_after(storm, "p50_ms", p50),
                back_after(storm, "p90_ms", p90), back_after(storm, "p99_ms", p99),
                back_after(storm, "all_ms", all), results_json_number(storm, "online"),
                results_json_number(storm, "peak_per_s"), results_json_number(storm, "wasted"));
  }
}

void summary_times(const json_t *tree, FILE *out)
{
  static const struct {
    const char *name, *words;
  } shown[] = {{"handshake.wall_ms", "TLS handshake, host wall"},
               {"connect.total_ms", "planned start to online"},
               {"process.loop_delay_ms", "this process's own share"}};
  bool headed = false,
       paced = json_is_true(json_object_get(json_object_get(tree, "timing"), "paced"));
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    const json_t *stats = json_object_get(json_object_get(tree, "metrics"), shown[i].name);
    if (results_json_number(stats, "count") == 0) continue;
    char p50[24], p99[24], max[24];
    const char *words = paced && i == 0 ? "TLS handshake, paced wall"
                                        : shown[i].words; /* not what the host needs */
    if (!headed) screen_line(out, "  %-28s %12s %12s %12s", "times", "p50", "p99", "max");
    headed = true;
    screen_line(out, "  %-28s %12s %12s %12s", words,
                milliseconds(results_json_number(stats, "p50"), p50),
                milliseconds(results_json_number(stats, "p99"), p99),
                milliseconds(results_json_number(stats, "max"), max));
  }
}

/* Forty milliseconds are what Nagle's algorithm and a delayed acknowledgement make together (RFC
   1122 4.2.3.2, 4.2.3.4; Linux waits 40 ms), where the line itself is short. */
void summary_delayed_connack(const json_t *tree, FILE *out)
{
  const json_t *metrics = json_object_get(tree, "metrics");
  double handshake = results_json_number(json_object_get(metrics, "handshake.wall_ms"), "p50");
  double total = results_json_number(json_object_get(metrics, "connect.total_ms"), "p50");
  if (handshake <= 0 || handshake > 15 || total - handshake < 38 || total - handshake > 48) return;
  screen_paragraph(
      out, 2,
      "from TLS handshake to CONNACK pass some 40 ms: a broker or proxy without TCP_NODELAY "
      "waits so long (mosquitto: set_tcp_nodelay true)");
}

/* What was counted on this machine as a device would take for it; never without the word, nor
   without its band. */
static void print_modelled(const json_t *timing, FILE *out)
{
  const json_t *p50 = json_object_get(json_object_get(timing, "device_ms"), "p50");
  char text[200] = "";
  if (!json_is_object(p50)) return;
  append(text, sizeof text, "TLS handshake, modelled on %.64s: p50 %.2f s (%.2f-%.2f s)",
         results_json_text(timing, "profile"), results_json_number(p50, "nominal") / 1000,
         results_json_number(p50, "low") / 1000, results_json_number(p50, "high") / 1000);
  screen_paragraph(out, 2, text);
}

/* What the client takes up on such a device, as far as it is known. */
static void print_budget(const json_t *timing, FILE *out)
{
  const json_t *budget = json_object_get(timing, "budget");
  double rom = results_json_number(budget, "rom_bytes"),
         ram = results_json_number(budget, "ram_peak_bytes");
  double anchors = results_json_number(budget, "trust_anchors_max"),
         chain = results_json_number(budget, "chain_bytes");
  double record = results_json_number(budget, "record_bytes");
  char text[200] = "";
  if (rom + ram + anchors + chain <= 0) return;
  append(text, sizeof text, "budget %.64s:", results_json_text(timing, "profile"));
  if (rom > 0) append(text, sizeof text, " ROM %.0f kB,", rom / 1000);
  if (ram > 0) append(text, sizeof text, " RAM %.1f kB,", ram / 1000);
  if (record > RECORD_USUAL)
    append(text, sizeof text, " of which %.1f kB for larger records,",
           (record - RECORD_USUAL) / 1000);
  if (anchors > 0) append(text, sizeof text, " %.0f anchors,", anchors);
  if (chain > 0) append(text, sizeof text, " chain %.0f B,", chain);
  text[strlen(text) - 1] = '\0'; /* the last comma */
  screen_paragraph(out, 2, text);
}

void summary_timing(const json_t *tree, FILE *out)
{
  const json_t *timing = json_object_get(tree, "timing");
  print_modelled(timing, out);
  print_budget(timing, out);
}
