// Automations: what happens, what is done then, and how that went.
import { del, get, patch, post } from "../lib/api.js";
import { plural } from "../lib/control.js";
import { fill, h } from "../lib/dom.js";
import { area, choice, input, parsed, part, refill, toggle } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, card, empty, head, json, table, tabs } from "../lib/parts.js";
import { showDialog } from "../lib/bar.js";
import { badge, group, STATES } from "../lib/states.js";
import { everySeconds } from "../lib/words.js";
import { moment } from "../lib/time.js";

const TRIGGERS = { state: "a run enters a state", not_running: "a run has not begun in time", not_finished: "a run has not ended in time", agents: "too few agents are healthy" };
const NEEDS = {
  message: { title: "{flow_run_name} is {state}", text: "" }, webhook: { url: "https://" }, slack: { url: "https://" }, teams: { url: "https://" }, email: { to: "" },
  pagerduty: { routing_key_secret: "" }, twilio: { to: "", account_sid: "", auth_token_secret: "", from: "" }, cancel_run: {}, pause_schedule: {}, create_run: { version_group_id: "" }, set_state: { state: "Failed" },
};
const WORDS = { message: "Leave a message here", webhook: "Call a webhook", slack: "Write to Slack", teams: "Write to Teams", email: "Send an e-mail", pagerduty: "Call PagerDuty", twilio: "Send a text message", cancel_run: "Cancel the run", pause_schedule: "Switch the schedule off", create_run: "Create a run", set_state: "Set a state" };
const MOST_TRIED = 200;

export async function show(page) {
  const flows = await flowNames();
  const shown = tabs([["automations", "Automations"], ["messages", "Messages"]], (id, panel) => (id === "automations" ? automations(panel, flows) : messages(panel)));
  fill(page, head("Automations", { tools: [h("a.button", { href: "/events" }, "Events")] }), shown.element);
}

async function flowNames() {
  const { items } = await get("flow_groups/overview", { limit: 200 });
  return new Map(items.map((one) => [one.group_id, one.name]));
}

async function automations(panel, flows) {
  const place = h("div");
  const load = () => part(place, async () => {
    const { items } = await get("automations");
    refill(place, items, () => (items.length ? card(null, list(items, flows, load)) : empty("No automations", h("p", "An automation sees that a run failed, or is not done in time, and tells somebody or does something about it."))));
  });
  fill(panel, h("div.filters", action("New automation", () => edit(null, flows, load), { kind: "primary" })), place);
  await load();
}

function list(items, flows, load) {
  return table([
    { head: "On", cell: (one) => toggle(`${one.name} is on`, one.enabled, (enabled) => act(null, () => patch(`automations/${one.id}`, { enabled }), `${one.name} is ${enabled ? "on" : "off"}.`)) },
    { head: "Name", cell: (one) => h("strong", one.name) },
    { head: "When", cell: (one) => said(one.trigger, flows) },
    { head: "Then", hide: true, cell: (one) => (one.actions.length ? one.actions.map((what) => h("div", WORDS[what.type] ?? what.type)) : h("span.none", "nothing")) },
    { head: "", cell: (one) => h("div.tools", action("Deliveries", () => deliveries(one)), action("Try", (button) => tryOut(button, one, flows), { reason: one.trigger.type === "state" ? null : "Only what waits for a state can be tried on past runs.", title: "Which of the last changes of state would have set it off" }),
      action("Change", () => edit(one, flows, load)), action("Delete", (button) => remove(button, one, load), { kind: "danger" })) },
  ], items);
}

function said(trigger, flows) {
  const names = trigger.flow_group_ids?.length ? trigger.flow_group_ids.map((id) => flows.get(id) ?? `${id.slice(0, 8)}…`).join(", ") : "any flow";
  if (trigger.type === "state") return [`A run of ${names} enters `, trigger.states.map((state) => [STATES.includes(state) ? badge(state) : state, " "])];
  const time = everySeconds(trigger.seconds).replace(/^every (?=\d)/, "").replace(/^every /, "a ");
  if (trigger.type === "agents") return `Fewer than ${trigger.min_healthy ?? 1} agents are healthy for ${time}`;
  return `A run of ${names} has not ${trigger.type === "not_running" ? "begun" : "ended"} after ${time}`;
}

// --- the form ------------------------------------------------------------------------------------------------------

async function edit(one, flows, load) {
  const kind = choice("kind", "When", Object.entries(TRIGGERS), one?.trigger.type ?? "state");
  const trigger = h("div");
  const drawTrigger = () => fill(trigger, triggerFields(kind.querySelector("select").value, one?.trigger ?? {}, flows));
  kind.querySelector("select").addEventListener("change", drawTrigger);
  drawTrigger();
  const actions = area("actions", "Then, as JSON", JSON.stringify(one?.actions ?? [{ type: "message", ...NEEDS.message }], null, 2), "A list of actions. {flow_run_name}, {flow_run_id}, {state} and {message} stand for what happened.", 9);
  const add = choice("add", "Add an action", [["", "Choose …"], ...Object.entries(WORDS)], "");
  add.querySelector("select").addEventListener("change", (event) => {
    const field = actions.querySelector("textarea");
    try {
      field.value = JSON.stringify([...parsed(field.value || "[]"), { type: event.target.value, ...NEEDS[event.target.value] }], null, 2);
    } catch (error) {
      field.setCustomValidity(error.message);
      field.reportValidity();
      field.setCustomValidity("");
    }
    event.target.value = "";
  });
  const fields = h("div", input("name", "Name", { required: true, maxlength: "500", value: one?.name ?? "" }), kind, trigger, actions, add);
  const answer = await ask(one ? `Change ${one.name}` : "New automation", { confirm: "Save", fields });
  if (!answer) return;
  const said_ = await act(null, () => {
    const body = { name: answer.name, trigger: triggerOf(answer, fields, one?.trigger), actions: parsed(answer.actions, "What is to be done") };
    return one ? patch(`automations/${one.id}`, body) : post("automations", body);
  }, `${answer.name} is saved.`);
  if (said_) load();
}

function triggerFields(kind, trigger, flows) {
  const many = (name, label, options, chosen, help) => h("div.field", h("label", label, h("select", { name, multiple: true, size: String(Math.min(6, options.length || 1)) }, options.map(([id, text]) => h("option", { value: id, selected: chosen.includes(id) }, text)))), h("p.help", help));
  const parts = [];
  if (kind === "state") parts.push(many("states", "States", STATES.map((one) => [one, one]), trigger.states ?? ["Failed"], "Failed stands for all ways to fail."));
  else parts.push(input("seconds", "After how many seconds", { type: "number", min: "1", required: true, value: trigger.seconds ?? 3600 }));
  if (kind === "agents") parts.push(input("min_healthy", "Healthy agents there should be", { type: "number", min: "1", value: trigger.min_healthy ?? 1 }));
  else parts.push(many("flow_group_ids", "Flows", [...flows], trigger.flow_group_ids ?? [], "None chosen means all flows. Hold Ctrl to choose more than one."));
  return parts;
}

function triggerOf(answer, form, before) {
  const chosen = (name) => [...(form.querySelector(`select[name="${name}"]`)?.selectedOptions ?? [])].map((one) => one.value);
  const trigger = { type: answer.kind };
  if (answer.kind === "state") trigger.states = chosen("states");
  else trigger.seconds = Number(answer.seconds);
  if (answer.kind === "agents") return { ...trigger, min_healthy: Number(answer.min_healthy || 1), ...(before?.agent_config_id ? { agent_config_id: before.agent_config_id } : {}) };
  const flows = chosen("flow_group_ids");
  return flows.length ? { ...trigger, flow_group_ids: flows } : trigger;
}

// --- trying, deliveries --------------------------------------------------------------------------------------------

function dialog(title, ...content) {
  showDialog(h("dialog.dialog", { "aria-label": title }, h("h2", title), content, h("form.choices", { method: "dialog" }, h("button", { type: "submit" }, "Close"))));
}

// Nothing is sent: the last changes of state are compared with what the automation waits for.
async function tryOut(button, one, flows) {
  const answer = await act(button, () => get("activity", { limit: MOST_TRIED }));
  if (!answer) return;
  const names = (one.trigger.flow_group_ids ?? []).map((id) => flows.get(id));
  const fits = (event) => one.trigger.states.some((state) => state === event.state || state === group(event.state)) && (!names.length || names.includes(event.flow_name));
  const found = answer.items.filter(fits);
  dialog(`Try ${one.name}`, h("p", `Of the last ${plural(answer.items.length, "change")} of state, ${found.length} would have set it off. Nothing was sent.`),
    table([{ head: "When", cell: (event) => moment(event.timestamp) }, { head: "Run", cell: (event) => h("a", { href: `/runs/${event.run_id}` }, event.run_name) }, { head: "State", cell: (event) => badge(event.state) }], found.slice(0, 15), { empty: "None of them." }));
}

async function deliveries(one) {
  const answer = await act(null, () => get(`automations/${one.id}/deliveries`));
  if (!answer) return;
  dialog(`What ${one.name} has done`, table([
    { head: "When", cell: (item) => moment(item.updated ?? item.created) },
    { head: "What", cell: (item) => WORDS[item.action?.type] ?? item.action?.type },
    { head: "How it went", cell: (item) => [h("span", { class: item.status === "failed" ? "bad" : item.status === "done" || item.status === "sent" ? "good" : null }, item.status), item.attempts ? h("span.soft", ` after ${plural(item.attempts, "attempt")}`) : null, item.error ? h("div.bad", item.error) : null] },
    { head: "Run", cell: (item) => (item.event?.flow_run_id ? h("a", { href: `/runs/${item.event.flow_run_id}` }, "open") : h("details", h("summary", "event"), json(item.event))) },
  ], answer.items, { empty: "It has done nothing yet." }));
}

async function remove(button, one, load) {
  if (!(await ask(`Delete ${one.name}?`, { confirm: "Delete", danger: true, body: h("p", "What it has done is forgotten too.") }))) return;
  if (await act(button, () => del(`automations/${one.id}`), `${one.name} is deleted.`)) load();
}

async function messages(panel) {
  const place = h("div");
  const load = () => part(place, async () => {
    const { items } = await get("messages");
    refill(place, items, () => (items.length ? card(null, table([
      { head: "When", cell: (one) => moment(one.created) },
      { head: "Message", cell: (one) => [one.read ? one.title : h("strong", one.title), h("div.soft", one.text)] },
      { head: "", cell: (one) => action("Mark as read", async (button) => (await act(button, () => post(`messages/${one.id}/read`))) && load(), { reason: one.read ? "It is read already." : null }) },
    ], items)) : empty("No messages", h("p", "Automations leave messages here."))));
  });
  fill(panel, place);
  const fresh = await keepFresh(load, { kinds: ["flow_run_state"] });
  return () => fresh.stop();
}
