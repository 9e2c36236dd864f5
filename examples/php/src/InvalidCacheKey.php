<?php
declare(strict_types=1);

namespace Dbsync;

/** A key or a lifetime that PSR-16 does not permit. */
final class InvalidCacheKey extends \InvalidArgumentException implements SimpleCacheFault
{
}
