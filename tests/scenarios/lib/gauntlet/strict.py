"""What a client of others that is called strictly must hold: results.json of a gauntlet, its layer tls.

usage: strict.py RESULTS CLIENT

No lie of high severity is believed, and no sound server is refused. A line "told: .." is a lie of less severity that
was believed, "not shown: .." one of high severity that the client did not stay for; neither is an error.
Of deadlines nothing is told: a busy machine keeps none.
Exit code 0: so it was, and there was something to see.
"""
import json
import sys

LEAST = 150  # trials in two versions of TLS that ask for something


def main():
    results, client = json.load(open(sys.argv[1], encoding="utf-8")), sys.argv[2]
    judged, wrong = 0, []
    for trial in results["trials"]:
        case, verdict = results["cases"][trial["case"]], trial["verdict"]
        if verdict in ("skipped", "not_offered") or case["clients"] == "either":
            continue
        judged += 1
        line = f"{client}: {trial['case']}, TLS {trial['tls']}: {trial['why']}"
        if case["clients"] == "accept":
            wrong += [] if verdict == "pass" else [f"refused: {line}"]
        elif verdict == "fail":
            wrong += [f"believed: {line}"] if case["severity"] == "high" else []
            if "deadline" not in case["flaws"]:
                print(f"told: {client}: {trial['case']}, TLS {trial['tls']} ({case['severity']})")
        elif verdict == "not_shown" and case["severity"] == "high":
            print(f"not shown: {line}")
    print("\n".join(wrong))
    print(f"{judged} trials that ask for something, {len(wrong)} otherwise than they must; {results['duration_s']:.0f} s")
    return 1 if wrong or judged < LEAST or results["exit_code"] != 0 else 0


sys.exit(main())
