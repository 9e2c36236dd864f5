<?php
/**
 * Runs one call of a library that needs a command which a sidecar refuses, and prints what the program sees: the
 * exception, or the value and the warnings. Arguments: the call, and the port.
 */
[, $call, $port] = $argv;
foreach (['Illuminate/Contracts', 'Illuminate/Support', 'Illuminate/Redis', 'Illuminate/Cache', 'Symfony/Component/Lock', 'Symfony/Component/Cache', 'Predis'] as $folder) {
    @include_once "/usr/share/php/$folder/autoload.php";
}
@include_once 'Predis/Autoloader.php';
Predis\Autoloader::register();

use Illuminate\Cache\RedisStore as Cache;
use Illuminate\Redis\Limiters\DurationLimiter;
use Illuminate\Redis\RedisManager;
use Symfony\Component\Cache\Adapter\RedisAdapter;
use Symfony\Component\Cache\Adapter\RedisTagAwareAdapter;
use Symfony\Component\Cache\Adapter\TagAwareAdapter;
use Symfony\Component\Lock\LockFactory;
use Symfony\Component\Lock\Store\RedisStore as LockStore;

/** Seconds after which a lock would expire. */
const LEASE = 600;
/** A script that writes a key on which the members do not decide. */
const SCRIPT = "return redis.call('set', 'undecided', '1')";

function phpredis(int $port): Redis
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', $port);
    return $redis;
}

function laravel(string $driver, int $port): RedisManager
{
    return new RedisManager(null, $driver, ['default' => ['host' => '127.0.0.1', 'port' => $port]]);
}

function cache(string $driver, int $port): Illuminate\Cache\Repository
{
    return new Illuminate\Cache\Repository(new Cache(laravel($driver, $port)));
}

/** Tags an item, invalidates the tag, and returns the answer and whether the item is still there. */
function invalidated($adapter): array
{
    $item = $adapter->getItem('item')->set('old')->tag('tag');
    $saved = $adapter->save($item);
    $answer = $adapter->invalidateTags(['tag']);
    return ['saved' => $saved, 'answer' => $answer, 'isHit' => $adapter->getItem('item')->isHit()];
}

function session(int $port): string
{
    foreach ([
        'session.save_handler' => 'redis', 'session.save_path' => "tcp://127.0.0.1:$port",
        'session.use_cookies' => '0', 'session.cache_limiter' => '', 'redis.session.locking_enabled' => '1',
        'redis.session.lock_retries' => '10', 'redis.session.lock_wait_time' => '2000', 'redis.session.lock_expire' => '600',
    ] as $name => $value) {
        ini_set($name, $value);
    }
    session_id('refused' . getmypid());
    session_start();
    $_SESSION['visits'] = 1;
    session_write_close();
    return 'closed';
}

$symfony = ['phpredis' => fn () => phpredis((int) $port), 'predis' => fn () => new Predis\Client(['port' => (int) $port])];
$calls = [
    'phpredis eval' => fn () => phpredis($port)->eval(SCRIPT),
    'phpredis pipeline eval' => fn () => phpredis($port)->pipeline()->eval(SCRIPT)->exec(),
    'phpredis blPop' => fn () => phpredis($port)->blPop(['list'], 1),
    'phpredis xRead block' => fn () => phpredis($port)->xRead(['stream' => '$'], 1, 1),
    'phpredis publish' => fn () => phpredis($port)->publish('news', 'one'),
    'phpredis subscribe' => fn () => phpredis($port)->subscribe(['news'], fn () => null),
    'phpredis pSubscribe' => fn () => phpredis($port)->psubscribe(['news*'], fn () => null),
    'phpredis wait' => fn () => phpredis($port)->wait(1, 100),
    'PHP session' => fn () => session((int) $port),
    'predis eval' => fn () => (new Predis\Client(['port' => $port]))->eval(SCRIPT, 0),
    'predis subscribe' => function () use ($port) {
        $loop = (new Predis\Client(['port' => $port]))->pubSubLoop();
        $loop->subscribe('news');
        return $loop->current()->kind;
    },
];
foreach (['phpredis', 'predis'] as $driver) {
    $limiter = fn () => new DurationLimiter(laravel($driver, (int) $port)->connection(), 'limiter', 5, LEASE);
    $calls += [
        "Laravel $driver Cache::add" => fn () => cache($driver, (int) $port)->add('key' . getmypid(), 1, LEASE),
        "Laravel $driver lock" => fn () => cache($driver, (int) $port)->getStore()->lock('lock' . getmypid(), LEASE)->get(),
        "Laravel $driver release" => fn () => cache($driver, (int) $port)->getStore()->restoreLock('lock', 'owner')->release(),
        "Laravel $driver throttle" => fn () => $limiter()->acquire(),
        "Symfony $driver acquire" => fn () => (new LockFactory(new LockStore($symfony[$driver]())))->createLock('lock', LEASE)->acquire(),
        "Symfony $driver RedisTagAwareAdapter" => fn () => invalidated(new RedisTagAwareAdapter($symfony[$driver](), 'r' . getmypid())),
        "Symfony $driver TagAwareAdapter" => fn () => invalidated(new TagAwareAdapter(new RedisAdapter($symfony[$driver](), 't' . getmypid()))),
    ];
}

$warnings = [];
set_error_handler(function (int $level, string $text) use (&$warnings): bool {
    if (in_array($level, [E_WARNING, E_USER_WARNING])) $warnings[] = $text;
    return true;
});
$since = microtime(true);
try {
    $found = ['returned' => $calls[$call]()];
} catch (Throwable $error) {
    $found = ['threw' => get_class($error) . ': ' . $error->getMessage()];
}
echo json_encode($found + ['warnings' => $warnings, 'ms' => round(1000 * (microtime(true) - $since))], JSON_UNESCAPED_SLASHES), "\n";
