// Numbers for people.
export function bytes(number) {
  if (number === null || number === undefined) return "size unknown";
  const units = ["B", "kB", "MB", "GB", "TB"];
  const place = number ? Math.min(units.length - 1, Math.floor(Math.log10(number) / 3)) : 0;
  return `${(number / 1000 ** place).toFixed(place ? 1 : 0)} ${units[place]}`;
}
