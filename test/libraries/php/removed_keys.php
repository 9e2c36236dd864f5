<?php
/** Laravel's Redis::throttle, as ../npm/removed-keys.mjs: ten limiters. Arguments: the phase, and the ports of two servers. */
foreach (glob('/usr/share/php/Illuminate/*/autoload.php') as $file) {
    require_once $file;
}

use Illuminate\Redis\Connections\PhpRedisConnection;
use Illuminate\Redis\Limiters\DurationLimiter;

const LIMITERS = 10;
/** A limiter that is reset by a write instead. */
const RESET = 'reset';
const LIMIT = 5;
const SECONDS = 600;
/** Longer than the resolution of the servers' clocks, in microseconds. */
const LATER_US = 20000;

function connection(int $port): PhpRedisConnection
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', $port);
    return new PhpRedisConnection($redis);
}

[, $phase, $one, $other] = $argv;
[$first, $second] = [connection((int) $one), connection((int) $other)];
$names = [...array_map(fn ($number) => "limiter$number", range(1, LIMITERS)), RESET];
$admits = fn (PhpRedisConnection $redis, string $name) => (new DurationLimiter($redis, $name, LIMIT, SECONDS))->acquire();

$found = [];
if ($phase === 'begin') {
    foreach ($names as $name) {
        $found[] = $admits($first, $name);
    }
} elseif ($phase === 'use') {
    // Laravel's clear() of a limiter is this command.
    foreach ($names as $name) {
        if ($name !== RESET) {
            $first->del($name);
        }
    }
    $first->client()->hMSet(RESET, ['start' => 0, 'end' => 0, 'count' => 0]);
    usleep(LATER_US);
    foreach ($names as $name) {
        $found[] = $admits($second, $name);
    }
} else {
    foreach ($names as $name) {
        $held = array_keys($second->client()->hGetAll($name));
        $next = $admits($second, $name);
        $found[] = ['held' => $held, 'admits' => $next, 'error' => $second->client()->getLastError()];
        $second->client()->clearLastError();
    }
}
echo json_encode($found), "\n";
