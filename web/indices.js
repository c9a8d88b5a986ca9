/** The text of Select Faces' `indices`, read and written as `faces/select.py` reads it. */

/**
 * List the numbers in a text like "0, 2, 4-6" or "-1".
 * @param {string} text
 * @returns {number[] | undefined} nothing where it cannot be read
 */
export function parse(text) {
  const numbers = [];
  for (const part of text.split(",").map((piece) => piece.trim()).filter(Boolean)) {
    const found = /^(-?\d{1,5})$|^(\d{1,5})\s*-\s*(\d{1,5})$/.exec(part);
    if (!found) return undefined;
    const [start, stop] = found[1] ? [found[1], found[1]] : [found[2], found[3]];
    if (Number(start) > Number(stop)) return undefined;
    for (let number = Number(start); number <= Number(stop); number += 1) numbers.push(number);
  }
  return numbers;
}

/**
 * Tell whether a text keeps a face.
 * @param {string} text
 * @param {number} number of the face
 * @param {number} count of the frame's faces
 * @returns {boolean}
 */
export function isKept(text, number, count) {
  const numbers = parse(text) ?? [];
  return !numbers.length || numbers.includes(number) || numbers.includes(number - count);
}

/**
 * Turn a face on or off.
 * @param {string} text
 * @param {number} number of the face
 * @param {number} count of the frame's faces
 * @returns {string | undefined} the new text, empty where all are on; nothing where it would turn
 *   the last one off, because no number at all means all of them
 */
export function toggle(text, number, count) {
  const all = Array.from({ length: count }, (_, face) => face);
  const on = new Set(all.filter((face) => isKept(text, face, count)));
  if (!on.delete(number)) on.add(number);
  if (!on.size) return undefined;
  // Numbers of other frames, which may have more faces.
  const elsewhere = (parse(text) ?? []).filter((other) => other >= count);
  return on.size === count ? "" : [...on, ...elsewhere].sort((a, b) => a - b).join(", ");
}
