// What flows keep on the server: values by key, secrets by name, artifacts by key.
import { del, get, post } from "../lib/api.js";
import { artifact } from "../lib/artifacts.js";
import { fill, h } from "../lib/dom.js";
import { area, input, parsed, part } from "../lib/forms.js";
import { act, action, ask, card, empty, head, query, table, tabs } from "../lib/parts.js";
import { moment } from "../lib/time.js";

export function show(page) {
  const shown = tabs([["kv", "Keys and values"], ["secrets", "Secrets"], ["artifacts", "Artifacts"]], (id, panel) => ({ kv, secrets, artifacts })[id](panel));
  fill(page, head("Data"), shown.element);
}

async function kv(panel) {
  const place = h("div");
  const load = () => part(place, async () => {
    const { items } = await get("kv");
    fill(place, items.length ? card(null, table([
      { head: "Key", cell: (one) => h("code", one.key) },
      { head: "Changed", hide: true, cell: (one) => moment(one.updated) },
      { head: "", cell: (one) => h("div.tools", action("Show and change", (button) => edit(button, one.key, load)), action("Delete", (button) => remove(button, "kv", one.key, load), { kind: "danger" })) },
    ], items)) : empty("No keys", h("p", "Tasks keep small values here with ", h("code", "dagflow.backend.set_key_value"), ".")));
  });
  fill(panel, h("div.filters", action("New key", (button) => edit(button, null, load), { kind: "primary" })), place);
  await load();
}

async function edit(button, key, load) {
  const found = key === null ? { value: null } : await act(button, () => get(`kv/${encodeURIComponent(key)}`));
  if (!found) return;
  const fields = [key === null ? input("key", "Key", { required: true, maxlength: "500" }) : h("p", h("code", key)), area("value", "Value, as JSON", JSON.stringify(found.value, null, 2), "Text stands in quotes.", 10)];
  const answer = await ask(key === null ? "New key" : "Change a value", { fields, confirm: "Save" });
  if (answer && (await act(null, () => post("kv", { key: key ?? answer.key, value: parsed(answer.value, "The value") }), "Saved."))) load();
}

async function remove(button, kind, name, load) {
  if (!(await ask(`Delete ${name}?`, { confirm: "Delete", danger: true, body: h("p", "Flows that read it will fail, or take their default.") }))) return;
  if (await act(button, () => del(`${kind}/${encodeURIComponent(name)}`), `${name} is deleted.`)) load();
}

async function secrets(panel) {
  const place = h("div");
  const { secrets: possible } = await get("health");
  const load = () => part(place, async () => {
    const { items } = await get("secrets");
    fill(place, items.length ? card(null, table([
      { head: "Name", cell: (one) => h("code", one.name) },
      { head: "Changed", cell: (one) => moment(one.updated) },
      { head: "Last used", hide: true, cell: (one) => moment(one.last_used) },
      { head: "", cell: (one) => h("div.tools", action("Put in another", () => setSecret(one.name, load)), action("Delete", (button) => remove(button, "secrets", one.name, load), { kind: "danger" })) },
    ], items)) : empty("No secrets", h("p", possible ? "Only names are shown here, never values." : "This server keeps none: it was started without a key to encrypt them with.")));
  });
  fill(panel, h("div.filters", action("New secret", () => setSecret(null, load), { kind: "primary", reason: possible ? null : "The server has no key to encrypt secrets with." })), place);
  await load();
}

async function setSecret(name, load) {
  const fields = [name === null ? input("name", "Name", { required: true, maxlength: "500" }) : h("p", h("code", name)), input("value", "Value", { type: "password", required: true, autocomplete: "new-password" }, "It is encrypted, and not shown again.")];
  const answer = await ask(name === null ? "New secret" : "Put in another value", { fields, confirm: "Save" });
  if (answer && (await act(null, () => post("secrets", { name: name ?? answer.name, value: answer.value }), "The secret is saved."))) load();
}

// The latest of each key; all of one key when it is in the address.
async function artifacts(panel) {
  const key = query.get("key");
  const place = h("div");
  fill(panel, place);
  await part(place, async () => {
    const { items } = await get("artifacts", { key });
    items.sort((one, other) => (one.updated < other.updated ? 1 : -1));
    const latest = new Map();
    const numbers = new Map();
    for (const one of items.filter((item) => item.key)) {
      if (!latest.has(one.key)) latest.set(one.key, one);
      numbers.set(one.key, (numbers.get(one.key) ?? 0) + 1);
    }
    const shown = key ? items.slice(0, 50) : [...latest.values()];
    const beside = (one) => [h("a", { href: `/task-runs/${one.task_run_id}` }, "task run"), key ? null : [" · ", h("a", { href: `/data?tab=artifacts&key=${encodeURIComponent(one.key)}` }, `all ${numbers.get(one.key)}`)]];
    fill(place, key ? h("p", h("a", { href: "/data?tab=artifacts" }, "All keys"), ` · ${items.length} with the key `, h("code", key)) : null,
      shown.length ? shown.map((one) => artifact(one, h("span.soft", beside(one)))) : empty("No artifacts with a key", h("p", "An artifact that a task creates with ", h("code", "key="), " is shown here, the latest of each key.")));
  });
}
