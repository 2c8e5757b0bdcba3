// Elements. Text becomes text nodes and never markup: names of devices and scenarios are their owners' words.
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "width" && tag !== "canvas") element.style.width = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const KEPT = 8;

const code = (text) => el("code", {}, text);
const list = (items, attributes = {}) => el("ul", attributes, items.map((item) => el("li", {}, item)));

// head: texts; rows: cells, each text or nodes; a cell that is a number is put right
function table(caption, head, rows, attributes = {}) {
  const cell = (content, i) => {
    const numeric = typeof content === "string" && /^[\d<]/.test(content);
    return el(i === 0 ? "th" : "td", {scope: i === 0 ? "row" : null, class: numeric && i > 0 ? "number" : null}, content);
  };
  return el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption},
    el("table", attributes,
      el("caption", {class: "unseen"}, caption),
      el("thead", {}, el("tr", {}, head.map((text) => el("th", {scope: "col"}, text)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map(cell))))));
}

function section(id, title, lead, ...children) {
  return el("section", {id, "aria-labelledby": `${id}-title`},
    el("h2", {id: `${id}-title`}, title), lead ? el("p", {class: "lead"}, lead) : null, ...children);
}

// a mark that is told by its shape as well as by its colour
const mark = (good) => el("span", {class: good ? "mark good" : "mark bad", role: "img", "aria-label": good ? "holds" : "does not hold"}, good ? "✓" : "✕");

function more(summary, ...children) {
  return el("details", {}, el("summary", {}, summary), ...children);
}

// Up to `most` names. A run keeps the first eight of a kind, so that eight may be some of many.
function names(devicesOf, most = KEPT) {
  const all = devicesOf ?? [];
  if (all.length === 0) return null;
  const rest = all.length > most || all.length >= KEPT ? " …" : "";
  return el("span", {class: "names"}, all.slice(0, most).flatMap((name, i) => [i > 0 ? " " : "", code(name)]), rest);
}
