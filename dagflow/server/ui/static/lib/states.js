// States: each has a colour, a sign and its name, so that nobody depends on one of them.
import { h } from "./dom.js";

const SIGNS = {
  Success: "✓", Cached: "↻", Mapped: "⊞", Looped: "∞", Skipped: "»", Finished: "✓",
  Failed: "✕", TriggerFailed: "⊘", TimedOut: "⧖", ValidationFailed: "✕",
  Running: "▶", Cancelling: "◼", Cancelled: "◻",
  Submitted: "↑", Scheduled: "◷", Pending: "·", Retrying: "⟳", Queued: "≡", Paused: "‖", Resume: "▷",
  ClientFailed: "!",
};
export const GROUPS = {
  Waiting: ["Pending", "Scheduled", "Retrying", "Resume", "Submitted", "Paused", "Queued"],
  Running: ["Running", "Cancelling"],
  Failed: ["Failed", "TriggerFailed", "TimedOut", "ValidationFailed", "ClientFailed"],
  Done: ["Success", "Cached", "Mapped", "Looped", "Skipped", "Finished", "Cancelled"],
};
export const STATES = Object.keys(SIGNS);
export const FINISHED = new Set([...GROUPS.Failed, ...GROUPS.Done]);
export const FAILED = new Set(GROUPS.Failed);

export const sign = (state) => SIGNS[state] ?? "?";
export const isFinished = (state) => FINISHED.has(state);
export const group = (state) => Object.keys(GROUPS).find((name) => GROUPS[name].includes(state)) ?? "Waiting";

// A state as it is shown everywhere; the colour comes from the class.
export function badge(state, { message = null, late = false } = {}) {
  if (!state) return h("span.state.state-None", "not run");
  return h(`span.state.state-${state}`, { title: message },
    h("span.sign", { "aria-hidden": "true" }, sign(state)), state, late ? h("span.late", " late") : null);
}

// A small block for rows of runs; a link if href is given.
export function block(state, { href = null, title = null } = {}) {
  const label = title ?? state ?? "not run";
  return h(`${href ? "a" : "span"}.block.state-${state ?? "None"}`,
    { href, title: label, "aria-label": label, role: href ? null : "img" }, sign(state));
}
