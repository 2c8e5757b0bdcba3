// Firmware: each rollout wave by wave, and how updates ended that did not end well.
const ENDS = [["confirmed", "updated", "c-green"], ["open", "open", "c-sky"], ["cancelled", "called off", "c-yellow"], ["refused", "refused", "c-orange"], ["rolled_back", "rolled back", "c-vermillion"]];

function waveRow(wave, i, widest) {
  const ends = ENDS.map(([key, label, tone]) => ({label, tone, n: wave[key] ?? 0}));
  const not = Math.max(0, wave.devices - sum(ends.map((end) => end.n)));
  const bar = el("div", {class: "stack", "aria-hidden": "true"}, ends.filter((end) => end.n > 0).map((end) => {
    const part = el("span", {});
    part.style.width = `${(100 * end.n) / wave.devices}%`;
    part.style.background = `var(--${end.tone})`;
    return part;
  }));
  bar.style.width = `${Math.max(3, 100 * Math.sqrt(wave.devices / widest))}%`;
  const told = [...ends, {label: "not offered", n: wave.offered > 0 ? 0 : not}].filter((end) => end.n > 0).map((end) => `${number(end.n)} ${end.label}`);
  return el("li", {}, el("span", {class: "wave"}, `wave ${i + 1}`), bar,
    el("span", {class: "told"}, `${plural(wave.devices, "device")}: ${told.join(", ") || "nothing yet"}`, wave.duration_s !== null && wave.duration_s !== undefined ? `; ${seconds(wave.duration_s)}` : "", wave.timed_out ? "; its time ran out" : ""));
}

function rollout(one, images) {
  const image = images.find((i) => i.name === one.image);
  const waves = one.waves ?? [];
  const widest = Math.max(1, ...waves.map((wave) => wave.devices));
  return el("article", {class: one.aborted ? "rollout unforetold" : "rollout"},
    el("div", {class: "head"}, el("h3", {}, code(one.image), image ? ` ${image.version}, ${bytes(image.size)} over ${image.via}` : ""), el("span", {class: one.aborted ? "tag bad" : "tag"}, one.state)),
    image?.harm ? el("p", {}, `Damaged on purpose: ${image.harm}.`) : null,
    el("p", {}, one.criterion ? `Stopped at ${one.criterion}: ` : "", `${plural(one.offered, "device")} offered it, ${number(one.untouched)} not.`,
      one.aborted ? ` When it was stopped ${number(one.open_when_stopped)} had not ended; ${number(one.touched_after)} of them went on.` : ""),
    el("ol", {class: "waves"}, waves.map((wave, i) => waveRow(wave, i, widest))));
}

function updatedChart(images) {
  const shown = images.filter((image) => column(`ota.updated.${image.name}`) && most(known(columns[`ota.updated.${image.name}`])) > 0).slice(0, REASONS.length);
  if (shown.length === 0) return null;
  return chart("Devices that run an image, confirmed", {top: devices, y: number},
    shown.map((image, i) => ({label: `${image.name} ${image.version}`, values: pointsOf(columns[`ota.updated.${image.name}`]), steps: columns[`ota.updated.${image.name}`], colour: REASONS[REASONS.length - 1 - i], dash: i % 2 === 1 ? [6, 3] : undefined, width: 2})),
    {sentence: `At the end: ${shown.map((image) => `${image.name} ${number(last(known(columns[`ota.updated.${image.name}`])))}`).join(", ")}.`,
      table: byPhase("Devices that run an image, at the end of each phase", shown.map((image) => image.name), (phase) => shown.map((image) => orNone(within(phase, columns[`ota.updated.${image.name}`]), last)))});
}

function updates() {
  const ota = run.ota;
  if (!ota || ((ota.rollout ?? []).length === 0 && Object.keys(ota.statuses ?? {}).length === 0)) return null;
  const legend = el("div", {class: "legend"}, ENDS.map(([, label, tone]) => {
    const swatch = el("span", {class: "swatch area", "aria-hidden": "true"});
    swatch.style.setProperty("--line", `var(--${tone})`);
    return el("span", {class: "item"}, swatch, label);
  }));
  const statuses = Object.entries(ota.statuses ?? {});
  return section("updates", "Firmware updates", `${plural(metric("ota.updated") ?? 0, "device")} updated, ${number(metric("ota.refused") ?? 0)} refused, ${number(metric("ota.rolled_back") ?? 0)} rolled back, ${number(metric("ota.bricked") ?? 0)} bricked.`,
    updatedChart(ota.images ?? []), (ota.rollout ?? []).length > 0 ? legend : null, (ota.rollout ?? []).map((one) => rollout(one, ota.images ?? [])),
    statuses.length > 0 ? more("how often devices came to which status", table("statuses of updates", ["status", "how often", "means", "first devices"],
      statuses.map(([name, s]) => [code(name), number(s.count), words.statuses?.[name] ?? "", names(s.first_devices) ?? ""]))) : null);
}
