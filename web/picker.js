/** The face picker of Select Faces: numbered boxes over the picture, clicked on and off. */

import { addPanel, address, after, element, freeWidget } from "./panel.js";
import { isKept, toggle } from "./indices.js";
import { say } from "./words.js";

/**
 * @typedef {object} View what Select Faces shows
 * @property {number} width of the picture, in its pixels
 * @property {number} height
 * @property {number} frame which one of the batch it is, from 0
 * @property {number[][]} boxes x0, y0, x1, y1 of each face, in the order of their numbers
 * @property {{filename: string, subfolder: string, type: string}[]} pictures the frame itself
 */

const HEIGHT = () => 240;

/**
 * Let a node show a picker after each run that has its picture.
 * @param {object} node a Select Faces
 */
export function addPicker(node) {
  /** @type {Picker | undefined} */
  let picker;
  after(node, "onExecuted", (output) => {
    const view = output?.faceloom_picker?.[0];
    if (!view?.pictures.length) return;
    picker ??= new Picker(node);
    picker.show(view);
  });
  const indices = node.widgets.find((widget) => widget.name === "indices");
  after(indices, "callback", () => picker?.mark());
}

class Picker {
  /** @param {object} node */
  constructor(node) {
    this.node = node;
    /** @type {HTMLElement[]} */
    this.faces = [];
    this.picture = element("img", "picture", { draggable: false, alt: "" });
    this.boxes = element("div", "boxes");
    this.stage = element("div", "stage", {}, this.picture, this.boxes);
    this.state = element("div", "state");
    const area = element("div", "area", {}, this.stage);
    addPanel(node, "faceloom_picker", element("div", "panel", {}, area, this.state), HEIGHT);
  }

  /** @param {View} view */
  show(view) {
    this.picture.src = address(view.pictures[0]);
    this.stage.style.setProperty("--ratio", String(view.width / view.height));
    this.frame = view.frame;
    this.faces = view.boxes.map((box, number) => this.face(view, box, number));
    this.boxes.replaceChildren(...this.faces);
    this.mark();
  }

  /**
   * @param {View} view
   * @param {number[]} box
   * @param {number} number
   * @returns {HTMLElement}
   */
  face(view, [x0, y0, x1, y1], number) {
    const title = say("Click: on or off. Shift-click: only this face.");
    const label = element("span", "number", { textContent: String(number) });
    const face = element("button", "face", { type: "button", title }, label);
    face.style.left = `${(100 * x0) / view.width}%`;
    face.style.top = `${(100 * y0) / view.height}%`;
    face.style.width = `${(100 * (x1 - x0)) / view.width}%`;
    face.style.height = `${(100 * (y1 - y0)) / view.height}%`;
    face.addEventListener("click", (event) => this.pick(number, event.shiftKey));
    return face;
  }

  /**
   * @param {number} number of the face
   * @param {boolean} alone leaves no other one
   */
  pick(number, alone) {
    const indices = freeWidget(this.node, "indices");
    if (!indices) return;
    const text = alone ? String(number) : toggle(indices.value, number, this.faces.length);
    if (text !== undefined) {
      indices.value = text;
      indices.callback?.(text);
    }
    this.mark(text === undefined ? say("One face must stay.") : "");
  }

  /**
   * Show which faces the text in `indices` keeps.
   * @param {string} [remark]
   */
  mark(remark = "") {
    const text = this.node.widgets.find((widget) => widget.name === "indices").value;
    const count = this.faces.length;
    const kept = this.faces.filter((face, number) => {
      const on = isKept(text, number, count);
      face.setAttribute("aria-pressed", String(on));
      return on;
    });
    const keeps = this.frame
      ? say("Keeps {0} of {1} faces of frame {2}.", kept.length, count, this.frame)
      : say("Keeps {0} of {1} faces.", kept.length, count);
    this.state.textContent = remark || keeps;
  }
}
