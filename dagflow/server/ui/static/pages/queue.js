// Runs that wait, each with the reasons; and how many may go on at once, with who holds the slots.
import { del, get, post } from "../lib/api.js";
import { plural } from "../lib/control.js";
import { fill, h } from "../lib/dom.js";
import { choice, flowLink, input, labelList, part, refill, runLink, whole } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, card, empty, head, table, tabs } from "../lib/parts.js";
import { badge } from "../lib/states.js";
import { moment } from "../lib/time.js";

const KINDS = { task_tag: "task tag", flow_label: "flow label", named: "named" };
const HELP = "task tag: task runs that have the tag; flow label: flow runs that have the label; named: code that asks for a slot by this name.";

export function show(page) {
  const shown = tabs([["runs", "Waiting runs"], ["limits", "Limits"]], (id, panel) => (id === "runs" ? waiting(panel) : limits(panel)));
  fill(page, head("Queue"), shown.element);
}

async function waiting(panel) {
  const place = h("div.card");
  fill(panel, place);
  const fresh = await keepFresh(() => part(place, async () => {
    const { runs, total } = await get("queue", { limit: 100 });
    refill(place, [runs, total], () => (runs.length ? [h("p.soft", `${plural(total, "run")} ${total === 1 ? "waits" : "wait"}, the longest first.${total > runs.length ? ` The first ${runs.length} are shown.` : ""}`), list(runs)] : empty("Nothing waits", h("p", "Runs that are due and that no agent has taken yet stand here, with the reason."))));
  }), { kinds: ["flow_run_state"] });
  return () => fresh.stop();
}

function list(runs) {
  return table([
    { head: "", class: "number", hide: true, cell: (run) => runs.indexOf(run) + 1 },
    { head: "Run", cell: (run) => [runLink(run), h("div.soft", flowLink(run), ` · ${run.project_name}`)] },
    { head: "State", cell: (run) => badge(run.state, { late: run.late }) },
    { head: "Due", hide: true, cell: (run) => moment(run.start_time) },
    { head: "Why it waits", cell: (run) => (run.reasons.length ? run.reasons.map((one) => h("div", one.text)) : h("span.none", "no reason known")) },
    { head: "Labels", hide: true, cell: (run) => labelList(run.labels) },
    { head: "Pool", hide: true, cell: (run) => (run.pool ? `${run.pool}${run.queue ? ` / ${run.queue}` : ""}` : "–") },
  ], runs);
}

async function limits(panel) {
  const place = h("div.card");
  const load = () => part(place, async () => {
    const { items } = await get("limits");
    refill(place, items, () => (items.length ? limitTable(items, load) : empty("No limits", h("p", "A limit says how many task runs with a tag, flow runs with a label, or pieces of code by a name go on at once."))));
  });
  fill(panel, h("div.filters", action("New limit", () => edit(null, load), { kind: "primary" })), place);
  const fresh = await keepFresh(load, { kinds: ["flow_run_state", "task_run_state"] });
  return () => fresh.stop();
}

function limitTable(items, load) {
  return table([
    { head: "Limit", cell: (one) => [h("strong", one.name), h("div.soft", KINDS[one.kind] ?? one.kind)] },
    { head: "In use", cell: (one) => [h(`span.meter${one.in_use >= one.limit ? ".full" : ""}`, { "aria-hidden": "true" }, h("span", { style: { width: `${Math.min(100, (one.in_use / Math.max(1, one.limit)) * 100)}%` } })), `${one.in_use} of ${one.limit}`, one.slots_per_second ? h("div.soft", `${one.slots_per_second} come back each second`) : null] },
    { head: "Held by", hide: true, cell: (one) => who(one, one.holders) },
    { head: "Waiting", cell: (one) => (one.waiting ? [h("strong", one.waiting), " ", who(one, one.waiters)] : "0") },
    { head: "", cell: (one) => h("div.tools", action("Change", () => edit(one, load)), action("Delete", (button) => remove(button, one, load), { kind: "danger" })) },
  ], items);
}

function who(limit, holders) {
  if (!holders?.length) return h("span.none", "nobody");
  const link = (one) => {
    const id = typeof one === "string" ? one : one.task_run_id ?? one.flow_run_id ?? one.id;
    const place = limit.kind === "task_tag" || one.task_run_id ? "task-runs" : "runs";
    return h("a", { href: `/${place}/${id}` }, one.name ?? h("code", id.slice(-8)));
  };
  return h("span.tools", holders.slice(0, 6).map(link), holders.length > 6 ? h("span.soft", `and ${holders.length - 6} more`) : null);
}

async function edit(limit, load) {
  const fields = [limit ? h("p", h("strong", limit.name), ` (${KINDS[limit.kind]})`) : [choice("kind", "Kind", Object.entries(KINDS), "task_tag", HELP), input("name", "Name", { required: true, maxlength: "500" })],
    input("limit", "How many at once", { type: "number", min: "0", required: true, value: limit?.limit ?? 1 }, "0 lets nothing begin."),
    !limit || limit.kind === "named" ? input("slots_per_second", "Slots that come back each second", { type: "number", min: "0", step: "any", value: limit?.slots_per_second ?? "" }, "For named limits: how fast, rather than how many at once. Leave it empty otherwise.") : null];
  const answer = await ask(limit ? "Change the limit" : "New limit", { fields, confirm: "Save" });
  if (!answer) return;
  const body = { kind: limit?.kind ?? answer.kind, name: limit?.name ?? answer.name, limit: Number(answer.limit), slots_per_second: whole(answer.slots_per_second) };
  if (await act(null, () => post("limits", body), `The limit of ${body.name} is ${body.limit}.`)) load();
}

async function remove(button, limit, load) {
  if (!(await ask(`Delete the limit of ${limit.name}?`, { confirm: "Delete", danger: true, body: h("p", "What waits for it begins; nothing holds it back any more.") }))) return;
  if (await act(button, () => del(`limits/${limit.id}`), "The limit is deleted.")) load();
}
