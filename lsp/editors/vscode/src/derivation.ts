/**
 * Steps of a derivation as lines of a tree.
 *
 * In: a step of `mesa/explain`. Out: what its line says, without anything of the editor.
 */

import { percent } from './figures';
import type { Step } from './protocol';

export interface Line {
  label: string;
  description: string;
  /** Markdown. */
  tooltip: string;
  /** A codicon. */
  icon: string;
  place: { uri: string; line: number } | undefined;
}

const ICONS: Readonly<Record<string, string>> = {
  spec: 'edit',
  default: 'circle-outline',
  override: 'replace',
  assumption: 'question',
  datasheet: 'book',
  imported: 'cloud-download',
  inferred: 'lightbulb',
  formula: 'symbol-operator',
};

/** Kinds that need no word of their own. */
const PLAIN = new Set(['formula', 'spec']);

export function line(step: Step): Line {
  const notes = [
    PLAIN.has(step.kind) ? '' : step.kind,
    step.share === undefined ? '' : percent(step.share),
    step.taken === true ? 'decides' : '',
    step.above === true ? 'shown above' : '',
  ].filter(note => note !== '');
  const place =
    step.uri === undefined ? undefined : { uri: step.uri, line: step.line ?? 0 };
  return {
    label: `${step.name} = ${step.human}`,
    description: notes.join(' · '),
    tooltip: tooltip(step),
    icon: ICONS[step.kind] ?? 'circle-outline',
    place,
  };
}

function tooltip(step: Step): string {
  const parts = [
    step.formula === undefined ? '' : '```mesa\n' + step.formula + '\n```',
    step.alias === undefined ? '' : `stands as \`${step.alias}\``,
    step.range === undefined ? '' : `between ${step.range}`,
    step.because ?? '',
    step.source === undefined ? '' : `source: ${step.source}`,
    step.more === undefined || step.more === 0 ? '' : `${step.more} more steps are left out`,
  ];
  return parts.filter(part => part !== '').join('\n\n');
}

export function children(step: Step): readonly Step[] {
  return step.steps ?? [];
}
