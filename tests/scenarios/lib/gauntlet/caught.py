"""Who is caught by what: results.json of a gauntlet against the checks that its client lacks.

usage: caught.py RESULTS [--at-least TRIALS] [--refuses CASE].. [CHECK..]

A client is fooled by a lie in TLS exactly where it lacks every check that would find it. Each trial that is
not so is a line; so is a sound server that was refused, unless it is named by --refuses (then it must be).
Exit code 0: none, and there was something to see: 100 trials, if nothing else is said.
"""
import argparse
import json
import sys

SLOW = {"deadline", "flood"}


def fooled_by(case, lacks):
    return set(case["flaws"]) <= lacks


def verdict_wanted(name, case, lacks, refuses):
    if case["clients"] == "refuse":
        return "fail" if fooled_by(case, lacks) else "pass"
    if case["clients"] == "accept":
        return "fail" if name in refuses else "pass"
    return None


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("results")
    asked.add_argument("lacks", nargs="*")
    asked.add_argument("--refuses", action="append", default=[])
    asked.add_argument("--at-least", type=int, default=100)
    asked = asked.parse_intermixed_args()
    refuses, lacks = set(asked.refuses), set(asked.lacks)
    results = json.load(open(asked.results, encoding="utf-8"))
    seen = caught = 0
    wrong = []
    for trial in results["trials"]:
        case = results["cases"][trial["case"]]
        if case["layer"] != "tls" or SLOW & set(case["flaws"]) or trial["verdict"] in ("skipped", "not_offered"):
            continue
        wanted = verdict_wanted(trial["case"], case, lacks, refuses)
        if wanted is None:
            continue
        seen += 1
        caught += trial["verdict"] == "fail"
        if trial["verdict"] != wanted:
            wrong.append(f"{trial['case']}, TLS {trial['tls']}: {trial['verdict']}, not {wanted} ({trial['why']})")
    print("\n".join(wrong))
    print(f"{seen} trials that ask for something, {caught} caught it, {len(wrong)} otherwise than they should")
    return 1 if wrong or seen < asked.at_least or (bool(caught) != bool(lacks or refuses)) else 0


sys.exit(main())
