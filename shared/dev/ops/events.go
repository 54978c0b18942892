package ops

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// askEvery is how often events are looked for.
const askEvery = 2 * time.Second

// happening is one change, as -json prints it.
type happening struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // batch, alert, stage or reach
	Name string    `json:"name"`
	Text string    `json:"text"`
}

// seen is what was there at the last look: a text for each thing.
type seen map[string]happening

// events prints what changes until it is interrupted. The API is asked, and no bus: so it needs no more permission than
// every other command, and works with make run too.
func (s *session) events() (int, error) {
	if s.bus {
		return s.tailBus()
	}
	asJSON := s.json
	s.json = false
	if !asJSON {
		fmt.Fprintln(s.out, "what changes from now on; end it with Ctrl-C")
	}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	var end <-chan time.Time
	if s.length > 0 {
		end = time.After(s.length)
	}
	var last seen
	reached := true
	for first := true; ; first = false {
		now, code, err := s.look()
		switch {
		case code != OK && first:
			return code, err
		case code != OK && s.ctx.Err() == nil && reached:
			s.happened(asJSON, happening{s.now(), "reach", "api", fmt.Sprintf("can't be reached: %v", err)})
		case code == OK:
			if !reached {
				s.happened(asJSON, happening{s.now(), "reach", "api", "answers again"})
			}
			if !first {
				for _, h := range changes(last, now) {
					s.happened(asJSON, h)
				}
			}
			last = now
		}
		reached = code == OK
		select {
		case <-s.ctx.Done():
			return OK, nil
		case <-end:
			return OK, nil
		case <-ticker.C:
		}
	}
}

// look reads what there is now.
func (s *session) look() (seen, int, error) {
	out := seen{}
	put := func(what, name, text string) { out[what+" "+name] = happening{s.now(), what, name, text} }
	var bs admin.BatchPage
	if code, err := s.ask("GET", "/batches?limit=12", nil, &bs); code != OK {
		return nil, code, err
	}
	for _, b := range bs.Batches {
		put("batch", b.Name, batchState(b))
		for _, p := range b.Stages {
			if p.State != admin.StateWaiting {
				put("batch", b.Name+" "+p.Stage, fmt.Sprintf("%s, %d of %d jobs", p.State, p.Done, p.Jobs))
			}
		}
	}
	var as admin.AlertList
	if code, err := s.ask("GET", "/alerts", nil, &as); code != OK {
		return nil, code, err
	}
	for _, a := range as.Alerts {
		put("alert", a.Key, string(a.Severity)+": "+a.Title)
	}
	var st admin.StageList
	if code, err := s.ask("GET", "/stages", nil, &st); code != OK {
		return nil, code, err
	}
	for _, x := range st.Stages {
		if x.Paused {
			put("stage", string(x.Stage), "paused by "+x.By+": "+x.Reason)
		}
	}
	return out, OK, nil
}

// changes are what is new, different or over, by name. Batches that left the list are not over: newer ones came.
func changes(before, now seen) []happening {
	var out []happening
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if old, ok := before[k]; !ok || old.Text != now[k].Text {
			out = append(out, now[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(before)) {
		old := before[k]
		if _, ok := now[k]; ok || old.What == "batch" {
			continue
		}
		old.At = time.Now()
		if old.Text = "over: " + old.Text; old.What == "stage" {
			old.Text = "resumed"
		}
		out = append(out, old)
	}
	return out
}

func (s *session) happened(asJSON bool, h happening) {
	if asJSON {
		_ = json.NewEncoder(s.out).Encode(h) // the reader has gone if this fails
		return
	}
	text := h.What + " " + h.Name + ": " + h.Text
	if h.What == "batch" {
		text = h.Name + ": " + h.Text
	}
	wrap(s.out, h.At.UTC().Format("15:04:05")+"  ", text)
}
