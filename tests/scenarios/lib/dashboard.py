"""Whether a dashboard of Grafana asks for names that are exported. usage: dashboard.py DASHBOARD METRICS QUERIES

METRICS is what /metrics has said. QUERIES is written: a file of rules with every query, for promtool to read.
"""
import json
import re
import sys

dashboard = json.load(open(sys.argv[1], encoding="utf-8"))
text = open(sys.argv[2], encoding="utf-8").read()
kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
exported = {name for name, kind in kinds.items() if kind != "histogram"}
exported |= {name + tail for name, kind in kinds.items() if kind == "histogram" for tail in ("_bucket", "_sum", "_count")}
labels = {name: set(re.findall(r'(\w+)="', found)) for name, found in re.findall(r"^(fleetsim_\w+)\{(.*)\} \S+$", text, re.M)}

queries = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
queries += [(v["name"], v["query"]) for v in dashboard["templating"]["list"] if v["type"] == "query"]
wrong = []
for title, query in queries:
    names = re.findall(r"fleetsim_\w+", query)
    wrong += [f"{title}: {name} is not exported" for name in names if name not in exported]
    if not names:
        wrong.append(f"{title}: it asks for nothing of ours: {query}")
    for name, matchers in re.findall(r"(fleetsim_\w+)\{([^}]*)\}", query):
        asked = set(re.findall(r"(\w+)\s*[=!]", matchers)) - {"instance", "job"}  # these are Prometheus' own
        wrong += [f"{title}: {name} has no label {label}" for label in asked - labels.get(name, set())]
    wrong += [f"{title}: rate of {name}, which is no counter" for name in re.findall(r"(?<!_)rate\((fleetsim_\w+)", query)
              if not name.endswith(("_total", "_bucket"))]
with open(sys.argv[3], "w", encoding="utf-8") as out:
    rules = [{"record": f"query:{i}", "expr": q.replace("$__rate_interval", "1m")} for i, (_, q) in enumerate(queries)
             if not q.startswith("label_values")]
    json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, out)  # JSON is YAML
print("\n".join(wrong) if wrong else f"{len(queries)} queries, {len(exported)} names: every name is exported")
sys.exit(1 if wrong or len(queries) < 10 else 0)
