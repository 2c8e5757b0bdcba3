"""Whether a strict device that came so many times to a listener was shown one case each, in their order.

usage: in_order.py RESULTS CONNECTIONS
"""
import json
import sys

results = json.load(open(sys.argv[1], encoding="utf-8"))
came = int(sys.argv[2])
wrong, connections, first_ms = [], 0, -1.0
for trial in results["trials"]:
    case, seen = results["cases"][trial["case"]], trial["seen"]
    if not seen["connections"]:
        continue
    connections += seen["connections"]
    if seen["first_ms"] < first_ms:
        wrong.append(f"{trial['case']} came before the one that stands above it")
    first_ms = seen["first_ms"]
    if trial["verdict"] == "fail" and not {"deadline", "flood"} & set(case["flaws"]):
        wrong.append(f"{trial['case']}, TLS {trial['tls']}: {trial['why']}")
    if case["clients"] == "refuse" and seen["application_bytes"]:
        wrong.append(f"{trial['case']}, TLS {trial['tls']}: {seen['application_bytes']} bytes, of another case")
    if case["clients"] == "accept" and not seen["asked"] and trial["verdict"] == "pass":
        wrong.append(f"{trial['case']}, TLS {trial['tls']}: no CONNECT, of another case")
if connections != came:
    wrong.append(f"{connections} connections were seen of {came}")
print("\n".join(wrong) or f"ok {connections} connections")
sys.exit(1 if wrong else 0)
