// Large graphs in short: tasks whose names differ only in a number at the end become one node with counts.

const WIDTH = 190;
const HEIGHT = 46;
const GAP = 24;
const LAYER = 70;
const LEAST_SAVING = 2; // fewer than half as many nodes, or it is not worth it

// The layout of groups of the tasks of a layout, each node with its members; null if it saves little or has a cycle.
export function grouped(layout) {
  const groups = new Map();
  const groupOf = new Map();
  for (const node of layout.nodes) {
    const prefix = prefixOf(node);
    if (!groups.has(prefix)) groups.set(prefix, { slug: `group:${prefix}`, name: prefix, members: [], up: new Set(), down: new Set() });
    groups.get(prefix).members.push(node.slug);
    groupOf.set(node.task_id, groups.get(prefix)).set(node.slug, groups.get(prefix));
  }
  if (groups.size * LEAST_SAVING > layout.nodes.length) return null;
  for (const edge of layout.edges) {
    const [from, to] = [groupOf.get(edge.from), groupOf.get(edge.to)];
    if (!from || !to || from === to) continue;
    from.down.add(to);
    to.up.add(from);
  }
  const layers = layersOf([...groups.values()]);
  return layers && { ...placed(layers), groupOf: (slug) => groupOf.get(slug)?.slug };
}

// "load 12" and "load 13" belong together, and so do runs of one function, "load-1" and "load-2".
function prefixOf(node) {
  const name = (node.name ?? node.slug).replace(/[\s_.:#[(-]*\d+[\])]*$/, "");
  return name || node.name || node.slug;
}

// Groups in layers, each behind all that it depends on; null if they go round in a circle.
function layersOf(groups) {
  const missing = new Map(groups.map((one) => [one, one.up.size]));
  const layers = [];
  let ready = groups.filter((one) => !one.up.size);
  let count = 0;
  while (ready.length) {
    layers.push(ready);
    count += ready.length;
    const next = [];
    for (const one of ready) {
      for (const below of one.down) {
        missing.set(below, missing.get(below) - 1);
        if (!missing.get(below)) next.push(below);
      }
    }
    ready = next;
  }
  return count === groups.length ? layers : null;
}

function placed(layers) {
  const widest = Math.max(...layers.map((layer) => layer.length));
  const width = widest * (WIDTH + GAP) - GAP;
  const nodes = layers.flatMap((layer, row) => layer.map((one, place) => ({
    task_id: one.slug, slug: one.slug, name: one.name, members: one.members, width: WIDTH, height: HEIGHT, mapped: false, auto_generated: false,
    x: (width - layer.length * (WIDTH + GAP) + GAP) / 2 + place * (WIDTH + GAP), y: row * (HEIGHT + LAYER),
  })));
  const at = new Map(nodes.map((node) => [node.slug, node]));
  const edges = layers.flat().flatMap((one) => [...one.down].map((below) => {
    const [from, to] = [at.get(one.slug), at.get(below.slug)];
    return { from: from.slug, to: to.slug, points: [[from.x + WIDTH / 2, from.y + HEIGHT], [to.x + WIDTH / 2, to.y]] };
  }));
  return { width, height: layers.length * (HEIGHT + LAYER) - LAYER, nodes, edges };
}
