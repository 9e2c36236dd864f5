<?php
/** Repeats an operation until the input ends. Prints a number after each success, and at the end the failures by error. */
function repeat(callable $operation): void
{
    $done = 0;
    $errors = [];
    stream_set_blocking(STDIN, false);
    while (true) {
        fread(STDIN, 1024);
        if (feof(STDIN)) {
            break;
        }
        try {
            $operation();
            echo ++$done, "\n";
        } catch (Throwable $error) {
            $name = get_class($error) . ': ' . $error->getMessage();
            $errors[$name] = ($errors[$name] ?? 0) + 1;
        }
        usleep(10_000);
    }
    echo json_encode((object) $errors), "\n";
}
