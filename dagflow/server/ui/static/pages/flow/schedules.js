// The schedule of a flow: clocks, their zone and parameters, and when that would be, while it is typed.
import { post } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { choice, input, labelList, parsed } from "../../lib/forms.js";
import { act, action, ask, card, json, table } from "../../lib/parts.js";
import { exact } from "../../lib/time.js";
import { ownZone, startNow, ZONES } from "../../lib/zones.js";
import { clockInWords, inWords } from "../../lib/words.js";
import { scheduleOf } from "../flow.js";

const UNITS = [["60", "minutes"], ["3600", "hours"], ["86400", "days"], ["604800", "weeks"]];
const EDITABLE = new Set(["CronClock", "IntervalClock"]);


export async function schedules(view, panel) {
  const { group, flow } = view;
  const followed = scheduleOf(view);
  const state = {
    view, times: h("div"), problem: h("p.bad", { role: "alert" }), clocks: h("div"), turn: 0, rest: restOf(followed),
    list: structuredClone(followed?.clocks ?? [cron()]),
    zone: h("input", { list: "zones", value: followed?.clocks?.[0]?.start_date?.tz ?? ownZone, "aria-label": "Time zone", oninput: () => preview(state) }),
  };
  state.firstZone = state.zone.value;
  state.save = action("Save for all versions", (button) => save(state, button), { kind: "primary" });
  const own = action("Use the schedule of the flow", (button) => forget(view, button), { reason: group.schedule ? null : "The flow's own schedule is followed already." });
  fill(panel, h("div.split",
    card("Schedule", h("p.soft", group.schedule ? "This flow has a schedule of its own, kept here; versions registered later follow it too." : "The schedule of the registered flow is followed. Saving here puts another one over it."),
      group.schedule_problem ? h("p.bad", group.schedule_problem) : null,
      h("div.field", h("label", "Time zone", state.zone), h("datalist", { id: "zones" }, ZONES.map((value) => h("option", { value }))), h("p.help", "In another zone, every clock begins anew, now.")),
      state.clocks, h("div.tools", action("Add a cron clock", () => add(state, cron())), action("Add an interval", () => add(state, { type: "IntervalClock", interval: 3600, parameter_defaults: {}, labels: null }))),
      state.problem, h("div.choices", own, state.save)),
    h("div", card("The next 10 times", state.times), card("In the flow itself", h("p", inWords(flow.schedule)), flow.schedule ? h("details", h("summary", "As it is kept"), json(flow.schedule)) : null))));
  draw(state);
}

const cron = () => ({ type: "CronClock", cron: "0 9 * * *", parameter_defaults: {}, labels: null });
const restOf = (schedule) => Object.fromEntries(["filters", "or_filters", "not_filters", "adjustments"].filter((name) => schedule?.[name]?.length).map((name) => [name, schedule[name]]));

function add(state, clock) {
  state.list.push(clock);
  draw(state);
}

function draw(state) {
  fill(state.clocks, state.list.map((clock, place) => clockForm(state, clock, place)));
  if (!state.list.length) fill(state.clocks, h("p.none", "No clock: the flow runs when it is asked to."));
  preview(state);
}

function clockForm(state, clock, place) {
  const said = h("span.soft", clockInWords({ ...clock, start_date: null }));
  const changed = () => {
    said.textContent = clockInWords({ ...clock, start_date: null });
    preview(state);
  };
  const remove = action("Remove", () => {
    state.list.splice(place, 1);
    draw(state);
  });
  return h("fieldset.clock", h("legend", clock.type === "CronClock" ? "Cron" : clock.type === "IntervalClock" ? "Interval" : clock.type),
    EDITABLE.has(clock.type) ? (clock.type === "CronClock" ? cronField(clock, changed) : intervalField(clock, changed)) : h("p.soft", "Clocks of this kind are made in code; it is kept as it is."), said,
    defaults(state, clock, changed), h("div.choices", remove));
}

function cronField(clock, changed) {
  return input("cron", "Minute, hour, day of month, month, day of week", { value: clock.cron, spellcheck: "false", oninput: (event) => {
    clock.cron = event.target.value.trim();
    changed();
  } });
}

function intervalField(clock, changed) {
  const unit = [...UNITS].reverse().find(([size]) => clock.interval % Number(size) === 0)?.[0] ?? "60";
  const read = (event) => {
    const box = event.target.closest(".row");
    clock.interval = Number(box.querySelector("input").value) * Number(box.querySelector("select").value);
    changed();
  };
  return h("div.row", { oninput: read }, input("count", "Every", { type: "number", min: "1", value: clock.interval / Number(unit) }), choice("unit", "Unit", UNITS, unit));
}

function defaults(state, clock, changed) {
  const names = (state.view.flow.parameters ?? []).map((one) => one.name);
  if (!names.length) return null;
  const wrong = h("p.problem");
  const text = h("textarea", { rows: "3", spellcheck: "false", "aria-label": "Parameters of this clock", value: JSON.stringify(clock.parameter_defaults ?? {}, null, 2), oninput: () => {
    try {
      clock.parameter_defaults = parsed(text.value, "This");
      delete clock.wrong;
      wrong.textContent = "";
    } catch (error) {
      clock.wrong = error.message;
      wrong.textContent = error.message;
    }
    changed();
  } });
  return h("details.field", { open: Object.keys(clock.parameter_defaults ?? {}).length > 0 }, h("summary", "Parameters for the runs of this clock"), text, wrong, h("p.help", `JSON by name: ${names.join(", ")}`));
}

// Clocks that were there keep their beginning, which intervals are counted from; in another zone all begin anew.
function wanted(state) {
  const zone = state.zone.value.trim();
  const clocks = state.list.map(({ wrong: _, ...clock }) => (clock.start_date || clock.type === "DatesClock" ? clock : { ...clock, start_date: startNow(zone) }));
  return { schedule: { type: "Schedule", clocks, ...state.rest }, timezone: zone === state.firstZone ? null : zone };
}

async function preview(state) {
  const mine = ++state.turn;
  state.save.disabled = true;
  await new Promise((resolve) => setTimeout(resolve, 200));
  if (mine !== state.turn) return;
  const wrong = state.list.find((one) => one.wrong)?.wrong;
  try {
    if (wrong) throw new Error(wrong);
    const { times } = state.list.length ? await post("schedules/preview", { ...wanted(state), count: 10 }) : { times: [] };
    if (mine !== state.turn) return;
    state.problem.textContent = "";
    state.save.disabled = false;
    fill(state.times, timeTable(times));
  } catch (error) {
    if (mine !== state.turn) return;
    state.problem.textContent = error.message;
    fill(state.times, h("p.none", "Not before the schedule is right."));
  }
}

function timeTable(times) {
  const parameters = times.some((one) => Object.keys(one.parameters ?? {}).length);
  return table([
    { head: "There", cell: (one) => [one.local.slice(0, 16).replace("T", " "), h("span.soft", ` ${one.local.slice(19) || "Z"}`)] },
    { head: "UTC", cell: (one) => exact(one.utc, "utc").slice(0, 16) },
    ...(parameters ? [{ head: "With", cell: (one) => h("code", JSON.stringify(one.parameters)) }] : []),
    ...(times.some((one) => one.labels) ? [{ head: "Labels", cell: (one) => labelList(one.labels) }] : []),
  ], times, { empty: "There is no next time." });
}

async function save(state, button) {
  const { group } = state.view;
  const done = await act(button, () => post(`flow_groups/${group.id}/schedule`, wanted(state)), "The schedule is saved, for all versions.");
  if (done) state.view.reload();
}

async function forget(view, button) {
  if (!(await ask("Follow the schedule of the flow again?", { confirm: "Follow it", danger: true, body: h("p", "The schedule that is kept here is removed, and its planned runs with it.") }))) return;
  if (await act(button, () => post(`flow_groups/${view.group.id}/schedule`, { schedule: null }), "The flow's own schedule is followed.")) view.reload();
}
