/* Written as a person would write it: what was seen, the commands, then the scenario with a word
 * beside what will be changed first. Lines behind "#|" are the rotation's; `sed` makes the one file
 * out of the other, so that both stay one text. */
#include "cli/new_story.h"

#include <string.h>

#include "base/files.h"
#include "base/host_port.h"
#include "net/permit.h"

/* What the roots are called in scenarios, and the files of those that a rehearsal makes. */
static const struct {
  const char *name, *made;
} roots[NEW_ROOTS] = {{"A", "root-a"}, {"B", "root-b"}, {"spare", "root-spare"}};

#define MAKE_ROOT                                                                          \
  "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj " \
  "\"/CN=rehearsal %s\" -keyout %s.key -out %s.pem"

static bool is_elsewhere(const struct new_story *story)
{
  return !permit_is_loopback(story->host);
}

/* --- Commands --------------------------------------------------------------------------------- */

static size_t count_roots(const struct new_story *story)
{
  size_t count = 0;
  while (count < NEW_ROOTS && story->root[count] != NULL) count++;
  return count;
}

/* A rotation takes a root to move to and one that is kept. */
static bool can_rotate(const struct new_story *story)
{
  return count_roots(story) == NEW_ROOTS;
}

static void tell_roots(const struct new_story *story, FILE *out)
{
  for (size_t i = 0; i < count_roots(story); i++)
    fprintf(out, "%s%s=%s", i == 0 ? "" : ",", roots[i].name, story->root[i]);
}

/* Those that devices trust: the one in use and the one that is kept; "A,spare". */
static const char *trusted_by(const struct new_story *story, const char *of_two,
                              const char *of_three)
{
  size_t count = count_roots(story);
  return count == 1 ? "A" : count == 2 ? of_two : of_three;
}

static void print_commands(const struct new_story *story, const char *mark, FILE *out)
{
  const char *allow = is_elsewhere(story) ? " --allow-target " : "";
  const char *host = is_elsewhere(story) ? story->host : "";
  const char *how = story->user != NULL ? " --no-certificates"
                    : story->names      ? ""
                                        : " --id-from cn";
  fprintf(out, "%s./fleetsim pki import %s --csv %s%s --roots-pem ", mark, story->fleet, story->csv,
          how);
  tell_roots(story, out);
  if (story->password_file != NULL) fprintf(out, " --password-file %s", story->password_file);
  fprintf(out, " --trusted %s\n", trusted_by(story, "A,B", "A,spare"));
  fprintf(out, "%s./fleetsim check %s --fleet %s\n", mark, story->file, story->fleet);
  fprintf(out, "%s./fleetsim run %s --fleet %s%s%s\n", mark, story->file, story->fleet, allow,
          host);
}

void new_story_tell(const struct new_story *story, FILE *out)
{
  fprintf(out, "%s is written. What comes next:\n", story->file);
  print_commands(story, "  ", out);
}

/* --- The scenario ----------------------------------------------------------------------------- */

/* Each line of it as a comment. */
static void print_seen(const char *seen, FILE *out)
{
  while (*seen != '\0') {
    size_t size = strcspn(seen, "\n");
    fprintf(out, "#   %.*s\n", (int) size, seen);
    seen += size + (seen[size] != '\0');
  }
}

static void print_head(const struct new_story *story, FILE *out)
{
  fprintf(out, "# A first day at %s, written by 'fleetsim new'.\n", story->url);
  if (story->seen != NULL) {
    fprintf(out, "# What was seen of the broker ('fleetsim probe' shows it again):\n");
    print_seen(story->seen, out);
  }
  fprintf(out, "#\n# The fleet once, then as often as you like:\n");
  print_commands(story, "#   ", out);
  fprintf(out, "# --devices 1 begins with one device; 'fleetsim explain NAME' says what a word "
               "means.\n\n");
}

static void tell_fleet(const struct new_story *story, FILE *out)
{
  fprintf(out, "name: a first day at %s\n", story->host);
  if (is_elsewhere(story))
    fprintf(out, "targets: [\"%s\"]   # where the run may send; the command line names it too\n",
            story->host);
  fprintf(out,
          "fleet:\n"
          "  devices: %zu\n"
          "  telemetry: {every: 2s, bytes: 64, qos: 1}   # or texts of yours: payload\n",
          story->devices);
  if (story->password_column != NULL)
    fprintf(out, "  credentials: {user: \"%s\", password-column: %s}\n", story->user,
            story->password_column);
  if (story->token_file != NULL)
    fprintf(out,
            "  credentials: {user: \"%s\", token-file: \"%s\"}   # hooks: {renew-token: ..} makes "
            "new ones\n",
            story->user, story->token_file);
  if (story->topic != NULL)
    fprintf(out,
            "topics: {telemetry: \"%s\"}   # control: what trust bundles and answers go behind\n",
            story->topic);
  else
    fprintf(out,
            "# topics: {telemetry: \"acme/v1/{id}/up\", control: \"acme/v1/{id}/fleetsim/\"}\n");
  fprintf(out, "device: {tls: %s, mqtt: %s", story->tls_12 ? "1.2" : "1.3",
          story->mqtt_4 ? "3.1.1" : "5");
  if (story->alpn != NULL) fprintf(out, ", alpn: \"%s\"", story->alpn);
  if (story->user != NULL) fprintf(out, ", certificate: no");
  fprintf(out, "}\npki: {roots: [%s], trusted: [%s], broker: A}\n",
          trusted_by(story, "A, B", "A, B, spare"), trusted_by(story, "A, B", "A, spare"));
}

/* A hook that puts a file in its place there. */
static void print_copy(const struct new_story *story, const char *from, const char *to, FILE *out)
{
  if (is_elsewhere(story))
    fprintf(out, "scp \"$%s\" \"%s:/etc/mosquitto/certs/%s\"", from, story->host, to);
  else
    fprintf(out, "cp \"$%s\" \"/etc/mosquitto/certs/%s\"", from, to);
}

static void print_command(const struct new_story *story, const char *action, FILE *out)
{
  fprintf(out, "#|     %s: ", action);
  if (is_elsewhere(story)) fprintf(out, "ssh %s ", story->host);
  fprintf(out, "systemctl %s mosquitto\n", action);
}

/* The marked lines are indented as the plain ones about them. */
static void print_hooks(const struct new_story *story, FILE *out)
{
  char second[HOST_PORT_MAX];
  fprintf(out,
          "#|   prove-url: mqtts://%s   # EDIT: a second listener of the same broker\n"
          "#|   hooks:   # EDIT: what you do to the broker, as shell commands or URLs\n"
          "#|     present: ",
          host_port(story->host, (uint16_t) (story->port + 1), second));
  print_copy(story, "FLEETSIM_CERT", "$FLEETSIM_LISTENER.crt", out);
  fprintf(out, " && ");
  print_copy(story, "FLEETSIM_KEY", "$FLEETSIM_LISTENER.key", out);
  fprintf(out, "\n#|     trust-clients: ");
  print_copy(story, "FLEETSIM_CLIENT_CA", "clients.crt", out);
  fprintf(out, "\n");
  print_command(story, "reload", out);
  print_command(story, "restart", out);
  if (story->user != NULL)
    fprintf(out, "#| operator: {user: back-office, password-file: operator.pass}   # EDIT\n");
}

static void print_broker(const struct new_story *story, FILE *out)
{
  fprintf(out,
          "operator: none   # not in the rotation: nobody comes but the devices\n"
          "broker:\n"
          "  url: %s\n",
          story->url);
  if (story->kind != NULL)
    fprintf(out, "  kind: %s\n", story->kind);
  else
    fprintf(out, "  # kind: mosquitto   # what stands there, if it is one of those that 'fleetsim "
                 "explain' lists\n");
  if (story->server_name != NULL) fprintf(out, "  server-name: %s\n", story->server_name);
  if (can_rotate(story)) print_hooks(story, out);
}

static const char first_phases[] =
    "phases:\n"
    "  - name: everybody comes\n"
    "    do: [connect: {rate: 20/s}]\n"
    "    until: online == 100% within 60s\n"
    "  - name: everybody comes again\n"
    "    do: [wait: {for: 3s}, reconnect: {waves: [10%, 100%], rate: 20/s}]\n"
    "    until: reconnected == 100% within 60s\n";

/* %s: the scenario. */
static const char rotation_head[] =
    "# The rotation to root B is in the lines behind '#|'. It needs hooks, a back office that the\n"
    "# broker lets in, and certificates under B (README, 'Against your staging broker'): import "
    "with\n"
    "# --ca-keys B=FILE too.%s Then these lines are made part of it by\n"
    "#   sed -e 's/^#| //' -e '/# not in the rotation/d' %s >rotation.yaml\n";

static const char teach[] =
    "#|   - name: teach the fleet root B\n"
    "#|     do: [push-trust: {roots: [A, B, spare], waves: [1%, 10%, 100%]}]\n"
    "#|     until: trusting(B) == 100% within 60s\n"
    "#|     on_fail: rollback\n"
    "#|   - name: prove B before anything depends on it\n"
    "#|     do: [prove: {root: B}]\n"
    "#|     until: proven(B) == 100% within 60s\n";

static const char trust_clients[] = "#|   - name: let the broker trust devices of both roots\n"
                                    "#|     do: [trust-clients: {roots: [A, B]}]\n"
                                    "#|     until: online == 100% within 60s\n";

static const char move[] =
    "#|   - name: switch the broker to B\n"
    "#|     do: [present: {root: B}, reconnect: {waves: [10%, 100%], rate: 20/s}]\n"
    "#|     until: reconnected == 100% within 60s\n";

static const char reissue[] =
    "#|   - name: reissue the devices' certificates under B\n"
    "#|     do: [reissue: {root: B, waves: [10%, 100%]}, reconnect: {rate: 20/s}]\n"
    "#|     until: identified(B) == 100% within 60s\n";

/* %s: what else is told to the broker. */
static const char drop[] = "#|   - name: drop A\n"
                           "#|     do: [push-trust: {roots: [B, spare]}%s]\n"
                           "#|     until: online == 100%% within 60s\n";

static const char end[] = "  - name: all that was sent is accounted for\n"
                          "    do: [drain: {}]\n"
                          "expect:\n"
                          "  - devices.lost == 0\n"
                          "  - connect.total_ms.p99 < 5s\n";

static const char rotation_end[] = "#|   - telemetry.lost == 0\n"
                                   "#|   - devices.unproven == 0\n";

static void print_rotation(const struct new_story *story, FILE *out)
{
  bool certified = story->user == NULL;
  char client_ca[2 * FILES_PATH_MAX] = "";
  if (certified)
    snprintf(client_ca, sizeof client_ca,
             " Give the broker as its client CA what\n"
             "#   ./fleetsim pki export %s --what client-ca --roots A --out clients.crt\n"
             "# writes.",
             story->fleet);
  fprintf(out, rotation_head, client_ca, story->file);
  fputs(teach, out);
  if (certified) fputs(trust_clients, out);
  fputs(move, out);
  if (certified) fputs(reissue, out);
  fprintf(out, drop, certified ? ", trust-clients: {roots: [B]}" : "");
}

static void print_want_of_roots(const struct new_story *story, FILE *out)
{
  fprintf(out,
          "# A rotation takes a root to move to and one that is kept: with three --ca 'fleetsim "
          "new' writes\n"
          "# it here. For a rehearsal these are made by\n");
  for (size_t i = count_roots(story); i < NEW_ROOTS; i++)
    fprintf(out, "#   " MAKE_ROOT "\n", roots[i].made, roots[i].made, roots[i].made);
}

void new_story_write(const struct new_story *story, FILE *out)
{
  print_head(story, out);
  tell_fleet(story, out);
  print_broker(story, out);
  fputs(first_phases, out);
  if (can_rotate(story))
    print_rotation(story, out);
  else
    print_want_of_roots(story, out);
  fputs(end, out);
  if (can_rotate(story)) fputs(rotation_end, out);
}
