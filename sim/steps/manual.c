/* The manual of steps as one table, in the order of STEPS: a line of its own for each kind and, where
 * a key means something of its own there, for the key; what a key means everywhere stands first. */
#include "steps/manual.h"

#include <string.h>

/* clang-format off */
static const struct line {
  const char *step, *key, *text;
} lines[] = {
  {"", "within", "the longest wait, of each wave where there are waves (30s)"},
  {"", "rate", "devices a second: 200/s, 30/m or 20%/s of the fleet (200/s)"},
  {"", "waves", "growing shares of the devices, one after the other, the last one 100% ([100%])"},
  {"", "share", "part of the fleet, or of the cohort that is named beside it (all of it)"},
  {"", "cohort", "a part of the fleet that has this name in fleet.cohorts (the whole fleet)"},
  {"", "ids", "devices by their names, in place of share and cohort"},
  {"", "root", "a root CA of pki.roots, which the certificates are under; required"},
  {"", "cross", "another root: its cross-certificate of 'root' is served too, for devices that trust only the other (none)"},
  {"", "intermediate", "whether the intermediate is served (yes)"},
  {"", "cross-expired", "whether that cross-certificate has expired (no)"},
  {"", "leaf-expired", "whether the leaf has expired; of a chain of yours: that it must have (no)"},
  {"", "chain", "file with a chain of yours in place of one that is made here, any form and order (made here)"},
  {"", "key", "file with the private key of 'chain', any form (the broker has it)"},
  {"", "password-file", "file with the passphrase of 'key', 0600, its first line (the key has none)"},
  {"", "node", "one of broker.nodes (all that are up)"},
  {"", "policy", "immediate, fixed, exponential, exponential-20, full-jitter or decorrelated (as reconnect.policy)"},
  {"", "base", "the first wait of the policy (as reconnect.base)"},
  {"", "cap", "its longest wait (as reconnect.cap)"},
  {"", "publish", "whether the list is published at once, as publish-crl does (yes)"},

  {"connect", "", "Brings devices online, at a rate; their telemetry starts."},
  {"connect", "arrival", "linear, or poisson: at random (linear)"},
  {"telemetry", "", "Changes what devices send from here on; what is not named is as in fleet.telemetry."},
  {"telemetry", "every", "time between two messages of a device (as fleet.telemetry)"},
  {"telemetry", "bytes", "size of a message of ours, 16 to 1024 (as fleet.telemetry)"},
  {"telemetry", "qos", "0, 1 or 2 (as fleet.telemetry)"},
  {"telemetry", "payload", "a text of yours in place of 'bytes', or '@FILE' (as fleet.telemetry)"},
  {"telemetry", "seq-at", "where {seq} stands in it: a JSON path or the text before it (nobody knows what arrives)"},
  {"telemetry", "time-at", "where {unix_ms} stands in it (latencies have no value)"},
  {"drain", "", "Stops telemetry and waits until all that was sent has arrived."},
  {"push-trust", "", "Sends the devices a signed trust bundle with these roots; who does not acknowledge it is named."},
  {"push-trust", "roots", "two or more of pki.roots; required"},
  {"push-trust", "crls", "whether the bundle holds the revocation lists of the CAs that issue broker certificates (no)"},
  {"prove", "", "Lets every device try a chain by one full handshake at the broker's second listener, and go back: does the fleet accept what the broker is to present next?"},
  {"prove", "within", "the longest wait for the devices; also for the listener, which has 10s otherwise (60s)"},
  {"present", "", "Gives the broker another certificate chain, made here or yours, and looks at every address until it is served."},
  {"present", "apply", "reload, restart, or none: a later step puts it in force (reload)"},
  {"present", "within", "the longest wait until the broker serves it (10s)"},
  {"revoke-broker", "", "Revokes what the main listener presents; devices learn it from the next push-trust with crls."},
  {"revoke-broker", "what", "leaf, intermediate or cross (leaf)"},
  {"trust-clients", "", "Gives the broker the roots that it trusts devices by, and looks whom it lets in then."},
  {"trust-clients", "roots", "of pki.roots; required"},
  {"trust-clients", "apply", "reload, restart or none; mosquitto reads them at its start only (restart)"},
  {"trust-clients", "within", "the longest wait until the broker is seen to go by them (10s)"},
  {"trust-clients", "probe", "whether it is looked at (yes)"},
  {"reload-broker", "", "Lets the broker read its files again; sessions stay."},
  {"restart-broker", "", "Restarts the broker: every session ends, and everybody must be let in again."},
  {"kill-broker", "", "SIGKILL for a broker of the run's own: what it had not saved is gone."},
  {"stop-broker", "", "SIGTERM for a broker of the run's own."},
  {"freeze-broker", "", "SIGSTOP for a broker of the run's own: its port and connections stay open, and nobody answers."},
  {"thaw-broker", "", "Lets a frozen broker go on, and puts in force there what was put in force elsewhere meanwhile."},
  {"start-broker", "", "Starts a broker that was killed or stopped, on its old ports, with what was put in force meanwhile."},
  {"resolve", "", "Lets a name lead to other brokers, from the next attempt on."},
  {"resolve", "name", "one of 'names' (the only one)"},
  {"resolve", "nodes", "brokers of the answer, [] for none: the name is not found (none)"},
  {"resolve", "delay", "time until the answer comes (0s)"},
  {"reconnect", "", "Ends the sessions of all devices and opens them again; who is not back is named."},
  {"reconnect", "full-handshake", "whether session tickets are thrown away first (yes)"},
  {"reissue", "", "Gives devices new certificates for the keys that they have: issued here, from a list, or signed by a command. Who does not acknowledge one is named; one that he holds already, and one that is not for him, fails the step."},
  {"reissue", "csv", "list with columns id, certificate and, for intermediates, chain (issued here)"},
  {"reissue", "command", "shell command that signs: the request is its input and FLEETSIM_CSR, the certificate its output (issued here)"},
  {"shelf", "", "Switches devices off."},
  {"wake", "", "Switches those on again that were put on the shelf."},
  {"clock", "", "Sets the clocks of devices, by which they judge certificates."},
  {"clock", "set", "an instant, 1970-01-01T00:00:00Z, or true for the right time; required"},
  {"trespass", "", "Lets devices publish to the topics of another one and subscribe to them: the broker must refuse, or nothing must arrive."},
  {"mitm", "", "Leads devices to a hostile server for a while, as a network that somebody took over does: none may give it anything, and all must find back."},
  {"mitm", "case", "what the server shows: id or name of a case of 'fleetsim gauntlet --list'; this or 'cases' is required"},
  {"mitm", "cases", "several of them, which are dealt out to the devices in turn"},
  {"mitm", "for", "how long the devices are led there (10s)"},
  {"mitm", "within", "the longest wait until they are back online afterwards (60s)"},
  {"reconnect-policy", "", "Changes how devices try again, from here on."},
  {"fault", "", "Makes the network of devices bad, from here on or for a while, in place of an earlier fault."},
  {"fault", "latency", "added to each direction (0s)"},
  {"fault", "jitter", "by which the latency differs at random, at most the latency (0s)"},
  {"fault", "bandwidth", "bytes a second (no limit)"},
  {"fault", "cut", "share of the connections that 'cut-after' is for, each at random within these bytes (all, each after as many)"},
  {"fault", "cut-after", "bytes after which a connection ends (it does not)"},
  {"fault", "reset", "whether the connections that are open are reset at once (no)"},
  {"fault", "slice", "most bytes that come at once (no limit)"},
  {"fault", "black-hole", "whether nothing comes through, and nothing says so (no)"},
  {"fault", "slow-close", "how late the end of a connection is told (0s)"},
  {"fault", "refuse", "whether connections are refused (no)"},
  {"fault", "for", "how long (until mend)"},
  {"mend", "", "Ends faults."},
  {"revoke", "", "Revokes every certificate of devices, publishes the list, and measures who still gets in."},
  {"revoke", "reason", "a reason of RFC 5280 (keyCompromise)"},
  {"unrevoke", "", "Takes a revocation back: a rehearsal may, a real CA only for certificateHold."},
  {"publish-crl", "", "Gives the broker revocation lists: of those who issued devices and operator, or a file."},
  {"publish-crl", "this-update", "from now, -1h is past (now)"},
  {"publish-crl", "next-update", "from now, -1h is past (7d)"},
  {"publish-crl", "entries", "of nobody's certificates, to make the list long, up to 100000 (0)"},
  {"publish-crl", "apply", "reload, restart or none (reload)"},
  {"publish-crl", "file", "complete lists of yours, PEM (made here)"},
  {"publish-crl", "unchecked", "whether a file is published that brokers may not take (no)"},
  {"kick", "", "Ends open sessions of devices: by the hook, or at a local broker by connecting under their client ids."},
  {"compromise", "", "Brings copies of devices online beside them, private keys and all. Once in a run."},
  {"storm", "", "Ends every session at once and measures how the devices come back by themselves: a row of 'storms' in results.json."},
  {"storm", "within", "the longest wait for them (60s)"},
  {"storm", "rate", "of those who are brought back afterwards (0.8 of broker.handshakes, else 200/s)"},
  {"ota.publish", "", "Makes and signs a firmware image, or takes a file; nobody is told of it yet."},
  {"ota.publish", "image", "its name in the scenario; required"},
  {"ota.publish", "version", "1.2.0; required without 'file'"},
  {"ota.publish", "counter", "security counter (the highest so far + 1)"},
  {"ota.publish", "size", "of the file (64KiB)"},
  {"ota.publish", "class", "of device that it is for (as ota.class)"},
  {"ota.publish", "via", "mqtt or https (mqtt)"},
  {"ota.publish", "file", "an image of yours in MCUboot's format (made here)"},
  {"ota.publish", "self-test", "how its trial ends: pass, fail, crash or hang (pass)"},
  {"ota.publish", "failing", "share of the devices in which it does (100%)"},
  {"ota.publish", "trust", "roots of a trust bundle that it carries (none)"},
  {"ota.publish", "rescue", "whether its manifest lies where devices look by themselves (no)"},
  {"ota.rollout", "", "Offers devices an image, wave by wave or at a growing rate, and stops by itself where too many fail."},
  {"ota.rollout", "image", "one that was published; required"},
  {"ota.rollout", "rate", "devices a second, in place of waves (by waves)"},
  {"ota.rollout", "growth", "what the rate is multiplied by, 1 to 5 (1)"},
  {"ota.rollout", "after", "so many confirmed (10)"},
  {"ota.rollout", "jitter", "each device of a wave is told after a random time up to this (5s)"},
  {"ota.rollout", "within", "the longest wait of a wave (60s)"},
  {"ota.rollout", "background", "whether the next step begins at once (no)"},
  {"ota.rollout", "abort", "entries of status (failed), share (5%), of wave or all (wave), minimum (3): when it stops (no criterion)"},
  {"ota.pause", "", "Offers the image of the rollout in the background to nobody else for now."},
  {"ota.resume", "", "Goes on with it."},
  {"ota.abort", "", "Ends it: who has not restarted is called back."},
  {"power-cut", "", "Lets power fail in the midst of writes to flash, from here on."},
  {"power-cut", "at", "random, or every-operation: the operations are shared out among the devices (random)"},
  {"power-cut", "every", "operations on average (50)"},
  {"power-cut", "times", "cuts a device (3)"},
  {"corrupt", "", "Damages a published image or its manifest."},
  {"corrupt", "image", "one that was published; required"},
  {"corrupt", "how", "bit-flip, truncated, endless, bad-magic, bad-tlv, wrong-key, .. as scenarios/README.md lists them; required"},
  {"cdn", "", "Makes the line between devices and image server bad, from here on or for a while."},
  {"cdn", "cut", "share of its connections that break (none)"},
  {"cdn", "after", "bytes on average until they do (64KiB)"},
  {"cdn", "latency", "added to each direction (0s)"},
  {"cdn", "bandwidth", "bytes a second (no limit)"},
  {"cdn", "refuse", "whether connections are refused (no)"},
  {"cdn", "stall", "whether nothing comes any more, and nothing says so (no)"},
  {"cdn", "for", "how long (until another 'cdn')"},
  {"cdn", "mend", "ends all that, in place of the others (no)"},
  {"wait", "", "Waits."},
  {"wait", "for", "how long; required"},
  {"prompt", "", "Waits for a person, who presses Enter."},
  {"prompt", "say", "what he is told; required"},
};
/* clang-format on */

static const char *find_line(const char *step, const char *key)
{
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    if (strcmp(lines[i].step, step) == 0 && strcmp(lines[i].key, key) == 0) return lines[i].text;
  return NULL;
}

const char *steps_manual(const struct step_kind *kind)
{
  return find_line(kind->name, "");
}

const char *steps_manual_argument(const struct step_kind *kind, const char *key)
{
  const char *text = find_line(kind->name, key);
  return text != NULL ? text : find_line("", key);
}

bool steps_manual_entry(size_t index, const char **step, const char **key)
{
  if (index >= sizeof lines / sizeof *lines) return false;
  *step = lines[index].step;
  *key = lines[index].key;
  return true;
}
