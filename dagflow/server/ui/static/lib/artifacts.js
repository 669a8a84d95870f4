// What tasks show: links, texts, tables, progress.
import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { empty, json } from "./parts.js";
import { moment } from "./time.js";

const MOST_ROWS = 500;

// items: artifacts as the API gives them; place: (artifact) => a node that says which task it is from.
export function artifacts(items, { place = () => null } = {}) {
  if (!items.length) return empty("No artifacts", h("p", "A task shows something here with ", h("code", "create_markdown_artifact"), ", ", h("code", "create_table_artifact"), ", ", h("code", "create_link_artifact"), " or ", h("code", "create_progress_artifact"), "."));
  return h("div.artifacts", items.map((one) => artifact(one, place(one))));
}

export function artifact(one, place = null) {
  return h("article.card.artifact", h("header.artifact-head", h("strong", one.key ?? `A ${one.kind}`), place, h("span.soft", moment(one.updated ?? one.created))),
    one.description ? h("p.soft", one.description) : null, content(one));
}

function content(one) {
  const data = one.data ?? {};
  if (one.kind === "link") return h("p", h("a", { href: data.link }, data.link_text ?? data.link));
  if (one.kind === "progress") return h("p.progress", h("progress", { max: "100", value: data.progress ?? 0, "aria-label": one.key ?? "Progress" }), ` ${Math.round(data.progress ?? 0)} %`);
  if (one.kind === "table" && Array.isArray(data.rows)) return rows(data);
  if (one.kind === "markdown") return markdown(one, data.markdown ?? "");
  return json(data);
}

function rows(data) {
  const more = data.rows.length - MOST_ROWS;
  return h("div.scroll", h("table.list", h("thead", h("tr", data.columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", data.rows.slice(0, MOST_ROWS).map((row) => h("tr", row.map((value) => h("td", { class: typeof value === "number" ? "number" : null }, text(value)))))),
  ), more > 0 ? h("p.soft", `and ${more} more rows`) : null);
}

const text = (value) => (value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

// As HTML once the server has made it, and as it was written until then, or if it cannot.
function markdown(one, source) {
  const element = h("div.markdown", h("pre", source));
  get(`artifacts/${one.id}/html`).then((answer) => {
    const page = new DOMParser().parseFromString(answer.html, "text/html"); // made harmless by the server; nothing in it runs here
    fill(element, [...page.body.childNodes].map((node) => document.importNode(node, true)));
  }, () => null);
  return element;
}
