<?php
/**
 * Increments a number by a library with its default options, once for each line of the input, which names the key.
 * Prints "ready", and for each call the library's answer or error as a line of JSON. Arguments: the library, a port.
 */
[, $library, $port] = $argv;
if ($library === 'phpredis') {
    $client = new Redis();
    $client->connect('127.0.0.1', (int) $port);
} else {
    require 'Predis/Autoloader.php';
    Predis\Autoloader::register();
    $client = new Predis\Client(['port' => (int) $port]);
}
$client->ping();
echo "ready\n";
while (($line = fgets(STDIN)) !== false) {
    try {
        $found = ['answer' => $client->incr(trim($line))];
        if ($library === 'phpredis') $found['lastError'] = $client->getLastError();
    } catch (Exception $error) {
        $found = ['error' => get_class($error) . ': ' . $error->getMessage()];
    }
    echo json_encode($found), "\n";
}
