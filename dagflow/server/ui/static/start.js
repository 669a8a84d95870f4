// The beginning of every page: what the shell has, then the module of the page.
import { h, fill } from "./lib/dom.js";
import { ApiError } from "./lib/api.js";
import { setUpBar } from "./lib/bar.js";

setUpBar();
const page = document.getElementById("page");
try {
  const module = await import(`./pages/${document.body.dataset.page}.js`);
  await module.show(page);
} catch (error) {
  const known = error instanceof ApiError;
  if (!known) console.error(error);
  fill(page, h("section.empty", h("h1", known && error.status === 404 ? "Not found" : "This page could not be shown"),
    h("p", error.message), h("p", h("a", { href: "/" }, "Home"), " · ", h("a", { href: "/runs" }, "All runs"))));
}
