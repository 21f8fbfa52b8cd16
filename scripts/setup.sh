#!/bin/sh
# Makes this checkout ready to run: node modules, the build, and the Debian packages that a lab
# needs. Says what it does before it does it; does nothing, quickly, when all is there.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
PATH=$root/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

case ${1-} in
  '' | --test) ;;
  *) fail "usage: sh scripts/setup.sh [--test]" ;;
esac

# --- node modules: Node itself is one of them, so that the machine's own may be older

if [ ! -e node_modules/.package-lock.json ] ||
  [ package-lock.json -nt node_modules/.package-lock.json ]; then
  have npm || fail 'npm is missing. Install Node 20 or newer with npm.'
  say 'installing node modules (about 30 s)'
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null
fi

# --- build

if [ ! -e dist/muster.mjs ] ||
  [ -n "$(find src scripts/build.ts package.json -newer dist/muster.mjs -print | head -n 1)" ]; then
  say 'building'
  node scripts/build.ts
fi

# --- Debian packages: wanted for a command each, so that another package's docker serves as well

packages=
want() { # COMMAND PACKAGE
  have "$1" || case " $packages " in
    *" $2 "*) ;;
    *) packages="$packages $2" ;;
  esac
}
want dockerd docker.io
want docker docker-cli
want containerd containerd
want runc runc
want docker-registry docker-registry
want tini tini
want ip iproute2
want iptables iptables
want nft nftables
want conntrack conntrack
want mmdebstrap mmdebstrap
want unshare util-linux
want nsenter util-linux
# The engine does not start on a kernel with AppArmor when its parser is missing.
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then
  want apparmor_parser apparmor
fi

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    "$@" </dev/null
}

install_packages() {
  have apt-get || fail "these are missing and this is no Debian:$packages"
  [ "$(id -u)" = 0 ] || fail "run as root, or install first: apt-get install$packages"
  log=$(mktemp)
  policy=/usr/sbin/policy-rc.d
  made_policy=
  trap 'rm -f "$log"; [ -z "$made_policy" ] || rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ ! -e "$policy" ]; then
    # The packages' own services must not start: labs run their own.
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi

  if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    say 'reading package lists (apt-get update)'
    apt update
  fi
  # Newer Debian releases ship the client apart from the engine.
  if ! apt-cache show docker-cli >/dev/null 2>&1; then
    packages=$(printf '%s ' $packages | sed 's/docker-cli /docker.io /')
  fi
  say "installing Debian packages: $(printf '%s\n' $packages | sort -u | tr '\n' ' ')"
  # shellcheck disable=SC2086 # a list of words
  if ! apt install --no-install-recommends $packages >"$log" 2>&1; then
    say 'that failed; reading package lists anew and trying again'
    apt update
    # shellcheck disable=SC2086
    if ! apt install --no-install-recommends $packages >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      fail 'the packages cannot be installed; the lines above say why'
    fi
  fi

  # The registry would start with the machine, on everybody's port 5000: only labs want one.
  case " $packages " in
    *' docker-registry '*)
      if [ -d /run/systemd/system ]; then
        systemctl disable --now docker-registry.service >/dev/null 2>&1 ||
          say 'could not disable docker-registry.service; please do it'
      fi
      ;;
  esac
}

if [ -n "$packages" ]; then
  install_packages
fi
