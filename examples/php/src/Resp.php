<?php
declare(strict_types=1);

namespace Dbsync;

/** RESP2, which version 2 is made of. */
final class Resp
{
    public static function bulk(string $bytes): string
    {
        return '$' . strlen($bytes) . "\r\n$bytes\r\n";
    }

    /** @param string[] $items  encoded */
    public static function list(array $items): string
    {
        return '*' . count($items) . "\r\n" . implode('', $items);
    }

    /** @param string[] $strings */
    public static function bulks(array $strings): string
    {
        return self::list(array_map([self::class, 'bulk'], $strings));
    }

    /** A frame around an array of strings. */
    public static function message(string ...$strings): string
    {
        $payload = self::bulks($strings);
        return 'ds2:' . strlen($payload) . ":$payload";
    }

    /**
     * A reply as version 1 has it: elements joined by line feeds, null an empty line, nested ones flattened.
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
