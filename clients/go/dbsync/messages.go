package dbsync

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	frameTag = "ds2:"
	// maxFrameBytes is the maximum size of an answer. By default daemons send at most 256 MiB (--max-output-bytes).
	maxFrameBytes = 260 << 20
	// allocatedFrameBytes is the size up to which a frame is allocated before its bytes have arrived.
	allocatedFrameBytes = 1 << 20
	maxLengthDigits     = 10
	protocolNumber      = "2"
	helloElements       = 9
	hashBytes           = 32
	// maxRefusalBytes limits a refusal's code and its sentence; the remaining bytes are left out.
	maxRefusalBytes = 1000
	// knowsDecisions is the capability of a daemon that knows a list of members, which decide on conditions.
	knowsDecisions = "decisions"
)

// noCluster is the cluster of a daemon without keys.
var noCluster = string(make([]byte, hashBytes))

// date is the date of an envelope: milliseconds since 1970, and the number within the millisecond.
type date struct{ at, seq int64 }

func (d date) isAfter(other date) bool {
	return d.at > other.at || d.at == other.at && d.seq > other.seq
}

// hello is the description that a daemon sends of itself.
type hello struct {
	cluster string
	clock   int64
	// members is the number of connected members, or -1 for a daemon without peers.
	members int64
	knows   []string
}

// result is a daemon's answer to an envelope: the reply and the flags of each unit.
type result struct {
	id      string
	clock   int64
	newest  date
	replies []any
	flags   []string
}

// isPlaced returns whether the members have decided on the position of units that did not request a decision.
func (r *result) isPlaced() bool {
	for _, flags := range r.flags {
		if hasFlag(flags, "placed") {
			return true
		}
	}
	return false
}

// refusal is a daemon's refusal of an envelope. The id is empty if it concerns the connection.
type refusal struct {
	id, code, sentence string
	clock              int64
	effect             Effect
	newest             date
}

// otherProtocol is a hello with another number of elements or another protocol number than this client reads.
type otherProtocol string

func (e otherProtocol) Error() string { return string(e) }

// frame returns a message in its frame.
func frame(elements ...string) []byte {
	length := 16
	for _, element := range elements {
		length += len(element) + 16
	}
	payload := appendLength(make([]byte, 0, length), '*', len(elements))
	for _, element := range elements {
		payload = appendBulk(payload, element)
	}
	return framed(payload)
}

func framed(payload []byte) []byte {
	head := frameTag + strconv.Itoa(len(payload)) + ":"
	return append(append(make([]byte, 0, len(head)+len(payload)), head...), payload...)
}

// commandFrame returns the message with an envelope. wait is the condition for which its answer waits, or "".
func commandFrame(e *envelope, wait string) []byte {
	elements := 3
	if wait != "" {
		elements++
	}
	payload := appendLength(make([]byte, 0, len(e.body)+len(e.signature)+64), '*', elements)
	payload = appendBulk(appendBulk(appendBulk(payload, "command"), e.body), e.signature)
	if wait != "" {
		payload = appendBulk(payload, wait)
	}
	return framed(payload)
}

// frameReader splits received bytes into payloads.
type frameReader struct{ *bufio.Reader }

// next returns the payload of the next frame.
func (r frameReader) next() ([]byte, error) {
	for index := range frameTag {
		// A shorter beginning suffices to recognize another protocol.
		head, err := r.Peek(index + 1)
		if len(head) > index && head[index] != frameTag[index] {
			return nil, protocolError("the answer does not begin as one of version 2")
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := r.Discard(len(frameTag)); err != nil {
		return nil, err
	}
	digits := make([]byte, 0, maxLengthDigits)
	for {
		char, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if char == ':' {
			break
		}
		if digits = append(digits, char); len(digits) > maxLengthDigits {
			return nil, protocolError("a frame's length has no end")
		}
	}
	length, err := number(digits)
	if err != nil {
		return nil, err
	}
	if length < 0 || length > maxFrameBytes {
		return nil, protocolError(fmt.Sprintf("a frame of %d bytes is too long", length))
	}
	if length <= allocatedFrameBytes {
		payload := make([]byte, length)
		_, err = io.ReadFull(r, payload)
		return payload, err
	}
	var payload bytes.Buffer
	_, err = io.CopyN(&payload, r, length)
	return payload.Bytes(), err
}

// readMessage parses the message of a daemon: a *hello, *result, *refusal, or nil for an unknown kind of message.
func readMessage(payload []byte) (any, error) {
	elements, err := decodeArray(payload)
	if err != nil {
		return nil, err
	}
	switch name, _ := elements[0].(string); name {
	case "hello":
		return readHello(elements)
	case "result":
		return readResult(elements)
	case "refused":
		return readRefusal(elements)
	}
	return nil, nil
}

var errMalformed = protocolError("a message is malformed")

// texts returns the elements, which must all be strings.
func texts(elements []any) ([]string, error) {
	found := make([]string, len(elements))
	for index, element := range elements {
		text, isText := element.(string)
		if !isText {
			return nil, errMalformed
		}
		found[index] = text
	}
	return found, nil
}

func readHello(elements []any) (any, error) {
	if len(elements) != helloElements {
		return nil, otherProtocol(fmt.Sprintf("a hello with %d elements instead of %d", len(elements), helloElements))
	}
	fields, err := texts(elements)
	if err != nil {
		return nil, err
	}
	versions := strings.Fields(fields[1])
	if !contains(versions, protocolNumber) {
		return nil, otherProtocol(fmt.Sprintf("a hello of protocol %s instead of %s", strings.Join(versions, " and "), protocolNumber))
	}
	found := &hello{cluster: fields[3], members: -1, knows: strings.Fields(fields[8])}
	if found.cluster == "" {
		found.cluster = noCluster
	}
	if found.clock, err = number([]byte(fields[4])); err == nil && fields[7] != "" {
		found.members, err = number([]byte(fields[7]))
	}
	return found, err
}

func readResult(elements []any) (any, error) {
	if len(elements) < 5 || len(elements)%2 == 0 {
		return nil, errMalformed
	}
	fields, err := texts(elements[:5])
	if err != nil {
		return nil, err
	}
	units := len(elements[5:]) / 2
	found := &result{id: fields[1], replies: make([]any, units), flags: make([]string, units)}
	for unit := range found.replies {
		found.replies[unit] = elements[5+2*unit]
		flags, isText := elements[6+2*unit].(string)
		if !isText {
			return nil, errMalformed
		}
		found.flags[unit] = flags
	}
	if found.clock, err = number([]byte(fields[3])); err != nil {
		return nil, err
	}
	found.newest, err = readDate(fields[4])
	return found, err
}

func readRefusal(elements []any) (any, error) {
	if len(elements) != 6 && len(elements) != 7 {
		return nil, errMalformed
	}
	fields, err := texts(elements)
	if err != nil {
		return nil, err
	}
	found := &refusal{id: fields[1], code: shortened(fields[2]), sentence: shortened(fields[3]), effect: Unknown}
	if fields[5] == string(NotApplied) {
		found.effect = NotApplied
	}
	if found.clock, err = number([]byte(fields[4])); err == nil && len(fields) == 7 {
		found.newest, err = readDate(fields[6])
	}
	return found, err
}

func shortened(text string) string {
	if len(text) > maxRefusalBytes {
		text = text[:maxRefusalBytes]
	}
	return strings.ToValidUTF8(text, "?")
}

func readDate(text string) (date, error) {
	at, seq, _ := strings.Cut(text, " ")
	first, err := number([]byte(at))
	second, otherErr := number([]byte(seq))
	if err != nil || otherErr != nil {
		return date{}, errMalformed
	}
	return date{first, second}, nil
}

func contains(list []string, text string) bool {
	for _, each := range list {
		if each == text {
			return true
		}
	}
	return false
}

// isProtocolError returns whether a connection ended because of what the daemon sent.
func isProtocolError(err error) bool {
	var malformed protocolError
	return errors.As(err, &malformed)
}
