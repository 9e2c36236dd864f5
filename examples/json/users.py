"""Documents from Python: creates, searches and removes a table of users. Uses only the standard library.

python3 users.py 127.0.0.1 8888
"""

import json
import socket
import sys

host, port = sys.argv[1:3] if len(sys.argv) > 2 else ("127.0.0.1", "8888")
server = socket.create_connection((host, int(port)), timeout=10)


def ask(**request):
    """Sends a request and returns the members of the answer. A request is one line, and an answer ends with LF and CR."""
    server.sendall(json.dumps(request).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n\r"):
        piece = server.recv(65536)
        if not piece:
            sys.exit("the connection was closed")
        answer += piece
    members = json.loads(answer)
    if members["status"] != "success":
        sys.exit("refused: " + members["message"])
    return members


ask(action="create", document="py_users")
users = [{"name": "John", "role": "admin"}, {"name": "Andrew", "role": "user"}]
ask(action="insert", document="py_users", data=users)
found = ask(action="get", document="py_users", query={"role": "user"})["data"]
# Entries with the ids 0, 1, 2, … are returned as a list, other entries as an object by their ids.
for user in found.values() if isinstance(found, dict) else found:
    print(user["name"])
print(ask(action="count", document="py_users")["count"], "users")
ask(action="drop", document="py_users")
