<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * Decodes the array of an answer in steps. Between the steps other connections are served, and deadlines are checked.
 */
final class RespReader
{
    private const MAX_NESTING = 32;
    /** The maximum number of digits in a length. */
    private const MAX_DIGITS = 10;
    /** The maximum number of elements in an answer, including those of nested arrays. */
    private const MAX_ELEMENTS = 4194304;
    /** The number of elements that an error counts as, since an exception uses more memory than a string. */
    private const ERROR_ELEMENTS = 16;
    /** The number of elements per step, which takes about a millisecond. */
    private const STEP_ELEMENTS = 2048;
    /**
     * The bytes per element. A growing array exists twice for a moment, with 16 bytes per element in the old copy and
     * 32 in the new one.
     */
    private const GROWTH_BYTES = 32;
    /** The memory that stays free for the script. */
    private const SPARE_BYTES = 2 * 1024 * 1024;

    private string $bytes;
    private int $at;
    private int $end;
    private int $elements = 0;
    /** @var array[] the arrays that are being read, the innermost one last; the first one contains the message */
    private array $lists = [[]];
    /** @var int[] the number of missing elements of each array */
    private array $missing = [1];

    public function __construct(string $bytes, int $at, int $end)
    {
        $this->bytes = $bytes;
        $this->at = $at;
        $this->end = $end;
    }

    /**
     * Decodes up to STEP_ELEMENTS elements.
     * @return array|null  the message, which consists of strings, integers, nulls, arrays and CommandErrors; or null if
     *   it is incomplete
     * @throws Failure  if the bytes are not a message, or exceed PHP's memory limit
     */
    public function step(): ?array
    {
        $this->checkMemory();
        for ($left = self::STEP_ELEMENTS; $left > 0; $left--) {
            while ($this->missing[count($this->missing) - 1] === 0) {
                $list = array_pop($this->lists);
                array_pop($this->missing);
                if ($this->missing === []) {
                    return $this->message($list[0]);
                }
                $this->lists[count($this->lists) - 1][] = $list;
            }
            $this->missing[count($this->missing) - 1]--;
            $this->readElement();
        }
        return null;
    }

    /** Adds an element to the innermost array, or begins a nested array. */
    private function readElement(): void
    {
        $end = strpos($this->bytes, "\r\n", $this->at);
        if ($end === false) {
            throw new Failure('no value');
        }
        $kind = $this->bytes[$this->at];
        $line = substr($this->bytes, $this->at + 1, $end - $this->at - 1);
        $this->at = $end + 2;
        $this->elements += $kind === '-' ? self::ERROR_ELEMENTS : 1;
        if ($this->elements > self::MAX_ELEMENTS) {
            throw new Failure('too many elements');
        }
        if ($kind === '*' && $line !== '-1') {
            $this->beginList($line);
        } else {
            $this->lists[count($this->lists) - 1][] = $this->scalar($kind, $line);
        }
    }

    /** @return string|int|CommandError|null */
    private function scalar(string $kind, string $line)
    {
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
        $start = $this->at;
        $length = $kind === '$' ? self::length($line) : -1;
        if ($length < 0 || substr($this->bytes, $start + $length, 2) !== "\r\n") {
            throw new Failure('no value');
        }
        $this->at = $start + $length + 2;
        return substr($this->bytes, $start, $length);
    }

    private function beginList(string $line): void
    {
        $count = self::length($line);
        if ($count < 0 || $count > self::MAX_ELEMENTS - $this->elements || count($this->lists) > self::MAX_NESTING + 1) {
            throw new Failure('no value, or too many elements');
        }
        $this->lists[] = [];
        $this->missing[] = $count;
    }

    /**
     * @return int  -1 for longer texts, which are not valid lengths; PHP would convert them to floating-point numbers
     */
    private static function length(string $line): int
    {
        return ctype_digit($line) && strlen($line) <= self::MAX_DIGITS ? (int) $line : -1;
    }

    /** @param mixed $message */
    private function message($message): array
    {
        if ($this->at !== $this->end || !is_array($message)) {
            throw new Failure('no message');
        }
        return $message;
    }

    /** PHP aborts scripts above the limit. */
    private function checkMemory(): void
    {
        $needed = $this->elements * self::GROWTH_BYTES + self::SPARE_BYTES;
        if ($this->elements > 0 && Memory::left() < $needed) {
            throw new Failure('no room');
        }
    }
}
