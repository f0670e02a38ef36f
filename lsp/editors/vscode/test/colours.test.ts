import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import * as oniguruma from 'vscode-oniguruma';
import * as textmate from 'vscode-textmate';

/** A path in the repository. */
export function repository(file: string): string {
  return path.join(process.cwd(), '../../..', file);
}

async function loadGrammar(): Promise<textmate.IGrammar> {
  const wasm = readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: patterns => new oniguruma.OnigScanner(patterns),
      createOnigString: text => new oniguruma.OnigString(text),
    }),
    loadGrammar: scope => {
      const file = scope === 'source.mesa' ? 'syntaxes/mesa.tmLanguage.json' : undefined;
      return Promise.resolve(
        file === undefined ? null : textmate.parseRawGrammar(readFileSync(file, 'utf8'), file),
      );
    },
  });
  const grammar = await registry.loadGrammar('source.mesa');
  assert.ok(grammar);
  return grammar;
}

const grammar = loadGrammar();

interface Token {
  line: number;
  text: string;
  scopes: string[];
}

async function tokens(text: string): Promise<Token[]> {
  const out: Token[] = [];
  let state = textmate.INITIAL;
  for (const [index, line] of text.split('\n').entries()) {
    const result = (await grammar).tokenizeLine(line, state);
    state = result.ruleStack;
    for (const { startIndex, endIndex, scopes } of result.tokens) {
      const text = line.slice(startIndex, endIndex);
      if (text.trim() !== '') {
        out.push({ line: index + 1, text: text.trim(), scopes });
      }
    }
  }
  return out;
}

const TASTE = `//! A file.
use std.models.{Llama3_70B, Gpt as Old} // names
use "./mine.mesa".{Chip}

/// A plan.
plan Tp(tp: Count = 8) {
  mesh dp = rest, tp across node
  shard heads, ffn over tp within RmsNorm
}

chip Big = H100 with { memory.hbm.capacity = 141 GB, price = 2.5 USD/h } {
  source = "NVIDIA"
  memory host at node via PCIe5 { capacity = 2 TB }
  fuse = 3
  weights within Router = fp32
}

block B(n: Count) {
  weight wq[hidden, heads] from "q_{n + 1}.weight" density 50%
  q[batch, heads] = rope(x * wq, over: seq)
  if n > 3 and not wide {
    output q
  } else {
    output none
  }
  require n % 2 == 0
    else "{n} is \\"odd\\" {{so}}"
}
metric per_joule for serve = throughput.system / power.total
`;

test('colours of a small file', async () => {
  const shown = (await tokens(TASTE))
    .map(({ line, text, scopes }) => {
      const scope = scopes.slice(1).map(scope => scope.replace(/\.mesa$/, ''));
      return `${String(line).padStart(2)} ${text.padEnd(24)} ${scope.join(' ')}`.trimEnd();
    })
    .join('\n');
  const file = 'test/colours.snap';
  if (process.env['MESA_BLESS'] !== undefined || !existsSync(file)) {
    writeFileSync(file, shown + '\n');
  }
  assert.equal(shown + '\n', readFileSync(file, 'utf8'));
});

function* mesaFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(repository(folder), { withFileTypes: true })) {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      yield* mesaFiles(file);
    } else if (entry.name.endsWith('.mesa')) {
      yield file;
    }
  }
}

test('nothing in the library and the examples is without a colour or called wrong', async () => {
  let count = 0;
  for (const file of [...mesaFiles('stdlib'), ...mesaFiles('examples')]) {
    for (const { line, text, scopes } of await tokens(readFileSync(repository(file), 'utf8'))) {
      count += 1;
      const last = scopes.at(-1) ?? '';
      assert.ok(scopes.length > 1 && !last.startsWith('invalid'), `${file}:${line} ${text}`);
    }
  }
  assert.ok(count > 10_000, `${count} tokens`);
});

test('a text that is never closed ends with its line', async () => {
  const [, , , , ...after] = await tokens('chip A {\n  source = "never\n  price = 1 USD/h\n}');
  const price = after.find(({ text }) => text === 'price');
  assert.deepEqual(price?.scopes.slice(1), ['variable.other.property.mesa']);
});
