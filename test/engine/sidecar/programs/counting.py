"""Counts through Python's redis package: python3 counting.py PORT; of each line, a key, it prints what INCR has made of it."""

import sys

import redis

r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
for line in sys.stdin:
    key = line.strip()
    counted = r.incr(key)
    if r.get(key) != str(counted):
        sys.exit("GET told otherwise than INCR")
    with r.pipeline(transaction=True) as together:
        if together.rpush("list of Python", counted).get(key).execute() != [counted, str(counted)]:
            sys.exit("EXEC told otherwise than INCR")
    print(counted, flush=True)
