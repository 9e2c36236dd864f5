"""Workers of Celery at several servers, for test/system/claims. Arguments: the ports. Requests and reports are those of
../npm/bullmq-workers.mjs."""
import json
import os
import subprocess
import sys
import threading
from queue import Empty

from celery import Celery, signals
from kombu.exceptions import OperationalError
from kombu.transport import redis

from job_reports import may_have_taken, report

# Seconds after which a message without an acknowledgement is delivered again.
VISIBILITY_SECONDS = 30
FOLDER = os.path.dirname(os.path.abspath(__file__))


def app_of(port):
    app = Celery("celery_workers", broker=f"redis://127.0.0.1:{port}/0")
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Seconds between the attempts to connect, and their number for a client that adds a job.
        broker_transport_options={
            "interval_start": 0,
            "interval_step": 0.05,
            "interval_max": 0.05,
            "visibility_timeout": VISIBILITY_SECONDS,
        },
        task_ignore_result=True,
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
    )
    return app


class ReportingQoS(redis.QoS):
    taken = 0

    def append(self, message, delivery_tag):
        self.taken += 1
        report({"taken": message.payload[0][0]})
        super().append(message, delivery_tag)

    def ack(self, delivery_tag):
        number = self.get(delivery_tag).payload[0][0]
        try:
            super().ack(delivery_tag)
        except Exception:
            report({"notEnded": number})
            raise

    def restore_visible(self, start=0, num=10, interval=1):
        """Searches at each tenth second, instead of each hundredth."""
        super().restore_visible(start, num, interval)


class ReportingChannel(redis.Channel):
    QoS = ReportingQoS

    def _brpop_read(self, **options):
        taken = self.qos.taken
        try:
            return super()._brpop_read(**options)
        except Empty:
            raise
        except Exception as reason:
            if self.qos.taken == taken and may_have_taken(reason):
                report({"unknown": True})
            raise


redis.Transport.Channel = ReportingChannel
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


class Workers:
    """A worker at each server. An error reply ends a worker, and its supervisor starts it again."""

    def __init__(self, ports):
        self.isStopping = False
        self.running = {}
        self.threads = [
            threading.Thread(target=self.supervise, args=each, daemon=True) for each in enumerate(ports)
        ]
        for thread in self.threads:
            thread.start()

    def supervise(self, daemon, port):
        while not self.isStopping:
            self.running[daemon] = start_worker(daemon, port)
            self.running[daemon].wait()

    def stop(self):
        self.isStopping = True
        for worker in self.running.values():
            worker.terminate()
        for thread in self.threads:
            thread.join()

    def kill(self):
        self.isStopping = True
        for worker in self.running.values():
            worker.kill()


def main():
    ports = sys.argv[1:]
    apps = [app_of(port) for port in ports]
    workers = Workers(ports)
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "add":
                add(apps, request)
            elif request["do"] == "stop":
                workers.stop()
                report({"stopped": True})
            elif request["do"] == "check":
                with apps[0].connection_for_read() as connection:
                    client = connection.default_channel.client
                    waiting = {"celery": client.llen("celery"), "unacked": client.hlen("unacked")}
                report({"withoutData": 0, "withoutLifetime": 0, "waiting": waiting, "examples": []})
    finally:
        workers.kill()


if __name__ == "__main__":
    main()
