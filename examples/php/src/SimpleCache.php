<?php
declare(strict_types=1);

namespace Dbsync;

// PSR-16's own interface, where Composer gives it (psr/simple-cache); else a name that stands for nothing.
if (interface_exists(\Psr\SimpleCache\CacheInterface::class)) {
    interface SimpleCache extends \Psr\SimpleCache\CacheInterface
    {
    }
} else {
    interface SimpleCache
    {
    }
}
