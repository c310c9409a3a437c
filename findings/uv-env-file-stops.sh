#!/usr/bin/env bash
# Versions: uv 0.13.9, python-dotenv 1.2.4 beside it.
# Done: `uv run --env-file` with a file of three lines, whose second is a variable in double quotes.
# Came: when the quoted value ends in the variable ("$BASE"), uv warns, leaves out this line and all
#   lines after it, runs the command without them and ends with its status, 0. "$BASE/x" and
#   "${BASE}" are read.
# Expected: the value of BASE, and every line; or no run. uv's documentation names dotenvy as what reads
#   the file, whose readme ("Variable substitution") has a value in double quotes that is a variable and
#   nothing else among its examples. python-dotenv reads the last line each time (and substitutes in
#   the form with braces only, as it documents).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 python-dotenv==1.2.4
cd "$folder"
venv/bin/uv --version
changed=0
try() { # A value, then what uv makes of the file, then what python-dotenv makes of it
    printf 'FIRST=1\nPLACE=%s\nLAST=1\n' "$1" > variables
    local uv dotenv
    # shellcheck disable=SC2016
    uv=$(env --unset=FIRST --unset=LAST BASE=base venv/bin/uv run --no-project --no-config --python venv/bin/python \
        --env-file variables sh -c 'echo "FIRST=${FIRST-} PLACE=${PLACE-} LAST=${LAST-}"' 2>stderr) || uv="status $?"
    dotenv=$(BASE=base venv/bin/python -c 'import dotenv
print(*(f"{name}={value}" for name, value in dotenv.dotenv_values("variables").items()))')
    printf 'PLACE=%s\n    uv: %s %s\n    python-dotenv: %s\n' "$1" "$uv" "$(grep warning stderr || true)" "$dotenv"
    if [ "$uv" != "$2" ] || [ "$dotenv" != "$3" ]; then
        echo "    this has changed: it was $2 (uv) and $3 (python-dotenv)"
        changed=1
    fi
}
# shellcheck disable=SC2016
{
    # As expected, so that the last can't be blamed on the call.
    try '"$BASE/x"' "FIRST=1 PLACE=base/x LAST=1" 'FIRST=1 PLACE=$BASE/x LAST=1'
    try '"${BASE}"' "FIRST=1 PLACE=base LAST=1" "FIRST=1 PLACE=base LAST=1"
    try '"$BASE"' "FIRST=1 PLACE= LAST=" 'FIRST=1 PLACE=$BASE LAST=1'
}
exit "$changed"
