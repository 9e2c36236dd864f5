<?php
declare(strict_types=1);

namespace Dbsync;

// The interface of PSR-16 if psr/simple-cache is installed, otherwise an empty interface.
if (interface_exists(\Psr\SimpleCache\InvalidArgumentException::class)) {
    interface SimpleCacheFault extends \Psr\SimpleCache\InvalidArgumentException
    {
    }
} else {
    interface SimpleCacheFault
    {
    }
}
