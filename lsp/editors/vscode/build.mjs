// Bundles the extension, and the tests beside it, into `dist/`.
import { build } from 'esbuild';

const production = process.argv.includes('--production');
const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['vscode'],
  logLevel: 'warning',
};

await build({
  ...common,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  minify: production,
  sourcemap: !production,
});
if (!production) {
  await build({
    ...common,
    entryPoints: ['test/all.test.ts'],
    outfile: 'dist/test/all.test.js',
    external: ['vscode-oniguruma', 'vscode-textmate'],
    alias: { vscode: './test/vscode.ts' },
  });
}
