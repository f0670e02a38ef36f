// The extension in a real Visual Studio Code: what a person sees in it.
//
// In: `../mesa.vsix` (npm run package), `mesa-lsp` (cargo build -p mesa-lsp), Chromium. Out: a test
// for each thing seen; with `MESA_BLESS=1` the pictures of `docs/editors.md`. Other places can be
// named with CODE_SERVER (the folder of the package), CHROMIUM and MESA_LSP.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import puppeteer from 'puppeteer-core';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.join(here, '../../../..');
const editor = process.env.CODE_SERVER ?? path.join(here, 'node_modules/code-server');
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const server = process.env.MESA_LSP ?? path.join(repository, 'target/debug/mesa-lsp');
const port = 18_300 + (process.pid % 500);

const folder = mkdtempSync(path.join(tmpdir(), 'mesa-vscode-'));
const work = path.join(folder, 'chat');
const data = path.join(folder, 'data');
let child;
let browser;
let page;

const settings = {
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Default Light Modern',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'chat.commandCenter.enabled': false,
  'editor.minimap.enabled': false,
  'mesa.server.path': '/nowhere/mesa-lsp',
};

const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));

/** Until `look` says something true in the page. */
async function until(what, look, ...given) {
  for (let tried = 0; tried < 200; tried++) {
    const seen = await page.evaluate(look, ...given).catch(() => undefined);
    if (seen) {
      return seen;
    }
    await sleep(100);
  }
  await page.screenshot({ path: path.join(folder, 'failed.png') });
  throw new Error(`no ${what}; see ${folder}/failed.png`);
}

async function run(command) {
  await page.keyboard.press('F1');
  await until('palette', () => document.querySelector('.quick-input-widget:not([style*="none"]) input'));
  await page.keyboard.type(command);
  await until(command, wanted => document.querySelector('.quick-input-list')?.innerText.includes(wanted), command);
  await page.keyboard.press('Enter');
  await sleep(500);
}

async function goTo(place) {
  await page.keyboard.down('Control');
  await page.keyboard.press('g');
  await page.keyboard.up('Control');
  await sleep(400);
  await page.keyboard.type(place);
  await page.keyboard.press('Enter');
  await sleep(400);
}

/** The text of the report panel, which stands in a frame of its own. */
async function report(wanted) {
  for (let tried = 0; tried < 200; tried++) {
    for (const frame of page.frames()) {
      const text = await frame.evaluate(() => document.querySelector('#report')?.innerText).catch(() => '');
      if (text?.includes(wanted)) {
        return { frame, text };
      }
    }
    await sleep(100);
  }
  throw new Error(`the report never says ${wanted}`);
}

async function picture(name) {
  if (process.env.MESA_BLESS !== undefined) {
    const pictures = path.join(repository, 'docs/pictures');
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }
}

before(async () => {
  for (const needed of [editor, chromium, server, path.join(here, '../mesa.vsix')]) {
    assert.ok(existsSync(needed), `${needed} is missing`);
  }
  mkdirSync(path.join(work, '.vscode'), { recursive: true });
  writeFileSync(path.join(work, '.vscode/settings.json'), '{}');
  mkdirSync(path.join(data, 'User'), { recursive: true });
  copyFileSync(path.join(repository, 'lsp/tests/editors/chat.mesa'), path.join(work, 'chat.mesa'));
  writeFileSync(path.join(data, 'User/settings.json'), JSON.stringify(settings));
  const places = ['--user-data-dir', data, '--extensions-dir', path.join(folder, 'extensions')];
  const entry = [path.join(editor, 'out/node/entry.js'), ...places, '--config', path.join(folder, 'config.yaml')];
  execFileSync('node', [...entry, '--install-extension', path.join(here, '../mesa.vsix')]);
  const address = ['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`];
  child = spawn('node', [...entry, ...address, '--disable-telemetry', '--disable-update-check', work]);
  await new Promise(done => child.stdout.on('data', text => /listening/.test(text) && done()));
  browser = await puppeteer.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--disable-gpu'],
    defaultViewport: { width: 1320, height: 760 },
  });
  page = await browser.newPage();
  const file = `vscode-remote://127.0.0.1:${port}${path.join(work, 'chat.mesa')}`;
  const payload = encodeURIComponent(JSON.stringify([['openFile', file]]));
  await page.goto(`http://127.0.0.1:${port}/?folder=${work}&payload=${payload}`);
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  child?.kill();
  await sleep(500);
  rmSync(folder, { recursive: true, force: true });
});

test('a missing server is said with what to do', async () => {
  const said = await until('message', () => document.querySelector('.notification-toast')?.innerText);
  assert.match(said, /There is no program at \/nowhere\/mesa-lsp/);
  assert.match(said, /Say Where It Is/);
});

test('the server starts when its place is said', async () => {
  writeFileSync(path.join(work, '.vscode/settings.json'), JSON.stringify({ 'mesa.server.path': server }));
  await until('mistake', () => document.querySelectorAll('.squiggly-error').length === 2);
  await run('Notifications: Clear All Notifications');
  await until('lens', () => document.querySelector('.codelens-decoration')?.innerText.includes('what if'));
});

test('the mistake goes when it is mended, and figures stand in the text', async () => {
  await page.click('.monaco-editor .view-lines');
  await goTo('13:20');
  await page.keyboard.press('Backspace');
  await page.keyboard.type('8');
  await until('mended text', () => document.querySelectorAll('.squiggly-error').length === 0);
  await until('figures', () => document.querySelector('.codelens-decoration')?.innerText.includes('TTFT'));
  await until('hints', () => /all-reduce/.test(document.querySelector('.view-lines')?.innerText));
});

test('the report stands beside the text and follows it', async () => {
  await run('Mesa: Show Report');
  const { text } = await report('Llama3_8B on DGX_H100');
  assert.match(text, /ttft\s+[\d.]+ ms/);
  await page.click('.monaco-editor .view-lines');
  await goTo('14:21');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Backspace');
  await page.keyboard.type('64');
  await report('batch 64');
});

test('a click on a figure explains it, a click on a step opens the library', async () => {
  const { frame } = await report('batch 64');
  await frame.evaluate(() => document.querySelector('[data-path="chat.memory.reserve"]').click());
  const rows = () => [...document.querySelectorAll('.monaco-list-row')].find(r => r.innerText.includes('device_reserve'));
  await until('derivation', rows);
  await picture('vscode');
  await page.evaluate(() => [...document.querySelectorAll('.monaco-list-row')].find(r => r.innerText.includes('device_reserve')).click());
  const text = await until('library', () => {
    const all = [...document.querySelectorAll('.monaco-editor .view-line')].map(l => l.innerText).join('\n');
    return all.includes('assume') ? all : undefined;
  });
  assert.match(text, /device_reserve/);
});

test('what if writes a scenario with another number format', async () => {
  await page.click('.tab[data-resource-name="chat.mesa"]');
  await goTo('10:1');
  await run('Mesa: What If');
  for (const pick of ['precision.weights', 'fp8']) {
    await until(pick, wanted => document.querySelector('.quick-input-list')?.innerText.includes(wanted), pick);
    await page.keyboard.type(pick);
    await sleep(400);
    await page.keyboard.press('Enter');
  }
  await page.keyboard.down('Control');
  await page.keyboard.press('End');
  await page.keyboard.up('Control');
  await until('scenario', () => /chat_fp8\s=\schat\swith/.test(document.querySelector('.view-lines')?.innerText));
});
