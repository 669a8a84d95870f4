// Search for names and ids, from anywhere.
import { get } from "./api.js";
import { fill, h } from "./dom.js";

const PLACES = {
  project: (id) => `/flows?project_id=${id}`,
  flow: (id) => `/flows/${id}`,
  deployment: (id) => `/flows?deployment=${id}`,
  flow_run: (id) => `/runs/${id}`,
  task_run: (id) => `/task-runs/${id}`,
};

export function searchDialog() {
  const found = h("ul.found", { role: "listbox" });
  const field = h("input", { type: "search", placeholder: "A name, or an id", "aria-label": "Search", autofocus: true });
  let turn = 0;
  field.addEventListener("input", async () => {
    const mine = ++turn;
    await new Promise((resolve) => setTimeout(resolve, 150));
    if (mine !== turn) return;
    const items = field.value.trim() ? await search(field.value.trim()) : [];
    if (mine === turn) fill(found, items.length ? items.map(item) : field.value.trim() ? h("li.none", "Nothing is called that.") : null);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") found.querySelector("a")?.click();
    if (event.key === "ArrowDown") found.querySelector("a")?.focus();
  });
  found.addEventListener("keydown", (event) => {
    const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!next) return;
    event.preventDefault();
    (event.target.closest("li")[next]?.querySelector("a") ?? field).focus();
  });
  return h("dialog.dialog.search", { "aria-label": "Search" }, field, found);
}

export async function search(text) {
  const answer = await get("search", { q: text });
  return answer.items ?? answer;
}

export function item(one) {
  const place = PLACES[one.kind]?.(one.id) ?? "/";
  return h("li", h("a", { href: place }, h("span.kind", one.kind.replace("_", " ")), h("span", one.name ?? one.id)));
}
