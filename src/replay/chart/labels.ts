export type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
export type Label = { readonly x: number; readonly y: number; readonly anchor: 'start' | 'end'; readonly text: string };

const HEIGHT = 12;
/** What a character takes on average; text is not measured, so that the same data give the same bytes everywhere. */
const CHARACTER = 6;
const OFF = 8;

/** Puts each text beside its point, where it lies over nothing that is there already; one for which there is no room is left out. */
export function placeLabels(
  points: readonly { readonly x: number; readonly y: number; readonly text: string }[],
  within: Box,
  taken: readonly Box[],
): Label[] {
  const boxes = [...taken, ...points.map(({ x, y }) => ({ x: x - 5, y: y - 5, width: 10, height: 10 }))];
  const labels: Label[] = [];
  for (const { x, y, text } of points) {
    if (text === '') continue;
    const width = text.length * CHARACTER;
    const places: readonly (readonly [Label['anchor'], number, number])[] = [
      ['start', OFF, -OFF / 2],
      ['end', -OFF, OFF + HEIGHT / 2],
      ['start', OFF, OFF + HEIGHT / 2],
      ['end', -OFF, -OFF / 2],
    ];
    for (const [anchor, dx, dy] of places) {
      const box = { x: anchor === 'start' ? x + dx : x + dx - width, y: y + dy - HEIGHT + 2, width, height: HEIGHT };
      if (!inside(box, within) || boxes.some((other) => overlap(box, other))) continue;
      boxes.push(box);
      labels.push({ x: x + dx, y: y + dy, anchor, text });
      break;
    }
  }
  return labels;
}

/** What a line through the points covers, as small boxes. */
export function alongLine(points: readonly { readonly x: number; readonly y: number }[]): Box[] {
  return points.slice(1).flatMap((to, index) => {
    const from = points[index]!;
    const steps = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / (2 * LINE_HALF));
    return Array.from({ length: steps + 1 }, (_, step) => ({
      x: from.x + ((to.x - from.x) * step) / Math.max(1, steps) - LINE_HALF,
      y: from.y + ((to.y - from.y) * step) / Math.max(1, steps) - LINE_HALF,
      width: 2 * LINE_HALF,
      height: 2 * LINE_HALF,
    }));
  });
}

const LINE_HALF = 1.5;

const inside = (box: Box, all: Box): boolean =>
  box.x >= all.x && box.y >= all.y && box.x + box.width <= all.x + all.width && box.y + box.height <= all.y + all.height;

const overlap = (one: Box, other: Box): boolean =>
  one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;
