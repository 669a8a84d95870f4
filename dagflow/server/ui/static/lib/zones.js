// Moments in a time zone of somebody's choice.

export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
export const ZONES = Intl.supportedValuesOf ? ["UTC", ...Intl.supportedValuesOf("timeZone")] : ["UTC"];

// "2026-12-01T09:00" in a zone, as a moment; throws with words for people.
export function momentIn(text, zone) {
  const wall = Date.parse(`${text}Z`);
  if (Number.isNaN(wall)) throw new Error("Say a date and a time.");
  const first = wall - offset(wall, zone);
  const moment = wall - offset(first, zone); // once more, as the clock may change in between
  if (moment + offset(moment, zone) !== wall) throw new Error(`There is no such time in ${zone}: the clock is put forward then.`);
  return new Date(moment);
}

// Now, as a schedule keeps where a clock begins.
export function startNow(zone) {
  const now = Date.now();
  return { dt: new Date(now + offset(now, zone)).toISOString().slice(0, 19), tz: zone };
}

// How far a zone is ahead of UTC at a moment, in milliseconds.
function offset(moment, zone) {
  let parts;
  try {
    parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(moment);
  } catch {
    throw new Error(`There is no time zone ${zone}.`);
  }
  const part = (name) => Number(parts.find((one) => one.type === name).value);
  return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second")) - Math.floor(moment / 1000) * 1000;
}
