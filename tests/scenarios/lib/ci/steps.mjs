// What the examples of scenarios/ci tell a CI system to do, as files for a shell: read by a parser of YAML, or of a Jenkinsfile by
// its sh '...' steps. usage: steps.mjs NODE_MODULES EXAMPLE FOLDER
//   FOLDER/NN.sh       a step's commands; each in a shell of its own, as the system runs them
//   FOLDER/artefacts   what is kept whatever happens, one path or pattern a line
import {mkdirSync, readFileSync, writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import {basename, join, resolve} from "node:path";

const [modules, file, folder] = process.argv.slice(2);
const text = readFileSync(file, "utf8");
const fail = (why) => { console.error(`${file}: ${why}`); process.exit(1); };

// Of an unknown key, an anchor that is not there, a key that stands twice: an error, as GitHub and GitLab have it.
function yaml() {
  const document = createRequire(join(resolve(modules), "x"))("yaml").parseDocument(text, {strict: true, uniqueKeys: true});
  if (document.errors.length + document.warnings.length > 0) fail([...document.errors, ...document.warnings].join("; "));
  return document.toJS();
}

// docs.github.com, "Workflow syntax": a step has either run or uses; an action is OWNER/NAME@VERSION.
function github() {
  const {on, jobs} = yaml();
  if (!on || !jobs) fail("a workflow has 'on' and 'jobs'");
  const steps = Object.values(jobs).flatMap((job) => job["runs-on"] ? job.steps : fail("a job has 'runs-on'"));
  for (const step of steps) {
    if (("run" in step) === ("uses" in step)) fail(`a step has either run or uses: ${JSON.stringify(step)}`);
    if (step.uses && !/^[\w-]+\/[\w/-]+@v\d+$/.test(step.uses)) fail(`no action of a version: ${step.uses}`);
  }
  const kept = steps.filter((step) => step.uses?.startsWith("actions/upload-artifact@"));
  if (kept.length !== 1 || kept[0].if !== "always()") fail("the artefacts are not kept always()");
  return [steps.filter((step) => step.run).map((step) => step.run), kept[0].with.path.trim().split("\n")];
}

// docs.gitlab.com, "CI/CD YAML syntax": before_script and script are one shell.
function gitlab() {
  const [job, more] = Object.values(yaml());
  if (more || !job.script) fail("it is one job with a script");
  if (job.artifacts.when !== "always") fail("the artefacts are not kept always");
  if (!job.artifacts.paths.includes(job.artifacts.reports.junit)) fail("the report is not among the artefacts");
  return [[[...(job.before_script ?? []), ...job.script].join("\n")], job.artifacts.paths];
}

function jenkins() {
  let depth = 0;
  for (const c of text.replace(/'(\\.|[^'\\])*'/g, "")) {
    depth += c === "{" ? 1 : c === "}" ? -1 : 0;
    if (depth < 0) fail("a brace is closed and none is open");
  }
  if (depth !== 0) fail("a brace is left open");
  const steps = [...text.matchAll(/\bsh '((?:\\.|[^'\\])*)'/g)].map((m) => m[1].replace(/\\(.)/g, "$1"));
  const always = text.match(/post \{\s*always \{([^}]*)\}/)?.[1] ?? fail("the artefacts are not kept always");
  const kept = always.match(/archiveArtifacts artifacts: '([^']*)'/)?.[1] ?? fail("it archives nothing");
  if (!/junit testResults: '([^']*)'/.test(always)) fail("it reads no junit.xml");
  return [steps, kept.split(",").map((path) => path.trim())];
}

const kind = basename(file);
const [steps, artefacts] = kind.startsWith("github") ? github() : kind.startsWith("gitlab") ? gitlab() : jenkins();
if (steps.length === 0) fail("it does nothing");
mkdirSync(folder, {recursive: true});
steps.forEach((step, n) => writeFileSync(join(folder, `${String(n + 1).padStart(2, "0")}.sh`), `${step}\n`));
writeFileSync(join(folder, "artefacts"), artefacts.map((path) => `${path}\n`).join(""));
console.log(`${kind}: ${steps.length} steps, ${artefacts.length} artefacts`);
