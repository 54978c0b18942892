package ops

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// printLinks prints the links, whole: a link that is folded can't be copied.
func printLinks(w io.Writer, l admin.ArtifactList) {
	fmt.Fprintf(w, "\nlinks, which work until %s (UTC):\n", l.LinksEnd.UTC().Format("15:04:05"))
	for _, a := range l.Artifacts {
		if a.Link != "" {
			fmt.Fprintf(w, "\n%s\n%s\n", a.Key, a.Link)
		}
	}
}

// errExpired says that a link is too old.
var errExpired = errors.New("the link has expired: give the command again, it gets new ones")

// download fetches the files of a batch by their links.
func (s *session) download() (int, error) {
	var l admin.ArtifactList
	if code, err := s.ask("GET", s.of()+"/artifacts", nil, &l); code != OK {
		return code, err
	}
	if l.LinksEnd.IsZero() && len(l.Artifacts) > 0 {
		return Refused, errors.New("this deployment gives out no links: set LINK_AGE")
	}
	for _, a := range l.Artifacts {
		if a.Link == "" {
			continue
		}
		to := filepath.Join(s.into, filepath.FromSlash(a.Key))
		if !filepath.IsLocal(filepath.FromSlash(a.Key)) {
			return Unreachable, fmt.Errorf("%q is not a key that can be a file", a.Key)
		}
		n, err := fetch(s.ctx, a.Link, to)
		if err != nil {
			return Unreachable, fmt.Errorf("download %s: %w", a.Key, err)
		}
		if !s.json {
			fmt.Fprintf(s.out, "%sB  %s\n", large(uint64(n)), to)
		}
	}
	if l.More {
		return Refused, fmt.Errorf("only the first %d files are here: download those of one SNOS batch with -snos N",
			len(l.Artifacts))
	}
	return OK, nil
}

// fetch downloads what a link shows into a file, which is whole or not there.
func fetch(ctx context.Context, link, to string) (n int64, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, refused(resp)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".download-*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone where it was renamed
	n, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if resp.ContentLength >= 0 && n != resp.ContentLength {
		return 0, fmt.Errorf("%d of %d bytes came", n, resp.ContentLength)
	}
	return n, os.Rename(f.Name(), to)
}

// refused says why a link was refused, by S3's answer.
func refused(resp *http.Response) error {
	const most = 64 << 10
	var x struct{ Code, Message string }
	_ = xml.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&x) // may be anything
	switch {
	case strings.Contains(strings.ToLower(x.Message), "expired"), x.Code == "ExpiredToken":
		return errExpired
	case resp.StatusCode == http.StatusNotFound:
		return errors.New("it is not there any more")
	}
	return fmt.Errorf("%d %.40s %.200s", resp.StatusCode, x.Code, x.Message)
}
