"""Whether a gauntlet was whole: enough cases in each version of TLS, in time, nothing given away.

usage: whole.py RESULTS CASES SECONDS
"""
import json
import sys

results = json.load(open(sys.argv[1], encoding="utf-8"))
least, most_s = int(sys.argv[2]), float(sys.argv[3])
ran = {"1.2": set(), "1.3": set()}
wrong = []
for trial in results["trials"]:
    case, seen = results["cases"][trial["case"]], trial["seen"]
    if trial["tls"] in ran and trial["verdict"] in ("pass", "warn"):
        ran[trial["tls"]].add(trial["case"])
    if trial["verdict"] == "fail":
        wrong.append(f"{trial['case']}, TLS {trial['tls']}: {trial['why']}")
    if case["layer"] == "tls" and case["clients"] == "refuse" and not case["policy"] and seen["application_bytes"]:
        wrong.append(f"{trial['case']}, TLS {trial['tls']}: {seen['application_bytes']} bytes were given away")
for tls, cases in ran.items():
    if len(cases) < least:
        wrong.append(f"only {len(cases)} cases in TLS {tls}")
if results["duration_s"] > most_s:
    wrong.append(f"it took {results['duration_s']} s")
print("\n".join(wrong) or f"ok {len(ran['1.2'])} and {len(ran['1.3'])} cases in {results['duration_s']:.1f} s")
sys.exit(1 if wrong else 0)
