"""Repeats an operation until the input ends. Prints a number after each success, and at the end the failures by error."""
import json
import sys
import threading
import time
from collections import Counter


def repeat(operation):
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    done, errors = 0, Counter()
    while not over.is_set():
        try:
            operation()
            done += 1
            print(done, flush=True)
        except Exception as error:
            errors[f"{type(error).__name__}: {error}"] += 1
        time.sleep(0.01)
    print(json.dumps(errors), flush=True)
