<?php
/*
 * Documents from PHP: creates, searches and removes a table of users. Requires no extension.
 *   php users.php 127.0.0.1 8888
 */
[, $host, $port] = $argv + [1 => '127.0.0.1', 2 => '8888'];
$server = stream_socket_client("tcp://$host:$port", $code, $reason, 3) or exit("no connection: $reason\n");
stream_set_timeout($server, 10);

/** Sends a request and returns the members of the answer. A request is one line, and an answer ends with LF and CR. */
function ask($server, array $request): array
{
    fwrite($server, json_encode($request) . "\n");
    $answer = json_decode((string) stream_get_line($server, 64 << 20, "\n\r"), true);
    if (($answer['status'] ?? null) !== 'success') {
        exit('refused: ' . ($answer['message'] ?? 'the connection was closed') . "\n");
    }
    return $answer;
}

ask($server, ['action' => 'create', 'document' => 'php_users']);
ask($server, ['action' => 'insert', 'document' => 'php_users', 'data' => [
    ['name' => 'John', 'role' => 'admin'],
    ['name' => 'Andrew', 'role' => 'user'],
]]);
$found = ask($server, ['action' => 'get', 'document' => 'php_users', 'query' => ['role' => 'user']]);
foreach ($found['data'] ?? [] as $user) {
    echo $user['name'], "\n";
}
echo ask($server, ['action' => 'count', 'document' => 'php_users'])['count'], " users\n";
ask($server, ['action' => 'drop', 'document' => 'php_users']);
