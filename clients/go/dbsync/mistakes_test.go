package dbsync

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestMistakes makes the calls of test/mistakes, which checks their errors and warnings.
func TestMistakes(t *testing.T) {
	given := os.Getenv("DBSYNC_MISTAKES")
	if given == "" {
		t.Skip("test/mistakes makes the calls")
	}
	var calls []struct {
		Servers, Key, Cluster, CA string
		Words                     []any
		Milliseconds              int
		Policy                    string
		DB, Replicated            int
	}
	text, err := os.ReadFile(given)
	if err == nil {
		err = json.Unmarshal(text, &calls)
	}
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]any, len(calls))
	for index, each := range calls {
		options := Options{
			Servers: each.Servers, Key: each.Key, Cluster: each.Cluster, CA: each.CA,
			Warn: func(warning string) { texts[index] = warning },
			CallOptions: CallOptions{
				Timeout: time.Duration(each.Milliseconds) * time.Millisecond, Policy: Policy(each.Policy), DB: each.DB,
				Replicated: each.Replicated,
			},
		}
		client, err := Open(options)
		if err == nil {
			_, err = client.Call(background, each.Words...)
			client.Close()
		}
		if err != nil {
			texts[index] = err.Error()
		}
	}
	text, err = json.Marshal(texts)
	if err == nil {
		err = os.WriteFile(given+".texts", text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
