// The server itself: settings in effect, keys, database, services.
import { all, del, get, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { act, action, ask, card, copyable, facts, head, table } from "../lib/parts.js";
import { duration, lasting, moment } from "../lib/time.js";
import { bytes } from "../lib/words.js";

const SCOPES = { read: "see everything but secrets", run: "what agents and flows need", write: "change things", admin: "also make keys" };

export async function show(page) {
  const keys = h("div");
  page.append(head("Admin", { tools: [h("a.button", { href: "/api/openapi.json" }, "API description"), h("a.button", { href: "/events" }, "Events")] }));
  const [summary, settings] = await Promise.all([get("summary"), get("settings")]);
  const { server } = summary;
  page.append(h("div.cards",
    card("Server", facts([["Version", server.version], ["Up for", lasting(server.started, null)], ["Database", server.database.kind], ["Size", bytes(server.database.bytes)], ["Schema", server.database.revision]])),
    card("Settings in effect", facts(Object.entries(settings).map(([name, value]) => [name, String(value ?? "–")])), h("p.soft", "Changed in the configuration file or by variables of the server's environment, at its start."))),
  card("Services", table([
    { head: "Service", cell: (one) => one.name }, { head: "Last pass", cell: (one) => moment(one.last) }, { head: "Every", class: "number", hide: true, cell: (one) => duration(one.interval * 1000) },
    { head: "It took", class: "number", hide: true, cell: (one) => (one.seconds === null ? "" : duration(one.seconds * 1000)) }, { head: "", cell: (one) => (one.problem ? h("span.bad", one.problem) : h("span.good", "well")) },
  ], server.services, { empty: "They run in another process." })),
  card("API keys", h("div.filters", action("New key", (button) => create(button), { kind: "primary" })), keys));

  async function create(button) {
    const given = await ask("New API key", { confirm: "Create", fields: [
      h("div.field", h("label", { for: "key-name" }, "Name"), h("input", { id: "key-name", name: "name", required: true })),
      h("div.field", h("label", { for: "key-scope" }, "May"), h("select", { id: "key-scope", name: "scope" }, Object.entries(SCOPES).map(([scope, text]) => h("option", { value: scope, selected: scope === "write" }, `${scope}: ${text}`)))),
      h("div.field", h("label", { for: "key-end" }, "Expires (empty: never)"), h("input", { id: "key-end", name: "expires", type: "datetime-local" }))] });
    if (!given) return;
    const made = await act(button, () => post("keys", { name: given.name, scope: given.scope, expires: given.expires ? new Date(given.expires).toISOString() : null }));
    if (!made) return;
    await ask(`The key ${given.name}`, { confirm: "I have kept it", body: [h("p", "It is shown this once:"), h("pre", copyable(made.key, "key"))] });
    await load();
  }

  async function load() {
    try {
      fill(keys, table([
        { head: "Name", cell: (one) => one.name }, { head: "May", cell: (one) => one.scope }, { head: "Last used", cell: (one) => moment(one.last_used) }, { head: "Expires", hide: true, cell: (one) => moment(one.expires) },
        { head: "", cell: (one) => action("Revoke", async (button) => {
          if ((await ask(`Revoke ${one.name}?`, { body: h("p", "Whoever uses it is refused at once."), confirm: "Revoke", danger: true })) && (await act(button, () => del(`keys/${one.id}`), `${one.name} is revoked.`))) await load();
        }, { kind: "danger" }) },
      ], await all("keys"), { empty: "There is no key. Only this machine can reach the server, so none is needed." }));
    } catch (error) {
      fill(keys, h("p.none", error.message));
    }
  }
  await load();
}
