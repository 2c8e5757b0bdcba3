/* The timetable: the head of a scenario, and its phases with the words of its steps. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "base/host_port.h"
#include "crypto/records.h"
#include "scenario/print.h"
#include "scenario/step_kind.h"
#include "scenario/take.h"

#define ROLLBACK_MS 60000u

const char *print_duration(uint64_t ms, char out[32])
{
  if (ms < 1000)
    snprintf(out, 32, "%llu ms", (unsigned long long) ms);
  else if (ms < 120000)
    snprintf(out, 32, "%.4g s", (double) ms / 1000);
  else
    snprintf(out, 32, "%llu min %llu s", (unsigned long long) (ms / 60000),
             (unsigned long long) (ms / 1000 % 60));
  return out;
}

const char *print_bytes(uint64_t bytes, char out[32])
{
  if (bytes % (1024u * 1024u) == 0)
    snprintf(out, 32, "%llu MiB", (unsigned long long) (bytes >> 20));
  else if (bytes % 1024u == 0)
    snprintf(out, 32, "%llu KiB", (unsigned long long) (bytes >> 10));
  else
    snprintf(out, 32, "%llu bytes", (unsigned long long) bytes);
  return out;
}

const char *print_waves(const struct scenario_waves *w, char *out, size_t size)
{
  size_t used = 0;
  out[0] = '\0';
  if (w->count < 2) return "all at once";
  for (size_t i = 0; i < w->count && used < size; i++)
    used += (size_t) snprintf(out + used, size - used, "%s%.6g%%", i == 0 ? "in waves of " : ", ",
                              w->share[i] * 100);
  return out;
}

uint64_t print_ramp_ms(const struct scenario *s, double share, double rate)
{
  return rate > 0 ? (uint64_t) ((double) s->devices * share / rate * 1000) : 0;
}

uint64_t print_hook_ms(const struct scenario *s)
{
  return scenario_broker_is(s, BROKER_HOOKED) ? PRINT_BROKER_MS : 0;
}

uint64_t print_list_ms(const struct scenario *s)
{
  return scenario_broker_is(s, BROKER_HOOKED) ? 2 * (10000 + 2 * scenario_look_ms(s)) : 0;
}

/* Elsewhere it is proven: every address is looked at, sessions are opened, twice at most, and must end,
   and then every address must answer and take the back office and devices again, in 20 s each and what
   the last look takes. */
uint64_t print_restart_ms(const struct scenario *s, const struct scenario_step *step)
{
  (void) step;
  bool hooked = scenario_broker_is(s, BROKER_HOOKED);
  uint64_t before_ms = (s->node_count + 3) * scenario_look_ms(s);
  return PRINT_BROKER_MS + (hooked ? 10000 + before_ms + s->node_count * 3 * 25000u : 0);
}

uint64_t print_apply_ms(const struct scenario *s, const struct scenario_step *step)
{
  uint64_t told_ms = 0;
  if (step->apply == SCENARIO_APPLY_RELOAD) told_ms = PRINT_BROKER_MS;
  if (step->apply == SCENARIO_APPLY_RESTART) told_ms = print_restart_ms(s, step);
  return told_ms + print_hook_ms(s);
}

uint64_t print_within_ms(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  return step->within_ms;
}

uint64_t print_waves_ms(const struct scenario *s, const struct scenario_step *step)
{
  (void) s;
  return step->waves.count * step->within_ms;
}

void print_chain(const struct pki_chain *chain, FILE *out)
{
  if (chain->own[0] != '\0')
    fprintf(out, "the chain of %s, under root %s", chain->own, chain->root);
  else
    fprintf(out, "a chain under root %s", chain->root);
  if (chain->cross[0] != '\0') fprintf(out, " with the cross-certificate by %s", chain->cross);
  if (chain->cross_expired) fprintf(out, ", which has expired");
  if (chain->omit_intermediate) fprintf(out, ", without its intermediate");
  if (chain->leaf_expired) fprintf(out, ", with an expired leaf");
}

const char *print_apply(enum scenario_apply apply)
{
  if (apply == SCENARIO_APPLY_RELOAD) return ", then reload it";
  if (apply == SCENARIO_APPLY_HOOK) return ", which its hook puts in force";
  return apply == SCENARIO_APPLY_RESTART ? ", then restart it" : ", and do not tell it";
}

void print_who(const struct scenario_who *who, char *out, size_t size)
{
  char whole[64] = "the devices";
  if (who->cohort[0] != '\0') snprintf(whole, sizeof whole, "cohort %s", who->cohort);
  if (who->id_count > 1)
    snprintf(out, size, "device %s and %zu more", who->ids[0], who->id_count - 1);
  else if (who->id_count == 1)
    snprintf(out, size, "device %s", who->ids[0]);
  else if (who->share < 1 || who->cohort[0] == '\0')
    snprintf(out, size, "%.6g%% of %s", who->share * 100, whole);
  else
    snprintf(out, size, "%s", whole);
}

void print_payload(const struct payload_text *payload, FILE *out)
{
  if (payload->text[0] == '\0') return;
  bool numbered = payload->seq_at[0] != '\0', timed = payload->time_at[0] != '\0';
  fprintf(out, ", a payload of its own");
  if (numbered) fprintf(out, " with its number at %s", payload->seq_at);
  if (timed) fprintf(out, " %s its time at %s", numbered ? "and" : "with", payload->time_at);
  if (!numbered) fprintf(out, " (no seq-at: nobody can tell what arrives)");
}

void print_policy(const struct scenario_reconnect *policy, FILE *out)
{
  char text[32];
  fputs(scenario_policy_name(policy->policy), out);
  if (policy->policy == SCENARIO_IMMEDIATE) return;
  fprintf(out, ", base %s", print_duration(policy->base_ms, text));
  if (policy->policy != SCENARIO_FIXED)
    fprintf(out, ", cap %s", print_duration(policy->cap_ms, text));
}

void print_lead(const struct scenario *s, const struct scenario_name *name,
                const struct scenario_name *lead, FILE *out)
{
  char text[32];
  fprintf(out, "the name %s leads %s", name->name, lead->node_count == 0 ? "nowhere" : "to");
  for (size_t i = 0; i < lead->node_count; i++)
    fprintf(out, "%s %s", i > 0 ? "," : "", s->nodes[lead->nodes[i]].name);
  if (lead->delay_ms > 0)
    fprintf(out, ", and takes %s to answer", print_duration(lead->delay_ms, text));
}

void print_node(const struct scenario *s, const struct scenario_step *step, const char *what,
                FILE *out)
{
  bool only = s->node_count == 1;
  fprintf(out, "%s %s", what, only || step->node >= 0 ? "the broker" : "all brokers");
  if (!only && step->node >= 0) fprintf(out, " %s", s->nodes[step->node].name);
}

static uint64_t step_ms(const struct scenario *s, const struct scenario_step *step)
{
  return step->kind->longest_ms != NULL ? step->kind->longest_ms(s, step) : 0;
}

static uint64_t print_phase(const struct scenario *s, size_t number,
                            const struct scenario_phase *phase, FILE *out)
{
  char text[32];
  uint64_t total = phase->has_until ? phase->until.within_ms : 0;
  for (size_t i = 0; i < phase->step_count; i++) total += step_ms(s, &phase->steps[i]);
  fprintf(out, "\n%2zu. %s (at most %s%s)\n", number, phase->name, print_duration(total, text),
          phase->on_fail == SCENARIO_ROLLBACK   ? "; rolled back on failure"
          : phase->on_fail == SCENARIO_CONTINUE ? "; goes on after a failure"
                                                : "");
  for (size_t i = 0; i < phase->step_count; i++) {
    uint64_t ms = step_ms(s, &phase->steps[i]);
    fprintf(out, "    - ");
    phase->steps[i].kind->print(s, &phase->steps[i], out);
    if (ms > 0) fprintf(out, " (%s)", print_duration(ms, text));
    fputc('\n', out);
  }
  if (phase->has_until) fprintf(out, "    until  %s\n", phase->until.text);
  for (size_t i = 0; i < phase->expect_count; i++)
    fprintf(out, "    expect %s\n", phase->expect[i].text);
  return total + (phase->on_fail == SCENARIO_ROLLBACK ? ROLLBACK_MS : 0);
}

static void print_nodes(const struct scenario *s, FILE *out)
{
  bool elsewhere = !scenario_broker_is(s, BROKER_OWNED);
  fprintf(out, "  brokers ");
  for (size_t n = 0; n < s->node_count; n++) {
    const struct scenario_node *node = &s->nodes[n];
    char place[HOST_PORT_MAX];
    fprintf(out, "%s %s", n > 0 ? "," : "", node->name);
    if (elsewhere) fprintf(out, " (mqtts://%s)", host_port(node->host, node->port, place));
  }
  if (!elsewhere)
    fprintf(out, ": %ss of their own on %s%s", broker_kind_word(s->broker_kind), s->host,
            s->bridge ? ", bridged" : "");
  fprintf(out, "; the devices try them %s\n",
          s->shuffled_endpoints ? "each in its own order" : "in this order");
}

static void print_ota_head(const struct scenario_ota *ota, FILE *out)
{
  const struct scenario_image *factory = &ota->images[SCENARIO_FACTORY];
  char version[DEVICE_VERSION_TEXT], slots[32], block[32], size[32];
  device_version_text(factory->version, version);
  fprintf(out,
          "  firmware the devices run %s (counter %u, %s), with two slots of %s, and ask for "
          "blocks of %s\n",
          version, (unsigned) factory->counter, print_bytes(factory->size, size),
          print_bytes(ota->profile.slot_size, slots), print_bytes(ota->block, block));
  if (ota->server)
    fprintf(out, "           an nginx of its own serves images, under an update CA of its own\n");
  if (ota->profile.rescue_after > 0)
    fprintf(out,
            "           a device that is refused or alone %u times looks there for a rescue by "
            "itself\n",
            (unsigned) ota->profile.rescue_after);
}

/* Where a password comes from, and never which it is. */
static void print_credentials(const struct scenario *s, FILE *out)
{
  static const char *const from[] = {[SCENARIO_SECRET_NONE] = "",
                                     [SCENARIO_SECRET_TEMPLATE] = " and a password of a template",
                                     [SCENARIO_SECRET_FILE] = " and a password of a file",
                                     [SCENARIO_SECRET_COLUMN] =
                                         " and a password of the list they were imported from",
                                     [SCENARIO_SECRET_TOKEN] = " and a token of a file each"};
  const struct scenario_credentials *of = &s->credentials;
  if (of->user[0] != '\0')
    fprintf(out, "  names    devices say the user name %s%s%s\n", of->user, from[of->secret],
            s->device.no_certificate ? ", and show no certificate" : "");
  else if (s->device.no_certificate)
    fprintf(out, "  names    devices show no certificate and say no user name\n");
}

static void print_naming(const struct scenario *s, FILE *out)
{
  const struct scenario_naming *naming = &s->naming;
  if (naming->names[0] != '\0') fprintf(out, "  devices  are called %s\n", naming->names);
  if (naming->line[NAMES_CLIENT_ID] > 0)
    fprintf(out, "  clients  have the id %s\n", naming->client_id);
  if (s->device.no_control)
    fprintf(out, "  topics   telemetry at %s, and devices subscribe to nothing\n",
            naming->telemetry);
  else if (naming->line[NAMES_CONTROL] > 0 || naming->line[NAMES_TELEMETRY] > 0)
    fprintf(out, "  topics   telemetry at %s, the rest below %s\n", naming->telemetry,
            naming->control);
}

/* Which commands are run that stand nowhere in the file. */
static void print_kind(const struct scenario *s, FILE *out)
{
  const struct product *product = s->product;
  const char *before = "; ready hooks: ";
  if (product == &product_generic) return;
  fprintf(out, "  kind     %s %u.%u", product->word, s->product_version.major,
          s->product_version.minor);
  for (int h = 0; h < HOOK_COUNT; h++) {
    if (!s->ready_hook[h]) continue;
    fprintf(out, "%s%s", before, hook_key((enum hook_kind) h));
    before = ", ";
  }
  fputc('\n', out);
}

static void print_head(const struct scenario *s, FILE *out)
{
  char roots[300], trusted[300], clients[300], limit[32], place[HOST_PORT_MAX],
      prove[HOST_PORT_MAX];
  bool fresh = scenario_broker_is(s, BROKER_FRESH);
  fprintf(out, "%s: %zu devices, %zu phases, seed %llu\n", s->name, s->devices, s->phase_count,
          (unsigned long long) s->seed);
  if (s->node_count > 1)
    print_nodes(s, out);
  else if (scenario_broker_is(s, BROKER_OWNED))
    fprintf(out, "  broker   a %s of its own on %s\n", broker_kind_word(s->broker_kind), s->host);
  else if (s->prove_port != 0)
    fprintf(out, "  broker   mqtts://%s, and to prove chains mqtts://%s\n",
            host_port(s->host, s->port, place), host_port(s->prove_host, s->prove_port, prove));
  else
    fprintf(out, "  broker   mqtts://%s\n", host_port(s->host, s->port, place));
  print_kind(s, out);
  if (s->server_name[0] != '\0') fprintf(out, "           whose name is %s\n", s->server_name);
  if (s->terminator)
    fprintf(out, "           behind a terminator of TLS that reads CRLs while it goes on honouring "
                 "its tickets\n");
  if (s->broker_handshake_timeout_ms > 0)
    fprintf(
        out,
        "           behind a gate that ends a connection whose handshake is not done within %s\n",
        print_duration(s->broker_handshake_timeout_ms, limit));
  if (s->broker_handshake_rate > 0)
    fprintf(out,
            "           behind a gate that takes up %.6g connections a second, in their order\n",
            s->broker_handshake_rate);
  for (size_t i = 0; i < s->name_count; i++) {
    fputs("  name     ", out);
    print_lead(s, &s->names[i], &s->names[i], out);
    fputc('\n', out);
  }
  if (s->has_false)
    fprintf(out, "  false    a broker that takes everybody, under root %s, as %s\n", s->false_root,
            s->false_host[0] != '\0' ? s->false_host : s->names[0].name);
  print_naming(s, out);
  fprintf(out, "  timing   modelled on %s%s\n", s->timing_profile,
          s->pace ? "; the devices are paced: nothing is faster than that processor" : "");
  if (s->record_bytes != CRYPTO_RECORD_MIN)
    fprintf(out, "  record   devices take TLS records of %u bytes\n", (unsigned) s->record_bytes);
  if (s->crypto == SCENARIO_NATIVE)
    fprintf(out, "  crypto   the firmware's own P-256, as slow as it is\n");
  if (s->has_brake)
    fprintf(out, "  brake    while %s over a second, %.6g%% of the starts\n", s->brake_when.text,
            s->brake_rate * 100);
  /* of a broker and of devices that others have made a file says what it takes for true, and the
     run what is */
  bool shows = !s->device.no_certificate;
  print_credentials(s, out);
  fprintf(out, "  roots    %s; the broker %s %s", take_list_roots(&s->roots, roots, sizeof roots),
          fresh ? "presents" : "is taken to present", s->broker_root);
  if (shows)
    fprintf(out, ", the devices %s under %s",
            fresh ? "hold certificates"
                  : "are given their certificates (imported ones keep theirs)",
            s->device_root);
  fprintf(out, "\n  trust    the devices trust %s",
          take_list_roots(&s->trusted, trusted, sizeof trusted));
  if (shows)
    fprintf(out, "; the broker %s devices under %s", fresh ? "trusts" : "is taken to trust",
            take_list_roots(&s->client_roots, clients, sizeof clients));
  fprintf(out, "\n");
  if (s->trusted.count == 1)
    fprintf(out,
            "           which is one root: no other takes over, and a rotation takes two more\n");
  if (s->operator.none)
    fprintf(out, "  operator none: what arrives, and when, will not be known\n");
  if (s->ota.on) print_ota_head(&s->ota, out);
}

void scenario_print(const struct scenario *scenario, void *stream)
{
  FILE *out = stream;
  char total_text[32], limit_text[32];
  uint64_t total = 0;
  print_head(scenario, out);
  for (size_t i = 0; i < scenario->phase_count; i++)
    total += print_phase(scenario, i + 1, &scenario->phases[i], out);
  if (scenario->expect_count > 0) fprintf(out, "\nexpected at the end\n");
  for (size_t i = 0; i < scenario->expect_count; i++)
    fprintf(out, "    %s\n", scenario->expect[i].text);
  fprintf(out, "\nat most %s if every wait is used up; the run ends after %s in any case\n",
          print_duration(total, total_text), print_duration(scenario->run_limit_ms, limit_text));
}

void scenario_warn_unjudged(const struct scenario *scenario)
{
  if (scenario_is_judged(scenario)) return;
  fprintf(stderr,
          "warning: %s has no gate and no expectation: only a step that fails, a device that is "
          "lost at the end or a message that crossed over can fail it; add 'until: online == "
          "100%%' to a phase, or 'expect'\n",
          scenario->file);
}
