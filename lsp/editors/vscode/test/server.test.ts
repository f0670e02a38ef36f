/** The real server, asked what the extension asks. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';

import { line } from '../src/derivation';
import type { Choice, ReportAnswer, ScenarioPlace, Step } from '../src/protocol';
import { content } from '../src/report';
import { repository } from './colours.test';

const program = process.env['MESA_LSP'] ?? repository('target/debug/mesa-lsp');
const file = repository('examples/chat-70b.mesa');
const uri = pathToFileURL(file).toString();

async function withServer(use: (server: MessageConnection) => Promise<void>): Promise<void> {
  const child: ChildProcess = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  assert.ok(child.stdout && child.stdin);
  const server = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  server.onUnhandledNotification(() => {});
  server.onRequest(() => null);
  server.listen();
  try {
    await server.sendRequest('initialize', {
      processId: process.pid,
      rootUri: pathToFileURL(repository('examples')).toString(),
      capabilities: {},
      initializationOptions: {
        commands: ['mesa.showReport', 'mesa.whatIf'],
        documents: ['mesa-std', 'mesa-help'],
      },
    });
    await server.sendNotification('initialized', {});
    const text = readFileSync(file, 'utf8');
    await server.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'mesa', version: 1, text },
    });
    await use(server);
    await server.sendRequest('shutdown');
    await server.sendNotification('exit');
  } finally {
    server.dispose();
    child.kill();
  }
}

const skip = existsSync(program) ? false : `${program} is not built`;

test('the panel shows what the real server reports', { skip }, async () => {
  await withServer(async server => {
    const scenarios: ScenarioPlace[] = await server.sendRequest('mesa/scenarios', { uri });
    const chat = scenarios.find(({ name }) => name === 'chat');
    assert.ok(chat);
    const answer: ReportAnswer = await server.sendRequest('mesa/report', {
      uri,
      position: chat.selectionRange.start,
    });
    assert.equal(answer.scenario, 'chat');
    const html = content(answer);
    assert.match(html, /Llama3_70B on DGX_H100, plan Tp\(tp: 8\)/);
    assert.match(html, /data-path="chat\.ttft"><span class="name">ttft<\/span><span class="value">[\d.]+ m?s/);
    assert.match(html, /<td>all-reduce<\/td>/);
  });
});

test('the tree explains what the real server derives', { skip }, async () => {
  await withServer(async server => {
    const answer: { derivation: Step } = await server.sendRequest('mesa/explain', {
      uri,
      path: 'chat.memory.reserve',
      depth: 3,
    });
    const { label, place } = line(answer.derivation);
    assert.match(label, /^chat\.memory\.reserve = [\d.]+ GB$/);
    assert.equal(place?.uri, 'mesa-std:/cost/storage.mesa');
    const text: { text: string } = await server.sendRequest('mesa/source', { uri: place?.uri });
    assert.match(text.text.split('\n')[place?.line ?? 0] ?? '', /reserve/);
    assert.ok((answer.derivation.steps ?? []).some(step => step.source !== undefined));
  });
});

test('what if has choices to pick from', { skip }, async () => {
  await withServer(async server => {
    const choices: Choice[] = await server.sendRequest('mesa/choices', { uri, scenario: 'chat' });
    const weights = choices.find(({ path }) => path === 'precision.weights');
    assert.ok(weights?.values.includes('fp8'), JSON.stringify(choices));
  });
});
