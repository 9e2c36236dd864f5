<?php
/**
 * Increments a counter by phpredis at the master that sentinels name, until its input ends: asks a sentinel when it
 * connects, as phpredis documents. Prints a number after each increment, and at the end the number of failed ones by
 * error. Arguments: the name of the master, and the sentinels' ports.
 */
require __DIR__ . '/repeat.php';

function connect(string $name, array $ports): Redis
{
    foreach ($ports as $port) {
        try {
            $sentinel = new RedisSentinel('127.0.0.1', (int) $port, 1.0, null, 0, 1.0);
            $address = $sentinel->getMasterAddrByName($name);
            if ($address === false) {
                continue;
            }
            $redis = new Redis();
            $redis->connect($address[0], (int) $address[1], 1.0, null, 0, 5.0);
            return $redis;
        } catch (RedisException) {
            // The next sentinel may be reachable.
        }
    }
    throw new RedisException('no sentinel names a master');
}

$name = $argv[1];
$ports = array_slice($argv, 2);
$redis = null;
repeat(function () use (&$redis, $name, $ports): void {
    try {
        $redis ??= connect($name, $ports);
        $redis->incr('counter');
    } catch (RedisException $error) {
        $redis = null;
        throw $error;
    }
});
