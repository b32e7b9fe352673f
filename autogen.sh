#!/bin/sh
# Make ./configure from configure.ac; needed once after a checkout.
cd "$(dirname "$0")" || exit 1
exec autoreconf --force --install --warnings=all
