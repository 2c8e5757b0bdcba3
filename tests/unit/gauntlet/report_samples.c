#define _XOPEN_SOURCE 700
#include "report_samples.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "gauntlet/standards.h"

struct report_sample report_sample;

static const char text[] =
    "defaults\n cert root: ca=yes ku=keyCertSign\n"
    " cert leaf: issuer=root ca=no eku=serverAuth san=DNS:broker.test\n"
    " trusts: root\n sends: leaf\n host: broker.test\n clock: 2026-06-01\n tls: 1.2 1.3\n"
    "case leaf and intermediate\n why: the ordinary chain\n expect: accept\n clients: accept\n"
    " severity: high\n control: yes\n"
    "case self-signed leaf\n why: nobody the client trusts has signed it\n clients: refuse\n"
    " severity: high\n flaw: trust\n reference: RFC 5280, 6.1\n expect: connect.tls.not_trusted\n"
    "case another name\n why: the certificate is another server's\n clients: refuse\n"
    " severity: high\n flaw: name\n reference: RFC 9525, 6\n expect: connect.tls.wrong_name\n"
    "case expired leaf\n why: it was good until last year\n clients: refuse\n"
    " severity: medium\n flaw: time\n reference: RFC 5280, 4.1.2.5\n expect: connect.tls.expired\n"
    "case name in CN only\n why: RFC 9525 leaves the CN out\n policy: the device takes it\n"
    " severity: low\n reference: RFC 9525, 2\n expect: accept\n"
    "case silence after the hello\n why: a client waits for as long as it says, and no longer\n"
    " clients: refuse\n severity: medium\n flaw: deadline\n wire: hello; silence\n"
    " expect: connect.tls.timeout\n"
    "case TLS 1.1 only\n why: it is broken\n tls: 1.1\n clients: refuse\n severity: low\n"
    " flaw: version\n reference: RFC 8996\n expect: connect.tls.refused_parameters\n"
    "case CONNACK refuses\n why: whoever is refused says nothing more\n clients: refuse\n"
    " severity: low\n flaw: mqtt\n mqtt: connect; send 20 02 00 05\n expect: accept\n";

static const char clauses[] = "flaw trust\n etsi: 5.5-1 | who answers must be known\n cwe: 295 | "
                              "not validated\n"
                              "flaw name\n etsi: 5.5-1 | whose it is\n cwe: 297 | the host\n"
                              "layer mqtt\n etsi: 5.13-1 | input is validated\n";

static struct hello made_hello(void)
{
  struct hello hello = {.size = 240,
                        .wire_size = 245,
                        .records = 1,
                        .record_version = HELLO_TLS10,
                        .legacy_version = HELLO_TLS12,
                        .highest = HELLO_TLS13,
                        .lowest = HELLO_TLS12,
                        .server_name = "broker.test"};
  static const uint16_t suites[] = {0x1301, 0x1302, 0xc02b, 0xc02c};
  hello.versions = (struct hello_numbers){2, 0, {HELLO_TLS13, HELLO_TLS12}};
  hello.suites.count = sizeof suites / sizeof *suites;
  memcpy(hello.suites.value, suites, sizeof suites);
  hello.compressions = (struct hello_bytes){1, 0, {0}};
  hello.groups = (struct hello_numbers){2, 0, {29, 23}};
  hello.schemes = (struct hello_numbers){1, 0, {0x0403}};
  return hello;
}

/* A client that does what it should, and tries again after a second. */
static void make_trial(struct trial_result *trial, const struct gauntlet_case *c, uint8_t tls,
                       unsigned nth)
{
  bool good = c->expect[0] == 'a' && c->layer == CASE_TLS;
  bool silent = c->flaws == 1u << CASE_FLAW_DEADLINE;
  *trial = (struct trial_result){.c = c, .tls = tls, .verdict = VERDICT_PASS};
  trial->conduct = good ? CONDUCT_ACCEPTED : CONDUCT_REFUSED;
  snprintf(trial->why, sizeof trial->why, "it %s", good ? "sent CONNECT" : "refused with alert 48");
  trial->seen = (struct observation){.connections = 2,
                                     .first_ms = 1,
                                     .last_ms = 1030 + nth,
                                     .retries = 1,
                                     .has_hello = true,
                                     .hello = made_hello(),
                                     .said = true,
                                     .shaken = good,
                                     .tls = silent ? 0 : tls,
                                     .end = OBSERVATION_CLIENT,
                                     .hello_ms = 2,
                                     .said_ms = 3,
                                     .ended_ms = silent ? 5003 : 4.5 + nth,
                                     .ended = true,
                                     .status = good ? 0 : 1};
  trial->seen.retry_ms[0] = 800 + 30 * nth;
  trial->seen.alerted = !good && !silent;
  trial->seen.alert = trial->seen.alerted ? 48 : 0;
  trial->seen.client_certificate = good;
  if (good) strcpy(trial->seen.client_cn, "device-1");
  trial->seen.application_bytes = good ? 37 : 0;
  trial->seen.asked = good;
  strcpy(trial->seen.suite, "TLS_AES_128_GCM_SHA256");
  strcpy(trial->seen.said_last, good ? "published" : "error: certificate verify failed");
}

static struct trial_result *judge(struct report_sample *one, const char *id, uint8_t tls,
                                  enum verdict verdict, const char *why)
{
  struct trial_result *trial = report_sample_trial(one, id, tls);
  trial->verdict = verdict;
  snprintf(trial->why, sizeof trial->why, "%s", why);
  return trial;
}

static void settle(struct report_sample *one)
{
  static const char taken[] = "it took the name from the CN, as its owner decided";
  judge(one, "name-in-cn-only", 12, VERDICT_WARN, taken);
  judge(one, "name-in-cn-only", 13, VERDICT_WARN, taken);
  struct trial_result *old =
      judge(one, "tls-1.1-only", 11, VERDICT_NOT_OFFERED, "it offers TLS 1.2 and 1.3");
  old->conduct = CONDUCT_UNSERVED;
  old->seen.tls = 0;
}

void report_sample_begin(struct report_sample *one)
{
  char why[256];
  *one = (struct report_sample){.cases = cases_parse(text, why, sizeof why)};
  if (one->cases == NULL) fprintf(stderr, "%s\n", why);
  one->standards = standards_parse(clauses, why, sizeof why);
  assert(one->cases != NULL && one->standards != NULL);
  strcpy(one->folder, "/tmp/fleetsim-gauntlet-XXXXXX");
  char *made = mkdtemp(one->folder);
  assert(made != NULL);
  (void) made;
  one->report = (struct report){.target = "exec",
                                .command = "mosquitto_pub -h {host} -p {port} -u me -P s3cret "
                                           "--cafile {ca} -t x -m y",
                                .client = "mosquitto_pub version 2.0.18",
                                .started_unix_s = 1796058000,
                                .duration_s = 12.3,
                                .result = one->trial,
                                .version = "0.1.0",
                                .standards = one->standards};
  for (size_t i = 0; i < one->cases->count; i++) {
    const struct gauntlet_case *c = one->cases->item[i];
    for (uint8_t tls = 10; tls <= 13; tls++) {
      const bool runs[] = {c->tls10, c->tls11, c->tls12, c->tls13};
      if (!runs[tls - 10]) continue;
      size_t at = one->report.count++;
      make_trial(&one->trial[at], c, tls, (unsigned) at);
    }
  }
  settle(one);
}

void report_sample_end(struct report_sample *one)
{
  (void) files_remove(one->folder, NULL);
  free(one->standards);
  cases_free(one->cases);
}

struct trial_result *report_sample_trial(struct report_sample *one, const char *id, uint8_t tls)
{
  for (size_t i = 0; i < one->report.count; i++)
    if (one->trial[i].tls == tls && strcmp(one->trial[i].c->id, id) == 0) return &one->trial[i];
  fprintf(stderr, "no trial of %s in %u\n", id, tls);
  abort();
}

void report_sample_fail(struct report_sample *one, const char *id, uint8_t tls,
                        enum conduct conduct)
{
  struct trial_result *trial = report_sample_trial(one, id, tls);
  bool accepted = conduct == CONDUCT_ACCEPTED;
  trial->verdict = VERDICT_FAIL;
  trial->conduct = conduct;
  trial->seen.alerted = false;
  trial->seen.shaken = accepted;
  trial->seen.application_bytes = accepted ? 37 : 0;
  trial->seen.asked = trial->seen.has_password = trial->seen.has_user = accepted;
  trial->seen.end = OBSERVATION_OPEN;
  trial->seen.ended_ms = -1;
  snprintf(trial->why, sizeof trial->why, "%s",
           accepted ? "CONNECT went to a server that it should have refused"
                    : "it was still waiting after 60 s");
}

void report_sample_never(struct report_sample *one)
{
  for (size_t i = 0; i < one->report.count; i++) {
    struct trial_result *trial = &one->trial[i];
    *trial = (struct trial_result){.c = trial->c, .tls = trial->tls};
    trial->verdict = VERDICT_NOT_SHOWN;
    trial->conduct = CONDUCT_NONE;
    strcpy(trial->why, "the client never connected");
    trial->seen.first_ms = trial->seen.last_ms = trial->seen.hello_ms = trial->seen.said_ms =
        trial->seen.ended_ms = trial->seen.took_ms = -1;
  }
}

char *report_sample_printed(const struct report_sample *one, const struct report_extent *extent)
{
  char *printed = NULL;
  size_t size;
  json_t *tree = report_json(&one->report);
  FILE *out = open_memstream(&printed, &size);
  assert(tree != NULL && out != NULL);
  report_print(tree, out, extent);
  fclose(out);
  json_decref(tree);
  return printed;
}

char *report_sample_read(const struct report_sample *one, const char *name)
{
  char path[FILES_PATH_MAX];
  uint8_t *data;
  size_t size;
  if (files_join(path, one->folder, name, NULL) != 0) return NULL;
  return files_read(path, 1u << 22, &data, &size, NULL) == 0 ? (char *) data : NULL;
}

int report_sample_set_up(void **state)
{
  (void) state;
  report_sample_begin(&report_sample);
  return 0;
}

int report_sample_take_down(void **state)
{
  (void) state;
  report_sample_end(&report_sample);
  return 0;
}
