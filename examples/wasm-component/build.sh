#!/bin/sh
# Makes main.wasm of app.js. The engine, the tools and WASI's interfaces come with two packages of npm, about 400 MB.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --prefix "$work" --no-save --silent @bytecodealliance/componentize-js@0.23.0 @bytecodealliance/jco@1.35.0
mkdir -p "$work/wit/deps"
cp -r "$work"/node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12/wasi-* "$work/wit/deps/"
printf 'package example:app;\nworld app { include wasi:http/proxy@0.2.10; }\n' > "$work/wit/world.wit"
# The engine was built against this version of the interfaces.
sed -i.old 's/0\.2\.12/0.2.10/g' "$work"/wit/deps/*/package.wit
cp app.js "$work/app.mjs"
cat > "$work/build.mjs" <<'EOF'
import { writeFileSync } from 'node:fs';
import { componentize } from '@bytecodealliance/componentize-js';
const { component } = await componentize({ sourcePath: './app.mjs', witPath: './wit', worldName: 'app' });
writeFileSync('main.wasm', component);
EOF
(cd "$work" && node build.mjs)
mv "$work/main.wasm" main.wasm
