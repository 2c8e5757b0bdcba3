// What the program has told of a run, and how numbers of it are written. Every part may be missing: a run that ended early
// has no phases, an older results.json no series. In report.html it is in the page; on the live page, which is the same, it
// comes again and again (live.js), and `now` says where the run is at.
const embedded = JSON.parse(document.getElementById("document").textContent);
const words = embedded.words ?? {};
let run = {}, now = null, phases = [], devices = 0;

// Of a run that did not end: what its events alone tell (so_far_json.c). Gates, and what was foretold, are told at an end.
const unended = () => run.verdict === "none";

// What a part makes of the results before it is drawn; made anew with each of them.
const derived = [];
function derive(make) {
  derived.push(make);
}

function take(results, at = null) {
  run = results;
  now = at;
  derived.forEach((make) => make());
}

// The phase under way has lasted so long, and nothing of it is judged so far.
const underWay = (phase, i) => (now !== null && i + 1 === now.phase ? {...phase, running: true, duration_s: now.now_s - phase.start_s, gate: null, expectations: []} : phase);

derive(() => {
  phases = (run.phases ?? []).map(underWay);
  devices = run.fleet?.devices ?? 0;
});

const metric = (name) => run.metrics?.[name]?.value ?? null;
const stats = (name) => (run.metrics?.[name]?.count > 0 ? run.metrics[name] : null);

// Columns of the series: entry i is of the step that ends at times[i + 1]. Counts are of that step, devices as they stand
// at its end, percentiles of what happened in it.
let columns = {}, failureColumns = {}, step_s = 1, points = 0, times = [0];
derive(() => {
  columns = run.series?.columns ?? {};
  failureColumns = run.series?.failures ?? {};
  step_s = run.series?.step_s > 0 ? run.series.step_s : 1;
  points = Math.max(0, ...Object.values(columns).map((c) => c.length));
  times = Array.from({length: points + 1}, (_, i) => (i === points ? Math.max(run.series?.end_s ?? i * step_s, (i - 1) * step_s) : i * step_s));
});
const column = (name) => (columns[name]?.some((v) => v !== null) ? columns[name] : null);
const columnsOf = (prefix) => Object.keys(columns).filter((name) => name.startsWith(prefix) && column(name));
const known = (values) => values.filter((v) => v !== null);

// as charts take them, a point longer: a rate begins where its first step begins; nobody has counted devices before
const rateOf = (counts) => [counts[0], ...counts].map((n) => (n === null ? null : n / step_s));
const pointsOf = (values) => [null, ...values];

const grouped = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const number = (n) => (n === null || n === undefined ? "not known" : Number.isInteger(n) || n >= 1000 ? grouped.format(n) : shortest(n));
const plural = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;
const percent = (part) => `${shortest(100 * part)}\u00a0%`;

// three significant digits, and no zeros for show
function shortest(n) {
  if (n === 0 || !Number.isFinite(n)) return String(n);
  return Math.abs(n) >= 1000 ? grouped.format(n) : String(Number(n.toPrecision(3)));
}

function milliseconds(ms) {
  if (ms === null || ms === undefined) return "never";
  if (ms >= 120000) return minutes(ms / 1000);
  if (ms >= 1000) return `${shortest(ms / 1000)}\u00a0s`;
  return ms > 0 && ms < 1 ? `${shortest(1000 * ms)}\u00a0µs` : `${shortest(ms)}\u00a0ms`;
}

function minutes(s) {
  const whole = Math.round(s), rest = whole % 60;
  return `${Math.floor(whole / 60)}\u00a0min${rest > 0 ? `\u00a0${rest}\u00a0s` : ""}`;
}

const seconds = (s) => (s >= 120 ? minutes(s) : `${shortest(s)}\u00a0s`);
const bytes = (n) => (n >= 2 ** 30 ? `${shortest(n / 2 ** 30)}\u00a0GiB` : n >= 1048576 ? `${shortest(n / 1048576)}\u00a0MiB` : n >= 1024 ? `${shortest(n / 1024)}\u00a0KiB` : `${number(n)}\u00a0B`);

// the steps that a phase has a part in: [first, last)
function stepsOf(phase) {
  const first = Math.min(points, Math.floor(phase.start_s / step_s));
  return [first, Math.min(points, Math.max(first + 1, Math.ceil((phase.start_s + phase.duration_s) / step_s)))];
}
const within = (phase, values) => known(values.slice(...stepsOf(phase)));
const before = (phase, values) => values[stepsOf(phase)[0] - 1] ?? null;

const holds = (check) => check?.pass === true;
const checksOf = (phase) => [...(phase.gate ? [phase.gate] : []), ...(phase.expectations ?? [])];
const phaseHolds = (phase) => checksOf(phase).every(holds);
