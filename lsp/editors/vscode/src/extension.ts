/**
 * Mesa in Visual Studio Code.
 *
 * In: the editor. Out: a running `mesa-lsp`, the report panel, the explain tree, the library's files
 * as read-only documents. What can be said without the editor stands in the other files.
 */

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as vscode from 'vscode';
import { LanguageClient, type LanguageClientOptions } from 'vscode-languageclient/node';

import { pathAt, resultPath } from './cursor';
import { ExplainTree } from './explain';
import { ReportPanel, type Wanted } from './panel';
import type { Choice, ReportAnswer, ScenarioPlace, Step } from './protocol';
import { findServer } from './server';

/** The scheme of files of the library. */
const LIBRARY = 'mesa-std';
/** The scheme of the pages of codes. */
const HELP = 'mesa-help';

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel('Mesa', { log: true });
  const request = async <T>(method: string, params: object): Promise<T | null> =>
    client?.isRunning() === true ? client.sendRequest<T | null>(method, params) : null;

  const tree = new ExplainTree(async (uri, path, depth) => {
    const asked = { uri, path, ...(depth === undefined ? {} : { depth }) };
    return (await request<{ derivation: Step }>('mesa/explain', asked))?.derivation;
  });
  const explain = async (uri: string, path: string): Promise<void> => {
    try {
      await tree.show(uri, path);
    } catch (error) {
      // The server says why: a name that is not there, a scenario with errors.
      const why = error instanceof Error ? error.message : String(error);
      void vscode.window.showInformationMessage(`${path} cannot be explained: ${why}`);
    }
  };
  const panel = new ReportPanel(
    wanted => request<ReportAnswer>('mesa/report', wanted),
    (uri, path) => void explain(uri, path),
    (uri, line) => void openPlace(uri, line),
    text => output.warn(text),
  );

  const changed = new vscode.EventEmitter<vscode.Uri>();
  const documents: vscode.TextDocumentContentProvider = {
    onDidChange: changed.event,
    provideTextDocumentContent: async uri =>
      (await request<{ text: string }>('mesa/source', { uri: uri.toString() }))?.text ?? '',
  };

  const follow = (editor: vscode.TextEditor | undefined): void => {
    if (editor?.document.languageId === 'mesa') {
      panel.follow(editor);
    }
  };
  const start = async (): Promise<void> => {
    client = await startServer(output, () => {
      panel.evaluated();
      void tree.evaluated();
    });
    await vscode.commands.executeCommand('setContext', 'mesa.running', client !== undefined);
    if (client !== undefined) {
      for (const document of vscode.workspace.textDocuments) {
        if ([LIBRARY, HELP].includes(document.uri.scheme)) {
          changed.fire(document.uri); // it was opened before the server ran
        }
      }
      follow(vscode.window.activeTextEditor);
    }
  };

  context.subscriptions.push(
    output,
    tree,
    panel,
    changed,
    vscode.workspace.registerTextDocumentContentProvider(LIBRARY, documents),
    vscode.workspace.registerTextDocumentContentProvider(HELP, documents),
    vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => follow(textEditor)),
    vscode.window.onDidChangeActiveTextEditor(follow),
    vscode.commands.registerCommand('mesa.showReport', (uri?: unknown, scenario?: unknown) => {
      const wanted = wantedReport(uri, scenario);
      if (wanted !== undefined) {
        panel.reveal(wanted);
      }
    }),
    vscode.commands.registerCommand('mesa.explain', async (uri?: unknown, path?: unknown) => {
      const target =
        typeof uri === 'string' && typeof path === 'string'
          ? { uri, path }
          : await resultAtCursor(request, panel);
      if (target !== undefined) {
        await vscode.commands.executeCommand('mesa.explain.focus');
        await explain(target.uri, target.path);
      }
    }),
    vscode.commands.registerCommand('mesa.explainAll', () => tree.all()),
    vscode.commands.registerCommand('mesa.whatIf', (uri?: unknown, scenario?: unknown) =>
      whatIf(request, uri, scenario),
    ),
    vscode.commands.registerCommand('mesa.openPlace', openPlace),
    vscode.commands.registerCommand('mesa.restart', async () => {
      await client?.dispose();
      client = undefined;
      await start();
    }),
    vscode.workspace.onDidChangeConfiguration(async change => {
      if (change.affectsConfiguration('mesa.server')) {
        await vscode.commands.executeCommand('mesa.restart');
      } else if (change.affectsConfiguration('mesa')) {
        await client?.sendNotification('workspace/didChangeConfiguration', {
          settings: { mesa: options() },
        });
      }
    }),
  );
  await start();
}

export async function deactivate(): Promise<void> {
  await client?.dispose();
}

/** What `docs/lsp.md` calls `initializationOptions`. */
function options(): object {
  const settings = vscode.workspace.getConfiguration('mesa');
  const hint = (name: string): boolean => settings.get(`hints.${name}`, true);
  return {
    commands: ['mesa.showReport', 'mesa.whatIf'],
    documents: [LIBRARY, HELP],
    hints: {
      shapes: hint('shapes'),
      shards: hint('shards'),
      collectives: hint('collectives'),
      expectations: hint('expectations'),
    },
    lenses: settings.get('lenses', true),
  };
}

async function startServer(
  output: vscode.LogOutputChannel,
  evaluated: () => void,
): Promise<LanguageClient | undefined> {
  const settings = vscode.workspace.getConfiguration('mesa');
  const found = findServer({
    setting: settings.get('server.path', ''),
    workspace: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath,
    home: os.homedir(),
    env: process.env,
    windows: process.platform === 'win32',
    exists: file => fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true,
  });
  if ('missing' in found) {
    output.error(found.missing);
    void tellMissing(found.missing);
    return undefined;
  }
  output.info(`starts ${found.program}`);
  const clientOptions: LanguageClientOptions = {
    documentSelector: [
      { language: 'mesa', scheme: 'file' },
      { language: 'mesa', scheme: 'untitled' },
      { language: 'mesa', scheme: LIBRARY },
    ],
    outputChannel: output,
    initializationOptions: options(),
    markdown: { isTrusted: { enabledCommands: ['mesa.explain', 'mesa.showReport'] } },
  };
  const made = new LanguageClient(
    'mesa',
    'Mesa',
    { command: found.program, args: settings.get<string[]>('server.arguments', []) },
    clientOptions,
  );
  made.onNotification('mesa/evaluated', evaluated);
  try {
    await made.start();
  } catch (error) {
    void vscode.window.showErrorMessage(`${found.program} does not start: ${String(error)}`);
    return undefined;
  }
  return made;
}

async function tellMissing(missing: string): Promise<void> {
  const set = 'Say Where It Is';
  const again = 'Try Again';
  const answer = await vscode.window.showErrorMessage(missing, set, again);
  if (answer === set) {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'mesa.server.path');
  } else if (answer === again) {
    await vscode.commands.executeCommand('mesa.restart');
  }
}

/** From a lens: a file and a scenario. From the palette or the title bar: the cursor. */
function wantedReport(uri: unknown, scenario: unknown): Wanted | undefined {
  if (typeof uri === 'string' && typeof scenario === 'string') {
    return { uri, scenario };
  }
  const editor = vscode.window.activeTextEditor;
  return editor?.document.languageId === 'mesa'
    ? { uri: editor.document.uri.toString(), position: editor.selection.active }
    : undefined;
}

type Request = <T>(method: string, params: object) => Promise<T | null>;

async function resultAtCursor(
  request: Request,
  panel: ReportPanel,
): Promise<{ uri: string; path: string } | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document.languageId !== 'mesa') {
    return undefined;
  }
  const uri = editor.document.uri.toString();
  const at = editor.selection.active;
  const scenarios = (await request<ScenarioPlace[]>('mesa/scenarios', { uri })) ?? [];
  const here =
    scenarios.find(({ range }) => range.start.line <= at.line && at.line <= range.end.line) ??
    scenarios.find(({ name }) => name === panel.scenario?.scenario) ??
    scenarios[0];
  const word = pathAt(editor.document.lineAt(at.line).text, at.character);
  const path = await vscode.window.showInputBox({
    title: 'Explain a result',
    prompt: 'The path of a result, such as chat.tpot',
    value: resultPath(word, here?.name ?? '') ?? `${here?.name ?? 'scenario'}.`,
  });
  return path === undefined || path === '' ? undefined : { uri, path };
}

async function whatIf(request: Request, uri: unknown, scenario: unknown): Promise<void> {
  const wanted = wantedReport(uri, scenario);
  if (wanted === undefined) {
    return;
  }
  const name = wanted.scenario ?? (await request<ReportAnswer>('mesa/report', wanted))?.scenario;
  if (name === undefined) {
    void vscode.window.showInformationMessage('No scenario stands here.');
    return;
  }
  const choices = await request<Choice[]>('mesa/choices', { uri: wanted.uri, scenario: name });
  const what = await vscode.window.showQuickPick(
    (choices ?? []).map(choice => ({
      label: choice.title,
      description: choice.current === '' ? choice.path : `${choice.path} is ${choice.current}`,
      choice,
    })),
    { title: `${name}: what if`, placeHolder: 'what is changed', matchOnDescription: true },
  );
  if (what === undefined) {
    return;
  }
  const { choice } = what;
  const value = await vscode.window.showQuickPick(choice.values, {
    title: `${name}: what if ${choice.path} were`,
    placeHolder: choice.current === '' ? 'as the library has it' : `now ${choice.current}`,
  });
  if (value !== undefined) {
    await request('workspace/executeCommand', {
      command: 'mesa.amend',
      arguments: [wanted.uri, name, choice.path, value],
    });
  }
}

async function openPlace(uri: string, line: number): Promise<void> {
  const at = new vscode.Position(line, 0);
  await vscode.window.showTextDocument(vscode.Uri.parse(uri), {
    selection: new vscode.Range(at, at),
    viewColumn: vscode.ViewColumn.One,
    preview: true,
  });
}
