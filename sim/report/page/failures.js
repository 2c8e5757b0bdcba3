// Failures by reason: whom, when, what it means and what to do.
const SVG = "http://www.w3.org/2000/svg";
const SPARK = {width: 600, height: 44};

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// When it happened, each reason on a scale of its own: rare ones are seen beside those that come in thousands.
function spark(name) {
  const counts = failureColumns[name];
  if (!counts || sum(known(counts)) === 0) return null;
  const peak = most(known(counts)), at = counts.indexOf(peak), x = (t) => (SPARK.width * t) / Math.max(lasts_s, 1e-9);
  const bars = counts.flatMap((n, i) => (n > 0 ? [`M${x(times[i]).toFixed(1)} ${SPARK.height}v-${Math.max(2, (SPARK.height * n) / peak).toFixed(1)}h${Math.max(1.5, x(times[i + 1]) - x(times[i])).toFixed(1)}V${SPARK.height}z`] : []));
  const stripes = phases.map((phase, i) => svg("rect", {x: x(phase.start_s), y: 0, width: Math.max(0.5, x(phase.duration_s)), height: SPARK.height, class: phaseHolds(phase) ? (i % 2 === 0 ? "stripe" : "none") : "stripe-bad"}));
  const told = `most in a second: ${shortest(peak / step_s)}, at ${moment(times[at])}`;
  return el("div", {class: "spark"},
    svg("svg", {viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, preserveAspectRatio: "none", role: "img", "aria-label": told}, ...stripes, svg("path", {d: bars.join("")})),
    el("p", {class: "scale"}, el("span", {}, moment(0)), el("span", {}, told), el("span", {}, moment(lasts_s))));
}

function failureCard(failure) {
  const word = words.failures?.[failure.name] ?? {means: failure.sentence};
  const foretold = failure.count - failure.unforetold;
  const where = phasesOf(failure.name);
  const seen = failure.unforetold > 0 ? failure.unexpected_detail || failure.detail : failure.detail;
  const whom = !unended() && failure.unforetold > 0 && failure.unexpected_devices?.length > 0 ? failure.unexpected_devices : failure.first_devices;
  const row = (term, ...content) => [el("dt", {}, term), el("dd", {}, ...content)];
  return el("article", {id: `failure-${failure.name}`, class: failure.unforetold > 0 ? "failure unforetold" : "failure"},
    el("div", {class: "head"}, el("h3", {}, code(failure.name)), el("span", {class: "count"}, number(failure.count)),
      unended() ? null : el("span", {class: failure.unforetold > 0 ? "tag bad" : "tag"}, failure.unforetold === 0 ? "foretold" : foretold === 0 ? "not foretold" : `${number(failure.unforetold)} not foretold`)),
    spark(failure.name),
    el("dl", {},
      word.means ? row("means", `${word.means}.`) : null,
      word.do ? row("to do", `${word.do}.`) : null,
      seen ? row("seen", el("q", {}, seen)) : null,
      whom?.length > 0 ? row("first devices", names(whom)) : null,
      firstPhase(failure) ? row("first", firstPhase(failure)) : null,
      where.length > 0 ? row(where.length > 1 ? "phases" : "phase", whereNodes(where)) : null));
}

function failureSection() {
  if (unexpected.length === 0) return measured ? section("failures", "Failures", "No attempt and no session failed.") : null;
  const total = sum(unexpected.map((f) => f.count)), open = sum(unexpected.map((f) => f.unforetold));
  const lead = unended() ? `${number(total)}. Which of them the scenario foretold is told at the end of a run, which this one does not have.` : open === 0 ? `${number(total)}, and the scenario foretold all of them.` : open === total ? `${number(total)}, and the scenario foretold none of them.` : `${number(total)}, of which ${number(open)} were not foretold by the scenario.`;
  return section("failures", "Failures by reason", lead, el("div", {class: "failures"}, unexpected.map(failureCard)));
}
