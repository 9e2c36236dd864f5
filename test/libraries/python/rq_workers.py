"""Workers of RQ at several servers, for test/system/claims. Arguments: the ports. Requests and reports are those of
../npm/bullmq-workers.mjs."""
import json
import os
import subprocess
import sys
import threading

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker

FOLDER = os.path.dirname(os.path.abspath(__file__))


def report(line):
    os.write(1, (json.dumps(line) + "\n").encode())


def job(number, text=None):
    report({"ran": number, "hasData": text == "data"})


def work(port):
    """The worker's process: it ends when its server is killed."""
    connection = Redis(port=int(port), socket_connect_timeout=1)
    queue = Queue("jobs", connection=connection)
    SimpleWorker([queue], connection=connection).work(logging_level="CRITICAL")


class Workers:
    """A process at each server, which is started again whenever it ends."""

    def __init__(self, ports):
        self.isStopping = False
        self.running = {}
        self.threads = [threading.Thread(target=self.supervise, args=(port,), daemon=True) for port in ports]
        for thread in self.threads:
            thread.start()

    def supervise(self, port):
        while not self.isStopping:
            program = [sys.executable, os.path.join(FOLDER, "rq_workers.py"), "worker", port]
            self.running[port] = subprocess.Popen(
                program, cwd=FOLDER, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self.running[port].wait()

    def stop(self):
        self.isStopping = True
        for process in self.running.values():
            process.kill()
        for thread in self.threads:
            thread.join()


def add(queues, request):
    number = request["job"]
    try:
        queues[request["daemon"]].enqueue("rq_workers.job", number, text="data", result_ttl=0)
        report({"added": number})
    except (RedisError, OSError) as reason:
        report({"failed": number, "reason": str(reason)})


def main():
    ports = sys.argv[1:]
    queues = [Queue("jobs", connection=Redis(port=int(port))) for port in ports]
    workers = Workers(ports)
    for _ in ports:
        report({"ready": True})
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "add":
                add(queues, request)
            elif request["do"] == "stop":
                workers.stop()
                report({"stopped": True})
            elif request["do"] == "check":
                listed = [number.decode() for number in queues[0].connection.lrange(queues[0].key, 0, -1)]
                absent = [id for id in listed if not queues[0].connection.exists("rq:job:" + id)]
                waiting = {"queued": len(listed)}
                report({"withoutData": len(absent), "withoutLifetime": 0, "waiting": waiting, "examples": absent[:3]})
    finally:
        workers.stop()


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if sys.argv[1] == "worker":
        sys.path.insert(0, FOLDER)
        work(sys.argv[2])
    else:
        main()
