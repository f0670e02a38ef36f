/**
 * Where the language server is.
 *
 * In: the setting and the environment. Out: the program to start, or what to tell the user.
 */

import * as path from 'node:path';

export interface Surroundings {
  /** The setting `mesa.server.path`. */
  setting: string;
  /** The folder that `${workspaceFolder}` stands for. */
  workspace: string | undefined;
  home: string;
  env: NodeJS.ProcessEnv;
  windows: boolean;
  /** Whether there is a program at this path. */
  exists: (file: string) => boolean;
}

export type Found = { program: string } | { missing: string };

/** The program of the setting, else of the `PATH`, else where `cargo install` puts it. */
export function findServer(around: Surroundings): Found {
  const setting = around.setting.trim();
  if (setting !== '') {
    const program = expand(setting, around);
    return around.exists(program)
      ? { program }
      : { missing: `There is no program at ${program}, which the setting mesa.server.path names.` };
  }
  const name = around.windows ? 'mesa-lsp.exe' : 'mesa-lsp';
  const folders = (around.env['PATH'] ?? around.env['Path'] ?? '')
    .split(around.windows ? ';' : ':')
    .filter(folder => folder !== '');
  const cargo = around.env['CARGO_HOME'] ?? path.join(around.home, '.cargo');
  for (const folder of [...folders, path.join(cargo, 'bin')]) {
    const program = path.join(folder, name);
    if (around.exists(program)) {
      return { program };
    }
  }
  return {
    missing:
      'The language server mesa-lsp is not on the PATH. Install it from the Mesa repository with ' +
      '`cargo install --path lsp`, or say where it is with the setting mesa.server.path.',
  };
}

function expand(setting: string, around: Surroundings): string {
  let out = setting;
  if (out === '~' || out.startsWith('~/') || out.startsWith('~\\')) {
    out = path.join(around.home, out.slice(1));
  }
  if (around.workspace !== undefined) {
    out = out.replaceAll('${workspaceFolder}', around.workspace);
  }
  if (!path.isAbsolute(out) && around.workspace !== undefined) {
    out = path.join(around.workspace, out);
  }
  return out;
}
