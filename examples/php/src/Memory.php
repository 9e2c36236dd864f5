<?php
declare(strict_types=1);

namespace Dbsync;

/** PHP's memory, of which memory_limit is the bound. */
final class Memory
{
    /** @return int  bytes until the limit, or PHP_INT_MAX */
    public static function left(): int
    {
        $limit = ini_get('memory_limit');
        $unit = ['k' => 1 << 10, 'm' => 1 << 20, 'g' => 1 << 30][strtolower(substr($limit, -1))] ?? 1;
        return (int) $limit < 0 ? PHP_INT_MAX : (int) $limit * $unit - memory_get_usage(true);
    }
}
