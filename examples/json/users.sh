#!/bin/sh
# Documents without any client: a table of users, made, searched and removed. Needs nc (netcat-openbsd).
#   sh users.sh 127.0.0.1 8888
host=${1:-127.0.0.1} port=${2:-8888}

# A request is a line, and so is an answer. "quit" closes the connection.
nc -w 10 "$host" "$port" <<'REQUESTS' | tr -d '\r'
{"action":"create","document":"sh_users"}
{"action":"insert","document":"sh_users","data":[{"name":"John","role":"admin"},{"name":"Andrew","role":"user"}]}
{"action":"get","document":"sh_users","query":{"role":"user"}}
{"action":"count","document":"sh_users"}
{"action":"drop","document":"sh_users"}
quit
REQUESTS
