<?php
/** Increments a counter by predis at the master that sentinels name, as sentinel-phpredis.php does by phpredis. */
require 'Predis/Autoloader.php';
require __DIR__ . '/repeat.php';
Predis\Autoloader::register();

$sentinels = array_map(fn (string $port): string => "tcp://127.0.0.1:$port?timeout=1&read_write_timeout=1", array_slice($argv, 2));
$client = new Predis\Client($sentinels, [
    'replication' => 'sentinel',
    'service' => $argv[1],
    'parameters' => ['timeout' => 1, 'read_write_timeout' => 5],
]);
repeat(fn () => $client->incr('counter'));
