#!/usr/bin/env python3
"""The table of bench/README.md, from the JSON files that the benchmarks wrote.

    bench/table.py FOLDER            prints it
    bench/table.py FOLDER --write    puts it into bench/README.md, between the marker comments
"""
import json
import os
import statistics
import sys

NAMES = ["handshake", "idle", "publish", "scale", "fleet-make", "pace", "ota"]
README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
KINDS = {
    "fleetsim": "fleetsim",
    "fleetsim_native": "fleetsim, `crypto: native`",
    "openssl": "openssl",
    "openssl_lean": "openssl, buffers released",
    "libmosquitto": "libmosquitto",
    "paho": "paho.mqtt.c",
    "fleetsim_300": "fleetsim, 300 at once",
    "fleetsim_slow": "fleetsim, 64 KiB/s each",
    "curl": "curl, a connection per file",
    "curl_reuse": "curl, connections used again",
    "devices_https": "whole devices over HTTPS",
    "devices_mqtt": "whole devices over MQTT",
    "floor": "floor, without a pause",
    "floor_paced": "floor, at the connects' rate",
}


def load(folder):
    results = {}
    for name in NAMES:
        path = os.path.join(folder, name + ".json")
        try:
            with open(path, encoding="utf-8") as file:
                results[name] = json.load(file)
        except (OSError, ValueError) as error:
            sys.exit(f"table.py: {path}: {error}; write it with ./fleetsim bench {name} --json {path}")
    return results


def rows(head, body):
    line = "| " + " | ".join("---" if i == 0 else "---:" for i in range(len(head))) + " |"
    return ["| " + " | ".join(cells) + " |" for cells in [head]] + [line] + [
        "| " + " | ".join(cells) + " |" for cells in body
    ]


def number(value, form):
    """A figure that was not measured, as a peer was left out, is a dash."""
    return "-" if value is None else format(value, form)


def goals(r):
    """What the project set out to show; each line: figure, seen, goal."""
    hand, idle, publish, scale, make, paced, ota = (r[name] for name in NAMES)
    to_mosquitto, to_paho = publish["ratio_to_libmosquitto"], publish["ratio_to_paho"]
    body = [
        ["handshake: CPU per connect, of openssl's", number(hand.get("ratio_to_openssl"), ".2f"), "≤ 0.42"],
        ["handshake: CPU per connect, of the floor", number(hand.get("ratio_to_floor"), ".2f"), "≤ 2.5"],
        ["idle: KiB per device", number(idle["kib_per_device"].get("fleetsim"), ".1f"), "≤ 16"],
        ["idle: memory, of openssl's", number(idle.get("ratio_to_openssl"), ".2f"), "≤ 0.38"],
    ]
    for qos, least in (("qos0", "≥ 1.2"), ("qos1", "≥ 1.1")):
        label = "publish, QoS " + qos[-1]
        body.append([label + ": of libmosquitto's messages", number(to_mosquitto.get(qos), ".2f"), least])
        body.append([label + ": of paho's messages", number(to_paho.get(qos), ".2f"), "≥ 4"])
    few, most = scale["scale"][0]["devices"], scale["scale"][-1]["devices"]
    label = f"scale: {most} devices, of {few} devices' "
    body.append([label + "CPU per connect", number(scale["ratio_to_1000"].get("cpu"), ".2f"), "0.85 to 1.15"])
    body.append([label + "KiB per device", number(scale["ratio_to_1000"].get("memory"), ".2f"), "0.85 to 1.15"])
    body.append(["scale: failures", str(sum(row["failures"] for row in scale["scale"])), "0"])
    body.append([f"fleet-make: seconds for {make['devices']} devices", number(make["wall_s"], ".2f"), "< 10"])
    seen, late = paced["broker_side"], paced["lateness_ms"]
    label = f"pace: of {seen['devices']} handshakes, seen by the broker's side within 2 % + 5 ms of the model"
    body.append([label, str(seen["within"]), str(seen["devices"])])
    body.append([f"pace: lateness p99 of {late['devices']} devices, ms", number(late["p99"], ".1f"), "< 5"])
    label = f"ota: MiB of a process with {ota['devices']} downloads open"
    body.append([label, number(ota["rss_mib"].get("fleetsim_slow"), ".0f"), "< 200"])
    body.append(["ota: CPU per MiB, of curl's", number(ota.get("cpu_ratio_to_curl"), ".2f"), "≤ 1"])
    return rows(["goal", "seen", "must be"], body)


def ratio(rounds, name, other):
    """As the benches take it: the median of the rounds' ratios."""
    if name not in rounds or other not in rounds:
        return None
    return statistics.median(a / b for a, b in zip(rounds[name], rounds[other]))


def handshake(r):
    measured = {**r["cpu_ms_per_connect"], "floor": r["floor_ms"], "floor_paced": r["floor_paced_ms"]}
    body = [
        [KINDS[name], number(ms, ".3f")]
        + [number(ratio(r["rounds_of"], name, other), ".2f") for other in ("openssl", "floor")]
        for name, ms in measured.items()
    ]
    seen = r["verifications"]
    return rows(["handshake", "CPU ms per connect", "of openssl", "of the floor"], body) + [
        "",
        f"Signatures that `fleetsim` verified: {seen['computed']} computed, {seen['remembered']} remembered.",
    ]


def idle(r):
    body = [
        [KINDS[kind], number(kib, ".1f"), number(r["cpu_s_per_device_hour"][kind], ".4f")]
        for kind, kib in r["kib_per_device"].items()
    ]
    parts = ", ".join(f"`{part}` {size}" for part, size in r["sizeof"].items())
    return rows(["idle connection", "KiB per device", "CPU s per device and hour"], body) + [
        "",
        f"`sizeof` of what a device has of its own, in bytes: {parts}.",
    ]


def publish(r):
    figures = r["messages_per_cpu_s"]
    body = [
        [KINDS[kind], number(rate, ",.0f"), number(figures["qos1"].get(kind), ",.0f")]
        for kind, rate in figures["qos0"].items()
    ]
    return rows(["messages per CPU second", "QoS 0", "QoS 1"], body)


def scale(r):
    body = [
        [str(row["devices"]), number(row["cpu_ms_per_connect"], ".3f"), number(row["kib_per_device"], ".1f"),
         str(row["failures"])]
        for row in r["scale"]
    ]
    return rows(["devices in one process", "CPU ms per connect", "KiB per device", "failures"], body)


def fleet_make(r):
    body = [[str(r["devices"]), number(r["wall_s"], ".2f"), number(r["cpu_s"], ".2f")]]
    return rows(["identities made", "wall s", "CPU s"], body)


def pace(r):
    seen, late = r["broker_side"], r["lateness_ms"]
    body = [
        [label] + [number(of[key], ".1f") for key in ("p50", "p99", "max")]
        for label, of in (("off the model, by the broker's clock", seen["error_ms"]), ("lateness", late))
    ]
    return rows([f"pacing by {r['timing']}, ms", "median", "p99", "max"], body) + [
        "",
        f"Modelled {seen['model_ms']:.1f} ms after ClientHello, measured {seen['measured_ms']:.1f} ms.",
    ]


def ota(r):
    body = [
        [KINDS[kind], number(cost, ".1f"), number(r["mib_per_s"][kind], ".0f"), number(r["rss_mib"][kind], ".0f")]
        for kind, cost in r["cpu_ms_per_mib"].items()
    ]
    return rows([f"{r['devices']} downloads of 256 KiB", "CPU ms per MiB", "MiB/s", "MiB resident at most"], body)


def origin(results):
    """Where the figures come from: one machine, or each is named."""
    machines = {json.dumps(r["machine"], sort_keys=True) for r in results.values()}
    if len(machines) != 1:
        sys.exit("table.py: these files come from different machines: run all benchmarks on one")
    machine = next(iter(results.values()))["machine"]
    versions = {}
    for r in results.values():
        versions.update(r["versions"])
    days = sorted({r["started"][:10] for r in results.values()})
    rounds = ", ".join(f"{name} {r['rounds']}" for name, r in results.items())
    libraries = ", ".join(
        v if v[:1].isalpha() else f"{name} {v}" for name, v in versions.items() if name != "libcrypto"
    )
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib'] / 1024:.0f} GiB, {machine['kernel']}; "
        f"{' to '.join([days[0], days[-1]] if len(days) > 1 else days)}. {libraries}. Medians of rounds: {rounds}.",
    ]


def table(results):
    blocks = [
        origin(results),
        goals(results),
        handshake(results["handshake"]),
        idle(results["idle"]),
        publish(results["publish"]),
        scale(results["scale"]),
        fleet_make(results["fleet-make"]),
        pace(results["pace"]),
        ota(results["ota"]),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def write(text):
    with open(README, encoding="utf-8") as file:
        whole = file.read()
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"table.py: bench/README.md lacks the lines {BEGIN} and {END}: put them back where the table belongs")
    with open(README, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}{END}{after}")


def main():
    arguments = sys.argv[1:]
    if not arguments or len(arguments) > 2 or arguments[1:] not in ([], ["--write"]):
        sys.exit("usage: bench/table.py FOLDER [--write]")
    text = table(load(arguments[0]))
    if arguments[1:]:
        write(text)
    else:
        print(text, end="")


main()
