// The first screen: did it pass; if not, who was lost and why; what to do next.
let unexpected = [], unforetold = [], measured = false, failedPhase = -1, failedChecks = [];
derive(() => {
  unexpected = Object.entries(run.failures ?? {})
    .map(([name, f]) => ({name, ...f, unforetold: f.count - (f.expected_count ?? (f.expected ? f.count : 0))}))
    .sort((a, b) => b.unforetold - a.unforetold || b.count - a.count);
  unforetold = unexpected.filter((f) => f.unforetold > 0);
  // a run that ended before its devices came knows nothing of them
  measured = (metric("connect.attempts") ?? 0) > 0 || phases.length > 0;
  failedPhase = phases.findIndex((phase) => !phaseHolds(phase));
  failedChecks = (run.expectations ?? []).filter((check) => !holds(check));
});

const VERDICTS = {
  pass: ["PASS", "good", "✓"],
  fail: ["FAIL", "bad", "✕"],
  error: ["ERROR", "bad", "!"],
  interrupted: ["STOPPED", "warn", "■"],
  none: ["NO VERDICT", "warn", "?"],
};

function passSentence() {
  const gates = phases.filter((phase) => phase.gate).length;
  const checks = sum(phases.map((phase) => (phase.expectations ?? []).length)) + (run.expectations ?? []).length;
  return `Every gate and every expectation held: ${plural(gates, "gate")}, ${plural(checks, "expectation")}.`;
}

// What bends the verdict stands beside it.
function caveats() {
  const said = [];
  const brake = run.brake;
  if (brake?.acted)
    said.push(`Braked: the safety brake acted ${plural(brake.times, "time")}, first at ${seconds(brake.first_s)} (${brake.when}: ${brake.observed}), and ` +
      `let ${percent(brake.rate)} of the starts go for ${seconds(brake.on_s)}. Without it the fleet would have done something else.`);
  if (run.by_hand?.pauses > 0)
    said.push(`Paused by hand ${plural(run.by_hand.pauses, "time")}, for ${seconds(run.by_hand.paused_s)} in all: the scenario alone would have been a shorter run.`);
  if (run.operator?.none)
    said.push("operator: none. Nobody knows which messages arrived, or when, or which trust bundle a device has acknowledged; none of that is in this verdict.");
  else if (run.telemetry?.numbered === false && metric("telemetry.sent") > 0)
    said.push("Messages have no number (no seq-at): which of them arrived is not known, and the verdict does not claim it.");
  return said;
}

function header() {
  const [word, kind, sign] = VERDICTS[run.verdict] ?? VERDICTS.error;
  const facts = [plural(devices, "device"), seconds(run.duration_s ?? 0), run.versions?.broker, run.started?.replace("T", " ").replace("Z", " UTC")];
  return el("header", {class: kind},
    el("p", {class: "brand"}, "fleetsim"),
    el("h1", {}, run.scenario?.name ?? "a run"),
    el("p", {class: "facts"}, facts.filter(Boolean).map((fact) => el("span", {}, fact))),
    el("div", {class: "verdict", id: "verdict"},
      el("span", {class: "word"}, el("span", {class: "sign", "aria-hidden": "true"}, sign), word),
      el("p", {class: "sentence"}, run.verdict === "pass" ? passSentence() : run.message || "The run says no more.")),
    caveats().map((text) => el("p", {class: "caveat"}, text)));
}

// In which phases a failure happened: groups, of one phase each where the second is of one only, else of those that it
// may have been.
function phasesOf(name) {
  const counts = failureColumns[name];
  if (!counts) return [];
  const owners = counts.flatMap((n, i) => (n > 0 ? [phases.flatMap((phase, p) => (stepsOf(phase)[0] <= i && i < stepsOf(phase)[1] ? [p] : []))] : []));
  const certain = new Set(owners.filter((some) => some.length === 1).flat());
  const unsure = new Map(owners.filter((some) => some.length > 1 && !some.some((p) => certain.has(p))).map((some) => [some.join(), some]));
  return [...[...certain].map((p) => [p]), ...unsure.values()].sort((a, b) => a[0] - b[0]);
}

function whereNodes(groups) {
  const link = groups.length > 3 ? (p) => el("a", {href: `#phase-${p + 1}`, title: phases[p].name}, String(p + 1)) : phaseLink;
  return groups.flatMap((group, g) => [g > 0 ? ", " : null, group.flatMap((p, i) => [i > 0 ? " or " : null, link(p)])]);
}

const phaseLink = (i) => el("a", {href: `#phase-${i + 1}`}, `${i + 1} ${phases[i].name}`);

// The run noted it as it happened; of an older one's results the series may know (phasesOf).
function firstPhase(failure) {
  const n = failure.unforetold > 0 ? failure.unexpected_first_phase : failure.first_phase;
  return n === undefined || n === null ? null : n === 0 ? "before the first phase" : phases[n - 1] ? ["in phase ", phaseLink(n - 1)] : null;
}

const firstOf = (failure) => (unended() ? failure.first_devices : failure.unexpected_devices);

function reason(failure) {
  const where = phasesOf(failure.name), began = firstPhase(failure);
  return el("li", {},
    el("a", {href: `#failure-${failure.name}`}, code(failure.name)), ` ${plural(failure.unforetold, "time")}: `,
    words.failures?.[failure.name]?.means ?? (failure.sentence || "it has no other name"), ". ",
    began ? ["First ", began, ". "] : where.length > 0 ? [`In phase${where.length > 1 ? "s" : ""} `, whereNodes(where), ". "] : null,
    firstOf(failure)?.length > 0 ? ["First: ", names(firstOf(failure), 3)] : null);
}

function howFar() {
  const {online, ever, step} = run.so_far, last = phases.at(-1);
  return [
    el("p", {}, last ? ["To phase ", phaseLink(phases.length - 1), step ? [", step ", code(step)] : ", which was over", "."] : "No phase had begun."),
    el("p", {}, el("b", {}, `${number(online)} of ${plural(devices, "device")}`), ` ${online === 1 ? "was" : "were"} online then; ${number(ever)} ever ${ever === 1 ? "was" : "were"}.`),
    unforetold.length > 0 ? [el("p", {}, "Failures so far, foretold or not:"), el("ul", {}, unforetold.slice(0, 3).map(reason))] : el("p", {}, "No attempt and no session had failed."),
  ];
}

function whoWasLost() {
  if (!measured) return el("p", {}, "The run ended before its devices connected: nothing is known of them.");
  const lost = metric("devices.lost"), online = metric("fleet.online"), shelved = metric("fleet.shelved") ?? 0;
  const messages = metric("telemetry.lost") ?? 0, bricked = metric("ota.bricked") ?? 0, hit = metric("revoke.collateral") ?? 0;
  const first = lost === null
    ? "How many devices were lost is not known."
    : lost > 0
    ? [el("b", {}, `${number(lost)} of ${plural(devices, "device")}`), ` should be online at the end and ${lost === 1 ? "is" : "are"} not.`]
    : [el("b", {}, "No device"), ` is lost: ${number(online)} online at the end${shelved > 0 ? `, ${number(shelved)} switched off by the plan` : ""}.`];
  const also = [
    messages > 0 ? `${plural(messages, "message")} lost` : null,
    bricked > 0 ? `${plural(bricked, "device")} found no image to boot` : null,
    hit > 0 ? `${plural(hit, "device")} refused though not revoked` : null,
  ].filter(Boolean);
  const others = unforetold.length - 3;
  return [
    el("p", {}, first, also.length > 0 ? ` ${also.join(", ")}.` : null),
    unforetold.length > 0 ? [el("p", {}, "What nobody foretold:"), el("ul", {}, unforetold.slice(0, 3).map(reason),
      others > 0 ? el("li", {}, el("a", {href: "#failures"}, `${number(others)} more`)) : null)] : el("p", {}, unexpected.length > 0 ? "Every failure was foretold by the scenario." : "No attempt and no session failed."),
  ];
}

// "telemetry.lost == 0" is about telemetry.lost
function meaning(check) {
  const name = Object.keys(words.metrics ?? {}).filter((m) => check.expr.startsWith(m)).sort((a, b) => b.length - a.length)[0];
  return name ? [" ", code(name), ": ", words.metrics[name], "."] : null;
}

function failedItem() {
  if (failedPhase >= 0) {
    const check = checksOf(phases[failedPhase]).find((one) => !holds(one));
    return ["Look at phase ", phaseLink(failedPhase), ": ", code(check.expr), ` did not hold; observed: ${check.observed}.`, meaning(check)];
  }
  if (failedChecks.length > 0) return ["Look at ", el("a", {href: "#expectations"}, "the expectations"), ": ", code(failedChecks[0].expr), ` did not hold; observed: ${failedChecks[0].observed}.`, meaning(failedChecks[0])];
  return null;
}

// A list that was compressed has another name.
function storyOf(device) {
  const name = quoted(JSON.stringify(device));
  return String(run.command ?? "").includes("--compress-events") ? `zstdcat events.ndjson.zst | grep -F ${name}` : `grep -F ${name} events.ndjson`;
}

function whatNext() {
  const again = commandLine();
  const items = [];
  if (unended()) items.push("Nothing of this run is a verdict: do not take it for a pass. Find out what ended it (a time-out of the CI job, memory, the disk), then run it again.");
  if (run.verdict === "error" && run.exit_code === 4) items.push("This is a fault of fleetsim itself: keep the folder and report it.");
  else if (run.verdict === "error") items.push("The sentence above says what stands in the way: change that, then run it again.");
  else if (run.verdict === "interrupted") items.push("The run was ended from outside: what is below goes up to there. Run it again.");
  if (run.verdict !== "pass") items.push(failedItem());
  for (const failure of unforetold.slice(0, 2)) {
    const advice = words.failures?.[failure.name]?.do;
    if (advice) items.push([code(failure.name), ": ", advice, "."]);
  }
  if (run.verdict !== "pass" && firstOf(unforetold[0] ?? {})?.length > 0)
    items.push(["One device's whole story: ", el("code", {class: "command"}, storyOf(firstOf(unforetold[0])[0]))]);
  if (run.verdict === "pass") items.unshift(unforetold.length > 0 ? "Nothing has to be done for this verdict. What nobody foretold deserves a look:" : "Nothing: it went as planned. Keep this folder to compare the next run with.");
  if (again) items.push(["Again: ", el("code", {class: "command"}, again)]);
  return list(items.filter(Boolean));
}

function answers() {
  return el("div", {class: "answers"},
    el("section", {class: "card", "aria-labelledby": "lost"}, el("h2", {id: "lost"}, unended() ? "How far did it come?" : "Who was lost, and why?"), unended() ? howFar() : whoWasLost()),
    el("section", {class: "card", "aria-labelledby": "next"}, el("h2", {id: "next"}, "What next?"), whatNext()));
}

function tile(name, value, note) {
  return el("div", {class: "tile"}, el("dt", {}, name), el("dd", {}, el("span", {class: "big"}, value), el("span", {class: "note"}, note)));
}

// Of those that were finished, as the number above; handshake.peak_per_s counts those that began.
function mostInASecond() {
  const counts = column("handshake.count");
  return counts && step_s === 1 ? `; most in a second ${number(most(known(counts)))}` : "";
}

function tiles() {
  if (!measured || unended()) return null;
  const host = stats("handshake.wall_ms"), device = run.timing?.device_ms, telemetry = metric("telemetry.sent");
  const latency = stats("telemetry.latency_ms"), online = now ? now.online : metric("fleet.online"), failed = metric("connect.failed");
  const shown = [
    online !== null ? tile(now ? "online" : "online at the end", number(online), now ? `of ${number(now.wanted)} that the plan wants` : `of ${number(devices)}; lowest ${number(metric("fleet.online_min"))}${metric("fleet.online_max") === null ? "" : `, most ${number(metric("fleet.online_max"))}`}`) : null,
    tile("connections", number(metric("connect.ok")), failed === 0 ? "none failed" : `failed: ${number(failed)}`),
    tile("handshakes", number((metric("handshake.full") ?? 0) + (metric("handshake.resumed") ?? 0)), `${number(metric("handshake.resumed"))} resumed${mostInASecond()}`),
    host ? tile("host handshake", milliseconds(host.p50), `half; 99 % within ${milliseconds(host.p99)}`) : null,
    device ? tile("device handshake", milliseconds(device.p50.nominal), `modelled, ${milliseconds(device.p50.low)} to ${milliseconds(device.p50.high)}`) : null,
    telemetry > 0 ? tile("messages", number(telemetry), now ? `${number(metric("telemetry.acked"))} acknowledged${latency ? `; 99 % within ${milliseconds(latency.p99)}` : ""}` : metric("telemetry.lost") !== null ? `${number(metric("telemetry.lost"))} lost${latency ? `; 99 % within ${milliseconds(latency.p99)}` : ""}` : "what arrived is not known") : null,
    metric("ota.offered") > 0 ? tile("updated", number(metric("ota.updated")), `of ${number(metric("ota.offered"))} offered; ${number(metric("ota.rolled_back"))} rolled back`) : null,
    metric("revoke.revoked") > 0 || metric("revoke.refusals") > 0 ? tile("revoked", number(metric("revoke.revoked")), `refused ${plural(metric("revoke.refusals") ?? 0, "time")}, let in ${plural(metric("revoke.accepts") ?? 0, "time")}`) : null,
  ];
  return el("dl", {class: "tiles"}, shown.filter(Boolean));
}
