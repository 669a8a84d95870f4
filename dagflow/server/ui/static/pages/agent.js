// An agent: its health, what it executes, and what it could take.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { flowLink, labelList, refill, runLink } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { action, card, copyable, facts, head, segment, table } from "../lib/parts.js";
import { badge } from "../lib/states.js";
import { lasting, moment } from "../lib/time.js";
import { forget, health } from "./agents.js";

export async function show(page) {
  const id = segment(1);
  const top = h("div");
  const body = h("div");
  fill(page, top, body);
  await keepFresh(async () => {
    const [agent, running, past, queue] = await Promise.all([get(`agents/${id}`), get("flow_runs", { agent_id: id, state: ["Running", "Submitted", "Cancelling"], limit: 50 }), get("flow_runs", { agent_id: id, limit: 20 }), get("queue", { limit: 100 })]);
    const fits = queue.runs.filter((run) => takes(agent, run));
    refill(top, [agent.name, agent.healthy], () => head(agent.name ?? agent.type, { crumbs: [["Agents & pools", "/agents"]], beside: health(agent), tools: [action("Remove from the list", (button) => forget(button, agent, () => location.assign("/agents")), { kind: "danger" })] }));
    const version = (runs) => runs.map((run) => [run.id, run.version ?? run.state]);
    refill(body, [agent, version(running.items), version(past.items), version(fits)], () => [h("div.cards",
      card("Details", facts([["Type", agent.type], ["Labels", labelList(agent.labels)], ["Heard of", moment(agent.last_queried)], ["Pool", agent.pool], ["Runs at once", agent.limit ?? "any number"], ["Host", agent.host], ["dagflow", agent.core_version], ["Since", moment(agent.created)], ["Id", copyable(agent.id)]])),
      card("In progress", list(running.items, "It executes nothing at the moment.")),
      card("Waiting, and it could take", list(fits, "No waiting run fits its labels."))), card("Its last runs", list(past.items, "It has taken no run yet.", { short: false }))]);
  }, { kinds: ["flow_run_state"] });
}

const takes = (agent, run) => run.state !== "Paused" && (run.pool ?? null) === (agent.pool ?? null) && run.labels.every((label) => agent.labels.includes(label));

function list(runs, none, { short = true } = {}) {
  return table([
    { head: "Run", cell: (run) => [runLink(run), h("div.soft", flowLink(run))] },
    { head: "State", cell: (run) => badge(run.state, { late: run.late }) },
    { head: short ? "Since" : "Started", cell: (run) => moment(run.start_time) },
    ...(short ? [] : [{ head: "Duration", class: "number", hide: true, cell: (run) => lasting(run.start_time, run.end_time) }]),
  ], runs, { empty: none });
}
