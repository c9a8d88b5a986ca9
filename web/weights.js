/** Questions to the pack's server side about weights; `nodes/weights_page.py` answers. */

import { api } from "../../scripts/api.js";
import { say } from "./words.js";

/**
 * @typedef {object} Weights what is known about a loader's choice
 * @property {string} choice
 * @property {string | null} file its name
 * @property {string} folder where it is, or belongs
 * @property {boolean} present
 * @property {boolean} fetchable
 * @property {number | null} size in bytes
 * @property {string | null} licence
 * @property {boolean | null} commercial
 * @property {string} note
 * @property {string | null} project page of those who published it
 * @property {string} problem why there can be no such file
 */

/**
 * @param {string} role
 * @param {string} choice
 * @returns {Promise<Weights | undefined>} nothing where the server does not know the choice
 */
export async function askWeights(role, choice) {
  try {
    const answer = await api.fetchApi(`/faceloom/weights?${new URLSearchParams({ role, choice })}`);
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined; // The server is away, of which the page itself complains.
  }
}

/**
 * Have the server fetch the file behind a choice; it ends when the file is there.
 * @param {string} role
 * @param {string} choice
 * @returns {Promise<Weights | {error: string}>}
 */
export async function fetchWeights(role, choice) {
  try {
    const answer = await api.fetchApi("/faceloom/fetch", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ role, choice }),
    });
    return await answer.json();
  } catch (error) {
    return { error: say("The server gave no answer: {0}", error.message) };
  }
}

/**
 * Say what is missing and where it belongs.
 * @param {Weights} weights
 * @returns {string}
 */
export function explain({ file, folder, fetchable, project, problem }) {
  if (problem) return problem;
  if (!file) {
    return say(
      "There is no file for this node. Choose a download, or put your own into {0}",
      folder,
    );
  }
  const missing = fetchable
    ? say("{0} is not on disk. Fetch it, or put it into {1} and reload the page.", file, folder)
    : say("{0} is not on disk. Put it into {1} and reload the page.", file, folder);
  return project ? `${missing} ${say("It is published at {0}", project)}` : missing;
}
