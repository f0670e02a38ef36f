/** What `mesa-lsp` answers beside the language server protocol; `docs/lsp.md` describes it. */

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

/** A figure of a report: a number in base units, a condition, a word, or nothing. */
export interface Figure {
  value: number | boolean | string | null;
  unit: string;
  note?: string;
}

/** A tree of figures. A figure may hold others. */
export type Group = { [name: string]: Group | Figure | unknown };

export interface Collective {
  phase: string;
  kind: string;
  axis: string;
  tensor: string;
  size: Figure;
  count: Figure;
  message: Figure;
  link: string;
  algorithm: string;
  total: Figure;
}

export interface Expectation {
  text: string;
  holds: boolean;
  figure?: Figure;
  line: number;
}

/** One scenario of `mesa eval --format json`; `docs/report.schema.json` describes it. */
export interface Report {
  model: string;
  system: string;
  plan: string;
  inputs: Group;
  results: Group & { collectives?: Collective[] };
  expectations: Expectation[];
}

export interface Finding {
  message: string;
  severity?: number;
  range: Range;
  code?: string | number;
}

/** The answer of `mesa/report`. */
export interface ReportAnswer {
  uri: string;
  version: number | null;
  scenario: string;
  range: Range;
  report: Report | null;
  text: string;
  findings: Finding[];
}

/** An answer of `mesa/scenarios`. */
export interface ScenarioPlace {
  name: string;
  kind: string;
  range: Range;
  selectionRange: Range;
}

/** A step of the answer of `mesa/explain`. */
export interface Step {
  name: string;
  alias?: string;
  value: number | null;
  unit: string;
  human: string;
  formula?: string;
  kind: string;
  uri?: string;
  line?: number;
  share?: number;
  taken?: boolean;
  range?: string;
  because?: string;
  source?: string;
  above?: boolean;
  more?: number;
  steps?: Step[];
}

/** An answer of `mesa/choices`. */
export interface Choice {
  path: string;
  title: string;
  current: string;
  values: string[];
}
