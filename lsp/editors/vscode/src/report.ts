/**
 * The report panel as a page.
 *
 * In: an answer of `mesa/report`. Out: HTML that uses the colours of the editor. Whatever has
 * `data-path` can be explained, whatever has `data-line` opened; the script of the page says so to
 * the extension.
 */

import { at, figures, human, percent } from './figures';
import type { Collective, Figure, Report, ReportAnswer } from './protocol';

/** Results that people look for first, with what they mean. */
const HEADLINES: readonly (readonly [string, string])[] = [
  ['ttft', 'time to first token'],
  ['tpot', 'time per output token'],
  ['latency', 'first to last token'],
  ['throughput.user', 'each user'],
  ['throughput.device', 'each device'],
  ['throughput.system', 'all users'],
  ['step.time', 'one step'],
  ['mfu', 'model FLOP utilization'],
  ['run.time', 'the whole run'],
  ['run.cost', 'price of the run'],
  ['cost.per_million_tokens', 'a million tokens'],
  ['memory.headroom', 'of the memory is free'],
  ['largest_batch', 'largest batch that fits'],
  ['devices', 'in use'],
];

/** Parts of `memory` that are no part of what is used. */
const NOT_USED = new Set(['total', 'capacity', 'headroom', 'fits']);

export function escape(text: string): string {
  const signs: Record<string, string> = {
    '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, sign => signs[sign] ?? sign);
}

/** The whole page. `nonce` lets its own script and style run and no other. */
export function page(answer: ReportAnswer | undefined, nonce: string, note = ''): string {
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Mesa report</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main id="report">${content(answer, note)}</main>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>`;
}

/** What stands inside the page; sent alone when only the figures changed. */
export function content(answer: ReportAnswer | undefined, note = ''): string {
  if (answer === undefined) {
    const text = note === '' ? 'No scenario uses what stands at the cursor.' : note;
    return `<p class="empty">${escape(text)}</p>`;
  }
  const head = `<h1 data-line="${answer.range.start.line}" data-uri="${escape(answer.uri)}">${escape(answer.scenario)}</h1>`;
  const findings = answer.findings.map(
    finding =>
      `<li data-line="${finding.range.start.line}" data-uri="${escape(answer.uri)}">${escape(finding.message.split('\n')[0] ?? '')}</li>`,
  );
  const found = findings.length === 0 ? '' : `<ul class="findings">${findings.join('')}</ul>`;
  if (answer.report === null) {
    return `${head}<p class="empty">There are no figures until this is mended:</p>${found}`;
  }
  const { report, scenario } = answer;
  return [
    head,
    `<p class="subject">${escape(report.model)} on ${escape(report.system)}, plan ${escape(report.plan)}</p>`,
    inputs(report),
    found,
    headlines(report, scenario),
    expectations(answer, report),
    memory(report, scenario),
    phases(report, scenario),
    layers(report, scenario),
    collectives(report),
    all(report, scenario),
  ].join('\n');
}

/** A table; where it is too wide, it alone moves sideways, not the page. */
function table(rows: readonly string[], kind = 'plain'): string {
  return `<div class="scroll"><table class="${kind}">${rows.join('')}</table></div>`;
}

function inputs(report: Report): string {
  const given = figures(report.inputs).map(
    ([path, figure]) => `${escape(path.split('.').at(-1) ?? '')} ${escape(human(figure))}`,
  );
  return given.length === 0 ? '' : `<p class="inputs">${given.join(' · ')}</p>`;
}

function cell(scenario: string, path: string, figure: Figure | undefined): string {
  if (figure === undefined) {
    return '<td></td>';
  }
  const note = figure.note === undefined ? '' : ` title="${escape(figure.note)}"`;
  return `<td class="number" data-path="${escape(`${scenario}.${path}`)}"${note}>${escape(human(figure, path))}</td>`;
}

function headlines(report: Report, scenario: string): string {
  const cards = HEADLINES.flatMap(([path, meaning]) => {
    const figure = at(report.results, path);
    return figure === undefined
      ? []
      : [
          `<div class="card" data-path="${escape(`${scenario}.${path}`)}"><span class="name">${escape(path)}</span>` +
            `<span class="value">${escape(human(figure, path))}</span><span class="meaning">${escape(meaning)}</span></div>`,
        ];
  });
  return `<section class="cards">${cards.join('')}</section>`;
}

function expectations(answer: ReportAnswer, report: Report): string {
  if (report.expectations.length === 0) {
    return '';
  }
  const rows = report.expectations.map(({ text, holds, figure, line }) => {
    const path = text.match(/^[A-Za-z_.0-9]+/)?.[0] ?? '';
    const is = figure === undefined ? '' : `is ${escape(human(figure, path))}`;
    return `<tr data-line="${line - 1}" data-uri="${escape(answer.uri)}"><td class="${holds ? 'holds' : 'fails'}">${holds ? '✓' : '✗'}</td><td>${escape(text)}</td><td class="number">${is}</td></tr>`;
  });
  return `<h2>Expected</h2>${table(rows)}`;
}

function memory(report: Report, scenario: string): string {
  const tree = report.results['memory'];
  const capacity = at(tree, 'capacity')?.value;
  const total = at(tree, 'total');
  if (typeof tree !== 'object' || tree === null || typeof capacity !== 'number' || capacity <= 0) {
    return '';
  }
  const rows = figures(tree)
    .filter(([path]) => !NOT_USED.has(path.split('.')[0] ?? ''))
    .map(([path, figure]) => {
      const share = typeof figure.value === 'number' ? figure.value / capacity : 0;
      const width = Math.min(100, Math.max(0, share * 100)).toFixed(1);
      return (
        `<tr><td>${escape(path)}</td>${cell(scenario, `memory.${path}`, figure)}` +
        `<td class="number">${escape(percent(share))}</td>` +
        `<td class="bar"><svg width="100%" height="8" role="img" aria-label="${width} percent"><rect width="${width}%" height="8"/></svg></td></tr>`
      );
    });
  const used = total === undefined ? '' : `${human(total)} of `;
  return `<h2>Memory of the fullest device <small>${escape(used + human({ value: capacity, unit: 'B' }))}</small></h2>${table(rows, 'wide')}`;
}

function phases(report: Report, scenario: string): string {
  const columns: readonly (readonly [string, string])[] = [
    ['time', 'time'],
    ['compute_time', 'compute'],
    ['memory_time', 'memory'],
    ['communication.exposed', 'communication'],
    ['overhead', 'overhead'],
    ['bound', 'bound by'],
    ['mfu', 'MFU'],
    ['mbu', 'MBU'],
  ];
  const names = ['prefill', 'decode.first', 'decode.mid', 'decode.last'];
  const rows = names
    .filter(name => at(report.results, `${name}.time`) !== undefined)
    .map(name => {
      const cells = columns.map(([path]) =>
        cell(scenario, `${name}.${path}`, at(report.results, `${name}.${path}`)),
      );
      return `<tr><th>${escape(name)}</th>${cells.join('')}</tr>`;
    });
  if (rows.length === 0) {
    return step(report, scenario);
  }
  const head = columns.map(([, title]) => `<th>${title}</th>`).join('');
  return `<h2>Phases</h2>${table([`<tr><th></th>${head}</tr>`, ...rows], 'wide')}`;
}

/** The parts of a training step. */
function step(report: Report, scenario: string): string {
  const rows = figures(report.results['step'])
    .filter(([path, figure]) => figure.unit === 's' && path !== 'time')
    .map(([path, figure]) => `<tr><td>${escape(path)}</td>${cell(scenario, `step.${path}`, figure)}</tr>`);
  return rows.length === 0 ? '' : `<h2>Step</h2>${table(rows)}`;
}

function layers(report: Report, scenario: string): string {
  const tree = report.results['layers'];
  if (typeof tree !== 'object' || tree === null) {
    return '';
  }
  const names = ['prefill', 'decode.mid', 'forward', 'backward'].filter(name =>
    Object.values(tree).some(layer => at(layer, `${name}.time`) !== undefined),
  );
  // Collectives that are not hidden come on top of the time of the kernels.
  const columns = names.flatMap(name => {
    const exposed = `${name}.communication.exposed`;
    const has = Object.values(tree).some(layer => at(layer, exposed) !== undefined);
    const time = [`${name}.time`, name] as const;
    return has ? [time, [exposed, '+ comm'] as const] : [time];
  });
  const rows = Object.entries(tree).map(([layer, group]) => {
    const cells = columns.map(([path]) =>
      cell(scenario, `layers.${layer}.${path}`, at(group, path)),
    );
    return `<tr><th>${escape(layer)}</th>${cells.join('')}</tr>`;
  });
  if (names.length === 0 || rows.length === 0) {
    return '';
  }
  const head = columns.map(([, title]) => `<th>${escape(title)}</th>`).join('');
  return `<details open><summary>Time by layer</summary>${table([`<tr><th></th>${head}</tr>`, ...rows], 'wide')}</details>`;
}

function collectives(report: Report): string {
  const list = report.results.collectives ?? [];
  if (list.length === 0) {
    return '';
  }
  const row = (one: Collective) =>
    `<tr><td>${escape(one.phase)}</td><td class="number">${escape(human(one.count))} ×</td><td>${escape(one.kind)}</td>` +
    `<td>${escape(one.tensor)}</td><td>${escape(one.axis)} ${escape(human(one.size))}</td>` +
    `<td class="number">${escape(human(one.message))}</td><td>${escape(one.link)} ${escape(one.algorithm.replaceAll('_', '-'))}</td>` +
    `<td class="number">${escape(human(one.total))}</td></tr>`;
  const head = ['phase', '', '', 'tensor', 'over', 'message', 'link, algorithm', 'time']
    .map(title => `<th>${title}</th>`)
    .join('');
  return `<details><summary>Collectives</summary>${table([`<tr>${head}</tr>`, ...list.map(row)], 'wide')}</details>`;
}

function all(report: Report, scenario: string): string {
  const rows = figures(report.results).map(
    ([path, figure]) => `<tr><td>${escape(path)}</td>${cell(scenario, path, figure)}</tr>`,
  );
  return `<details><summary>Every result</summary>${table(rows, 'paths')}</details>`;
}

const STYLE = `
body { font-family: var(--vscode-font-family); font-size: var(--vscode-font-size);
  color: var(--vscode-foreground); padding: 0 1em 2em; }
h1 { font-size: 1.5em; margin: .6em 0 .1em; }
h2, summary { font-size: 1em; font-weight: 600; margin: 1.4em 0 .4em; }
summary { cursor: pointer; }
small, .meaning, .inputs, .subject, .name { color: var(--vscode-descriptionForeground); font-weight: normal; }
.inputs, .subject { margin: .2em 0; }
.cards { display: flex; flex-wrap: wrap; gap: .5em; margin-top: 1em; }
.card { display: flex; flex-direction: column; min-width: 8.5em; padding: .5em .8em; border-radius: 4px;
  border: 1px solid var(--vscode-widget-border, transparent);
  background: var(--vscode-editorWidget-background); }
.value { font-size: 1.35em; margin: .1em 0; }
.meaning, .name { font-size: .9em; }
table { border-collapse: collapse; }
table.wide { width: 100%; }
.scroll { overflow-x: auto; }
.paths td:first-child { white-space: normal; overflow-wrap: anywhere; }
.scroll th:first-child { position: sticky; left: 0; background: var(--vscode-editor-background); }
td, th { padding: .15em .8em .15em 0; text-align: left; font-weight: normal; white-space: nowrap; }
tr > th:not(:first-child), .number { text-align: right; font-variant-numeric: tabular-nums; }
th { color: var(--vscode-descriptionForeground); }
.bar { width: 40%; padding-right: 0; }
rect { fill: var(--vscode-charts-blue, var(--vscode-progressBar-background)); }
.holds { color: var(--vscode-testing-iconPassed, green); }
.fails, .findings { color: var(--vscode-errorForeground); }
[data-path], [data-line] { cursor: pointer; }
[data-path]:hover, [data-line]:hover { text-decoration: underline; }
.empty { color: var(--vscode-descriptionForeground); margin-top: 2em; }
`;

// Keeps what is unfolded and where the page is scrolled when the figures change.
const SCRIPT = `
const vscode = acquireVsCodeApi();
const report = document.getElementById('report');
window.addEventListener('message', ({ data }) => {
  if (data.kind !== 'content') return;
  const open = [...report.querySelectorAll('details')].map(d => [d.querySelector('summary').textContent, d.open]);
  const top = window.scrollY;
  report.innerHTML = data.html;
  for (const details of report.querySelectorAll('details')) {
    const before = open.find(([title]) => title === details.querySelector('summary').textContent);
    if (before) details.open = before[1];
  }
  window.scrollTo(0, top);
});
document.addEventListener('click', ({ target }) => {
  const at = target.closest('[data-path], [data-line]');
  if (!at) return;
  if (at.dataset.path) vscode.postMessage({ kind: 'explain', path: at.dataset.path });
  else vscode.postMessage({ kind: 'open', uri: at.dataset.uri, line: Number(at.dataset.line) });
});
`;
