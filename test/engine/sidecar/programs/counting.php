<?php
// Counts through PHP's redis extension: php counting.php PORT; of each line, a key, it prints what INCR has made of it.

error_reporting(-1);
// A warning ends it.
set_error_handler(function (int $level, string $text) {
    throw new ErrorException($text);
});

$r = new Redis();
$r->connect('127.0.0.1', (int) $argv[1]);
while (($line = fgets(STDIN)) !== false) {
    $key = trim($line);
    $counted = $r->incr($key);
    if ($r->get($key) !== (string) $counted) {
        throw new Exception('GET told otherwise than INCR');
    }
    if ($r->multi()->rPush('list of PHP', $counted)->get($key)->exec() !== [$counted, (string) $counted]) {
        throw new Exception('EXEC told otherwise than INCR');
    }
    echo $counted, "\n";
}
