// The server itself: settings, keys, database, services.
import { del, get, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { choice, input, part, refill } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, card, copyable, empty, facts, head, table, tabs } from "../lib/parts.js";
import { showDialog } from "../lib/bar.js";
import { lasting, moment } from "../lib/time.js";
import { bytes } from "./home.js";

const SCOPES = [["read", "read: look at everything but secrets"], ["run", "run: read, and what agents and runs need"], ["write", "write: run, and change things"], ["admin", "admin: write, and API keys"]];

export function show(page) {
  const shown = tabs([["server", "Server"], ["keys", "API keys"], ["settings", "Settings"], ["api", "API"]], (id, panel) => ({ server, keys, settings, api })[id](panel));
  fill(page, head("Admin"), shown.element);
}

async function server(panel) {
  const place = h("div");
  fill(panel, place);
  const fresh = await keepFresh(() => part(place, async () => {
    const [health, summary] = await Promise.all([get("health"), get("summary", { hours: 24 })]);
    const { server: it } = summary;
    refill(place, [health, it, Math.floor(Date.now() / 10_000)], () => [h("div.cards",
      card("Server", facts([["Version", it.version], ["Up for", lasting(it.started)], ["Started", moment(it.started)], ["Secrets", health.secrets ? "can be kept" : "cannot be kept: there is no key to encrypt them with"]])),
      card("Database", facts([["Kind", it.database.kind], ["Size", bytes(it.database.bytes)], ["Newest migration", h("code", it.database.revision ?? "–")]]))),
    card("Services", table([
      { head: "Service", cell: (one) => one.name },
      { head: "Its last work", cell: (one) => moment(one.last) },
      { head: "Every", class: "number", hide: true, cell: (one) => `${one.interval} s` },
      { head: "It took", class: "number", hide: true, cell: (one) => (one.seconds === null || one.seconds === undefined ? "–" : `${(one.seconds * 1000).toFixed(1)} ms`) },
      { head: "Problem", cell: (one) => (one.problem ? h("span.bad", one.problem) : h("span.good", "✓ none")) },
    ], it.services))]);
  }));
  return () => fresh.stop();
}

async function settings(panel) {
  const place = h("div");
  fill(panel, place);
  await part(place, async () => fill(place, card("Settings in effect that clients go by", facts(Object.entries(await get("settings")).map(([name, value]) => [h("code", name), String(value)])), h("p.soft", "All settings of a server are in its configuration file and in DAGFLOW__SERVER__… variables: ", h("code", "dagflow server config"), "."))));
}

async function keys(panel) {
  const place = h("div");
  const load = () => part(place, async () => {
    const { items } = await get("keys");
    fill(place, items.length ? card(null, table([
      { head: "Name", cell: (one) => h("strong", one.name) },
      { head: "Scope", cell: (one) => h("span.tag", one.scope) },
      { head: "Created", hide: true, cell: (one) => moment(one.created) },
      { head: "Last used", hide: true, cell: (one) => moment(one.last_used) },
      { head: "Expires", cell: (one) => (one.expires ? moment(one.expires) : "never") },
      { head: "", cell: (one) => action("Revoke", (button) => revoke(button, one, load), { kind: "danger" }) },
    ], items)) : empty("No API keys", h("p", "A server that was started with require_key lets in nobody without one; any other lets in everybody who reaches it.")));
  });
  fill(panel, h("div.filters", action("New key", () => create(load), { kind: "primary" })), place);
  await load();
}

async function create(load) {
  const fields = [input("name", "Name", { required: true, maxlength: "200" }, "Who uses it, or what for."), choice("scope", "Scope", SCOPES, "write"), input("expires", "Expires", { type: "datetime-local" }, "Empty: never.")];
  const answer = await ask("New API key", { fields, confirm: "Create", body: h("p", "Keys are asked for only by a server that was started with require_key; this page then needs one too.") });
  if (!answer) return;
  const made = await act(null, () => post("keys", { name: answer.name, scope: answer.scope, expires: answer.expires ? new Date(answer.expires).toISOString() : null }));
  if (!made) return;
  const dialog = h("dialog.dialog", { "aria-label": "The new key" }, h("h2", "The new key"), h("p", "It is shown this once. Copy it now."), h("p", copyable(made.key, "key")), h("form.choices", { method: "dialog" }, h("button.primary", { type: "submit" }, "I have it")));
  dialog.addEventListener("close", load);
  showDialog(dialog);
}

async function revoke(button, one, load) {
  if (!(await ask(`Revoke ${one.name}?`, { confirm: "Revoke", danger: true, body: h("p", "Whoever uses it is refused from now on.") }))) return;
  if (await act(button, () => del(`keys/${one.id}`), `${one.name} is revoked.`)) load();
}

async function api(panel) {
  const place = h("div");
  fill(panel, place);
  await part(place, async () => {
    const { paths } = await get("openapi.json");
    const rows = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => ({ method: method.toUpperCase(), path, what: one.description ?? one.summary ?? "" })));
    const list = h("div");
    const field = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter requests", oninput: () => draw() });
    const draw = () => fill(list, table([{ head: "Request", cell: (one) => h("code", `${one.method} ${one.path}`) }, { head: "What it does", cell: (one) => one.what.split("\n")[0] }], rows.filter((one) => `${one.method} ${one.path} ${one.what}`.toLowerCase().includes(field.value.toLowerCase())), { empty: "No request is like that." }));
    draw();
    fill(place, card("API", h("p", "These pages use nothing else. ", h("a", { href: "/api/openapi.json" }, "Its description as OpenAPI"), "."), h("div.filters", field), list));
  });
}
