// Agents and pools: who executes runs, where, and how many at once.
import { all, del, get, patch, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { input, labelList, part, refill, toggle, whole } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, card, empty, head, table, tabs } from "../lib/parts.js";
import { moment } from "../lib/time.js";

export function show(page) {
  const shown = tabs([["agents", "Agents"], ["pools", "Pools"]], (id, panel) => (id === "agents" ? agents(panel) : pools(panel)));
  fill(page, head("Agents & pools"), shown.element);
}

export const health = (agent) => h("span", { class: agent.healthy ? "good" : "warn" }, agent.healthy ? "✓ healthy" : "! silent");

async function agents(panel) {
  const place = h("div");
  fill(panel, place);
  const load = () => part(place, async () => {
    const items = await all("agents");
    items.sort((one, other) => other.healthy - one.healthy);
    refill(place, [items, Math.floor(Date.now() / 10_000)], () => (items.length ? card(null, agentTable(items, load)) : empty("No agents", h("p", "An agent takes runs and executes them where it was started:"), h("p", h("code", "dagflow agent local start")), h("p", h("a", { href: "/start" }, "First steps")))));
  });
  const fresh = await keepFresh(load, { kinds: ["flow_run_state"] });
  return () => fresh.stop();
}

function agentTable(items, load) {
  return table([
    { head: "Agent", cell: (one) => [h("a.run-name", { href: `/agents/${one.id}` }, one.name ?? one.type), h("div.soft", one.type)] },
    { head: "Health", cell: (one) => [health(one), h("div.soft", "heard of ", moment(one.last_queried))] },
    { head: "Labels", cell: (one) => labelList(one.labels) },
    { head: "Pool", hide: true, cell: (one) => one.pool ?? "–" },
    { head: "At once", class: "number", hide: true, cell: (one) => one.limit ?? "any" },
    { head: "Host", hide: true, cell: (one) => one.host ?? "–" },
    { head: "dagflow", hide: true, cell: (one) => one.core_version ?? "–" },
    { head: "", cell: (one) => action("Remove", (button) => forget(button, one, load), { kind: "danger" }) },
  ], items);
}

export async function forget(button, agent, then) {
  const sure = await ask(`Remove ${agent.name ?? agent.type} from the list?`, { confirm: "Remove", danger: true, body: h("p", agent.healthy ? "This does not stop its process; stop it where it runs." : "It was silent for a while; should it still run, it is not stopped by this.") });
  if (sure && (await act(button, () => del(`agents/${agent.id}`), "The agent is removed from the list."))) then();
}

// --- pools ---------------------------------------------------------------------------------------------------------

async function pools(panel) {
  const place = h("div");
  const load = () => part(place, async () => {
    const { items } = await get("work_pools");
    const whole_ = await Promise.all(items.map((one) => get(`work_pools/${encodeURIComponent(one.name)}`)));
    refill(place, whole_, () => (whole_.length ? h("div.cards", whole_.map((one) => pool(one, load))) : empty("No pools", h("p", "A pool puts agents together that take the same runs, in the order of its queues."))));
  });
  fill(panel, h("div.filters", action("New pool", () => create(load), { kind: "primary" })), place);
  const fresh = await keepFresh(load, { kinds: ["flow_run_state"] });
  return () => fresh.stop();
}

function pool(one, load) {
  const path = `work_pools/${encodeURIComponent(one.name)}`;
  const full = one.limit !== null && one.in_use >= one.limit;
  return card([one.name, h("span.tag", one.type)],
    one.description ? h("p", one.description) : null,
    h("p", one.limit === null ? `${one.in_use} in use, no limit` : [h(`span.meter${full ? ".full" : ""}`, { "aria-hidden": "true" }, h("span", { style: { width: `${Math.min(100, (one.in_use / Math.max(1, one.limit)) * 100)}%` } })), `${one.in_use} of ${one.limit} in use`]),
    h("p.tools", toggle(`${one.name} takes runs`, !one.paused, async (on) => {
      const done = await act(null, () => patch(path, { paused: !on }), on ? `${one.name} takes runs again.` : `${one.name} is paused; what goes on is not stopped.`);
      if (done) load();
      return done;
    }), one.paused ? h("strong.warn", "‖ paused") : "takes runs"),
    h("h3", "Queues"), table([
      { head: "Queue", cell: (queue) => queue.name }, { head: "Priority", class: "number", cell: (queue) => queue.priority }, { head: "Limit", class: "number", cell: (queue) => queue.limit ?? "none" },
      { head: "", cell: (queue) => h("div.tools", action("Change", () => setQueue(path, queue, load)), action("Delete", (button) => removeQueue(button, path, queue, load), { kind: "danger", reason: queue.name === "default" ? "Every pool has a queue called default." : null })) },
    ], one.queues ?? []),
    h("h3", "Agents"), one.agents?.length ? h("ul", one.agents.map((agent) => h("li", h("a", { href: `/agents/${agent.id}` }, agent.name ?? agent.type), " ", health(agent)))) : h("p.none", "No agent takes runs of this pool: ", h("code", `dagflow agent local start --pool ${one.name}`)),
    h("div.choices", action("Add a queue", () => setQueue(path, null, load)), action("Change", () => change(path, one, load)), action("Delete", (button) => removePool(button, path, one, load), { kind: "danger" })));
}

async function create(load) {
  const answer = await ask("New pool", { confirm: "Create", fields: [input("name", "Name", { required: true, maxlength: "200" }), input("type", "Type", { value: "process", required: true }, "The kind of agents that take its runs, such as process, docker or kubernetes."), input("limit", "Runs at once", { type: "number", min: "0", placeholder: "no limit" }), input("description", "Description", {})] });
  if (answer && (await act(null, () => post("work_pools", { name: answer.name, type: answer.type, limit: whole(answer.limit), description: answer.description || null }), `The pool ${answer.name} is there.`))) load();
}

async function change(path, one, load) {
  const answer = await ask(`Change ${one.name}`, { confirm: "Save", fields: [input("limit", "Runs at once", { type: "number", min: "0", placeholder: "no limit", value: one.limit ?? "" }), input("description", "Description", { value: one.description ?? "" })] });
  if (answer && (await act(null, () => patch(path, { limit: whole(answer.limit), description: answer.description || null }), "Saved."))) load();
}

async function setQueue(path, queue, load) {
  const answer = await ask(queue ? `Change the queue ${queue.name}` : "Add a queue", { confirm: "Save", fields: [queue ? null : input("name", "Name", { required: true, maxlength: "200" }), input("priority", "Priority", { type: "number", min: "0", required: true, value: queue?.priority ?? 0 }, "Lower numbers go first."), input("limit", "Runs at once", { type: "number", min: "0", placeholder: "no limit", value: queue?.limit ?? "" })].filter(Boolean) });
  if (answer && (await act(null, () => post(`${path}/queues`, { name: queue?.name ?? answer.name, priority: Number(answer.priority), limit: whole(answer.limit) }), "The queue is saved."))) load();
}

async function removeQueue(button, path, queue, load) {
  if (!(await ask(`Delete the queue ${queue.name}?`, { confirm: "Delete", danger: true }))) return;
  if (await act(button, () => del(`${path}/queues/${encodeURIComponent(queue.name)}`), "The queue is deleted.")) load();
}

async function removePool(button, path, one, load) {
  if (!(await ask(`Delete the pool ${one.name}?`, { confirm: "Delete", danger: true, typed: one.name }))) return;
  if (await act(button, () => del(path), "The pool is deleted.")) load();
}
