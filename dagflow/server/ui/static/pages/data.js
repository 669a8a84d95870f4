// Values, secrets and artifacts that flows share.
import { all, call, del, get, post } from "../lib/api.js";
import { artifact } from "../lib/artifacts.js";
import { fill, h } from "../lib/dom.js";
import { act, action, ask, card, head, table, tabs } from "../lib/parts.js";
import { moment } from "../lib/time.js";

const path = (name) => encodeURIComponent(name);

export async function show(page) {
  page.append(head("Data"));
  const bar = tabs([["kv", "Values"], ["secrets", "Secrets"], ["artifacts", "Artifacts"]], (id, panel) => ({ kv: values, secrets, artifacts: latest }[id](panel)));
  page.append(bar.element);
  await bar.ready;
}

async function values(panel) {
  const edit = async (button, key = "", value = null) => {
    const text = h("textarea", { name: "value", rows: "8", id: "kv-value", spellcheck: "false" });
    text.value = JSON.stringify(value, null, 2);
    const given = await ask(key ? `Change ${key}` : "New value", { confirm: "Save", fields: [
      h("div.field", h("label", { for: "kv-key" }, "Key"), h("input", { id: "kv-key", name: "key", value: key, required: true, readonly: Boolean(key) })),
      h("div.field", h("label", { for: "kv-value" }, "Value (JSON)"), text)] });
    if (given && (await act(button, () => post("kv", { key: given.key, value: JSON.parse(given.value) }), `${given.key} is kept.`))) await load();
  };
  const list = h("div");
  panel.append(h("div.filters", action("New value", (button) => edit(button), { kind: "primary" })), card(null, list));
  async function load() {
    fill(list, table([
      { head: "Key", cell: (one) => one.key }, { head: "Changed", cell: (one) => moment(one.updated) },
      { head: "", cell: (one) => h("span.tools", action("Show or change", async (button) => edit(button, one.key, (await get(`kv/${path(one.key)}`)).value)),
        action("Delete", async (button) => {
          if ((await ask(`Delete ${one.key}?`, { confirm: "Delete", danger: true })) && (await act(button, () => del(`kv/${path(one.key)}`), `${one.key} is deleted.`))) await load();
        }, { kind: "danger" })) },
    ], await all("kv"), { empty: "No value is kept yet; flows write them with set_key_value." }));
  }
  await load();
}

async function secrets(panel) {
  const list = h("div");
  panel.append(h("div.filters", action("New secret", async (button) => {
    const given = await ask("New secret", { confirm: "Keep", fields: [
      h("div.field", h("label", { for: "secret-name" }, "Name"), h("input", { id: "secret-name", name: "name", required: true })),
      h("div.field", h("label", { for: "secret-value" }, "Value"), h("input", { id: "secret-value", name: "value", type: "password", required: true, autocomplete: "off" }), h("p.help", "It is encrypted, and not shown again here."))] });
    if (given && (await act(button, () => post("secrets", given), `The secret ${given.name} is kept.`))) await load();
  }, { kind: "primary" })), card(null, list));
  async function load() {
    fill(list, table([
      { head: "Name", cell: (one) => one.name }, { head: "Changed", cell: (one) => moment(one.updated) },
      { head: "", cell: (one) => action("Delete", async (button) => {
        if ((await ask(`Delete ${one.name}?`, { body: h("p", "Flows that use it will fail."), confirm: "Delete", danger: true, typed: one.name })) && (await act(button, () => del(`secrets/${path(one.name)}`), `${one.name} is deleted.`))) await load();
      }, { kind: "danger" }) },
    ], await all("secrets"), { empty: "No secret is kept yet." }));
  }
  await load();
}

async function latest(panel) {
  const found = (await call("GET", "artifacts", {})).items;
  const byKey = new Map();
  for (const one of found) if (one.key && !(byKey.get(one.key)?.created > one.created)) byKey.set(one.key, one);
  const items = [...byKey.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  panel.append(h("p.soft", "The latest artifact under each key."), items.length ? h("div.cards", items.map((one) => artifact(one, h("a", { href: `/task-runs/${one.task_run_id}` }, "its task run")))) : h("p.none", "No artifact has a key yet."));
}
