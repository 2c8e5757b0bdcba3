// Phases on one axis of time, each with its gate; then what is expected of the whole run.
function checkLine(check, kind) {
  return el("p", {class: holds(check) ? "check" : "check failed"}, mark(holds(check)), " ",
    el("span", {class: "kind"}, kind), " ", code(check.expr), el("span", {class: "saw"}, " observed "), el("span", {class: "observed"}, check.observed));
}

function phaseRow(phase, i) {
  const bar = el("span", {class: phaseHolds(phase) ? "bar" : "bar bad"});
  bar.style.left = `${(100 * phase.start_s) / lasts_s}%`;
  bar.style.width = `${Math.max(0.4, (100 * phase.duration_s) / lasts_s)}%`;
  return el("li", {class: "phase", id: `phase-${i + 1}`},
    el("div", {class: "what"}, el("span", {class: "ordinal"}, String(i + 1)), el("h3", {}, phase.name), el("span", {class: "took"}, seconds(phase.duration_s))),
    el("div", {class: "track", role: "img", "aria-label": `from ${seconds(phase.start_s)} to ${seconds(phase.start_s + phase.duration_s)}`}, bar),
    el("div", {class: "checks"},
      phase.gate ? checkLine(phase.gate, "gate") : null,
      (phase.expectations ?? []).map((check) => checkLine(check, "expected")),
      phase.running ? el("p", {class: "check quiet"}, now.gate ? ["under way: ", code(now.gate.expr), ` ${now.gate.observed}`] : "under way") : checksOf(phase).length === 0 ? el("p", {class: "check quiet"}, "no gate") : null,
      phase.note ? el("p", {class: "note"}, phase.note) : null));
}

function timeline() {
  if (phases.length === 0) return null;
  const over = phases.filter((phase) => !phase.running), held = over.filter(phaseHolds).length;
  const scale = el("div", {class: "scale", "aria-hidden": "true"}, el("span", {}, moment(0)), el("span", {}, moment(lasts_s / 2)), el("span", {}, moment(lasts_s)));
  return section("phases", "Phases", over.length === 0 ? null : held === over.length ? `All ${plural(held, "phase")} did what was asked of them.` : `${held} of ${plural(over.length, "phase")} did what was asked of them.`,
    el("div", {class: "timeline"}, scale, el("ol", {}, phases.map(phaseRow))));
}

function expectations() {
  const checks = run.expectations ?? [];
  if (checks.length === 0) return null;
  const sorted = [...checks].sort((a, b) => holds(a) - holds(b));
  return section("expectations", "Expectations of the whole run", failedChecks.length === 0 ? "All of them hold." : `${number(failedChecks.length)} of ${number(checks.length)} ${failedChecks.length === 1 ? "does" : "do"} not hold.`,
    el("div", {class: "expectations"}, sorted.map((check) => checkLine(check, "expected"))));
}
