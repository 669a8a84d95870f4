// Text with the colour codes of terminals, as elements; other codes of terminals are left out.
import { h } from "./dom.js";

const CODE = /\u001b\[([0-9;]*)m|\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

export const plainText = (text) => text.replace(CODE, "");

export function coloured(text, mark = (part) => [part]) {
  if (!text.includes("\u001b")) return mark(text);
  const parts = [];
  let classes = [];
  let from = 0;
  for (const found of text.matchAll(CODE)) {
    add(parts, text.slice(from, found.index), classes, mark);
    if (found[1] !== undefined) classes = after(classes, found[1]);
    from = found.index + found[0].length;
  }
  add(parts, text.slice(from), classes, mark);
  return parts;
}

function add(parts, text, classes, mark) {
  if (text) parts.push(classes.length ? h("span", { class: classes.join(" ") }, mark(text)) : mark(text));
}

function after(classes, codes) {
  for (const code of codes.split(";").map(Number)) {
    if (code === 0) classes = [];
    else if (code === 1) classes = [...classes, "ansi-bold"];
    else if (code === 3) classes = [...classes, "ansi-italic"];
    else if (code === 4) classes = [...classes, "ansi-under"];
    else if (code === 39) classes = classes.filter((name) => !/^ansi-\d/.test(name));
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
      classes = [...classes.filter((name) => !/^ansi-\d/.test(name)), `ansi-${code % 10}`];
    }
  }
  return classes;
}
