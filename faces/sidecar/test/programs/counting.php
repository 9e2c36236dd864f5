<?php
// Counts through PHP's redis extension: php counting.php PORT. For each line, which is a key, it prints the result of
// INCR.

error_reporting(-1);
// A warning ends the program.
set_error_handler(function (int $level, string $text) {
    throw new ErrorException($text);
});

$r = new Redis();
$r->connect('127.0.0.1', (int) $argv[1]);
while (($line = fgets(STDIN)) !== false) {
    $key = trim($line);
    $counted = $r->incr($key);
    if ($r->get($key) !== (string) $counted) {
        throw new Exception('GET and INCR disagree');
    }
    if ($r->multi()->rPush('list of PHP', $counted)->get($key)->exec() !== [$counted, (string) $counted]) {
        throw new Exception('EXEC and INCR disagree');
    }
    echo $counted, "\n";
}
