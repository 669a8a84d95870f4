// What was searched for, on a page of its own.
import { fill, h } from "../lib/dom.js";
import { head, query } from "../lib/parts.js";
import { item, search } from "../lib/search.js";

export function show(page) {
  const found = h("div", { role: "status" });
  let turn = 0;
  const load = async () => {
    const mine = ++turn;
    const text = field.value.trim();
    query.set({ q: text });
    const items = text ? await search(text) : [];
    if (mine !== turn) return;
    const kinds = [...new Set(items.map((one) => one.kind))];
    fill(found, items.length ? kinds.map((kind) => h("section.card", h("h2", `${kind[0].toUpperCase()}${kind.slice(1).replace("_", " ")}s`), h("ul.found", items.filter((one) => one.kind === kind).map(item)))) : h("p.none", text ? "Nothing is called that, and nothing has that id." : "Type a name or an id."));
  };
  const field = h("input", { type: "search", value: query.get("q", ""), placeholder: "A name, or an id", "aria-label": "Search", autofocus: true, oninput: () => setTimeout(load, 150) });
  fill(page, head("Search"), h("div.search.form", field), found);
  return load();
}
