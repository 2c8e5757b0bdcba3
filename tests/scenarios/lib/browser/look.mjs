// Opens pages of runs in Chromium and says what is wrong with them. usage: look.mjs FOLDER_OF_PLAYWRIGHT CHROMIUM SHOTS PAGE...
// PAGE is NAME=FILE; what is expected of it is under its name below. Screenshots of each go to the folder SHOTS.
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const [playwright, executablePath, shots, ...pages] = process.argv.slice(2);
const {chromium} = createRequire(`${playwright}/`)("playwright-core");
const EVIL = `</script><script>document.title="owned"</script><!--<img src=x onerror=alert(1)>\u2028&amp;"'`;

// words of the first screen, and of the page, and how many charts it has at least
const WANTED = {
  large: {title: "FAIL: root CA rotation with a storm", verdict: ["FAIL", 'phase "wake the shelf"'], first: ["37 of 16,000 devices", "connect.tls.not_trusted", "push a bundle", "--set fleet.devices=16000"],
    text: ["Who trusts what", "How times are spread", "Firmware updates", "wave 3", "Storms", "never", "not foretold", "no trust anchor"], charts: 14},
  hostile: {title: `FAIL: ${EVIL}`, verdict: ["FAIL", EVIL], first: ["1 of 1 device should be online"], text: [EVIL], charts: 0},
  early: {title: "ERROR: too early", verdict: ["ERROR", "does not answer"], first: ["nothing is known of them", "says what stands in the way"], text: ["None of 2 phases was reached", "2 switch not reached"], charts: 0},
  failed: {title: "FAIL: ", verdict: ["FAIL"], first: ["Look at phase"], text: ["Devices online", "Who trusts what", "Failures by reason", "seed", "which certificate and list expires when"], charts: 5},
  killed: {title: "NO VERDICT: killed in its second phase", verdict: ["NO VERDICT", "The run did not end: it was killed"], first: ["To phase 2 stay, step wait.", "20 of 20 devices were online then; 20 ever were", "do not take it for a pass"],
    text: ["Devices online", "2 phases had begun", "under way: wait", "nothing vouches for it"], charts: 1},
  passed: {title: "PASS: ", verdict: ["PASS", "Every gate and every expectation held"], first: ["No device is lost", "Nothing"], text: ["Devices online", "seed"], charts: 4},
};
const SEEN = {large: ["light", "dark", "phone"], hostile: ["light"], early: ["phone"], failed: ["light"], killed: ["light", "phone"], passed: ["dark"]};
const VIEWS = {
  light: {viewport: {width: 1280, height: 800}, colorScheme: "light"},
  dark: {viewport: {width: 1280, height: 800}, colorScheme: "dark"},
  phone: {viewport: {width: 390, height: 844}, colorScheme: "light", deviceScaleFactor: 2, isMobile: true, hasTouch: true},
};

let wrong = 0;
function claim(holds, sentence) {
  if (holds) return;
  console.log(`FAIL ${sentence}`);
  wrong++;
}

const plain = (text) => text.replace(/\s+/g, " ");
const says = (text, one) => one === EVIL ? text.includes(plain(EVIL)) : one.split("|").some((word) => text.includes(word));

async function open(browser, name, file, view) {
  const context = await browser.newContext(VIEWS[view]), page = await context.newPage(), url = pathToFileURL(file).href;
  page.on("console", (message) => claim(false, `${name}, ${view}: the console says: ${message.text()}`));
  page.on("pageerror", (error) => claim(false, `${name}, ${view}: ${error.stack}`));
  page.on("dialog", (dialog) => { claim(false, `${name}, ${view}: a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => claim(request.url() === url, `${name}, ${view}: it fetches ${request.url()}`));
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName("drawn").length > 0, null, {timeout: 20000});
  return page;
}

async function read(page, name, view) {
  const wanted = WANTED[name];
  const seen = await page.evaluate(() => ({
    title: document.title, text: document.body.innerText, verdict: document.getElementById("verdict").innerText,
    first: [...document.querySelectorAll(".answers, .verdict")].map((e) => e.innerText).join(" "),
    answers_end: document.querySelector(".answers").getBoundingClientRect().bottom + scrollY,
    charts: document.querySelectorAll("figure canvas").length, figures: document.querySelectorAll("figure").length,
    captions: [...document.querySelectorAll("figure")].filter((f) => f.querySelector("figcaption").innerText.length > 5 && f.querySelector("[role=img]").ariaLabel.length > 5).length,
    wide: document.documentElement.scrollWidth, width: innerWidth, scripts: document.scripts.length, images: document.images.length,
  }));
  const at = `${name}, ${view}:`;
  claim(seen.title === wanted.title || (wanted.title.endsWith(": ") && seen.title.startsWith(wanted.title)), `${at} the title is ${seen.title}`);
  for (const word of wanted.verdict) claim(says(plain(seen.verdict), word), `${at} the verdict does not say ${word}: ${seen.verdict}`);
  for (const word of wanted.first) claim(says(plain(seen.first), word), `${at} the first screen does not say ${word}`);
  for (const word of wanted.text) claim(says(plain(seen.text), word), `${at} the page does not say ${word}`);
  claim(!/undefined|NaN|\[object|could not be drawn/.test(seen.text), `${at} it says ${/.*(undefined|NaN|\[object|could not be drawn).*/.exec(seen.text)?.[0]}`);
  claim(seen.charts >= wanted.charts && seen.charts === seen.figures, `${at} ${seen.charts} charts of ${seen.figures} are drawn, at least ${wanted.charts} are wanted`);
  claim(seen.captions === seen.figures, `${at} ${seen.captions} of ${seen.figures} charts have a text beside them`);
  claim(seen.wide <= seen.width, `${at} it is ${seen.wide} pixels wide on ${seen.width}`);
  claim(seen.scripts === 2 && seen.images === 0, `${at} it has ${seen.scripts} scripts and ${seen.images} images`);
  claim(view === "phone" || seen.answers_end <= 800, `${at} the answers end at ${seen.answers_end}, below the first screen`);
}

// The machine is busy with other tests: the best of five is the page's own.
async function interactive(browser, name, file) {
  const took = [];
  for (let i = 0; i < 5; i++) {
    const page = await open(browser, name, file, "light");
    took.push(await page.evaluate(() => performance.getEntriesByName("interactive")[0].startTime));
    await page.context().close();
  }
  console.log(`${name}: interactive after ${Math.min(...took).toFixed(0)} ms (${took.map((ms) => ms.toFixed(0)).join(", ")})`);
  claim(Math.min(...took) < 1000, `${name}: it is interactive after ${Math.min(...took)} ms, which is to be less than 1000`);
}

const browser = await chromium.launch({executablePath, args: ["--no-sandbox"]});
console.log(`Chromium ${browser.version()}`);
for (const [name, file] of pages.map((page) => page.split("="))) {
  for (const view of SEEN[name]) {
    const page = await open(browser, name, file, view);
    await read(page, name, view);
    await page.screenshot({path: `${shots}/${name}-${view}.png`, fullPage: true});
    if (view === "dark") { // paper is white
      await page.emulateMedia({media: "print"});
      await page.waitForTimeout(200);
      claim((await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--ink"))).trim() === "#16191d", `${name}: it is printed in the colours of the dark screen`);
      await page.pdf({path: `${shots}/${name}.pdf`, format: "A4", printBackground: true});
      await page.screenshot({path: `${shots}/${name}-print.png`, fullPage: true});
    }
    await page.context().close();
  }
  if (name === "large") await interactive(browser, name, file);
}
await browser.close();
process.exit(wrong > 0 ? 1 : 0);
