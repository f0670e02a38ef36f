/** As much of the editor as the tested files need. */

type Listener<T> = (event: T) => void;

export class EventEmitter<T> {
  private readonly listeners: Listener<T>[] = [];
  readonly event = (listener: Listener<T>): void => void this.listeners.push(listener);
  fire(event: T): void {
    this.listeners.forEach(listener => listener(event));
  }
  dispose(): void {}
}

export class TreeItem {
  description?: string;
  tooltip?: unknown;
  iconPath?: unknown;
  command?: unknown;
  constructor(
    readonly label: string,
    readonly collapsibleState: number,
  ) {}
}

export const TreeItemCollapsibleState = { None: 0, Collapsed: 1, Expanded: 2 };
export class ThemeIcon {
  constructor(readonly id: string) {}
}
export class MarkdownString {
  constructor(readonly value: string) {}
}
export const ViewColumn = { One: 1, Beside: -2 };

/** A webview that remembers what it was told. */
export class FakePanel {
  title = '';
  readonly messages: { kind: string; html: string }[] = [];
  private readonly received = new EventEmitter<unknown>();
  private readonly disposed = new EventEmitter<void>();
  readonly webview = {
    html: '',
    postMessage: (message: { kind: string; html: string }) => {
      this.messages.push(message);
      return Promise.resolve(true);
    },
    onDidReceiveMessage: this.received.event,
  };
  readonly onDidDispose = this.disposed.event;
  onDidChangeViewState(): void {}
  reveal(): void {}
  dispose(): void {
    this.disposed.fire();
  }
  click(message: unknown): void {
    this.received.fire(message);
  }
}

export const panels: FakePanel[] = [];

export const window = {
  createWebviewPanel: (): FakePanel => {
    const panel = new FakePanel();
    panels.push(panel);
    return panel;
  },
  createTreeView: () => ({
    description: '',
    visible: true,
    reveal: () => Promise.resolve(),
    dispose: () => {},
  }),
};
