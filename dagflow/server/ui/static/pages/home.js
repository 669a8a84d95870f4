// Home.
import { h } from "../lib/dom.js";
import { head } from "../lib/parts.js";

export function show(page) {
  page.append(head("Home"), h("p", h("a", { href: "/runs" }, "All runs")));
}
