#!/usr/bin/env bash
# fetch-debs.sh FOLDER SUITE 'PACKAGE…' DENIED
#
# Downloads packages of a Debian suite with what they depend on, except those whose names match the extended regular
# expression DENIED, and unpacks them into FOLDER/root. Any user may: apt works on a state of its own in FOLDER, checks
# the signatures, and nothing is installed.
set -euo pipefail
folder=$1 suite=$2 packages=$3 denied=$4

key=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -r $key ]] || { echo "$key is missing (package debian-archive-keyring)" >&2; exit 1; }

# The mirror this machine uses, where it is a Debian; it may be the only one it can reach.
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -E '/debian/?$' | sort -u | head -n 1 || true)
mirror=${mirror:-http://deb.debian.org/debian}

apt=$folder/apt
mkdir -p "$apt"/{lists/partial,archives/partial,none} "$folder/debs" "$folder/root"
: >"$apt/status"
echo "deb [signed-by=$key] $mirror $suite main" >"$apt/sources.list"
{
  # Proxies and certificates, as this machine has them. Its hooks and preferences are none of ours.
  apt-config dump | grep -E '^Acquire::(https?|Check-Date)' || true
  cat <<CONF
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
Dir::Log "$apt";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$apt/none";
Dir::Etc::parts "$apt/none";
Dir::Etc::main "/dev/null";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "1";
CONF
} >"$apt/conf"
export APT_CONFIG=$apt/conf

# apt-get update calls a mirror that cannot be reached a warning.
apt-get -qq update -o APT::Update::Error-Mode=any
# shellcheck disable=SC2086 # a list of names
list=$(apt-get install --print-uris -qq -y --no-install-recommends $packages |
  sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p" | grep -vE "$denied")
cd "$folder/debs"
# shellcheck disable=SC2086
apt-get -qq download $list

for deb in *.deb; do
  # What programs do not load when they run is left out, and so is what only root may unpack.
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder/root" --no-same-owner \
    --exclude=./usr/share --exclude=./etc --exclude=./var --exclude=./usr/include --exclude=./usr/lib/python3
done
rm -rf "$apt" "$folder/debs"
