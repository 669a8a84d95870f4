// A field for a value from its JSON schema: text, number, yes or no, a choice, a date, or JSON for all else.
import { h } from "./dom.js";

// parameter: {name, default, required, schema, description}. Returns {element, read(), write(value), wrong(texts)};
// read() throws with words for people; it answers undefined for a field that was left empty.
export function parameterField(parameter, changed) {
  const kind = kindOf(parameter);
  const make = { enum: choices, boolean: yesNo, number, text, json: free }[kind.type];
  const field = { kind, control: null, empty: null, problem: h("p.problem", { role: "alert" }) };
  const id = `parameter-${parameter.name}`;
  Object.assign(field, make(kind, { id, name: parameter.name, oninput: () => changed(), onchange: () => changed() }));
  field.control.setAttribute("aria-describedby", `${id}-help`);
  if (kind.nullable && kind.type !== "json") {
    field.empty = h("input", { type: "checkbox", onchange: () => {
      field.control.disabled = field.empty.checked;
      changed();
    } });
  }
  field.element = h("div.field", h("label", { for: id }, parameter.name, parameter.required ? h("span.bad", { title: "A value is needed" }, " *") : null, h("span.soft.kind-of", ` ${kind.words}`)),
    field.control, field.empty ? h("label.soft", field.empty, "no value (null)") : null, field.problem, h("p.help", { id: `${id}-help` }, parameter.description ?? ""));
  return {
    name: parameter.name, element: field.element,
    read: () => (field.empty?.checked ? null : field.read()),
    write: (value) => write(field, value),
    wrong(texts) {
      field.problem.textContent = texts?.length ? texts.join("; ") : "";
      field.element.classList.toggle("wrong", Boolean(texts?.length));
      field.control.setAttribute("aria-invalid", String(Boolean(texts?.length)));
    },
  };
}

function write(field, value) {
  if (field.empty) {
    field.empty.checked = value === null;
    field.control.disabled = value === null;
  }
  field.write(value);
}

// What the schema says in our words; without one, the default tells.
export function kindOf({ schema, default: standard, required }) {
  let found = schema ?? {};
  let nullable = false;
  const options = found.anyOf ?? found.oneOf;
  if (options?.some((one) => one.type === "null")) {
    nullable = true;
    const rest = options.filter((one) => one.type !== "null");
    if (rest.length === 1) found = { ...found, anyOf: undefined, oneOf: undefined, ...rest[0] };
  }
  if (Array.isArray(found.type) && found.type.includes("null") && found.type.length === 2) {
    nullable = true;
    found = { ...found, type: found.type.find((one) => one !== "null") };
  }
  if (!schema && !required && standard !== null) found = { type: { string: "string", boolean: "boolean" }[typeof standard] };
  const of = (type, words, more = {}) => ({ type, nullable, schema: found, words, ...more });
  if (found.enum) return of("enum", "choice");
  if (found.type === "boolean") return of("boolean", "yes or no");
  if (found.type === "integer" || found.type === "number") return of("number", bounds(found));
  if (found.type === "string") return of("text", found.format ? `text (${found.format})` : "text");
  return of("json", found.type ? `${found.type}, as JSON` : "JSON; anything else is taken as text", { loose: !found.type });
}

function bounds({ type, minimum, maximum }) {
  const name = type === "integer" ? "whole number" : "number";
  if (minimum !== undefined && maximum !== undefined) return `${name} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${name}, at least ${minimum}`;
  return maximum === undefined ? name : `${name}, at most ${maximum}`;
}

function choices({ schema }, attributes) {
  const control = h("select", attributes, h("option", { value: "" }, "Choose …"), schema.enum.map((one, place) => h("option", { value: place }, typeof one === "string" ? one : JSON.stringify(one))));
  return { control, read: () => (control.value === "" ? undefined : schema.enum[Number(control.value)]), write: (value) => (control.value = schema.enum.findIndex((one) => JSON.stringify(one) === JSON.stringify(value)) < 0 ? "" : String(schema.enum.findIndex((one) => JSON.stringify(one) === JSON.stringify(value)))) };
}

function yesNo(kind, attributes) {
  return choices({ schema: { enum: [true, false] } }, attributes);
}

function number({ schema }, attributes) {
  const control = h("input", { type: "number", step: schema.type === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, ...attributes });
  return { control, write: (value) => (control.value = value ?? ""), read() {
    if (control.validity.badInput) throw new Error("This is no number.");
    if (control.value === "") return undefined;
    const value = Number(control.value);
    if (schema.type === "integer" && !Number.isInteger(value)) throw new Error("This is to be a whole number.");
    if (schema.minimum !== undefined && value < schema.minimum) throw new Error(`This is to be at least ${schema.minimum}.`);
    if (schema.maximum !== undefined && value > schema.maximum) throw new Error(`This is to be at most ${schema.maximum}.`);
    return value;
  } };
}

function text({ schema }, attributes) {
  const control = h("input", { type: schema.format === "date" ? "date" : "text", pattern: schema.pattern, ...attributes });
  let given = false;
  control.addEventListener("input", () => (given = true));
  return { control, read: () => (control.value === "" && !given ? undefined : control.value === "" && schema.format ? undefined : control.value), write(value) {
    given = value !== undefined && value !== null;
    control.value = value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  } };
}

function free({ loose }, attributes) {
  const control = h("textarea", { rows: "3", spellcheck: "false", ...attributes });
  return { control, write: (value) => (control.value = value === undefined ? "" : JSON.stringify(value, null, 2)), read() {
    if (control.value.trim() === "") return undefined;
    try {
      return JSON.parse(control.value);
    } catch (error) {
      if (loose && !/^\s*["[{]/.test(control.value)) return control.value;
      throw new Error(`This is no JSON: ${error.message}`);
    }
  } };
}
