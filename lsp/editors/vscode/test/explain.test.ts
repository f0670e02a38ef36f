import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ExplainTree } from '../src/explain';
import type { Step } from '../src/protocol';
import { reserve } from './answers';

test('the tree shows each step with its figure, kind and place', async () => {
  const asked: string[] = [];
  const tree = new ExplainTree((uri, path, depth) => {
    asked.push(`${uri} ${path} ${depth}`);
    return path === 'chat.memory.reserve'
      ? Promise.resolve(reserve)
      : Promise.reject(new Error('`chat` has no result `nothing`'));
  });
  assert.deepEqual(tree.getChildren(), []);
  await assert.rejects(tree.show('file:///a.mesa', 'chat.nothing'), /has no result/);
  assert.deepEqual(tree.getChildren(), []);
  await tree.show('file:///a.mesa', 'chat.memory.reserve');

  const lines: string[] = [];
  const walk = (steps: Step[], depth: number): void => {
    for (const step of steps) {
      const item = tree.getTreeItem(step);
      lines.push(`${'  '.repeat(depth)}${String(item.label)} [${String(item.description)}]`);
      assert.equal(tree.getParent(step) === undefined, depth === 0);
      walk(tree.getChildren(step), depth + 1);
    }
  };
  walk(tree.getChildren(), 0);
  assert.deepEqual(lines, [
    'chat.memory.reserve = 1.933 GB []',
    '  device_reserve = 1.933 GB [assumption · 100%]',
    '  memory_utilization = 1 [assumption · shown above]',
  ]);
  const assumption = tree.getTreeItem(tree.getChildren(tree.getChildren()[0])[0] as Step);
  assert.deepEqual(assumption.command?.arguments, ['mesa-std:/cost/assumptions.mesa', 130]);
  assert.match((assumption.tooltip as { value: string }).value, /0\.3 GiB \.\. 3\.6 GiB[\s\S]*source: vLLM/);

  await tree.all();
  assert.equal(asked.at(-1), 'file:///a.mesa chat.memory.reserve undefined');
});
