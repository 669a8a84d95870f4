// Schedules and flows in words.

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const NAMES = { MON: 1, TUE: 2, WED: 3, THU: 4, FRI: 5, SAT: 6, SUN: 0 };
const UNITS = [["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const two = (number) => String(number).padStart(2, "0");
const isNumber = (text) => /^\d+$/.test(text);

// A schedule as a person would say it; the parts that have no short words stay as they are.
export function inWords(schedule) {
  if (!schedule?.clocks?.length) return "no schedule";
  const words = schedule.clocks.map(clockInWords).join("; ");
  const filtered = [schedule.filters, schedule.or_filters, schedule.not_filters].some((list) => list?.length);
  return filtered ? `${words} (filtered)` : words;
}

export function clockInWords(clock) {
  const zone = clock.start_date?.tz;
  const at = zone && zone !== "UTC" ? ` (${zone})` : "";
  if (clock.type === "CronClock") return cronInWords(clock.cron) + at;
  if (clock.type === "IntervalClock") return everySeconds(clock.interval) + at;
  if (clock.type === "DatesClock") return `${clock.dates.length} ${clock.dates.length === 1 ? "date" : "dates"}`;
  return `rule ${String(clock.rrule ?? clock.type).slice(0, 60)}`;
}

export function everySeconds(seconds) {
  const [name, size] = UNITS.find(([, one]) => seconds >= one && seconds % one === 0) ?? ["second", 1];
  const count = seconds / size;
  return count === 1 ? `every ${name}` : `every ${count} ${name}s`;
}

export function cronInWords(cron) {
  const parts = String(cron ?? "").trim().split(/\s+/);
  if (parts.length !== 5) return `cron ${cron}`;
  const [minute, hour, date, month, day] = parts;
  const days = month === "*" && date === "*" ? daysInWords(day) : null;
  const times = timesInWords(minute, hour);
  if (times && days !== null) return `${times}${days}`;
  if (times && isNumber(date) && month === "*" && day === "*") return `on day ${date} of each month ${times.replace(/^every day /, "")}`;
  return `cron ${cron}`;
}

function timesInWords(minute, hour) {
  const step = (text) => /^\*\/(\d+)$/.exec(text)?.[1];
  if (minute === "*" && hour === "*") return "every minute";
  if (step(minute) && hour === "*") return `every ${step(minute)} minutes`;
  if (!isNumber(minute)) return null;
  if (hour === "*") return minute === "0" ? "every hour" : `every hour at :${two(minute)}`;
  if (step(hour)) return `every ${step(hour)} hours${minute === "0" ? "" : ` at :${two(minute)}`}`;
  if (/^\d+(,\d+)*$/.test(hour)) return `every day at ${hour.split(",").map((one) => `${two(one)}:${two(minute)}`).join(", ")}`;
  return null;
}

function daysInWords(text) {
  if (text === "*") return "";
  const number = (one) => (isNumber(one) ? Number(one) % 7 : NAMES[one.toUpperCase()]);
  if (/^(1-5|MON-FRI)$/i.test(text)) return " on weekdays";
  const range = text.split("-").map(number);
  if (range.length === 2 && !range.includes(undefined)) return `, ${DAYS[range[0]]} to ${DAYS[range[1]]}`;
  const list = text.split(",").map(number);
  return list.includes(undefined) ? null : ` on ${list.map((one) => DAYS[one]).join(", ")}`;
}

// What keeps a flow from being run with nothing but defaults; null when it can be. group: as flow_groups answers.
export function whyNoQuickRun(flow, group) {
  if (!flow) return "All versions are archived.";
  if (flow.archived) return "This version is archived.";
  const defaults = group?.default_parameters ?? {};
  const missing = (flow.parameters ?? []).filter((one) => one.required && !(one.name in defaults)).map((one) => one.name);
  return missing.length ? `${missing.length === 1 ? "The parameter" : "The parameters"} ${missing.join(", ")} ${missing.length === 1 ? "has" : "have"} no default; use Run.` : null;
}

// Labels that a run would have: those of the group, else those of the run config.
export function effectiveLabels(flow, group) {
  return group?.labels ?? (group?.run_config ?? flow?.run_config)?.labels ?? [];
}

// A share such as 0.95 as a percentage.
export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`);
