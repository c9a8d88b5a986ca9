/** The badge above a loader: the licence of its choice, and whether commercial use is allowed. */

import { redraw } from "./panel.js";
import { say } from "./words.js";

/** Text and ground, by whether commercial use is allowed. */
const ALLOWED = ["#d8f5d8", "#1f5a2c"];
const FORBIDDEN = ["#ffe3c2", "#7a4100"];
const UNKNOWN = ["#dddddd", "#4a4a4a"];

/**
 * Say under which terms weights may be used.
 * @param {import("./weights.js").Weights | undefined} weights
 * @returns {{text: string, colours: string[]}}
 */
export function terms(weights) {
  if (!weights) return { text: "", colours: UNKNOWN };
  if (weights.licence === null) {
    return { text: weights.file ? say("licence unknown") : "", colours: UNKNOWN };
  }
  // Why is in the catalogue; the badge should not be wider than the node.
  const licence = weights.licence.replace(/ \(.*\)/, "");
  if (weights.commercial) {
    return { text: say("{0} · commercial use allowed", licence), colours: ALLOWED };
  }
  const told = licence.includes("non-commercial");
  return { text: told ? licence : say("{0} · no commercial use", licence), colours: FORBIDDEN };
}

/**
 * Give a node a badge, empty until it is shown something.
 * @param {object} node
 * @returns {{show: (weights: import("./weights.js").Weights | undefined) => void}}
 */
export function addBadge(node) {
  const badge = new window.LGraphBadge({ text: "" });
  node.badges.push(badge);
  return {
    show(weights) {
      const { text, colours } = terms(weights);
      Object.assign(badge, { text, fgColor: colours[0], bgColor: colours[1] });
      redraw();
    },
  };
}
