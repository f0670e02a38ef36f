import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ReportPanel, type Wanted } from '../src/panel';
import { content, page } from '../src/report';
import { chat } from './answers';
import { panels } from './vscode';

/** What a person reads: the texts of a page, cell by cell. */
function read(html: string): string {
  return html
    .replace(/<\/(td|th|span|p|h1|h2|summary|li)>/g, ' | ')
    .replace(/<\/(tr|div)>/g, '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/[ |]*\n[ |\n]*/g, '\n');
}

test('the report shows figures, memory, phases, expectations and collectives', () => {
  const shown = read(content(chat));
  for (const line of [
    'Llama3_70B on DGX_H100, plan Tp(tp: 8)',
    'batch 32 · prompt 2,048 · weights bf16',
    'ttft | 2.497 s | time to first token',
    'memory.headroom | 68.3% | of the memory is free',
    '✓ | ttft &lt; 4 s | is 2.497 s',
    '✗ | memory.headroom &gt; 70% | is 68.3%',
    'Memory of the fullest device 26.96 GB of 85.04 GB',
    'weights | 17.64 GB | 20.7%',
    'prefill | 2.491 s',
    'compute | 46.4%',
    'attention | 700 ms | 2.8 ms',
    'prefill | 80 × | all-reduce | attention.y | tp 8 | 1.074 GB | NVLink4 in-network | 323.5 ms',
  ]) {
    assert.ok(shown.includes(line), `no "${line}" in\n${shown}`);
  }
});

test('every figure can be explained, every expectation opened', () => {
  const html = content(chat);
  for (const path of ['chat.ttft', 'chat.memory.weights', 'chat.prefill.mfu', 'chat.decode.mid.time']) {
    assert.ok(html.includes(`data-path="${path}"`), path);
  }
  assert.ok(html.includes('data-line="22"'), 'lines count from 0 in the editor');
});

test('a scenario with mistakes shows them', () => {
  const range = { start: { line: 3, character: 0 }, end: { line: 3, character: 4 } };
  const broken = { ...chat, report: null, findings: [{ message: 'no <b>chip</b>\nmore', range }] };
  const html = content(broken);
  assert.ok(html.includes('no &lt;b&gt;chip&lt;/b&gt;</li>'), 'names of files are no HTML');
});

test('the page runs its own script and nothing else', () => {
  const html = page(chat, 'abc');
  assert.match(html, /default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'/);
  assert.doesNotMatch(html, /\son\w+=|\sstyle=|https?:/);
});

test('the panel follows the cursor and what was evaluated', async () => {
  const asked: Wanted[] = [];
  const explained: string[] = [];
  const opened: string[] = [];
  let answer: typeof chat | null = chat;
  const panel = new ReportPanel(
    wanted => {
      asked.push(wanted);
      return Promise.resolve(answer);
    },
    (uri, path) => explained.push(`${uri} ${path}`),
    (uri, line) => opened.push(`${uri} ${line}`),
    text => assert.fail(text),
  );
  const settle = () => new Promise(setImmediate);
  const editor = (line: number) =>
    ({ document: { uri: 'file:///a.mesa' }, selection: { active: { line, character: 0 } } }) as never;

  panel.follow(editor(1));
  panel.evaluated();
  assert.equal(asked.length, 0, 'no panel, no question');

  panel.reveal({ uri: 'file:///a.mesa', scenario: 'chat' });
  await settle();
  const web = panels.at(-1);
  assert.ok(web);
  assert.equal(web.title, 'Report: chat');
  assert.match(web.messages.at(-1)?.html ?? '', /Llama3_70B/);

  answer = { ...chat, scenario: 'other' };
  panel.follow(editor(30));
  await settle();
  assert.deepEqual(asked.at(-1), { uri: 'file:///a.mesa', position: { line: 30, character: 0 } });
  assert.equal(web.title, 'Report: other');

  answer = null;
  panel.follow(editor(99));
  await settle();
  assert.equal(web.title, 'Report: other', 'between scenarios the last one stays');

  answer = { ...chat, scenario: 'other' };
  panel.evaluated();
  await settle();
  assert.deepEqual(asked.at(-1), { uri: chat.uri, scenario: 'other' });

  web.click({ kind: 'explain', path: 'other.ttft' });
  web.click({ kind: 'open', uri: 'file:///a.mesa', line: 3 });
  assert.deepEqual([explained, opened], [[`${chat.uri} other.ttft`], ['file:///a.mesa 3']]);

  web.dispose();
  const before = asked.length;
  panel.evaluated();
  assert.equal(asked.length, before, 'a closed panel asks nothing');
});
