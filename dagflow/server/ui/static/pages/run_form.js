// A new run: what it is given is checked here as it is written, and by the server before it is made.
import { get, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { groupOf } from "../lib/flows.js";
import { head, query, segment } from "../lib/parts.js";
import { toast } from "../lib/bar.js";

const LEVELS = ["", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
const LEVEL = "DAGFLOW__LOGGING__LEVEL";

export async function show(page) {
  const { group, flow, from } = await load();
  const form = makeForm(group, flow, from);
  page.append(head(`Run ${flow.name}`, { crumbs: [["Flows", "/flows"], [flow.project_name, `/flows?project_id=${flow.project_id}`], [flow.name, `/flows/${group.id}`]] }),
    from ? h("p.soft", "Filled from ", h("a", { href: `/runs/${from.id}` }, from.name), ".") : "", form);
}

async function load() {
  const id = segment(1);
  const source = query.get("from");
  const from = source ? await get(`flow_runs/${source}`) : null;
  const { group } = await groupOf(id);
  const same = query.get("version") === "same" && from;
  const flow = await get(`flows/${same ? from.flow_id : group.flow_id ?? (await get("flows", { flow_group_id: group.id, limit: 1 })).items[0].id}`);
  return { group, flow, from };
}

function makeForm(group, flow, from) {
  const given = new URLSearchParams(location.search);
  const fields = (flow.parameters ?? []).map((one) => parameterField(one, start(one, group, from, given)));
  const asJson = h("textarea", { rows: "8", spellcheck: "false", "aria-label": "Parameters as JSON" });
  const jsonProblem = h("p.problem", { role: "alert" });
  const name = h("input", { id: "run-name", value: from ? "" : given.get("name") ?? "", placeholder: "two random words" });
  const when = h("input", { id: "run-when", type: "datetime-local", step: "1" });
  const zone = h("select", { "aria-label": "Time zone of the start" }, h("option", { value: "local" }, Intl.DateTimeFormat().resolvedOptions().timeZone), h("option", { value: "utc" }, "UTC"));
  const labels = h("input", { id: "run-labels", value: (from?.labels ?? effectiveLabels(group, flow)).join(", ") });
  const context = h("textarea", { id: "run-context", rows: "3", spellcheck: "false" });
  context.value = JSON.stringify(from?.context ?? {}, null, 2);
  const level = h("select", { id: "run-level" }, LEVELS.map((one) => h("option", { value: one }, one || "as it is set")));
  const config = h("textarea", { id: "run-config", rows: "6", spellcheck: "false" });
  config.value = JSON.stringify(from?.run_config ?? group.run_config ?? flow.run_config ?? null, null, 2);
  const summary = h("p.summary", { role: "status" });
  const problem = h("p.problem", { role: "alert" });
  const button = h("button.primary", { type: "submit" }, "Run");
  const view = { json: false };
  const plain = h("div", fields.length ? fields.map((one) => one.element) : h("p.none", "This flow has no parameters."));
  const raw = h("div", { hidden: true }, asJson, jsonProblem);
  const toggle = h("button.quiet", { type: "button", "aria-pressed": "false", onclick: () => switchView() }, "As JSON");

  function switchView() {
    if (view.json) {
      const values = readJson(asJson, jsonProblem);
      if (values === undefined) return;
      fields.forEach((one) => one.name in (values ?? {}) && one.set(values[one.name]));
    } else asJson.value = JSON.stringify(valuesOf(fields), null, 2);
    view.json = !view.json;
    plain.hidden = view.json;
    raw.hidden = !view.json;
    toggle.textContent = view.json ? "As fields" : "As JSON";
    toggle.setAttribute("aria-pressed", String(view.json));
    tell();
  }

  function collect() {
    const parameters = view.json ? readJson(asJson, jsonProblem) : valuesOf(fields);
    const wrong = !view.json && fields.some((one) => !one.check());
    const contextValue = readJson(context, problem);
    let runConfig = readJson(config, problem);
    if (parameters === undefined || contextValue === undefined || runConfig === undefined || wrong) return null;
    if (level.value) runConfig = { type: "UniversalRun", ...runConfig, env: { ...runConfig?.env, [LEVEL]: level.value } };
    const untouched = JSON.stringify(runConfig) === JSON.stringify(group.run_config ?? flow.run_config ?? null);
    return {
      flow_id: flow.id, parameters, context: contextValue ?? {}, name: name.value.trim() || null,
      labels: labels.value.split(",").map((one) => one.trim()).filter(Boolean), run_config: untouched ? null : runConfig,
      scheduled_start_time: when.value ? (zone.value === "utc" ? `${when.value}Z` : new Date(when.value).toISOString()) : null,
    };
  }

  function tell() {
    const changed = fields.filter((one) => one.isChanged()).length;
    fill(summary, when.value ? `Starts ${when.value.replace("T", " ")} ${zone.value === "utc" ? "UTC" : "local time"}` : "Starts now",
      ` · parameters ${view.json ? "as JSON" : changed ? `${changed} changed` : "as they are by default"}`, ` · labels ${labels.value || "none"}`, level.value ? ` · logs from ${level.value}` : "");
  }

  const form = h("form.run-form", { novalidate: true, oninput: tell, onsubmit: async (event) => {
    event.preventDefault();
    fill(problem);
    const body = collect();
    if (!body) return form.querySelector(".wrong input, .wrong select, .wrong textarea")?.focus();
    button.disabled = true;
    try {
      location.assign(`/runs/${(await post("flow_runs", body)).id}`);
    } catch (error) {
      button.disabled = false;
      showProblems(error, fields, problem);
    }
    return null;
  } },
  h("section.card", h("div.head-line", h("h2", "Parameters"), h("div.tools", fields.length ? toggle : null)), plain, raw),
  h("section.card", h("h2", "Run"),
    h("div.field", h("label", { for: "run-name" }, "Name"), name),
    h("div.field", h("label", { for: "run-when" }, "Start"), h("div.tools", when, zone), h("p.help", "Empty: now.")),
    h("div.field", h("label", { for: "run-labels" }, "Labels"), labels, h("p.help", "An agent needs all of them; separated by commas."))),
  h("details.card", h("summary", "Context, logs, run config"),
    h("div.field", h("label", { for: "run-context" }, "Context (JSON)"), context), h("div.field", h("label", { for: "run-level" }, "Log level"), level, h("p.help", "Adds ", h("code", LEVEL), " to the environment of this run's process.")),
    h("div.field", h("label", { for: "run-config" }, "Run config (JSON)"), config)),
  h("div.submit-bar", summary, problem, button));
  tell();
  return form;
}

const valuesOf = (fields) => Object.fromEntries(fields.filter((one) => one.given()).map((one) => [one.name, one.value()]));
const effectiveLabels = (group, flow) => group.labels ?? group.run_config?.labels ?? flow.run_config?.labels ?? [];

// What a parameter starts with: the address, the run it is filled from, the group, the flow.
function start(one, group, from, given) {
  const text = given.get(`param.${one.name}`);
  if (text !== null) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  if (from && one.name in (from.parameters ?? {})) return from.parameters[one.name];
  if (one.name in (group.default_parameters ?? {})) return group.default_parameters[one.name];
  return one.required ? undefined : one.default;
}

function readJson(field, problem) {
  try {
    return JSON.parse(field.value || "null");
  } catch (error) {
    problem.textContent = `${field.getAttribute("aria-label") ?? field.labels?.[0]?.textContent ?? "This"}: no JSON: ${error.message}`;
    field.focus();
    return undefined;
  }
}

function showProblems(error, fields, problem) {
  const found = error.detail?.parameters ?? {};
  let placed = false;
  for (const one of fields) {
    if (!found[one.name]) continue;
    one.complain(Array.isArray(found[one.name]) ? found[one.name].join("; ") : String(found[one.name]));
    placed = true;
  }
  for (const name of error.detail?.missing ?? []) fields.find((one) => one.name === name)?.complain("A value is needed.");
  fill(problem, placed ? "Some values do not fit; see above." : error.message);
  if (!placed) toast(error.message, "bad");
}

// --- one parameter -------------------------------------------------------------------------------------------------

function typeOf(schema) {
  const kinds = schema?.anyOf ?? schema?.oneOf ?? [schema ?? {}];
  const real = kinds.filter((one) => one.type !== "null");
  return { schema: real.length === 1 ? { ...real[0] } : {}, nullable: kinds.some((one) => one.type === "null") };
}

function parameterField(one, initial) {
  const { schema, nullable } = typeOf(one.schema);
  const kind = schema.enum ? "choice" : ["boolean", "integer", "number", "string"].includes(schema.type) ? schema.type : one.schema ? "json" : guess(initial);
  const id = `param-${one.name}`;
  const control = makeControl(kind, schema, id, nullable);
  const problem = h("p.problem", { id: `${id}-problem`, role: "alert" });
  const note = [one.required ? "required" : null, typeText(kind, schema, nullable), one.schema?.description ?? one.description].filter(Boolean).join(" · ");
  const element = h("div.field", h("label", { for: id }, one.name), control, h("p.help", { id: `${id}-help` }, note), problem);
  control.setAttribute("aria-describedby", `${id}-help ${id}-problem`);
  const first = JSON.stringify(initial);
  const field = {
    name: one.name, element,
    set: (value) => write(control, kind, value),
    value: () => readValue(control, kind, nullable),
    given: () => !(kind !== "boolean" && control.value === "" && (one.required || initial === undefined)),
    isChanged: () => {
      try {
        return field.given() && JSON.stringify(field.value()) !== first;
      } catch {
        return true;
      }
    },
    complain: (text) => {
      problem.textContent = text;
      element.classList.toggle("wrong", Boolean(text));
      control.setAttribute("aria-invalid", String(Boolean(text)));
    },
    check: () => {
      const text = wrong(control, kind, schema, one, field);
      field.complain(text);
      return !text;
    },
  };
  field.set(initial);
  control.addEventListener("change", field.check);
  control.addEventListener("input", () => element.classList.contains("wrong") && field.check());
  return field;
}

function guess(value) {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return "number";
  return typeof value === "string" ? "string" : "json";
}

function typeText(kind, schema, nullable) {
  const range = [schema.minimum !== undefined ? `from ${schema.minimum}` : "", schema.maximum !== undefined ? `to ${schema.maximum}` : ""].filter(Boolean).join(" ");
  const name = { choice: "one of these", integer: "whole number", number: "number", string: schema.format ?? "text", boolean: "yes or no", json: "JSON" }[kind];
  return `${name}${range ? ` ${range}` : ""}${nullable ? ", or nothing" : ""}`;
}

function makeControl(kind, schema, id, nullable) {
  if (kind === "choice") return h("select", { id }, nullable ? h("option", { value: "null" }, "nothing") : null, schema.enum.map((value) => h("option", { value: JSON.stringify(value) }, String(value))));
  if (kind === "boolean") return h("input", { id, type: "checkbox" });
  if (kind === "json") return h("textarea", { id, rows: "3", spellcheck: "false" });
  if (kind === "string") return h("input", { id, type: schema.format === "date" ? "date" : "text" });
  return h("input", { id, type: "number", step: kind === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum });
}

function write(control, kind, value) {
  if (kind === "boolean") control.checked = Boolean(value);
  else if (kind === "choice") control.value = JSON.stringify(value ?? null);
  else if (kind === "json") control.value = value === undefined ? "" : JSON.stringify(value, null, 1);
  else control.value = value ?? "";
}

function readValue(control, kind, nullable) {
  if (kind === "boolean") return control.checked;
  if (kind === "choice" || kind === "json") return JSON.parse(control.value || "null");
  if (control.value === "" && (nullable || kind !== "string")) return null;
  return kind === "string" ? control.value : Number(control.value);
}

function wrong(control, kind, schema, one, field) {
  if (!field.given()) return one.required ? "A value is needed." : "";
  let value;
  try {
    value = field.value();
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
  if (control.validity?.badInput) return "This is no number.";
  if (value === null) return "";
  if (kind === "integer" && !Number.isInteger(value)) return "A whole number is needed.";
  if (schema.minimum !== undefined && value < schema.minimum) return `At least ${schema.minimum}, please.`;
  if (schema.maximum !== undefined && value > schema.maximum) return `At most ${schema.maximum}, please.`;
  if (schema.pattern && !new RegExp(schema.pattern, "u").test(value)) return `It has to look like ${schema.pattern}.`;
  return "";
}
