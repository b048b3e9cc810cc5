/**
 * What a function is promised when there is not enough for all, and what a machine must have to run it, as it is written in a tag of the
 * function: words with spaces between them, such as `class=spot gpu compliance=pci`.
 */
import { HearthError, LIMITS } from '../kernel/mod.ts';

/** `reserved` is refused and evicted last, `spot` first; `standard`, which every function is that says nothing else, comes between. */
export const CAPACITY_CLASSES = ['reserved', 'standard', 'spot'] as const;
export type CapacityClass = (typeof CAPACITY_CLASSES)[number];

/** `labels`: what a machine must have for it to run there, such as `gpu` or `compliance=pci`. One machine alone looks at none. */
export type Capacity = { readonly class: CapacityClass; readonly labels: readonly string[] };

export const CAPACITY_TAG = 'hearth:capacity';
export const DEFAULT_CAPACITY: Capacity = { class: 'standard', labels: [] };

const LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9._/-]{0,62})(?:=[a-zA-Z0-9._/-]{1,63})?$/;

/** Undefined: nothing is written. Throws HearthError `InvalidParameterValueException`. */
export function parseCapacity(text: string | undefined): Capacity {
  if (text === undefined) return DEFAULT_CAPACITY;
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) throw wrong('is empty. Remove it for the default, class=standard');
  const classes = words.filter((word) => word.startsWith('class='));
  if (classes.length > 1) throw wrong('has class twice');
  const labels = words.filter((word) => !word.startsWith('class='));
  for (const label of labels) checkLabel(labels, label);
  if (labels.length > LIMITS.capacityLabels) throw wrong(`has ${labels.length} labels; ${LIMITS.capacityLabels} is the most`);
  return { class: classOf(classes[0]?.slice('class='.length) ?? DEFAULT_CAPACITY.class), labels };
}

function classOf(text: string): CapacityClass {
  const found = CAPACITY_CLASSES.find((each) => each === text);
  if (!found) throw wrong(`has class=${text.slice(0, 32)}: the classes are ${CAPACITY_CLASSES.join(', ')}`);
  return found;
}

function checkLabel(labels: readonly string[], label: string): void {
  if (!LABEL.test(label))
    throw wrong(`has '${label.slice(0, 64)}', which is no label. Write NAME or NAME=VALUE: letters, digits and . _ - /`);
  if (CAPACITY_CLASSES.some((each) => each === label))
    throw wrong(`has the label '${label}', which looks like a class. Write class=${label}`);
  const name = nameOf(label);
  if (labels.filter((each) => nameOf(each) === name).length > 1) throw wrong(`has the label ${name} twice`);
}

const nameOf = (label: string): string => label.split('=')[0]!;

/** As `parseCapacity` reads it. */
export const capacityText = ({ class: name, labels }: Capacity): string => [`class=${name}`, ...labels].join(' ');

function wrong(what: string): HearthError {
  return new HearthError('InvalidParameterValueException', `The tag ${CAPACITY_TAG} ${what}.`);
}
