<?php
/** Predis: pipelines, a transaction with WATCH, scripts as commands, publish/subscribe, iteration. Argument: the port. */
require 'Predis/Autoloader.php';
Predis\Autoloader::register();

function check(bool $isTrue, string $what): void
{
    if (!$isTrue) {
        fwrite(STDERR, "not so: $what\n");
        exit(1);
    }
}

class AddAll extends Predis\Command\ScriptCommand
{
    public function getKeysCount()
    {
        return 1;
    }

    public function getScript()
    {
        return 'for i = 1, #ARGV do redis.call("RPUSH", KEYS[1], ARGV[i]) end return redis.call("LLEN", KEYS[1])';
    }
}

$parameters = ['host' => '127.0.0.1', 'port' => (int) $argv[1], 'read_write_timeout' => 100];
$client = new Predis\Client($parameters);
check($client->set('library', 'predis')->getPayload() === 'OK', 'SET');
check($client->get('library') === 'predis', 'GET');
$replies = $client->pipeline(function ($pipe) {
    for ($i = 0; $i < 100; $i++) {
        $pipe->set("key:$i", $i);
        $pipe->get("key:$i");
    }
});
check(count($replies) === 200 && $replies[199] === '99', 'a pipeline');
$replies = $client->transaction(['cas' => true, 'watch' => 'library', 'retry' => 3], function ($transaction) {
    $old = $transaction->get('library');
    $transaction->multi();
    $transaction->set('library', "$old again");
    $transaction->get('library');
});
check($replies[1] === 'predis again', 'a transaction');
check(count(iterator_to_array(new Predis\Collection\Iterator\Keyspace($client, 'key:*'))) === 100, 'SCAN');
$client->getProfile()->defineCommand('addall', 'AddAll');
check($client->addall('list', 'a', 'b', 'c') === 3 && $client->addall('list', 'd') === 4, 'a script');
try {
    $client->eval('return redis.call("INCR", KEYS[1])', 1, 'list');
    check(false, 'a failing script');
} catch (Predis\Response\ServerException $error) {
    check(strpos($error->getMessage(), 'WRONGTYPE') !== false, $error->getMessage());
}
$client->mset(['one' => 1, 'two' => 2]);
check($client->mget('one', 'two', 'three') === ['1', '2', null], 'MGET');
check($client->hmset('hash', ['a' => 1, 'b' => 2])->getPayload() === 'OK', 'HMSET');
check($client->hgetall('hash') === ['a' => '1', 'b' => '2'], 'HGETALL');

$heard = [];
$loop = (new Predis\Client($parameters))->pubSubLoop();
$loop->subscribe('news');
foreach ($loop as $message) {
    if ($message->kind === 'subscribe') {
        check($client->publish('news', 'one') === 1, 'PUBLISH');
        $client->publish('news', 'end');
    } elseif ($message->kind === 'message') {
        $heard[] = $message->payload;
        if ($message->payload === 'end') {
            $loop->unsubscribe();
        }
    }
}
check($heard === ['one', 'end'], 'publish/subscribe');
