// How times are spread: shares of all handshakes on an axis where each step to the right is ten times as long.
let distributions = {};
derive(() => {
  distributions = run.distributions ?? {};
});

// {le: upper bounds in milliseconds, rising; count: how many are in each} as percentages
function shares(name) {
  const d = distributions[name];
  const total = d ? sum(d.count) : 0;
  if (!(total > 0)) return null;
  const bins = d.le.map((le, i) => ({le, share: (100 * d.count[i]) / total})).filter((bin) => Number.isFinite(bin.le) && bin.le > 0);
  return {bins, total};
}

// Several spreads on one axis: every edge of any of them is a point; each has values from its first bin to its last.
function onOneAxis(spreads) {
  const floorOf = ({bins}) => bins[0].le / (bins.length > 1 ? bins[1].le / bins[0].le : 1.2);
  const at = [...new Set(spreads.flatMap((one) => [floorOf(one), ...one.bins.map((bin) => bin.le)]))].sort((a, b) => a - b);
  const valueAt = (one, x) => (x < floorOf(one) ? null : one.bins.find((bin) => bin.le >= x)?.share ?? null);
  return {at, values: spreads.map((one) => at.map((x) => valueAt(one, x)))};
}

function drawBand(u) {
  const band = run.timing?.device_ms?.p50;
  if (!band) return;
  const {top, height} = u.bbox;
  const from = u.valToPos(band.low, "x", true), to = u.valToPos(band.high, "x", true);
  u.ctx.save();
  u.ctx.fillStyle = colour("c-orange") + "33";
  u.ctx.fillRect(from, top, Math.max(to - from, 2 * devicePixelRatio), height);
  u.ctx.restore();
}

const SPREADS = [
  ["Time of a handshake", [["handshake.wall_ms", "this host", "c-blue"], ["handshake.device_ms", "device, modelled", "c-orange"]], drawBand],
  ["Time from plan to connection", [["connect.total_ms", "connect", "c-green"], ["reconnect.total_ms", "reconnect", "c-purple"]], null],
  ["Time of a message", [["telemetry.latency_ms", "planned send to arrival", "c-blue"]], null],
];
const PERCENTILES = ["min", "p50", "p90", "p99", "p99_9", "max"];

function percentileTable(caption, entries) {
  const rows = entries.filter(([name]) => stats(name)).map(([name, label]) => [label, number(stats(name).count), ...PERCENTILES.map((p) => milliseconds(stats(name)[p]))]);
  return rows.length > 0 ? table(caption, ["", "how many", "least", "50 %", "90 %", "99 %", "99.9 %", "most"], rows) : null;
}

function spreadChart([title, entries, under]) {
  const spreads = entries.map(([name, label, tone]) => ({name, label, tone, ...shares(name)})).filter((one) => one.bins?.length > 0);
  if (spreads.length === 0) return null;
  const {at, values} = onOneAxis(spreads);
  const lines = spreads.map((one, i) => ({label: one.label, values: values[i], colour: one.tone, fill: "44", width: 1.5, stepped: true}));
  const band = run.timing?.device_ms?.p50;
  if (under && band && spreads.some((one) => one.name === "handshake.device_ms")) lines.push({label: `band of its middle, ${milliseconds(band.low)} to ${milliseconds(band.high)}`, values: at.map(() => null), colour: "c-orange", fill: "33", width: 0});
  const said = spreads.filter((one) => stats(one.name)).map((one) => `${one.label}: half within ${milliseconds(stats(one.name).p50)}, 99 % within ${milliseconds(stats(one.name).p99)}`);
  return chart(title, {logX: true, times: at, x: (ms) => (ms >= 1000 ? `${number(ms / 1000)}\u00a0s` : milliseconds(ms)), y: (v) => `${shortest(v)}\u00a0%`, unit: "share of all, by time (log scale)", under: under ?? (() => {})}, lines,
    {sentence: `${said.join("; ")}.`, table: percentileTable(`${title}, percentiles`, entries)});
}

function spread() {
  const figures = SPREADS.map(spreadChart).filter(Boolean);
  if (figures.length > 0) return section("spread", "How times are spread", null, el("div", {class: "charts"}, figures));
  const all = SPREADS.flatMap(([title, entries]) => entries.map(([name, label]) => [name, `${title}, ${label}`]));
  const only = percentileTable("percentiles of times", all);
  return only ? section("spread", "How long it took", null, el("div", {class: "panel"}, only)) : null;
}
