// The live page of a run in Chromium, while the run goes on. usage: live.mjs FOLDER_OF_PLAYWRIGHT CHROMIUM SHOTS PAGE_WITH_TOKEN
// It looks on, tries what must be refused, pauses the run, lets it go on, and aborts it.
import {createServer} from "node:http";
import {createRequire} from "node:module";

const [playwright, executablePath, shots, address] = process.argv.slice(2);
const {chromium} = createRequire(`${playwright}/`)("playwright-core");
const [url, token] = address.split("#");

let wrong = 0;
function claim(holds, sentence) {
  console.log(`${holds ? "ok  " : "FAIL"} ${sentence}`);
  if (!holds) wrong++;
}

const browser = await chromium.launch({executablePath, args: ["--no-sandbox"]});
const context = await browser.newContext({viewport: {width: 1280, height: 800}});
const page = await context.newPage(), complaints = [];
page.on("console", (message) => complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(error.stack));
const fetched = new Set();
page.on("request", (request) => fetched.add(request.url()));
const text = () => page.evaluate(() => document.body.innerText.replace(/\s+/g, " "));
const says = (word, within_ms = 30000) => page.waitForFunction((w) => document.body.innerText.replace(/\s+/g, " ").includes(w), word, {timeout: within_ms}).then(() => true, () => false);

await page.goto(address);
claim(await says("RUNNING"), "it says that the run goes on");
claim(await says("30 of 30 online"), "and how many devices are online");
claim(await says("waiting for telemetry.sent"), "and which gate is waited for");
const observed = async () => Number(/Observed: (\d+)/.exec(await text())?.[1]);
const before = await observed();
await page.waitForFunction((n) => Number(/Observed: (\d+)/.exec(document.body.innerText)?.[1]) > n, before, {timeout: 10000}).catch(() => null);
const later = await observed(), seen = await text();
claim(later > before, `the gate's progress moves: ${before}, ${later}`);
claim((await page.locator("figure canvas").count()) >= 3, "charts are drawn");
claim(!(await page.url()).includes(token) && !(await text()).includes(token), "the token is neither in the address any more nor on the page");
claim(!/PASS|FAIL|undefined|NaN|could not be drawn/.test(seen), "there is no verdict so far, and nothing undefined");
await page.screenshot({path: `${shots}/live-running.png`, fullPage: true});

// asked early: the rest is tried while the gate is waited for, or in the pause, however slow this machine is
await page.click("#pause");
claim(await says("Then the run pauses"), "it will pause when the gate is reached");

// what is opened stays so
await page.locator("details summary").first().click();
await page.waitForTimeout(1500);
claim((await page.locator("details[open]").count()) === 1, "what a reader has opened stays open");

// another site, with and without the token
const elsewhere = createServer((_, answer) => answer.end("<!doctype html><title>evil</title>")).listen(0, "127.0.0.1");
await new Promise((done) => elsewhere.once("listening", done));
const stranger = await context.newPage();
await stranger.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
const tried = await stranger.evaluate(async ([there, secret]) => {
  const outcome = async (path, options) => fetch(there + path, options).then((a) => `answered ${a.status} ${a.type}`, () => "refused");
  const stream = await new Promise((done) => {
    const source = new EventSource(`${there}events`);
    source.onerror = () => { source.close(); done("refused"); };
    source.addEventListener("run", () => { source.close(); done("heard"); });
  });
  const framed = await new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.src = there;
    frame.onload = () => done("loaded");
    document.body.append(frame);
    setTimeout(() => done("nothing"), 3000);
  });
  return {
    abort: await outcome("control", {method: "POST", headers: {"Fleetsim-Token": secret}, body: "abort"}),
    blind: await outcome("control", {method: "POST", mode: "no-cors", body: "abort"}),
    metrics: await outcome("metrics", {}), stream, framed,
  };
}, [url, token]);
claim(tried.abort === "refused" && tried.metrics === "refused" && tried.stream === "refused", `another site is refused, even with the token: ${JSON.stringify(tried)}`);
claim(stranger.frames().every((frame) => !frame.url().startsWith(url) || frame.url().startsWith("chrome-error")) || (await stranger.frames()[1]?.evaluate(() => document.getElementById("page")).catch(() => null)) === null, "another site cannot frame it");
await stranger.close();
elsewhere.close();

// a wrong token
const guesser = await context.newPage();
await guesser.goto(`${url}#00000000000000000000000000000000`);
await guesser.waitForFunction(() => document.getElementById("pause")?.disabled === false);
await guesser.click("#pause");
const refused = await guesser.waitForFunction(() => document.getElementById("said").textContent.includes("token"), null, {timeout: 10000}).then(() => true, () => false);
claim(refused, "a wrong token is refused, and the page says so");
await guesser.close();
const looker = await context.newPage();
await looker.goto(url);
claim(await looker.waitForFunction(() => document.getElementById("said")?.textContent.includes("look on only"), null, {timeout: 10000}).then(() => true, () => false), "without a token the page looks on only");
claim((await looker.locator("#abort").count()) === 0, "and has no button");
await looker.close();
claim(/RUNNING|PAUSED/.test(await text()), "nothing of that has ended the run");
claim(await says("PAUSED", 60000), "it pauses when the gate is reached");
await page.screenshot({path: `${shots}/live-paused.png`});
claim((await page.locator("#pause").innerText()) === "Go on", "it can be let go on");
await page.click("#pause");
claim(await says("Phase 3 of 3"), "and does");
await page.click("#abort");
claim((await page.locator("#abort").innerText()).includes("sure"), "abort asks once more");
await page.click("#abort");
claim(await says("STOPPED"), "the run is over, and the page is its report");
claim(await says("aborted by hand on the live page"), "which says that it was aborted by hand");
claim(await says("Paused by hand 1 time"), "and that it was paused");
claim((await page.locator("#abort").count()) === 0, "its controls are gone");
await page.waitForTimeout(500);
await page.screenshot({path: `${shots}/live-over.png`, fullPage: true});
claim(complaints.length === 0, `the console says nothing: ${complaints.join("; ")}`);
claim([...fetched].every((one) => one.startsWith(url)), `it fetches from nowhere else: ${[...fetched].join(" ")}`);
await browser.close();
process.exit(wrong > 0 ? 1 : 0);
