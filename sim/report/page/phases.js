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
      phase.running ? el("p", {class: "check quiet"}, now.gate ? ["under way: ", code(now.gate.expr), ` ${now.gate.observed}`] : "under way") : unended() ? null : checksOf(phase).length === 0 ? el("p", {class: "check quiet"}, "no gate") : null,
      phase.note ? el("p", {class: "note"}, phase.note) : null));
}

// What was planned from there on: nothing is known of it.
function plannedRow(phase, i) {
  const checks = [...(phase.gate ? [["gate", phase.gate]] : []), ...(phase.expectations ?? []).map((expr) => ["expected", expr])];
  return el("li", {class: "phase never", id: `phase-${i + 1}`},
    el("div", {class: "what"}, el("span", {class: "ordinal"}, String(i + 1)), el("h3", {}, phase.name), el("span", {class: "took"}, now ? "to come" : "not reached")),
    el("div", {class: "track", "aria-hidden": "true"}),
    el("div", {class: "checks"}, checks.map(([kind, expr]) => el("p", {class: "check quiet"}, el("span", {class: "kind"}, kind), " ", code(expr)))));
}

function phasesLead(over, never) {
  if (unended()) return `${plural(over.length, "phase")} had begun. Whether a gate held is told at the end of a run, which this one does not have.`;
  const held = over.filter(phaseHolds).length;
  const rest = never > 0 && !now ? `; ${plural(never, "phase was", "phases were")} not reached` : "";
  if (over.length === 0) return never > 0 && !now ? `None of ${plural(never, "phase")} was reached.` : null;
  return held === over.length && rest === "" ? `All ${plural(held, "phase")} did what was asked of them.` : `${held} of ${plural(now ? over.length : phases.length + never, "phase")} did what was asked of them${rest}.`;
}

function timeline() {
  const planned = (run.planned?.phases ?? []).slice(phases.length);
  if (phases.length + planned.length === 0) return null;
  const scale = el("div", {class: "scale", "aria-hidden": "true"}, el("span", {}, moment(0)), el("span", {}, moment(lasts_s / 2)), el("span", {}, moment(lasts_s)));
  return section("phases", "Phases", phasesLead(phases.filter((phase) => !phase.running), planned.length),
    el("div", {class: "timeline"}, phases.length > 0 ? scale : null, el("ol", {}, phases.map(phaseRow), planned.map((phase, i) => plannedRow(phase, phases.length + i)))));
}

function expectations() {
  const checks = run.expectations ?? [];
  if (checks.length === 0) return null;
  const sorted = [...checks].sort((a, b) => holds(a) - holds(b));
  return section("expectations", "Expectations of the whole run", failedChecks.length === 0 ? "All of them hold." : `${number(failedChecks.length)} of ${number(checks.length)} ${failedChecks.length === 1 ? "does" : "do"} not hold.`,
    el("div", {class: "expectations"}, sorted.map((check) => checkLine(check, "expected"))));
}
