"""Sends and receives messages by the sentinel transport of Celery (kombu) at the master that sentinels name, until its input
ends. Prints a number after each message, and at the end the number of failed operations by error. Arguments: the name
of the master, and the sentinels' ports."""
import sys

from kombu import Connection

from repeat import repeat

name, *ports = sys.argv[1:]
url = ";".join(f"sentinel://127.0.0.1:{port}" for port in ports)
options = {"master_name": name, "socket_timeout": 5, "socket_connect_timeout": 1}
connection = Connection(url, transport_options=options)
queue = None


def exchange():
    global connection, queue
    try:
        if queue is None:
            queue = connection.SimpleQueue("messages")
        queue.put({"hello": "world"})
        queue.get(timeout=5).ack()
    except Exception:
        queue = None
        connection = connection.clone()
        raise


repeat(exchange)
