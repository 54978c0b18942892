package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/dev/loopback"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// subscribers lists or changes who gets the alerts.
func (s *session) subscribers() (int, error) {
	list := func(l admin.SubscriberList) { printSubscribers(s.out, l) }
	what, value := "", ""
	if len(s.args) > 0 {
		what = s.args[0]
	}
	if len(s.args) > 1 {
		value = s.args[1]
	}
	if (what == "add" || what == "remove" || what == "confirm") == (value == "") {
		return Usage, errors.New("want subscribers, subscribers add ENDPOINT, subscribers remove ID, " +
			"subscribers confirm TOKEN, or subscribers receive")
	}
	switch what {
	case "":
		return show(s, "/subscribers", list, nil)
	case "add":
		var added admin.Subscriber
		code, err := s.ask("POST", "/subscribers/add", s.with("endpoint", value), &added)
		if code == OK && !s.json {
			list(admin.SubscriberList{Subscribers: []admin.Subscriber{added}})
			if added.Pending {
				wrap(s.out, "", "It gets alerts once it has confirmed: by the link in its mail, or by the token that "+
					"is posted to it (subscribers confirm TOKEN).")
			}
		}
		return code, err
	case "remove", "confirm":
		path, body := "/subscribers/"+url.PathEscape(value)+"/remove", s.order()
		if what == "confirm" {
			path, body = "/subscribers/confirm", s.with("token", value)
		}
		var l admin.SubscriberList
		code, err := s.ask("POST", path, body, &l)
		if code == OK && !s.json {
			list(l)
		}
		return code, err
	case "receive":
		return s.receive()
	}
	return Usage, fmt.Errorf("subscribers: no %q", what)
}

// with is a command's body with one field more.
func (s *session) with(name, value string) map[string]any {
	body := s.order()
	body[name] = value
	return body
}

func printSubscribers(w io.Writer, l admin.SubscriberList) {
	if len(l.Subscribers) == 0 {
		fmt.Fprintln(w, "nobody gets the alerts")
		return
	}
	rows := [][]string{{"id", "protocol", "state", "endpoint"}}
	for _, x := range l.Subscribers {
		state := "confirmed"
		if x.Pending {
			state = "waits"
		}
		rows = append(rows, []string{x.ID, string(x.Protocol), state, x.Endpoint})
	}
	table(w, rows)
}

// maxPost bounds what a webhook is posted, in bytes: SNS sends at most 256 KiB.
const maxPost = 1 << 20

// receive is a webhook on this machine: it subscribes itself, confirms by the token that is posted to it, prints the
// alerts, and removes itself at its end.
func (s *session) receive() (int, error) {
	listener, err := loopback.Listen(s.listen)
	if err != nil {
		return Usage, fmt.Errorf("-listen: %w", err)
	}
	asJSON := s.json
	s.json = false // the API's answers
	var one sync.Mutex
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: loopback.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var m struct{ Type, Token, Message string }
			if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPost)).Decode(&m) != nil {
				http.Error(w, "want a message of SNS", http.StatusBadRequest)
				return
			}
			one.Lock()
			defer one.Unlock()
			switch m.Type {
			case "SubscriptionConfirmation": // the API asks SNS: a token that SNS does not know confirms nothing
				var l admin.SubscriberList
				if code, err := s.ask("POST", "/subscribers/confirm", s.with("token", m.Token), &l); code != OK {
					http.Error(w, "not confirmed", http.StatusBadGateway)
					fmt.Fprintf(s.out, "not confirmed: %v\n", err)
					return
				}
				if !asJSON {
					fmt.Fprintln(s.out, "confirmed; alerts come here until Ctrl-C")
				}
			case "Notification":
				s.received(m.Message, asJSON)
			}
		}))}
	go func() { _ = srv.Serve(listener) }()
	defer func() { _ = srv.Close() }()
	var added admin.Subscriber
	endpoint := "http://" + listener.Addr().String() + "/"
	adding, cancel := s.whole(addTime)
	defer cancel()
	if code, err := adding.ask("POST", "/subscribers/add", s.with("endpoint", endpoint), &added); code != OK {
		return code, err
	}
	var end <-chan time.Time
	if s.length > 0 {
		end = time.After(s.length)
	}
	select {
	case <-s.ctx.Done():
	case <-end:
	}
	return s.leave(added.ID)
}

// received prints an alert.
func (s *session) received(message string, asJSON bool) {
	if asJSON {
		fmt.Fprintln(s.out, strings.Join(strings.Fields(message), " "))
		return
	}
	var a struct{ Severity, Title, Detail, Command string }
	if json.Unmarshal([]byte(message), &a) != nil || a.Title == "" {
		a.Title = message
	}
	wrap(s.out, "alert  ", strings.TrimPrefix(a.Severity+": "+a.Title+": "+a.Detail, ": "))
	if a.Command != "" {
		fmt.Fprintf(s.out, "       %s\n", a.Command)
	}
}

// addTime and leaveTime are how long adding and removing a receiver or a tail may take, also where the program is
// interrupted meanwhile.
const (
	addTime   = 30 * time.Second
	leaveTime = 10 * time.Second
)

// whole is the session for what an interruption must not end in the middle: nobody would know what is there then.
func (s *session) whole(limit time.Duration) (*session, context.CancelFunc) {
	out := *s
	var cancel context.CancelFunc
	out.ctx, cancel = context.WithTimeout(context.WithoutCancel(s.ctx), limit)
	return &out, cancel
}

// leave removes the receiver.
func (s *session) leave(id string) (int, error) {
	leaving, cancel := s.whole(leaveTime)
	defer cancel()
	var l admin.SubscriberList
	code, err := leaving.ask("POST", "/subscribers/"+id+"/remove", s.order(), &l)
	if code == Refused { // it never confirmed, and is forgotten
		return OK, nil
	}
	return code, err
}
