// Log lines of a run: searched and filtered by the server over the whole run, loaded in pieces from either end.
import { address, get, key } from "./api.js";
import { coloured } from "./ansi.js";
import { append, fill, h } from "./dom.js";
import { query } from "./parts.js";
import { toast } from "./bar.js";
import { exact, zone } from "./time.js";

const PIECE = 300;
const MOST_LINES = 4000; // more of them make a page slow; older ones can be loaded again
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

// Logs of a flow run, or of one of its task runs. With inAddress the filters and the line stand in the address.
// Returns {element, refresh, stop}: refresh() looks for lines that have come.
export function logs({ flowRunId, taskRunId = null, tasks = [], inAddress = true, short = false }) {
  const kept = (name, otherwise) => (inAddress ? query.get(name, otherwise) : otherwise);
  const view = {
    flowRunId, taskRunId, inAddress, items: [], busy: false, turn: 0, begins: true, ends: true, line: Number(kept("line", 0)),
    filter: { q: kept("q", ""), level: kept("level", ""), task_slug: kept("task", "") }, follow: kept("line", null) === null,
    lines: h("ol.log-lines", { "aria-label": "Log lines" }), note: h("span.soft", { role: "status" }),
    older: h("button.quiet", { type: "button", hidden: true, onclick: () => loadOlder(view) }, "Load older lines"),
    newer: h("button.quiet", { type: "button", hidden: true, onclick: () => loadNewer(view) }, "Load newer lines"),
  };
  view.box = h(`div.log-box${short ? ".short" : ""}`, { tabindex: "0", role: "log", "aria-live": "off", onscroll: () => scrolled(view) }, view.older, view.lines, view.newer);
  const element = h("section.logs", filters(view, tasks, short), view.box);
  const ready = load(view);
  return { element, ready, refresh: () => (view.busy ? null : come(view)), stop: () => (view.turn = -1) };
}

// --- what is above the lines ---------------------------------------------------------------------------------------

function filters(view, tasks, short) {
  let timer = null;
  const search = h("input", { type: "search", placeholder: "Search all lines", "aria-label": "Search all lines", value: view.filter.q, oninput: () => {
    clearTimeout(timer);
    timer = setTimeout(() => filterBy(view, { q: search.value }), 250);
  } });
  const level = h("select", { "aria-label": "Least level", onchange: () => filterBy(view, { level: level.value }) },
    h("option", { value: "" }, "All levels"), LEVELS.slice(1).map((name) => h("option", { value: name, selected: name === view.filter.level }, `${name} and above`)));
  view.followBox = h("input", { type: "checkbox", checked: view.follow, onchange: () => {
    view.follow = view.followBox.checked;
    if (view.follow) load(view);
  } });
  return h("div.filters", search, level, tasks.length > 1 ? taskFilter(view, tasks) : null,
    h("label.inline", view.followBox, "Follow"),
    short ? null : [h("button", { type: "button", onclick: () => toTop(view) }, "Top"), h("button", { type: "button", onclick: () => toEnd(view) }, "Bottom")],
    h("button", { type: "button", onclick: () => firstError(view) }, "First error"),
    h("button", { type: "button", onclick: (event) => download(view, event.currentTarget) }, "Download"),
    short ? null : h("button.quiet", { type: "button", title: "Show times in the other zone", onclick: () => {
      zone.set(zone.get() === "utc" ? "local" : "utc");
      location.reload();
    } }, zone.get() === "utc" ? "Times: UTC" : "Times: local"),
    view.note);
}

function taskFilter(view, tasks) {
  const list = h("datalist", { id: "log-tasks" }, tasks.map((slug) => h("option", { value: slug })));
  const field = h("input", { list: "log-tasks", placeholder: "All tasks", "aria-label": "Task", value: view.filter.task_slug, onchange: () => {
    filterBy(view, { task_slug: field.value.trim() });
  } });
  return [field, list];
}

function filterBy(view, change) {
  Object.assign(view.filter, change);
  view.line = 0;
  if (view.inAddress) query.set({ q: view.filter.q, level: view.filter.level, task: view.filter.task_slug, line: null });
  return load(view);
}

// --- loading -------------------------------------------------------------------------------------------------------

function ask(view, more) {
  const { q, level, task_slug } = view.filter;
  return get(`flow_runs/${view.flowRunId}/logs`, { q, level, task_slug, task_run_id: view.taskRunId, limit: PIECE, ...more });
}

// Do one piece of loading; what an older one brings after a newer has begun is thrown away.
async function piece(view, work) {
  const mine = ++view.turn;
  view.busy = true;
  try {
    await work(() => view.turn === mine);
  } catch (error) {
    if (view.turn === mine) fill(view.note, h("span.bad", error.message));
  } finally {
    if (view.turn === mine) view.busy = false;
  }
}

const newestFirst = async (view, more) => inOrder((await ask(view, { newest: true, ...more })).items);

// Lines stand in the order of their time; their numbers tell in which order they have arrived.
const inOrder = (items) => items.sort((a, b) => (a.timestamp === b.timestamp ? a.seq - b.seq : a.timestamp < b.timestamp ? -1 : 1));
const newestSeq = (view) => view.items.reduce((most, one) => Math.max(most, one.seq), 0);

function together(...lists) {
  return inOrder([...new Map(lists.flat().map((one) => [one.seq, one])).values()]);
}

function load(view) {
  if (view.line) return around(view, view.line);
  return piece(view, async (current) => {
    const items = await newestFirst(view, {});
    if (!current()) return;
    show(view, items, { begins: items.length < PIECE, ends: true });
    view.box.scrollTop = view.box.scrollHeight;
  });
}

function around(view, seq) {
  view.line = seq;
  setFollow(view, false);
  return piece(view, async (current) => {
    const before = await newestFirst(view, { before_seq: seq, limit: 100 });
    const behind = (await ask(view, { after_seq: seq - 1, limit: 200 })).items;
    if (!current()) return;
    show(view, together(before, behind), { begins: before.length < 100, ends: behind.length < 200 });
    markLine(view, seq);
  });
}

function loadOlder(view) {
  return piece(view, async (current) => {
    const items = await newestFirst(view, { before_seq: view.items[0]?.seq });
    if (!current()) return;
    const height = view.box.scrollHeight;
    setFollow(view, false);
    show(view, together(items, view.items).slice(0, MOST_LINES), { begins: items.length < PIECE, ends: view.ends && items.length + view.items.length <= MOST_LINES });
    view.box.scrollTop += view.box.scrollHeight - height;
  });
}

function loadNewer(view) {
  return piece(view, async (current) => {
    const { items } = await ask(view, { after_seq: newestSeq(view) });
    if (!current()) return;
    const all = together(view.items, items);
    show(view, all.slice(-MOST_LINES), { begins: view.begins && all.length <= MOST_LINES, ends: items.length < PIECE });
  });
}

// Lines that have come since: added below, and scrolled to while the page follows.
function come(view) {
  if (!view.ends || view.turn < 0) return null;
  return piece(view, async (current) => {
    const items = inOrder((await ask(view, { after_seq: newestSeq(view) })).items);
    if (!current() || !items.length) return;
    const isLate = items[0].timestamp < (view.items.at(-1)?.timestamp ?? "~");
    if (isLate || view.items.length + items.length > MOST_LINES) {
      show(view, together(view.items, items).slice(-MOST_LINES), { begins: view.begins && view.items.length + items.length <= MOST_LINES, ends: items.length < PIECE });
    } else {
      view.items.push(...items);
      append(view.lines, items.map((one) => line(view, one)));
      view.ends = items.length < PIECE;
      say(view);
    }
    if (view.follow) view.box.scrollTop = view.box.scrollHeight;
  });
}

async function firstError(view) {
  try {
    const { items } = await ask(view, { level: "ERROR", limit: 1 });
    if (items.length) await around(view, items[0].seq);
    else toast("There is no error in these lines.");
  } catch (error) {
    toast(error.message, "bad");
  }
}

function toTop(view) {
  view.line = 0;
  setFollow(view, false);
  return piece(view, async (current) => {
    const { items } = await ask(view, {});
    if (!current()) return;
    show(view, items, { begins: true, ends: items.length < PIECE });
    view.box.scrollTop = 0;
  });
}

function toEnd(view) {
  view.line = 0;
  setFollow(view, true);
  return load(view);
}

// The whole log that the filters leave, fetched with the key of this tab.
async function download(view, button) {
  button.disabled = true;
  try {
    const { q, level, task_slug } = view.filter;
    const where = address(`flow_runs/${view.flowRunId}/logs/download`, { q, level, task_slug, task_run_id: view.taskRunId });
    const answer = await fetch(where, { headers: key.get() ? { Authorization: `Bearer ${key.get()}` } : {} });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    const link = h("a", { download: `${view.flowRunId}.log` });
    link.href = URL.createObjectURL(await answer.blob());
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    toast(`The log could not be downloaded: ${error.message}`, "bad");
  } finally {
    button.disabled = false;
  }
}

// --- lines ---------------------------------------------------------------------------------------------------------

function show(view, items, { begins, ends }) {
  Object.assign(view, { items, begins, ends });
  fill(view.lines, items.length ? items.map((one) => line(view, one)) : h("li.none", nothing(view)));
  say(view);
}

function nothing(view) {
  const { q, level, task_slug } = view.filter;
  return q || level || task_slug ? "No line fits these filters." : "There are no log lines yet. They appear here as they are written.";
}

function say(view) {
  view.older.hidden = view.begins;
  view.newer.hidden = view.ends;
  fill(view.note, `${view.items.length.toLocaleString("en")} lines${view.begins && view.ends ? "" : " loaded"}`);
}

function line(view, one) {
  const place = one.task_slug ? (one.map_index >= 0 ? `${one.task_slug}[${one.map_index}]` : one.task_slug) : one.name ?? "";
  const at = exact(one.timestamp).replace(" UTC", "");
  const parts = String(new Date(one.timestamp).getMilliseconds()).padStart(3, "0");
  const marked = (text) => highlighted(text, view.filter.q);
  return h(`li.log-line.level-${one.level}`, { "data-seq": one.seq, class: one.seq === view.line ? "chosen" : null },
    h("a.log-time", { href: linkTo(view, one), title: `${exact(one.timestamp, "local")} local\n${exact(one.timestamp, "utc")}\nLink to this line`, onclick: (event) => {
      if (!view.inAddress || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      query.set({ line: one.seq });
      setFollow(view, false);
      markLine(view, one.seq, false);
    } }, `${at.slice(11)}.${parts}`, h("span.log-date", ` ${at.slice(0, 10)}`)),
    h("span.log-level", one.level),
    view.taskRunId ? null : h("span.log-task", { title: place }, place),
    h("span.log-text", coloured(one.message ?? "", marked), one.info ? h("details.soft", h("summary", "more"), h("code", JSON.stringify(one.info))) : null));
}

function linkTo(view, one) {
  const parameters = new URLSearchParams(view.inAddress ? location.search : "");
  parameters.set("tab", "logs");
  parameters.set("line", one.seq);
  return `${view.inAddress ? location.pathname : `/runs/${view.flowRunId}`}?${parameters}`;
}

function highlighted(text, wanted) {
  if (!wanted) return [text];
  const parts = [];
  const low = text.toLowerCase();
  let from = 0;
  for (let at = low.indexOf(wanted.toLowerCase()); at >= 0; at = low.indexOf(wanted.toLowerCase(), from)) {
    parts.push(text.slice(from, at), h("mark", text.slice(at, at + wanted.length)));
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)];
}

function markLine(view, seq, scroll = true) {
  view.line = seq;
  view.lines.querySelector(".chosen")?.classList.remove("chosen");
  const element = view.lines.querySelector(`[data-seq="${seq}"]`);
  element?.classList.add("chosen");
  if (scroll && element) view.box.scrollTop = element.offsetTop - view.box.clientHeight / 3;
}

function setFollow(view, follow) {
  view.follow = follow;
  if (view.followBox) view.followBox.checked = follow;
}

// Who scrolls up does not want to be taken to the end with every line.
function scrolled(view) {
  const atEnd = view.box.scrollHeight - view.box.scrollTop - view.box.clientHeight < 40;
  if (!atEnd && view.follow && !view.busy) setFollow(view, false);
}
