#!/bin/sh
# Makes the editor inside of the package code-server run. Its own install script also downloads
# programs that are not needed here, so the parts are installed one by one. Needs a C++ compiler
# and Python.
set -eu
cd "$(dirname "$0")"
npm rebuild argon2
cd node_modules/code-server/lib/vscode
npm install --omit=dev --ignore-scripts
for module in @vscode/spdlog node-pty @parcel/watcher native-watchdog; do
  npm rebuild "$module" || echo "$module was not built; the editor runs without it"
done
cd extensions
npm install --omit=dev --ignore-scripts
