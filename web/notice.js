/** What a loader says of its choice: licence as a badge, and how to get a missing file. */

import { api } from "../../scripts/api.js";
import { addBadge } from "./badge.js";
import { addPanel, after, element, freeWidget, removePanel, shrink } from "./panel.js";
import { askWeights, explain, fetchWeights } from "./weights.js";
import { say } from "./words.js";

// Closed it fits between the loaders of a tidy column.
const CLOSED = 20;
const OPEN = 130;
const MARGIN = 2;

/**
 * Let a loader tell its choice's licence, and ask for its file where that is missing.
 * @param {object} node a loader; its first output is called after its role
 */
export function addNotice(node) {
  const notice = new Notice(node, node.outputs[0].name.replaceAll("_", " "));
  const model = node.widgets.find((widget) => widget.name === "model");
  after(model, "callback", () => notice.refresh());
  for (const event of ["onConfigure", "onConnectionsChange"]) {
    after(node, event, () => notice.refresh());
  }
  // An answer that comes later would put a panel on a node that is gone.
  after(node, "onRemoved", () => {
    notice.asked = undefined;
  });
  notice.refresh();
}

class Notice {
  /**
   * @param {object} node
   * @param {string} role of its models
   */
  constructor(node, role) {
    this.node = node;
    this.role = role;
    this.badge = addBadge(node);
    this.button = element("button", "fetch", { type: "button" });
    this.button.addEventListener("click", (event) => {
      event.preventDefault(); // It lies in the row that opens the notice.
      this.fetch();
    });
    this.headline = element("span", "headline");
    this.text = element("div", "text");
    const row = element("summary", "row", {}, this.headline, this.button);
    this.content = element("details", "panel faceloom-notice", {}, row, this.text);
    this.content.addEventListener("toggle", () => this.panel && shrink(this.node));
    this.progress = ({ detail }) => this.advance(detail);
  }

  /** Ask again about what is chosen now. */
  async refresh() {
    // A file that is opened sets the choice after the node is made.
    await Promise.resolve();
    const choice = freeWidget(this.node, "model")?.value;
    if (choice === this.asked) return;
    this.asked = choice;
    this.show(undefined);
    const weights = choice ? await askWeights(this.role, choice) : undefined;
    if (this.asked === choice) this.show(weights);
  }

  /** @param {import("./weights.js").Weights | undefined} weights of the choice */
  show(weights) {
    this.weights = weights;
    this.badge.show(weights);
    const missing = weights && !weights.present;
    if (!missing && this.panel) {
      removePanel(this.node, this.panel);
      this.panel = undefined;
    }
    if (missing) {
      this.content.open = false;
      this.say(explain(weights), weights.fetchable);
      const height = () => (this.content.open ? OPEN : CLOSED);
      this.panel ??= addPanel(this.node, "faceloom_notice", this.content, height, MARGIN);
    }
  }

  /**
   * @param {string} text
   * @param {boolean} fetchable
   */
  say(text, fetchable) {
    this.headline.textContent = `\u26a0 ${say("missing: {0}", this.weights.file ?? say("a file"))}`;
    this.headline.title = text;
    this.text.textContent = text;
    this.button.hidden = !fetchable;
    this.button.disabled = false;
    const { size } = this.weights;
    this.button.textContent = size === null ? say("Fetch") : say("Fetch {0} MB", (size / 1e6).toFixed(1));
  }

  /** Fetch the file, now that somebody asked. */
  async fetch() {
    const { choice, file } = this.weights;
    this.button.disabled = true;
    api.addEventListener("faceloom.fetch", this.progress);
    const answer = await fetchWeights(this.role, choice);
    api.removeEventListener("faceloom.fetch", this.progress);
    if (this.asked !== choice) return;
    if (answer.error) {
      this.say(answer.error, true);
      this.content.open = true;
      return;
    }
    // It may be here under another name than the workflow has.
    const model = freeWidget(this.node, "model");
    if (model) model.value = answer.choice;
    this.asked = answer.choice;
    this.show(answer);
  }

  /** @param {{file: string, percent: number}} detail of a fetch, perhaps another node's */
  advance({ file, percent }) {
    if (this.weights?.file?.endsWith(file)) this.button.textContent = say("Fetching: {0} %", percent);
  }
}
