// What the forms of the other pages share: fields in dialogs, switches, text that is JSON.
import { fill, h } from "./dom.js";
import { badge, block } from "./states.js";

export const input = (name, label, attributes = {}, help = null) =>
  h("div.field", h("label", label, h("input", { name, ...attributes })), help ? h("p.help", help) : null);

export const choice = (name, label, options, value = null, help = null) =>
  h("div.field", h("label", label, h("select", { name }, options.map((one) => {
    const [id, text] = Array.isArray(one) ? one : [one, one];
    return h("option", { value: id, selected: id === value }, text);
  }))), help ? h("p.help", help) : null);

export const area = (name, label, value = "", help = null, rows = 6) =>
  h("div.field", h("label", label, h("textarea", { name, rows: String(rows), spellcheck: "false", value })), help ? h("p.help", help) : null);

// A switch that asks work(on) when it is pressed; work answers null when it was refused, and the switch goes back.
export function toggle(label, on, work, { reason = null } = {}) {
  const box = h("input", { type: "checkbox", role: "switch", "aria-label": label, checked: on, disabled: Boolean(reason), title: reason ?? label, onchange: async () => {
    const wanted = box.checked;
    box.disabled = true;
    const done = await work(wanted);
    box.disabled = false;
    if (done === null) box.checked = !wanted;
  } });
  return h("label.switch", { title: reason ?? label }, box, h("span.switch-track", { "aria-hidden": "true" }));
}

// JSON that somebody typed; throws with words for people.
export function parsed(text, what = "This") {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} is no JSON: ${error.message}`);
  }
}

// "a, b" as a list without doubles.
export const words = (text) => [...new Set(String(text ?? "").split(",").map((one) => one.trim()).filter(Boolean))];
export const whole = (text) => (text === "" || text === null || text === undefined ? null : Number(text));

export const blocks = (runs) => (runs?.length ? h("span.blocks", [...runs].reverse().map((run) => block(run.state, { href: `/runs/${run.id}`, title: `${run.name}: ${run.state}` }))) : h("span.none", "no runs"));
export const labelList = (labels) => (labels?.length ? labels.map((label) => h("span.tag", label)) : h("span.none", "none"));
export const runLink = (run) => h("a.run-name", { href: `/runs/${run.id}` }, run.name);
export const flowLink = (run) => h("a", { href: `/flows/${run.flow_group_id ?? run.group_id}` }, run.flow_name ?? run.name);
export const counts = (states) => h("p.counts", Object.entries(states).map(([state, count]) => [badge(state), ` × ${count.toLocaleString("en")} `]));

// Fill an element only when what it shows has changed, so that focus and selection stay.
export function refill(element, key, ...children) {
  const text = JSON.stringify(key);
  if (element.dataset.shown === text) return;
  element.dataset.shown = text;
  fill(element, children.map((one) => (typeof one === "function" ? one() : one)));
}

// What is newest stands at the right: begin there where not all has room.
export function atEnd(element) {
  requestAnimationFrame(() => (element.scrollLeft = element.scrollWidth));
  return element;
}

// Load a part of a page; what the server refuses is said in its place.
export async function part(element, work) {
  try {
    await work();
  } catch (error) {
    if (error.code === "UNREACHABLE" || error.status === 401) throw error;
    delete element.dataset.shown; // so that the next answer takes the place of this
    fill(element, h("p.bad", error.status === 404 ? `The server does not know this: ${error.message}` : error.message));
  }
}
