"""A client of redis-py. `redis_client.py PORT` sends each line of standard input, which is a JSON array of arguments, and prints the reply as a line of JSON."""

import json
import sys

import redis

client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
# Replies as the server sends them: redis-py would convert OK to True.
client.response_callbacks.clear()

for line in sys.stdin:
    try:
        reply = {"reply": client.execute_command(*json.loads(line))}
    except redis.RedisError as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
