// Parts that pages are made of: tables, tabs, filters in the address, dialogs that ask, ids to copy.
import { fill, h } from "./dom.js";
import { showDialog, toast } from "./bar.js";

// --- the address ---------------------------------------------------------------------------------------------------

export const query = {
  get: (name, otherwise = null) => new URLSearchParams(location.search).get(name) ?? otherwise,
  all: (name) => new URLSearchParams(location.search).getAll(name),
  // Change some of it; null takes a name away. The page before stays one step back only if push is true.
  set(changes, push = false) {
    const parameters = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      parameters.delete(name);
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== null && one !== undefined && one !== "") parameters.append(name, one);
      }
    }
    const text = parameters.toString();
    history[push ? "pushState" : "replaceState"](null, "", `${location.pathname}${text ? `?${text}` : ""}`);
  },
};

// The part of the path at a place: "/runs/7/tasks/a" has "runs" at 0.
export const segment = (place) => decodeURIComponent(location.pathname.split("/").filter(Boolean)[place] ?? "");

// --- head of a page ------------------------------------------------------------------------------------------------

export function head(title, { crumbs = [], tools = [], beside = [] } = {}) {
  document.title = `${title} · dagflow`;
  return h("header.head",
    crumbs.length ? h("nav.crumbs", { "aria-label": "Where this is" }, crumbs.map(([text, href]) => h("a", { href }, text))) : null,
    h("div.head-line", h("h1", title), beside, h("div.tools", tools)));
}

// Tabs whose name is in the address; show(name, panel) fills the panel and may return a function that ends it.
export function tabs(names, show, { name = "tab" } = {}) {
  const panel = h("div.panel", { role: "tabpanel", tabindex: "0" });
  let end = null;
  const buttons = names.map(([id, label]) => h("button.tab", { type: "button", role: "tab", id: `tab-${id}`, onclick: () => choose(id, true) }, label));
  async function choose(id, push) {
    if (push) query.set({ [name]: id === names[0][0] ? null : id }, true);
    buttons.forEach((button, place) => {
      button.setAttribute("aria-selected", String(names[place][0] === id));
      button.tabIndex = names[place][0] === id ? 0 : -1;
    });
    requestAnimationFrame(() => (list.scrollLeft = buttons.find((button) => button.tabIndex === 0).offsetLeft - 60)); // in sight, also on phones
    panel.setAttribute("aria-labelledby", `tab-${id}`);
    end?.();
    end = null;
    fill(panel);
    end = (await show(id, panel)) ?? null;
  }
  const current = () => names.find(([id]) => id === query.get(name))?.[0] ?? names[0][0];
  const list = h("div.tabs", { role: "tablist", onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    buttons[place].focus();
    buttons[place].click();
  } }, buttons);
  addEventListener("popstate", () => choose(current(), false));
  const ready = choose(current(), false);
  return { element: h("div", list, panel), ready, choose: (id) => choose(id, true) };
}

// --- lists ---------------------------------------------------------------------------------------------------------

// columns: [{head, cell: (row) => node, class, hide: true on phones}]; rows of any kind.
export function table(columns, rows, { empty = "Nothing is here yet.", caption = null, row = null } = {}) {
  if (!rows.length) return h("p.none", empty);
  return h("div.scroll", h("table.list", caption ? h("caption", caption) : null,
    h("thead", h("tr", columns.map((one) => h("th", { scope: "col", class: classes(one) }, one.head)))),
    h("tbody", rows.map((item) => h("tr", row ? row(item) : {}, columns.map((one) => h("td", { class: classes(one) }, one.cell(item))))))));
}

const classes = (column) => `${column.class ?? ""}${column.hide ? " wide" : ""}` || null;

// Names and values, one below the other.
export function facts(pairs) {
  return h("dl.facts", pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined).map(([name, value]) => [h("dt", name), h("dd", value)]));
}

export function card(title, ...content) {
  return h("section.card", title ? h("h2", title) : null, content);
}

export function empty(title, ...content) {
  return h("section.empty", h("h2", title), content);
}

export function copyable(text, label = "id") {
  return h("button.copy", { type: "button", title: `Copy this ${label}`, onclick: async (event) => {
    event.stopPropagation();
    await navigator.clipboard?.writeText(text);
    toast(`Copied ${text}`);
  } }, h("code", text));
}

export function json(value) {
  return h("pre.json", JSON.stringify(value, null, 2));
}

// --- asking --------------------------------------------------------------------------------------------------------

// Ask before something is done; resolves to true, or to what the fields say, and to null when it is called off.
// typed: a text that has to be typed first. fields: nodes with names, read as a form.
export function ask(title, { body = null, confirm = "OK", danger = false, typed = null, fields = null } = {}) {
  return new Promise((resolve) => {
    const typing = typed ? h("input", { name: "typed", autocomplete: "off", "aria-label": `Type ${typed}` }) : null;
    const button = h(`button.${danger ? "danger" : "primary"}`, { type: "submit", disabled: Boolean(typed) }, confirm);
    typing?.addEventListener("input", () => (button.disabled = typing.value !== typed));
    let outcome = null;
    const form = h("form", { method: "dialog", onsubmit: () => {
      outcome = fields ? Object.fromEntries(new FormData(form)) : true;
    } }, h("h2", title), body, fields, typed ? h("label", "Type ", h("code", typed), " to go on", typing) : null,
      h("div.choices", h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), button));
    const dialog = h("dialog.dialog", { "aria-label": title }, form);
    dialog.addEventListener("close", () => resolve(outcome));
    showDialog(dialog);
  });
}

// Do something that a button asks for: busy meanwhile, its outcome or the server's reason said.
export async function act(button, work, said = null) {
  if (button) button.disabled = true;
  try {
    const outcome = await work();
    const text = typeof said === "function" ? said(outcome) : said;
    if (text) toast(text);
    return outcome ?? true;
  } catch (error) {
    toast(error.message, "bad");
    return null;
  } finally {
    if (button) button.disabled = false;
  }
}

// A button for an action; with a reason it cannot be pressed, and says why.
export function action(label, work, { kind = "", reason = null, title = null } = {}) {
  const button = h(`button${kind ? `.${kind}` : ""}`, { type: "button", disabled: Boolean(reason), title: reason ?? title,
    "aria-label": reason ? `${label}: ${reason}` : null, onclick: () => work(button) }, label);
  return button;
}
