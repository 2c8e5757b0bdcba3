"""Makes scenarios/BROKERS.md of what runs saw: brokers.py FOLDER, with a folder of results for each broker in it (lib/facts.sh).
A cell is read from results.json; what a run did not come to is "-"."""
import json
import os
import sys

ORDER = ["mosquitto", "rabbitmq", "aedes", "nginx"]


def load(folder, run):
    """The results, and in "online" how many sessions began in a phase, by whether the broker had kept them."""
    try:
        with open(os.path.join(folder, run, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        with open(os.path.join(folder, run, "events.ndjson"), encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
    except FileNotFoundError:
        return None
    results["online"], phase_now = {}, None
    for event in events:
        if event["event"] == "phase":
            phase_now = event["phase"]
        if event["event"] == "online":
            key = (phase_now, event["session_present"])
            results["online"][key] = results["online"].get(key, 0) + 1
    return results


def value(run, name, key="value"):
    return run["metrics"].get(name, {}).get(key, 0) or 0


def phase(run, name):
    return next((p for p in run["phases"] if p["name"] == name), None)


def failures(run, prefix):
    """Names and how often, of what devices were told."""
    return ", ".join(f"{name.split('.', 1)[1]} ({what['count']:.0f})" for name, what in sorted(run["failures"].items())
                     if name.startswith(prefix) and not name.endswith("stopped"))


def spoken(run):
    return "yes" if run["exit_code"] == 0 else "no: " + (failures(run, "connect.") or run["message"])


def qos_2(run):
    if run["exit_code"] == 0 and value(run, "telemetry.lost") == 0:
        return f"yes: {value(run, 'telemetry.delivered'):.0f} of {value(run, 'telemetry.sent'):.0f} delivered"
    return "no: " + (failures(run, "session.") or failures(run, "publish.") or run["message"])


def seen(name):
    def after(run):
        part = phase(run, name)
        if part is None:
            return "-"
        waited = 3 if name == "list" else 0  # the wait of its own
        note = part["note"] if "not in force" in part["note"] or "let in" in part["note"] else ""
        return note or f"at most {part['duration_s'] - waited:.1f} s"
    return after


def sessions(run):
    ended, left = value(run, "revoke.cut_ms", "count"), value(run, "revoke.uncut")
    return "stay open" if ended == 0 and left > 0 else f"{ended:.0f} ended, {left:.0f} open"


def tickets(run):
    resumed, full = value(run, "handshake.resumed"), value(run, "handshake.full")
    return f"{resumed:.0f} resumed, {full:.0f} full" if resumed > 0 else "none is taken"


def probed(folder):
    try:
        with open(os.path.join(folder, "probe.json"), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def tickets_each(probe):
    full, again = probe["tls13"], probe["with_ticket"]
    if not full["handshake"]:
        return "-"
    resumed = f", {again['tickets']} in a resumed one" if again is not None and again["resumed"] else ""
    return f"{full['tickets']} in a full handshake{resumed}"


def second_node(run):
    part = phase(run, "list")
    if part is None:
        return "-"
    return "goes on letting them in" if "was let in" in part["note"] else "refuses them" if part["note"] == "" else part["note"]


def old_ticket(run):
    if value(run, "revoke.resumed_accepts") > 0:
        return f"lets in ({value(run, 'revoke.resumed_accepts'):.0f} times)"
    if value(run, "revoke.refusals") == 0 or value(run, "handshake.resumed") == 0:
        return "-"
    return "refused: " + (failures(run, "connect.tls.") or failures(run, "connect."))


def trespass(run):
    count = value(run, "trespass.attempts")
    if count == 0:
        return "-"
    words = [("refused by a code", "denied"), ("refused by closing", "closed"), ("came through", "delivered"),
             ("undecided", "undecided")]
    told = [f"{value(run, 'trespass.' + name):.0f} {word}" for word, name in words if value(run, "trespass." + name) > 0]
    told += [f"{count - sum(value(run, 'trespass.' + n) for _, n in words):.0f} taken, and nothing came of them"] \
        if count > sum(value(run, "trespass." + n) for _, n in words) else []
    return f"of {count:.0f}: " + ", ".join(told)


def take_over(run):
    return f"device: {failures(run, 'session.') or 'nothing'}; copy: {value(run, 'compromise.cut'):.0f} sessions ended"


def restart(run):
    kept = run["online"].get(("restart", True), 0)
    again = kept + run["online"].get(("restart", False), 0)
    return (f"{kept} of {again} sessions kept; {value(run, 'telemetry.lost'):.0f} of "
            f"{value(run, 'telemetry.sent'):.0f} messages lost, {value(run, 'telemetry.lost_acked'):.0f} of them acknowledged")


ROWS = [
    ("MQTT 5", "speaks-5", spoken),
    ("MQTT 3.1.1", "speaks-3.1.1", spoken),
    ("QoS 2", "qos-2", qos_2),
    ("new leaf is served after", "files", seen("leaf")),
    ("new CA of clients is trusted after a reload and", "files", seen("clients")),
    ("new revocation list is in force after", "files", seen("list")),
    ("open sessions of who is revoked", "files", sessions),
    ("session tickets, TLS 1.3", "tickets", tickets),
    ("session tickets of a connection, TLS 1.3", "probe.json", tickets_each),
    ("an old ticket after the revocation", "tickets", old_ticket),
    ("who is revoked, at a second node with the same files that nobody reloads", "second-node", second_node),
    ("forbidden topics, MQTT 3.1.1", "trespass-3.1.1", trespass),
    ("forbidden topics, MQTT 5", "trespass-5", trespass),
    ("restart, MQTT 3.1.1", "restart-3.1.1", restart),
    ("restart, MQTT 5", "restart-5", restart),
    ("a second client with a device's id and certificate", "take-over", take_over),
]


def main():
    root = sys.argv[1]
    there = [name for name in ORDER if os.path.exists(os.path.join(root, name, "version"))]
    print("# What brokers do\n")
    print("Made by `sh tests/scenarios/lib/brokers.sh build/fleetsim > scenarios/BROKERS.md` from runs of 20 devices on loopback, TLS 1.3, "
          "P-256, through hooks. No cell is typed. Times are of a step as a whole, its hook included, on the machine that made it: "
          "upper bounds. The last column is the run in `tests/scenarios/lib/facts.sh`, for the broker that "
          "`tests/scenarios/staging_*.sh` sets up.\n")
    versions = [open(os.path.join(root, name, "version"), encoding="utf-8").read().strip() for name in there]
    print("| | " + " | ".join(versions) + " | run |")
    print("|---" * (len(there) + 2) + "|")
    for title, run, cell in ROWS:
        cells = []
        for name in there:
            folder = os.path.join(root, name)
            results = probed(folder) if run == "probe.json" else load(folder, run)
            cells.append("-" if results is None or results.get("verdict") == "error" else cell(results))
        print(f"| {title} | " + " | ".join(cells) + f" | `{'fleetsim probe' if run == 'probe.json' else run}` |")
    missing = [name for name in ORDER if name not in there]
    if missing:
        print("\nNot installed where this was made: " + ", ".join(missing) + ".")


main()
