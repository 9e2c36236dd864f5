"""Workers of RQ at several servers, for test/system/claims. Arguments: the ports. Requests and reports are those of
../npm/bullmq-workers.mjs."""
import json
import logging
import os
import subprocess
import sys
import threading
import traceback

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout, NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry

from job_reports import may_have_taken, report

FOLDER = os.path.dirname(os.path.abspath(__file__))


def job(number, text=None):
    report({"ran": number, "hasData": text == "data"})


class ReportingQueue(Queue):
    @classmethod
    def dequeue_any(cls, *args, **options):
        try:
            taken = super().dequeue_any(*args, **options)
        except DequeueTimeout:
            raise
        except Exception as reason:
            if may_have_taken(reason):
                report({"unknown": True})
            raise
        if taken is not None:
            report({"taken": taken[0].args[0]})
        return taken


class ReportingJob(Job):
    @classmethod
    def fetch(cls, id, *args, **options):
        try:
            return super().fetch(id, *args, **options)
        except NoSuchJobError:
            # RQ takes the next job without a word.
            report({"workerError": f"the job {id} has no data"})
            raise


class ErrorReports(logging.Handler):
    """Reports the errors for which a worker ends, or which let its job fail."""

    def emit(self, record):
        text = record.getMessage() if record.exc_info is None else str(record.exc_info[1])
        where = "" if record.exc_info is None else f"{frames_of(record.exc_info[2])}: "
        report({"workerError": where + text})


def frames_of(trace):
    """The functions of RQ that an error has passed."""
    frames = traceback.extract_tb(trace)
    return " > ".join(frame.name for frame in frames if "/rq/" in frame.filename)


def work(port):
    """The worker's process: it ends when its server is killed."""
    logging.getLogger("rq.worker").addHandler(ErrorReports(logging.ERROR))
    connection = Redis(port=int(port), socket_connect_timeout=1)
    queue = ReportingQueue("jobs", connection=connection)
    worker = SimpleWorker([queue], connection=connection, queue_class=ReportingQueue, job_class=ReportingJob)
    worker.work(logging_level="ERROR")


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
                failed = FailedJobRegistry(queue=queues[0]).get_job_ids()
                found = {"waiting": waiting, "examples": absent[:3], "failedJobs": len(failed)}
                report({"withoutData": len(absent), "withoutLifetime": 0, **found})
    finally:
        workers.stop()


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if sys.argv[1] == "worker":
        sys.path.insert(0, FOLDER)
        work(sys.argv[2])
    else:
        main()
