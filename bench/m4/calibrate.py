"""Assembles one timing profile from the emulator's reports: see bench/m4/profiles/README.md. Called by calibrate.sh.

calibrate.py PROFILE VERSION OPTIONS MBEDTLS_SOURCE REPORTS_FOLDER OUT.json
"""
import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAINS = {"leaf_only": 1, "one_intermediate": 2}  # signatures on the way from the broker's leaf to the root
OWN_CHAIN, ANCHORS = 2, 2  # certificates that the device parses besides the broker's
SUM_WITHIN, MODEL_WITHIN = 0.02, 0.03

# The same source on real boards. Rows with model cycles come from images that are not in this repository: the sources
# are other people's. They were built and run on this emulator by hand; the figures are of those runs.
OUTSIDE = [
    ("P256-Cortex-M4", "nRF52840, 64 MHz, instruction cache on", "its README's table, GCC -O2; modelled outside this tree",
     {"keygen": (327000, 302272), "ecdh": (906000, 862521), "sign": (375000, 347317), "verify": (976000, 919723)}),
    ("p256-m b30f793", "STM32F411, 100 MHz", "its README's table, 145, 144, 155 and 309 ms, GCC 8 -Os; modelled outside this tree",
     {"keygen": (14500000, 14805143), "ecdh": (14400000, 14816366), "sign": (15500000, 15865718),
      "verify": (30900000, 31663734)}),
]


def sha256_of(paths, base):
    """Of names and contents, so that it is the same wherever the tree lies."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(base)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def library(version, source):
    tree = pathlib.Path(source).resolve()
    pinned = re.search(rf"^{re.escape(version)}\) hash=([0-9a-f]{{64}})",
                       (ROOT / "bench/m4/firmware/fetch_mbedtls.sh").read_text(), re.M)
    parts = [p for d in ("library", "include", "3rdparty/p256-m") for p in (tree / d).rglob("*.[ch]")]
    return {"name": "Mbed TLS", "version": version, "sha256": pinned.group(1) if pinned else None,
            "sources_sha256": sha256_of(parts, tree)}


def provenance(version, options, source, report):
    configs = [ROOT / "sim/device/mbedtls_config.h"]
    if "--small" in options:
        configs.append(ROOT / "bench/m4/firmware/config_small.h")
    compiler = subprocess.run(["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=True)
    flags = "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft -std=c11 -ffunction-sections -fdata-sections " + options.split()[1]
    return {"library": library(version, source), "config_sha256": sha256_of(configs, ROOT),
            "options": options, "compiler": compiler.stdout.splitlines()[0], "flags": flags,
            "emulator": {"program": "fleetsim-m4", "model": report["model"]},
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat()}


def operations(marks):
    def mean(name):
        return round(marks[name]["mean_cycles"])

    def line(prefix, small, large):
        """Cycles a byte, and those that no byte costs. The least of the runs: the first one builds the library's tables."""
        low, high = (marks[f"{prefix}_{n}"]["min_cycles"] for n in (small, large))
        slope = (high - low) / (large - small)
        return round(slope, 3), round(low - slope * small)

    sha_byte, sha_each = line("sha256", 1024, 4096)
    gcm_byte, gcm_each = line("aes_gcm", 256, 4096)
    return {
        "keygen": {"cycles": round(marks["keygen"]["mean_cycles"] + marks["public_key"]["mean_cycles"])},
        "public_key": {"cycles": mean("public_key")}, "ecdh": {"cycles": mean("ecdh")},
        "sign": {"cycles": mean("sign")}, "verify": {"cycles": mean("verify")},
        "sha256": {"cycles_per_byte": sha_byte, "cycles_per_hash": sha_each},
        "aes_gcm": {"cycles_per_byte": gcm_byte, "cycles_per_record": gcm_each},
        "certificate_parse": {"cycles": mean("x509_parse")}, "certificate_verify": {"cycles": mean("x509_verify_1")},
        "hkdf_expand": {"cycles": mean("hkdf_expand")}, "psa_init": {"cycles": mean("psa_init")},
    }


def known(ops, links, size):
    """What the simulator counts in a handshake: sim/timing/model.c."""
    curve = sum(ops[name]["cycles"] for name in ("keygen", "ecdh", "sign")) + (links + 1) * ops["verify"]["cycles"]
    return curve + size * (ops["sha256"]["cycles_per_byte"] + ops["aes_gcm"]["cycles_per_byte"])


def chain(ops, links, report):
    mark = report["marks"]["handshake"]
    size = mark["sent"] + mark["received"]
    parsed = OWN_CHAIN + ANCHORS + 2  # mosquitto sends two in either case: OpenSSL appends the root to a lone leaf
    return {"emulated_cycles": mark["cycles"],
            "sum_of_operations_cycles": round(known(ops, links, size) + parsed * ops["certificate_parse"]["cycles"]),
            "certificates_parsed": parsed, "bytes": size, "bytes_sent": mark["sent"], "bytes_received": mark["received"],
            "marks": {name: report["marks"][name]["cycles"] for name in ("tls_open", "server_flight")},
            "states": {name: state["cycles"] for name, state in report["states"].items()}}


def validation(anchor):
    rows = [{"anchor": f"{code}, {board}", "operation": operation, "hardware_cycles": hardware, "model_cycles": model,
             "ratio": round(model / hardware, 3), "source": source}
            for code, board, source, figures in OUTSIDE for operation, (hardware, model) in figures.items()]
    model = round(sum(mark["mean_cycles"] for mark in anchor["marks"].values()))
    rows.append({"anchor": "p256-m as bundled with Mbed TLS, STM32F411, 100 MHz", "operation": "sum of all four",
                 "hardware_cycles": 62100000, "model_cycles": model, "ratio": round(model / 62100000, 3),
                 "source": "621 ms, message of p256-m's commit bf89286; modelled by anchor_p256m.elf in this calibration"})
    return rows


def check(name, profile):
    ops, good = profile["operations"], True
    for kind, links in CHAINS.items():
        part = profile["handshake"][kind]
        emulated = part["emulated_cycles"]
        summed = part["sum_of_operations_cycles"] / emulated - 1
        model = (known(ops, links, part["bytes"]) + profile["handshake"]["rest_cycles"]) / emulated - 1
        print(f"{name} {kind}: emulated {emulated / profile['clock_hz'] * 1e3:.1f} ms (zero wait states), "
              f"{part['bytes']} bytes; sum of operations {summed:+.2%}, simulator's model {model:+.2%}")
        good = good and abs(summed) <= SUM_WITHIN and abs(model) <= MODEL_WITHIN
    return good


def main():
    name, version, options, source, folder, out = sys.argv[1:]
    reports = {kind: json.loads((pathlib.Path(folder) / f"{kind}.json").read_text())
               for kind in ("operations", "anchor", *CHAINS)}
    ops = operations(reports["operations"]["marks"])
    handshake = {kind: chain(ops, links, reports[kind]) for kind, links in CHAINS.items()}
    whole = handshake["one_intermediate"]
    handshake["rest_cycles"] = round(whole["emulated_cycles"] - known(ops, 2, whole["bytes"]))
    profile = {"schema": "fleetsim-timing/1", "name": name, "clock_hz": 64000000, "operations": ops,
               "handshake": handshake, "k_mem": {"low": 1.00, "nominal": 1.07, "high": 1.15},
               "memory": reports["one_intermediate"]["memory"],
               "provenance": provenance(version, options, source, reports["operations"]),
               "validation": validation(reports["anchor"])}
    if not check(name, profile):
        return 1
    pathlib.Path(out).write_text(json.dumps(profile, indent=2) + "\n")
    return 0


sys.exit(main())
