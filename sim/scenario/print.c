/* The timetable that check prints: what each step does in words, and the longest it may take. The
 * same figures as the run's, from the checked struct; nothing here can fail. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "base/host_port.h"
#include "crypto/records.h"
#include "scenario/print.h"
#include "scenario/take.h"

#define BROKER_STEP_MS 70000u /* longest time of a reload, a restart or a hook */
#define STORM_REST_MS  60000u /* a broker that is killed and started, twice */
#define ROLLBACK_MS    60000u

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

static uint64_t ramp_ms(const struct scenario *s, double share, double rate)
{
  return rate > 0 ? (uint64_t) ((double) s->devices * share / rate * 1000) : 0;
}

static uint64_t step_ms(const struct scenario *s, const struct scenario_step *step)
{
  bool is_told = step->apply == SCENARIO_APPLY_RELOAD || step->apply == SCENARIO_APPLY_RESTART;
  uint64_t apply = is_told ? BROKER_STEP_MS : 0, hook = s->remote ? BROKER_STEP_MS : 0;
  switch (step->kind) {
  case STEP_STORM: return STORM_REST_MS + 3 * step->within_ms + ramp_ms(s, 1, step->rate);
  case STEP_CONNECT: return ramp_ms(s, step->who.share, step->rate);
  case STEP_PUSH_TRUST:
  case STEP_RECONNECT:
  case STEP_REISSUE: return step->waves.count * step->within_ms;
  case STEP_PROVE: return BROKER_STEP_MS + hook + step->broker_ms + 2 * step->within_ms;
  case STEP_PRESENT:
    return apply + hook + (step->apply == SCENARIO_APPLY_NONE ? 0 : step->broker_ms);
  case STEP_TRUST_CLIENTS:
    return apply + hook +
           (step->apply == SCENARIO_APPLY_NONE || step->unprobed ? 0 : step->broker_ms);
  case STEP_PUBLISH_CRL: return apply + hook;
  case STEP_REVOKE:
  case STEP_UNREVOKE: return step->publish ? BROKER_STEP_MS + hook : 0;
  case STEP_RELOAD:
  case STEP_RESTART:
  case STEP_KILL_NODE:
  case STEP_STOP_NODE:
  case STEP_FREEZE_NODE:
  case STEP_THAW_NODE:
  case STEP_START_NODE: return BROKER_STEP_MS;
  case STEP_OTA_ROLLOUT: return print_ota_ms(step);
  case STEP_CDN:
  case STEP_DRAIN:
  case STEP_SHELF:
  case STEP_KICK:
  case STEP_TRESPASS:
  case STEP_FAULT:
  case STEP_WAIT: return step->within_ms;
  case STEP_OTA_PUBLISH:
  case STEP_OTA_PAUSE:
  case STEP_OTA_RESUME:
  case STEP_OTA_ABORT:
  case STEP_POWER_CUT:
  case STEP_CORRUPT:
  case STEP_TELEMETRY:
  case STEP_REVOKE_BROKER:
  case STEP_COMPROMISE:
  case STEP_WAKE:
  case STEP_CLOCK:
  case STEP_PROMPT:
  case STEP_POLICY:
  case STEP_RESOLVE:
  case STEP_MEND:
  case STEP_KINDS: break;
  }
  return 0;
}

static void print_chain(const struct pki_chain *chain, FILE *out)
{
  fprintf(out, "a chain under root %s", chain->root);
  if (chain->cross[0] != '\0') fprintf(out, " with the cross-certificate by %s", chain->cross);
  if (chain->cross_expired) fprintf(out, ", which has expired");
  if (chain->omit_intermediate) fprintf(out, ", without its intermediate");
  if (chain->leaf_expired) fprintf(out, ", with an expired leaf");
}

static const char *apply_words(enum scenario_apply apply)
{
  if (apply == SCENARIO_APPLY_RELOAD) return ", then reload it";
  if (apply == SCENARIO_APPLY_HOOK) return ", which its hook puts in force";
  return apply == SCENARIO_APPLY_RESTART ? ", then restart it" : ", and do not tell it";
}

static void print_rollout(const struct scenario_step *step, FILE *out)
{
  char text[300], roots[300];
  if (step->kind == STEP_PUSH_TRUST)
    fprintf(out, "teach the devices to trust %s%s",
            take_list_roots(&step->roots, roots, sizeof roots),
            step->crls ? ", with revocation lists" : "");
  else if (step->kind == STEP_REISSUE)
    fprintf(out, "issue new device certificates under root %s", step->root);
  else
    fprintf(out, "end every session and connect again%s",
            step->full_handshake ? " with a full handshake" : "");
  fprintf(out, ", %s", print_waves(&step->waves, text, sizeof text));
}

void print_who(const struct scenario_who *who, char *out, size_t size)
{
  char whole[64] = "the devices";
  if (who->cohort[0] != '\0') snprintf(whole, sizeof whole, "cohort %s", who->cohort);
  if (who->id_count > 1)
    snprintf(out, size, "device %08x and %zu more", who->ids[0], who->id_count - 1);
  else if (who->id_count == 1)
    snprintf(out, size, "device %08x", who->ids[0]);
  else if (who->share < 1 || who->cohort[0] == '\0')
    snprintf(out, size, "%.6g%% of %s", who->share * 100, whole);
  else
    snprintf(out, size, "%s", whole);
}

static void print_policy(const struct scenario_reconnect *policy, FILE *out)
{
  char text[32];
  fputs(scenario_policy_name(policy->policy), out);
  if (policy->policy == SCENARIO_IMMEDIATE) return;
  fprintf(out, ", base %s", print_duration(policy->base_ms, text));
  if (policy->policy != SCENARIO_FIXED)
    fprintf(out, ", cap %s", print_duration(policy->cap_ms, text));
}

static void print_fault(const struct fault *f, FILE *out)
{
  char text[32];
  if (f->reset) fprintf(out, "; reset open connections");
  if (f->refuse) fprintf(out, "; refuse new connections");
  if (f->black_hole) fprintf(out, "; let nothing arrive or leave");
  if (f->latency_ms > 0) fprintf(out, "; %s each way", print_duration(f->latency_ms, text));
  if (f->jitter_ms > 0) fprintf(out, " +-%s", print_duration(f->jitter_ms, text));
  if (f->bandwidth_per_s > 0)
    fprintf(out, "; %llu bytes a second", (unsigned long long) f->bandwidth_per_s);
  if (f->cut_after > 0 && f->cut_share > 0)
    fprintf(out, "; cut %.6g%% of connections, each within %llu bytes", f->cut_share * 100,
            (unsigned long long) f->cut_after);
  else if (f->cut_after > 0)
    fprintf(out, "; cut after %llu bytes", (unsigned long long) f->cut_after);
  if (f->slice > 0)
    fprintf(out, "; %u byte%s at a time", (unsigned) f->slice, f->slice == 1 ? "" : "s");
  if (f->slow_close_ms > 0)
    fprintf(out, "; ends are learnt %s late", print_duration(f->slow_close_ms, text));
}

static void print_device_step(const struct scenario_step *step, FILE *out)
{
  char text[32];
  char who[160];
  print_who(&step->who, who, sizeof who);
  switch (step->kind) {
  case STEP_CONNECT:
    fprintf(out, "connect %s at %.6g/s (%s)", who, step->rate,
            step->arrival == SCENARIO_POISSON ? "Poisson" : "linear");
    return;
  case STEP_TELEMETRY:
    fprintf(out, "telemetry every %s, %u bytes, QoS %u",
            print_duration(step->telemetry.every_ms, text), (unsigned) step->telemetry.bytes,
            (unsigned) step->telemetry.qos);
    return;
  case STEP_REVOKE:
    fprintf(out, "revoke the certificates of %s (%s)%s", who, pki_reason_name(step->reason),
            step->publish ? " and publish the CRL" : "");
    return;
  case STEP_UNREVOKE:
    fprintf(out, "take the revocation of %s back%s", who,
            step->publish ? " and publish the CRL" : "");
    return;
  case STEP_COMPROMISE:
    fprintf(out, "let copies of %s, keys and all, go online beside them", who);
    return;
  case STEP_KICK: fprintf(out, "end the open sessions of %s at the broker", who); return;
  case STEP_SHELF: fprintf(out, "switch %s off", who); return;
  case STEP_WAKE: fprintf(out, "switch the shelved devices on at %.6g/s", step->rate); return;
  case STEP_TRESPASS: fprintf(out, "let %s try the topics of others", who); return;
  case STEP_POLICY:
    fprintf(out, "from here on let %s try again by ", who);
    print_policy(&step->reconnect, out);
    return;
  case STEP_FAULT:
    fprintf(out, "disturb the lines of %s", who);
    print_fault(&step->fault, out);
    return;
  case STEP_MEND: fprintf(out, "mend the lines of %s", who); return;
  case STEP_STORM:
    fprintf(out, "end every session at once, come back by ");
    print_policy(&step->reconnect, out);
    fprintf(out, "; then bring back who is not, at %.6g/s", step->rate);
    return;
  case STEP_CLOCK:
    if (step->clock_right)
      fprintf(out, "set the clocks of %s right", who);
    else
      fprintf(out, "set the clocks of %s to %lld s after 1970", who,
              (long long) step->clock_unix_s);
    return;
  default: return;
  }
}

static void print_crl(const struct scenario_step *step, FILE *out)
{
  const struct scenario_crl *crl = &step->crl;
  char text[32];
  bool past = crl->next_update_s < 0;
  uint64_t ends_ms = (uint64_t) (past ? -crl->next_update_s : crl->next_update_s) * 1000;
  if (crl->file[0] != '\0')
    fprintf(out, "give the broker the CRLs of %s%s", crl->file,
            crl->unchecked ? ", whatever they hold" : "");
  else
    fprintf(out, "give the broker CRLs that end%s %s%s", past ? "ed" : " in",
            print_duration(ends_ms, text), past ? " ago" : "");
  if (crl->entries > 0) fprintf(out, ", with %u entries of nobody", (unsigned) crl->entries);
  fputs(apply_words(step->apply), out);
}

static void print_lead(const struct scenario *s, const struct scenario_name *name,
                       const struct scenario_name *lead, FILE *out)
{
  char text[32];
  fprintf(out, "the name %s leads %s", name->name, lead->node_count == 0 ? "nowhere" : "to");
  for (size_t i = 0; i < lead->node_count; i++)
    fprintf(out, "%s %s", i > 0 ? "," : "", s->nodes[lead->nodes[i]].name);
  if (lead->delay_ms > 0)
    fprintf(out, ", and takes %s to answer", print_duration(lead->delay_ms, text));
}

static void print_node_step(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  static const char *const words[] = {
      [STEP_RELOAD] = "reload",
      [STEP_RESTART] = "restart",
      [STEP_KILL_NODE] = "kill (SIGKILL)",
      [STEP_STOP_NODE] = "stop (SIGTERM)",
      [STEP_FREEZE_NODE] = "freeze (SIGSTOP)",
      [STEP_THAW_NODE] = "thaw (SIGCONT)",
      [STEP_START_NODE] = "start",
  };
  const char *name = step->node >= 0 ? s->nodes[step->node].name : "";
  bool only = s->node_count == 1;
  fprintf(out, "%s %s%s", words[step->kind], only || step->node >= 0 ? "the broker" : "all brokers",
          only || step->node < 0 ? "" : " ");
  if (!only) fputs(name, out);
}

static void print_step(const struct scenario *s, const struct scenario_step *step, FILE *out)
{
  char text[300];
  switch (step->kind) {
  case STEP_PUSH_TRUST:
  case STEP_REISSUE:
  case STEP_RECONNECT: print_rollout(step, out); break;
  case STEP_PROVE:
    fprintf(out, "try every device at %.6g/s on the second listener against ", step->rate);
    print_chain(&step->chain, out);
    break;
  case STEP_PRESENT:
    fprintf(out, "give the broker ");
    print_chain(&step->chain, out);
    fputs(apply_words(step->apply), out);
    break;
  case STEP_TRUST_CLIENTS:
    fprintf(out, "let the broker trust device certificates under %s%s",
            take_list_roots(&step->roots, text, sizeof text), apply_words(step->apply));
    break;
  case STEP_PUBLISH_CRL: print_crl(step, out); break;
  case STEP_REVOKE_BROKER:
    fprintf(out, "revoke the %s that the broker presents",
            (const char *const[]){"leaf", "intermediate", "cross-certificate"}[step->part]);
    break;
  case STEP_DRAIN: fprintf(out, "stop telemetry and wait until all of it has arrived"); break;
  case STEP_RELOAD:
  case STEP_RESTART:
  case STEP_KILL_NODE:
  case STEP_STOP_NODE:
  case STEP_FREEZE_NODE:
  case STEP_THAW_NODE:
  case STEP_START_NODE: print_node_step(s, step, out); break;
  case STEP_RESOLVE: print_lead(s, &s->names[step->name], &step->lead, out); break;
  case STEP_OTA_PUBLISH:
  case STEP_OTA_ROLLOUT:
  case STEP_OTA_PAUSE:
  case STEP_OTA_RESUME:
  case STEP_OTA_ABORT:
  case STEP_POWER_CUT:
  case STEP_CORRUPT:
  case STEP_CDN: print_ota_step(s, step, out); break;
  case STEP_WAIT: fprintf(out, "wait"); break;
  case STEP_PROMPT: fprintf(out, "wait for a person: \"%s\"", step->say); break;
  default: print_device_step(step, out); break;
  }
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
    print_step(s, &phase->steps[i], out);
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
  fprintf(out, "  brokers ");
  for (size_t n = 0; n < s->node_count; n++) {
    const struct scenario_node *node = &s->nodes[n];
    char place[HOST_PORT_MAX];
    fprintf(out, "%s %s", n > 0 ? "," : "", node->name);
    if (s->remote) fprintf(out, " (mqtts://%s)", host_port(node->host, node->port, place));
  }
  if (!s->remote)
    fprintf(out, ": mosquittos of their own on %s%s", s->host, s->bridge ? ", bridged" : "");
  fprintf(out, "; the devices try them %s\n",
          s->shuffled_endpoints ? "each in its own order" : "in this order");
}

static void print_head(const struct scenario *s, FILE *out)
{
  char roots[300], trusted[300], clients[300], limit[32], place[HOST_PORT_MAX],
      prove[HOST_PORT_MAX];
  fprintf(out, "%s: %zu devices, %zu phases, seed %llu\n", s->name, s->devices, s->phase_count,
          (unsigned long long) s->seed);
  if (s->node_count > 1)
    print_nodes(s, out);
  else if (s->remote && s->prove_port != 0)
    fprintf(out, "  broker   mqtts://%s, and to prove chains mqtts://%s\n",
            host_port(s->host, s->port, place), host_port(s->prove_host, s->prove_port, prove));
  else if (s->remote)
    fprintf(out, "  broker   mqtts://%s\n", host_port(s->host, s->port, place));
  else
    fprintf(out, "  broker   a mosquitto of its own on %s\n", s->host);
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
  fprintf(out, "  roots    %s; the broker %s %s, the devices %s under %s\n",
          take_list_roots(&s->roots, roots, sizeof roots),
          s->remote ? "is taken to present" : "presents", s->broker_root,
          s->remote ? "are given their certificates (imported ones keep theirs)"
                    : "hold certificates",
          s->device_root);
  fprintf(out, "  trust    the devices trust %s; the broker %s devices under %s\n",
          take_list_roots(&s->trusted, trusted, sizeof trusted),
          s->remote ? "is taken to trust" : "trusts",
          take_list_roots(&s->client_roots, clients, sizeof clients));
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
