/** Shapes beside colours: curves are told apart without colours too. Around 0, about 10 units wide. */
export const MARKS = [
  'M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z',
  'M-4 -4h8v8h-8z',
  'M0 -5.5L5 4H-5z',
  'M0 -5.5L5.5 0L0 5.5L-5.5 0z',
  'M0 5.5L5 -4H-5z',
  'M-5 -1.6h3.4v-3.4h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4z',
] as const;

/** Each for light and for dark ground; they differ in lightness as well as in hue. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ['#0b62c4', '#6cb2ff'],
  ['#c2410c', '#ff9d5c'],
  ['#15803d', '#5fd68a'],
  ['#7e22ce', '#cf9bff'],
  ['#a16207', '#f2cc4d'],
  ['#4b5563', '#b6bec9'],
];

const colour = (which: 0 | 1): string =>
  COLOURS.map((pair, index) => `.c${index} polyline{stroke:${pair[which]}}.c${index} path{fill:${pair[which]}}`).join('');

export const STYLE = [
  'text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:13px;fill:#1f2328}',
  '.title{font-size:18px;font-weight:600}.quiet{fill:#59636e}.tick{fill:#59636e;font-size:12px;font-variant-numeric:tabular-nums}.label{fill:#59636e;font-size:11px;stroke:#fff;stroke-width:3;paint-order:stroke}.name{font-weight:500}',
  '.ground{fill:#fff}.grid{stroke:#e6e9ed}.axis{stroke:#8b949e}.one{stroke:#8b949e;stroke-dasharray:3 4}.legend{fill:#fff;stroke:#e6e9ed}',
  'polyline{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}path{stroke:#fff;stroke-width:1.5}',
  colour(0),
  '@media (prefers-color-scheme:dark){',
  'text{fill:#e6edf3}.quiet,.tick,.label{fill:#9da7b3}.ground{fill:#0d1117}.grid{stroke:#21262d}.axis,.one{stroke:#6e7681}.legend{fill:#0d1117;stroke:#30363d}path,.label{stroke:#0d1117}',
  colour(1),
  '}',
].join('');
