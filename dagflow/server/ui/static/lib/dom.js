// Elements. Text is always text: nothing that somebody wrote is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

// h("button.primary#go", {type: "button", onclick: f}, "Run"): attributes are optional, children are nodes, texts or lists.
export function h(name, ...rest) {
  return build((tag) => document.createElement(tag), name, rest);
}

// The same for elements of pictures.
export function s(name, ...rest) {
  return build((tag) => document.createElementNS(SVG, tag), name, rest);
}

function build(make, name, rest) {
  const [, tag, marks] = /^([a-z0-9]+)(.*)$/i.exec(name);
  const element = make(tag);
  for (const [, kind, value] of marks.matchAll(/([.#])([\w-]+)/g)) {
    if (kind === ".") element.classList.add(value);
    else element.id = value;
  }
  const first = rest[0];
  const hasAttributes = first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
  if (hasAttributes) setAll(element, first);
  append(element, hasAttributes ? rest.slice(1) : rest);
  return element;
}

export function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.classList.add(...String(value).split(/\s+/).filter(Boolean));
    else if (name === "style") Object.assign(element.style, value); // an object: the policy allows no style attributes
    else if (name === "href") setLink(element, String(value));
    else if (name === "value" && "value" in element) element.value = value;
    else if (name === "checked" || name === "disabled" || name === "selected") element[name] = Boolean(value);
    else element.setAttribute(name, value === true ? "" : value);
  }
}

// Links of ours, and http(s); anything else, such as javascript:, is left out.
function setLink(element, value) {
  if (/^(\/(?!\/)|#|\?)/.test(value)) element.setAttribute("href", value);
  else if (/^https?:\/\//i.test(value)) {
    element.setAttribute("href", value);
    element.setAttribute("rel", "noopener noreferrer");
    element.setAttribute("target", "_blank");
  }
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// Put other children in place of those that are there.
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}
