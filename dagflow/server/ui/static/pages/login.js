// The key of a server that needs one; kept until the tab is closed.
import { call, key } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { head, query } from "../lib/parts.js";

export function show(page) {
  const field = h("input", { type: "password", id: "key", autocomplete: "current-password", required: true, autofocus: true });
  const problem = h("p.problem", { role: "alert" });
  const form = h("form.card", { onsubmit: async (event) => {
    event.preventDefault();
    key.set(field.value.trim());
    try {
      await call("GET", "projects", { query: { limit: 1 } });
      const next = query.get("next", "/");
      location.assign(/^\/(?!\/)/.test(next) ? next : "/");
    } catch (error) {
      key.set(null);
      problem.textContent = error.message;
    }
  } }, h("div.field", h("label", { for: "key" }, "API key"), field, problem,
    h("p.help", "Somebody with access to the server makes one with ", h("code", "dagflow auth create-key --name me --local"), ". It stays in this tab only.")),
    h("button.primary", { type: "submit" }, "Log in"));
  page.append(head("Log in"), form);
}
