package dbsync

import (
	"encoding/json"
	"os"
	"testing"
)

// TestVerdicts judges the cases of test/go/policy.test.ts, which compares the verdicts with those of the Node client.
func TestVerdicts(t *testing.T) {
	given := os.Getenv("DBSYNC_CASES")
	if given == "" {
		t.Skip("test/go/policy.test.ts draws the cases")
	}
	var cases []struct {
		Policy        *any
		HasConditions bool
		IsDecided     bool
		Final         bool
		Refusers      int
		Reports       []*struct {
			Value    any
			Flags    string
			IsForAll bool
			Stage    string
			Detail   string
		}
	}
	text, err := os.ReadFile(given)
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"wait", "linger", "value", "failed"}
	verdicts := make([][]any, len(cases))
	for index, each := range cases {
		judged := rules{hasConditions: each.HasConditions, isDecided: each.IsDecided}
		if each.Policy != nil {
			switch policy := (*each.Policy).(type) {
			case string:
				judged.policy = Policy(policy)
			case float64:
				judged.policy = AtLeast(int(policy))
			}
		}
		reports := make([]*unitReport, len(each.Reports))
		for place, drawn := range each.Reports {
			if drawn == nil {
				continue
			}
			reports[place] = &unitReport{stage: drawn.Stage, detail: drawn.Detail, flags: drawn.Flags, effect: NotApplied}
			if drawn.Stage == "" {
				reply := withIntegers(drawn.Value)
				reports[place] = &unitReport{isOk: true, reply: reply, flags: drawn.Flags, isForAll: drawn.IsForAll}
			}
		}
		found := judged.judge(reports, each.Final, each.Refusers)
		verdicts[index] = []any{kinds[found.kind], string(found.code), nil}
		if found.answer != nil {
			verdicts[index][2] = found.answer.reply
		}
	}
	text, err = json.Marshal(verdicts)
	if err == nil {
		err = os.WriteFile(given+".verdicts", text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// withIntegers returns a value of JSON with the numbers of replies.
func withIntegers(value any) any {
	switch value := value.(type) {
	case float64:
		return int64(value)
	case []any:
		for index, each := range value {
			value[index] = withIntegers(each)
		}
	}
	return value
}
