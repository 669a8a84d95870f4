// What waits and why, and the limits that let it wait.
import { all, del, get, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, card, head, table } from "../lib/parts.js";
import { badge } from "../lib/states.js";
import { moment } from "../lib/time.js";

const KINDS = { task_tag: "Tasks with a tag", flow_label: "Flow runs with a label", named: "By name, asked for in code" };

export async function show(page) {
  const waiting = h("div"), limits = h("div");
  page.append(head("Queue", { tools: [action("New limit", (button) => edit(button), { kind: "primary" })] }), card("Waiting", waiting), limits);

  async function edit(button, one = null) {
    const kind = h("select", { id: "limit-kind", name: "kind", disabled: Boolean(one) }, Object.entries(KINDS).map(([value, text]) => h("option", { value, selected: value === one?.kind }, text)));
    const given = await ask(one ? `Limit on ${one.name}` : "New limit", { confirm: "Save", fields: [
      h("div.field", h("label", { for: "limit-kind" }, "What is limited"), kind),
      h("div.field", h("label", { for: "limit-name" }, "Tag, label or name"), h("input", { id: "limit-name", name: "name", required: true, value: one?.name ?? "", readonly: Boolean(one) })),
      h("div.field", h("label", { for: "limit-count" }, "How many at once"), h("input", { id: "limit-count", name: "limit", type: "number", min: "0", required: true, value: one?.limit ?? 1 }), h("p.help", "0 lets none begin."))] });
    if (!given) return;
    const body = { kind: one?.kind ?? given.kind, name: given.name, limit: Number(given.limit) };
    if (await act(button, () => post("limits", body), `At most ${body.limit} for ${body.name}.`)) await fresh.now();
  }

  const limitTable = (items) => table([
    { head: "Name", cell: (one) => h("strong", one.name) },
    { head: "In use", class: "number", cell: (one) => h("span", { class: one.in_use >= one.limit ? "warn" : null }, `${one.in_use} of ${one.limit}`) },
    { head: "Held by", cell: (one) => links(one, one.holders) }, { head: "Waiting", cell: (one) => links(one, one.waiters) },
    { head: "", cell: (one) => h("span.tools", action("Change", (button) => edit(button, one)), action("Delete", async (button) => {
      if ((await ask(`Delete the limit on ${one.name}?`, { body: h("p", "What waits for it may begin at once."), confirm: "Delete", danger: true })) && (await act(button, () => del(`limits/${one.id}`), "The limit is gone."))) await fresh.now();
    }, { kind: "danger" })) },
  ], items);

  const fresh = await keepFresh(async () => {
    const [queue, found] = await Promise.all([get("queue", { limit: 200 }), all("limits")]);
    fill(waiting, table([
      { head: "Run", cell: (run) => h("div", h("a", { href: `/runs/${run.id}` }, run.name), h("div.soft.small", `${run.flow_name} · ${run.project_name}`)) },
      { head: "State", cell: (run) => badge(run.state, { late: run.late }) }, { head: "Due", cell: (run) => moment(run.start_time) },
      { head: "Labels", hide: true, cell: (run) => [run.pool ? h("span.tag", `pool ${run.pool}`) : null, run.labels.map((label) => h("span.tag", label))] },
      { head: "Why it waits", cell: (run) => run.reasons.map((one) => h("div", one.text)) },
    ], queue.runs, { empty: "Nothing waits." }), queue.total > queue.runs.length ? h("p.soft", `The first ${queue.runs.length} of ${queue.total}.`) : null);
    fill(limits, Object.entries(KINDS).map(([kind, title]) => {
      const items = found.filter((one) => one.kind === kind);
      return card(title, items.length ? limitTable(items) : h("p.none", "No limit."));
    }));
  });
}

// Holders and waiters are task runs for tags, flow runs otherwise.
function links(one, ids) {
  if (!ids?.length) return h("span.none", "–");
  const place = one.kind === "task_tag" ? "task-runs" : "runs";
  return h("ul.plain-list", ids.slice(0, 10).map((id) => h("li", h("a", { href: `/${place}/${id}` }, h("code", id.slice(0, 13)), "…"))), ids.length > 10 ? h("li.soft", `and ${ids.length - 10} more`) : null);
}
