package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// Handle serves one request of API Gateway.
func (h *Handler) Handle(ctx context.Context,
	e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	w := &recorder{header: http.Header{}}
	r, err := request(ctx, e)
	if err != nil {
		problem(w, http.StatusBadRequest, "the request does not decode")
	} else {
		h.ServeHTTP(w, r)
	}
	out := events.APIGatewayV2HTTPResponse{StatusCode: w.code(), Headers: map[string]string{}, Body: w.body.String()}
	if e.RequestContext.HTTP.Method == http.MethodHead {
		out.Body = ""
	}
	for k, vs := range w.header {
		out.Headers[k] = strings.Join(vs, ", ")
	}
	return out, nil
}

// request makes a request of an event. The path stays as it was sent: the mux decodes it.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, err
		}
	}
	path := e.RawPath
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		path = strings.TrimPrefix(path, "/"+stage)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	// Nothing of the path is a query or a host, whatever it looks like.
	u = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: e.RawQueryString}
	ctx = context.WithValue(ctx, caller{}, identity(e.RequestContext.Authorizer))
	r, err := http.NewRequestWithContext(ctx, e.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL, r.Host = u, e.RequestContext.DomainName
	for k, v := range e.Headers {
		r.Header.Set(k, v)
	}
	return r, nil
}

// identity is whom the gateway authenticated, as much of the name as a command keeps; "" for nobody.
func identity(a *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) sender {
	var s sender
	who := ""
	switch {
	case a == nil:
		return s
	case a.IAM != nil:
		who = a.IAM.UserARN
	case a.JWT != nil:
		who, s.token = cmp.Or(a.JWT.Claims["sub"], a.JWT.Claims["client_id"], "a token without sub"), true
		// "scope" (RFC 8693) and "scp" are lists with spaces; API Gateway writes a claim that is an array as "[a b]".
		for _, claim := range []string{"scope", "scp"} {
			s.scopes = append(s.scopes, strings.Fields(strings.Trim(a.JWT.Claims[claim], "[]"))...)
		}
	}
	who = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, who)
	s.name = string([]rune(who)[:min(utf8.RuneCountInString(who), admin.MaxBy)])
	return s
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
