<?php
declare(strict_types=1);

namespace Dbsync;

/** Reads the answers of version 1. */
final class Version1
{
    /** The maximum number of chunks in an answer. A daemon sends one chunk for each of its databases. */
    private const MAX_CHUNKS = 1000;

    /** Returns the first chunk between `$at` and `$end`, without its NUL; '' for "no value"; null for garbage. */
    public static function firstChunk(string $input, int $at, int $end): ?string
    {
        if ($end - $at === 1 && $input[$at] === "\0") {
            return '';
        }
        $first = null;
        $count = 0;
        for ($next = $at; $at < $end; $at = $next) {
            if (++$count > self::MAX_CHUNKS || preg_match('/\G[a-z]+:(\d{1,10}):/', $input, $match, 0, $at) !== 1) {
                return null;
            }
            $next = $at + strlen($match[0]) + (int) $match[1];
            if ((int) $match[1] === 0 || $next > $end || $input[$next - 1] !== "\0") {
                return null;
            }
            $first = $first ?? substr($input, $at, $next - 1 - $at);
        }
        return $first;
    }
}
