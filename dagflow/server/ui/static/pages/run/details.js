// The tab Details: with what a run was started, and all that is known of it.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { card, copyable, facts, json, table } from "../../lib/parts.js";
import { badge, isFinished } from "../../lib/states.js";
import { exact, lasting, moment } from "../../lib/time.js";

export async function details(here, panel) {
  let shown = null;
  async function load() {
    const { run } = here;
    const key = JSON.stringify([run.version, run.heartbeat, run.agent_id, here.children?.map((one) => [one.id, one.state])]);
    if (key === shown) return;
    shown = key;
    const agent = run.agent_id ? await get(`agents/${run.agent_id}`).catch(() => null) : null;
    fill(panel, h("div.cards", card("Run", about(run, agent)), card("Times", times(run)), card("Parameters", inputs(run.parameters, "It has no parameters.")), card("Context", inputs(run.context, "It was given no context."))),
      card("Run config", run.run_config ? json(run.run_config) : h("p.none", "It has no run config of its own; that of its flow is used.")), family(here));
  }
  await load();
  return { refresh: load };
}

function about(run, agent) {
  return facts([
    ["Id", copyable(run.id)],
    ["Flow", [h("a", { href: `/flows/${run.flow_group_id}` }, run.flow_name), " ", h("a", { href: `/flows/${run.flow_group_id}/v/${run.flow_version}` }, `version ${run.flow_version}`)]],
    ["Project", run.project_name],
    ["Deployment", run.deployment_name],
    ["Labels", run.labels?.length ? run.labels.map((label) => h("span.tag", label)) : h("span.none", "none")],
    ["Pool", run.pool ? `${run.pool}${run.queue ? `, queue ${run.queue}` : ""}` : null],
    ["Agent", run.agent_id ? h("a", { href: `/agents/${run.agent_id}` }, agent?.name ?? run.agent_id) : run.agentless ? "none: it was recorded by the process that runs it" : h("span.none", "none has taken it")],
    ["Created by", run.auto_scheduled ? "the schedule" : "somebody"],
    ["Idempotency key", run.idempotency_key ? copyable(run.idempotency_key, "key") : null],
    ["Taken", run.run_token ? `${run.run_token} times` : "never"],
    ["Started again after losses", run.times_resurrected || null],
    ["Version of its state", run.version],
  ]);
}

function times(run) {
  const one = (value) => (value ? [exact(value), " ", h("span.soft", moment(value))] : null);
  return facts([
    ["Created", one(run.created)], ["Planned", one(run.scheduled_start_time)], ["Started", one(run.start_time)], ["Ended", one(run.end_time)],
    ["Duration", run.start_time ? lasting(run.start_time, isFinished(run.state) ? run.end_time : null) : null],
    ["Last sign of life", isFinished(run.state) ? null : one(run.heartbeat)], ["Waits until", isFinished(run.state) ? null : one(run.state_start_time)],
  ]);
}

const inputs = (values, none) => (values && Object.keys(values).length ? json(values) : h("p.none", none));

function family(here) {
  if (!here.children?.length) return null;
  return card("Runs that it started", table([
    { head: "Run", cell: (one) => h("a", { href: `/runs/${one.id}` }, one.name) },
    { head: "Flow", cell: (one) => one.flow_name },
    { head: "State", cell: (one) => badge(one.state, { message: one.state_message }) },
    { head: "Started", hide: true, cell: (one) => moment(one.start_time) },
    { head: "Duration", class: "number", cell: (one) => (one.start_time ? lasting(one.start_time, isFinished(one.state) ? one.end_time : null) : "–") },
  ], here.children));
}
