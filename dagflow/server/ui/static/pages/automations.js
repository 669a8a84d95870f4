// What the server does by itself when runs reach states, are late, or agents are missing.
import { all, del, get, patch, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { act, action, ask, card, empty, head, table } from "../lib/parts.js";
import { moment } from "../lib/time.js";

const EXAMPLE = { trigger: { type: "state", states: ["Failed"] }, actions: [{ type: "message", title: "{flow_run_name} is {state}", text: "{flow_name} ended as {state}." }] };

export async function show(page) {
  const list = h("div"), messages = h("div");
  page.append(head("Automations", { tools: [action("New automation", (button) => edit(button), { kind: "primary" })] }), list, card("Messages", messages));

  async function edit(button, one = null) {
    const trigger = area("trigger", one?.trigger ?? EXAMPLE.trigger), actions = area("actions", one?.actions ?? EXAMPLE.actions);
    const given = await ask(one ? `Change ${one.name}` : "New automation", { confirm: "Save", fields: [
      h("div.field", h("label", { for: "auto-name" }, "Name"), h("input", { id: "auto-name", name: "name", required: true, value: one?.name ?? "" })),
      h("div.field", h("label", { for: "auto-trigger" }, "When (JSON)"), trigger), h("div.field", h("label", { for: "auto-actions" }, "What to do (JSON)"), actions)] });
    if (!given) return;
    const work = () => {
      const body = { name: given.name, trigger: JSON.parse(given.trigger), actions: JSON.parse(given.actions) };
      return one ? patch(`automations/${one.id}`, body) : post("automations", { enabled: true, ...body });
    };
    if (await act(button, work, `${given.name} is saved.`)) await load();
  }

  async function load() {
    const [items, told] = await Promise.all([all("automations"), all("messages")]);
    fill(list, items.length ? card(null, table([
      { head: "Automation", cell: (one) => h("strong", one.name) },
      { head: "On", cell: (one) => h("input", { type: "checkbox", role: "switch", checked: one.enabled, "aria-label": `${one.name} is on`, onchange: (event) => act(null, () => patch(`automations/${one.id}`, { enabled: event.target.checked }), event.target.checked ? `${one.name} is on.` : `${one.name} is off.`) }) },
      { head: "When", cell: (one) => when(one.trigger) }, { head: "What", hide: true, cell: (one) => one.actions.map((what) => what.type).join(", ") },
      { head: "", cell: (one) => h("span.tools", action("Deliveries", () => deliveries(one)), action("Change", (button) => edit(button, one)), action("Delete", async (button) => {
        if ((await ask(`Delete ${one.name}?`, { confirm: "Delete", danger: true })) && (await act(button, () => del(`automations/${one.id}`), `${one.name} is deleted.`))) await load();
      }, { kind: "danger" })) },
    ], items)) : empty("No automation yet", h("p", "Let the server tell somebody when a flow fails, cancel what takes too long, or notice that no agent is there.")));
    fill(messages, table([{ head: "When", cell: (one) => moment(one.created) }, { head: "Message", cell: (one) => h("div", h("strong", one.title), h("div.soft", one.text)) },
      { head: "", cell: (one) => (one.read ? h("span.soft", "read") : action("Mark as read", (button) => act(button, () => post(`messages/${one.id}/read`)).then(load))) }], told, { empty: "No automation has left a message." }));
  }
  await load();
}

function area(name, value) {
  const field = h("textarea", { id: `auto-${name}`, name, rows: "6", spellcheck: "false" });
  field.value = JSON.stringify(value, null, 2);
  return field;
}

function when(trigger) {
  if (trigger.type === "state") return `a run becomes ${(trigger.states ?? []).join(" or ")}`;
  return h("code", JSON.stringify(trigger));
}

async function deliveries(one) {
  const { items } = await get(`automations/${one.id}/deliveries`);
  await ask(`Deliveries of ${one.name}`, { confirm: "Close", body: table([
    { head: "When", cell: (item) => moment(item.created) }, { head: "What", cell: (item) => item.action?.type ?? item.kind ?? "" }, { head: "Came to", cell: (item) => item.state ?? item.status ?? "" }, { head: "Problem", cell: (item) => item.error ?? item.problem ?? "" },
  ], items, { empty: "Nothing was done yet." }) });
}
