// A picture enlarged, with its burst below it; and pictures that are like it.

import {ask, caption, element, picture, words} from "./sheet.js";

export class Enlarged {
  constructor(dialog, sides) {
    this.dialog = dialog;
    this.sides = sides;
    this.images = [];
    this.shown = null;
    dialog.querySelector("#burst").addEventListener("click", event => {
      const shot = event.target.closest(".shot");
      if (shot) this.show(this.images.find(one => one.id === Number(shot.dataset.id)));
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  async open(id, decisions) {
    this.decisions = decisions;
    if (!this.dialog.open) this.dialog.showModal();
    if (this.images.some(one => one.id === id && one.inBurst) && this.shown !== null)
      return this.show(this.images.find(one => one.id === id));
    this.shown = id;
    const images = await ask("around", {image: id});
    if (this.shown !== id) return;  // another one was asked for meanwhile
    this.images = images;
    const strip = this.dialog.querySelector("#burst");
    strip.replaceChildren(...images.map(info => {
      const shot = element("button", `shot ${info.inBurst ? "" : "other"}`);
      const view = element("span", "view");
      shot.type = "button";
      shot.dataset.id = info.id;
      shot.setAttribute("aria-label", words(info).filter(Boolean).join(", "));
      view.append(picture(info, this.sides[0]));
      shot.append(view);
      return shot;
    }));
    this.show(images.find(one => one.id === id));
  }

  show(info) {
    if (!info) return;
    this.shown = info.id;
    const size = Math.max(innerWidth, innerHeight) * devicePixelRatio;
    const side = this.sides.slice(1).find(one => one >= size) ?? this.sides.at(-1);
    this.dialog.querySelector("#large-picture").replaceChildren(picture(info, side));
    const [what, why] = this.decisions[info.id] ?? ["", ""];
    const said = [...words(info), what === "left" ? "" : what, why,
                  `${info.width} × ${info.height}`, info.path];
    this.dialog.querySelector("#large-words").textContent = said.filter(Boolean).join(" · ");
    for (const shot of this.dialog.querySelectorAll("#burst .shot")) {
      const isShown = Number(shot.dataset.id) === info.id;
      shot.classList.toggle("current", isShown);
      shot.setAttribute("aria-current", String(isShown));
      if (isShown) shot.scrollIntoView({block: "nearest", inline: "center"});
    }
  }

  step(by) {
    const place = this.images.findIndex(one => one.id === this.shown) + by;
    this.show(this.images[place]);
  }
}

export async function showAlike(dialog, side, question, keep, isReadOnly) {
  const found = await ask("similar", question), list = dialog.querySelector("#alike-tiles");
  list.replaceChildren(...found.map(info => {
    const tile = element("li", "tile"), view = element("span", "view");
    view.append(picture(info, side));
    tile.append(view, caption(info));
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
