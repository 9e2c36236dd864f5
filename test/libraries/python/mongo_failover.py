"""Writes and reads through pymongo, one operation after the other, until its input ends. Argument: the connection string.
Prints the number of successful operations, and at the end the number of failed ones by error."""
import json
import sys
import threading
from collections import Counter

from pymongo import MongoClient

items = MongoClient(sys.argv[1], serverSelectionTimeoutMS=30000).shop.python
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
done = 0
errors = Counter()
while not over.is_set():
    try:
        items.insert_one({"n": done})
        items.find_one({"n": done})
        done += 1
        print(done, flush=True)
    except Exception as error:
        errors[f"{type(error).__name__}: {error}"] += 1
print(json.dumps(errors), flush=True)
