<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * When a call is decided:
 *   first      the first answer that holds a value; null if all that answered have none, or those of a moment
 *   a number   so many daemons have answered; they need not be equal. all: every daemon
 *   majority   more than half of all daemons gave the same answer
 *   all-equal  every daemon gave the same answer, as php-dbsync has it
 * Beside `first`, an answer that came late is no agreement: of two commands that exclude each other a daemon counts for one.
 */
final class Policy
{
    /** @var string|int */
    private $name;

    /**
     * @param mixed $name
     * @throws Failure
     */
    public function __construct($name)
    {
        $isNumber = is_int($name) && $name > 0;
        if (!$isNumber && !in_array($name, ['first', 'majority', 'all', 'all-equal'], true)) {
            throw new Failure('the option policy is "first", "majority", "all", "all-equal", or a number of daemons from 1');
        }
        $this->name = $name;
    }

    public function isFirst(): bool
    {
        return $this->name === 'first';
    }

    /**
     * @param Delivery[] $deliveries  one for each daemon
     * @param bool       $isFinal     whether to decide on what there is
     * @return Delivery|null  whose answer, or error, it is; null: nobody's, so far
     */
    public function choose(array $deliveries, bool $isFinal): ?Delivery
    {
        $answers = array_values(array_filter($deliveries, static fn (Delivery $each): bool => $each->answered));
        $isFinal = $isFinal || self::open($deliveries) === 0;
        if ($this->name === 'first') {
            return self::hit($answers) ?? ($isFinal ? $answers[0] ?? null : null);
        }
        if ($this->name === 'majority') {
            return self::majority($deliveries);
        }
        $agreed = array_values(array_filter($answers, static fn (Delivery $each): bool => !$each->isLate));
        $needed = is_int($this->name) ? $this->name : count($deliveries);
        if (count($agreed) < $needed || ($this->name === 'all-equal' && !self::areEqual($agreed))) {
            return null;
        }
        return self::hit($agreed) ?? $agreed[0];
    }

    /** How messages say what was wanted. */
    public function text(): string
    {
        return (string) $this->name;
    }

    /** @param Delivery[] $deliveries */
    public static function open(array $deliveries): int
    {
        return count(array_filter($deliveries, static fn (Delivery $each): bool => !$each->settled()));
    }

    /** @param Delivery[] $answers */
    private static function hit(array $answers): ?Delivery
    {
        foreach ($answers as $answer) {
            if (!$answer->isMiss()) {
                return $answer;
            }
        }
        return null;
    }

    /** @param Delivery[] $deliveries */
    private static function majority(array $deliveries): ?Delivery
    {
        $groups = [];
        foreach ($deliveries as $delivery) {
            if (($delivery->answered || $delivery->error !== null) && !$delivery->isLate) {
                $groups[self::spoken($delivery)][] = $delivery;
            }
        }
        foreach ($groups as $group) {
            if (2 * count($group) > count($deliveries)) {
                return $group[0];
            }
        }
        return null;
    }

    /** @param Delivery[] $answers */
    private static function areEqual(array $answers): bool
    {
        return count(array_unique(array_map([self::class, 'spoken'], $answers))) <= 1;
    }

    /** Equal for equal answers, of either version. */
    private static function spoken(Delivery $delivery): string
    {
        return $delivery->error === null ? 'r' . $delivery->text() : 'e' . $delivery->error->reply;
    }
}
