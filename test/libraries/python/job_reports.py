"""What the workers in celery_workers.py and rq_workers.py report to test/system/claims."""
import json
import os

from redis.exceptions import BusyLoadingError


def report(line):
    os.write(1, (json.dumps(line) + "\n").encode())


def may_have_taken(reason):
    """Whether a claim that failed may have taken a job: it was sent, and was not refused without an effect."""
    text = str(reason)
    is_refused = isinstance(reason, BusyLoadingError) or text.startswith("NOTAPPLIED")
    return not is_refused and " connecting to " not in text
