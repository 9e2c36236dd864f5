package dbsync

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

const (
	nonceBytes    = 16
	unitNameBytes = 36
	orderKeyBytes = 46
	signedPrefix  = "dbsync2\x00command\x00"
)

// noKey is the value of key in the header of an unsigned envelope.
var noKey = string(make([]byte, hashBytes))

// Condition is a key, and the unit that must have changed it last.
type Condition struct {
	Key string
	// Writer is the unit, as Client.Writers returns it; empty: the key must be absent.
	Writer string
}

// header contains the options of a call that are signed.
type header struct {
	db         int
	isUnit     bool
	conditions []Condition
	after      string
	only       string
	decide     bool
}

// envelope contains the bytes that all daemons receive.
type envelope struct {
	id        string
	body      []byte
	signature []byte
	date      date
	cluster   string
	// after is the write that the client's session names, or empty.
	after string
}

// field is a name and a value of a header; the value is a text or a list of texts.
type field struct {
	name  string
	value any
}

// fields returns the fields of an envelope's header, in order.
func (h header) fields(key, cluster string, at date, nonce string) []field {
	fields := []field{
		{"key", key},
		{"cluster", cluster},
		{"at", strconv.FormatInt(at.at, 10)},
		{"seq", strconv.FormatInt(at.seq, 10)},
		{"nonce", nonce},
	}
	if h.db != 0 {
		fields = append(fields, field{"db", strconv.Itoa(h.db)})
	}
	if h.isUnit {
		fields = append(fields, field{"multi", "1"})
	}
	if len(h.conditions) > 0 {
		flat := make([]string, 0, 3*len(h.conditions))
		for _, condition := range h.conditions {
			flat = append(flat, strconv.Itoa(h.db), condition.Key, condition.Writer)
		}
		fields = append(fields, field{"if", flat})
	}
	if h.after != "" {
		fields = append(fields, field{"after", h.after})
	}
	if h.only != "" {
		fields = append(fields, field{"only", h.only})
	}
	if h.decide {
		fields = append(fields, field{"decide", "1"})
	}
	return fields
}

// writeSigned returns the bytes to sign, which end with the body.
func writeSigned(fields []field, commands [][]byte) []byte {
	length := 512
	for _, command := range commands {
		length += len(command)
	}
	signed := append(make([]byte, 0, length), signedPrefix...)
	signed = append(signed, make([]byte, 8)...)
	start := len(signed)
	signed = appendLength(signed, '*', 2+len(commands))
	signed = appendBulk(signed, "dbsync2")
	signed = appendLength(signed, '*', 2*len(fields))
	for _, each := range fields {
		signed = appendBulk(signed, each.name)
		if list, isList := each.value.([]string); isList {
			signed = appendLength(signed, '*', len(list))
			for _, item := range list {
				signed = appendBulk(signed, item)
			}
		} else {
			signed = appendBulk(signed, each.value.(string))
		}
	}
	for _, command := range commands {
		signed = append(signed, command...)
	}
	binary.BigEndian.PutUint64(signed[start-8:], uint64(len(signed)-start))
	return signed
}

// seal signs commands. Without a signer the envelope is unsigned, for daemons without keys.
func seal(signer *signer, cluster string, at date, h header, commands [][]byte) (*envelope, error) {
	key := noKey
	if signer != nil {
		key = signer.id
	}
	var nonce [nonceBytes]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	signed := writeSigned(h.fields(key, cluster, at, string(nonce[:])), commands)
	digest := sha256.Sum256(signed)
	sealed := &envelope{id: string(digest[:]), body: signed[len(signedPrefix)+8:], date: at, cluster: cluster}
	if signer == nil {
		return sealed, nil
	}
	var err error
	sealed.signature, err = signer.sign(signed, digest[:])
	return sealed, err
}

// orderKey returns the order key of a unit, for the option After.
func (e *envelope) orderKey(unit int) string {
	key := make([]byte, 0, orderKeyBytes)
	key = binary.BigEndian.AppendUint64(key, uint64(e.date.at))
	key = binary.BigEndian.AppendUint16(key, uint16(e.date.seq))
	key = append(key, e.id...)
	return string(binary.BigEndian.AppendUint32(key, uint32(unit)))
}

func hexOf(text string) string { return hex.EncodeToString([]byte(text)) }
