<?php
/**
 * Increments a counter by predis at the master that sentinels name, as sentinel-phpredis.php does by phpredis. A client
 * of predis no longer asks sentinels that have failed once, so the program makes another one after an error.
 */
require 'Predis/Autoloader.php';
require __DIR__ . '/repeat.php';
Predis\Autoloader::register();

$sentinels = array_map(
    fn (string $port): string => "tcp://127.0.0.1:$port?timeout=1&read_write_timeout=1",
    array_slice($argv, 2)
);
$options = [
    'replication' => 'sentinel',
    'service' => $argv[1],
    'parameters' => ['timeout' => 1, 'read_write_timeout' => 5],
];
$client = null;
repeat(function () use (&$client, $sentinels, $options): void {
    try {
        $client ??= new Predis\Client($sentinels, $options);
        $client->incr('counter');
    } catch (Predis\PredisException $error) {
        $client = null;
        throw $error;
    }
});
