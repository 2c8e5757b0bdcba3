/* The arguments of one step: found in the document by their keys, taken as take.c takes every value
 * of a file, refused at their place. */
#define _POSIX_C_SOURCE 200809L
#include "scenario/step_take.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"
#include "scenario/units.h"

static char *text_of(const yaml_node_t *node)
{
  return node != NULL ? (char *) node->data.scalar.value : NULL;
}

const char *step_take_text(const struct step_take *w, const char *key)
{
  return text_of(doc_value(w->t->doc, w->args, key, NULL));
}

struct step_list step_take_list(const struct step_take *w, const char *key)
{
  struct step_list list = {.count = 0};
  const yaml_node_t *node = doc_value(w->t->doc, w->args, key, NULL);
  if (node == NULL) return list;
  list.given = true;
  for (yaml_node_item_t *item = node->data.sequence.items.start;
       item < node->data.sequence.items.top; item++) {
    assert(list.count < STEP_LIST_MAX); /* its kind says how many there may be */
    list.text[list.count++] = text_of(doc_node(w->t->doc, *item));
  }
  return list;
}

unsigned step_take_entries(const struct step_take *w, const char *key)
{
  const yaml_node_t *node = doc_value(w->t->doc, w->args, key, NULL);
  if (node == NULL) return 0;
  return (unsigned) (node->data.sequence.items.top - node->data.sequence.items.start);
}

const char *step_take_entry(const struct step_take *w, const char *key, unsigned i,
                            const char *field)
{
  const yaml_node_t *node = doc_value(w->t->doc, w->args, key, NULL);
  assert(node != NULL && i < step_take_entries(w, key));
  const yaml_node_t *entry = doc_node(w->t->doc, node->data.sequence.items.start[i]);
  return text_of(doc_value(w->t->doc, entry, field, NULL));
}

int step_take_fail(const struct step_take *w, const char *key, const char *format, ...)
{
  char sentence[600];
  va_list args;
  va_start(args, format);
  vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  return take_fail(w->t, w->at, key, "%s", sentence);
}

/* --- Values ----------------------------------------------------------------------------------- */

int step_take_number(const struct step_take *w, const char *key, uint64_t least, uint64_t most,
                     uint32_t *out)
{
  uint64_t value = *out;
  assert(most <= UINT32_MAX);
  if (take_number(w->t, w->at, key, step_take_text(w, key), least, most, &value) != 0) return -1;
  *out = (uint32_t) value;
  return 0;
}

int step_take_flag(const struct step_take *w, const char *key, bool *out)
{
  return take_flag(w->t, w->at, key, step_take_text(w, key), out);
}

int step_take_word(const struct step_take *w, const char *key, const char *const *words, int *out)
{
  return take_word(w->t, w->at, key, step_take_text(w, key), words, out);
}

int step_take_duration(const struct step_take *w, const char *key, uint64_t least_ms,
                       uint64_t most_ms, uint64_t *out)
{
  return take_duration(w->t, w->at, key, step_take_text(w, key), least_ms, most_ms, out);
}

int step_take_share(const struct step_take *w, const char *key, double *out)
{
  return take_share(w->t, w->at, key, step_take_text(w, key), out);
}

int step_take_bytes(const struct step_take *w, const char *key, uint64_t most, uint64_t *out)
{
  char why[200];
  const char *text = step_take_text(w, key);
  if (text == NULL) return 0;
  if (units_bytes(text, out, why, sizeof why) != 0) return step_take_fail(w, key, "%s", why);
  if (*out >= 1 && *out <= most) return 0;
  return step_take_fail(w, key, "'%.40s' is out of range: '%s' is from 1 to %llu bytes", text, key,
                        (unsigned long long) most);
}

/* --- What many steps have --------------------------------------------------------------------- */

int step_take_rate(const struct step_take *w)
{
  return take_rate(w->t, w->at, "rate", step_take_text(w, "rate"), &w->out->rate);
}

int step_take_within(const struct step_take *w)
{
  return step_take_duration(w, "within", 100, STEP_WITHIN_MAX_MS, &w->out->within_ms);
}

int step_take_broker_within(const struct step_take *w)
{
  return step_take_duration(w, "within", 100, STEP_WITHIN_MAX_MS, &w->out->broker_ms);
}

int step_take_waves(const struct step_take *w)
{
  struct step_list waves = step_take_list(w, "waves");
  return take_waves(w->t, w->at, "waves", waves.given ? waves.text : NULL, waves.count,
                    &w->out->waves);
}

int step_take_root(const struct step_take *w)
{
  const char *root = step_take_text(w, "root");
  const struct pki_roots *roots = &w->scenario->roots;
  if (root == NULL)
    return step_take_fail(w, "", "this step needs a root: write 'root: %s'", roots->name[0]);
  return take_root(w->t, w->at, "root", root, roots, w->out->root);
}

int step_take_roots(const struct step_take *w, size_t least)
{
  const struct pki_roots *known = &w->scenario->roots;
  struct step_list roots = step_take_list(w, "roots");
  if (!roots.given)
    return step_take_fail(w, "", "this step needs roots: write 'roots: [%s]'", known->name[0]);
  if (take_roots(w->t, w->at, "roots", roots.text, roots.count, known, &w->out->roots) != 0)
    return -1;
  if (w->out->roots.count >= least) return 0;
  return step_take_fail(
      w, "roots",
      "a trust bundle needs at least two roots, so that no single CA can strand a device; this one "
      "has %zu",
      w->out->roots.count);
}

int step_take_who(const struct step_take *w, bool needed)
{
  struct step_list ids = step_take_list(w, "ids");
  const struct check_who who = {.share = step_take_text(w, "share"),
                                .cohort = step_take_text(w, "cohort"),
                                .ids = ids.text,
                                .id_count = ids.count,
                                .needed = needed};
  return check_who(w->t, w->at, &who, w->scenario, &w->out->who);
}

/* A hook that does it itself is always there: its step is refused without it. */
enum scenario_apply scenario_default_apply(const struct scenario *scenario,
                                           enum scenario_files files)
{
  const struct product *product = scenario->product;
  bool hooked = scenario_broker_is(scenario, BROKER_HOOKED);
  bool reloads = !hooked || scenario->hook[HOOK_RELOAD][0] != '\0';
  bool restarts = !hooked || scenario->hook[HOOK_RESTART][0] != '\0';
  if (files == SCENARIO_FILES_LISTS && product->lists_by_themselves) return SCENARIO_APPLY_HOOK;
  if (files == SCENARIO_FILES_CLIENTS && !(product->trusts_by_reload && reloads))
    return restarts ? SCENARIO_APPLY_RESTART : SCENARIO_APPLY_HOOK;
  return reloads ? SCENARIO_APPLY_RELOAD : SCENARIO_APPLY_HOOK;
}

int step_take_apply(const struct step_take *w, enum scenario_files files)
{
  static const char *const words[] = {"reload", "restart", "none", NULL};
  int apply = (int) scenario_default_apply(w->scenario, files);
  if (step_take_word(w, "apply", words, &apply) != 0) return -1;
  w->out->apply = (enum scenario_apply) apply;
  return 0;
}

/* Files of the owner's are presented as they are. */
static int take_own_chain(const struct step_take *w, struct pki_chain *chain)
{
  static const char *const of_ours[] = {"cross", "intermediate", "cross-expired"};
  const char *file = step_take_text(w, "chain"), *key = step_take_text(w, "key");
  const char *password = step_take_text(w, "password-file");
  if (password != NULL && key == NULL)
    return step_take_fail(w, "password-file", "a passphrase is a key's: add 'key: FILE'");
  if (file == NULL && key == NULL) return 0;
  if (file == NULL)
    return step_take_fail(w, "key", "a key comes with its certificates: add 'chain: FILE'");
  for (size_t i = 0; i < sizeof of_ours / sizeof of_ours[0]; i++)
    if (step_take_text(w, of_ours[i]) != NULL)
      return step_take_fail(w, of_ours[i], "a chain of yours is presented as it is: leave '%s' out",
                            of_ours[i]);
  if (key == NULL && scenario_broker_is(w->scenario, BROKER_OWNED))
    return step_take_fail(w, "chain",
                          "a broker that fleetsim starts needs the chain's key: add 'key: FILE'");
  if (take_text(w->t, w->at, "chain", file, chain->own, sizeof chain->own) != 0) return -1;
  return take_text(w->t, w->at, "key", key, chain->own_key, sizeof chain->own_key) != 0
             ? -1
             : take_text(w->t, w->at, "password-file", password, chain->password,
                         sizeof chain->password);
}

int step_take_chain(const struct step_take *w)
{
  struct pki_chain *chain = &w->out->chain;
  bool intermediate = true;
  if (step_take_root(w) != 0 ||
      take_root(w->t, w->at, "cross", step_take_text(w, "cross"), &w->scenario->roots,
                chain->cross) != 0 ||
      step_take_flag(w, "intermediate", &intermediate) != 0 ||
      step_take_flag(w, "cross-expired", &chain->cross_expired) != 0 ||
      step_take_flag(w, "leaf-expired", &chain->leaf_expired) != 0 || take_own_chain(w, chain) != 0)
    return -1;
  strcpy(chain->root, w->out->root);
  chain->omit_intermediate = !intermediate;
  if (strcmp(chain->cross, chain->root) == 0)
    return step_take_fail(
        w, "cross",
        "'cross' and 'root' are both '%s': a cross-certificate lets holders of another root follow",
        chain->root);
  if (chain->cross_expired && chain->cross[0] == '\0')
    return step_take_fail(w, "cross-expired",
                          "there is no cross-certificate to expire: add 'cross: ROOT'");
  return 0;
}

int step_take_node(const struct step_take *w, bool all)
{
  const struct scenario *s = w->scenario;
  const char *node = step_take_text(w, "node");
  if (node != NULL && all && scenario_broker_is(s, BROKER_HOOKED))
    return step_take_fail(
        w, "node",
        "the hooks of a remote broker are for all of its addresses at once: remove 'node'");
  if (node == NULL && (all || s->node_count == 1)) {
    w->out->node = all ? -1 : 0;
    return 0;
  }
  if (node == NULL)
    return step_take_fail(w, "", "this step needs one of the brokers: write 'node: %s'",
                          s->nodes[0].name);
  w->out->node = scenario_find_node(s, node);
  if (w->out->node >= 0) return 0;
  return step_take_fail(w, "node",
                        "there is no broker '%.40s': name it in broker.nodes, or write 'node: %s'",
                        node, s->nodes[0].name);
}

int step_take_policy(const struct step_take *w)
{
  w->out->reconnect = w->scenario->reconnect;
  return check_policy(w->t, w->at, step_take_text(w, "policy"), step_take_text(w, "base"),
                      step_take_text(w, "cap"), &w->out->reconnect);
}

/* --- Firmware updates ------------------------------------------------------------------------- */

int step_take_ota(const struct step_take *w)
{
  if (w->scenario->ota.on) return 0;
  return step_take_fail(
      w, "", "the devices of this scenario take no firmware updates: add 'ota: {}' to the file");
}

int step_take_image(const struct step_take *w)
{
  const char *name = step_take_text(w, "image");
  if (name == NULL) return step_take_fail(w, "", "this step needs an image: write 'image: v2'");
  int image = scenario_find_image(w->scenario, name);
  if (image == (int) SCENARIO_FACTORY)
    return step_take_fail(w, "image",
                          "every device has the image 'factory' from the start: name another one");
  if (image < 0)
    return step_take_fail(w, "image",
                          "image '%.40s' is never published: put 'ota.publish: {image: %.40s, "
                          "version: 1.1.0}' above this step",
                          name, name);
  w->out->image = (size_t) image;
  return 0;
}
