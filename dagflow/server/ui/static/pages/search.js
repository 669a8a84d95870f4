// What has a text in its name, or for its id.
import { item, search } from "../lib/search.js";
import { fill, h } from "../lib/dom.js";
import { head, query } from "../lib/parts.js";

export async function show(page) {
  const found = h("ul.found");
  const field = h("input", { type: "search", value: query.get("q", ""), placeholder: "A name, or an id", "aria-label": "Search" });
  const look = async () => {
    const text = field.value.trim();
    query.set({ q: text });
    const items = text ? await search(text) : [];
    fill(found, items.length ? items.map(item) : h("li.none", text ? "Nothing is called that." : "Type a name, or an id."));
  };
  page.append(head("Search"), h("form.filters", { role: "search", onsubmit: (event) => (event.preventDefault(), look()) }, field, h("button", { type: "submit" }, "Search")), h("section.card", found));
  await look();
}
