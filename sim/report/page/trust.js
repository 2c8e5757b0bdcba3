// Who trusts which root, and under which root the devices' own certificates are. A device trusts several roots at
// once, so each of these has an area of its own; it has one certificate, so those stand on each other.
const ROOTS = ["c-blue", "c-orange", "c-green", "c-purple", "c-sky", "c-yellow", "c-vermillion", "quiet"];
const rootOf = (name) => name.slice(name.indexOf(".") + 1);

function endings(names, values) {
  return names.map((name, i) => `${rootOf(name)} ${number(known(values[i]).at(-1) ?? null)}`).join(", ");
}

function trustCharts() {
  const trusting = columnsOf("trusting."), tones = new Map(trusting.map((name, i) => [rootOf(name), ROOTS[i % ROOTS.length]]));
  return trusting.map((name) => {
    const values = columns[name];
    return chart(`Trust in root ${rootOf(name)}`, {top: devices, y: number, height: 110, unit: "devices"},
      [{label: `trust ${rootOf(name)}`, values: pointsOf(values), colour: tones.get(rootOf(name)), fill: "cc", width: 1}],
      {sentence: `${counted}: at most ${number(most(known(values)))} of ${number(devices)}, ${number(last(known(values)))} at the end.`,
        table: byPhase(`Devices that trust ${rootOf(name)}, by phase`, ["before it", "at its end"], (phase) => [count(before(phase, values)), orNone(within(phase, values), last)])});
  });
}

function identityChart() {
  const identified = columnsOf("identified.");
  if (identified.length === 0) return null;
  const parts = identified.map((name, i) => ({label: `under ${rootOf(name)}`, values: pointsOf(columns[name]), steps: columns[name], colour: ROOTS[i % ROOTS.length]}));
  return chart("The devices' own certificates", {top: devices, y: number, height: 110, unit: "devices, by root"}, stacked(parts),
    {sentence: `At the end: ${endings(identified, parts.map((p) => p.steps))}.`,
      table: byPhase("Roots of the devices' certificates at the end of each phase", identified.map(rootOf), (phase) => parts.map((p) => orNone(within(phase, p.steps), last)))});
}

function trust() {
  const figures = [...trustCharts(), identityChart()].filter(Boolean);
  return figures.length > 0 ? section("trust", "Who trusts what", "A device may trust several roots at once.", el("div", {class: "charts"}, figures)) : null;
}
