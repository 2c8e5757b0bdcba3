// Puts the page together. A part that cannot be drawn is left out with a word: the others are worth reading.
function part(name, make) {
  try {
    return make();
  } catch (error) {
    console.error(`${name}: ${error.stack ?? error}`);
    return el("p", {class: "caveat"}, `This part could not be drawn: ${name}.`);
  }
}

const PARTS = [
  ["verdict", header], ["answers", answers], ["figures", tiles], ["phases", timeline], ["expectations", expectations], ["time", overTime],
  ["failures", failureSection], ["spread", spread], ["trust", trust], ["updates", updates], ["storms", storms], ["about", about],
];

document.title = `${VERDICTS[run.verdict]?.[0] ?? "ERROR"}: ${run.scenario?.name ?? "fleetsim"}`;
document.getElementById("page").append(...PARTS.map(([name, make]) => part(name, make)).filter(Boolean),
  el("footer", {}, `fleetsim ${run.versions?.fleetsim ?? ""}. The page is made from results.json beside it; the folder is vouched for by "fleetsim report".`));
part("charts", watchCharts);
performance.mark("interactive");
drawInTurn();
