// What the shell has on every page: navigation, search, zone, theme, keys, messages.
import { fill, h } from "./dom.js";
import { zone } from "./time.js";

const THEME = "dagflow.theme";
const GOES = { h: "/", f: "/flows", r: "/runs", q: "/queue", a: "/agents", d: "/data", p: "/projects" };

export function setUpBar() {
  for (const link of document.querySelectorAll(".nav a")) {
    const here = location.pathname === link.pathname || location.pathname.startsWith(`${link.pathname}/`);
    if (here) link.setAttribute("aria-current", "page");
  }
  setUpTheme();
  const button = document.getElementById("zone");
  button.textContent = zone.get() === "utc" ? "UTC" : "Local";
  button.addEventListener("click", () => {
    zone.set(zone.get() === "utc" ? "local" : "utc");
    location.reload();
  });
  document.getElementById("open-search").addEventListener("click", openSearch);
  document.addEventListener("keydown", onKey);
}

function setUpTheme() {
  const root = document.documentElement;
  const kept = localStorage.getItem(THEME);
  if (kept) root.dataset.theme = kept;
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => fill(button, isDark() ? "☀" : "☾");
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem(THEME, root.dataset.theme);
    show();
  });
  show();
}

let waitsForGoal = false;
function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSearch();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  if (waitsForGoal && GOES[event.key]) location.assign(GOES[event.key]);
  waitsForGoal = event.key === "g";
  if (event.key === "?") openKeys();
  if (event.key === "/") {
    const field = document.querySelector("input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
}

function openKeys() {
  const rows = [["Ctrl K", "search"], ["/", "filter this list"], ["g h", "home"], ["g f", "flows"], ["g r", "runs"],
    ["g q", "queue"], ["g a", "agents"], ["g d", "data"], ["g p", "projects"], ["?", "these keys"]];
  const dialog = h("dialog.dialog", { "aria-label": "Keys" }, h("h2", "Keys"),
    h("table.plain", h("tbody", rows.map(([keys, what]) => h("tr", h("th", { scope: "row" }, h("kbd", keys)), h("td", what))))),
    h("form", { method: "dialog" }, h("button", { type: "submit" }, "Close")));
  showDialog(dialog);
}

export function showDialog(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

async function openSearch() {
  if (document.querySelector("dialog.search")) return;
  const { searchDialog } = await import("./search.js");
  showDialog(searchDialog());
}

// A line across the page; null takes it away.
export function banner(text) {
  const element = document.getElementById("banner");
  element.hidden = !text;
  fill(element, text);
}

// A message that goes away by itself; errors stay until they are closed.
export function toast(text, kind = "good") {
  const close = h("button.quiet", { type: "button", "aria-label": "Close", onclick: () => element.remove() }, "×");
  const element = h(`div.toast.${kind}`, { role: kind === "bad" ? "alert" : null }, h("span", text), close);
  document.getElementById("toasts").append(element);
  if (kind !== "bad") setTimeout(() => element.remove(), 6000);
}
