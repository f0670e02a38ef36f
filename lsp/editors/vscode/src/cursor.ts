/**
 * Which result the cursor stands on.
 *
 * In: a line and a column, and the scenario around it. Out: a path for `mesa/explain`.
 */

/** The dotted name at a column, such as `memory.headroom`; only up to the part that is pointed at. */
export function pathAt(text: string, column: number): string | undefined {
  for (const match of text.matchAll(/[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/g)) {
    const start = match.index;
    const path = match[0];
    if (start <= column && column <= start + path.length) {
      const rest = path.slice(column - start).search(/\.|$/);
      return path.slice(0, column - start + rest);
    }
  }
  return undefined;
}

/** The result that is meant: with the scenario before it, if it is not there yet. */
export function resultPath(word: string | undefined, scenario: string): string | undefined {
  if (word === undefined || word === scenario) {
    return undefined;
  }
  return word.startsWith(`${scenario}.`) ? word : `${scenario}.${word}`;
}
