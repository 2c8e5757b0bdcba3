// A folder of results as a run leaves it, made up: what page.sh shows to a browser. usage: made_up.mjs KIND FOLDER
//   large    16,000 devices, ten minutes, everything that a page can have, and it fails
//   hostile  names that would be markup if anybody took them for it
//   early    a run that ended before its devices came: no phase, no figure, no series
import {createHash} from "node:crypto";
import {mkdirSync, writeFileSync} from "node:fs";

const [kind, folder] = process.argv.slice(2);
let state = 42;
const random = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);
const sum = (values) => values.reduce((a, b) => a + (b ?? 0), 0);
const clamp = (x, a, b) => Math.min(b, Math.max(a, x));
const steps = 600, devices = 16000;
const series = (make) => Array.from({length: steps}, (_, t) => make(t));
const ramp = (t, from, to) => clamp((t - from) / (to - from), 0, 1);

function phase(name, start_s, end_s, expr, observed, pass = true, note = "", expectations = []) {
  return {name, start_s, duration_s: end_s - start_s, gate: expr ? {expr, observed, pass} : null, expectations, note};
}

function spreadOf(middle, width, total) {
  const le = [], count = [];
  for (let bound = middle / 30; bound < middle * 60; bound *= 1.189) {
    const share = Math.exp(-(((Math.log(bound) - Math.log(middle)) / width) ** 2));
    if (share < 1e-5) continue;
    le.push(Number(bound.toFixed(3)));
    count.push(Math.round(share * total * 0.1));
  }
  return {le, count};
}

const histogram = (count, p50, p90, p99) => ({count, min: p50 / 3, mean: p50 * 1.2, p50, p90, p99, p99_9: p99 * 1.6, max: p99 * 2.3});

function large() {
  const online = series((t) => {
    if (t < 90) return Math.round(devices * 0.95 * ramp(t + 1, 2, 84));
    if (t >= 300 && t < 316) return Math.round(devices * 0.95 * (0.12 + 0.88 * ramp(t, 302, 316)));
    if (t >= 330 && t < 360) return Math.round(devices * (0.95 + 0.0477 * ramp(t, 330, 356)));
    if (t >= 400 && t < 440) return Math.round(15963 * ramp(t, 403, 436) ** 1.4);
    return t < 330 ? Math.round(devices * 0.95) : 15963;
  });
  const handshakes = series((t) => Math.round(t < 86 ? 180 + 12 * random() : t >= 220 && t < 290 ? 210 + 20 * random() : t >= 302 && t < 316 ? 900 + 160 * random() : t >= 330 && t < 358 ? 30 * random()
    : t >= 402 && t < 440 ? 520 * Math.exp(-((t - 412) ** 2) / 160) + 60 * random() : 1.3 * random()));
  const failures = {
    "connect.tls.not_trusted": series((t) => (t > 331 && t < 590 ? Math.round(3.2 * random()) : 0)),
    "connect.tcp.refused": series((t) => (t >= 400 && t < 409 ? Math.round(800 - 70 * (t - 400) + 60 * random()) : 0)),
    "connect.tls.timeout": series((t) => (t >= 406 && t < 430 ? Math.round(55 * random()) : 0)),
    "session.closed": series((t) => (t === 300 ? 13400 : t === 400 ? 15963 : 0)),
    "session.ack_timeout": series((t) => (t > 100 && random() < 0.03 ? 1 : 0)),
    "connect.mqtt.refused_busy": series((t) => (t >= 404 && t < 420 ? Math.round(14 * random()) : 0)),
  };
  const names = Object.keys(failures);
  const failed = series((t) => sum(names.filter((n) => n.startsWith("connect.")).map((n) => failures[n][t])));
  const sent = series((t) => (t < 3 || t > 580 ? 0 : Math.round(online[t] / 5)));
  const acked = series((t) => (t > 0 ? sent[t - 1] : 0));
  acked[599] -= 0;
  const wall = (scale) => series((t) => (handshakes[t] < 5 ? null : Number(((scale * (2.4 + 0.6 * random())) * (1 + handshakes[t] / 130) * (t >= 402 && t < 440 ? 3 : 1)).toFixed(3))));
  const device = series((t) => (handshakes[t] < 5 ? null : 1775.3));
  const columns = {
    online, "online.min": online, "connect.ok": handshakes.map((n) => Math.round(n * 0.99)), "connect.failed": failed, "handshake.count": handshakes,
    "handshake.wall_ms.p50": wall(1), "handshake.wall_ms.p90": wall(2.2), "handshake.wall_ms.p99": wall(6), "handshake.device_ms.p50": device, "handshake.device_ms.p99": device.map((v) => (v === null ? null : v + 9)),
    "telemetry.sent": sent, "telemetry.acked": acked,
    "telemetry.latency_ms.p50": series((t) => (sent[t] > 0 ? Number((1.1 + 0.7 * random() + (t >= 402 && t < 440 ? 40 * random() : 0)).toFixed(3)) : null)),
    "telemetry.latency_ms.p99": series((t) => (sent[t] > 0 ? Number((9 + 8 * random() + (t >= 402 && t < 440 ? 900 * random() : 0)).toFixed(3)) : null)),
    "trusting.A": series((t) => (t < 540 ? devices : Math.round(devices - 15963 * ramp(t, 541, 575)))),
    "trusting.B": series((t) => (t < 330 ? Math.round(devices * 0.95 * ramp(t, 92, 190)) : Math.round(devices * 0.95 + (15963 - devices * 0.95) * ramp(t, 332, 352)))),
    "trusting.spare": series(() => devices),
    "identified.A": series((t) => Math.round(devices - 15963 * ramp(t, 222, 290))), "identified.B": series((t) => Math.round(15963 * ramp(t, 222, 290))),
    "ota.updated.v2": series((t) => Math.round(t < 450 ? 0 : t < 470 ? 160 * ramp(t, 452, 468) : 160 + 1440 * ramp(t, 472, 500) + 14300 * ramp(t, 502, 538))),
  };
  const total = (name) => sum(failures[name]);
  const lost = ["0000a13c", "0000b002", "0000b7f1", "0000c0de", "0000c9a0", "0000d111", "0000d2e4", "0000e03b"];
  const failure = (name, expected, firsts, detail) => ({count: total(name), expected: expected === total(name), expected_count: expected, first_devices: firsts, unexpected_devices: expected === total(name) ? [] : firsts,
    detail, unexpected_detail: expected === total(name) ? "" : detail, sentence: ""});
  const phases = [
    phase("baseline", 0.4, 90.1, "online >= 95% within 120s", "15200 of 16000 (95%)"),
    phase("teach the fleet root B", 90.1, 200.3, "trusting(B) >= 99.9% of online within 120s", "15200 of 15200 (100%)"),
    phase("new certificates under B", 200.3, 296.0, "identified(B) == 100% of online within 100s", "15200 of 15200 (100%)"),
    phase("the broker presents B", 296.0, 328.2, "online >= 95% within 30s", "15200 of 16000 (95%)"),
    phase("wake the shelf", 328.2, 398.7, "online >= 99.9% within 60s", "not within 60 s: 15963 of 16000 (99.77%)", false, "37 devices came back with a bundle that lacks root B; on_fail: continue"),
    phase("every session ends", 398.7, 448.0, "online >= 99.7% within 60s", "15963 of 16000 (99.77%)", true, "", [{expr: "handshake.wasted < 5%", observed: "3.1 %", pass: true}]),
    phase("firmware 2.0 in three waves", 448.0, 540.0, "updated(v2) >= 99% within 120s", "15900 of 16000 (99.38%)"),
    phase("drop root A", 540.0, 598.3, "trusting(A) == 0% of online within 60s", "0 of 15963 (0%)"),
  ];
  const ok = sum(columns["connect.ok"]), fails = sum(failed), messages = sum(sent);
  const values = {"connect.attempts": ok + fails, "connect.ok": ok, "connect.failed": fails, "connect.open": 0, "handshake.full": sum(handshakes), "handshake.resumed": 0, "handshake.peak_per_s": Math.max(...handshakes), "fleet.online": 15963,
    "fleet.online_min": 0, "fleet.shelved": 0, "devices.lost": 37, "telemetry.sent": messages, "telemetry.acked": sum(acked), "telemetry.delivered": messages - 211, "telemetry.lost": 211, "telemetry.unawaited": 0,
    "telemetry.duplicated": 18, "ota.offered": 16000, "ota.updated": 15900, "ota.refused": 12, "ota.rolled_back": 51, "ota.bricked": 0, "process.cpu_s": 312.4, "process.rss_bytes": 412000000};
  const wave = (n, confirmed, refused, rolled_back, duration_s) => ({devices: n, offered: n, confirmed, refused, rolled_back, cancelled: 0, open: n - confirmed - refused - rolled_back, duration_s, timed_out: false});
  const storm = (policy, base_ms, cap_ms, p50_ms, p90_ms, p99_ms, all_ms, n, wasted, peak) => ({policy, base_ms, cap_ms, within_ms: 60000, devices: 15963, online: all_ms === null ? 14120 : 15963, p50_ms, p90_ms, p99_ms, all_ms, handshakes: n, peak_per_s: peak, wasted, wasted_peak_per_s: Math.round(wasted / 20), timed_out: 0});
  return {
    message: 'phase "wake the shelf": online >= 99.9% within 60s: not within 60 s: 15963 of 16000 (99.77%)', duration_s: 600, phases,
    scenario: {name: "root CA rotation with a storm", file: "scenarios/root-ca-rotation.yaml", sha256: "57f0c3f5ab9f1e1c7c2ad0cf4af9b2f9a9a0d2f0f9f7c1f4e7c2b1a0d9e8f7a6", text: "name: root CA rotation with a storm\nfleet: {devices: 16000}\n"},
    repeat: "fleetsim run scenarios/root-ca-rotation.yaml --set fleet.devices=16000 --seed 7", set: [{path: "fleet.devices", value: "16000"}],
    machine: {processor: "a processor", cores: 4, memory_bytes: 16 * 2 ** 30, kernel: "Linux 6.1"}, brokers: [{name: "main", kind: "mosquitto", url: "mqtts://localhost:18883"}],
    timing: {profile: "mbedtls-3.6.7-Os", paced: false, clock_hz: 64e6, k_mem: {low: 1, nominal: 1.07, high: 1.15}, device_ms: {p50: {low: 1659, nominal: 1775, high: 1908}, p99: {low: 1667, nominal: 1784, high: 1917}},
      budget: {rom_bytes: 99496, ram_peak_bytes: 41412, record_bytes: 4096, trust_anchors_max: 5, chain_bytes: 830}},
    storms: [storm("immediate", 1000, 1000, 21000, 48000, null, null, 92000, 61000, 4100), storm("exponential", 1000, 30000, 9100, 30100, 41000, 58000, 31000, 15100, 2900), storm("full-jitter", 1000, 30000, 8000, 19500, 31000, 36400, 16200, 240, 620)],
    ota: {images: [{name: "factory", version: "1.0.0", via: "factory", counter: 1, size: 16384, serial: 0, sha256: null, harm: null, touched: 0, updated: 100}, {name: "v2", version: "2.0.0", via: "https", counter: 2, size: 262144, serial: 4, sha256: "ab", harm: null, touched: 16000, updated: 15900},
      {name: "v3", version: "2.1.0", via: "mqtt", counter: 3, size: 131072, serial: 5, sha256: "cd", harm: "self-test fails", touched: 160, updated: 0}],
      rollout: [{image: "v2", state: "done", aborted: false, criterion: null, offered: 16000, untouched: 0, open_when_stopped: 0, touched_after: 0, waves: [wave(160, 160, 0, 0, 18.2), wave(1440, 1428, 2, 10, 29.4), wave(14400, 14312, 10, 41, 38.8)]},
        {image: "v3", state: "aborted", aborted: true, criterion: "4 of 20 self_test", offered: 160, untouched: 15840, open_when_stopped: 31, touched_after: 12, waves: [wave(160, 12, 0, 117, 9.1), {devices: 15840, offered: 0, confirmed: 0, refused: 0, rolled_back: 0, cancelled: 0, open: 0, duration_s: null, timed_out: false}]}],
      statuses: {confirmed: {count: 15912, first_devices: ["00000001", "00000002", "00000003"]}, self_test: {count: 168, first_devices: lost}}},
    series: {step_s: 1, end_s: 600, columns, failures},
    distributions: {"handshake.wall_ms": spreadOf(5.2, 0.7, 40000), "handshake.device_ms": spreadOf(1775, 0.12, 90000), "reconnect.total_ms": spreadOf(6200, 0.9, 16000), "telemetry.latency_ms": spreadOf(1.7, 0.8, 900000)},
    failures: {
      "connect.tls.not_trusted": failure("connect.tls.not_trusted", 0, lost, "broker sent 2 certificates, the last of issuer CN=root B"),
      "connect.tcp.refused": failure("connect.tcp.refused", total("connect.tcp.refused"), ["00000007", "00000019", "0000002a"], "ECONNREFUSED"),
      "connect.tls.timeout": failure("connect.tls.timeout", total("connect.tls.timeout") - 6, ["00001a01", "00002c44"], "no ServerHello within 10 s"),
      "session.closed": failure("session.closed", total("session.closed"), ["00000001", "00000002", "00000003"], ""),
      "session.ack_timeout": failure("session.ack_timeout", 0, ["000031aa"], "no PUBACK of packet 17 within 20 s"),
      "connect.mqtt.refused_busy": failure("connect.mqtt.refused_busy", 0, ["00002b0b", "00002b0c"], "CONNACK 0x97"),
    },
    values,
    histograms: {"handshake.wall_ms": histogram(sum(handshakes), 5.1, 14.2, 62.4), "handshake.device_ms": histogram(sum(handshakes), 1775, 1779, 1784), "connect.total_ms": histogram(ok, 8.3, 40, 410), "reconnect.total_ms": histogram(31000, 6200, 19500, 31000), "telemetry.latency_ms": histogram(messages - 211, 1.7, 4.6, 31)},
    expectations: [{expr: "devices.lost == 0", observed: "37", pass: false}, {expr: "telemetry.lost == 0", observed: "211", pass: false}, {expr: "handshake.wall_ms.p99 < 2s", observed: "62.4 ms", pass: true}, {expr: "ota.bricked == 0", observed: "0", pass: true}],
  };
}

function hostile() {
  const evil = `</script><script>document.title="owned"</script><!--<img src=x onerror=alert(1)>\u2028&amp;"'`;
  return {
    message: `phase "${evil}": it did not hold`, duration_s: 3, scenario: {name: evil, file: evil, sha256: "00", text: evil}, repeat: `fleetsim run ${evil}`, set: [{path: evil, value: evil}], machine: {processor: evil, cores: 1, memory_bytes: 1, kernel: evil}, brokers: [{name: evil, kind: evil, url: evil}],
    phases: [phase(evil, 0.1, 2.9, "online == 100% within 1s", evil, false, evil)], values: {"connect.attempts": 1, "connect.ok": 0, "connect.failed": 1, "connect.open": 0, "devices.lost": 1, "fleet.online": 0},
    failures: {"connect.tls.not_trusted": {count: 1, expected: false, expected_count: 0, first_devices: [evil], unexpected_devices: [evil], detail: evil, unexpected_detail: evil, sentence: ""}},
    expectations: [{expr: "devices.lost == 0", observed: "1", pass: false}],
  };
}

function early() {
  return {verdict: "error", exit_code: 3, message: "the broker at mqtts://staging.example.com:8883 does not answer: is it up, and is the port right?", duration_s: 0.4, scenario: {name: "too early", file: "early.yaml", sha256: "00"},
    phases: [], planned: {phases: [{name: "come online", gate: "online == 100%", expectations: []}, {name: "switch", gate: null, expectations: ["devices.lost == 0"]}], expectations: []},
    values: {"connect.attempts": 0, "connect.ok": 0, "connect.failed": 0, "connect.open": 0}, failures: {}, expectations: []};
}

const {values, histograms, ...story} = {large, hostile, early}[kind]();
const n = (name) => values[name] ?? 0;
const results = {
  schema: "fleetsim-results/1", run_id: "16d82711cc369eb35c6406fa8a95b6c1", verdict: "fail", exit_code: 1, seed: 7, started: "2026-11-30T01:50:21Z",
  versions: {fleetsim: "0.1.0", mbedtls: "3.6.7", libuv: "1.44.2", broker: "mosquitto 2.0.11"}, fleet: {devices: kind === "large" ? devices : 1, profile: "none", timing_profile: "mbedtls-3.6.7-Os", crypto: "accelerated"},
  broker: null, telemetry: {numbered: true, timed: true, checked: ""}, operator: {none: false, unknown: []}, brake: null, storms: [], ota: null, timing: null,
  ...story,
  metrics: {...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, {value}])), ...histograms},
  accounting: {attempts: n("connect.attempts"), ok: n("connect.ok"), failed: n("connect.failed"), open: n("connect.open"), closed: true},
};

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const text = JSON.stringify(results), line = '{"t_s": 0.0, "event": "run", "run_id": "16d82711cc369eb35c6406fa8a95b6c1"}\n';
const end = {t_s: results.duration_s, event: "end", run_id: results.run_id, verdict: results.verdict, exit_code: results.exit_code, events: 1, events_sha256: sha256(line), phases: results.phases.length,
  expectations: results.expectations.length, results_sha256: sha256(text), junit_sha256: sha256("")};
mkdirSync(folder, {recursive: true});
writeFileSync(`${folder}/results.json`, text);
writeFileSync(`${folder}/events.ndjson`, `${line}${JSON.stringify(end)}\n`);
