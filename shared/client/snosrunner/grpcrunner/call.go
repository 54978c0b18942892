package grpcrunner

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// code is a status of gRPC.
type code int

// Statuses that decide something.
const (
	ok                code = 0
	unknown           code = 2
	permissionDenied  code = 7
	resourceExhausted code = 8
	unimplemented     code = 12
	internal          code = 13
	unavailable       code = 14
	unauthenticated   code = 16
	notFound          code = 5
)

// codes are the names of all statuses.
var codes = []string{"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
	"PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal",
	"Unavailable", "DataLoss", "Unauthenticated"}

// String is the status's name.
func (c code) String() string {
	if c >= 0 && int(c) < len(codes) {
		return codes[c]
	}
	return fmt.Sprintf("Code(%d)", int(c))
}

// status is how a call ended.
type status struct {
	code    code
	message string
}

func failed(c code, format string, args ...any) status {
	return status{c, fmt.Sprintf(format, args...)}
}

// header is what comes before a message: whether it is compressed, and its length.
const header = 5

// call makes one call with one message each way (gRPC over HTTP/2, PROTOCOL-HTTP2.md).
func (c *Client) call(ctx context.Context, method string, in []byte) ([]byte, status) {
	if len(in) > maxMessage {
		return nil, failed(internal, "a message of %d bytes is not sent, at most %d are", len(in), maxMessage)
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(in)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+method,
		bytes.NewReader(append(body, in...)))
	if err != nil {
		return nil, failed(internal, "%v", err)
	}
	h := req.Header
	h.Set("Content-Type", "application/grpc")
	h.Set("Te", "trailers")
	h.Set("User-Agent", "orchestrator")
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
	if deadline, limited := ctx.Deadline(); limited {
		h.Set("Grpc-Timeout", strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10)+"m")
	}
	res, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, failed(unavailable, "%v", err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(io.LimitReader(res.Body, header+maxMessage+1))
	if err != nil {
		return nil, failed(unavailable, "%v", err)
	}
	if s := statusOf(res); s.code != ok {
		return nil, s
	}
	return unframe(out)
}

// unframe takes an answer's message out of its frame.
func unframe(out []byte) ([]byte, status) {
	switch {
	case len(out) > header+maxMessage:
		return nil, failed(internal, "its answer has more than %d bytes", maxMessage)
	case len(out) < header:
		return nil, failed(internal, "its answer has no message")
	case out[0] != 0:
		return nil, failed(internal, "its answer is compressed, which was not asked for")
	case uint64(binary.BigEndian.Uint32(out[1:])) != uint64(len(out)-header):
		return nil, failed(internal, "its answer has %d bytes and says %d", len(out)-header,
			binary.BigEndian.Uint32(out[1:]))
	}
	return out[header:], status{}
}

// statusOf is how a call ended by its trailers, or its headers where nothing else came.
func statusOf(res *http.Response) status {
	h := res.Trailer
	if h.Get("Grpc-Status") == "" {
		h = res.Header
	}
	text := h.Get("Grpc-Status")
	if res.StatusCode != http.StatusOK || text == "" ||
		!strings.HasPrefix(res.Header.Get("Content-Type"), "application/grpc") {
		return notGRPC(res)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return failed(unknown, "its status is %.40q", text)
	}
	said := h.Get("Grpc-Message")
	if plain, err := url.PathUnescape(said); err == nil {
		said = plain
	}
	return status{code(n), said}
}

// notGRPC is the status of an answer that something else than a gRPC server gave, such as a load balancer
// (http-grpc-status-mapping.md).
func notGRPC(res *http.Response) status {
	c := unknown
	switch res.StatusCode {
	case http.StatusBadRequest:
		c = internal
	case http.StatusUnauthorized:
		c = unauthenticated
	case http.StatusForbidden:
		c = permissionDenied
	case http.StatusNotFound:
		c = unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		c = unavailable
	}
	return failed(c, "it answers HTTP %d and no gRPC", res.StatusCode)
}
