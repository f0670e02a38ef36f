import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pathAt, resultPath } from '../src/cursor';
import { human } from '../src/figures';
import { Latest } from '../src/latest';
import { findServer, type Surroundings } from '../src/server';

test('figures read as on the command line', () => {
  const shown = (value: number | string | boolean | null, unit: string, name = '') =>
    human({ value, unit }, name);
  assert.equal(shown(0.012535142734810793, 's'), '12.54 ms');
  assert.equal(shown(2.496564371312752, 's'), '2.497 s');
  assert.equal(shown(331.1e-9, 's'), '331.1 ns');
  assert.equal(shown(37424909, 's'), '433.2 d');
  assert.equal(shown(17640734720, 'B'), '17.64 GB');
  assert.equal(shown(989.4e12, 'FLOP/s'), '989.4 TFLOP/s');
  assert.equal(shown(79.77571705050825, 'tok/s'), '79.78 tok/s');
  assert.equal(shown(2552.822945616264, 'tok/s'), '2,553 tok/s');
  assert.equal(shown(0.6830275949805674, '', 'memory.headroom'), '68.3%');
  assert.equal(shown(0.000789, '', 'share'), '0.08%');
  assert.equal(shown(8, 'device'), '8 devices');
  assert.equal(shown(70553706496, ''), '70,553,706,496');
  assert.equal(shown(0, 's'), '0 s');
  assert.equal(shown(997997.58, 'USD'), '998,000 USD');
  assert.equal(shown('memory', ''), 'memory');
  assert.equal(shown(true, ''), 'yes');
  assert.equal(shown(null, 's'), '–');
});

test('the result under the cursor', () => {
  const line = '  expect memory.headroom > 10%';
  assert.equal(pathAt(line, line.indexOf('headroom')), 'memory.headroom');
  assert.equal(pathAt(line, line.indexOf('memory') + 2), 'memory');
  assert.equal(pathAt(line, line.indexOf('>')), undefined);
  assert.equal(resultPath('memory.headroom', 'chat'), 'chat.memory.headroom');
  assert.equal(resultPath('chat.tpot', 'chat'), 'chat.tpot');
  assert.equal(resultPath('chat', 'chat'), undefined);
});

const around = (more: Partial<Surroundings>, ...programs: string[]): Surroundings => ({
  setting: '',
  workspace: '/work',
  home: '/home/ada',
  env: { PATH: '/usr/bin:/opt/bin' },
  windows: false,
  exists: file => programs.includes(file),
  ...more,
});

test('the server comes from the setting, the PATH, or cargo', () => {
  const cargo = '/home/ada/.cargo/bin/mesa-lsp';
  assert.deepEqual(findServer(around({}, '/opt/bin/mesa-lsp', cargo)), { program: '/opt/bin/mesa-lsp' });
  assert.deepEqual(findServer(around({}, cargo)), { program: cargo });
  assert.deepEqual(findServer(around({ setting: '~/bin/lsp' }, '/home/ada/bin/lsp')), {
    program: '/home/ada/bin/lsp',
  });
  assert.deepEqual(findServer(around({ setting: '${workspaceFolder}/target/lsp' }, '/work/target/lsp')), {
    program: '/work/target/lsp',
  });
});

test('a missing server is said with what to do', () => {
  const nowhere = findServer(around({}));
  assert.ok('missing' in nowhere && /cargo install --path lsp/.test(nowhere.missing));
  const wrong = findServer(around({ setting: '/nowhere/lsp' }, '/opt/bin/mesa-lsp'));
  assert.ok('missing' in wrong && wrong.missing.includes('/nowhere/lsp'), 'a wrong setting is not passed over');
});

test('only the newest question is answered', async () => {
  const asked: number[] = [];
  const shown: number[] = [];
  const waiting: (() => void)[] = [];
  const latest = new Latest<number, number>(
    question => {
      asked.push(question);
      return new Promise(done => waiting.push(() => done(question)));
    },
    answer => shown.push(answer),
    error => assert.fail(String(error)),
  );
  latest.put(1);
  latest.put(2);
  latest.put(3);
  while (waiting.length > 0) {
    waiting.shift()?.();
    await new Promise(setImmediate);
  }
  assert.deepEqual([asked, shown], [[1, 3], [3]]);
});
