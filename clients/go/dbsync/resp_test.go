package dbsync

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func typeOf(value any) string { return fmt.Sprintf("%T", value) }

func TestArgumentsAreSentAsTheOtherClientsSendThem(t *testing.T) {
	type name string
	for _, each := range []struct {
		word any
		text string
	}{
		{"text", "text"}, {[]byte{0, 255}, "\x00\xff"}, {7, "7"}, {int64(math.MinInt64), "-9223372036854775808"},
		{uint64(math.MaxUint64), "18446744073709551615"}, {1.5, "1.5"}, {1e6, "1000000"}, {1e-7, "1e-07"}, {1e21, "1e+21"},
		{float32(0.1), "0.1"}, {name("named"), "named"}, {uint8(9), "9"}, {0.0, "0"},
	} {
		if text, problem := argument(each.word); text != each.text || problem != "" {
			t.Errorf("%v: %q %s", each.word, text, problem)
		}
	}
	for _, word := range []any{nil, true, math.NaN(), math.Inf(-1), []string{"a"}, time.Second, struct{}{}} {
		if _, problem := argument(word); problem == "" {
			t.Errorf("%v was accepted", word)
		}
	}
	for _, command := range []Command{{}, {""}, {nil}} {
		if _, err := command.encode(); err == nil {
			t.Errorf("%v was accepted", command)
		}
	}
}

func TestRepliesHaveTheirTypes(t *testing.T) {
	read, err := decodeArray([]byte("*6\r\n+OK\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*2\r\n*0\r\n-ERR no\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	failed := &Error{Code: CodeReply, Effect: Unknown, text: "ERR no"}
	if expected := []any{Status("OK"), int64(-7), "a\r\n", nil, nil, []any{[]any{}, failed}}; !reflect.DeepEqual(read, expected) {
		t.Error(read)
	}
}

func TestAnswersOutsideTheLimitsAreMalformed(t *testing.T) {
	array := func(count int, element string) string {
		return fmt.Sprintf("*%d\r\n", count) + strings.Repeat(element, count)
	}
	if _, err := decodeArray([]byte(array(maxElements-1, "$-1\r\n"))); err != nil {
		t.Error(err)
	}
	for name, payload := range map[string]string{
		"too many":         array(maxElements, "$-1\r\n"),
		"too many nested":  array(2, array(maxElements/2, ":1\r\n")),
		"too many errors":  array(maxElements/errorElements, "-E\r\n"),
		"too deep":         strings.Repeat("*1\r\n", maxDepth+2) + ":1\r\n",
		"a false count":    "*1000000\r\n:1\r\n",
		"a negative count": "*-2\r\n",
		"a long number":    "*1\r\n:" + strings.Repeat("1", 5000) + "\r\n",
		"a false length":   "*1\r\n$5\r\nabc\r\n",
		"a huge length":    "*1\r\n$9223372036854775807\r\nabc\r\n",
		"no end":           "*1\r\n:1",
		"no array":         ":1\r\n",
		"an empty array":   "*0\r\n",
		"another kind":     "*1\r\n!x\r\n",
		"nothing":          "",
	} {
		if _, err := decodeArray([]byte(payload)); !isProtocolError(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConversionsOfReplies(t *testing.T) {
	for _, each := range []struct {
		reply any
		text  string
	}{{"a", "a"}, {Status("OK"), "OK"}, {int64(3), "3"}} {
		if text, err := Text(each.reply, nil); text != each.text || err != nil {
			t.Error(each, text, err)
		}
	}
	if number, err := Int("12", nil); number != 12 || err != nil {
		t.Error(number, err)
	}
	if _, err := Text(nil, nil); err != ErrNil {
		t.Error(err)
	}
	if _, err := Int("x", nil); err == nil {
		t.Error("x is no number")
	}
	if _, err := List(nil, badCommand("no")); err == nil || err == ErrNil {
		t.Error(err)
	}
}
