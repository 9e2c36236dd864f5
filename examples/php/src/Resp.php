<?php
declare(strict_types=1);

namespace Dbsync;

/** RESP2, which version 2 is made of. */
final class Resp
{
    private const MAX_NESTING = 32;
    /** Of a length. */
    private const MAX_DIGITS = 10;

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
     * The value at `$at`, which moves behind it: a string, an integer, null, an array, or a CommandError.
     * @return mixed
     * @throws Failure  the bytes are no value
     */
    public static function read(string $bytes, int &$at, int $nesting = 0)
    {
        $end = strpos($bytes, "\r\n", $at);
        $kind = $end === false ? '' : $bytes[$at];
        $line = $end === false ? '' : substr($bytes, $at + 1, $end - $at - 1);
        $at = (int) $end + 2;
        if ($kind === '+') {
            return $line;
        }
        if ($kind === ':' && preg_match('/^-?\d{1,19}$/D', $line) === 1) {
            return (int) $line;
        }
        if ($kind === '-') {
            return CommandError::of($line);
        }
        if (($kind === '$' || $kind === '*') && $line === '-1') {
            return null;
        }
        // Longer ones are no lengths, and with them PHP would count in floating-point numbers.
        $isLength = ctype_digit($line) && strlen($line) <= self::MAX_DIGITS;
        if ($kind === '$' && $isLength && substr($bytes, $at + (int) $line, 2) === "\r\n") {
            $at += (int) $line + 2;
            return substr($bytes, $at - (int) $line - 2, (int) $line);
        }
        $isList = $kind === '*' && $isLength && (int) $line <= strlen($bytes);
        if (!$isList || $nesting === self::MAX_NESTING) {
            throw new Failure('no value');
        }
        $items = [];
        for ($left = (int) $line; $left > 0; $left--) {
            $items[] = self::read($bytes, $at, $nesting + 1);
        }
        return $items;
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
