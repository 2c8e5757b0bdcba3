// Where it ran and how to repeat it, and every number of it with what it means.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function commandLine() {
  return run.repeat ?? (run.scenario?.file ? `fleetsim run ${quoted(run.scenario.file)}` : null);
}

function machineWords() {
  const m = run.machine;
  if (!m) return null;
  return [m.processor, m.cores > 0 ? plural(m.cores, "core") : null, m.memory_bytes > 0 ? `${bytes(m.memory_bytes)} of memory` : null, m.kernel].filter(Boolean).join(", ") || null;
}

function brokerWords() {
  const told = (run.brokers ?? []).map((b) => [b.name, b.kind, b.url].filter(Boolean).join(" "));
  return told.length > 0 ? list(told) : run.broker ? [run.broker.kind, run.broker.version].filter(Boolean).join(" ") : null;
}

function budget() {
  const b = run.timing?.budget;
  if (!b || Object.keys(b).length === 0) return null;
  return [b.rom_bytes ? `${bytes(b.rom_bytes)} of code` : null, b.ram_peak_bytes ? `${bytes(b.ram_peak_bytes)} of memory at most` : null, b.record_bytes ? `records of ${bytes(b.record_bytes)}` : null,
    b.trust_anchors_max ? plural(b.trust_anchors_max, "trust anchor") : null, b.chain_bytes ? `chains of ${bytes(b.chain_bytes)}` : null].filter(Boolean).join(", ");
}

function timingWords() {
  const t = run.timing;
  return t ? `${t.profile}, ${shortest(t.clock_hz / 1e6)} MHz, memory factor ${t.k_mem.nominal} (${t.k_mem.low} to ${t.k_mem.high})${t.paced ? ", paced" : ""}` : null;
}

function about() {
  const v = run.versions ?? {}, command = commandLine();
  const facts = [
    ["again", command ? el("code", {class: "command"}, command) : null],
    ["scenario", run.scenario?.file ? [run.scenario.file, run.scenario.sha256 ? el("span", {class: "hash"}, ` SHA-256 ${run.scenario.sha256}`) : null] : null],
    ["set", run.set?.length > 0 ? list(run.set.map((s) => code(`${s.path}=${s.value}`))) : null],
    ["seed", run.seed === undefined ? null : String(run.seed)],
    ["started", run.started?.replace("T", " ").replace("Z", " UTC")],
    ["versions", Object.entries(v).filter(([, text]) => text).map(([name, text]) => (name === "broker" ? text : `${name} ${text}`)).join(", ")],
    [(run.brokers ?? []).length > 1 ? "brokers" : "broker", brokerWords()],
    ["machine", machineWords()],
    ["device's profile", run.fleet?.profile && run.fleet.profile !== "none" ? run.fleet.profile : null],
    ["device's times", timingWords()],
    ["device's budget", budget()],
    ["P-256 by", run.fleet?.crypto],
    ["run", run.run_id ? code(run.run_id) : null],
  ].filter(([, content]) => content);
  return section("about", "The run", null,
    el("dl", {class: "about panel"}, facts.map(([term, content]) => [el("dt", {}, term), el("dd", {}, content)])),
    run.scenario?.text ? more("the scenario as it was run", el("pre", {tabindex: "0"}, run.scenario.text)) : null,
    expiries(), everyNumber());
}

const KINDS = {root: "root CA", issuer: "issuing CA", broker: "broker's certificate", list: "revocation list of"};

function expiries() {
  const rows = (run.expires ?? []).map((one) => [(one.at ?? "").replace("T", " ").replace("Z", " UTC"), KINDS[one.kind] ?? one.kind, one.name]);
  return rows.length > 0 ? more("which certificate and list expires when", table("expires", ["ends", "what", "name"], rows)) : null;
}

function everyNumber() {
  const rows = Object.entries(run.metrics ?? {}).map(([name, m]) => [code(name),
    "value" in m ? (m.value === null ? "no value" : number(m.value)) : m.count > 0 ? `${number(m.count)}: 50 % ${shortest(m.p50)}, 99 % ${shortest(m.p99)}, most ${shortest(m.max)}` : "0", words.metrics?.[name] ?? ""]);
  return rows.length > 0 ? more("every number, and what it means", table("metrics", ["name", "value", "meaning"], rows, {class: "metrics"})) : null;
}
