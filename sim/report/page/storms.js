// Storms side by side: every session ended at once, and how the devices came back by each policy.
const LEVELS = [["p50_ms", "50 %"], ["p90_ms", "90 %"], ["p99_ms", "99 %"], ["all_ms", "all"]];

function stormBar(storm, longest) {
  const bar = el("div", {class: "stack back", "aria-hidden": "true"});
  let before = 0;
  LEVELS.forEach(([key], i) => {
    if (storm[key] === null || storm[key] === undefined) return;
    const part = el("span", {});
    part.style.width = `${(100 * (storm[key] - before)) / longest}%`;
    part.style.background = `var(--ramp-${i + 1})`;
    before = storm[key];
    bar.append(part);
  });
  return bar;
}

function storms() {
  const all = run.storms ?? [];
  if (all.length === 0) return null;
  const longest = Math.max(1, ...all.flatMap((storm) => LEVELS.map(([key]) => storm[key] ?? 0)));
  const legend = el("div", {class: "legend"}, LEVELS.map(([, label], i) => {
    const swatch = el("span", {class: "swatch area", "aria-hidden": "true"});
    swatch.style.setProperty("--line", `var(--ramp-${i + 1})`);
    return el("span", {class: "item"}, swatch, `${label} back`);
  }));
  const rows = all.map((storm) => [
    [el("b", {}, storm.policy), el("span", {class: "quiet"}, ` ${milliseconds(storm.base_ms)} to ${milliseconds(storm.cap_ms)}`)],
    stormBar(storm, longest), ...LEVELS.map(([key]) => milliseconds(storm[key])), `${number(storm.online)} of ${number(storm.devices)}`,
    number(storm.handshakes), number(storm.wasted), number(storm.peak_per_s)]);
  return section("storms", "Storms", "Every session ended at once: how soon the devices were back, by the way they try again.", legend,
    el("div", {class: "panel"}, table("storms", ["policy, first and longest wait", `up to ${milliseconds(longest)}`, ...LEVELS.map(([, label]) => label), "online after it", "handshakes", "wasted", "most in a second"], rows, {class: "storms"})));
}
