<?php
declare(strict_types=1);

namespace Dbsync;

/**
 * The rule by which a call returns:
 *   first      the first answer with a value; null if no daemon has returned a value after a short wait
 *   a number   this number of daemons have answered; the answers need not be equal. all: every daemon
 *   majority   more than half of all daemons gave the same answer
 *   all-equal  every daemon gave the same answer, as in php-dbsync
 * Except for `first`, a late answer does not count as an agreement: a daemon counts for only one of two mutually
 * exclusive commands.
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
     * @param Delivery[] $deliveries  one per daemon
     * @param bool  $isFinal     whether the decision must be based on the present answers
     * @return Delivery|null  the delivery whose answer or error is the result, or null if it is not decided yet
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

    /** Returns the text of the policy for messages. */
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

    /** Returns a text that is equal for equal answers of either version. */
    private static function spoken(Delivery $delivery): string
    {
        return $delivery->error === null ? 'r' . $delivery->text() : 'e' . $delivery->error->reply;
    }
}
