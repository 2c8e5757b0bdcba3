// Charts over time, by uPlot: one look, one cursor for all of them, phases behind, a legend in text, and the same
// figures as a table by phase.
const charts = []; // plot: its element; draw(): makes it; u: uPlot's, once it is drawn; width: that it was drawn for
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;

const clock = (t) => (t >= 3600 ? `${Math.floor(t / 3600)}:${pad((t % 3600) / 60)}:${pad(t % 60)}` : `${Math.floor(t / 60)}:${pad(t % 60)}`);
const pad = (n) => String(Math.floor(n)).padStart(2, "0");
let lasts_s = 0;
derive(() => {
  lasts_s = Math.max(run.duration_s ?? 0, times.at(-1) ?? 0);
});
const moment = (t) => (lasts_s > 120 ? clock(t) : `${shortest(t)} s`);

// Phases behind a chart: every other one shaded, its number above, one that failed in its colour.
function drawPhases(u) {
  const {left, top, width, height} = u.bbox, ratio = devicePixelRatio;
  u.ctx.save();
  let free = -Infinity;
  phases.forEach((phase, i) => {
    const from = Math.max(left, u.valToPos(phase.start_s, "x", true));
    const to = Math.min(left + width, u.valToPos(phase.start_s + phase.duration_s, "x", true));
    if (to < from) return;
    u.ctx.fillStyle = colour(phaseHolds(phase) ? (i % 2 === 0 ? "stripe" : "panel") : "stripe-bad");
    u.ctx.fillRect(from, top, Math.max(to - from, ratio), height);
    if (from < free) return;
    u.ctx.fillStyle = colour(phaseHolds(phase) ? "quiet" : "bad");
    u.ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    u.ctx.textAlign = "left";
    u.ctx.textBaseline = "bottom";
    u.ctx.fillText(String(i + 1), from + ratio, top - 2 * ratio);
    free = from + (String(i + 1).length * 7 + 6) * ratio;
  });
  u.ctx.restore();
}

const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

// the points that no line leads to or from
function alone(u, number) {
  const values = u.data[number];
  return values.flatMap((v, i) => (v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []));
}

// where an axis is logarithmic its powers of ten alone are told
const powers = (_, at) => at.map((v) => (Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6 ? v : null));
const every = (_, at) => at;

function axes(options) {
  const quiet = () => colour("quiet"), write = (how) => (_, at) => at.map((v) => (v === null ? "" : how(v)));
  return [
    {stroke: quiet, font: font(), space: 70, size: 26, gap: 4, grid: {show: false}, ticks: {show: true, size: 4, width: 1, stroke: quiet, filter: options.logX ? powers : every},
      filter: options.logX ? powers : every, values: write(options.x ?? moment), ...(options.logX ? {} : {incrs: SECONDS})},
    {stroke: quiet, font: font(), space: 28, size: 62, gap: 6, grid: {width: 1, stroke: () => colour("grid"), filter: options.log ? powers : every}, ticks: {show: false},
      filter: options.log ? powers : every, values: write(options.y ?? shortest)},
  ];
}

// One line of a legend, whose last cell follows the cursor.
function legendItem(line) {
  const value = el("span", {class: "value"});
  const swatch = el("span", {class: line.dash ? "swatch dashed" : line.with !== undefined || (line.fill && line.width === 0) ? "swatch tint" : line.fill === undefined ? "swatch" : "swatch area", "aria-hidden": "true"});
  swatch.style.setProperty("--line", `var(--${line.colour})`);
  return {element: el("span", {class: "item"}, swatch, line.label, value), value};
}

// chart(TITLE, OPTIONS, LINES, TEXTS)
// OPTIONS: y and x write a value; log, logX; top: the axis reaches at least there; times: the x values
// LINES: {label, values, colour, width, dash, fill: its opacity, stepped, sparse: points where the line has gaps, with: number of
//        the line up to which a band is filled, quiet: not in the legend, shown: what the legend says in place of values}
// TEXTS: sentence; table
function chart(title, options, lines, texts) {
  const plot = el("div", {class: "plot", role: "img", "aria-label": `${title}. ${texts.sentence}`});
  const items = lines.map((line) => (line.quiet ? null : legendItem(line)));
  const when = el("span", {class: "when"});
  const figure = el("figure", {},
    el("div", {class: "title"}, el("h3", {}, title), options.unit ? el("span", {class: "unit"}, options.unit) : null),
    el("div", {class: "legend"}, items.filter(Boolean).map((item) => item.element), when),
    plot, el("figcaption", {}, texts.sentence), texts.table ? more("as a table", texts.table) : null);
  const x = options.times ?? times;
  const draw = () => {
    const phone = plot.clientWidth < 480;
    const u = new uPlot({
      width: plot.clientWidth, height: options.height ?? (phone ? 170 : 190), padding: [16, 22, 0, 0],
      legend: {show: false},
      cursor: {y: false, drag: {x: false, y: false}, points: {size: 7}, ...(options.logX ? {} : {sync: {key: "time"}})},
      scales: {
        x: {time: false, distr: options.logX ? 3 : 1, ...(options.logX ? {} : {range: [0, Math.max(lasts_s, step_s)]})},
        y: {distr: options.log ? 3 : 1, range: options.log ? undefined : (_, __, most) => [0, Math.max(most ?? 0, options.top ?? 0, 1e-9) * 1.06]},
      },
      axes: axes(options),
      bands: lines.flatMap((line, i) => (line.with === undefined ? [] : [{series: [i + 1, line.with + 1], fill: () => colour(line.colour) + "33"}])),
      series: [{}, ...lines.map((line) => ({
        stroke: line.width === 0 ? undefined : () => colour(line.colour), width: line.width ?? 1.5, dash: line.dash,
        fill: line.fill === undefined ? undefined : () => colour(line.colour) + line.fill,
        paths: line.stepped ? uPlot.paths.stepped({align: -1}) : undefined,
        points: line.sparse ? {show: true, size: 5, width: 0, fill: () => colour(line.colour), filter: alone} : {show: false},
      }))],
      hooks: {
        drawClear: [(u) => (options.under ?? drawPhases)(u)],
        setCursor: [(u) => {
          const at = u.cursor.idx;
          when.textContent = at === null || at === undefined ? "" : `at ${(options.x ?? moment)(x[at])}`;
          items.forEach((item, i) => {
            if (item === null) return;
            const v = at === null || at === undefined ? null : (lines[i].shown ?? lines[i].values)[at];
            item.value.textContent = v === null || v === undefined ? "" : (options.y ?? shortest)(v);
          });
        }],
      },
    }, [x, ...lines.map((line) => line.values)], plot);
    return u;
  };
  charts.push({plot, draw, u: null});
  return figure;
}

// areas on top of each other; the first line is the lowest
function stacked(parts) {
  const sums = [];
  let below = parts[0].values.map(() => 0);
  for (const part of parts) {
    below = below.map((sum, i) => sum + (part.values[i] ?? 0));
    sums.push({...part, shown: part.values, values: below, fill: "", width: 0.5});
  }
  return sums.reverse();
}

// For each phase what `cells` makes of it; the whole run where there are no phases.
function byPhase(caption, head, cells) {
  const rows = phases.length > 0 ? phases : [{name: "the whole run", start_s: 0, duration_s: lasts_s}];
  return table(caption, ["phase", ...head], rows.map((phase, i) => [phases.length > 0 ? `${i + 1} ${phase.name}` : phase.name, ...cells(phase)]));
}
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const sum = (values) => values.reduce((a, b) => a + b, 0);
const last = (values) => values.at(-1);
let counted = "";
derive(() => {
  counted = `Counted at the end of each ${step_s === 1 ? "second" : `step of ${seconds(step_s)}`}`;
});
const count = (n) => (n === null ? "–" : number(n));
const orNone = (values, take, write = number) => (values.length > 0 ? write(take(values)) : "–");

function drawChart(one) {
  if (one.plot.clientWidth === 0) return;
  one.u?.destroy();
  one.width = one.plot.clientWidth;
  one.u = one.draw();
}

// One after the other, so that the page answers in between.
function drawInTurn(next = 0) {
  if (next === charts.length) {
    performance.mark("drawn");
    return;
  }
  part("a chart", () => drawChart(charts[next]));
  setTimeout(() => drawInTurn(next + 1));
}

function watchCharts() {
  const again = new ResizeObserver(() => {
    for (const one of charts) {
      if (one.u === null || one.plot.clientWidth === one.width || one.plot.clientWidth === 0) continue;
      one.width = one.plot.clientWidth;
      one.u.setSize({width: one.width, height: one.u.height});
    }
  });
  for (const one of charts) again.observe(one.plot);
  return again;
}

// paper is white, whatever the screen is
for (const media of [dark, matchMedia("print")]) media.addEventListener("change", () => charts.forEach(drawChart));
