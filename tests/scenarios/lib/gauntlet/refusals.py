"""The page of refusals, from results.json of the gauntlet: facts only, and rounded so that they change seldom.

usage: refusals.py head
       refusals.py client NAME RESULTS..

RESULTS are of the same cases, several times: what differs between them is said. Where a client did not refuse in each
version of TLS that it was shown, the page says nothing of it.
"""
import json
import sys

HEAD = """
Each client was called strictly: with the anchors of the fleet, a client certificate and the name `localhost`, each case several
times in TLS 1.2 and in 1.3. A cell that names no version is of both; "or" is between what differed from time to time. The
alert is what came to the server. The time ends where the client gave the connection up; it begins with what the server said
or, where it said nothing, with the connection. All were told to give up after 5 s of silence, and to connect once: who came
again all the same has a line of it. Another version or build may do otherwise: `fleetsim gauntlet --exec` says what yours does.
"""
UNTOLD = "see your own run"


def rounded(ms):
    if ms is None:
        return ""
    if ms < 100:
        return "< 0.1 s"
    return "< 1 s" if ms < 950 else f"{ms / 1000:.0f} s"


def alert_of(seen):
    alert = seen["alert"]
    return f"{alert['number']}, {alert['name']}" if alert else "none"


def exit_of(seen):
    return "" if seen["signal"] or seen["status"] is None else str(seen["status"])


def cell(trials, of):
    """What is the same in all versions is said once; what differs from time to time is all said."""
    said = {}
    for trial in trials:
        said.setdefault(trial["tls"], set()).add(of(trial["seen"]))
    said = {tls: " or ".join(sorted(what or "-" for what in whats)) for tls, whats in said.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{tls}: {what}" for tls, what in sorted(said.items()))


def exits(trials):
    """Which of its codes a client ends with may hang on who was faster, and not on the version of TLS."""
    return " or ".join(sorted({exit_of(trial["seen"]) or "-" for trial in trials}))


def row(name, trials):
    cells = [UNTOLD, "", ""]
    if all(trial["verdict"] == "pass" and trial["conduct"] == "refused" for trial in trials):
        cells = [cell(trials, alert_of), cell(trials, lambda seen: rounded(seen["gave_up_ms"])), exits(trials)]
    return "| " + " | ".join([name] + cells) + " |"


def rows(runs):
    shown = {}
    for results in runs:
        for trial in results["trials"]:
            case = results["cases"][trial["case"]]
            if not case["control"] and trial["verdict"] not in ("skipped", "not_offered"):
                shown.setdefault(case["name"], []).append(trial)
    return [row(name, trials) for name, trials in shown.items()]


def words(list_of_words, none="none"):
    return ", ".join(list_of_words) or none


def hello(results):
    most = max(results["hellos"], key=lambda one: one["trials"])
    facts = most["facts"]
    shares = [f"{share['group']} ({share['bytes']} bytes)" for share in facts["key_shares"]]
    return [
        f"- Versions: {words(facts['versions'])}. Suites: {len(facts['suites'])}. "
        f"Server name: {'sent' if facts['server_name'] else 'not sent'}.",
        f"- Groups: {words(facts['groups'])}. Key shares: {words(shares)}.",
        f"- Stands out: {words(['`' + one['id'] + '`' for one in most['stands_out']], 'nothing')}.",
    ]


def again(runs):
    """A client of which one came again, though it was told not to, is told so."""
    retries = [ms for results in runs for trial in results["trials"] for ms in trial["seen"]["retry_ms"]]
    return [f"- It came again by itself, the soonest after {rounded(min(retries))}."] if retries else []


def by_default(results):
    """When a client that is left to its defaults comes again, to a server that it has refused."""
    retries = [ms for trial in results["trials"] for ms in trial["seen"]["retry_ms"]]
    times = ", ".join(f"{ms / 1000:.0f} s" if ms >= 500 else f"{ms / 1000:.1f} s" for ms in retries[:6])
    return f"- Left to its defaults it tries again after {times}." if retries else "- Left to its defaults it does not try again within 15 s."


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    if sys.argv[1] == "head":
        print(HEAD, end="")
        return
    if sys.argv[1] == "default":
        print(by_default(load(sys.argv[2])))
        return
    runs = [load(path) for path in sys.argv[3:]]
    print(f"\n## {sys.argv[2]}\n")
    print("| a server's fault | alert | gave up after | exit code |\n|---|---|---|---|")
    print("\n".join(rows(runs) + [""] + hello(runs[0]) + again(runs)))


main()
