<?php
/*
 * A signed client that competes with other programs. `contender.php dbsync.php SERVERS KEY TIMEOUT` reads a line of JSON for each unit, which has
 * one command and no condition. It prints the reply, or the effect of a unit that failed.
 */
declare(strict_types=1);

require $argv[1];

$client = new Dbsync\Client(['servers' => $argv[2], 'signkey' => $argv[3], 'timeout' => (float) $argv[4]]);
while (($line = fgets(STDIN)) !== false) {
    [[$command]] = json_decode($line, true, 16, JSON_THROW_ON_ERROR);
    try {
        $end = ['reply' => $client->call($command)];
    } catch (Dbsync\Failure $failure) {
        $end = ['effect' => $failure->effect, 'text' => get_class($failure) . ' ' . strtok($failure->getMessage(), ':')];
    }
    echo json_encode($end, JSON_THROW_ON_ERROR), "\n";
}
