<?php
/**
 * A client that acquires and releases locks without waiting, as ../npm/lock-clients.mjs. Arguments: the library
 * ("Laravel" or "Symfony"), its client ("phpredis" or "predis"), and the port.
 */
[, $library, $driver, $port] = $argv;
foreach (['Illuminate/Contracts', 'Illuminate/Support', 'Illuminate/Redis', 'Illuminate/Cache', 'Symfony/Component/Lock'] as $folder) {
    @include_once "/usr/share/php/$folder/autoload.php";
}
require_once 'Predis/Autoloader.php';
Predis\Autoloader::register();

use Illuminate\Cache\RedisStore as Cache;
use Illuminate\Redis\RedisManager;
use Symfony\Component\Lock\Exception\LockReleasingException;
use Symfony\Component\Lock\LockFactory;
use Symfony\Component\Lock\Store\RedisStore;

const LEASE = 600;

if ($library === 'Laravel') {
    $manager = new RedisManager(null, $driver, ['default' => ['host' => '127.0.0.1', 'port' => (int) $port]]);
    $store = new Cache($manager);
    $open = fn (string $name) => $store->lock($name, LEASE);
} else {
    if ($driver === 'phpredis') {
        $client = new Redis();
        $client->connect('127.0.0.1', (int) $port);
    } else {
        $client = new Predis\Client(['port' => (int) $port]);
    }
    $factory = new LockFactory(new RedisStore($client));
    $open = fn (string $name) => $factory->createLock($name, LEASE, false);
}

$held = [];
/** @return bool whether the lock was the client's own */
function released($lock): bool
{
    // Symfony reports a failure by an exception, and returns nothing.
    return $lock->release() ?? true;
}
$calls = [
    'acquire' => function (string $name) use ($open, $library, &$held): bool {
        $held[$name] = $open($name);
        return $library === 'Laravel' ? $held[$name]->get() : $held[$name]->acquire();
    },
    'release' => function (string $name) use (&$held): bool {
        return released($held[$name]);
    },
    'steal' => function (string $name) use ($open, $library, $driver): bool {
        if ($library === 'Laravel') return released($open($name));
        // A release without an error has no effect for a token that does not hold the lock.
        $open($name)->release();
        return false;
    },
];
// Otherwise a busy machine, on which no line arrives for a minute (default_socket_timeout), ends the input.
stream_set_timeout(STDIN, 100000);
echo "ready\n";
while (($line = fgets(STDIN)) !== false) {
    [$call, $name] = explode(' ', trim($line));
    try {
        $answer = $calls[$call]($name);
    } catch (LockReleasingException $error) {
        $answer = ['error' => $error->getMessage()];
    } catch (Throwable $error) {
        $cause = $error->getPrevious() ?? $error;
        $answer = ['error' => get_class($cause) . ': ' . $cause->getMessage()];
    }
    echo json_encode($answer), "\n";
}
