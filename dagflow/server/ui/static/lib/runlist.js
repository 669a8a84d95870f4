// A list of flow runs: filters in the address, pages, views that are kept, and what is done to many at once.
import { get, post } from "./api.js";
import { plural } from "./control.js";
import { fill, h } from "./dom.js";
import { keepFresh } from "./live.js";
import { act, action, ask, query, table } from "./parts.js";
import { toast } from "./bar.js";
import { badge, GROUPS, isFinished, STATES } from "./states.js";
import { lasting, moment } from "./time.js";

const PAGE = 50;
const MOST_PAGE = 200;
const VIEWS = "dagflow.runs.views";
const HOURS = { "1h": 1, "6h": 6, "24h": 24, "7d": 168, "30d": 720 };
const ORDERS = { created: "Newest first", scheduled: "By planned start", start: "By start" };
const TEXTS = [["name", "Name"], ["flow_name", "Flow"], ["project_name", "Project"], ["label", "Label"], ["parameter", "Parameter: name=value"]];
const ACTIONS = { cancel: "Cancel", restart: "Restart", delete: "Delete" };

// fixed: filters that the place of the list implies, such as {flow_group_id}. Returns {element, start(), stop()}.
export function runList({ fixed = {}, hides = [] } = {}) {
  const view = { fixed, hides: new Set([...hides, ...Object.keys(fixed)]), rows: [], cursor: null, chosen: new Set(), every: false, count: null, shown: null, options: {} };
  view.list = h("div.card");
  view.bulk = h("div.bulk", { hidden: true, role: "group", "aria-label": "Selected runs" });
  view.more = h("button", { type: "button", hidden: true, onclick: () => more(view) }, "Load more");
  view.note = h("span.soft", { role: "status" });
  view.filters = h("div.run-filters");
  const element = h("section.run-list", view.filters, view.bulk, view.list, h("p.more", view.more, " ", view.note));
  showFilters(view);
  return { element, start: () => start(view), stop: () => view.fresh?.stop() };
}

async function start(view) {
  view.fresh = await keepFresh(() => load(view), { kinds: ["flow_run_state"] });
  fillOptions(view);
}

// --- filters -------------------------------------------------------------------------------------------------------

// States are kept in the address by name, groups of them in small letters.
function statesWanted() {
  const groups = Object.fromEntries(Object.entries(GROUPS).map(([name, states]) => [name.toLowerCase(), states]));
  // To the API the name Finished stands for all that have finished, failed ones too.
  return query.all("state").flatMap((name) => groups[name] ?? [name]).filter((name) => name !== "Finished");
}

// What the address asks for, in the words of the API.
function wanted(view) {
  const range = query.get("range");
  const filter = Object.fromEntries(TEXTS.map(([name]) => [name, query.get(name)]));
  return {
    ...filter, state: statesWanted(), late: query.get("late"), order: query.get("order"), ...view.fixed,
    since: HOURS[range] ? new Date(Math.floor(Date.now() / 60_000) * 60_000 - HOURS[range] * 3_600_000).toISOString() : utc(query.get("since")),
    until: utc(query.get("until")),
  };
}

const utc = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : null);

function change(view, changes) {
  query.set(changes);
  Object.assign(view, { rows: [], cursor: null, every: false, shown: null });
  view.chosen.clear();
  showFilters(view);
  showBulk(view);
  fill(view.list, h("p.soft", "Loading …"));
  view.fresh?.now();
}

function showFilters(view) {
  const focused = document.activeElement?.getAttribute?.("aria-label");
  const isOpen = view.filters.querySelector(".run-more")?.open ?? (innerWidth > 760 || NAMES.some((name) => name !== "state" && query.get(name)));
  fill(view.filters, groupButtons(view), h("details.run-more", { open: isOpen }, h("summary", "Filters"), h("div.filters", stateSelect(view), TEXTS.filter(([name]) => !view.hides.has(name)).map((one) => textFilter(view, one)), range(view), late(view), order(view), clear(view), savedViews(view))));
  if (focused) view.filters.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

function groupButtons(view) {
  const chosen = new Set(query.all("state"));
  const button = (label, value) => h("button.chip", { type: "button", "aria-pressed": String(value ? chosen.has(value) : !chosen.size), onclick: () => {
    if (!value) chosen.clear();
    else if (!chosen.delete(value)) chosen.add(value);
    change(view, { state: [...chosen] });
  } }, label);
  return h("div.chips", { role: "group", "aria-label": "States" }, button("All"), Object.keys(GROUPS).map((name) => button(name, name.toLowerCase())),
    [...chosen].filter((name) => STATES.includes(name)).map((name) => button(badge(name), name)));
}

function stateSelect(view) {
  const select = h("select", { "aria-label": "One state", onchange: () => select.value && change(view, { state: [...new Set([...query.all("state"), select.value])] }) },
    h("option", { value: "" }, "State …"), STATES.filter((name) => name !== "Finished").map((name) => h("option", { value: name }, name)));
  return select;
}

function textFilter(view, [name, label]) {
  const values = view.options[name];
  const id = `runs-${name}`;
  const field = h("input", { type: "search", placeholder: label, "aria-label": label, value: query.get(name, ""), list: values ? id : null, onchange: () => change(view, { [name]: field.value.trim() }) });
  field.addEventListener("search", () => field.value !== query.get(name, "") && change(view, { [name]: field.value.trim() }));
  return [field, values ? h("datalist", { id }, values.map((value) => h("option", { value }))) : null];
}

// Names of flows and projects to choose from, once the list itself is there.
async function fillOptions(view) {
  try {
    const [flows, projects] = await Promise.all([get("flows", { latest: true, limit: MOST_PAGE }), get("projects", { limit: MOST_PAGE })]);
    view.options = { flow_name: [...new Set(flows.items.map((one) => one.name))].sort(), project_name: projects.items.map((one) => one.name).sort() };
    showFilters(view);
  } catch {
    view.options = {}; // the fields take any text
  }
}

function range(view) {
  const value = query.get("range") ?? (query.get("since") || query.get("until") ? "own" : "");
  const select = h("select", { "aria-label": "Time", onchange: () => {
    if (select.value === "own") change(view, { range: "own", since: local(new Date(Date.now() - 864e5)), until: null });
    else change(view, { range: select.value, since: null, until: null });
  } }, [["", "Any time"], ["1h", "Last hour"], ["6h", "Last 6 hours"], ["24h", "Last 24 hours"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["own", "From … to …"]].map(([id, text]) => h("option", { value: id, selected: id === value }, text)));
  const moment_ = (name, label) => h("input", { type: "datetime-local", "aria-label": label, value: query.get(name, ""), onchange: (event) => change(view, { [name]: event.target.value, range: "own" }) });
  return [select, value === "own" ? [moment_("since", "From"), moment_("until", "To")] : null];
}

const local = (date) => new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

const late = (view) => h("label.inline", h("input", { type: "checkbox", "aria-label": "Late only", checked: query.get("late") === "true", onchange: (event) => change(view, { late: event.target.checked ? "true" : null }) }), "Late");

function order(view) {
  const select = h("select", { "aria-label": "Order", onchange: () => change(view, { order: select.value === "created" ? null : select.value }) },
    Object.entries(ORDERS).map(([id, text]) => h("option", { value: id, selected: id === query.get("order", "created") }, text)));
  return select;
}

const NAMES = ["state", ...TEXTS.map(([name]) => name), "since", "until", "range", "late", "order"];

function clear(view) {
  const has = NAMES.some((name) => query.get(name));
  return h("button.quiet", { type: "button", disabled: !has, onclick: () => change(view, Object.fromEntries(NAMES.map((name) => [name, null]))) }, "Clear");
}

// --- views that are kept in this browser ---------------------------------------------------------------------------

function keptViews() {
  try {
    return JSON.parse(localStorage.getItem(VIEWS)) ?? [];
  } catch {
    return [];
  }
}

function savedViews(view) {
  const kept = keptViews();
  const keep = (list) => {
    localStorage.setItem(VIEWS, JSON.stringify(list));
    showFilters(view);
  };
  const here = location.search;
  const current = kept.find((one) => one.search === here);
  const select = h("select", { "aria-label": "Saved views", onchange: () => {
    const found = kept.find((one) => one.name === select.value);
    if (found) change(view, fromSearch(found.search));
  } }, h("option", { value: "" }, kept.length ? "Saved views …" : "No saved views"), kept.map((one) => h("option", { value: one.name, selected: one === current }, one.name)));
  return [select, h("button.quiet", { type: "button", onclick: async () => {
    const answer = await ask("Save this view", { confirm: "Save", body: h("p", "The filters are kept in this browser."), fields: h("div.field", h("label", "Name", h("input", { name: "name", required: true, maxlength: "60" }))) });
    if (answer?.name) keep([...kept.filter((one) => one.name !== answer.name), { name: answer.name, search: here }]);
  } }, "Save view"), current ? h("button.quiet", { type: "button", onclick: () => keep(kept.filter((one) => one !== current)) }, "Forget view") : null];
}

function fromSearch(search) {
  const parameters = new URLSearchParams(search);
  return Object.fromEntries(NAMES.map((name) => [name, name === "state" ? parameters.getAll(name) : parameters.get(name)]));
}

// --- rows ----------------------------------------------------------------------------------------------------------

// The first page anew; rows behind it stay until they are asked for again.
async function load(view) {
  const filter = wanted(view);
  const limit = Math.min(MOST_PAGE, Math.max(PAGE, view.rows.length));
  let page;
  try {
    page = await get("flow_runs", { ...filter, limit, count: view.rows.length ? null : true });
  } catch (error) {
    if (error.status === 422 || error.status === 400) fill(view.list, h("p.bad", error.message));
    throw error;
  }
  if (page.count !== undefined) view.count = page.count;
  const ids = new Set(page.items.map((one) => one.id));
  const behind = view.rows.length > limit ? view.rows.slice(limit).filter((one) => !ids.has(one.id)) : [];
  if (!behind.length) view.cursor = page.cursor;
  show(view, [...page.items, ...behind]);
}

async function more(view) {
  await act(view.more, async () => {
    const page = await get("flow_runs", { ...wanted(view), limit: PAGE, cursor: view.cursor });
    const ids = new Set(view.rows.map((one) => one.id));
    view.cursor = page.cursor;
    show(view, [...view.rows, ...page.items.filter((one) => !ids.has(one.id))]);
  });
}

function show(view, rows) {
  view.rows = rows;
  view.more.hidden = !view.cursor;
  fill(view.note, rows.length ? `${rows.length.toLocaleString("en")} shown${view.count === null ? "" : ` of ${view.count >= 10_000 ? "10,000 or more" : view.count.toLocaleString("en")}`}` : "");
  const key = JSON.stringify(rows.map((one) => [one.id, one.version, one.name, one.late]));
  if (key === view.shown) return;
  view.shown = key;
  const focused = document.activeElement?.closest?.("tr")?.dataset.id;
  fill(view.list, rows.length ? table(columns(view), rows, { row: (run) => ({ "data-id": run.id, class: view.chosen.has(run.id) ? "chosen" : null }) }) : nothing(view));
  if (focused) view.list.querySelector(`tr[data-id="${CSS.escape(focused)}"] input`)?.focus({ preventScroll: true });
  showBulk(view);
}

function nothing() {
  if (NAMES.some((name) => query.get(name))) return h("section.empty", h("h2", "No run fits these filters"), h("p", "Take one of them away, or ", h("a", { href: location.pathname }, "show all runs"), "."));
  return h("section.empty", h("h2", "No runs yet"), h("p", "Register a flow and start a run of it: ", h("a", { href: "/start" }, "first steps"), "."));
}

function columns(view) {
  const all_ = h("input", { type: "checkbox", "aria-label": "Select all that are shown", checked: view.rows.length > 0 && view.rows.every((one) => view.chosen.has(one.id)), onchange: (event) => {
    for (const one of view.rows) view.chosen[event.target.checked ? "add" : "delete"](one.id);
    view.every = false;
    redraw(view);
  } });
  const hidesFlow = view.hides.has("flow_group_id");
  return [
    { head: all_, class: "tick", cell: (run) => h("input", { type: "checkbox", "aria-label": `Select ${run.name}`, checked: view.chosen.has(run.id), onchange: (event) => {
      view.chosen[event.target.checked ? "add" : "delete"](run.id);
      event.target.closest("tr").classList.toggle("chosen", event.target.checked);
      view.every = false;
      showBulk(view);
    } }) },
    { head: "Run", cell: (run) => [h("a.run-name", { href: `/runs/${run.id}` }, run.name), hidesFlow ? null : h("div.soft", h("a.quiet-link", { href: `/flows/${run.flow_group_id}` }, run.flow_name), h("span", ` v${run.flow_version}`), h("span.wide-inline", ` · ${run.project_name}`))] },
    { head: "State", cell: (run) => badge(run.state, { message: run.state_message, late: run.late }) },
    { head: "Planned", hide: true, cell: (run) => moment(run.scheduled_start_time) },
    { head: "Started", hide: true, cell: (run) => moment(run.start_time) },
    { head: "Duration", class: "number", cell: (run) => (run.start_time ? lasting(run.start_time, isFinished(run.state) ? run.end_time ?? run.state_timestamp : null) : "–") },
    { head: "Labels", hide: true, cell: (run) => (run.labels ?? []).map((label) => h("span.tag", label)) },
    { head: "Message", hide: true, class: "message-cell", cell: (run) => h("span.soft.one-line", { title: run.state_message }, run.state_message ?? "") },
  ];
}

function redraw(view) {
  view.shown = null;
  show(view, view.rows);
}

// --- many at once --------------------------------------------------------------------------------------------------

function showBulk(view) {
  const count = view.every ? view.count : view.chosen.size;
  view.bulk.hidden = !view.chosen.size && !view.every;
  const canAll = !view.every && view.count > view.chosen.size && view.rows.length > 0 && view.rows.every((one) => view.chosen.has(one.id));
  fill(view.bulk, h("strong", view.every ? `All ${many(view)} that match` : `${count} selected`),
    canAll ? action(`Select all ${many(view)} that match`, () => { view.every = true; showBulk(view); }, { kind: "quiet", reason: notAll(view) }) : null,
    Object.entries(ACTIONS).map(([id, label]) => action(label, (button) => bulk(view, button, id), { kind: id === "restart" ? "" : "danger" })),
    h("button.quiet", { type: "button", onclick: () => { view.chosen.clear(); view.every = false; redraw(view); showBulk(view); } }, "Clear selection"));
}

// Times mean what the list is ordered by, and to the server's action on many when runs were created.
function notAll(view) {
  const { order: by, since, until } = wanted(view);
  if (!Object.keys(bulkFilter(view)).length) return "Choose a filter first: without one these would be all runs there are.";
  return by && by !== "created" && (since || until) ? "With a time, this is possible in the order Newest first." : null;
}

const many = (view) => (view.count >= 10_000 ? "10,000 or more" : view.count.toLocaleString("en"));

const WORDS = {
  cancel: "Runs that wait will not start; the processes of those that run are asked to stop. Runs that have ended stay as they are.",
  restart: "What failed in them runs again, with what depends on it. Runs that are being executed stay as they are.",
  delete: "They are deleted with their task runs, log lines and artifacts. This cannot be undone.",
};

async function bulk(view, button, what) {
  const number = view.every ? `all ${many(view)} runs that match` : plural(view.chosen.size, "run");
  const sure = await ask(`${ACTIONS[what]} ${number}?`, { confirm: ACTIONS[what], danger: what !== "restart", body: h("p", WORDS[what]), typed: what === "delete" && view.every ? "delete" : null });
  if (!sure) return;
  const body = { action: what, ...(view.every ? { filter: bulkFilter(view) } : { ids: [...view.chosen] }) };
  const answer = await act(button, () => post("flow_runs/bulk", body), (found) => `${PAST[what]} ${found.done} of ${plural(found.matched, "run")}.`);
  if (!answer) return;
  if (answer.refused?.length) toast(`${plural(answer.refused.length, "run")} stayed as they were: ${answer.refused[0].message}`, "bad");
  view.chosen.clear();
  Object.assign(view, { every: false, rows: [], shown: null });
  showBulk(view);
  view.fresh?.now();
}

const PAST = { cancel: "Cancelled", restart: "Restarted", delete: "Deleted" };

function bulkFilter(view) {
  const { order: _, ...filter } = wanted(view);
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null && value !== undefined && value.length !== 0)
    .map(([name, value]) => [name, name === "late" ? value === "true" : value]));
}
