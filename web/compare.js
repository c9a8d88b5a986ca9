/** The compare slider of Preview Faces: before on the left of the divider, after on its right. */

import { addPanel, address, after, element } from "./panel.js";
import { say } from "./words.js";

const HEIGHT = () => 240;

/**
 * Let a node compare two pictures after each run that gave both.
 * @param {object} node a Preview Faces
 */
export function addCompare(node) {
  /** @type {Compare | undefined} */
  let compare;
  after(node, "onExecuted", (output) => {
    const view = output?.faceloom_compare?.[0];
    if (!view?.before.length || !view.after.length) return;
    compare ??= new Compare(node);
    compare.show(view.before[0], view.after[0]);
  });
}

class Compare {
  /** @param {object} node */
  constructor(node) {
    this.after = element("img", "picture", { draggable: false, alt: "after" });
    this.before = element("img", "picture faceloom-before", { draggable: false, alt: "before" });
    this.slider = element("input", "slider", {
      type: "range",
      min: "0",
      max: "100",
      step: "0.1",
      value: "50",
      title: say("Drag to compare: before on the left, after on the right."),
    });
    const divider = element("div", "divider");
    const pictures = [this.after, this.before, divider, this.slider];
    this.stage = element("div", "stage", {}, ...pictures);
    this.after.addEventListener("load", () => this.shape());
    this.slider.addEventListener("input", () => this.divide());
    // The graph would take the pointer for its own, and the keys too.
    for (const event of ["pointerdown", "pointermove", "keydown"]) {
      this.slider.addEventListener(event, (happened) => happened.stopPropagation());
    }
    const area = element("div", "area", {}, this.stage);
    addPanel(node, "faceloom_compare", element("div", "panel", {}, area), HEIGHT);
    this.divide();
  }

  /**
   * @param {{filename: string, subfolder: string, type: string}} before
   * @param {{filename: string, subfolder: string, type: string}} after
   */
  show(before, after) {
    this.before.src = address(before);
    this.after.src = address(after);
  }

  /** Both have the shape of the second one, so that places meet. */
  shape() {
    const ratio = this.after.naturalWidth / this.after.naturalHeight;
    this.stage.style.setProperty("--ratio", String(ratio));
  }

  /** Put the divider where the slider is. */
  divide() {
    this.stage.style.setProperty("--place", `${this.slider.value}%`);
  }
}
