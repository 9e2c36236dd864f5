<?php
declare(strict_types=1);

namespace Dbsync;

// As SimpleCache.
if (interface_exists(\Psr\SimpleCache\InvalidArgumentException::class)) {
    interface SimpleCacheFault extends \Psr\SimpleCache\InvalidArgumentException
    {
    }
} else {
    interface SimpleCacheFault
    {
    }
}
