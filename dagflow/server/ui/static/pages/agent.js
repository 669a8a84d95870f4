// One agent: what it does, and what it could take.
import { get } from "../lib/api.js";
import { fits, health, labels } from "../lib/agents.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { card, copyable, facts, head, segment, table } from "../lib/parts.js";
import { badge } from "../lib/states.js";
import { lasting, moment } from "../lib/time.js";

export async function show(page) {
  const id = segment(1);
  const place = h("div");
  const agent = await get(`agents/${id}`);
  page.append(head(agent.name ?? "Agent", { crumbs: [["Agents", "/agents"]] }), place);
  await keepFresh(async () => {
    const [one, runs, queue] = await Promise.all([get(`agents/${id}`), get("flow_runs", { agent_id: id, limit: 50 }), get("queue", { limit: 200 })]);
    const waiting = queue.runs.filter((run) => fits(run, one));
    fill(place, h("div.cards", card("Details", facts([["Heard of", health(one)], ["Type", one.type], ["Host", one.host], ["Labels", labels(one)], ["Runs at once", one.limit ?? "no limit"], ["Version", one.core_version], ["Id", copyable(one.id)]])),
      card("Could take now", table([{ head: "Run", cell: (run) => h("a", { href: `/runs/${run.id}` }, run.name) }, { head: "Flow", cell: (run) => run.flow_name }, { head: "Due", cell: (run) => moment(run.start_time) }], waiting, { empty: "Nothing that waits fits its labels." }))),
      card("Its runs", table([
        { head: "Run", cell: (run) => h("div", h("a", { href: `/runs/${run.id}` }, run.name), h("div.soft.small", run.flow_name)) }, { head: "State", cell: (run) => badge(run.state) },
        { head: "Started", cell: (run) => moment(run.start_time) }, { head: "Took", cell: (run) => lasting(run.start_time, run.end_time) },
      ], runs.items, { empty: "It has run nothing yet." })));
  });
}
