// Agents as several pages show them.
import { h } from "./dom.js";
import { moment } from "./time.js";

export const labels = (one) => (one.labels?.length ? one.labels.map((label) => h("span.tag", label)) : h("span.none", "none"));

export function health(one) {
  return h("span", h(`span.mark.${one.healthy ? "good" : "warn"}`, { role: "img", "aria-label": one.healthy ? "well" : "silent" }, one.healthy ? "✓" : "!"), " ",
    one.last_queried ? moment(one.last_queried) : "never heard of");
}

// An agent takes a run when it has all of its labels; one with labels takes none that has no labels.
export function fits(run, agent) {
  if (run.pool || agent.pool) return run.pool === agent.pool;
  return run.labels.length ? run.labels.every((label) => agent.labels.includes(label)) : agent.labels.length === 0;
}
