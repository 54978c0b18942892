package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// Artifact is a stored file of a batch.
type Artifact struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"` // bytes
	Modified time.Time `json:"modified,omitzero"`
	// Link is a URL by which anyone may download it until ArtifactList.LinksEnd; "": none is given out.
	Link string `json:"link,omitempty"`
}

// ArtifactList are the stored files of a batch.
type ArtifactList struct {
	Artifacts []Artifact `json:"artifacts"` // by key
	// More says that there are more than are listed.
	More bool `json:"more"`
	// LinksEnd is until when the links work; zero: there are none.
	LinksEnd time.Time `json:"links_end,omitzero"`
}

// MaxArtifacts is the longest list of artifacts.
const MaxArtifacts = 1000

// ArtifactsOf lists the stored files of a batch of a kind ("": what one state update settles): its own, those of the
// SNOS batches in it, and the signed transactions of its jobs. Errors: batch.ErrNotFound.
func (s *Service) ArtifactsOf(ctx context.Context, kind string, index uint64) (ArtifactList, error) {
	out := ArtifactList{Artifacts: []Artifact{}}
	if s.Artifacts == nil {
		return out, fmt.Errorf("this deployment can't list its artifacts: %w", ErrUnknown)
	}
	store, err := s.store(kind)
	if err != nil {
		return out, err
	}
	d, err := store.at(ctx, index)
	if err != nil {
		return out, err
	}
	jobs, err := s.jobsOf(ctx, []document{d})
	if err != nil {
		return out, err
	}
	for _, p := range s.prefixesOf(d, jobs) {
		found, err := s.Artifacts.List(ctx, p, "", MaxArtifacts+1-len(out.Artifacts))
		if err != nil {
			return out, fmt.Errorf("list %s: %w", p, err)
		}
		for _, i := range found {
			out.Artifacts = append(out.Artifacts, Artifact{Key: i.Key, Size: i.Size, Modified: utc(i.Modified)})
		}
		if len(out.Artifacts) > MaxArtifacts {
			out.Artifacts, out.More = out.Artifacts[:MaxArtifacts], true
			break
		}
	}
	slices.SortFunc(out.Artifacts, func(a, b Artifact) int { return strings.Compare(a.Key, b.Key) })
	return out, s.link(ctx, &out)
}

// link adds the links. Signed transactions get none: the role that answers may not read them.
func (s *Service) link(ctx context.Context, l *ArtifactList) error {
	if s.Links == nil || s.LinkAge <= 0 || len(l.Artifacts) == 0 {
		return nil
	}
	end := s.Now().Add(s.LinkAge)
	for i, a := range l.Artifacts {
		if strings.HasPrefix(a.Key, artifact.Transactions) {
			continue
		}
		var err error
		if l.Artifacts[i].Link, err = s.Links.Link(ctx, a.Key, s.LinkAge); err != nil {
			return err
		}
		l.LinksEnd = utc(end)
	}
	return nil
}

// prefixesOf are what the keys of a batch's files begin with.
func (s *Service) prefixesOf(d document, jobs []job.Job) []string {
	out := []string{artifact.SNOSPrefix(d.index, 0)}
	if d.kind == KindAggregator || !s.l2() {
		out = artifact.Prefixes(d.index, d.firstSnos, d.lastSnos)
	}
	for _, j := range jobs {
		if j.Type == job.StateTransition || j.Type == job.DataSubmission {
			out = append(out, artifact.TransactionPrefix(j.ID))
		}
	}
	return out
}
