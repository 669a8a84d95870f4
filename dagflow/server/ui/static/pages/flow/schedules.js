// The schedule: that of the flow, or one of its group, with the next times while it is written.
import { get, post } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { act, action, card, facts, table } from "../../lib/parts.js";
import { cronInWords, inWords } from "../../lib/schedules.js";
import { exact } from "../../lib/time.js";

const UNITS = { minutes: 60, hours: 3600, days: 86400 };

export async function schedulesTab(here, panel) {
  const { group, flow } = here;
  const now = group.schedule ?? flow.schedule;
  const clocks = (group.schedule?.clocks ?? []).map(read).filter(Boolean);
  const zone = h("input", { value: clocks[0]?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone, list: "zones", id: "zone-name" });
  const list = h("div");
  const times = h("div", { role: "status" });
  let turn = 0;

  function draw() {
    fill(list, clocks.map((clock, number) => h("fieldset.clock", h("legend", `Clock ${number + 1}`),
      clock.kind === "cron" ? cronFields(clock, preview) : intervalFields(clock, preview), defaultsField(clock, preview),
      h("button.quiet", { type: "button", onclick: () => (clocks.splice(number, 1), draw(), preview()) }, "Remove"))));
  }
  async function preview() {
    const mine = ++turn;
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (mine !== turn) return;
    if (!clocks.length) return fill(times, h("p.none", "Without a clock nothing is planned."));
    try {
      const found = await post("schedules/preview", { schedule: written(clocks, zone.value), timezone: zone.value, count: 10 });
      if (mine === turn) fill(times, nextTimes(found.times));
    } catch (error) {
      if (mine === turn) fill(times, h("p.bad", error.message));
    }
    return null;
  }
  const save = (button, schedule, said) => act(button, () => post(`flow_groups/${group.id}/schedule`, { schedule, timezone: schedule ? zone.value : null }), said).then((done) => done && location.reload());

  panel.append(
    card("In force", facts([["Schedule", inWords(now)], ["From", now ? (group.schedule ? "this page, for all versions" : `the flow, version ${flow.version}`) : "nowhere"], ["Problem", group.schedule_problem ? h("span.bad", group.schedule_problem) : null]])),
    card("A schedule for all versions", h("p.soft", "It takes the place of the one that is written in the flow."),
      h("div.field", h("label", { for: "zone-name" }, "Time zone"), zone, h("datalist#zones", (Intl.supportedValuesOf?.("timeZone") ?? []).map((name) => h("option", { value: name })))),
      list,
      h("div.tools", h("button", { type: "button", onclick: () => (clocks.push({ kind: "cron", cron: "0 6 * * *", defaults: {} }), draw(), preview()) }, "Add a cron clock"),
        h("button", { type: "button", onclick: () => (clocks.push({ kind: "interval", count: 1, unit: "hours", defaults: {} }), draw(), preview()) }, "Add an interval")),
      h("h3.above", "The next 10 times"), times,
      h("div.choices", action("Use the flow's own", (button) => save(button, null, "The flow's own schedule is in force."), { reason: group.schedule ? null : "It is in force." }),
        action("Save", (button) => save(button, written(clocks, zone.value), "The schedule is saved; its runs are planned."), { kind: "primary" }))));
  zone.addEventListener("input", preview);
  draw();
  await preview();
}

// Clocks that can be written here; others are kept out of the form.
function read(clock) {
  const defaults = clock.parameter_defaults ?? {};
  const zone = clock.start_date?.tz ?? "UTC";
  if (clock.type === "CronClock") return { kind: "cron", cron: clock.cron, defaults, zone };
  if (clock.type === "IntervalClock") {
    const seconds = typeof clock.interval === "number" ? (clock.interval >= 1e6 ? clock.interval / 1e6 : clock.interval) : 3600;
    const unit = Object.keys(UNITS).reverse().find((name) => seconds % UNITS[name] === 0) ?? "minutes";
    return { kind: "interval", count: seconds / UNITS[unit], unit, defaults, zone };
  }
  return null;
}

function written(clocks, zone) {
  const midnight = { dt: "2026-01-01T00:00:00", tz: zone || "UTC" };
  return { type: "Schedule", clocks: clocks.map((clock) => ({
    type: clock.kind === "cron" ? "CronClock" : "IntervalClock",
    ...(clock.kind === "cron" ? { cron: clock.cron, day_or: true } : { interval: Math.round(clock.count * UNITS[clock.unit] * 1e6) }),
    start_date: midnight, end_date: null, parameter_defaults: clock.defaults, labels: null,
  })) };
}

function cronFields(clock, changed) {
  const words = h("span.soft", cronInWords(clock.cron));
  return h("label", "Cron (minute hour day month weekday)", h("input", { value: clock.cron, oninput: (event) => {
    clock.cron = event.target.value;
    words.textContent = cronInWords(clock.cron);
    changed();
  } }), words);
}

function intervalFields(clock, changed) {
  return h("div.tools", h("label", "Every ", h("input", { type: "number", min: "1", value: clock.count, oninput: (event) => ((clock.count = Number(event.target.value)), changed()) })),
    h("select", { "aria-label": "Unit", onchange: (event) => ((clock.unit = event.target.value), changed()) }, Object.keys(UNITS).map((name) => h("option", { value: name, selected: name === clock.unit }, name))));
}

function defaultsField(clock, changed) {
  const problem = h("span.problem");
  return h("label", "Parameters of its runs (JSON)", h("input", { value: JSON.stringify(clock.defaults), oninput: (event) => {
    try {
      clock.defaults = JSON.parse(event.target.value || "{}");
      problem.textContent = "";
      changed();
    } catch {
      problem.textContent = "This is no JSON yet.";
    }
  } }), problem);
}

function nextTimes(times) {
  return table([
    { head: "Here", cell: (one) => exact(one.utc, "local") }, { head: "There", hide: true, cell: (one) => `${one.local} ${one.timezone ?? ""}` }, { head: "UTC", cell: (one) => exact(one.utc, "utc") },
    { head: "Parameters", hide: true, cell: (one) => (Object.keys(one.parameters ?? {}).length ? h("code", JSON.stringify(one.parameters)) : "") },
  ], times, { empty: "It never comes true." });
}
