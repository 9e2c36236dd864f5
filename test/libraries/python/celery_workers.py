"""Workers of Celery at several servers, for test/system/claims. Arguments: the ports. Requests and reports are those of
../npm/bullmq-workers.mjs."""
import json
import os
import subprocess
import sys

from celery import Celery, signals
from kombu.exceptions import OperationalError

FOLDER = os.path.dirname(os.path.abspath(__file__))


def app_of(port):
    app = Celery("celery_workers", broker=f"redis://127.0.0.1:{port}/0")
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Seconds between the attempts to connect, and their number for a client that adds a job.
        broker_transport_options={"interval_start": 0, "interval_step": 0.05, "interval_max": 0.05},
        task_ignore_result=True,
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
    )
    return app


def report(line):
    os.write(1, (json.dumps(line) + "\n").encode())


app = app_of(os.environ.get("LIBRARY_PORT", "0"))


@app.task(name="job")
def job(number, text=None):
    report({"ran": number, "hasData": text == "data"})


@signals.worker_ready.connect
def report_readiness(**_):
    report({"ready": True})


def add(apps, request):
    number = request["job"]
    try:
        apps[request["daemon"]].send_task("job", args=[number], kwargs={"text": "data"}, retry=False)
        report({"added": number})
    except (OperationalError, OSError) as reason:
        report({"failed": number, "reason": str(reason)})


def start_worker(daemon, port):
    options = ["-c", "2", "-P", "threads", "-l", "ERROR", "-n", f"worker{daemon}@%h"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_workers", "worker", *options, *quiet],
        cwd=FOLDER,
        env={**os.environ, "LIBRARY_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
    )


def main():
    ports = sys.argv[1:]
    apps = [app_of(port) for port in ports]
    workers = [start_worker(daemon, port) for daemon, port in enumerate(ports)]
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "add":
                add(apps, request)
            elif request["do"] == "stop":
                for worker in workers:
                    worker.terminate()
                for worker in workers:
                    worker.wait()
                report({"stopped": True})
            elif request["do"] == "check":
                with apps[0].connection_for_read() as connection:
                    client = connection.default_channel.client
                    waiting = {"celery": client.llen("celery"), "unacked": client.hlen("unacked")}
                report({"withoutData": 0, "withoutLifetime": 0, "waiting": waiting, "examples": []})
    finally:
        for worker in workers:
            worker.kill()


if __name__ == "__main__":
    main()
