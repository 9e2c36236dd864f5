"""RQ: a queue with many jobs is emptied. Arguments: the port; the number of jobs."""
import os
import sys
import time

from redis import Redis
from rq import Queue

PART = 1000


def main():
    connection = Redis(port=int(sys.argv[1]))
    count = int(sys.argv[2])
    queue = Queue("many", connection=connection)
    for start in range(0, count, PART):
        part = range(start, min(start + PART, count))
        queue.enqueue_many([Queue.prepare_data("os.getcwd", job_id=f"job-{i}") for i in part])
        # RQ removes the jobs that wait for a job together with it.
        with connection.pipeline() as pipeline:
            for i in part:
                pipeline.sadd(f"rq:job:job-{i}:dependents", f"later-{i}")
            pipeline.execute()
    assert queue.count == count
    started_at = time.monotonic()
    assert queue.empty() == count
    if "SHOW_TIMES" in os.environ:
        print("empty", round(1000 * (time.monotonic() - started_at)))
    assert queue.count == 0
    assert connection.keys("rq:job:*") == []


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    main()
