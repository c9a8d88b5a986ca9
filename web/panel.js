/** What the parts share: elements, and panels of them inside nodes. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

/**
 * Make an element.
 * @param {string} tag
 * @param {string} name its class, after the pack's own
 * @param {Record<string, unknown>} [properties] such as textContent; never HTML
 * @param {...Node} children
 * @returns {HTMLElement}
 */
export function element(tag, name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.className = `faceloom-${name}`;
  made.append(...children);
  return made;
}

/**
 * Call a function after a node's own handler of an event.
 * @param {object} owner a node or a widget
 * @param {string} event such as onExecuted
 * @param {(...details: any[]) => void} reaction
 */
export function after(owner, event, reaction) {
  const before = owner[event];
  owner[event] = function (...details) {
    const answer = before?.apply(this, details);
    reaction(...details);
    return answer;
  };
}

/**
 * Put an element below a node's widgets; workflows do not carry it.
 * @param {object} node
 * @param {string} name of the widget
 * @param {HTMLElement} content
 * @param {() => number} height gives the least, in pixels of the graph
 * @param {number} [margin] around it
 * @returns {object} the widget
 */
export function addPanel(node, name, content, height, margin = 10) {
  const panel = node.addDOMWidget(name, name, content, {
    serialize: false,
    hideOnZoom: false,
    margin,
    getValue: () => "",
    getMinHeight: () => height() + 2 * margin,
  });
  panel.serialize = false;
  fit(node);
  return panel;
}

/**
 * Take a panel off its node, and its room with it.
 * @param {object} node
 * @param {object} panel
 */
export function removePanel(node, panel) {
  const place = node.widgets.indexOf(panel);
  if (place < 0) return;
  node.widgets.splice(place, 1);
  panel.onRemove?.();
  shrink(node);
}

/** @param {object} node made as high as what it holds */
export function shrink(node) {
  node.setSize([node.size[0], node.computeSize()[1]]);
  redraw();
}

/** @param {object} node made large enough for what it holds */
function fit(node) {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  redraw();
}

/** Draw the graph again. */
export function redraw() {
  app.canvas?.setDirty(true, true);
}

/**
 * The widget of an input; none where a wire brings the value instead.
 * @param {object} node
 * @param {string} name
 * @returns {object | undefined}
 */
export function freeWidget(node, name) {
  const wired = node.inputs?.some((input) => input.widget?.name === name && input.link != null);
  return wired ? undefined : node.widgets?.find((widget) => widget.name === name);
}

/**
 * The address of a picture that a node shows.
 * @param {{filename: string, subfolder: string, type: string}} picture
 * @returns {string}
 */
export function address(picture) {
  return api.apiURL(`/view?${new URLSearchParams(picture)}`);
}
