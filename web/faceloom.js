/** FaceLoom on ComfyUI's page: which part belongs to which node. */

import { app } from "../../scripts/app.js";
import { addCompare } from "./compare.js";
import { addNotice } from "./notice.js";
import { addPicker } from "./picker.js";
import { colourSockets } from "./sockets.js";

const NAME = "faceloom";

/**
 * What is added to a node of the pack when it is made.
 * @type {Record<string, (node: object) => void>}
 */
const PARTS = {
  FaceLoomSelectFaces: addPicker,
  FaceLoomPreviewFaces: addCompare,
};

/**
 * Whether a node loads a model. Its category does not tell: the page translates it.
 * @param {object} node
 */
function isLoader(node) {
  const chooses = node.widgets?.some(({ name }) => name === "model");
  return Boolean(chooses && node.comfyClass?.startsWith("FaceLoomLoad"));
}

/**
 * Hand a node what its last run showed, after the page made the node anew.
 * @param {Record<string, object>} outputs by node id
 */
function showAgain(outputs) {
  for (const [id, output] of Object.entries(outputs ?? {})) {
    const node = app.graph?.getNodeById(id);
    if (node?.comfyClass in PARTS) node.onExecuted?.(output);
  }
}

const extension = {
  name: NAME,

  /** The nodes are known, and with them their sockets. */
  setup() {
    colourSockets(app.canvas);
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL("faceloom.css", import.meta.url).href;
    document.head.append(link);
  },

  /** @param {object} node just made, its widgets with their defaults */
  nodeCreated(node) {
    PARTS[node.comfyClass]?.(node);
    if (isLoader(node)) addNotice(node);
  },

  /** After a file, an undo or another tab; the page keeps what the nodes showed. */
  afterConfigureGraph() {
    showAgain(app.nodeOutputs);
  },

  onNodeOutputsUpdated: showAgain,
};

// With two copies of the pack the first one serves both; the page refuses a second of the name.
if (!app.extensions.some(({ name }) => name === NAME)) app.registerExtension(extension);
