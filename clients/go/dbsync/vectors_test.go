package dbsync

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/iotest"
)

const vectorFolder = "../../../test/vectors/v2"

// vectors is the part of test/vectors/v2 that clients need.
type vectors struct {
	Keys []struct{ Name, PrivateFile, ID string }
	Good []struct {
		Name, Key           string
		Header              map[string]any
		Commands            [][]string
		Body, ID, Signature string
		OrderKeys           []string
	}
	Messages []struct {
		Name, From, Payload string
		Decoded             struct{ Kind string }
	}
	Cluster string
}

func readVectors(t *testing.T) (read vectors) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorFolder, "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func unhex(t *testing.T, digits string) string {
	t.Helper()
	found, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return string(found)
}

// vectorFields returns the header of a vector. The names have the order of the specification.
func vectorFields(t *testing.T, header map[string]any) []field {
	var fields []field
	for _, name := range []string{"key", "cluster", "at", "seq", "nonce", "db", "multi", "if", "after", "only", "as", "decide"} {
		switch value := header[name].(type) {
		case nil:
		case bool:
			fields = append(fields, field{name, "1"})
		case float64:
			fields = append(fields, field{name, strconv.FormatInt(int64(value), 10)})
		case string:
			fields = append(fields, field{name, unhex(t, value)})
		case []any:
			flat := []string{}
			for _, each := range value {
				condition := each.(map[string]any)
				db := strconv.FormatInt(int64(condition["db"].(float64)), 10)
				flat = append(flat, db, unhex(t, condition["key"].(string)), unhex(t, condition["writer"].(string)))
			}
			fields = append(fields, field{name, flat})
		}
	}
	return fields
}

func TestGoodEnvelopesAreWrittenAndSignedByteForByte(t *testing.T) {
	read := readVectors(t)
	signers := map[string]*signer{}
	for _, key := range read.Keys {
		loaded, _, err := loadSigner(filepath.Join(vectorFolder, key.PrivateFile))
		if err != nil || hexOf(loaded.id) != key.ID {
			t.Fatal(key.Name, err)
		}
		signers[key.Name] = loaded
	}
	written := 0
	for _, vector := range read.Good {
		if vector.Header["ifs"] != nil {
			// The client writes the conditions of one unit only.
			continue
		}
		var commands [][]byte
		for _, words := range vector.Commands {
			var command Command
			for _, word := range words {
				command = append(command, unhex(t, word))
			}
			encoded := appendLength(nil, '*', len(command))
			for index := range command {
				encoded = appendBulk(encoded, command.text(index))
			}
			commands = append(commands, encoded)
		}
		signed := writeSigned(vectorFields(t, vector.Header), commands)
		id := sha256.Sum256(signed)
		signature, err := signers[vector.Key].sign(signed, id[:])
		if err != nil {
			t.Fatal(err)
		}
		body := signed[len(signedPrefix)+8:]
		if hex.EncodeToString(body) != vector.Body || hex.EncodeToString(id[:]) != vector.ID ||
			hex.EncodeToString(signature) != vector.Signature {
			t.Errorf("%s: other bytes", vector.Name)
		}
		e := &envelope{id: string(id[:]), date: date{int64(vector.Header["at"].(float64)), int64(vector.Header["seq"].(float64))}}
		if key := hexOf(e.orderKey(0)); key != vector.OrderKeys[0] {
			t.Errorf("%s: order key %s instead of %s", vector.Name, key, vector.OrderKeys[0])
		}
		written++
	}
	if written < 25 {
		t.Errorf("only %d vectors", written)
	}
}

func TestTheHeaderOfACallIsThatOfTheVectors(t *testing.T) {
	cases := map[string]header{
		"db":            {db: 7},
		"multi":         {isUnit: true},
		"if-absent":     {conditions: []Condition{{Key: "new"}}},
		"if-with-multi": {isUnit: true, conditions: []Condition{{Key: "m"}}},
		"decide":        {conditions: []Condition{{Key: "lock"}}, decide: true},
		"after":         {},
		"only":          {},
	}
	for _, vector := range readVectors(t).Good {
		made, isCase := cases[vector.Name]
		if !isCase {
			continue
		}
		delete(cases, vector.Name)
		expected := vectorFields(t, vector.Header)
		for _, each := range expected {
			switch each.name {
			case "after":
				made.after = each.value.(string)
			case "only":
				made.only = each.value.(string)
			case "if":
				made.conditions[0].Writer = each.value.([]string)[2]
			}
		}
		at := date{int64(vector.Header["at"].(float64)), int64(vector.Header["seq"].(float64))}
		fields := made.fields(expected[0].value.(string), expected[1].value.(string), at, expected[4].value.(string))
		if !bytes.Equal(writeSigned(fields, nil), writeSigned(expected, nil)) {
			t.Errorf("%s: %v instead of %v", vector.Name, fields, expected)
		}
	}
	if len(cases) > 0 {
		t.Errorf("no vectors for %v", cases)
	}
}

func TestMessagesOfDaemonsAreReadFromPieces(t *testing.T) {
	var stream bytes.Buffer
	read := readVectors(t)
	for _, message := range read.Messages {
		stream.Write(framed([]byte(unhex(t, message.Payload))))
	}
	frames := frameReader{bufio.NewReader(iotest.OneByteReader(&stream))}
	for _, message := range read.Messages {
		payload, err := frames.next()
		if err != nil || hex.EncodeToString(payload) != message.Payload {
			t.Fatal(message.Name, err)
		}
		found, err := readMessage(payload)
		if err != nil {
			t.Fatal(message.Name, err)
		}
		kind := map[string]string{"*dbsync.hello": "hello", "*dbsync.result": "result", "*dbsync.refusal": "refused"}[typeOf(found)]
		if kind != message.Decoded.Kind {
			t.Errorf("%s: %s instead of %s", message.Name, kind, message.Decoded.Kind)
		}
		if _, err := readMessage(append(payload, 0)); err == nil {
			t.Errorf("%s: an additional byte was accepted", message.Name)
		}
	}
	if _, err := frames.next(); err != io.EOF {
		t.Error(err)
	}
}

func TestStreamsThatAreNoFrames(t *testing.T) {
	for _, bad := range []string{"ds:1:x", "dt2:", "ds2:-1:", "ds2:99999999999:", "ds2:12345678901", "HTTP/1.1 400"} {
		_, err := frameReader{bufio.NewReader(bytes.NewReader([]byte(bad)))}.next()
		if !isProtocolError(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
