// The review: what is asked of the server, the keys, and what is told.

import {Controls} from "./controls.js";
import {Enlarged, showAlike} from "./enlarged.js";
import {ask, element, Sheet} from "./sheet.js";

const find = id => document.getElementById(id);
history.replaceState(null, "", "/");  // the token has been seen; it need not be in a history

const start = await ask("start", {});
const large = new Enlarged(find("large"), start.sides);
const sheet = new Sheet(find("sheet"), {
  side: start.sides[0],
  chosen: progress,
  opened: () => act("enlarge"),
});
let state = null, newest = 0, sent = null, toldUntil = null;

const controls = new Controls(find("controls"), start, refresh);

function tell(text) {
  find("told").textContent = text;
  clearTimeout(toldUntil);
  toldUntil = setTimeout(() => { find("told").textContent = ""; }, 6000);
}

// Ask for a sample; what comes when another one was asked for since is passed over.
async function refresh() {
  sent?.abort();
  sent = new AbortController();
  const number = ++newest;
  try {
    const found = await ask("sample", controls.state, sent.signal);
    if (number === newest) show(found);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    find("wrong").textContent = problem.message;
  }
}

// Store something, and show the sample that it makes.
async function change(name, question) {
  try {
    const found = await ask(name, {...controls.state, ...question});
    newest++;
    show(found);
    return found;
  } catch (problem) {
    tell(problem.message);
    return null;
  }
}

function show(found) {
  state = {...found, by: controls.state.by};
  find("wrong").textContent = "";
  find("figures").replaceChildren(...found.figures.map(([number, of, what]) => {
    const figure = element("div", "figure");
    figure.append(element("b", "", number.toLocaleString()),
      element("span", "", `of ${of.toLocaleString()} ${what}`));
    return figure;
  }));
  find("command").textContent = found.command;
  const whose = start.readOnly ? "Only to be looked at." : `Decided by ${start.observer}.`;
  find("about").textContent = found.review ? `${found.review}. ${whose}` : whose;
  controls.bound(found.least, found.images);
  if (found.count < found.asked)
    find("wrong").textContent = `${found.asked.toLocaleString()} were asked for, and there are ${found.count.toLocaleString()}.`;
  sheet.update(state);
  progress();
  document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
}

function progress() {
  if (!state) return;
  const place = sheet.ids.indexOf(sheet.current) + 1;
  find("progress").textContent = `${place.toLocaleString()} of ${state.count.toLocaleString()} · ` +
    `${state.kept.toLocaleString()} kept, ${state.rejected.toLocaleString()} rejected`;
}

const target = () => large.isOpen ? large.shown : sheet.current;

async function decide(what, more = {}) {
  const image = target();
  if (image === null) return;
  const isOther = image !== sheet.current;
  const done = await change("decide", {image, what, ...more});
  if (!done) return;
  tell({kept: "kept", rejected: "rejected and replaced", left: "left"}[what]);
  if (isOther && sheet.ids.includes(image)) sheet.choose(image, {focus: !large.isOpen});
  else if (what === "kept" && !isOther) sheet.stepOn({focus: !large.isOpen});
  if (large.isOpen && sheet.current !== null) await large.open(sheet.current, state.decisions);
}

const actions = {
  previous: () => move(-1),
  next: () => move(1),
  up: () => large.isOpen ? large.step(-1) : sheet.row(-1),
  down: () => large.isOpen ? large.step(1) : sheet.row(1),
  earlier: () => large.step(-1),
  later: () => large.step(1),
  keep: () => decide(state.decisions[target()]?.[0] === "kept" ? "left" : "kept"),
  reject: () => decide("rejected"),
  none: () => decide("rejected", {within: start.alike}),
  async undo() {
    const done = await change("undo", {});
    if (!done) return;
    tell(done.undone === null ? "there is nothing to undo" : "the last decision is undone");
    if (sheet.ids.includes(done.undone)) sheet.choose(done.undone, {focus: !large.isOpen});
    if (large.isOpen && sheet.current !== null) await large.open(sheet.current, state.decisions);
  },
  enlarge: () => sheet.current === null ? null : large.open(sheet.current, state.decisions),
  note() {
    if (target() === null) return;
    find("why").value = state.decisions[target()]?.[1] ?? "";
    find("noting").showModal();
  },
  more() {
    const image = target();
    if (image === null) return null;
    const keep = id => change("decide", {image: id, what: "kept"});
    return showAlike(find("alike"), start.sides[0], {...controls.state, image}, keep, start.readOnly);
  },
  close: () => [...document.querySelectorAll("dialog[open]")].at(-1)?.close(),
};
const changing = new Set(["keep", "reject", "none", "undo", "note"]);

async function move(by) {
  sheet.step(by, {focus: !large.isOpen});
  if (large.isOpen) await large.open(sheet.current, state.decisions);
}

// One after the other, however fast the keys are: each on what the one before left.
let doing = Promise.resolve();
function act(name) {
  if (!state || (start.readOnly && changing.has(name))) return;
  doing = doing.then(() => actions[name]()).catch(problem => tell(problem.message));
}

const keys = {
  ArrowLeft: "previous", ArrowRight: "next", ArrowUp: "up", ArrowDown: "down", k: "keep",
  r: "reject", u: "undo", e: "enlarge", n: "note", m: "more", o: "none",
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, [role=textbox]")) return;
  if (find("noting").open || find("alike").open) return;
  const name = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!name) return;
  event.preventDefault();
  act(name);
});
document.addEventListener("click", event => {
  const button = event.target.closest("[data-do]");
  if (button) act(button.dataset.do);
});
find("large").addEventListener("close", () => {
  if (sheet.current !== null) sheet.choose(sheet.current);
});
find("note-form").addEventListener("submit", () => {
  change("note", {image: target(), why: find("why").value.trim()}).then(done => {
    if (done) tell("the note is saved");
    if (large.isOpen) large.open(target(), state.decisions);
  });
});

async function copied(text) {
  return navigator.clipboard.writeText(text).then(() => true, () => false);
}
find("copy").addEventListener("click", async () => {
  if (await copied(find("command").textContent)) return tell("the command is copied");
  getSelection().selectAllChildren(find("command"));
  tell("the command is marked: copy it with Ctrl-C");
});
find("save").addEventListener("click", async () => {
  try {
    const name = find("name").value;
    const {images} = await ask("save", {...controls.state, name});
    tell(`${images.toLocaleString()} images are saved as ${name}`);
  } catch (problem) {
    tell(problem.message);
  }
});

const ENDS = {csv: "csv", timelapse: "csv", parquet: "parquet", paths: "txt", null: "txt",
              cvat: "jsonl"};
find("format").replaceChildren(...start.formats.map(form => {
  const option = element("option", "", `${form.name}: ${form.summary}`);
  option.value = form.name;
  return option;
}));
const chosenForm = () => start.formats.find(one => one.name === find("format").value);
find("format").addEventListener("change", () => {
  find("putting").hidden = start.readOnly || !chosenForm().isFolder;
});
find("export").addEventListener("click", async () => {
  const form = chosenForm(), folder = find("folder").value.trim();
  if (form.isFolder && folder && !start.readOnly) {
    tell("being written");
    const {said} = await ask("put", {...controls.state, form: form.name, folder})
      .catch(problem => ({said: [problem.message]}));
    return tell(said.join("; "));
  }
  if (!form.isFile) {
    const command = `${find("command").textContent} ${form.flags}`;
    return tell(`${await copied(command) ? "copied; " : ""}it is written by: ${command}`);
  }
  const answer = await fetch(`/export/${form.name}`, {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify(controls.state),
  });
  if (!answer.ok) return tell((await answer.json()).error);
  const link = element("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = `sample.${ENDS[form.name] ?? "json"}`;
  link.click();
  URL.revokeObjectURL(link.href);
  tell(`${link.download} is written`);
});

if (start.readOnly) {
  for (const button of document.querySelectorAll("[data-changes]")) button.hidden = true;
  find("saving").hidden = true;
}
await refresh();
