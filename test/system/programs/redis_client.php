<?php
/**
 * A client of phpredis. `redis_client.php PORT` sends each line of standard input, which is a JSON array of arguments,
 * and prints the reply as a line of JSON.
 */
$redis = new Redis();
$redis->connect('127.0.0.1', (int) $argv[1]);
while (($line = fgets(STDIN)) !== false) {
    $redis->clearLastError();
    try {
        $reply = $redis->rawCommand(...json_decode($line));
        $error = $redis->getLastError();
    } catch (RedisException $problem) {
        $error = $problem->getMessage();
    }
    echo json_encode($error === null ? ['reply' => $reply] : ['error' => $error]), "\n";
}
