<?php
declare(strict_types=1);

namespace Dbsync;

/** Encodes RESP2, the format of version 2. */
final class Resp
{
    public static function bulk(string $bytes): string
    {
        return '$' . strlen($bytes) . "\r\n$bytes\r\n";
    }

    /** @param string[] $items  encoded items */
    public static function list(array $items): string
    {
        return '*' . count($items) . "\r\n" . implode('', $items);
    }

    /** @param string[] $strings */
    public static function bulks(array $strings): string
    {
        return self::list(array_map([self::class, 'bulk'], $strings));
    }

    /** Returns a frame with an array of strings. */
    public static function message(string ...$strings): string
    {
        $payload = self::bulks($strings);
        return 'ds2:' . strlen($payload) . ":$payload";
    }

    /**
     * Returns a reply in the form of version 1: the elements are joined by line feeds, null is an empty line, and
     * nested arrays are flattened.
     * @param mixed $reply
     */
    public static function text($reply): string
    {
        if ($reply instanceof CommandError) {
            return $reply->reply;
        }
        return is_array($reply) ? implode("\n", array_map([self::class, 'text'], $reply)) : (string) $reply;
    }
}
