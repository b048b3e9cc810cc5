/**
 * The trade-off of policies as an SVG: cold starts against the memory that they cost. Down and to the left is better. One file without script or
 * reference, in the reader's light or dark; the same results give the same bytes.
 */
import { alongLine, placeLabels } from './labels.ts';
import type { Box } from './labels.ts';
import { linearScale, logScale } from './scale.ts';
import type { Scale } from './scale.ts';
import { MARKS, STYLE } from './style.ts';

export type TradeOffPoint = {
  /** What was turned: `10 min`, a price. */
  readonly label: string;
  /** 1: as much as keeping every instance for 10 minutes. */
  readonly relativeMemory: number;
  readonly coldStarts: number;
};
/** Points in the order in which they are joined. */
export type TradeOffCurve = { readonly name: string; readonly points: readonly TradeOffPoint[] };
export type TradeOff = { readonly title: string; readonly subtitle: string; readonly curves: readonly TradeOffCurve[] };

const WIDTH = 860;
const HEIGHT = 520;
const PLOT: Box = { x: 78, y: 82, width: 748, height: 366 };
const LEGEND = { width: 150, line: 22 } as const;
/** From there on small counts would lie on the axis. */
const LOG_FROM_RATIO = 12;

export function tradeOffSvg({ title, subtitle, curves }: TradeOff): string {
  const points = curves.flatMap((curve) => curve.points);
  const x = linearScale(Math.max(...points.map((point) => point.relativeMemory), 1), 8);
  const counts = points.map((point) => point.coldStarts);
  const [least, most] = [Math.min(...counts), Math.max(...counts, 1)];
  const y = least > 0 && most / least >= LOG_FROM_RATIO ? logScale(least, most) : linearScale(most, 6);
  const at = (point: TradeOffPoint) => ({
    x: PLOT.x + x.place(point.relativeMemory) * PLOT.width,
    y: PLOT.y + (1 - y.place(point.coldStarts)) * PLOT.height,
  });
  const legend: Box = {
    x: PLOT.x + PLOT.width - LEGEND.width,
    y: PLOT.y + 6,
    width: LEGEND.width,
    height: curves.length * LEGEND.line + 10,
  };
  const labels = placeLabels(
    points.map((point) => ({ ...at(point), text: point.label })),
    { x: PLOT.x, y: PLOT.y - 10, width: PLOT.width + 30, height: PLOT.height + 10 },
    [legend, ...curves.flatMap((curve) => alongLine(curve.points.map(at)))],
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title about">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="about">${escaped(`${subtitle}. Cold starts against memory, for ${curves.map(({ name }) => name).join(', ')}.`)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="title" x="24" y="34">${escaped(title)}</text>`,
    `<text class="quiet" x="24" y="56">${escaped(subtitle)}</text>`,
    ...axes(x, y),
    ...curves.flatMap((curve, index) => drawn(curve, index, at)),
    ...labels.map(
      (label) => `<text class="label" x="${n(label.x)}" y="${n(label.y)}" text-anchor="${label.anchor}">${escaped(label.text)}</text>`,
    ),
    ...legendOf(curves, legend),
    '</svg>',
    '',
  ].join('\n');
}

function axes(x: Scale, y: Scale): string[] {
  const bottom = PLOT.y + PLOT.height;
  const right = PLOT.x + PLOT.width;
  const across = y.ticks.flatMap((tick) => {
    const at = n(bottom - y.place(tick) * PLOT.height);
    return [
      `<line class="grid" x1="${PLOT.x}" y1="${at}" x2="${right}" y2="${at}"/>`,
      `<text class="tick" x="${PLOT.x - 10}" y="${at}" dy="4" text-anchor="end">${grouped(tick)}</text>`,
    ];
  });
  const down = x.ticks.map((tick) => {
    const at = n(PLOT.x + x.place(tick) * PLOT.width);
    return `<text class="tick" x="${at}" y="${bottom + 20}" text-anchor="middle">${tick}</text>`;
  });
  const one = n(PLOT.x + x.place(1) * PLOT.width);
  return [
    ...across,
    ...down,
    `<line class="one" x1="${one}" y1="${PLOT.y}" x2="${one}" y2="${bottom}"/>`,
    `<line class="axis" x1="${PLOT.x}" y1="${bottom}" x2="${right}" y2="${bottom}"/>`,
    `<text class="quiet" x="${PLOT.x + PLOT.width / 2}" y="${HEIGHT - 22}" text-anchor="middle">memory held over time; 1: every instance for 10 minutes after its last call</text>`,
    `<text class="quiet" transform="translate(20 ${PLOT.y + PLOT.height / 2}) rotate(-90)" text-anchor="middle">cold starts</text>`,
  ];
}

type Place = (point: TradeOffPoint) => { readonly x: number; readonly y: number };

function drawn({ name, points }: TradeOffCurve, index: number, at: Place): string[] {
  const line = points.map((point) => `${n(at(point).x)},${n(at(point).y)}`).join(' ');
  return [
    `<g class="c${index % MARKS.length}">`,
    ...(points.length > 1 ? [`<polyline points="${line}"/>`] : []),
    ...points.map((point) => {
      const told = `${name} ${point.label}`.trim();
      const { x, y } = at(point);
      return `<path transform="translate(${n(x)} ${n(y)})" d="${MARKS[index % MARKS.length]}"><title>${escaped(told)}: ${grouped(point.coldStarts)} cold starts, memory ${point.relativeMemory.toFixed(2)}</title></path>`;
    }),
    '</g>',
  ];
}

function legendOf(curves: readonly TradeOffCurve[], box: Box): string[] {
  return [
    `<rect class="legend" x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="6"/>`,
    ...curves.map(({ name, points }, index) => {
      const y = box.y + 5 + LEGEND.line * (index + 0.5);
      const line = points.length > 1 ? `<polyline points="${box.x + 12},${y} ${box.x + 40},${y}"/>` : '';
      return `<g class="c${index % MARKS.length}">${line}<path transform="translate(${box.x + 26} ${y})" d="${MARKS[index % MARKS.length]}"/><text class="name" x="${box.x + 50}" y="${y + 4}">${escaped(name)}</text></g>`;
    }),
  ];
}

/** A hundredth of a unit is finer than any screen. */
const n = (value: number): string => String(Math.round(value * 100) / 100);

/** 12345.6 as `12,346`; below 10 with its fraction. */
const grouped = (value: number): string =>
  value < 10
    ? String(value)
    : Math.round(value)
        .toString()
        .replaceAll(/\B(?=(\d{3})+$)/g, ',');

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[^\t\n\u0020-\ud7ff\ue000-\ufffd]/g, '\ufffd');
