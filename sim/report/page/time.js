// What happened when: who is online, how fast they come, what fails, how long it takes.
const REASONS = ["c-orange", "c-sky", "c-purple", "c-yellow", "c-green", "c-blue"];

function onlineChart() {
  const online = column("online"), lowest = column("online.min") ?? online;
  if (!online) return null;
  return chart("Devices online", {top: devices, y: number},
    [{label: "online", values: pointsOf(online), colour: "c-blue", fill: "22", width: 2},
      {label: `all ${number(devices)}`, values: times.map(() => devices), colour: "quiet", dash: [4, 4], width: 1}],
    {sentence: `${counted}: at most ${number(most(known(online)))} of ${plural(devices, "device")}.${now || metric("fleet.online") === null ? "" : ` ${number(metric("fleet.online"))} when the run was judged; then it let them go.`}`,
      table: byPhase("Devices online, by phase", ["before it", "lowest", "at its end"], (phase) =>
        [count(before(phase, online)), orNone(within(phase, lowest), least), orNone(within(phase, online), last)])});
}

function rateChart() {
  const name = column("handshake.count") ? "Handshakes" : "Connections", shown = column("handshake.count") ?? column("connect.ok");
  if (!shown) return null;
  return chart(name, {y: shortest, unit: "per second"},
    [{label: name.toLowerCase(), values: rateOf(shown), colour: "c-green", fill: "33", stepped: true}],
    {sentence: `${number(sum(known(shown)))} in all, at most ${shortest(most(known(shown)) / step_s)} a second.`,
      table: byPhase(`${name}, by phase`, ["in all", "most in a second"], (phase) => [number(sum(within(phase, shown))), orNone(within(phase, shown), (v) => most(v) / step_s, shortest)])});
}

function failureChart() {
  const reasons = Object.entries(failureColumns).map(([name, counts]) => ({name, counts, total: sum(known(counts))}))
    .filter((r) => r.total > 0).sort((a, b) => b.total - a.total);
  if (reasons.length === 0) return null;
  const shown = reasons.slice(0, REASONS.length - 1), rest = reasons.slice(REASONS.length - 1);
  if (rest.length === 1) shown.push(...rest);
  else if (rest.length > 1) shown.push({name: `${rest.length} others`, total: sum(rest.map((r) => r.total)), counts: Array.from({length: points}, (_, i) => sum(rest.map((r) => r.counts[i] ?? 0)))});
  const parts = shown.map((r, i) => ({label: r.name, values: rateOf(r.counts), colour: REASONS[i], stepped: true}));
  return chart("Failures", {y: shortest, unit: "per second, by reason"}, stacked(parts),
    {sentence: `${number(sum(reasons.map((r) => r.total)))} in all: ${reasons.slice(0, 3).map((r) => `${r.name} ${number(r.total)}`).join(", ")}${reasons.length > 3 ? " and others" : ""}. Each by itself is below; foretold ones are among them.`,
      table: byPhase("Failures, by phase", shown.map((r) => r.name), (phase) => shown.map((r) => number(sum(within(phase, r.counts)))))});
}

function percentileLines(name, label, tones) {
  return ["p50", "p90", "p99"].flatMap((p, i) => {
    const values = column(`${name}.${p}`);
    return values ? [{label: `${label} ${p.slice(1)} %`.trim(), values: pointsOf(values), steps: values, colour: tones[i], sparse: true, width: i === 0 ? 2 : 1}] : [];
  });
}

// Device times are modelled between two limits, which is drawn with them.
function deviceLines() {
  const values = column("handshake.device_ms.p50"), k = run.timing?.k_mem;
  if (!values) return [];
  const lines = [{label: "device, modelled: 50 %", values: pointsOf(values), steps: values, colour: "c-orange", sparse: true, width: 2}];
  if (k?.nominal > 0) {
    const scaled = (by) => pointsOf(values).map((v) => (v === null ? null : (v * by) / k.nominal));
    lines.push({label: "its band", values: scaled(k.high), colour: "c-orange", width: 0, with: 2}, {label: "", values: scaled(k.low), colour: "c-orange", width: 0, quiet: true});
  }
  return lines;
}

function latencyTable(name, lines) {
  return byPhase(`${name}, by phase`, lines.map((l) => l.label), (phase) => lines.map((l) => orNone(within(phase, l.steps), most, milliseconds)));
}

function handshakeChart() {
  const host = percentileLines("handshake.wall_ms", "host", ["c-blue", "c-sky", "c-purple"]), device = deviceLines();
  if (host.length + device.length === 0) return null;
  const lines = [...host, ...device].map((line) => (line.with === undefined ? line : {...line, with: host.length + line.with}));
  const wall = stats("handshake.wall_ms"), modelled = run.timing?.device_ms;
  const said = [
    wall ? `On this host half of the handshakes took ${milliseconds(wall.p50)} or less, 99 % ${milliseconds(wall.p99)}.` : null,
    modelled ? `On the device (${run.timing.profile}, ${shortest(run.timing.clock_hz / 1e6)} MHz) half would take ${milliseconds(modelled.p50.low)} to ${milliseconds(modelled.p50.high)} of its processor.` : null,
  ];
  return chart("Time of a handshake", {log: true, y: milliseconds, unit: "log scale"}, lines,
    {sentence: said.filter(Boolean).join(" ") || "Percentiles of each second.", table: latencyTable("Highest percentiles of a handshake", [...host, ...device.slice(0, 1)])});
}

function telemetryChart() {
  const sent = column("telemetry.sent"), acked = column("telemetry.acked");
  if (!sent || sum(known(sent)) === 0) return null;
  const lines = [{label: "sent", values: rateOf(sent), steps: sent, colour: "c-blue", width: 1.5}];
  if (acked) lines.push({label: "acknowledged", values: rateOf(acked), steps: acked, colour: "c-orange", dash: [5, 3], width: 1.5});
  return chart("Telemetry", {y: shortest, unit: "messages per second"}, lines,
    {sentence: `${number(sum(known(sent)))} sent${acked ? `, ${number(sum(known(acked)))} acknowledged` : ""}.`,
      table: byPhase("Telemetry, by phase", lines.map((l) => l.label), (phase) => lines.map((l) => number(sum(within(phase, l.steps)))))});
}

function telemetryTimeChart() {
  const lines = percentileLines("telemetry.latency_ms", "", ["c-blue", "c-sky", "c-purple"]);
  const all = stats("telemetry.latency_ms");
  if (lines.length === 0) return null;
  return chart("Time of a message", {log: true, y: milliseconds, unit: "planned send to arrival, log scale"}, lines,
    {sentence: all ? `Half arrived within ${milliseconds(all.p50)}, 99 % within ${milliseconds(all.p99)}, the last after ${milliseconds(all.max)}.` : "Percentiles of each second.", table: latencyTable("Highest percentiles of a message", lines)});
}

function overTime() {
  const figures = [onlineChart(), rateChart(), failureChart(), handshakeChart(), telemetryChart(), telemetryTimeChart()].filter(Boolean);
  if (figures.length === 0) return null;
  const numbered = phases.length > 0 ? "Numbers above a chart are the phases." : null;
  return section("time", "Over time", numbered, el("div", {class: "charts"}, figures));
}
