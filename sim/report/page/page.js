// Puts the page together. A part that cannot be drawn is left out with a word: the others are worth reading.
function part(name, make) {
  try {
    return make();
  } catch (error) {
    console.error(`${name}: ${error.stack ?? error}`);
    return el("p", {class: "caveat"}, `This part could not be drawn: ${name}.`);
  }
}

// What judges a run has no place while it goes on.
const JUDGING = ["verdict", "answers", "expectations"];
const PARTS = [
  ["live", liveHeader], ["verdict", header], ["answers", answers], ["figures", tiles], ["phases", timeline], ["expectations", expectations], ["time", overTime],
  ["failures", failureSection], ["spread", spread], ["trust", trust], ["updates", updates], ["storms", storms], ["about", about],
];

const footer = () => el("footer", {}, `${["fleetsim", run.versions?.fleetsim].filter(Boolean).join(" ")}. ${now ? "The page shows the run as it stands; there is no verdict so far." : unended() ? 'The page is made from the list of events beside it, by "fleetsim report"; nothing vouches for it.' : 'The page is made from results.json beside it; the folder is vouched for by "fleetsim report".'}`);

let widths = null;

function build() {
  for (const one of charts.splice(0)) one.u?.destroy();
  widths?.disconnect();
  document.title = now ? `${liveWord()}: ${run.scenario?.name ?? "fleetsim"}` : `${VERDICTS[run.verdict]?.[0] ?? "ERROR"}: ${run.scenario?.name ?? "fleetsim"}`;
  document.getElementById("page").replaceChildren(
    ...PARTS.filter(([name]) => !now || !JUDGING.includes(name)).map(([name, make]) => part(name, make)).filter(Boolean), footer());
  widths = part("charts", watchCharts);
}

if (embedded.live) {
  follow();
} else {
  take(embedded.results);
  build();
  performance.mark("interactive");
  drawInTurn();
}
