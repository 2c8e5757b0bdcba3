#define _POSIX_C_SOURCE 200809L
/* Any text as a file of cases: what is read keeps what it promises, what is not ends with a sentence
 * that has a line in it. A text that does not define anything is tried behind sound defaults too, and as
 * each kind of script. */
#include "fuzz.h"
#include "gauntlet/cases.h"

static const char defaults[] =
    "defaults\n cert root: ca=yes\n cert leaf: issuer=root\n trusts: root\n sends: leaf\n"
    " host: broker.test\n clock: 2026-06-01\n tls: 1.2 1.3\n why: w\n expect: accept\n";

static void check_bytes(const struct script_bytes *bytes)
{
  require(bytes->size <= SCRIPT_BYTES_MAX && bytes->ids <= SCRIPT_IDS_MAX, "bytes are bounded");
  require(bytes->size == 0 || bytes->data != NULL, "bytes are there");
  for (size_t i = 0; i < bytes->ids; i++)
    require(bytes->id_at[i] + 2 <= bytes->size, "a packet id is inside");
}

static void check_script(const struct script *script, char layer)
{
  require(script->count > 0 && script->count <= SCRIPT_STEPS_MAX, "steps are bounded");
  for (size_t i = 0; i < script->count; i++) {
    const struct script_step *step = &script->step[i];
    require(step->verb < SCRIPT_VERB_COUNT, "a step is one of those");
    check_bytes(&step->bytes);
    check_bytes(&step->bytes5);
    bool says = step->verb == SCRIPT_SEND || step->verb == SCRIPT_FLOOD;
    require(says == (step->bytes.size > 0), "who says something has something to say");
    require(layer == 'M' || step->bytes5.data == NULL, "MQTT alone has two versions");
    require((step->verb == SCRIPT_FLOOD) == (step->times > 0), "a flood is counted");
    bool waits = step->verb == SCRIPT_WAIT || step->verb == SCRIPT_SLOWLY;
    require(waits ? step->ms > 0 && step->ms <= 600000 : step->ms == 0, "times are bounded");
    require(step->filter == SCRIPT_WHOLE || step->verb == SCRIPT_TLS, "TLS is what is spoiled");
  }
}

static void check_case(const struct gauntlet_case *c)
{
  require(c->why[0] != '\0' && c->expect[0] != '\0', "a case says why, and what to expect");
  require(strspn(c->id, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(c->id),
          "an id is one word");
  require(c->sends.count > 0 && c->trusts.count > 0, "somebody is sent, somebody trusted");
  require(c->certificate_count <= CASE_CERTIFICATES_MAX, "certificates are bounded");
  for (size_t i = 0; i < c->sends.count; i++)
    require(case_find(c, c->sends.name[i]) >= 0, "who is sent is there");
  for (size_t i = 0; i < c->trusts.count; i++)
    require(case_find(c, c->trusts.name[i]) >= 0, "who is trusted is there");
  for (size_t i = 0; i < c->certificate_count; i++)
    require(c->certificate[i].issuer[0] == '\0' || case_find(c, c->certificate[i].issuer) >= 0,
            "an issuer is there");
  require(c->clients != CASE_REFUSE || c->flaws != 0, "who must refuse has a check for it");
  if (c->has_wire) check_script(&c->wire, 'W');
  if (c->has_talk) check_script(&c->talk, c->layer == CASE_MQTT ? 'M' : 'H');
}

static void try_text(const char *text)
{
  char why[256] = "";
  struct cases *cases = cases_parse(text, why, sizeof why);
  if (cases == NULL) {
    require(strncmp(why, "line ", 5) == 0 && strlen(why) > 10, "a refusal has its line");
    return;
  }
  require(cases->count <= CASES_MAX, "cases are bounded");
  for (size_t i = 0; i < cases->count; i++) {
    check_case(cases->item[i]);
    require(cases_find(cases, cases->item[i]->id) == cases->item[i], "a case is found by its id");
  }
  cases_free(cases);
}

static void try_script(const char *text, char layer)
{
  struct script script;
  char why[256] = "";
  if (script_parse(text, layer, &script, why, sizeof why) == 0)
    check_script(&script, layer);
  else
    require(why[0] != '\0', "a refusal is a sentence");
  script_free(&script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  size_t head = sizeof defaults - 1;
  char *text = calloc(1, head + size + 1);
  require(text != NULL, "there is memory");
  memcpy(text, defaults, head);
  if (size > 0) memcpy(text + head, data, size);
  try_text(text);
  try_text(text + head);
  for (const char *layer = "WMH"; *layer != '\0'; layer++) try_script(text + head, *layer);
  free(text);
  return 0;
}
