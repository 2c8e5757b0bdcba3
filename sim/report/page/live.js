// The live page: the run as it stands, by server-sent events. Each is the whole of it, so none that was missed is missed; what a
// reader has opened or is reading stays where it is. When the run has ended the page is the one that report.html is.
const STALE_MS = 5000;
let heard_ms = 0, quiet = "";

const liveWord = () => (now.paused ? "PAUSED" : "RUNNING");

function liveSentence() {
  if (now.paused) return "The phase is over and the next one waits. Devices stay as they are.";
  if (now.phase === 0) return "Broker, keys and devices are being set up.";
  if (now.phase > now.phase_count) return "All phases are over: what is under way arrives, and the run is judged.";
  const at = `Phase ${now.phase} of ${now.phase_count}, ${now.phase_name}`;
  const then = now.pausing ? " Then the run pauses." : "";
  if (now.gate) return [`${at}: waiting for `, code(now.gate.expr), `. Observed: ${now.gate.observed || "nothing so far"}.${then}`];
  return now.step ? [`${at}: `, code(now.step), `.${then}`] : `${at}.${then}`;
}

// How much of its time a gate has used: what it waits for may be no number.
function gateBar() {
  if (!now.gate || !(now.gate.within_s > 0)) return null;
  const said = `${seconds(Math.round(now.gate.s))} of ${seconds(now.gate.within_s)} that the gate has`;
  const bar = el("span", {class: "bar"});
  bar.style.width = `${Math.min(100, (100 * now.gate.s) / now.gate.within_s)}%`;
  return el("div", {class: "waited"}, el("div", {class: "track", role: "img", "aria-label": said}, bar), el("p", {class: "quiet"}, said));
}

// of the last second that is over
function liveRates() {
  const lately = (name) => shortest((known(columns[name] ?? []).at(-1) ?? 0) / step_s);
  const failures = sum(Object.values(failureColumns).map((counts) => known(counts).at(-1) ?? 0)) / step_s;
  return [`${number(now.online)} of ${number(now.wanted)} online`, `${lately("handshake.count")} handshakes/s`, `${lately("telemetry.sent")} messages/s`, `${shortest(failures)} failures/s`];
}

function liveHeader() {
  if (!now) return null;
  const facts = [plural(devices, "device"), `${seconds(Math.round(now.now_s))} of ${seconds(now.limit_s)} at most`, ...liveRates()];
  return el("header", {class: now.paused ? "warn" : "good"},
    el("p", {class: "brand"}, "fleetsim, live"),
    el("h1", {}, run.scenario?.name ?? "a run"),
    el("p", {class: "facts", id: "facts"}, facts.map((fact) => el("span", {}, fact))),
    el("div", {class: "verdict", id: "verdict"},
      el("span", {class: "word"}, el("span", {class: "sign", "aria-hidden": "true"}, now.paused ? "‖" : "▸"), liveWord()),
      el("div", {class: "sentence"}, el("p", {}, liveSentence()), gateBar())),
    quiet ? el("p", {class: "caveat", id: "quiet"}, quiet) : null);
}

// Controls. The token came behind the # of the address: it is kept for this tab, and is not left where people read along.
function ownToken() {
  const said = /^#([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (said) {
    sessionStorage.setItem("token", said);
    history.replaceState(null, "", location.pathname);
  }
  return said ?? sessionStorage.getItem("token");
}

async function ask(what, said) {
  try {
    const answer = await fetch("control", {method: "POST", headers: {"Fleetsim-Token": ownToken() ?? ""}, body: what});
    said.textContent = answer.ok ? "" : `${what}: ${(await answer.text()).trim()}`;
  } catch {
    said.textContent = `${what}: the run does not answer`;
  }
}

// They stand outside of what is drawn anew, so that none moves away from under a hand.
let pauseButton = null, abortButton = null, controlBar = null;
const SURE_MS = 4000;

function controls() {
  const said = el("span", {id: "said", role: "status"});
  pauseButton = el("button", {type: "button", id: "pause", disabled: true}, "Pause at the next gate");
  abortButton = el("button", {type: "button", id: "abort", class: "bad", disabled: true}, "Abort");
  pauseButton.addEventListener("click", () => ask(now.paused || now.pausing ? "go-on" : "pause", said));
  let sure = 0;
  abortButton.addEventListener("click", () => {
    if (sure === 0) {
      abortButton.textContent = "Abort the run: sure?";
      sure = setTimeout(() => {
        sure = 0;
        abortButton.textContent = "Abort";
      }, SURE_MS);
      return;
    }
    clearTimeout(sure);
    sure = 0;
    abortButton.textContent = "Abort";
    ask("abort", said);
  });
  if (!ownToken()) said.textContent = "This page can look on only: the address with the token is in the terminal of the run.";
  return el("div", {class: "controls"}, ownToken() ? [pauseButton, abortButton] : null, said);
}

function setControls() {
  pauseButton.disabled = abortButton.disabled = !now || now.phase === 0;
  abortButton.disabled = !now;
  if (now) pauseButton.textContent = now.paused ? "Go on" : now.pausing ? "Do not pause" : "Pause at the next gate";
}

// Parts that are opened stay so: they are known by what they are called and where they stand.
const openParts = () => [...document.querySelectorAll("details")].map((d) => d.open);

let shown_ms = 0, took_ms = 0, latest = null, waiting = 0;
const LONGEST_MS = 2000;

// A large run takes its time to be drawn: a fifth of a reader's processor is enough.
function showInTime(told) {
  latest = told;
  if (waiting !== 0) return;
  waiting = setTimeout(() => {
    waiting = 0;
    show(latest);
  }, Math.max(0, Math.min(5 * took_ms, LONGEST_MS) - (Date.now() - shown_ms)));
}

function show(told) {
  const began = performance.now();
  const opened = openParts(), names_before = [...document.querySelectorAll("summary")].map((s) => s.textContent), top = scrollY;
  take(told.results, told.live);
  build();
  charts.forEach((one) => part("a chart", () => drawChart(one)));
  const all = [...document.querySelectorAll("details")];
  const names_now = all.map((d) => d.querySelector("summary").textContent);
  names_before.forEach((name, i) => {
    if (opened[i]) (all[i] && names_now[i] === name ? all[i] : all[names_now.indexOf(name)])?.setAttribute("open", "");
  });
  scrollTo({top, behavior: "instant"});
  setControls();
  took_ms = performance.now() - began;
  shown_ms = Date.now();
}

function follow() {
  const source = new EventSource("events");
  const nothing = el("p", {class: "lead", id: "waiting"}, "Waiting for the run to say how it stands.");
  document.title = "fleetsim, live";
  document.getElementById("page").append(nothing);
  controlBar = controls();
  document.body.prepend(controlBar);
  const hear = (event) => {
    heard_ms = Date.now();
    quiet = "";
    const told = JSON.parse(event.data);
    if (told.live) {
      showInTime(told);
      return;
    }
    clearTimeout(waiting);
    controlBar.remove();
    show(told);
  };
  source.addEventListener("run", hear);
  source.addEventListener("end", (event) => {
    source.close();
    clearInterval(watch);
    hear(event);
  });
  const watch = setInterval(() => {
    if (heard_ms === 0 || Date.now() - heard_ms < STALE_MS) return;
    const said = source.readyState === EventSource.OPEN ? "The run has said nothing for a while: it is busy, or stands still." : "The run does not answer any more. Where it has ended, its results are in its folder: fleetsim report DIR.";
    if (said === quiet) return;
    quiet = said;
    document.querySelector("header")?.append(el("p", {class: "caveat", id: "quiet"}, said));
  }, 1000);
}
