<?php
declare(strict_types=1);

namespace Dbsync;

/** The memory that PHP may still use, according to memory_limit. */
final class Memory
{
    /** @return int  the number of bytes until the limit, or PHP_INT_MAX */
    public static function left(): int
    {
        $limit = ini_get('memory_limit');
        $unit = ['k' => 1 << 10, 'm' => 1 << 20, 'g' => 1 << 30][strtolower(substr($limit, -1))] ?? 1;
        return (int) $limit < 0 ? PHP_INT_MAX : (int) $limit * $unit - memory_get_usage(true);
    }
}
