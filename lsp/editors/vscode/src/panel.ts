/**
 * The report beside the editor, following the cursor.
 *
 * In: the cursor, and word that a file was evaluated. Out: a webview with the report of the
 * scenario that stands at the cursor.
 */

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

import { Latest } from './latest';
import type { ReportAnswer } from './protocol';
import { content, page } from './report';

/** Which report is wanted: that of a scenario, or that of what stands at a position. */
export interface Wanted {
  uri: string;
  scenario?: string;
  position?: vscode.Position;
}

export type Ask = (wanted: Wanted) => Promise<ReportAnswer | null>;

export class ReportPanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private shown: ReportAnswer | undefined;
  private readonly latest: Latest<Wanted, ReportAnswer | null>;

  constructor(
    ask: Ask,
    private readonly explain: (uri: string, path: string) => void,
    private readonly open: (uri: string, line: number) => void,
    log: (text: string) => void,
  ) {
    this.latest = new Latest(
      ask,
      answer => this.show(answer),
      error => log(`no report: ${String(error)}`),
    );
  }

  /** Opens the panel, if it is not open, for the scenario that is given. */
  reveal(wanted: Wanted): void {
    if (this.panel === undefined) {
      this.panel = vscode.window.createWebviewPanel(
        'mesa.report',
        'Report',
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
        { enableScripts: true, localResourceRoots: [] },
      );
      this.panel.webview.html = page(undefined, randomBytes(16).toString('hex'), 'Evaluating …');
      this.panel.webview.onDidReceiveMessage(message => this.received(message));
      this.panel.onDidDispose(() => {
        this.panel = undefined;
        this.shown = undefined;
      });
      this.panel.onDidChangeViewState(() => this.draw());
    } else {
      this.panel.reveal(undefined, true);
    }
    this.latest.put(wanted);
  }

  /** The cursor moved. */
  follow(editor: vscode.TextEditor): void {
    if (this.panel !== undefined) {
      this.latest.put({ uri: editor.document.uri.toString(), position: editor.selection.active });
    }
  }

  /** The file was evaluated. Files that it imports may be on the panel too, so any file counts. */
  evaluated(): void {
    if (this.panel !== undefined && this.shown !== undefined) {
      this.latest.put({ uri: this.shown.uri, scenario: this.shown.scenario });
    }
  }

  /** The scenario on the panel. */
  get scenario(): { uri: string; scenario: string } | undefined {
    return this.shown;
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private show(answer: ReportAnswer | null): void {
    if (answer !== null) {
      this.shown = answer; // between scenarios the last one stays
    }
    this.draw();
  }

  private draw(): void {
    if (this.panel === undefined) {
      return;
    }
    this.panel.title = this.shown === undefined ? 'Report' : `Report: ${this.shown.scenario}`;
    void this.panel.webview.postMessage({ kind: 'content', html: content(this.shown) });
  }

  private received(message: { kind: string; path?: string; uri?: string; line?: number }): void {
    if (message.kind === 'explain' && message.path !== undefined && this.shown !== undefined) {
      this.explain(this.shown.uri, message.path);
    } else if (message.kind === 'open' && message.uri !== undefined) {
      this.open(message.uri, message.line ?? 0);
    }
  }
}
