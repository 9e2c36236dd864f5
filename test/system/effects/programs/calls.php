<?php
/*
 * Makes calls for the test of effects. Reads a JSON object from each line: `open` a client, make a `call`, or `finish`. Prints a JSON object
 * for each end.
 */
declare(strict_types=1);

require $argv[1];

const FINISH_SECONDS = 2;

$client = null;
while (($line = fgets(STDIN)) !== false) {
    $order = json_decode($line, true, 16, JSON_THROW_ON_ERROR);
    $end = ['id' => $order['id'], 'effect' => 'applied', 'outcomes' => [], 'text' => ''];
    if ($order['do'] === 'open') {
        $client = new Dbsync\Client(['servers' => $order['servers'], 'signkey' => $order['key'], 'versions' => '1,2']);
        continue;
    }
    try {
        if ($order['do'] === 'call') {
            $options = ['timeout' => $order['timeout'], 'policy' => $order['policy']];
            $client->call(['SET', $order['key'], str_repeat('v', $order['bytes'])], $options);
        } else {
            $client->call('PING', ['policy' => 'all', 'timeout' => FINISH_SECONDS]);
        }
    } catch (Dbsync\Failure $failure) {
        $end['effect'] = $failure->effect;
        $end['text'] = $failure->getMessage();
    }
    if ($order['do'] === 'finish') {
        $client->reset();
    }
    echo json_encode($end, JSON_THROW_ON_ERROR), "\n";
}
