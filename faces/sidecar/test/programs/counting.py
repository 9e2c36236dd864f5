"""Counts through Python's redis package: python3 counting.py PORT. For each line, which is a key, it prints the result of INCR."""

import sys

import redis

r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
for line in sys.stdin:
    key = line.strip()
    counted = r.incr(key)
    if r.get(key) != str(counted):
        sys.exit("GET and INCR disagree")
    with r.pipeline(transaction=True) as together:
        if together.rpush("list of Python", counted).get(key).execute() != [counted, str(counted)]:
            sys.exit("EXEC and INCR disagree")
    print(counted, flush=True)
