<?php
// A conversation through PHP's redis extension: php conversation.php PORT prints the answers as JSON, by topic.

error_reporting(-1);
// A warning ends the conversation.
set_error_handler(function (int $level, string $text) {
    throw new ErrorException($text);
});

function client($login = ['ann', 'secret']): Redis
{
    $r = new Redis();
    $r->connect('127.0.0.1', (int) $_SERVER['argv'][1], 5.0);
    if ($login !== null) {
        $r->auth($login);
    }
    return $r;
}

/** Returns the server's error message, from an exception or as the client stored it. */
function problem(Redis $r, callable $call): array
{
    $r->clearLastError();
    try {
        return [$call(), $r->getLastError()];
    } catch (RedisException $exception) {
        return [get_class($exception), $exception->getMessage()];
    }
}

function sorted(array $items): array
{
    sort($items);
    return $items;
}

function strings(Redis $r): iterable
{
    yield $r->set('k', 'v', ['nx', 'ex' => 100]);
    yield $r->set('k', 'w', ['nx']);
    yield $r->getSet('k', 'w');
    yield $r->get('none');
    yield $r->mset(['a' => 1, 'b' => 'é', 'n' => "\0\r\n\xff"]);
    yield $r->mget(['a', 'b', 'n', 'none']);
    yield $r->incrBy('a', 41);
    yield $r->incrByFloat('a', 0.5);
    yield $r->expire('a', 100);
    yield $r->ttl('a') > 90;
    yield $r->ttl('b');
    yield $r->exists('a', 'b', 'none');
    yield $r->type('a') === Redis::REDIS_STRING;
    yield $r->getRange('a', 0, 1);
    yield $r->setBit('bits', 7, true);
    yield $r->restore('copy', 0, $r->dump('b'));
    yield $r->get('copy');
    yield $r->del('k', 'none');
}

function hashes(Redis $r): iterable
{
    yield $r->hMSet('h', ['name' => 'Ada', 'age' => 36]);
    yield $r->hSet('h', 'city', 'London');
    yield $r->hGetAll('h');
    yield $r->hGetAll('none');
    yield $r->hGet('h', 'none');
    yield $r->hMGet('h', ['age', 'none']);
    yield $r->hIncrByFloat('h', 'age', 0.5);
    yield $r->hKeys('h');
    yield $r->hDel('h', 'name');
}

function lists(Redis $r): iterable
{
    yield $r->rPush('l', 'a', 'b', 'c');
    yield $r->lRange('l', 0, -1);
    yield $r->lIndex('l', 7);
    yield $r->rawCommand('LMOVE', 'l', 'm', 'LEFT', 'RIGHT');
    yield $r->lPop('none');
    yield $r->blPop(['none', 'm'], 1);
    yield $r->lTrim('l', 0, 0);
    yield $r->rPush('l', 3, 1, 2);
    yield $r->sort('l', ['alpha' => true, 'sort' => 'desc']);
}

function sets(Redis $r): iterable
{
    yield $r->sAdd('s', 'a', 'b', 'c');
    yield sorted($r->sMembers('s'));
    yield $r->sIsMember('s', 'a');
    yield $r->sInterStore('t', 's', 's');
    yield sorted($r->sPop('t', 3));
    yield $r->sRandMember('none');
}

function sortedSets(Redis $r): iterable
{
    yield $r->zAdd('z', 1, 'a', 2.5, 'b', INF, 'c');
    yield array_map('strval', $r->zRange('z', 0, -1, true));
    yield $r->zRevRangeByScore('z', '+inf', '(1', ['limit' => [0, 1]]);
    yield $r->zScore('z', 'b');
    yield $r->zScore('z', 'none');
    yield $r->zIncrBy('z', 1.25, 'a');
    yield $r->zRank('z', 'c');
    yield $r->zPopMin('z');
    yield $r->geoAdd('g', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
    yield $r->geoPos('g', 'Palermo');
    yield $r->geoDist('g', 'Palermo', 'Catania', 'km');
    yield $r->geoRadius('g', 15, 37, 200, 'km', ['ASC', 'WITHDIST']);
}

function streams(Redis $r): iterable
{
    yield preg_match('/^\d+-\d+$/', $r->xAdd('log', '*', ['some' => 'thing']));
    yield $r->xAdd('x', '1-1', ['a' => 1, 'b' => 2]);
    yield $r->xAdd('x', '2-0', ['c' => 3]);
    yield $r->xLen('x');
    yield $r->xRange('x', '-', '+');
    yield $r->xRevRange('x', '+', '-', 1);
    yield $r->xRead(['x' => '1-1', 'none' => '0']);
    yield $r->xTrim('x', 1);
    yield $r->xDel('x', ['2-0']);
}

function pipelines(Redis $r): iterable
{
    $pipe = $r->pipeline();
    for ($number = 0; $number < 1000; $number++) {
        $pipe->incrBy('count', $number);
    }
    yield $pipe->lPush('count', 'x')->get('count')->exec();
}

function transactions(Redis $r): iterable
{
    $r->set('k', 1);
    yield $r->multi()->incr('k')->hSet('h', 'f', 1)->hGetAll('h')->get('none')->exec();
    yield $r->multi()->incr('k')->lPush('k', 'x')->get('k')->exec();
    $r->watch('k');
    client()->set('k', 9);
    yield $r->multi()->incr('k')->exec();
    $r->watch('k');
    yield $r->multi()->incr('k')->exec();
    yield $r->multi()->incr('k')->discard();
    yield $r->get('k');
}

function scanIterators(Redis $r): iterable
{
    $names = array_map(fn ($number) => "key:$number", range(0, 499));
    $r->mset(array_fill_keys($names, 'x'));
    $r->hMSet('h', array_fill_keys($names, 1));
    $r->sAddArray('s', $names);
    $r->zAdd('z', ...array_merge(...array_map(null, range(0, 499), $names)));
    $r->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $all = function (callable $next) {
        $cursor = null;
        $found = [];
        while (($batch = $next($cursor)) !== false) {
            $found = array_merge($found, $batch);
        }
        ksort($found);
        return $found;
    };
    yield sorted(array_unique($all(function (&$cursor) use ($r) { return $r->scan($cursor, 'key:4*', 50); })));
    yield $all(function (&$cursor) use ($r) { return $r->hScan('h', $cursor); });
    yield sorted($all(function (&$cursor) use ($r) { return $r->sScan('s', $cursor); }));
    yield $all(function (&$cursor) use ($r) { return $r->zScan('z', $cursor, 'key:1*'); });
}

function errors(Redis $r): iterable
{
    yield $r->set('k', 'x');
    yield problem($r, fn () => $r->incr('k'));
    yield problem($r, fn () => $r->lPush('k', 'x'));
    yield problem($r, fn () => $r->rawCommand('NOSUCH', 'command'));
    yield problem($r, fn () => $r->rawCommand('GET'));
    yield problem($r, fn () => $r->rawCommand('SET', 'k', 'v', 'MAYBE'));
    yield problem($r, fn () => $r->select(99));
    yield $r->ping();
}

function databases(Redis $r): iterable
{
    yield $r->select(3);
    yield $r->set('k', 'three');
    yield $r->dbSize();
    yield $r->move('k', 4);
    yield $r->select(4);
    yield $r->get('k');
    yield $r->rename('k', 'l');
    yield $r->keys('*');
    yield $r->select(0);
    yield $r->get('l');
}

function loggingIn(Redis $r): iterable
{
    $anonymous = client(null);
    yield problem($anonymous, fn () => $anonymous->get('k'));
    yield problem($anonymous, fn () => $anonymous->auth(['ann', 'wrong']));
    yield problem($anonymous, fn () => $anonymous->auth('secret'));
    $ben = client(['ben', 'word']);
    yield $ben->get('ben:1');
    yield problem($ben, fn () => $ben->get('k'));
    yield problem($ben, fn () => $ben->set('ben:1', 'x'));
}

/** Converts values to ones that JSON can represent; false and null remain unchanged. */
function readable($value)
{
    if (is_array($value)) {
        return array_combine(array_map('readable', array_keys($value)), array_map('readable', $value));
    }
    if (is_float($value)) {
        return (string) $value;
    }
    return is_string($value) && !preg_match('//u', $value) ? bin2hex($value) : $value;
}

$r = client();
$answers = [];
$topics = ['strings', 'hashes', 'lists', 'sets', 'sortedSets', 'streams', 'pipelines', 'transactions',
    'scanIterators', 'errors', 'databases', 'loggingIn'];
foreach ($topics as $topic) {
    $r->flushAll();
    $answers[$topic] = readable(iterator_to_array($topic($r), false));
}
echo json_encode($answers, JSON_THROW_ON_ERROR);
