<?php
/**
 * PHP sessions in Redis with the extension redis, with locks: concurrent requests of one session do not lose each
 * other's writes. Arguments: the port; for a request also "request" and the session's id.
 */
$port = $argv[1];
ini_set('session.save_handler', 'redis');
ini_set('session.save_path', "tcp://127.0.0.1:$port?prefix=shop:");
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');
ini_set('redis.session.locking_enabled', '1');
ini_set('redis.session.lock_retries', '50000');
ini_set('redis.session.lock_wait_time', '2000');
ini_set('redis.session.lock_expire', '600');

if (($argv[2] ?? '') === 'request') {
    session_id($argv[3]);
    session_start();
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    usleep(20000);
    session_write_close();
    exit(0);
}

$id = bin2hex(random_bytes(16));
$requests = [];
for ($i = 0; $i < 8; $i++) {
    $requests[] = proc_open([PHP_BINARY, __FILE__, $port, 'request', $id], [], $pipes);
}
foreach ($requests as $request) {
    if (proc_close($request) !== 0) {
        fwrite(STDERR, "a request failed\n");
        exit(1);
    }
}
session_id($id);
session_start();
if ($_SESSION['visits'] !== 8) {
    fwrite(STDERR, "the session has {$_SESSION['visits']} of 8 visits\n");
    exit(1);
}
session_regenerate_id(true);
$_SESSION['cart'] = ['tea', "\0\xff"];
$new = session_id();
session_write_close();
session_id($new);
session_start();
if ($new === $id || $_SESSION['cart'] !== ['tea', "\0\xff"]) {
    fwrite(STDERR, "the session is lost under its new id\n");
    exit(1);
}
session_destroy();
$redis = new Redis();
$redis->connect('127.0.0.1', (int) $port);
if ($redis->keys('shop:*') !== []) {
    fwrite(STDERR, 'left: ' . implode(' ', $redis->keys('shop:*')) . "\n");
    exit(1);
}
