/** Colours of the pack's sockets and their wires. */

/** By socket type; kin have kindred colours. @type {Record<string, string>} */
export const COLOURS = {
  FL_FACES: "#f2a65a",
  FL_CROPS: "#f26d6d",
  FL_IDENTITY: "#d98be0",
  FL_APPEARANCE_MAP: "#c9a26b",
  FL_FEATURES: "#b58be0",
  FL_DETECTOR: "#2ec4b6",
  FL_LANDMARKER: "#57cfd8",
  FL_ENCODER: "#7d8cf0",
  FL_PARSER: "#8ad6c0",
  FL_OCCLUDER: "#4fa88f",
  FL_ATTRIBUTES: "#8fd06a",
  FL_HEAD_POSE: "#b4d65a",
  FL_SWAPPER: "#f25a9c",
  FL_REFINER: "#f27ab8",
  FL_RESTORER: "#f29ac8",
  FL_REENACTOR: "#f2785a",
  FL_INPAINTER: "#e0905a",
  FL_BLENDER: "#e0b45a",
};

/**
 * Give a table of colours ours, which stay until a palette names the type itself.
 *
 * The page empties the colours of all types that a palette does not know whenever it applies one.
 * @param {Record<string, string>} table colours by socket type
 */
function keep(table) {
  for (const [type, colour] of Object.entries(COLOURS)) {
    let chosen = table[type] || "";
    Object.defineProperty(table, type, {
      configurable: true,
      enumerable: true,
      get: () => chosen || colour,
      set: (value) => {
        chosen = value;
      },
    });
  }
}

/**
 * Colour the sockets and wires of a canvas, and those of nodes that are drawn as HTML.
 * @param {object} canvas the page's LGraphCanvas
 */
export function colourSockets(canvas) {
  keep(canvas.constructor.link_type_colors);
  keep(canvas.default_connection_color_byType);
  // A palette sets its own on the body, which counts for more than the root's.
  const { style } = document.documentElement;
  for (const [type, colour] of Object.entries(COLOURS)) {
    style.setProperty(`--color-datatype-${type}`, colour);
  }
}
