"""A job of RQ that is deleted at one server while a program changes it at another one, as ../npm/removed-keys.mjs.
Arguments: the phase, and the ports of two servers."""
import json
import sys
import time

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job

ID = "mine"
# Longer than the resolution of the servers' clocks, in seconds.
LATER = 0.02

phase = sys.argv[1]
first, second = [Redis(port=int(port)) for port in sys.argv[2:4]]


def fetched():
    try:
        return Job.fetch(ID, connection=second).id
    except NoSuchJobError:
        return None


if phase == "begin":
    found = Queue("jobs", connection=first).enqueue("time.time", job_id=ID).id
elif phase == "use":
    Job.fetch(ID, connection=first).delete()
    time.sleep(LATER)
    Job.fetch(ID, connection=second).set_status("deferred")
    found = "changed"
else:
    held = [field.decode() for field in second.hkeys("rq:job:" + ID)]
    before = fetched()
    Queue("jobs", connection=second).enqueue("time.time", job_id=ID)
    found = {"held": held, "fetched": before, "fetchedLater": fetched()}
print(json.dumps(found))
