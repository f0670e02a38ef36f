import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const source = readFileSync('src/extension.ts', 'utf8');

test('every command of the manifest is registered, and no other', () => {
  const declared = manifest.contributes.commands.map((c: { command: string }) => c.command);
  const registered = [...source.matchAll(/registerCommand\(\s*'([^']+)'/g)].map(match => match[1]);
  assert.deepEqual(declared.toSorted(), registered.toSorted());
});

test('every setting of the manifest is read, and no other', () => {
  const declared = Object.keys(manifest.contributes.configuration.properties);
  const read = [...source.matchAll(/(?:settings\.get(?:<[^>]*>)?\(|hint\()'([^']+)'/g)].map(
    ([text, name]) => (text.startsWith('hint') ? `mesa.hints.${name}` : `mesa.${name}`),
  );
  assert.deepEqual(declared.toSorted(), [...read, 'mesa.trace.server'].toSorted());
});

test('every file that the manifest names exists', () => {
  const text = JSON.stringify(manifest.contributes);
  for (const [, file] of text.matchAll(/"\.\/([^"]+)"/g)) {
    assert.ok(existsSync(file ?? ''), file);
  }
});
