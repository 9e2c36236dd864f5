package dbsync

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeyFiles loads the files of test/keys/key-file.clients.test.ts, which compares the problems with those of the
// other clients.
func TestKeyFiles(t *testing.T) {
	given := os.Getenv("DBSYNC_KEY_FILES")
	if given == "" {
		t.Skip("test/keys/key-file.clients.test.ts makes the files")
	}
	var paths []string
	text, err := os.ReadFile(given)
	if err == nil {
		err = json.Unmarshal(text, &paths)
	}
	if err != nil {
		t.Fatal(err)
	}
	problems := make([]any, len(paths))
	for index, path := range paths {
		if _, _, err := loadSigner(path); err != nil {
			problems[index] = err.Error()
		}
	}
	text, err = json.Marshal(problems)
	if err == nil {
		err = os.WriteFile(given+".problems", text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlacesOfKeys(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(vectorFolder, "test-ed25519-private.pem"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "private.pem")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, warning, err := loadSigner(path); err != nil || !strings.Contains(warning, "chmod 600 "+path) {
		t.Error(warning, err)
	}
	if _, warning, err := loadSigner(string(text)); err != nil || warning != "" {
		t.Error(warning, err)
	}
	for place, problem := range map[string]string{folder: "is a folder", path + "x": "does not exist"} {
		if _, _, err := loadSigner(place); err == nil || !strings.Contains(err.Error(), place+" "+problem) {
			t.Error(err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	client, err := Open(Options{Key: path, Warn: func(warning string) { warnings = append(warnings, warning) }})
	if err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	client.Close()
}
