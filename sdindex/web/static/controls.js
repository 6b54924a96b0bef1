// The options of a sample as controls, and the count: a slider by magnitude beside a number.

import {element} from "./sheet.js";

const STEPS = 1000, LARGEST = 10000;

export class Controls {
  constructor(form, start, changed) {
    this.form = form;
    this.start = start;
    this.slider = form.querySelector("#slider");
    this.number = form.querySelector("#count");
    this.least = 1;
    this.most = LARGEST;
    this.count = start.count;
    this.fill();
    this.slider.addEventListener("input", () => {
      this.count = this.ofSlider(Number(this.slider.value));
      this.number.value = this.count;
      changed();
    });
    this.number.addEventListener("input", () => {
      const count = Number(this.number.value);
      if (!Number.isInteger(count) || count < 1) return;
      this.count = count;
      this.place();
      changed();
    });
    form.addEventListener("input", event => {
      if (event.target.dataset.option || event.target.id === "by") changed();
    });
    form.addEventListener("submit", event => event.preventDefault());
    form.querySelector("#for-labelling").addEventListener("click", () => {
      this.set(start.purposes.labelling);
      changed();
    });
  }

  fill() {
    const {form, start} = this;
    for (const select of form.querySelectorAll("select[data-from]")) {
      const several = select.multiple ? [] : [""];
      select.replaceChildren(...[...several, ...start[select.dataset.from]].map(name => {
        const option = element("option", "", name);
        option.value = name;
        return option;
      }));
    }
    form.querySelector("#by").replaceChildren(
      ...start.groupings.map(name => element("option", "", name)));
    this.set(start.options);
    this.number.value = this.count;
    const given = Object.keys(start.options), isNarrow = matchMedia("(max-width: 820px)").matches;
    for (const part of form.querySelectorAll("details"))
      part.open = part.id === "out" ? !isNarrow : !isNarrow && given.some(name => part.querySelector(`[data-option="${name}"]`));
  }

  set(options) {
    for (const [name, value] of Object.entries(options)) {
      const control = this.form.querySelector(`[data-option="${name}"]`);
      if (!control) continue;
      if (control.multiple)
        for (const option of control.options) option.selected = value.includes(option.value);
      else control.value = Array.isArray(value) ? value.join(", ") : value;
    }
  }

  get options() {
    const found = {...this.start.options};
    for (const control of this.form.querySelectorAll("[data-option]")) {
      const name = control.dataset.option, kind = control.dataset.kind;
      const text = control.value.trim();
      delete found[name];
      if (kind === "several") {
        const chosen = [...control.selectedOptions].map(option => option.value);
        if (chosen.length) found[name] = chosen;
      } else if (text && kind === "number") found[name] = Number(text);
      else if (text && kind === "words") found[name] = text.split(",").map(one => one.trim());
      else if (text && kind === "one") found[name] = [control.value];
      else if (text) found[name] = control.value;
    }
    return found;
  }

  get state() {
    return {count: this.count, options: this.options, by: this.form.querySelector("#by").value};
  }

  bound(least, most) {
    this.least = least;
    this.most = Math.max(least, Math.min(most, LARGEST));
    this.place();
  }

  place() {
    const part = Math.log(this.count / this.least) / Math.log(this.most / this.least || 1);
    this.slider.value = this.most > this.least ? Math.round(STEPS * Math.min(1, Math.max(0, part))) : 0;
    this.slider.setAttribute("aria-valuetext", `${this.count.toLocaleString()} images`);
  }

  ofSlider(value) {
    return Math.round(this.least * Math.pow(this.most / this.least, value / STEPS));
  }
}
