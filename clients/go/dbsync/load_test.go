package dbsync

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLoad makes the calls of bench/go-client.ts, and prints their figures as JSON.
func TestLoad(t *testing.T) {
	var load struct {
		Servers, Key           string
		Callers                int
		WarmUpSeconds, Seconds float64
	}
	text := os.Getenv("DBSYNC_LOAD")
	if text == "" {
		t.Skip("bench/go-client.ts starts the daemons")
	}
	if err := json.Unmarshal([]byte(text), &load); err != nil {
		t.Fatal(err)
	}
	client := open(t, Options{Servers: load.Servers, Key: load.Key})
	value := strings.Repeat("x", 20)
	var mu sync.Mutex
	var latencies []float64
	run := func(seconds float64) float64 {
		latencies = nil
		var running sync.WaitGroup
		start := time.Now()
		end := start.Add(time.Duration(seconds * float64(time.Second)))
		for caller := 0; caller < load.Callers; caller++ {
			running.Add(1)
			go func(caller int) {
				defer running.Done()
				var own []float64
				for before := time.Now(); before.Before(end); {
					if _, err := client.Call(background, "SET", fmt.Sprint("key:", caller, ":", len(own)), value); err != nil {
						t.Error(err)
						return
					}
					after := time.Now()
					own = append(own, float64(after.Sub(before))/float64(time.Microsecond))
					before = after
				}
				mu.Lock()
				defer mu.Unlock()
				latencies = append(latencies, own...)
			}(caller)
		}
		running.Wait()
		return time.Since(start).Seconds()
	}
	run(load.WarmUpSeconds)
	seconds := run(load.Seconds)
	if t.Failed() {
		return
	}
	sort.Float64s(latencies)
	at := func(share float64) float64 { return latencies[int(float64(len(latencies)-1)*share)] }
	figures, err := json.Marshal(map[string]float64{
		"calls": float64(len(latencies)), "perSecond": float64(len(latencies)) / seconds,
		"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(figures))
}
