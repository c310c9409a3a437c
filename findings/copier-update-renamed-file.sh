#!/usr/bin/env bash
# Versions: copier 9.19.1, git 2.
# Done: generated a project from version 1 of a template, changed a line of old.txt and committed
#   that; version 2 of the template does nothing but rename old.txt to new.txt; ran `copier update`.
# Came: exit 0 and no conflict: old.txt is gone, and new.txt is the template's. The change is in no
#   file of the project. With `--conflict rej` it is at least left in old.txt.rej.
# Expected: the change in new.txt, as `git merge` does with the same two histories, or a conflict.
#   Copier's documentation ("Updating a project") says that the update keeps what the project
#   changed, and that the default, --conflict inline, marks what can't be merged as git does.
set -euo pipefail

command -v git >/dev/null || { echo "git is not installed, so nothing was tried"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Someone GIT_AUTHOR_EMAIL=someone@example.com
export GIT_COMMITTER_NAME=Someone GIT_COMMITTER_EMAIL=someone@example.com

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check copier==9.19.1
copier=$folder/venv/bin/copier
"$copier" --version
git --version

commit() { git -C "$1" add --all && git -C "$1" commit --quiet --message "$2"; }

mkdir "$folder/template" && cd "$folder"
git -C template init --quiet
printf 'one\ntwo\nthree\nfour\nfive\n' > template/old.txt
# shellcheck disable=SC2016
printf '{{ _copier_answers|to_nice_yaml }}' > 'template/{{ _copier_conf.answers_file }}.jinja'
commit template "Version 1"
git -C template tag 1.0.0
git -C template mv old.txt new.txt
commit template "Rename"
git -C template tag 2.0.0

# What git itself does with the same change and the same rename.
git clone --quiet --branch 1.0.0 -c advice.detachedHead=false template merged
sed -i 's/^two$/two, ours/' merged/old.txt
commit merged "Ours"
git -C merged merge --quiet --message "Merge" 2.0.0
merged=$(grep -c ours merged/new.txt || true)

update() { # The project's name, then options for the update
    local name=$1; shift
    "$copier" copy --quiet --defaults --vcs-ref 1.0.0 "$folder/template" "$name"
    git -C "$name" init --quiet
    commit "$name" "Generated"
    sed -i 's/^two$/two, ours/' "$name/old.txt"
    commit "$name" "Ours"
    (cd "$name" && "$copier" update --quiet --defaults --vcs-ref 2.0.0 "$@")
    (cd "$name" && grep --recursive --files-with-matches --exclude-dir .git ours . || true)
}
inline=$(update inline)
rejected=$(update rejected --conflict rej)
echo "git merge: $merged line with the change in new.txt"
echo "copier update: files $(ls inline); with the change: ${inline:-none}"
echo "copier update --conflict rej: with the change: ${rejected:-none}"

[ "$merged" = 1 ] || { echo "this has changed: git carried the change into new.txt"; exit 1; }
[ "$(ls inline)" = new.txt ] || { echo "this has changed: old.txt was gone, new.txt was there"; exit 1; }
[ -z "$inline" ] || { echo "this has changed: the change was in no file"; exit 1; }
[ "$rejected" = ./old.txt.rej ] || { echo "this has changed: the change was in old.txt.rej"; exit 1; }
