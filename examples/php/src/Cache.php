<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * A cache according to PSR-16, for PHP 8. If psr/simple-cache is installed, the class implements its interface. A
 * failed read is a miss and a failed write returns false, so that a page can always be built. lastError() returns the
 * reason. Requires daemons of version 2.
 */
final class Cache implements SimpleCache
{
    /** The maximum size of one envelope. */
    private const MAX_KEYS = 500;
    private const MAX_BYTES = 4 * 1024 * 1024;
    private const SCAN_COUNT = '1000';

    private Client $client;
    private string $prefix;
    private ?int $ttl;
    /** @var bool|string[] */
    private $classes;
    private ?string $error = null;

    /**
     * @param Client  $client  a client of all daemons
     * @param string  $prefix  the prefix of all keys; clear() removes the keys with this prefix
     * @param int|null  $ttl     the default lifetime of values in seconds, or null if they do not expire
     * @param bool|string[]  $classes the classes of objects that may be restored: all, none, or a list
     * @throws Failure
     */
    public function __construct(Client $client, string $prefix = 'cache:', ?int $ttl = null, $classes = true)
    {
        if ($prefix === '') {
            throw new Failure('a cache needs a prefix: clear() removes all keys that begin with it');
        }
        [$this->client, $this->prefix, $this->ttl, $this->classes] = [$client, $prefix, $ttl, $classes];
    }

    /** Returns why the last call failed, or null if it succeeded. */
    public function lastError(): ?string
    {
        return $this->error;
    }

    /**
     * @param string $key
     * @param mixed  $default
     */
    public function get($key, $default = null): mixed
    {
        $this->error = null;
        $name = $this->name($key);
        return $this->value($this->attempt(fn () => $this->client->call(['GET', $name])), $default);
    }

    /**
     * @param string                 $key
     * @param mixed                  $value
     * @param int|\DateInterval|null $ttl
     */
    public function set($key, $value, $ttl = null): bool
    {
        return $this->setMultiple([self::checked($key) => $value], $ttl);
    }

    /** @param string $key */
    public function delete($key): bool
    {
        return $this->deleteMultiple([$key]);
    }

    /** @param string $key */
    public function has($key): bool
    {
        $this->error = null;
        $name = $this->name($key);
        return $this->attempt(fn () => $this->client->call(['EXISTS', $name])) === 1;
    }

    /**
     * @param iterable $keys
     * @param mixed    $default
     */
    public function getMultiple($keys, $default = null): iterable
    {
        $this->error = null;
        $keys = self::list($keys);
        $names = array_map([$this, 'name'], $keys);
        $values = [];
        foreach (array_chunk(array_combine($names, $keys), self::MAX_KEYS, true) as $some) {
            $found = $this->attempt(fn () => $this->client->call(array_merge(['MGET'], array_map('strval', array_keys($some)))));
            foreach (array_values($some) as $place => $key) {
                $values[$key] = $this->value(is_array($found) ? $found[$place] ?? null : null, $default);
            }
        }
        return $values;
    }

    /**
     * @param iterable  $values  the values by key
     * @param int|\DateInterval|null $ttl
     */
    public function setMultiple($values, $ttl = null): bool
    {
        $this->error = null;
        $seconds = $this->seconds($ttl);
        $commands = $names = [];
        foreach ($values as $key => $value) {
            $names[] = $name = $this->name(is_int($key) ? (string) $key : $key);
            $lasting = $seconds === null ? [] : ['EX', $seconds];
            $commands[] = array_merge(['SET', $name, serialize($value)], $lasting);
        }
        if ($seconds !== null && $seconds <= 0) {
            return $this->deleted($names);
        }
        $good = true;
        foreach (self::portions($commands) as $some) {
            $replies = $this->attempt(fn () => count($some) === 1 ? [$this->client->call($some[0])] : $this->client->multi($some));
            foreach ($replies ?? [null] as $reply) {
                $this->error = $reply instanceof CommandError ? $reply->getMessage() : $this->error;
                $good = $good && $reply === 'OK';
            }
        }
        return $good;
    }

    /** @param iterable $keys */
    public function deleteMultiple($keys): bool
    {
        $this->error = null;
        return $this->deleted(array_map([$this, 'name'], self::list($keys)));
    }

    /** Removes all keys with the prefix. Each daemon removes the keys that it has. */
    public function clear(): bool
    {
        $this->error = null;
        $pattern = addcslashes($this->prefix, '*?[]\\^') . '*';
        $names = [];
        $good = true;
        foreach ($this->client->servers() as $server) {
            $cursor = '0';
            do {
                $page = $this->attempt(fn () => $this->client->call(
                    ['SCAN', $cursor, 'MATCH', $pattern, 'COUNT', self::SCAN_COUNT],
                    ['servers' => $server]
                ));
                [$cursor, $some] = is_array($page) ? $page : ['0', []];
                $names += array_fill_keys($some, true);
                $good = $good && is_array($page);
            } while ($cursor !== '0');
        }
        return $this->deleted(array_map('strval', array_keys($names))) && $good;
    }

    /** @param string[] $names */
    private function deleted(array $names): bool
    {
        $good = true;
        foreach (array_chunk($names, self::MAX_KEYS) as $some) {
            $good = is_int($this->attempt(fn () => $this->client->call(array_merge(['DEL'], $some)))) && $good;
        }
        return $good;
    }

    /** @return mixed  null if no daemon answered; then `error` is set */
    private function attempt(callable $call)
    {
        try {
            return $call();
        } catch (Failure $failure) {
            $this->error = $failure->getMessage();
            return null;
        }
    }

    /**
     * @param mixed $bytes
     * @param mixed $default
     * @return mixed
     */
    private function value($bytes, $default)
    {
        $value = is_string($bytes) ? @unserialize($bytes, ['allowed_classes' => $this->classes]) : false;
        return $value === false && $bytes !== 'b:0;' ? $default : $value;
    }

    /** @param int|\DateInterval|null $ttl */
    private function seconds($ttl): ?int
    {
        if ($ttl instanceof \DateInterval) {
            $now = new \DateTimeImmutable();
            return $now->add($ttl)->getTimestamp() - $now->getTimestamp();
        }
        if ($ttl !== null && !is_int($ttl)) {
            throw new InvalidCacheKey('a lifetime is null, a number of seconds, or a DateInterval, not ' . gettype($ttl));
        }
        return $ttl ?? $this->ttl;
    }

    /** @param mixed $key */
    private function name($key): string
    {
        return $this->prefix . self::checked($key);
    }

    /** @param mixed $key */
    private static function checked($key): string
    {
        if (!is_string($key) || $key === '' || strpbrk($key, '{}()/\\@:') !== false) {
            $shown = is_string($key) ? "\"$key\"" : gettype($key);
            throw new InvalidCacheKey("$shown is no valid cache key: use a non-empty string without any of {}()/\\@:");
        }
        return $key;
    }

    /** @param mixed $keys */
    private static function list($keys): array
    {
        if (!is_iterable($keys)) {
            throw new InvalidCacheKey('keys must be an array or another iterable, not ' . gettype($keys));
        }
        return is_array($keys) ? array_values($keys) : iterator_to_array($keys, false);
    }

    /** @return string[][][]  the commands, split into parts that fit into one envelope each */
    private static function portions(array $commands): array
    {
        $portions = [];
        $bytes = $count = 0;
        foreach ($commands as $command) {
            $bytes += strlen($command[2]);
            if ($count === 0 || $count >= self::MAX_KEYS || $bytes > self::MAX_BYTES) {
                $portions[] = [];
                [$bytes, $count] = [strlen($command[2]), 0];
            }
            $portions[count($portions) - 1][] = $command;
            $count++;
        }
        return $portions;
    }
}
