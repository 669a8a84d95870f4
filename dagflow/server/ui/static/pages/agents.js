// Who executes runs: agents, and the pools that share work among them.
import { all, del, get, patch, post } from "../lib/api.js";
import { fits, health, labels } from "../lib/agents.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, card, head, table } from "../lib/parts.js";

export async function show(page) {
  const agents = h("div"), pools = h("div");
  page.append(head("Agents & pools"), card("Agents", agents), card("Work pools", pools));

  const fresh = { now: () => null };
  Object.assign(fresh, await keepFresh(async () => {
    const [found, queue, running, poolItems] = await Promise.all([all("agents"), get("queue", { limit: 200 }), get("flow_runs", { state: ["Running", "Submitted", "Cancelling"], limit: 200 }), all("work_pools")]);
    found.sort((one, other) => Number(other.healthy) - Number(one.healthy) || (one.name ?? "").localeCompare(other.name ?? ""));
    fill(agents, table([
      { head: "Agent", cell: (one) => h("div", h("a.strong", { href: `/agents/${one.id}` }, one.name ?? one.id), h("div.soft.small", [one.type, one.host, one.core_version].filter(Boolean).join(" · "))) },
      { head: "Heard of", cell: health }, { head: "Labels", cell: labels },
      { head: "Runs", class: "number", cell: (one) => `${running.items.filter((run) => run.agent_id === one.id).length}${one.limit === null ? "" : ` of ${one.limit}`}` },
      { head: "Could take", class: "number", hide: true, cell: (one) => queue.runs.filter((run) => fits(run, one)).length },
      { head: "", hide: true, cell: (one) => action("Remove", async (button) => {
        if ((await ask(`Remove ${one.name ?? "this agent"} from the list?`, { body: h("p", "This does not stop its process: one that still asks for work comes back."), confirm: "Remove", danger: true })) && (await act(button, () => del(`agents/${one.id}`), "The agent is off the list."))) await fresh.now();
      }, { kind: "danger" }) },
    ], found, { empty: "No agent has ever asked for work. Start one with: dagflow agent local start" }));
    const details = await Promise.all(poolItems.map((one) => get(`work_pools/${encodeURIComponent(one.name)}`)));
    fill(pools, h("div.filters", action("New pool", (button) => newPool(button, fresh), { kind: "primary" })), table([
      { head: "Pool", cell: (one) => h("div", h("strong", one.name), one.paused ? h("span.warn", " paused") : null, h("div.soft.small", [one.type, one.description].filter(Boolean).join(" · "))) },
      { head: "In use", class: "number", cell: (one) => `${one.in_use}${one.limit === null ? "" : ` of ${one.limit}`}` },
      { head: "Queues", cell: (one) => queues(one, fresh) },
      { head: "", cell: (one) => h("span.tools",
        action(one.paused ? "Resume" : "Pause", (button) => act(button, () => patch(`work_pools/${encodeURIComponent(one.name)}`, { paused: !one.paused }), one.paused ? `${one.name} gives out runs again.` : `${one.name} gives out no runs; those that run go on.`).then(fresh.now)),
        action("Limit", (button) => setLimit(button, one, fresh)), action("Delete", async (button) => {
          if ((await ask(`Delete ${one.name}?`, { body: h("p", "Deployments that name it will wait for ever."), confirm: "Delete", danger: true, typed: one.name })) && (await act(button, () => del(`work_pools/${encodeURIComponent(one.name)}`), `${one.name} is deleted.`))) await fresh.now();
        }, { kind: "danger" })) },
    ], details, { empty: "No pool yet. Workers of a pool take what its deployments ask for: dagflow worker start --pool NAME" }));
  }));
}

function queues(pool, fresh) {
  const items = pool.queues ?? [];
  return h("ul.plain-list", items.map((one) => h("li", one.name, h("span.soft", ` · priority ${one.priority ?? 0}${one.limit === null || one.limit === undefined ? "" : ` · at most ${one.limit}`} `), action("×", async (button) => {
    if ((await ask(`Delete the queue ${one.name}?`, { confirm: "Delete", danger: true })) && (await act(button, () => del(`work_pools/${encodeURIComponent(pool.name)}/queues/${encodeURIComponent(one.name)}`), "The queue is gone."))) await fresh.now();
  }, { kind: "quiet", title: `Delete the queue ${one.name}` }))), h("li", action("Add a queue", (button) => newQueue(button, pool, fresh), { kind: "quiet" })));
}

const number = (text) => (text === "" || text === undefined ? null : Number(text));

async function newPool(button, fresh) {
  const given = await ask("New work pool", { confirm: "Create", fields: [
    h("div.field", h("label", { for: "pool-name" }, "Name"), h("input", { id: "pool-name", name: "name", required: true })),
    h("div.field", h("label", { for: "pool-type" }, "Type"), h("select", { id: "pool-type", name: "type" }, ["process", "docker", "kubernetes"].map((one) => h("option", { value: one }, one)))),
    h("div.field", h("label", { for: "pool-limit" }, "Runs at once (empty: no limit)"), h("input", { id: "pool-limit", name: "limit", type: "number", min: "0" }))] });
  if (given && (await act(button, () => post("work_pools", { name: given.name, type: given.type, limit: number(given.limit) }), `${given.name} is there.`))) await fresh.now();
}

async function setLimit(button, one, fresh) {
  const given = await ask(`Limit of ${one.name}`, { confirm: "Save", fields: [h("div.field", h("label", { for: "pool-limit" }, "Runs at once (empty: no limit)"), h("input", { id: "pool-limit", name: "limit", type: "number", min: "0", value: one.limit ?? "" }))] });
  if (given && (await act(button, () => patch(`work_pools/${encodeURIComponent(one.name)}`, { limit: number(given.limit) }), "The limit is saved."))) await fresh.now();
}

async function newQueue(button, pool, fresh) {
  const given = await ask(`New queue in ${pool.name}`, { confirm: "Create", fields: [
    h("div.field", h("label", { for: "queue-name" }, "Name"), h("input", { id: "queue-name", name: "name", required: true })),
    h("div.field", h("label", { for: "queue-priority" }, "Priority (0 first)"), h("input", { id: "queue-priority", name: "priority", type: "number", min: "0", value: "0" })),
    h("div.field", h("label", { for: "queue-limit" }, "Runs at once (empty: no limit)"), h("input", { id: "queue-limit", name: "limit", type: "number", min: "0" }))] });
  if (given && (await act(button, () => post(`work_pools/${encodeURIComponent(pool.name)}/queues`, { name: given.name, priority: Number(given.priority), limit: number(given.limit) }), `The queue ${given.name} is there.`))) await fresh.now();
}
