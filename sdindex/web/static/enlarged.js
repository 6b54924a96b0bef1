// A picture enlarged, with its burst below it; and pictures that are like it.

import {ask, caption, element, picture, words} from "./sheet.js";

export class Enlarged {
  constructor(dialog, sides) {
    this.dialog = dialog;
    this.sides = sides;
    this.frames = [];
    this.shown = null;
    dialog.querySelector("#burst").addEventListener("click", event => {
      const shot = event.target.closest(".shot");
      if (shot) this.show(this.frames.find(one => one.id === Number(shot.dataset.id)));
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  async open(id, decisions) {
    this.decisions = decisions;
    if (!this.dialog.open) this.dialog.showModal();
    if (this.frames.some(one => one.id === id && one.inBurst) && this.shown !== null)
      return this.show(this.frames.find(one => one.id === id));
    this.shown = id;
    const frames = await ask("around", {image: id});
    if (this.shown !== id) return;  // another one was asked for meanwhile
    this.frames = frames;
    const strip = this.dialog.querySelector("#burst");
    strip.replaceChildren(...frames.map(info => {
      const shot = element("button", `shot ${info.inBurst ? "" : "other"}`);
      const frame = element("span", "frame");
      shot.type = "button";
      shot.dataset.id = info.id;
      shot.setAttribute("aria-label", words(info).filter(Boolean).join(", "));
      frame.append(picture(info, this.sides[0]));
      shot.append(frame);
      return shot;
    }));
    this.show(frames.find(one => one.id === id));
  }

  show(info) {
    if (!info) return;
    this.shown = info.id;
    const size = Math.max(innerWidth, innerHeight) * devicePixelRatio;
    const side = this.sides.slice(1).find(one => one >= size) ?? this.sides.at(-1);
    this.dialog.querySelector("#large-picture").replaceChildren(picture(info, side));
    const [what, why] = this.decisions[info.id] ?? ["", ""];
    const said = [info.path, ...words(info), `${info.width} × ${info.height}`,
                  what === "left" ? "" : what, why];
    this.dialog.querySelector("#large-words").textContent = said.filter(Boolean).join(" · ");
    for (const shot of this.dialog.querySelectorAll("#burst .shot")) {
      const isShown = Number(shot.dataset.id) === info.id;
      shot.classList.toggle("current", isShown);
      shot.setAttribute("aria-current", String(isShown));
      if (isShown) shot.scrollIntoView({block: "nearest", inline: "center"});
    }
  }

  step(by) {
    const place = this.frames.findIndex(one => one.id === this.shown) + by;
    this.show(this.frames[place]);
  }
}

export async function showAlike(dialog, side, question, keep, isReadOnly) {
  const found = await ask("similar", question), list = dialog.querySelector("#alike-tiles");
  list.replaceChildren(...found.map(info => {
    const tile = element("li", "tile"), frame = element("span", "frame");
    frame.append(picture(info, side));
    tile.append(frame, caption(info));
    if (!isReadOnly) {
      const button = element("button", "alike-keep", "Keep");
      button.type = "button";
      button.setAttribute("aria-label", `Keep ${words(info).filter(Boolean).join(", ")}`);
      button.addEventListener("click", async () => {
        await keep(info.id);
        button.textContent = "Kept";
        button.disabled = true;
      });
      tile.append(button);
    }
    return tile;
  }));
  if (!dialog.open) dialog.showModal();
}
