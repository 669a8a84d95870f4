// Schedules in words.
import { duration } from "./time.js";

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const two = (text) => String(text).padStart(2, "0");

export function inWords(schedule) {
  if (!schedule?.clocks?.length) return "no schedule";
  return schedule.clocks.map(clockInWords).join("; ");
}

function clockInWords(clock) {
  const zone = clock.start_date?.tz && clock.start_date.tz !== "UTC" ? ` (${clock.start_date.tz})` : "";
  if (clock.type === "CronClock") return cronInWords(clock.cron) + zone;
  if (clock.type === "IntervalClock") return `every ${duration(seconds(clock.interval) * 1000)}`;
  if (clock.type === "DatesClock") return `${clock.dates?.length ?? 0} given dates`;
  if (clock.type === "RRuleClock") return "a recurrence rule";
  return clock.type ?? "a schedule";
}

const seconds = (interval) => (typeof interval === "number" ? interval / (interval > 1e6 ? 1e6 : 1) : Number(interval?.seconds ?? interval ?? 0));

export function cronInWords(cron) {
  const parts = cron.trim().split(/\s+/);
  if (parts.length !== 5) return `cron ${cron}`;
  const [minute, hour, day, month, weekday] = parts;
  const every = /^\*\/(\d+)$/;
  const plain = /^\d+$/;
  const rest = [day, month, weekday].every((part) => part === "*");
  if (rest && hour === "*" && every.test(minute)) return `every ${every.exec(minute)[1]} minutes`;
  if (rest && hour === "*" && plain.test(minute)) return `every hour at minute ${minute}`;
  if (rest && every.test(hour) && plain.test(minute)) return `every ${every.exec(hour)[1]} hours at minute ${minute}`;
  if (!plain.test(minute) || !plain.test(hour)) return `cron ${cron}`;
  const at = `${two(hour)}:${two(minute)}`;
  if (rest) return `every day at ${at}`;
  if (day === "*" && month === "*" && plain.test(weekday)) return `every ${WEEKDAYS[weekday % 7]} at ${at}`;
  if (day === "*" && month === "*" && weekday === "1-5") return `Monday to Friday at ${at}`;
  if (plain.test(day) && month === "*" && weekday === "*") return `on day ${day} of the month at ${at}`;
  return `cron ${cron}`;
}
