/** The tree that shows where a result comes from. */

import * as vscode from 'vscode';

import { children, line } from './derivation';
import type { Step } from './protocol';

/** Asks for a derivation of `depth` levels, of all without. */
export type AskSteps = (uri: string, path: string, depth?: number) => Promise<Step | undefined>;

const LEVELS = 8;

export class ExplainTree implements vscode.TreeDataProvider<Step>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly view: vscode.TreeView<Step>;
  private root: Step | undefined;
  private shown: { uri: string; path: string } | undefined;

  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly ask: AskSteps) {
    this.view = vscode.window.createTreeView('mesa.explain', { treeDataProvider: this });
  }

  /** Shows a result; fails with the reason where there is none. */
  async show(uri: string, path: string, depth: number | undefined = LEVELS): Promise<void> {
    const root = await this.ask(uri, path, depth);
    if (root === undefined) {
      return;
    }
    this.shown = { uri, path };
    this.root = root;
    this.view.description = path;
    this.changed.fire();
    await this.view.reveal(root, { expand: 2, focus: false, select: false });
  }

  /** Shows every step of what is shown. */
  async all(): Promise<void> {
    if (this.shown !== undefined) {
      this.root = (await this.again(undefined)) ?? this.root;
      this.changed.fire();
    }
  }

  /** The figures may have changed. */
  async evaluated(): Promise<void> {
    if (this.shown !== undefined && this.view.visible) {
      this.root = (await this.again(LEVELS)) ?? this.root;
      this.changed.fire();
    }
  }

  /** What is shown, as it is now; nothing while what is typed has errors. */
  private async again(depth: number | undefined): Promise<Step | undefined> {
    if (this.shown === undefined) {
      return undefined;
    }
    return this.ask(this.shown.uri, this.shown.path, depth).catch(() => undefined);
  }

  getTreeItem(step: Step): vscode.TreeItem {
    const { label, description, tooltip, icon, place } = line(step);
    const state = vscode.TreeItemCollapsibleState;
    const open = children(step).length === 0 ? state.None : step === this.root ? state.Expanded : state.Collapsed;
    const item = new vscode.TreeItem(label, open);
    item.description = description;
    item.tooltip = new vscode.MarkdownString(tooltip);
    item.iconPath = new vscode.ThemeIcon(icon);
    if (place !== undefined) {
      item.command = { command: 'mesa.openPlace', title: 'Open', arguments: [place.uri, place.line] };
    }
    return item;
  }

  getChildren(step?: Step): Step[] {
    return step === undefined ? (this.root === undefined ? [] : [this.root]) : [...children(step)];
  }

  getParent(step: Step): Step | undefined {
    return this.root === undefined ? undefined : parentOf(this.root, step);
  }

  dispose(): void {
    this.view.dispose();
    this.changed.dispose();
  }
}

function parentOf(from: Step, step: Step): Step | undefined {
  for (const child of children(from)) {
    const found = child === step ? from : parentOf(child, step);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}
