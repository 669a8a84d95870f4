// Asking for a run: what is shown here is what is sent, and nothing else.
import { get, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { parameterField } from "../lib/fields.js";
import { parsed, words } from "../lib/forms.js";
import { card, empty, head, query, segment } from "../lib/parts.js";
import { exact } from "../lib/time.js";
import { effectiveLabels } from "../lib/words.js";
import { momentIn, ownZone, ZONES } from "../lib/zones.js";
import { find } from "./flow.js";

const LEVEL = "DAGFLOW__LOGGING__LEVEL";
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

export async function show(page) {
  const from = query.get("from") ? await get(`flow_runs/${query.get("from")}`) : null;
  const found = await find(segment(1));
  const { group, flow } = found;
  if (!flow) return fill(page, head(`Run ${group.flow_name}`), empty("All versions are archived", h("p", "Unarchive one first.")));
  const view = { ...found, from, fields: [], summary: h("span"), problem: h("p.bad", { role: "alert" }), asJson: false };
  make(view);
  fill(page, head(`Run ${flow.name}`, { crumbs: [["Flows", "/flows"], [flow.name, `/flows/${group.id}`]], beside: h("span.soft", `version ${flow.version}${flow.archived ? " (archived)" : ""}`) }), form(view));
  changed(view);
  return null;
}

function make(view) {
  const { flow, group, from } = view;
  view.start = startValues(view);
  view.name = h("input", { placeholder: "made up by the server", maxlength: "1000", "aria-label": "Name of the run", oninput: () => changed(view) });
  view.fields = (flow.parameters ?? []).map((one) => parameterField(one, () => changed(view)));
  for (const field of view.fields) field.write(view.start[field.name]);
  view.json = h("textarea", { rows: "10", spellcheck: "false", "aria-label": "Parameters as JSON", oninput: () => changed(view) });
  view.labels = h("input", { value: (from?.labels ?? effectiveLabels(flow, group)).join(", "), "aria-label": "Labels", oninput: () => changed(view) });
  view.context = h("textarea", { rows: "4", spellcheck: "false", "aria-label": "Context", value: JSON.stringify(from?.context ?? {}, null, 2), oninput: () => changed(view) });
  view.startConfig = from?.run_config ?? group.run_config ?? flow.run_config;
  view.config = h("textarea", { rows: "9", spellcheck: "false", "aria-label": "Run config", value: JSON.stringify(view.startConfig, null, 2), oninput: () => changed(view) });
  view.level = h("select", { "aria-label": "Log level", onchange: () => setLevel(view) }, h("option", { value: "" }, "as the agent's"), LEVELS.map((one) => h("option", { value: one, selected: view.startConfig?.env?.[LEVEL] === one }, one)));
}

// Defaults of the flow, then of the group, then the run that this one is like, then the address.
function startValues({ flow, group, from }) {
  const values = {};
  for (const one of flow.parameters ?? []) {
    if (!one.required) values[one.name] = one.default;
    if (one.name in (group.default_parameters ?? {})) values[one.name] = group.default_parameters[one.name];
    if (from && one.name in from.parameters) values[one.name] = from.parameters[one.name];
    const given = query.get(`param.${one.name}`);
    if (given !== null) values[one.name] = fromAddress(given);
  }
  return values;
}

function fromAddress(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// --- the form ------------------------------------------------------------------------------------------------------

function form(view) {
  const { from } = view;
  view.button = h("button.primary", { type: "submit" }, "Run");
  return h("form.form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    send(view);
  } },
  from ? h("p.soft", "Filled from ", h("a", { href: `/runs/${from.id}` }, from.name), from.flow_id === view.flow.id ? "." : `, a run of version ${from.flow_version}; this one is of version ${view.flow.version}.`) : null,
  card("Parameters", parameters(view)),
  card("When", when(view)),
  card("Run", h("div.field", h("label", "Name", view.name)), h("div.field", h("label", "Labels", view.labels), h("p.help", "With commas between; only an agent that has all of them takes the run."))),
  h("details.card", h("summary", "Context, log level, run config"),
    h("div.field", h("label", "Context", view.context), h("p.help", "JSON by name; tasks read it from dagflow.context.")),
    h("div.field", h("label", "Log level", view.level), h("p.help", `Sets ${LEVEL} in the env of the run config below, and nothing else.`)),
    h("div.field", h("label", "Run config", view.config), h("button", { type: "button", onclick: () => {
      view.config.value = JSON.stringify(view.startConfig, null, 2);
      changed(view);
    } }, "As it was"))),
  view.problem, h("div.summary-bar", view.summary, view.button));
}

function parameters(view) {
  if (!view.fields.length) return h("p.none", "This flow has no parameters.");
  const fields = h("div", view.fields.map((one) => one.element));
  const text = h("div", { hidden: true }, view.json);
  const choose = (asJson) => {
    try {
      if (asJson && !view.asJson) view.json.value = JSON.stringify(values(view), null, 2);
      if (!asJson && view.asJson) {
        const given = values(view);
        for (const field of view.fields) field.write(given[field.name]);
      }
    } catch (error) {
      view.problem.textContent = error.message;
      return;
    }
    view.asJson = asJson;
    fields.hidden = asJson;
    text.hidden = !asJson;
    buttons.forEach((one, place) => one.setAttribute("aria-pressed", String(asJson === (place === 1))));
    changed(view);
  };
  const buttons = [h("button.chip", { type: "button", "aria-pressed": "true", onclick: () => choose(false) }, "Fields"), h("button.chip", { type: "button", "aria-pressed": "false", onclick: () => choose(true) }, "JSON")];
  return [h("div.filters", { role: "group", "aria-label": "How to edit" }, buttons), fields, text];
}

function when(view) {
  const soon = new Date(Date.now() + 3_600_000 - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  view.later = h("input", { type: "radio", name: "when", value: "later", onchange: () => changed(view) });
  view.at = h("input", { type: "datetime-local", value: soon, "aria-label": "Date and time", oninput: () => {
    view.later.checked = true;
    changed(view);
  } });
  view.zone = h("input", { list: "zones", value: ownZone, "aria-label": "Time zone", oninput: () => changed(view) });
  view.when = h("p.help");
  return [h("label", h("input", { type: "radio", name: "when", value: "now", checked: true, onchange: () => changed(view) }), "Now"),
    h("label", view.later, "Later"), h("div.row", h("div.field", view.at), h("div.field", view.zone, h("datalist", { id: "zones" }, ZONES.map((value) => h("option", { value }))))), view.when];
}

// --- what is sent --------------------------------------------------------------------------------------------------

function values(view) {
  if (view.asJson) {
    const given = parsed(view.json.value, "The text of the parameters");
    if (typeof given !== "object" || given === null || Array.isArray(given)) throw new Error("Parameters are a JSON object: values by name.");
    return given;
  }
  const found = {};
  const wrong = {};
  for (const field of view.fields) {
    try {
      const value = field.read();
      if (value !== undefined) found[field.name] = value;
      field.wrong([]);
    } catch (error) {
      wrong[field.name] = [error.message];
      field.wrong(wrong[field.name]);
    }
  }
  if (Object.keys(wrong).length) throw new Error(`Look at ${Object.keys(wrong).join(", ")}.`);
  return found;
}

function objectOf(text, what) {
  const given = parsed(text || "null", what);
  if (given !== null && (typeof given !== "object" || Array.isArray(given))) throw new Error(`${what} is a JSON object.`);
  return given;
}

function body(view) {
  const wanted = { flow_id: view.flow.id, parameters: values(view), labels: words(view.labels.value), context: objectOf(view.context.value, "The context") ?? {}, run_config: objectOf(view.config.value, "The run config") };
  if (view.name.value.trim()) wanted.name = view.name.value.trim();
  if (view.later.checked) wanted.scheduled_start_time = momentIn(view.at.value, view.zone.value.trim()).toISOString();
  return wanted;
}

function setLevel(view) {
  try {
    const config = objectOf(view.config.value, "The run config") ?? { type: "UniversalRun" };
    const env = { ...config.env };
    if (view.level.value) env[LEVEL] = view.level.value;
    else delete env[LEVEL];
    view.config.value = JSON.stringify({ ...config, env }, null, 2);
  } catch (error) {
    view.level.value = "";
    view.problem.textContent = error.message;
    return;
  }
  changed(view);
}

function changed(view) {
  try {
    const wanted = body(view);
    view.problem.textContent = "";
    view.when.textContent = wanted.scheduled_start_time ? `That is ${exact(wanted.scheduled_start_time, "utc")}, ${exact(wanted.scheduled_start_time, "local")} here.` : "";
    fill(view.summary, summary(view, wanted));
    view.button.disabled = view.flow.archived;
    view.button.title = view.flow.archived ? "This version is archived." : "";
  } catch (error) {
    view.problem.textContent = error.message;
    view.button.disabled = true;
  }
}

function summary(view, wanted) {
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const modified = Object.keys(wanted.parameters).filter((name) => !same(wanted.parameters[name], view.start[name]));
  return [wanted.scheduled_start_time ? `at ${exact(wanted.scheduled_start_time)}` : "now", modified.length ? `parameters modified: ${modified.join(", ")}` : "parameters as they were",
    wanted.labels.length ? `labels ${wanted.labels.join(", ")}` : "no labels", Object.keys(wanted.context).length ? "with a context" : null, same(wanted.run_config, view.startConfig) ? null : "run config modified"].filter(Boolean).join(" · ");
}

async function send(view) {
  for (const field of view.fields) field.wrong([]);
  view.button.disabled = true;
  try {
    const run = await post("flow_runs", body(view));
    location.assign(`/runs/${run.id}`);
  } catch (error) {
    view.button.disabled = false;
    showWrong(view, error);
  }
}

// What the server says of parameters stands at their fields.
function showWrong(view, error) {
  view.problem.textContent = error.message;
  const wrong = { ...error.detail?.parameters };
  for (const name of error.detail?.missing ?? []) wrong[name] = ["A value is needed."];
  for (const field of view.fields) field.wrong(wrong[field.name]);
  view.fields.find((field) => wrong[field.name])?.element.scrollIntoView({ block: "center" });
}
