"""Celery with Redis as broker and result backend: calls, a chain, a group, a chord and a retry. Argument: the port."""
import os
import subprocess
import sys

from celery import Celery, chain, chord, group

port = os.environ.setdefault("LIBRARY_PORT", sys.argv[1] if len(sys.argv) > 1 else "")
app = Celery("celery_tasks", broker=f"redis://127.0.0.1:{port}/0", backend=f"redis://127.0.0.1:{port}/1")
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3, default_retry_delay=0)
def stubborn(self):
    if self.request.retries < 2:
        raise self.retry()
    return self.request.retries


def main():
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-c", "2", "-P", "threads", "-l", "WARNING"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        assert add.delay(2, 3).get(timeout=100) == 5
        assert chain(add.s(1, 2), add.s(3))().get(timeout=100) == 6
        assert group(add.s(i, i) for i in range(10))().get(timeout=100) == [2 * i for i in range(10)]
        assert chord([add.s(i, 1) for i in range(5)])(total.s()).get(timeout=100) == 15
        assert add.apply_async((1, 1), countdown=1).get(timeout=100) == 2
        assert stubborn.delay().get(timeout=100) == 2
        assert app.control.ping(timeout=60, limit=1), "no worker receives broadcasts"
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    sys.modules["celery_tasks"] = sys.modules["__main__"]
    main()
