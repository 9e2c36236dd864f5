package dbsync

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Limits of an answer. The deepest reply of a daemon has five levels. Each element uses much more memory than its
// bytes, and an error more than a string.
const (
	maxDepth      = 64
	maxElements   = 4 << 20
	errorElements = 16
	maxDigits     = 20
)

// Status is a simple string of a reply, such as OK. In the rows of an SQL query it is a number.
type Status string

// Command is the name and the arguments of a command. Text and bytes are sent unchanged, numbers as digits.
type Command []any

func appendLength(to []byte, kind byte, length int) []byte {
	return append(strconv.AppendInt(append(to, kind), int64(length), 10), '\r', '\n')
}

func appendBulk[Text string | []byte](to []byte, value Text) []byte {
	return append(append(appendLength(to, '$', len(value)), value...), '\r', '\n')
}

// encode returns the command as an array of bulk strings.
func (c Command) encode() ([]byte, error) {
	encoded := appendLength(make([]byte, 0, 32*len(c)+16), '*', len(c))
	for index, word := range c {
		text, problem := argument(word)
		if problem != "" {
			place := "the name"
			if index > 0 {
				place = "argument " + strconv.Itoa(index)
			}
			return nil, badCommand(place + ": " + problem)
		}
		if index == 0 && text == "" {
			return nil, badCommand("it has no name, such as GET")
		}
		encoded = appendBulk(encoded, text)
	}
	if len(c) == 0 {
		return nil, badCommand("it has no name, such as GET")
	}
	return encoded, nil
}

// argument returns the bytes of an argument, or why it cannot be sent.
func argument(word any) (text string, problem string) {
	switch value := word.(type) {
	case string:
		return value, ""
	case []byte:
		return string(value), ""
	case int:
		return strconv.Itoa(value), ""
	case float64:
		return floatText(value, 64)
	case float32:
		return floatText(float64(value), 32)
	case time.Duration:
		return "", "a time.Duration has no unit in a command; pass its seconds or milliseconds"
	}
	switch value := reflect.ValueOf(word); value.Kind() {
	case reflect.String:
		return value.String(), ""
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(value.Int(), 10), ""
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(value.Uint(), 10), ""
	case reflect.Float32, reflect.Float64:
		return floatText(value.Float(), value.Type().Bits())
	}
	return "", fmt.Sprintf("it has the type %T; text, bytes and numbers can be sent", word)
}

func floatText(value float64, bits int) (text string, problem string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "", fmt.Sprintf("%v is not finite; an infinite score is the text inf or -inf", value)
	}
	form := byte('f')
	if size := math.Abs(value); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	return strconv.FormatFloat(value, form, -1, bits), ""
}

// protocolError is the reason why received bytes are not valid in version 2.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// decoder decodes RESP2. A bulk string becomes a string, a simple string a Status, a number an int64, nil a nil, an
// array a []any, and an error an *Error.
type decoder struct {
	data []byte
	at   int
	// room is the number of elements that the answer may still have.
	room int
}

// decodeArray decodes a payload, which must be one array with at least one element.
func decodeArray(payload []byte) ([]any, error) {
	d := decoder{data: payload, room: maxElements}
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	array, _ := value.([]any)
	if len(array) == 0 || d.at != len(payload) {
		return nil, protocolError("a payload is not one array")
	}
	return array, nil
}

func (d *decoder) value(depth int) (any, error) {
	line, err := d.line()
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], line[1:]
	elements := 1
	if kind == '-' {
		elements = errorElements
	}
	if d.room -= elements; d.room < 0 {
		return nil, protocolError(fmt.Sprintf("more than %d elements in one answer", maxElements))
	}
	switch kind {
	case '+':
		return Status(rest), nil
	case '-':
		return &Error{Code: CodeReply, Effect: Unknown, text: string(rest)}, nil
	case ':':
		return number(rest)
	case '$', '*':
		if string(rest) == "-1" {
			return nil, nil
		}
		count, err := number(rest)
		if err != nil {
			return nil, err
		}
		if kind == '*' {
			return d.array(count, depth)
		}
		text, err := d.bulk(count)
		return text, err
	}
	return nil, protocolError("an unknown kind of value")
}

func (d *decoder) array(count int64, depth int) (any, error) {
	if count < 0 || count > int64(d.room) {
		return nil, protocolError(fmt.Sprintf("an array of %d elements; an answer may have at most %d", count, maxElements))
	}
	if depth > maxDepth {
		return nil, protocolError(fmt.Sprintf("arrays nested deeper than %d", maxDepth))
	}
	// An element has at least four bytes, so that a false count allocates little.
	capacity := int64(len(d.data)-d.at)/4 + 1
	if count < capacity {
		capacity = count
	}
	items := make([]any, 0, capacity)
	for ; count > 0; count-- {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func (d *decoder) bulk(length int64) (string, error) {
	if length < 0 || length > int64(len(d.data)-d.at-2) {
		return "", protocolError("a string does not end at its length")
	}
	end := d.at + int(length)
	if d.data[end] != '\r' || d.data[end+1] != '\n' {
		return "", protocolError("a string does not end at its length")
	}
	text := string(d.data[d.at:end])
	d.at = end + 2
	return text, nil
}

func (d *decoder) line() ([]byte, error) {
	length := bytes.IndexByte(d.data[d.at:], '\r')
	if length < 1 || d.at+length+1 >= len(d.data) || d.data[d.at+length+1] != '\n' {
		return nil, protocolError("a line has no end")
	}
	line := d.data[d.at : d.at+length]
	d.at += length + 2
	return line, nil
}

func number(digits []byte) (int64, error) {
	if len(digits) <= maxDigits {
		if value, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
			return value, nil
		}
	}
	return 0, protocolError("a number is malformed")
}
