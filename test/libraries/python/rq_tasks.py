"""RQ: jobs (one that fails, one that waits for another, a delayed one) and a worker. Argument: the port."""
import os
import sys
import time
from datetime import timedelta

from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job


def count_words(text):
    return len(text.split())


def fail():
    raise ValueError("as it should")


def main():
    sys.modules["rq_tasks"] = sys.modules["__main__"]
    connection = Redis(port=int(sys.argv[1]))
    queue = Queue("words", connection=connection)
    jobs = [queue.enqueue("rq_tasks.count_words", "one " * i) for i in range(10)]
    failing = queue.enqueue("rq_tasks.fail")
    last = queue.enqueue("rq_tasks.count_words", "behind the others", depends_on=jobs)
    later = queue.enqueue_in(timedelta(seconds=1), "rq_tasks.count_words", "in a while")

    worker = SimpleWorker([queue], connection=connection)
    worker.work(burst=True, with_scheduler=False, logging_level="CRITICAL")
    results = [Job.fetch(job.id, connection=connection).result for job in jobs]
    assert results == list(range(10)), results
    assert Job.fetch(last.id, connection=connection).result == 3
    assert failing.get_status() == "failed" and "as it should" in Job.fetch(failing.id, connection=connection).exc_info
    assert len(queue.failed_job_registry) == 1
    assert later.get_status() == "scheduled"
    assert queue.scheduled_job_registry.get_job_ids() == [later.id]
    from rq.scheduler import RQScheduler

    scheduler = RQScheduler([queue], connection=connection)
    scheduler.acquire_locks()
    scheduler.prepare_registries()
    while not queue.job_ids:
        time.sleep(0.05)
        scheduler.enqueue_scheduled_jobs()
    worker.work(burst=True, logging_level="CRITICAL")
    assert Job.fetch(later.id, connection=connection).result == 3
    scheduler.release_locks()


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    main()
