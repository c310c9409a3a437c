#!/usr/bin/env bash
# Versions: pytest 9.2.0, and 8.4.2 beside it.
# Done: asked for the version by PYTEST_ADDOPTS, and by `addopts` of pytest.ini, as a script does that
#   wants to know the pytest of somebody's project without running their tests; then for --help.
# Came: 9.2.0 takes the option, and runs the tests. 8.4.2 says its version and runs none; --help in the
#   same place still stops both. Since 9.0.0.
# Expected: the same as on the command line, since the documentation says of both places that their
#   options are added to it; or an error that says where the option has to stand.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset PYTEST_ADDOPTS PYTEST_PLUGINS

mkdir "$folder/project"
printf 'def test_one():\n    open("ran", "w").close()\n' > "$folder/project/test_one.py"

# outcome PYTHON: whether the test ran.
outcome() {
    rm -f ran
    "$1" -m pytest -q >/dev/null
    if [[ -e ran ]]; then echo "runs the test"; else echo "runs no test"; fi
}

changed=0
expect() {
    printf '%s: %s\n' "$1" "$3"
    if [[ "$2" != "$3" ]]; then echo "this has changed: it was: $2"; changed=1; fi
}

cd "$folder/project"
for version in 9.2.0 8.4.2; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "pytest==$version"
    python="$folder/$version/bin/python"
    ran="runs the test"
    if [[ "$version" = 8.4.2 ]]; then ran="runs no test"; fi
    expect "$version, PYTEST_ADDOPTS=--version" "$ran" "$(PYTEST_ADDOPTS=--version outcome "$python")"
    printf '[pytest]\naddopts = --version\n' > pytest.ini
    expect "$version, addopts = --version" "$ran" "$(outcome "$python")"
    rm pytest.ini
    expect "$version, PYTEST_ADDOPTS=--help" "runs no test" "$(PYTEST_ADDOPTS=--help outcome "$python")"
done
exit "$changed"
