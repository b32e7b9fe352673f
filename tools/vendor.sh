#!/bin/sh
# vendor.sh - copy the files of static/vendor.list out of node_modules, and write
# VENDOR.json with each one's package, version, licence and SHA-384. Run by make:
#
#     vendor.sh LIST NODE_MODULES TO
#
# TO is made anew beside itself and renamed, so it is never half there.
set -eu
list=$1 modules=$2 to=$3

die() { echo "vendor: $*" >&2; exit 1; }
# The value of a top-level string member of a package.json.
member() { sed -n "s/^ *\"$2\": *\"\([^\"]*\)\".*/\1/p" "$1" | head -n 1; }

[ -d "$modules" ] || die "the front-end packages are missing, so pages have no scripts: run 'npm ci --ignore-scripts' and make again"
rm -rf "$to.new"
mkdir -p "$to.new"
comma=
{
    echo '['
    while read -r folder package file name; do
        case $folder in ''|'#'*) continue ;; esac
        about=$modules/$package/package.json
        [ -f "$modules/$package/$file" ] || die "$package has no $file: run 'npm ci --ignore-scripts'"
        version=$(member "$about" version)
        target=$folder-$version/${name:-${file##*/}}
        mkdir -p "$to.new/${target%/*}"
        cp "$modules/$package/$file" "$to.new/$target"
        chmod 644 "$to.new/$target"
        gzip -9nk "$to.new/$target"       # nginx sends this one to who takes it
        sum=$(sha384sum "$to.new/$target")
        printf '%s  {"file": "%s", "package": "%s", "version": "%s", "licence": "%s", "sha384": "%s"}' \
            "$comma" "$target" "$package" "$version" "$(member "$about" license)" "${sum%% *}"
        comma=',
'
    done < "$list"
    printf '\n]\n'
} > "$to.new/VENDOR.json"
rm -rf "$to"
mv "$to.new" "$to"
