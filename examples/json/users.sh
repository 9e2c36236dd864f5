#!/bin/sh
# Documents without a client: creates, searches and removes a table of users. Requires nc (netcat-openbsd).
#   sh users.sh 127.0.0.1 8888
host=${1:-127.0.0.1} port=${2:-8888}

# Requests and answers are lines. "quit" closes the connection.
nc -w 10 "$host" "$port" <<'REQUESTS' | tr -d '\r'
{"action":"create","document":"sh_users"}
{"action":"insert","document":"sh_users","data":[{"name":"John","role":"admin"},{"name":"Andrew","role":"user"}]}
{"action":"get","document":"sh_users","query":{"role":"user"}}
{"action":"count","document":"sh_users"}
{"action":"drop","document":"sh_users"}
quit
REQUESTS
