/* The run's own map of names: which brokers a name leads to. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "scenario/check.h"

int check_lead(const struct take *t, const char *at, char *const *nodes, unsigned count,
               const struct scenario *scenario, struct scenario_name *out)
{
  out->node_count = 0;
  for (unsigned i = 0; i < count; i++) {
    char key[24];
    int node = scenario_find_node(scenario, nodes[i]);
    snprintf(key, sizeof key, "nodes[%u]", i);
    if (node < 0)
      return take_fail(
          t, at, key, "there is no broker '%.40s': name it in broker.nodes%s", nodes[i],
          strcmp(nodes[i], "false-broker") == 0 ? ", or add 'false: {root: ROOT}' to 'broker'"
                                                : "");
    if (memchr(out->nodes, node, out->node_count) != NULL)
      return take_fail(t, at, key, "'%s' is listed twice: remove one", nodes[i]);
    out->nodes[out->node_count++] = (uint8_t) node;
  }
  return 0;
}

static bool is_name(const char *text)
{
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  size_t size = strlen(text);
  return size < 254 && text[0] != '-' && text[0] != '.' && strspn(text, letters) == size &&
         strpbrk(text, "abcdefghijklmnopqrstuvwxyz") != NULL;
}

/* Every true broker's certificate carries all of the names. */
static int check_host_name(const struct take *t, unsigned index, const struct raw_name *raw,
                           struct scenario *out)
{
  char at[32];
  snprintf(at, sizeof at, "names[%u]", index);
  struct scenario_name *name = &out->names[index];
  if (!is_name(raw->name))
    return take_fail(t, at, "name", "'%.80s' is no host name: write 'mqtt.example'", raw->name);
  strcpy(name->name, raw->name);
  for (unsigned i = 0; i < index; i++)
    if (strcmp(out->names[i].name, raw->name) == 0)
      return take_fail(t, at, "name", "'%s' is there twice: remove one", raw->name);
  if (raw->nodes_count > 0) return check_lead(t, at, raw->nodes, raw->nodes_count, out, name);
  for (size_t n = 0; n < out->node_count; n++) name->nodes[name->node_count++] = (uint8_t) n;
  return 0;
}

int check_names(const struct take *t, const struct raw_scenario *raw, struct scenario *out)
{
  if (raw->names_count > 0 && !scenario_broker_is(out, BROKER_OWNED))
    return take_fail(t, "", "names", "a remote broker has a name already, in its url: remove this");
  if (out->has_false && raw->names_count == 0)
    return take_fail(t, "broker", "false",
                     "no name can lead to the false broker: add 'names: [{name: mqtt.example}]'");
  for (unsigned i = 0; i < raw->names_count; i++)
    if (check_host_name(t, i, raw->names[i], out) != 0) return -1;
  out->name_count = raw->names_count;
  return 0;
}
