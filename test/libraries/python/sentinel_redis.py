"""Increments a counter by redis-py at the master that sentinels name, until its input ends. Prints a number after each
increment, and at the end the number of failed ones by error. Arguments: the name of the master, and the sentinels' ports."""
import sys

from redis.sentinel import Sentinel

from repeat import repeat

name, *ports = sys.argv[1:]
sentinel = Sentinel([("127.0.0.1", int(port)) for port in ports], socket_timeout=1, min_other_sentinels=0)
redis = sentinel.master_for(name, socket_timeout=5, socket_connect_timeout=1)
repeat(lambda: redis.incr("counter"))
