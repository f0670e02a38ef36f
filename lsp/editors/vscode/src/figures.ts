/**
 * Figures for people.
 *
 * In: a number in base units. Out: a short text such as `8.87 ms`, as reports of the command line
 * write it.
 */

import type { Figure } from './protocol';

const PREFIXES: readonly (readonly [number, string])[] = [
  [1e18, 'E'], [1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, ''],
  [1e-3, 'm'], [1e-6, 'µ'], [1e-9, 'n'],
];

/** Units that take a prefix; tokens and dollars are only grouped. */
const SCALED = new Set(['s', 'B', 'FLOP', 'J', 'W', 'B/s', 'FLOP/s']);

/** Results that are shares of one although their unit says nothing. */
const SHARES = /(^|[._])(headroom|mfu|mfu_causal|mbu|hfu|share|bubble_share|bubble_overhead|utilization|error)$/;

export function isFigure(value: unknown): value is Figure {
  return typeof value === 'object' && value !== null && 'value' in value && 'unit' in value;
}

/** Four digits at most, thousands grouped, no trailing zeros. */
export function digits(value: number): string {
  if (value === 0) {
    return '0';
  }
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) {
    return value.toLocaleString('en-US');
  }
  if (size >= 1e15 || size < 1e-4) {
    return value.toExponential(3);
  }
  const places = Math.max(0, 3 - Math.floor(Math.log10(size)));
  return value.toLocaleString('en-US', { maximumFractionDigits: places });
}

/** A figure; `name` is the last part of its path, which tells shares of one from numbers. */
export function human(figure: Figure, name = ''): string {
  const { value, unit } = figure;
  if (value === null) {
    return '–';
  }
  if (typeof value !== 'number') {
    return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value;
  }
  if (!Number.isFinite(value)) {
    return '–';
  }
  if (unit === '' && SHARES.test(name)) {
    return percent(value);
  }
  if (unit === 's' && Math.abs(value) >= 120) {
    return duration(value);
  }
  if (SCALED.has(unit) && value !== 0) {
    const size = Math.abs(value);
    const [scale, prefix] =
      PREFIXES.find(([scale]) => size >= scale && (unit !== 'B' || scale >= 1)) ?? [1, ''];
    return `${digits(Number((value / scale).toPrecision(4)))} ${prefix}${unit}`;
  }
  const shown = digits(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  return unit === '' ? shown : `${shown} ${unit === 'device' && value !== 1 ? 'devices' : unit}`;
}

/** `0.683` is `68.3%`. */
export function percent(value: number): string {
  const shown = value * 100;
  const rounded = Number(shown.toPrecision(Math.abs(shown) >= 100 ? 4 : 3));
  return shown > 0 && shown < 0.01 ? '<0.01%' : `${Number(rounded.toFixed(2))}%`;
}

/** Two minutes and more. */
function duration(seconds: number): string {
  for (const [unit, length] of [['d', 86_400], ['h', 3_600], ['min', 60]] as const) {
    if (Math.abs(seconds) >= 2 * length) {
      return `${digits(Number((seconds / length).toPrecision(4)))} ${unit}`;
    }
  }
  return `${digits(seconds)} s`;
}

/** The figure at a dotted path. */
export function at(tree: unknown, path: string): Figure | undefined {
  let here: unknown = tree;
  for (const part of path.split('.')) {
    if (typeof here !== 'object' || here === null || !(part in here)) {
      return undefined;
    }
    here = (here as Record<string, unknown>)[part];
  }
  return isFigure(here) ? here : undefined;
}

/** Every figure of a tree with its path, in order. */
export function figures(tree: unknown, prefix = ''): [string, Figure][] {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) {
    return [];
  }
  const out: [string, Figure][] = isFigure(tree) && prefix !== '' ? [[prefix, tree]] : [];
  for (const [name, value] of Object.entries(tree)) {
    if (typeof value === 'object' && value !== null) {
      out.push(...figures(value, prefix === '' ? name : `${prefix}.${name}`));
    }
  }
  return out;
}
