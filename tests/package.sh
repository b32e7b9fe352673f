#!/bin/bash
# package.sh FOLDER - install the package in FOLDER in a copy of this system, start what its unit and its site say, chat
# through nginx, install it again, take it away, purge it. After each step it is looked at what is there.
#
# The copy is an overlay over / in namespaces of its own: nothing of this system changes, and no port is taken. That
# takes root and the right to mount; without, the status is 77, after the package was looked through.
set -euo pipefail
deb=$(realpath "$1"/weir_*.deb)
die() { echo "package: $*" >&2; exit 1; }

if [ -z "${IN_NAMESPACES:-}" ]; then
    if command -v lintian >/dev/null; then
        lintian --allow-root --fail-on error "$deb" || die "lintian found errors"
    fi
    contents=$(dpkg-deb -c "$deb")
    for file in ./usr/bin/weir ./usr/share/weir/static/vendor/VENDOR.json ./usr/share/weir/ranks/o200k_base.ranks ./etc/weir/weir.json \
        ./etc/nginx/sites-available/weir ./lib/systemd/system/weir.service ./usr/share/man/man5/weir.json.5.gz; do
        grep -q " $file\$" <<<"$contents" || die "the package has no $file"
    done
    unshare --mount --net --pid --fork true 2>/dev/null || { echo "no right to namespaces: the package was not installed"; exit 77; }
    folder=$(mktemp -d) status=0
    IN_NAMESPACES=$folder unshare --mount --net --pid --fork --kill-child "$BASH" "$0" "$1" || status=$?
    rmdir "$folder"
    exit "$status"
fi

# --- a copy of this system, with a loopback of its own ---
mount --make-rprivate /
top=$IN_NAMESPACES
mount -t tmpfs tmpfs "$top"
mkdir "$top"/{upper,work,root}
root=$top/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$root" 2>/dev/null ||
    { echo "no overlay file system here: the package was not installed"; exit 77; }
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
perl -e 'my $up = pack("Z16 s", "lo", 0x41); socket(S, 2, 2, 0) or die; ioctl(S, 0x8914, $up) or die $!'
in_root() { chroot "$root" "$@"; }
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C
cp "$deb" "$root/tmp/weir.deb"
rm -f "$root/etc/nginx/sites-enabled/default" "$root/etc/nginx/sites-enabled/weir"
mkdir -p "$root/etc/nginx/sites-enabled"

# Dependencies are what the tests have installed, not always as packages.
install_it() { in_root dpkg --force-depends --force-confold -i /tmp/weir.deb >"$top/dpkg.log" 2>&1 || { cat "$top/dpkg.log"; die "dpkg -i"; }; }
expect() { test "$1" "$2" || die "after $step: $2 is not as expected ($1)"; }
owner() { stat -c '%U:%G %a' "$root$1"; }

step='the installation'
install_it
in_root id weir >/dev/null || die "there is no user weir"
[ "$(in_root stat -c '%U:%G %a' /var/lib/weir)" = "weir:weir 700" ] || die "the state folder: $(owner /var/lib/weir)"
[ "$(owner /etc/weir/keys)" = "root:root 700" ] || die "the folder for keys: $(owner /etc/weir/keys)"
expect -L "$root/etc/nginx/sites-enabled/weir"
expect -L "$root/etc/systemd/system/multi-user.target.wants/weir.service"
expect -L "$root/etc/systemd/system/sockets.target.wants/weir.socket"
in_root nginx -t -q || die "nginx refuses the site"
in_root weir config check || die "weir refuses its own configuration"

# --- what systemd would do: the socket, the credentials, the user, the environment of the unit ---
unit=$root/lib/systemd/system/weir.service
setting() { sed -n "s/^$1=//p" "$2"; }
socket=$(setting ListenStream "$root/lib/systemd/system/weir.socket")
group=$(setting SocketGroup "$root/lib/systemd/system/weir.socket")
read -ra environment <<<"$(setting Environment "$unit")"
user=$(setting User "$unit")
read -ra start <<<"$(setting ExecStart "$unit")"

start_weir() {
    in_root systemd-socket-activate --listen="$socket" -E STATE_DIRECTORY=/var/lib/weir \
        setpriv --reuid="$user" --regid="$user" --clear-groups env "${environment[@]}" "${start[@]}" >"$top/weir.log" 2>&1 &
    for _ in $(seq 500); do [ -S "$root$socket" ] && break; sleep 0.01; done
    chgrp "$group" "$root$socket" && chmod 660 "$root$socket"
}
# request METHOD PATH [BODY]: the status line and what follows.
request() {
    exec 3<>/dev/tcp/127.0.0.1/8080 || die "nginx does not listen"
    printf '%s %s HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "$2" "$(cat "$root/var/lib/weir/admin-token" 2>/dev/null)" "${#3}" "${3:-}" >&3
    cat <&3
    exec 3>&-
}
wants() {
    local answer
    answer=$(request "$2" "$3" "${4:-}")
    grep -qE "$1" <<<"$answer" || { cat "$top/weir.log"; die "$2 $3 answered: $answer"; }
}

step='the start'
start_weir
in_root nginx
wants '^HTTP/1.1 200' GET /readyz
expect -f "$root/var/lib/weir/signin-link"
[ "$(owner /var/lib/weir/weir.db)" = "$(owner /var/lib/weir/admin-token)" ] || die "who owns the database?"
wants '"role": ?"assistant"' POST /chat/complete '{"message": "Hello"}'
wants '^event: done' POST /chat/stream '{"message": "Hello again"}'
wants '^HTTP/1.1 200' GET /static/vendor/VENDOR.json
wants '^Content-Security-Policy: ' GET /app/login
wants '"total_tokens"' GET /monitoring/cost-breakdown
in_root weir verify >"$top/verify" || die "the ledger does not hold: $(cat "$top/verify")"

step='an installation over it'
sed -i 's/"port": 8080/"port": 8080, "acceptors": 4/; s/, "acceptors": 8//' "$root/etc/weir/weir.json"
rm "$root/etc/nginx/sites-enabled/weir"
install_it
grep -q '"acceptors": 4' "$root/etc/weir/weir.json" || die "the administrator's configuration was overwritten"
[ ! -e "$root/etc/nginx/sites-enabled/weir" ] || die "a site that was switched off was switched on again"
expect -s "$root/var/lib/weir/weir.db"
wants '^HTTP/1.1 200' GET /readyz

step='its removal'
ln -s /etc/nginx/sites-available/weir "$root/etc/nginx/sites-enabled/weir"
weir=$(cat "$root/var/lib/weir/weir.lock")
kill -TERM "$weir"
while kill -0 "$weir" 2>/dev/null; do sleep 0.02; done
in_root dpkg -r weir >"$top/dpkg.log" 2>&1 || { cat "$top/dpkg.log"; die "dpkg -r"; }
expect -s "$root/var/lib/weir/weir.db"
expect -f "$root/etc/weir/weir.json"
[ ! -L "$root/etc/nginx/sites-enabled/weir" ] || die "the site is still switched on"
[ ! -e "$root/usr/bin/weir" ] || die "the program is still there"
in_root nginx -t -q || die "nginx does not start without it"

step='its purge'
in_root dpkg -P weir >"$top/dpkg.log" 2>&1 || { cat "$top/dpkg.log"; die "dpkg -P"; }
for path in /var/lib/weir /etc/weir /etc/nginx/sites-available/weir; do
    [ ! -e "$root$path" ] || die "$path is still there"
done
echo "installed, started, chatted, installed again, removed, purged"
