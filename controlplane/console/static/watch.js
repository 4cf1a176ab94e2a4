// Keeps a page up to date.

import { complaint } from "./dom.js";

const TRANSITION_SECONDS = 2;
const CALM_SECONDS = 15;

/**
 * Call `load(signal)` again and again until the page is left, and `draw(data)` when its answer changed. While
 * `moving(data)` says that something is in transition that is every 2 s. Answers a function that looks again at once.
 */
export async function watch(signal, target, load, draw, moving) {
  let timer;
  let shown;

  async function look() {
    clearTimeout(timer);
    let data;
    try {
      data = await load(signal);
      if (signal.aborted) return;
      const now = JSON.stringify(data);
      if (now !== shown) redraw(target, draw(data));
      shown = now;
    } catch (error) {
      if (signal.aborted) return;
      shown = undefined;
      target.replaceChildren(complaint(error));
    }
    clearTimeout(timer);
    timer = setTimeout(look, 1000 * (data && moving(data) ? TRANSITION_SECONDS : CALM_SECONDS));
  }

  signal.addEventListener("abort", () => clearTimeout(timer));
  await look();
  return look;
}

// Who works with the keyboard keeps the place in a page that changes by itself.
function redraw(target, nodes) {
  const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
  target.replaceChildren(...nodes);
  if (focused) document.getElementById(focused)?.focus();
}
