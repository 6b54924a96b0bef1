// The contact sheet: a tile for each picture, of which only those that are seen are filled.

export async function ask(name, question, signal) {
  const answer = await fetch(`/api/${name}`, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(question),
    signal,
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

export function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

// A picture, whole and in its own shape, with its boxes; or why there is none.
export function picture(info, side) {
  const whole = element("span", "whole"), image = element("img");
  image.alt = "";
  image.decoding = "async";
  const shape = (width, height) => whole.style.setProperty("--shape", width / height);
  shape(info.width, info.height);
  image.addEventListener("load", () => shape(image.naturalWidth, image.naturalHeight));
  image.addEventListener("error", async () => {
    const answer = await fetch(image.src).catch(() => null);
    const why = answer && !answer.ok ? await answer.text() : "the server has ended";
    whole.replaceWith(element("span", "none", `no picture: ${why}`));
  });
  image.src = `/picture/${side}/${info.id}`;
  whole.append(image);
  for (const [label, x, y, width, height] of info.boxes) {
    const box = element("span", "box");
    box.title = label;
    box.style.left = `${100 * x}%`;
    box.style.top = `${100 * y}%`;
    box.style.width = `${100 * width}%`;
    box.style.height = `${100 * height}%`;
    whole.append(box);
  }
  return whole;
}

export function words(info) {
  return [info.camera || "the archive itself", info.taken || "no time", info.labels.join(", ")];
}

export function caption(info) {
  const made = element("span", "caption");
  const kinds = ["where", "when", "labels"];
  words(info).forEach((text, at) => made.append(element("span", kinds[at], text)));
  return made;
}

const MARGIN = "700px", MOST_FILLED = 1500, MOST_ASKED = 200;

export class Sheet {
  constructor(root, {side, chosen, opened}) {
    this.root = root;
    this.side = side;
    this.chosen = chosen;
    this.tiles = new Map();
    this.infos = new Map();
    this.sections = new Map();
    this.ids = [];
    this.current = null;
    this.hadFocus = false;
    this.decisions = {};
    this.wanted = new Set();
    this.filled = new Set();
    this.seen = new Set();
    this.watch = new IntersectionObserver(found => this.look(found), {rootMargin: MARGIN});
    root.addEventListener("click", event => {
      const tile = event.target.closest(".tile");
      if (!tile) return;
      this.choose(Number(tile.dataset.id));
      opened();
    });
    root.addEventListener("focusin", event => {
      const tile = event.target.closest(".tile");
      if (tile) this.choose(Number(tile.dataset.id), {focus: false});
    });
  }

  update(state) {
    const before = this.ids, had = new Set(before);
    this.ids = state.groups.flatMap(([, , ids]) => ids);
    this.decisions = state.decisions;
    const there = new Set(this.ids), used = new Set();
    const sections = state.groups.map(([name, images, ids], at) => {
      const key = name ? `named ${name}` : `nameless ${at}`;
      const section = this.section(used.has(key) ? `${key} ${at}` : key);
      used.add(section.dataset.key);
      this.head(section, name, images, ids, state);
      section.style.setProperty("--n", ids.length);
      const list = section.lastChild;
      const shown = [...list.children].map(tile => Number(tile.dataset.id));
      if (shown.length !== ids.length || shown.some((id, place) => id !== ids[place]))
        list.replaceChildren(...ids.map(id => this.tile(id)));
      return section;
    });
    this.root.replaceChildren(...sections);
    for (const [key] of this.sections) if (!used.has(key)) this.sections.delete(key);
    for (const id of before) if (!there.has(id)) this.forget(id);
    for (const id of this.filled) this.mark(id);
    if (!there.has(this.current)) {
      const added = this.ids.filter(id => !had.has(id));
      const place = Math.max(0, before.indexOf(this.current));
      const next = added.length === 1 && before.length
        ? added[0] : this.ids[Math.min(place, this.ids.length - 1)];
      this.current = null;
      if (next !== undefined) this.choose(next, {focus: this.hadFocus, scroll: this.hadFocus});
    }
  }

  section(key) {
    if (!this.sections.has(key)) {
      const made = element("section", "group");
      made.dataset.key = key;
      made.append(element("h2"), element("ul", "tiles"));
      this.sections.set(key, made);
    }
    return this.sections.get(key);
  }

  head(section, name, images, ids, state) {
    const unnamed = {label: "no label", day: "no time", camera: "the archive itself",
                     burst: "a burst"}[state.by] ?? "";
    const head = section.firstChild;
    head.replaceChildren(document.createTextNode(`${name || unnamed} `),
      element("small", "", `${ids.length.toLocaleString()} of ${images.toLocaleString()}`));
  }

  tile(id) {
    if (!this.tiles.has(id)) {
      const tile = element("li", "tile"), shot = element("button", "shot");
      tile.dataset.id = id;
      shot.type = "button";
      shot.tabIndex = -1;
      shot.setAttribute("aria-label", "a picture that is not shown yet");
      shot.append(element("span", "view"), element("span", "caption"));
      tile.append(shot, element("span", "mark"));
      this.tiles.set(id, tile);
      this.watch.observe(tile);
    }
    return this.tiles.get(id);
  }

  forget(id) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    this.hadFocus = tile.contains(document.activeElement) || this.hadFocus;
    this.watch.unobserve(tile);
    this.tiles.delete(id);
    for (const some of [this.filled, this.seen, this.wanted]) some.delete(id);
  }

  look(found) {
    for (const {target, isIntersecting} of found) {
      const id = Number(target.dataset.id);
      if (isIntersecting) this.seen.add(id);
      else this.seen.delete(id);
      if (isIntersecting && !this.filled.has(id)) this.want(id);
    }
    if (this.filled.size > MOST_FILLED)
      for (const id of this.filled) if (!this.seen.has(id)) this.empty(id);
  }

  want(id) {
    if (this.infos.has(id)) return this.fill(id);
    if (!this.wanted.size) setTimeout(() => this.fetch(), 15);
    this.wanted.add(id);
  }

  async fetch() {
    const ids = [...this.wanted].filter(id => this.seen.has(id)).slice(0, MOST_ASKED);
    this.wanted.clear();
    if (!ids.length) return;
    for (const info of await ask("images", {ids}).catch(() => [])) {
      this.infos.set(info.id, info);
      if (this.tiles.has(info.id)) this.fill(info.id);
    }
    for (const id of this.seen) if (!this.infos.has(id) && !ids.includes(id)) this.want(id);
  }

  fill(id) {
    const tile = this.tiles.get(id), info = this.infos.get(id), shot = tile.firstChild;
    const view = element("span", "view");
    view.append(picture(info, this.side));
    shot.replaceChildren(view, caption(info));
    shot.title = info.path;
    this.filled.add(id);
    this.mark(id);
  }

  empty(id) {
    this.tiles.get(id)?.firstChild.replaceChildren(
      element("span", "view"), element("span", "caption"));
    this.filled.delete(id);
  }

  mark(id) {
    const tile = this.tiles.get(id), info = this.infos.get(id);
    if (!tile || !info) return;
    const [what, why] = this.decisions[id] ?? ["left", null];
    tile.classList.toggle("kept", what === "kept");
    tile.classList.toggle("noted", Boolean(why));
    tile.lastChild.textContent = [what === "kept" ? "kept" : "", why ?? ""].filter(Boolean).join(" · ");
    tile.firstChild.setAttribute("aria-label",
      [...words(info), what === "kept" ? "kept" : "", why ?? ""].filter(Boolean).join(", "));
  }

  choose(id, {focus = true, scroll = true} = {}) {
    if (this.current !== id) {
      const before = this.tiles.get(this.current);
      before?.classList.remove("current");
      if (before) before.firstChild.tabIndex = -1;
    }
    const tile = this.tiles.get(id);
    if (!tile) return;
    this.current = id;
    this.hadFocus = false;
    tile.classList.add("current");
    tile.firstChild.tabIndex = 0;
    if (scroll) tile.scrollIntoView({block: "nearest"});
    if (focus) tile.firstChild.focus({preventScroll: true});
    this.chosen(id);
  }

  step(by, {focus = true} = {}) {
    const place = this.ids.indexOf(this.current) + by;
    if (place >= 0 && place < this.ids.length) this.choose(this.ids[place], {focus});
  }

  // Go on to what is still to be decided, from the start again where nothing more follows.
  stepOn({focus = true} = {}) {
    const place = this.ids.indexOf(this.current);
    const ahead = [...this.ids.slice(place + 1), ...this.ids.slice(0, place)];
    const next = ahead.find(id => this.decisions[id]?.[0] !== "kept");
    if (next !== undefined) this.choose(next, {focus});
  }

  row(by) {
    const all = [...this.root.querySelectorAll(".tile")];
    const here = this.tiles.get(this.current)?.getBoundingClientRect();
    if (!here) return;
    const at = all.indexOf(this.tiles.get(this.current));
    let best = null, far = null;
    for (let place = at + by; place >= 0 && place < all.length; place += by) {
      const there = all[place].getBoundingClientRect();
      if (Math.abs(there.bottom - here.bottom) < 4) continue;
      if (far !== null && Math.abs(there.bottom - far) > 4) break;
      far = there.bottom;
      if (!best || Math.abs(there.left - here.left) < Math.abs(best.left - here.left))
        best = {left: there.left, id: Number(all[place].dataset.id)};
    }
    if (best) this.choose(best.id);
  }
}
