// The tab Events: what happened to a run, and who did it.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { card, table } from "../../lib/parts.js";
import { labelOf, taskPlace } from "../../lib/side.js";
import { badge } from "../../lib/states.js";
import { moment } from "../../lib/time.js";

const TELLING = ["Failed", "Retrying", "Paused", "Cancelled", "Looped"];

export async function events(here, panel) {
  let shown = null;
  async function load() {
    const [states, tasks] = await Promise.all([get(`flow_runs/${here.id}/states`), get(`flow_runs/${here.id}/task_runs`, { state: TELLING, limit: 200 })]);
    const items = [
      ...states.items.map((one) => ({ ...one, what: "Flow run" })),
      ...tasks.items.map((one) => ({ state: one.state, timestamp: one.state_timestamp, message: one.state_message, run: one })),
    ].filter((one) => one.timestamp).sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
    const key = JSON.stringify(items.map((one) => [one.timestamp, one.state]));
    if (key === shown) return;
    shown = key;
    fill(panel, card(null, list(here, items)), tasks.cursor ? h("p.soft", "Only the first 200 task runs that failed or wait are among these.") : null);
  }
  await load();
  return { refresh: load };
}

function list(here, items) {
  return table([
    { head: "When", cell: (one) => moment(one.timestamp, { exactly: true }) },
    { head: "What", cell: (one) => (one.run ? h("a", { href: taskPlace(here.id, one.run.task_slug, one.run.map_index) }, labelOf(one.run)) : h("strong", "Flow run")) },
    { head: "State", cell: (one) => badge(one.state) },
    { head: "Message", cell: (one) => h("span.soft", one.message ?? "") },
    { head: "By", hide: true, cell: (one) => actor(one.actor) },
    { head: "Reason", hide: true, cell: (one) => one.reason ?? "" },
  ], items, { empty: "Nothing has happened yet." });
}

// Agents are links; others are named as the server names them.
function actor(text) {
  const id = /^agent (\S+)$/.exec(text ?? "")?.[1];
  return id ? h("a", { href: `/agents/${id}` }, "an agent") : text ?? "";
}
