#!/bin/sh
# Signs one command, sends it to one daemon and prints the answer. Requires openssl and nc (netcat-openbsd). It uses
# version 1: an attacker that records a command can replay it at any time.
#   sh send.sh private.pem 127.0.0.1 1111 SET greeting hello
[ $# -ge 4 ] || { echo "usage: sh send.sh private.pem host port COMMAND [argument ...]" >&2; exit 2; }
key=$1 host=$2 port=$3
shift 3
command=$*

text()      { printf '%s\0' "$command"; }
signature() { text | openssl dgst -sha256 -sign "$key"; }
frame()     { printf 'ds:%d:' "$("$@" | wc -c)"; "$@"; }
signed()    { frame text; signature; }

answer=$(frame signed | nc -N -w 3 "$host" "$port" | tr '\0' '\n')
case $answer in
  ds:1:)            echo "(nil)" ;;
  ds:*:redis:*:*)   printf '%s\n' "${answer#ds:*:redis:*:}" ;;
  *)                echo "no answer: is a daemon running there? If so, its log contains the reason." >&2; exit 1 ;;
esac
